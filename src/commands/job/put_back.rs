//! The variables of later steps, as they were before the start.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::variables::without_proxy;
use super::{Told, exported};
use crate::config::{Environment, env};

/// Tells later steps what was noted at the start. The cache goes on answering those who do not hear of it.
pub(super) fn variables(folder: &Path, environment: &Environment, told: &mut Told) {
    let Some(noted) = exported::noted(folder) else {
        return;
    };
    let changes = changes(&noted, |name| environment.get(name).unwrap_or_default());
    if changes.is_empty() {
        return;
    }
    match told.export(&changes) {
        Ok(()) => told.detail(format!(
            "{} variables are as they were before",
            changes.len()
        )),
        Err(error) => told.fault(format!(
            "later steps keep the variables of the cache: {:#}",
            anyhow::Error::from(error)
        )),
    }
}

/// What has to be set so that everything is as noted. The program stays known, for a last step that runs twice, and so
/// does what somebody has changed since.
fn changes<'a>(
    noted: &'a BTreeMap<String, String>,
    now: impl Fn(&str) -> &'a str,
) -> Vec<(&'a str, String)> {
    let is_ours = |name: &str, before: &str| match name {
        env::PROGRAM => false,
        env::NO_PROXY | env::NO_PROXY_LOWER => {
            now(name) == without_proxy(Some(before).filter(|before| !before.is_empty()))
        }
        _ => true,
    };
    noted
        .iter()
        .filter(|(name, before)| now(name) != before.as_str() && is_ours(name, before))
        .map(|(name, before)| (name.as_str(), before.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ours_is_put_back_and_what_is_anothers_stays() {
        let noted = [
            ("GHSWARM_PROGRAM", ""),
            ("GHSWARM_SOCKET", ""),
            ("GH_CONFIG_DIR", "/home/u/gh"),
            ("NO_PROXY", "a.example"),
            ("no_proxy", ""),
        ];
        let noted = noted
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let now = |name: &str| match name {
            "GHSWARM_PROGRAM" => "/opt/ghswarm",
            "GHSWARM_SOCKET" => "/t/s",
            "GH_CONFIG_DIR" => "/t/gh-1",
            "NO_PROXY" => "a.example,127.0.0.1,localhost,::1",
            "no_proxy" => "somebody.else",
            _ => "",
        };
        let expected = [
            ("GHSWARM_SOCKET", String::new()),
            ("GH_CONFIG_DIR", "/home/u/gh".to_owned()),
            ("NO_PROXY", "a.example".to_owned()),
        ];
        assert_eq!(changes(&noted, now), expected);
        let as_noted = |name: &str| {
            if name == "GH_CONFIG_DIR" {
                "/home/u/gh"
            } else {
                ""
            }
        };
        let of_gh: BTreeMap<_, _> = [("GH_CONFIG_DIR".to_owned(), "/home/u/gh".to_owned())].into();
        assert_eq!(changes(&of_gh, as_noted), []);
    }
}
