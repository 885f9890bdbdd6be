//! What can be set from outside: one field for each flag of `serve` and `start`.
//!
//! `values` reads and shows each field as text, which is all that variables, files and the command line
//! of the daemon have in common.

#![expect(clippy::doc_markdown, reason = "what --help prints is plain text")]

mod values;

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::setting::Setting;
use super::{Config, DISK_LIMIT, Owner, units};
use crate::api::Operation;
use crate::proxy::RewriteBodies;
use crate::swarm::{Multiaddr, Pool};
use crate::{github, tiered};

pub use super::units::Admission;

/// The settings of a daemon; what is `None` is the default.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct Settings {
    /// A YAML file of settings, instead of .github/cache-config.yml and .github/p2p-config.yml
    #[arg(long, value_name = "FILE", help_heading = FILES)]
    pub config: Option<PathBuf>,

    /// Variables in lines like CACHE_DIR=~/cache; the environment wins over them
    #[arg(long, value_name = "FILE", help_heading = FILES)]
    pub env_file: Option<PathBuf>,

    /// Where TCP clients connect: a loopback address; port 0 takes a free one
    /// [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = units::loopback, help_heading = ADDRESSES)]
    pub listen: Option<SocketAddr>,

    /// The Unix socket [default: ghswarm.sock in the state directory]
    #[arg(long, value_name = "PATH", help_heading = ADDRESSES)]
    pub socket: Option<PathBuf>,

    /// The API that answers [default: <https://api.github.com>]
    #[arg(help = "The API that answers [default: https://api.github.com]", long, value_name = "URL", value_parser = units::origin, help_heading = ADDRESSES)]
    pub origin: Option<Url>,

    /// Another origin for one host, as in uploads.github.com=http://127.0.0.1:8080 (repeatable)
    #[arg(long, value_name = "HOST=URL", value_parser = units::origin_for, help_heading = ADDRESSES)]
    pub origin_for: Vec<(String, Url)>,

    /// Socket, ready file, log and counters of this daemon
    /// [default: $RUNNER_TEMP/ghswarm, else ~/.local/state/ghswarm]
    #[arg(long, value_name = "DIR", help_heading = FILES)]
    pub state_dir: Option<PathBuf>,

    /// What all daemons of a user share [default: ~/.cache/github-api-p2p]
    #[arg(long, value_name = "DIR", help_heading = FILES)]
    pub cache_dir: Option<PathBuf>,

    /// Write ready.json here too, once clients can connect
    #[arg(long, value_name = "PATH", help_heading = FILES)]
    pub ready_file: Option<PathBuf>,

    /// For whom the daemon is: a job, a user, or the host, whose daemon all its jobs may join
    /// [default: job in GitHub Actions, else user]
    #[arg(long, value_name = "WHO")]
    pub owner: Option<Owner>,

    /// Fail where ghswarm would otherwise go on without the cache
    #[arg(long, value_name = "BOOL", value_parser = units::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub strict: Option<bool>,

    /// Whose word decides how long an answer is fresh [default: operation]
    #[arg(long, value_name = "WHOSE", help_heading = FRESHNESS)]
    pub ttl_policy: Option<TtlPolicy>,

    /// How long answers of one operation are fresh, as in list_repos=10m; `ghswarm config show`
    /// lists the operations (repeatable)
    #[arg(long, value_name = "OPERATION=TIME", value_parser = units::lifetime, help_heading = FRESHNESS)]
    pub lifetime: Vec<(Operation, Duration)>,

    /// How long one look at GitHub lets a credential see a body [default: 300]
    #[arg(long, value_name = "TIME", value_parser = units::time, help_heading = FRESHNESS)]
    pub grant_ttl: Option<Duration>,

    /// Keep nothing at all: every request goes to GitHub
    #[arg(long, value_name = "BOOL", value_parser = units::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = LIMITS)]
    pub no_cache: Option<bool>,

    /// Bytes of answers kept in memory [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size, help_heading = LIMITS)]
    pub memory_limit: Option<u64>,

    /// Bytes of answers kept on disk [default: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size, help_heading = LIMITS)]
    pub disk_limit: Option<u64>,

    /// Keep nothing on disk
    #[arg(long, value_name = "BOOL", value_parser = units::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = LIMITS)]
    pub no_disk: Option<bool>,

    /// The largest body that is kept [default: 10MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size, help_heading = LIMITS)]
    pub body_limit: Option<u64>,

    /// What to do with a request when the rate limit is used up [default: wait]
    #[arg(long, value_name = "WHAT", help_heading = BUDGET)]
    pub on_exhausted: Option<OnExhausted>,

    /// The longest wait for the rate limit [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = units::time, help_heading = BUDGET)]
    pub max_wait: Option<Duration>,

    /// Requests at GitHub at the same time [default: 100]
    #[arg(long, value_name = "N", value_parser = values::concurrency, help_heading = BUDGET)]
    pub upstream_concurrency: Option<usize>,

    /// Calls left at which lifetimes double [default: 100]
    #[arg(long, value_name = "CALLS", value_parser = units::count, help_heading = BUDGET)]
    pub warning_threshold: Option<u64>,

    /// Calls left at which stored answers come first [default: 50]
    #[arg(long, value_name = "CALLS", value_parser = units::count, help_heading = BUDGET)]
    pub aggressive_threshold: Option<u64>,

    /// Whether URLs in bodies point at the proxy, for clients that check them [default: auto]
    #[arg(long, value_name = "WHEN", help_heading = ADDRESSES)]
    pub rewrite_bodies: Option<Rewrite>,

    /// Share with nobody
    #[arg(long, value_name = "BOOL", value_parser = units::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = PEERS)]
    pub no_p2p: Option<bool>,

    /// The runners to share with: OWNER/REPO, or any name that all of them are given
    /// [default: GITHUB_REPOSITORY; without one nothing is shared]
    #[arg(long, value_name = "NAME", value_parser = units::pool, help_heading = PEERS)]
    pub pool: Option<Pool>,

    /// Where peers connect, as in /ip4/0.0.0.0/tcp/9000 (repeatable)
    /// [default: TCP and QUIC everywhere, port 9000 or the next free one to 9010, else any]
    #[arg(long, value_name = "MULTIADDR", value_parser = units::listening, help_heading = PEERS)]
    pub p2p_listen: Vec<Multiaddr>,

    /// A peer to begin with, as in /dns4/runner-1/tcp/9000 (repeatable)
    #[arg(long, value_name = "MULTIADDR", value_parser = units::dialable, help_heading = PEERS)]
    pub bootstrap: Vec<Multiaddr>,

    /// Look for no peers by multicast on the local network
    #[arg(long, value_name = "BOOL", value_parser = units::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = PEERS)]
    pub no_mdns: Option<bool>,

    /// Whose word is enough to show a public answer of a peer [default: github]
    #[arg(long, value_name = "WHOSE", help_heading = PEERS)]
    pub trust: Option<Trust>,

    /// How peers are admitted: ticket, secret, or both with a comma between them
    /// [default: ticket, and secret where there is one]
    #[arg(long, value_name = "WAYS", value_parser = units::admission, help_heading = PEERS)]
    pub admission: Option<Admission>,

    /// The file with the secret of the pool, 16 bytes or more, the same on all machines
    #[arg(long, value_name = "PATH", help_heading = PEERS)]
    pub secret_file: Option<PathBuf>,

    /// The environment variable with that secret
    #[arg(long, value_name = "NAME", value_parser = units::variable, help_heading = PEERS)]
    pub secret_env: Option<String>,

    /// Let peers that have a ticket have what only readers of the repository may see, too: forks'
    /// pull requests can have tickets
    #[arg(long, value_name = "BOOL", value_parser = units::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = PEERS)]
    pub share_private: Option<bool>,

    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT", help_heading = LOGS)]
    pub log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug (a line for each request, without its query), trace,
    /// or directives like ghswarm::proxy=debug,info. Libraries are heard from info on whatever is
    /// set here: in detail they would log tokens [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = units::level, help_heading = LOGS)]
    pub log_level: Option<String>,

    /// The process that keeps this daemon: it holds the lock and passes the sockets on.
    #[arg(long, hide = true, value_name = "PID")]
    pub keeper_pid: Option<u32>,

    /// These flags are all that is set: whoever gave them has read the variables and the files.
    #[arg(long, hide = true)]
    pub settled: bool,

    /// The proxies of the environment, which have no flag: a URL with a password must not be among the
    /// arguments of a process. Every process reads its own environment.
    #[arg(skip)]
    pub proxies: github::Proxies,
}

const ADDRESSES: &str = "Addresses";
const FILES: &str = "Files";
const FRESHNESS: &str = "Freshness";
const LIMITS: &str = "Limits";
const BUDGET: &str = "Rate limit";
const PEERS: &str = "Peers";
const LOGS: &str = "Logs";

/// `--ttl-policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TtlPolicy {
    /// Ours: each operation has a lifetime; `--lifetime` changes one
    Operation,
    /// GitHub's: what the answer's Cache-Control says
    Origin,
}

/// `--on-exhausted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnExhausted {
    /// Wait for it, at most --max-wait
    Wait,
    /// Answer from the cache where that is allowed
    Stale,
    /// Answer with an error at once
    Fail,
}

/// `--rewrite-bodies`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rewrite {
    /// For the clients that are known to need it
    Auto,
    /// For every TCP client
    Always,
    /// For none
    Never,
}

/// `--trust`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Trust {
    /// GitHub's: a free question confirms each answer of a peer for each caller
    Github,
    /// Of peers admitted by the secret: their fresh public answers are shown as they are
    Swarm,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl Settings {
    /// These settings, and `weaker` ones where these say nothing. A socket belongs to its state
    /// directory: who names another directory does not mean the socket that the children of `exec`
    /// have in their environment.
    #[must_use]
    pub fn or(mut self, weaker: Self) -> Self {
        // One secret: who names another place does not mean the weaker one.
        let no_secret = self.secret_file.is_none() && self.secret_env.is_none();
        let weaker_socket = weaker.socket.filter(|_| self.state_dir.is_none());
        let named = |operation| self.lifetime.iter().any(|(own, _)| *own == operation);
        let other = weaker.lifetime.into_iter();
        let mut lifetime: Vec<_> = other.filter(|(operation, _)| !named(*operation)).collect();
        lifetime.append(&mut self.lifetime);
        Self {
            config: self.config.or(weaker.config),
            env_file: self.env_file.or(weaker.env_file),
            listen: self.listen.or(weaker.listen),
            socket: self.socket.or(weaker_socket),
            origin: self.origin.or(weaker.origin),
            origin_for: either(self.origin_for, weaker.origin_for),
            state_dir: self.state_dir.or(weaker.state_dir),
            cache_dir: self.cache_dir.or(weaker.cache_dir),
            ready_file: self.ready_file.or(weaker.ready_file),
            owner: self.owner.or(weaker.owner),
            strict: self.strict.or(weaker.strict),
            ttl_policy: self.ttl_policy.or(weaker.ttl_policy),
            lifetime,
            grant_ttl: self.grant_ttl.or(weaker.grant_ttl),
            no_cache: self.no_cache.or(weaker.no_cache),
            memory_limit: self.memory_limit.or(weaker.memory_limit),
            disk_limit: self.disk_limit.or(weaker.disk_limit),
            no_disk: self.no_disk.or(weaker.no_disk),
            body_limit: self.body_limit.or(weaker.body_limit),
            on_exhausted: self.on_exhausted.or(weaker.on_exhausted),
            max_wait: self.max_wait.or(weaker.max_wait),
            upstream_concurrency: self.upstream_concurrency.or(weaker.upstream_concurrency),
            warning_threshold: self.warning_threshold.or(weaker.warning_threshold),
            aggressive_threshold: self.aggressive_threshold.or(weaker.aggressive_threshold),
            rewrite_bodies: self.rewrite_bodies.or(weaker.rewrite_bodies),
            no_p2p: self.no_p2p.or(weaker.no_p2p),
            pool: self.pool.or(weaker.pool),
            p2p_listen: either(self.p2p_listen, weaker.p2p_listen),
            bootstrap: either(self.bootstrap, weaker.bootstrap),
            no_mdns: self.no_mdns.or(weaker.no_mdns),
            trust: self.trust.or(weaker.trust),
            admission: self.admission.or(weaker.admission),
            secret_file: self
                .secret_file
                .or(weaker.secret_file.filter(|_| no_secret)),
            secret_env: self.secret_env.or(weaker.secret_env.filter(|_| no_secret)),
            share_private: self.share_private.or(weaker.share_private),
            log_format: self.log_format.or(weaker.log_format),
            log_level: self.log_level.or(weaker.log_level),
            keeper_pid: self.keeper_pid.or(weaker.keeper_pid),
            settled: self.settled || weaker.settled,
            proxies: if self.proxies == github::Proxies::default() {
                weaker.proxies
            } else {
                self.proxies
            },
        }
    }

    /// Turns relative paths into those under `working_dir`, for a process that works elsewhere.
    #[must_use]
    pub fn anchored(mut self, working_dir: &Path) -> Self {
        let paths = [
            &mut self.config,
            &mut self.env_file,
            &mut self.socket,
            &mut self.state_dir,
            &mut self.cache_dir,
            &mut self.ready_file,
            &mut self.secret_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = working_dir.join(&path);
        }
        self
    }

    /// Whether to fail where the work could go on without the cache.
    pub fn is_strict(&self) -> bool {
        self.strict.unwrap_or_default()
    }

    /// The flags that say the same, for the daemon that the keeper starts. In the form `--name=value`,
    /// which also carries a value that begins with a dash.
    pub fn to_flags(&self) -> Vec<OsString> {
        let flag = |name: &str, value: &OsStr| {
            let mut flag = OsString::from(format!("{name}="));
            flag.push(value);
            flag
        };
        let mut flags = Vec::new();
        let files = [("--config", &self.config), ("--env-file", &self.env_file)];
        for (name, path) in files {
            flags.extend(path.iter().map(|path| flag(name, path.as_os_str())));
        }
        for setting in Setting::all() {
            let values = self.values(setting);
            flags.extend(values.iter().map(|value| flag(&setting.flag(), value)));
        }
        let pid = self.keeper_pid.map(|pid| pid.to_string());
        flags.extend(pid.map(|pid| flag("--keeper-pid", pid.as_ref())));
        flags.extend(self.settled.then(|| "--settled".into()));
        flags
    }

    /// How GitHub is reached with these settings.
    pub fn github(&self) -> github::Config {
        let mut config = Config::default();
        self.apply(&mut config);
        config.github
    }

    /// Puts what is set into `config`.
    pub(super) fn apply(&self, config: &mut Config) {
        let Config {
            listen,
            disk_limit,
            github,
            budget,
            tiered,
            proxy,
            ..
        } = config;
        set(listen, self.listen);
        let disk = self.disk_limit.unwrap_or(DISK_LIMIT);
        let without = self.no_disk == Some(true) || self.no_cache == Some(true) || disk == 0;
        *disk_limit = (!without).then_some(disk);
        set(&mut github.origin, self.origin.clone());
        github.origin_for.clone_from(&self.origin_for);
        github.proxies.clone_from(&self.proxies);
        set(&mut github.concurrency, self.upstream_concurrency);
        set(&mut tiered.grant_ttl, self.grant_ttl);
        let nothing = self.no_cache == Some(true);
        let memory_limit = if nothing { Some(0) } else { self.memory_limit };
        set(&mut tiered.memory_limit, memory_limit);
        let body_limit = self
            .body_limit
            .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        set(&mut tiered.body_limit, body_limit);
        let policy = self.ttl_policy.map(|whose| match whose {
            TtlPolicy::Operation => tiered::TtlPolicy::Operation,
            TtlPolicy::Origin => tiered::TtlPolicy::Origin,
        });
        set(&mut tiered.lifetimes.policy, policy);
        let lifetimes = self.lifetime.iter().copied();
        tiered.lifetimes.by_operation.extend(lifetimes);
        set(&mut budget.warning, self.warning_threshold);
        set(&mut budget.aggressive, self.aggressive_threshold);
        set(&mut tiered.max_wait, self.max_wait);
        let on_exhausted = self.on_exhausted.map(|what| match what {
            OnExhausted::Wait => tiered::OnExhausted::Wait,
            OnExhausted::Stale => tiered::OnExhausted::Stale,
            OnExhausted::Fail => tiered::OnExhausted::Fail,
        });
        set(&mut tiered.on_exhausted, on_exhausted);
        let trust = self.trust.map(|whose| match whose {
            Trust::Github => tiered::Trust::Github,
            Trust::Swarm => tiered::Trust::Swarm,
        });
        set(&mut tiered.trust, trust);
        let rewrite_bodies = self.rewrite_bodies.map(|when| match when {
            Rewrite::Auto => RewriteBodies::Auto,
            Rewrite::Always => RewriteBodies::Always,
            Rewrite::Never => RewriteBodies::Never,
        });
        set(&mut proxy.rewrite_bodies, rewrite_bodies);
    }
}

/// Of a repeatable setting all that the stronger one says, or else all of the weaker one.
fn either<T>(stronger: Vec<T>, weaker: Vec<T>) -> Vec<T> {
    if stronger.is_empty() {
        weaker
    } else {
        stronger
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests;
