//! What can be set from outside: one field for each flag of `serve` and `start`, and its variable.

#![expect(clippy::doc_markdown, reason = "what --help prints is plain text")]

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::{Config, Environment, Error, env, units};
use crate::proxy::RewriteBodies;
use crate::{github, tiered};

/// The settings of a daemon; what is `None` is the default.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct Settings {
    /// Where TCP clients connect: a loopback address; port 0 takes a free one
    /// [default: 127.0.0.1:0]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = units::loopback)]
    pub listen: Option<SocketAddr>,

    /// The Unix socket [default: ghswarm.sock in the state directory]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// The API that answers [default: <https://api.github.com>]
    #[arg(help = "The API that answers [default: https://api.github.com]", long, value_name = "URL", value_parser = units::origin)]
    pub origin: Option<Url>,

    /// Another origin for one host, as in uploads.github.com=http://127.0.0.1:8080 (repeatable)
    #[arg(long, value_name = "HOST=URL", value_parser = units::origin_for)]
    pub origin_for: Vec<(String, Url)>,

    /// Socket, ready file, log and counters of this daemon
    /// [default: $RUNNER_TEMP/ghswarm, else ~/.local/state/ghswarm]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,

    /// What all daemons of a user share [default: ~/.cache/github-api-p2p]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,

    /// Write ready.json here too, once clients can connect
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,

    /// Fail where ghswarm would otherwise go on without the cache
    #[arg(long)]
    pub strict: bool,

    /// How long one look at GitHub lets a credential see a body [default: 300]
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub grant_ttl: Option<Duration>,

    /// Bytes of answers kept in memory [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub memory_limit: Option<u64>,

    /// The largest body that is kept [default: 10MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub body_limit: Option<u64>,

    /// What to do with a request when the rate limit is used up [default: wait]
    #[arg(long, value_name = "WHAT")]
    pub on_exhausted: Option<OnExhausted>,

    /// The longest wait for the rate limit [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub max_wait: Option<Duration>,

    /// Requests at GitHub at the same time [default: 100]
    #[arg(long, value_name = "N", value_parser = concurrency)]
    pub upstream_concurrency: Option<usize>,

    /// Whether URLs in bodies point at the proxy, for clients that check them [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub rewrite_bodies: Option<Rewrite>,

    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// What is logged: error, warn, info, debug, trace, or directives like ghswarm=debug,info
    /// [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = units::level)]
    pub log_level: Option<String>,

    /// The process that keeps this daemon: it holds the lock and passes the sockets on.
    #[arg(long, hide = true, value_name = "PID")]
    pub keeper_pid: Option<u32>,
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
    /// What the environment sets.
    pub fn from_environment(environment: &Environment) -> Result<Self, Error> {
        let from = Reader(environment);
        let mut origin_for = Vec::new();
        for pair in environment
            .get(env::ORIGIN_FOR)
            .unwrap_or_default()
            .split_whitespace()
        {
            let parsed = units::origin_for(pair);
            origin_for.push(parsed.map_err(|reason| wrong(env::ORIGIN_FOR, pair, reason))?);
        }
        Ok(Self {
            listen: from.parsed(env::LISTEN, units::loopback)?,
            socket: environment.path(env::SOCKET),
            origin: from.parsed(env::ORIGIN, units::origin)?,
            origin_for,
            state_dir: environment.path(env::STATE_DIR),
            cache_dir: environment.path(env::CACHE_DIR),
            ready_file: environment.path(env::READY_FILE),
            strict: from.parsed(env::STRICT, boolean)?.unwrap_or_default(),
            grant_ttl: from.parsed(env::GRANT_TTL, units::time)?,
            memory_limit: from.parsed(env::MEMORY_LIMIT, units::size)?,
            body_limit: from.parsed(env::BODY_LIMIT, units::size)?,
            on_exhausted: from.parsed(env::ON_EXHAUSTED, one_of)?,
            max_wait: from.parsed(env::MAX_WAIT, units::time)?,
            upstream_concurrency: from.parsed(env::UPSTREAM_CONCURRENCY, concurrency)?,
            rewrite_bodies: from.parsed(env::REWRITE_BODIES, one_of)?,
            log_format: from.parsed(env::LOG_FORMAT, one_of)?,
            log_level: from.parsed(env::LOG_LEVEL, units::level)?,
            keeper_pid: None,
        })
    }

    /// These settings, and `weaker` ones where these say nothing. A socket belongs to its state
    /// directory: who names another directory does not mean the socket that the children of `exec`
    /// have in their environment.
    #[must_use]
    pub fn or(self, weaker: Self) -> Self {
        let none_given = self.origin_for.is_empty();
        let weaker_socket = weaker.socket.filter(|_| self.state_dir.is_none());
        Self {
            listen: self.listen.or(weaker.listen),
            socket: self.socket.or(weaker_socket),
            origin: self.origin.or(weaker.origin),
            origin_for: if none_given {
                weaker.origin_for
            } else {
                self.origin_for
            },
            state_dir: self.state_dir.or(weaker.state_dir),
            cache_dir: self.cache_dir.or(weaker.cache_dir),
            ready_file: self.ready_file.or(weaker.ready_file),
            strict: self.strict || weaker.strict,
            grant_ttl: self.grant_ttl.or(weaker.grant_ttl),
            memory_limit: self.memory_limit.or(weaker.memory_limit),
            body_limit: self.body_limit.or(weaker.body_limit),
            on_exhausted: self.on_exhausted.or(weaker.on_exhausted),
            max_wait: self.max_wait.or(weaker.max_wait),
            upstream_concurrency: self.upstream_concurrency.or(weaker.upstream_concurrency),
            rewrite_bodies: self.rewrite_bodies.or(weaker.rewrite_bodies),
            log_format: self.log_format.or(weaker.log_format),
            log_level: self.log_level.or(weaker.log_level),
            keeper_pid: self.keeper_pid.or(weaker.keeper_pid),
        }
    }

    /// Turns relative paths into those under `working_dir`, for a process that works elsewhere.
    #[must_use]
    pub fn anchored(mut self, working_dir: &Path) -> Self {
        let paths = [
            &mut self.socket,
            &mut self.state_dir,
            &mut self.cache_dir,
            &mut self.ready_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = working_dir.join(&path);
        }
        self
    }

    /// The flags that say the same, for the daemon that the keeper starts.
    pub fn to_flags(&self) -> Vec<OsString> {
        let mut flags = Flags::default();
        flags.push("--listen", self.listen.map(|address| address.to_string()));
        flags.push("--socket", self.socket.clone());
        flags.push("--origin", self.origin.as_ref().map(Url::to_string));
        for (host, url) in &self.origin_for {
            flags.push("--origin-for", Some(format!("{host}={url}")));
        }
        flags.push("--state-dir", self.state_dir.clone());
        flags.push("--cache-dir", self.cache_dir.clone());
        flags.push("--ready-file", self.ready_file.clone());
        if self.strict {
            flags.0.push("--strict".into());
        }
        flags.push("--grant-ttl", self.grant_ttl.map(millis));
        flags.push(
            "--memory-limit",
            self.memory_limit.map(|bytes| bytes.to_string()),
        );
        flags.push(
            "--body-limit",
            self.body_limit.map(|bytes| bytes.to_string()),
        );
        flags.push("--on-exhausted", self.on_exhausted.as_ref().map(name));
        flags.push("--max-wait", self.max_wait.map(millis));
        flags.push(
            "--upstream-concurrency",
            self.upstream_concurrency.map(|n| n.to_string()),
        );
        flags.push("--rewrite-bodies", self.rewrite_bodies.as_ref().map(name));
        flags.push("--log-format", self.log_format.as_ref().map(name));
        flags.push("--log-level", self.log_level.clone());
        flags.push("--keeper-pid", self.keeper_pid.map(|pid| pid.to_string()));
        flags.0
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
            github,
            tiered,
            proxy,
            ..
        } = config;
        set(listen, self.listen);
        set(&mut github.origin, self.origin.clone());
        github.origin_for.clone_from(&self.origin_for);
        set(&mut github.concurrency, self.upstream_concurrency);
        set(&mut tiered.grant_ttl, self.grant_ttl);
        set(&mut tiered.memory_limit, self.memory_limit);
        let body_limit = self
            .body_limit
            .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        set(&mut tiered.body_limit, body_limit);
        set(&mut tiered.max_wait, self.max_wait);
        let on_exhausted = self.on_exhausted.map(|what| match what {
            OnExhausted::Wait => tiered::OnExhausted::Wait,
            OnExhausted::Stale => tiered::OnExhausted::Stale,
            OnExhausted::Fail => tiered::OnExhausted::Fail,
        });
        set(&mut tiered.on_exhausted, on_exhausted);
        let rewrite_bodies = self.rewrite_bodies.map(|when| match when {
            Rewrite::Auto => RewriteBodies::Auto,
            Rewrite::Always => RewriteBodies::Always,
            Rewrite::Never => RewriteBodies::Never,
        });
        set(&mut proxy.rewrite_bodies, rewrite_bodies);
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Flags in the form `--name=value`, which also carries a value that begins with a dash.
#[derive(Default)]
struct Flags(Vec<OsString>);

impl Flags {
    fn push(&mut self, flag: &str, value: Option<impl Into<OsString>>) {
        if let Some(value) = value {
            let mut text = OsString::from(flag);
            text.push("=");
            text.push(value.into());
            self.0.push(text);
        }
    }
}

fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

fn name<T: ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

/// Reads variables and names the one that is wrong.
struct Reader<'a>(&'a Environment);

impl Reader<'_> {
    fn parsed<T>(
        &self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        self.0
            .get(variable)
            .map(|text| parse(text).map_err(|reason| wrong(variable, text, reason)))
            .transpose()
    }
}

fn wrong(variable: &'static str, value: &str, reason: String) -> Error {
    Error::Variable {
        variable,
        value: value.to_owned(),
        reason,
    }
}

fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, true).map_err(|_| {
        let names: Vec<_> = T::value_variants().iter().map(name).collect();
        format!("not one of {}", names.join(", "))
    })
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("not true or false".to_owned()),
    }
}

fn concurrency(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{text:?} is not a number of requests, 1 or more")),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    const EVERYTHING: [(&str, &str); 17] = [
        ("GHSWARM_LISTEN", "127.0.0.1:8080"),
        ("GHSWARM_SOCKET", "/s/x.sock"),
        ("GHSWARM_ORIGIN", "http://127.0.0.1:1/"),
        (
            "GHSWARM_ORIGIN_FOR",
            "a.example=http://127.0.0.1:2/ b.example=http://127.0.0.1:3/",
        ),
        ("GHSWARM_STATE_DIR", "/s"),
        ("GHSWARM_CACHE_DIR", "/c"),
        ("GHSWARM_READY_FILE", "/r.json"),
        ("GHSWARM_STRICT", "true"),
        ("GHSWARM_GRANT_TTL", "1m"),
        ("GHSWARM_MEMORY_LIMIT", "1GiB"),
        ("GHSWARM_BODY_LIMIT", "1MB"),
        ("GHSWARM_ON_EXHAUSTED", "stale"),
        ("GHSWARM_MAX_WAIT", "500ms"),
        ("GHSWARM_UPSTREAM_CONCURRENCY", "7"),
        ("GHSWARM_REWRITE_BODIES", "never"),
        ("GHSWARM_LOG_FORMAT", "json"),
        ("GHSWARM_LOG_LEVEL", "ghswarm=debug"),
    ];

    fn everything() -> Settings {
        Settings::from_environment(&Environment::from_pairs(&EVERYTHING)).unwrap()
    }

    #[test]
    fn every_flag_has_a_variable_and_the_daemon_hears_what_start_was_told() {
        let told = everything();
        let command = Line::command();
        for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
            let long = flag.get_long().unwrap().replace('-', "_").to_uppercase();
            let variable = format!("GHSWARM_{long}");
            let known = EVERYTHING.iter().any(|(name, _)| *name == variable);
            assert!(known || variable == "GHSWARM_HELP", "{variable}");
        }
        let mut line = vec![OsString::from("serve")];
        line.extend(told.to_flags());
        assert_eq!(Line::try_parse_from(line).unwrap().settings, told);
    }

    #[test]
    fn a_flag_wins_over_its_variable() {
        let flags = Line::try_parse_from(["x", "--max-wait", "9s", "--origin-for", "c=http://d"]);
        let settings = flags.unwrap().settings.or(everything());
        assert_eq!(settings.max_wait, Some(Duration::from_secs(9)));
        assert_eq!(settings.origin_for.len(), 1);
        assert_eq!(settings.upstream_concurrency, Some(7));
    }

    #[test]
    fn what_is_set_reaches_the_modules() {
        let mut config = Config::default();
        everything().apply(&mut config);
        assert_eq!(config.listen.port(), 8080);
        assert_eq!(config.github.concurrency, 7);
        assert_eq!(config.github.origin_for.len(), 2);
        assert_eq!(config.tiered.memory_limit, 1 << 30);
        assert_eq!(config.tiered.on_exhausted, tiered::OnExhausted::Stale);
        assert_eq!(config.proxy.rewrite_bodies, RewriteBodies::Never);
    }

    #[test]
    fn a_wrong_variable_is_named_with_what_is_wrong() {
        for (variable, value, word) in [
            ("GHSWARM_LISTEN", "0.0.0.0:80", "loopback"),
            ("GHSWARM_MEMORY_LIMIT", "much", "64MiB"),
            ("GHSWARM_ON_EXHAUSTED", "panic", "wait, stale, fail"),
            ("GHSWARM_STRICT", "perhaps", "true or false"),
            ("GHSWARM_LOG_LEVEL", "loud", "debug"),
        ] {
            let environment = Environment::from_pairs(&[(variable, value)]);
            let error = Settings::from_environment(&environment)
                .unwrap_err()
                .to_string();
            assert!(error.contains(variable) && error.contains(word), "{error}");
        }
    }
}
