//! The variables of later steps, and what they were before, so that `job finish` can put them back.
//!
//! The runner can set a variable for later steps and cannot remove one: what was not there becomes empty, which
//! every program that reads these takes for absent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::config::{Environment, env};
use crate::files;
use crate::runner::Job;

/// The file of what was before.
const FILE: &str = "exported.json";
/// The largest that is read, in bytes. A variable of a process has at most 128 KiB.
const LARGEST: u64 = 4 << 20;

/// What the runner sets anew at every step, whatever anybody exports.
const RESET_BY_RUNNER: [&str; 2] = [env::GITHUB_API_URL, env::GITHUB_GRAPHQL_URL];

/// Of the variables that make programs use the cache those that later steps can have, and the program itself.
pub(super) fn for_later_steps(
    mut variables: BTreeMap<&'static str, String>,
) -> anyhow::Result<BTreeMap<&'static str, String>> {
    for name in RESET_BY_RUNNER {
        variables.remove(name);
    }
    let program = std::env::current_exe().context("cannot find our own program")?;
    let program = program.to_str().context("our own path is not UTF-8")?;
    variables.insert(env::PROGRAM, program.to_owned());
    Ok(variables)
}

/// Where a job notes things for its own later steps: in its own scratch directory also when it joins a daemon
/// of the host.
pub(super) fn folder(job: &Job, state_dir: &Path) -> PathBuf {
    let own = job.temp.as_ref().map(|temp| temp.join("ghswarm"));
    own.unwrap_or_else(|| state_dir.to_owned())
}

/// Notes what `names` are now. What was noted before stays: that is what they were before us.
pub(super) fn note<'a>(
    folder: &Path,
    names: impl IntoIterator<Item = &'a str>,
    environment: &Environment,
) -> anyhow::Result<()> {
    let mut before = noted(folder).unwrap_or_default();
    for name in names {
        let now = environment.get(name).unwrap_or_default();
        before.entry(name.to_owned()).or_insert(now.to_owned());
    }
    files::private_dir(folder)?;
    let json = serde_json::to_vec(&before)?;
    Ok(files::write_atomic(&folder.join(FILE), &json)?)
}

/// What the variables were before us; `None` if nothing was exported.
pub(super) fn noted(folder: &Path) -> Option<BTreeMap<String, String>> {
    let text = files::read_small_private(&folder.join(FILE), LARGEST).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_us_is_noted_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("ghswarm");
        assert_eq!(noted(&folder), None);
        let before = Environment::from_pairs(&[("NO_PROXY", "a\nb")]);
        note(&folder, ["NO_PROXY", "GH_CONFIG_DIR"], &before).unwrap();
        let ours = Environment::from_pairs(&[("NO_PROXY", "ours"), ("NEW", "x")]);
        note(&folder, ["NO_PROXY", "GH_CONFIG_DIR", "NEW"], &ours).unwrap();
        let expected = [("GH_CONFIG_DIR", ""), ("NEW", "x"), ("NO_PROXY", "a\nb")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(noted(&folder), Some(expected.into()));
    }

    #[test]
    fn what_the_runner_resets_is_not_exported() {
        let all = BTreeMap::from([
            (env::GITHUB_API_URL, "x".to_owned()),
            (env::SOCKET, "s".to_owned()),
        ]);
        let left: Vec<_> = for_later_steps(all).unwrap().into_keys().collect();
        assert_eq!(left, [env::PROGRAM, env::SOCKET]);
    }
}
