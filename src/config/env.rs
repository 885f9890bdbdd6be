//! The process environment: every variable that is read has its name here, and the environment is
//! read once, in `main`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::github::Proxies;

pub use crate::runner::variable::{
    GITHUB_JOB, GITHUB_REPOSITORY, GITHUB_REPOSITORY_ID, GITHUB_RUN_ATTEMPT, GITHUB_RUN_ID,
    RUNNER_ENVIRONMENT, RUNNER_TEMP,
};

/// `--listen`.
pub const LISTEN: &str = "GHSWARM_LISTEN";
/// `--socket`; for the other commands, the socket of the daemon to ask.
pub const SOCKET: &str = "GHSWARM_SOCKET";
/// `--origin`.
pub const ORIGIN: &str = "GHSWARM_ORIGIN";
/// `--origin-for`; several are separated by white space.
pub const ORIGIN_FOR: &str = "GHSWARM_ORIGIN_FOR";
/// `--state-dir`.
pub const STATE_DIR: &str = "GHSWARM_STATE_DIR";
/// `--cache-dir`.
pub const CACHE_DIR: &str = "GHSWARM_CACHE_DIR";
/// `--ready-file`.
pub const READY_FILE: &str = "GHSWARM_READY_FILE";
/// `--owner`.
pub const OWNER: &str = "GHSWARM_OWNER";
/// `--strict`: `true` or `false`.
pub const STRICT: &str = "GHSWARM_STRICT";
/// `--grant-ttl`.
pub const GRANT_TTL: &str = "GHSWARM_GRANT_TTL";
/// `--memory-limit`.
pub const MEMORY_LIMIT: &str = "GHSWARM_MEMORY_LIMIT";
/// `--body-limit`.
pub const BODY_LIMIT: &str = "GHSWARM_BODY_LIMIT";
/// `--on-exhausted`.
pub const ON_EXHAUSTED: &str = "GHSWARM_ON_EXHAUSTED";
/// `--max-wait`.
pub const MAX_WAIT: &str = "GHSWARM_MAX_WAIT";
/// `--upstream-concurrency`.
pub const UPSTREAM_CONCURRENCY: &str = "GHSWARM_UPSTREAM_CONCURRENCY";
/// `--rewrite-bodies`.
pub const REWRITE_BODIES: &str = "GHSWARM_REWRITE_BODIES";
/// `--log-format`.
pub const LOG_FORMAT: &str = "GHSWARM_LOG_FORMAT";
/// `--log-level`.
pub const LOG_LEVEL: &str = "GHSWARM_LOG_LEVEL";
/// `--config`.
pub const CONFIG: &str = "GHSWARM_CONFIG";
/// `--env-file`.
pub const ENV_FILE: &str = "GHSWARM_ENV_FILE";
/// What `dist/install.sh` reads: they may stand in a job's environment, and mean nothing here.
pub const OF_THE_INSTALLER: [&str; 5] = [
    "GHSWARM_INSTALL_FILE",
    "GHSWARM_INSTALL_SHA256",
    "GHSWARM_INSTALL_TIMEOUT",
    "GHSWARM_MIRROR",
    "GHSWARM_VERSION",
];
/// `--ttl-policy`.
pub const TTL_POLICY: &str = "GHSWARM_TTL_POLICY";
/// `--lifetime`; several are separated by white space.
pub const LIFETIME: &str = "GHSWARM_LIFETIME";
/// `--disk-limit`.
pub const DISK_LIMIT: &str = "GHSWARM_DISK_LIMIT";
/// `--no-cache`: `true` or `false`.
pub const NO_CACHE: &str = "GHSWARM_NO_CACHE";
/// `--no-disk`: `true` or `false`.
pub const NO_DISK: &str = "GHSWARM_NO_DISK";
/// `--warning-threshold`.
pub const WARNING_THRESHOLD: &str = "GHSWARM_WARNING_THRESHOLD";
/// `--aggressive-threshold`.
pub const AGGRESSIVE_THRESHOLD: &str = "GHSWARM_AGGRESSIVE_THRESHOLD";
/// `--no-p2p`: `true` or `false`.
pub const NO_P2P: &str = "GHSWARM_NO_P2P";
/// `--pool`.
pub const POOL: &str = "GHSWARM_POOL";
/// `--p2p-listen`; several are separated by white space.
pub const P2P_LISTEN: &str = "GHSWARM_P2P_LISTEN";
/// `--bootstrap`; several are separated by white space.
pub const BOOTSTRAP: &str = "GHSWARM_BOOTSTRAP";
/// `--no-mdns`: `true` or `false`.
pub const NO_MDNS: &str = "GHSWARM_NO_MDNS";
/// `--trust`.
pub const TRUST: &str = "GHSWARM_TRUST";
/// `--admission`.
pub const ADMISSION: &str = "GHSWARM_ADMISSION";
/// `--secret-file`.
pub const SECRET_FILE: &str = "GHSWARM_SECRET_FILE";
/// `--secret-env`: the name of the variable with the secret.
pub const SECRET_ENV: &str = "GHSWARM_SECRET_ENV";
/// `--share-private`: `true` or `false`.
pub const SHARE_PRIVATE: &str = "GHSWARM_SHARE_PRIVATE";
/// How many jobs the matrix has (`strategy.job-total`): of many only some register in the Actions cache.
pub const JOB_TOTAL: &str = "GHSWARM_JOB_TOTAL";
/// A token that may list the Actions cache (`actions: read`), to find the members of a pool with a secret.
pub const CACHE_LIST_TOKEN: &str = "GHSWARM_CACHE_LIST_TOKEN";
/// Where TCP clients find the daemon; set for the children of `exec`, never read.
pub const API_URL: &str = "GHSWARM_API_URL";
/// Where statistics are served; set for the children of `exec`, never read.
pub const ADMIN_URL: &str = "GHSWARM_ADMIN_URL";
/// The file with the bearer token of [`ADMIN_URL`]; set for the children of `exec`, never read.
pub const ADMIN_TOKEN_FILE: &str = "GHSWARM_ADMIN_TOKEN_FILE";

/// Begins the name of every variable of ours.
pub const PREFIX: &str = "GHSWARM_";
/// Begins the names of the actions' inputs.
pub const INPUT: &str = "GHSWARM_INPUT_";
/// The action's input `github-token`.
pub const INPUT_GITHUB_TOKEN: &str = "GHSWARM_INPUT_GITHUB_TOKEN";
/// The program that `job start` was; set for later steps, never read.
pub const PROGRAM: &str = "GHSWARM_PROGRAM";

/// `true` in every job.
pub const GITHUB_ACTIONS: &str = "GITHUB_ACTIONS";
/// The checkout of the job; the author of a pull request writes what is in it.
pub const GITHUB_WORKSPACE: &str = "GITHUB_WORKSPACE";
/// Where the services of Actions are; `run:` steps do not get it.
pub const ACTIONS_RESULTS_URL: &str = "ACTIONS_RESULTS_URL";
/// The token for them; likewise.
pub const ACTIONS_RUNTIME_TOKEN: &str = "ACTIONS_RUNTIME_TOKEN";
/// The token that a step with `id-token: write` asks for an OIDC token with.
pub const ACTIONS_ID_TOKEN_REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// REST base URL; the runner sets it anew at every step. Set for the children of `exec`.
pub const GITHUB_API_URL: &str = "GITHUB_API_URL";
/// GraphQL URL, likewise.
pub const GITHUB_GRAPHQL_URL: &str = "GITHUB_GRAPHQL_URL";
/// The token that `gh` prefers.
pub const GH_TOKEN: &str = "GH_TOKEN";
/// The job's token.
pub const GITHUB_TOKEN: &str = "GITHUB_TOKEN";
/// `gh`'s token for hosts other than github.com; not read, but kept from the daemon.
pub const GH_ENTERPRISE_TOKEN: &str = "GH_ENTERPRISE_TOKEN";
/// Likewise.
pub const GITHUB_ENTERPRISE_TOKEN: &str = "GITHUB_ENTERPRISE_TOKEN";
/// Where `gh` keeps its configuration.
pub const GH_CONFIG_DIR: &str = "GH_CONFIG_DIR";
/// `OWNER/REPO` for `gh`'s placeholders.
pub const GH_REPO: &str = "GH_REPO";

/// The user's directory.
pub const HOME: &str = "HOME";
/// Where state goes (XDG base directories).
pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
/// Where configuration goes (XDG base directories).
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// Where temporary files go.
pub const TMPDIR: &str = "TMPDIR";
/// Hosts that are reached without a proxy. Set for the children of `exec`.
pub const NO_PROXY: &str = "NO_PROXY";
/// The same for programs that read it in lower case. Set for the children of `exec`.
pub const NO_PROXY_LOWER: &str = "no_proxy";
/// The proxy variables that programs follow, in the spelling that most prefer first.
pub const PROXIES: [[&str; 2]; 3] = [
    ["HTTP_PROXY", "http_proxy"],
    ["HTTPS_PROXY", "https_proxy"],
    ["ALL_PROXY", "all_proxy"],
];
/// Where programs are found.
pub const PATH: &str = "PATH";
/// The host that `gh` means when nothing else says.
pub const GH_HOST: &str = "GH_HOST";
/// The GitHub that a job belongs to.
pub const GITHUB_SERVER_URL: &str = "GITHUB_SERVER_URL";
/// REST base URL of Terraform's provider; only looked at by `doctor`.
pub const GITHUB_BASE_URL: &str = "GITHUB_BASE_URL";
/// REST base URL of Renovate; only looked at by `doctor`.
pub const RENOVATE_ENDPOINT: &str = "RENOVATE_ENDPOINT";
/// Who called `sudo`.
pub const SUDO_USER: &str = "SUDO_USER";
/// The width of the terminal, where a shell says so.
pub const COLUMNS: &str = "COLUMNS";
/// Set and not empty: no colour (<https://no-color.org>).
pub const NO_COLOR: &str = "NO_COLOR";
/// The name of the runner, which runs one job at a time.
pub const RUNNER_NAME: &str = "RUNNER_NAME";

/// What holds a secret that the daemon has no use for: clients send their own.
pub const TOKENS: [&str; 5] = [
    GH_TOKEN,
    GITHUB_TOKEN,
    GH_ENTERPRISE_TOKEN,
    GITHUB_ENTERPRISE_TOKEN,
    INPUT_GITHUB_TOKEN,
];

/// The variables as they were when the process started. An empty one counts as absent: that is
/// what a workflow's `env:` makes of an input that was not given.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }

    /// Variables that a test wants.
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(
            pairs
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|&(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// Variables of any bytes that a test wants.
    #[cfg(test)]
    pub(super) fn from_os_pairs(pairs: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The value of `name`, if it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.os(name)?.to_str()
    }

    /// The names of all variables that are text.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str())
    }

    /// The proxies on the way to GitHub, by the variables that every program of the network reads:
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in lower case as well.
    pub fn proxies(&self) -> Proxies {
        Proxies::of(|name| self.get(name))
    }

    /// The value of `name`, whatever its bytes.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value of `name` as a path. A leading `~/` means the home directory, because no shell
    /// expands the variables of a workflow.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.expand(Path::new(self.os(name)?))
    }

    /// `path` with the home directory in the place of a leading `~`; `None` if nobody says which.
    pub fn expand(&self, path: &Path) -> Option<PathBuf> {
        match path.strip_prefix("~") {
            Ok(rest) => Some(Path::new(self.os(HOME)?).join(rest)),
            Err(_) => Some(path.to_owned()),
        }
    }

    /// The value of `name` as a path, if it is an absolute one. The XDG specification says to
    /// ignore others.
    pub fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.path(name).filter(|path| path.is_absolute())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_an_absent_one() {
        let environment = Environment::from_pairs(&[("GHSWARM_LISTEN", ""), ("HOME", "/home/u")]);
        assert_eq!(environment.get(LISTEN), None);
        assert_eq!(environment.get(HOME), Some("/home/u"));
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let environment =
            Environment::from_pairs(&[("HOME", "/home/u"), ("GHSWARM_CACHE_DIR", "~/.cache/x")]);
        assert_eq!(environment.path(CACHE_DIR), Some("/home/u/.cache/x".into()));
    }
}
