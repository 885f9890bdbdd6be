//! The variables that make programs use the cache.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::gh_config;
use crate::config::{Environment, Owner, Settings, directories, env};
use crate::daemon::Ready;
use crate::runner;

/// What is reached without a proxy: us.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// Names and values, for the daemon that `ready` describes.
pub(super) fn of(
    ready: &Ready,
    environment: &Environment,
) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let api_url = ready.api_url.trim_end_matches('/');
    let own = match ready.owner {
        // Its directory is no place for what one job needs, and mostly another user's.
        Owner::Host => directories::state_dir(&Settings::default(), environment)?,
        Owner::Job | Owner::User => ready.state_dir.clone(),
    };
    let mut variables = BTreeMap::from([
        (env::GITHUB_API_URL, api_url.to_owned()),
        (env::GITHUB_GRAPHQL_URL, format!("{api_url}/graphql")),
        (env::API_URL, api_url.to_owned()),
        (env::STATE_DIR, text(&own)?),
        (env::NO_PROXY, without_proxy(environment.get(env::NO_PROXY))),
        (
            env::NO_PROXY_LOWER,
            without_proxy(environment.get(env::NO_PROXY_LOWER)),
        ),
    ]);
    if let Some(socket) = &ready.socket {
        let user = gh_config::of_user(environment);
        let folder = gh_config::generate(&own, socket, user.as_deref())?;
        variables.insert(env::GH_CONFIG_DIR, text(&folder)?);
        variables.insert(env::SOCKET, text(socket)?);
    }
    // The host's daemon keeps its token to itself.
    let token = ready.admin_token_file.as_ref();
    let token = token.filter(|file| std::fs::File::open(file).is_ok());
    if let (Some(url), Some(file)) = (&ready.admin_url, token) {
        variables.insert(env::ADMIN_URL, url.clone());
        variables.insert(env::ADMIN_TOKEN_FILE, text(file)?);
    }
    Ok(variables)
}

fn text(path: &std::path::Path) -> anyhow::Result<String> {
    let text = path
        .to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(text.to_owned())
}

/// The list with our own addresses in it. `*` covers them already.
pub(super) fn without_proxy(list: Option<&str>) -> String {
    let mut hosts: Vec<_> = list
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty())
        .collect();
    if !hosts.contains(&"*") {
        let missing: Vec<_> = LOOPBACK
            .into_iter()
            .filter(|host| !hosts.contains(host))
            .collect();
        hosts.extend(missing);
    }
    hosts.join(",")
}

/// `export` lines for a POSIX shell.
pub(super) fn shell(variables: &BTreeMap<&'static str, String>) -> String {
    let export = |(name, value): (&&str, &String)| {
        // Inside single quotes nothing is special but the quote itself.
        format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
    };
    variables.iter().map(export).collect()
}

/// Entries for the file that `GITHUB_ENV` names.
pub(super) fn github(variables: &BTreeMap<&'static str, String>) -> anyhow::Result<String> {
    let entry = |(name, value): (&&str, &String)| runner::entry(name, value);
    Ok(variables.iter().map(entry).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_does_not_end_the_value() {
        let variables = BTreeMap::from([("A", "it's $(x) `y`".to_owned())]);
        assert_eq!(shell(&variables), "export A='it'\\''s $(x) `y`'\n");
    }

    #[test]
    fn we_are_never_reached_through_a_proxy() {
        assert_eq!(without_proxy(None), "127.0.0.1,localhost,::1");
        assert_eq!(
            without_proxy(Some("a.example, localhost")),
            "a.example,localhost,127.0.0.1,::1"
        );
        assert_eq!(without_proxy(Some("*")), "*");
    }
}
