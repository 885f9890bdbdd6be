use clap::{CommandFactory as _, Parser};

use super::super::{Environment, Reading, sources};
use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    settings: Settings,
}

const EVERYTHING: [(&str, &str); 37] = [
    ("GHSWARM_CONFIG", "/c.yml"),
    ("GHSWARM_ENV_FILE", "/dev/null"),
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
    ("GHSWARM_OWNER", "host"),
    ("GHSWARM_STRICT", "true"),
    ("GHSWARM_TTL_POLICY", "origin"),
    ("GHSWARM_LIFETIME", "list_repos=10m, key_value=500ms"),
    ("GHSWARM_GRANT_TTL", "1m"),
    ("GHSWARM_NO_CACHE", "false"),
    ("GHSWARM_MEMORY_LIMIT", "1GiB"),
    ("GHSWARM_DISK_LIMIT", "3GB"),
    ("GHSWARM_NO_DISK", "false"),
    ("GHSWARM_BODY_LIMIT", "1MB"),
    ("GHSWARM_ON_EXHAUSTED", "stale"),
    ("GHSWARM_MAX_WAIT", "500ms"),
    ("GHSWARM_UPSTREAM_CONCURRENCY", "7"),
    ("GHSWARM_WARNING_THRESHOLD", "500"),
    ("GHSWARM_AGGRESSIVE_THRESHOLD", "0"),
    ("GHSWARM_REWRITE_BODIES", "never"),
    ("GHSWARM_NO_P2P", "false"),
    ("GHSWARM_POOL", "Octo-Org/App"),
    (
        "GHSWARM_P2P_LISTEN",
        "/ip4/127.0.0.1/tcp/0 /ip4/127.0.0.1/udp/0/quic-v1",
    ),
    (
        "GHSWARM_BOOTSTRAP",
        "/ip4/10.0.0.1/tcp/9000, /dns4/runner-1/tcp/9000",
    ),
    ("GHSWARM_NO_MDNS", "true"),
    ("GHSWARM_TRUST", "swarm"),
    ("GHSWARM_ADMISSION", "secret,ticket"),
    ("GHSWARM_SECRET_FILE", "/secret"),
    ("GHSWARM_SECRET_ENV", "POOL_SECRET"),
    ("GHSWARM_SHARE_PRIVATE", "true"),
    ("GHSWARM_LOG_FORMAT", "json"),
    ("GHSWARM_LOG_LEVEL", "ghswarm=debug"),
];

fn of_environment(pairs: &[(&str, &str)]) -> sources::Read {
    let environment = Environment::from_pairs(pairs);
    let nothing = Settings::default();
    sources::read(nothing, &environment, Path::new("/"), Reading::Environment)
}

fn everything() -> Settings {
    let read = of_environment(&EVERYTHING);
    assert_eq!(read.notices, [""; 0]);
    read.into_settings().unwrap().0
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
    for setting in Setting::all() {
        assert!(!told.values(setting).is_empty(), "{}", setting.flag());
    }
    let mut line = vec![OsString::from("serve")];
    line.extend(told.to_flags());
    assert_eq!(Line::try_parse_from(line).unwrap().settings, told);
}

#[test]
fn every_flag_is_under_a_heading() {
    for flag in Line::command().get_arguments() {
        let bare =
            ["owner", "strict", "help"].contains(&flag.get_id().as_str()) || flag.is_hide_set();
        assert!(bare || flag.get_help_heading().is_some(), "{flag}");
    }
}

#[test]
fn a_flag_wins_over_its_variable() {
    let flags = Line::try_parse_from([
        "x",
        "--max-wait",
        "9s",
        "--origin-for",
        "c=http://d",
        "--strict=false",
        "--no-disk",
        "--lifetime=list_repos=1s",
    ]);
    let settings = flags.unwrap().settings.or(everything());
    assert_eq!(settings.max_wait, Some(Duration::from_secs(9)));
    assert_eq!(settings.origin_for.len(), 1);
    assert_eq!(settings.upstream_concurrency, Some(7));
    assert!(!settings.is_strict());
    assert_eq!(settings.no_disk, Some(true));
    // Lifetimes of other operations stay as they were.
    assert_eq!(settings.lifetime.len(), 2);
    let repos = (Operation::ListRepos, Duration::from_secs(1));
    assert!(settings.lifetime.contains(&repos));
}

#[test]
fn a_secret_in_another_place_is_another_secret() {
    let by = |file: Option<&str>, variable: Option<&str>| Settings {
        secret_file: file.map(Into::into),
        secret_env: variable.map(Into::into),
        ..Settings::default()
    };
    let weaker = by(Some("/weak"), None);
    assert_eq!(
        by(None, Some("STRONG")).or(weaker),
        by(None, Some("STRONG"))
    );
    let weaker = by(None, Some("WEAK"));
    assert_eq!(
        by(Some("/strong"), None).or(weaker),
        by(Some("/strong"), None)
    );
    assert_eq!(
        Settings::default().or(by(None, Some("WEAK"))),
        by(None, Some("WEAK"))
    );
}

#[test]
fn what_is_set_reaches_the_modules() {
    let mut config = Config::default();
    everything().apply(&mut config);
    assert_eq!(config.listen.port(), 8080);
    assert_eq!(config.github.concurrency, 7);
    assert_eq!(config.github.origin_for.len(), 2);
    assert_eq!((config.budget.warning, config.budget.aggressive), (500, 0));
    assert_eq!(config.tiered.memory_limit, 1 << 30);
    assert_eq!(config.tiered.on_exhausted, tiered::OnExhausted::Stale);
    assert_eq!(config.tiered.trust, tiered::Trust::Swarm);
    assert_eq!(config.proxy.rewrite_bodies, RewriteBodies::Never);
    assert_eq!(config.disk_limit, Some(3_000_000_000));
    // GitHub's word decides about answers, ours about values.
    assert_eq!(config.tiered.lifetimes.of(Operation::ListRepos), None);
    let values = |operation| config.tiered.lifetimes.of_value(operation);
    assert_eq!(values("anything"), Duration::from_millis(500));
    assert_eq!(values("list_repos"), Duration::from_secs(600));
}

#[test]
fn the_disk_is_used_unless_somebody_says_otherwise() {
    let disk = |settings: Settings| {
        let mut config = Config::default();
        settings.apply(&mut config);
        config.disk_limit
    };
    let limit = |disk_limit, no_disk| Settings {
        disk_limit,
        no_disk,
        ..Settings::default()
    };
    assert_eq!(disk(limit(None, None)), Some(1 << 30));
    assert_eq!(disk(limit(Some(5), Some(false))), Some(5));
    assert_eq!(disk(limit(Some(5), Some(true))), None);
    assert_eq!(disk(limit(Some(0), None)), None);
    let mut config = Config::default();
    let nothing = Settings {
        no_cache: Some(true),
        memory_limit: Some(5),
        ..limit(Some(5), Some(false))
    };
    nothing.apply(&mut config);
    assert_eq!((config.disk_limit, config.tiered.memory_limit), (None, 0));
}

#[test]
fn the_defaults_are_what_a_daemon_has_that_is_told_nothing() {
    let (mut told, mut untold) = (Config::default(), Config::default());
    Settings::defaults().apply(&mut told);
    Settings::default().apply(&mut untold);
    let shown = |mut config: Config| {
        // A table of ours and none at all mean the same, operation by operation.
        let lifetimes = std::mem::take(&mut config.tiered.lifetimes);
        let each = Operation::all().map(|operation| lifetimes.of(operation));
        let each: Vec<_> = each.collect();
        config.clock = crate::clock::Clock::manual(crate::time::Timestamp::from_secs(0));
        format!("{config:?} {each:?}")
    };
    assert_eq!(shown(told), shown(untold));
}

#[test]
fn every_variable_that_is_wrong_is_named_with_what_is_wrong() {
    let wrong = [
        ("GHSWARM_LISTEN", "0.0.0.0:80", "loopback"),
        ("GHSWARM_MEMORY_LIMIT", "much", "64MiB"),
        ("GHSWARM_ON_EXHAUSTED", "panic", "wait, stale, fail"),
        ("GHSWARM_STRICT", "perhaps", "true or false"),
        ("GHSWARM_LOG_LEVEL", "loud", "debug"),
        ("GHSWARM_LIFETIME", "list_repo=5", "list_repos"),
        (
            "GHSWARM_BOOTSTRAP",
            "10.0.0.1:9000",
            "/ip4/10.0.0.1/tcp/9000",
        ),
        (
            "GHSWARM_P2P_LISTEN",
            "/dns4/x/tcp/1",
            "/ip4/0.0.0.0/tcp/9000",
        ),
        ("GHSWARM_ADMISSION", "oidc", "not built"),
        ("GHSWARM_POOL", "a b", "OWNER/REPO"),
        (
            "GHSWARM_SECRET_ENV",
            "hunter2-hunter2",
            "name of a variable",
        ),
        ("CACHE_DEFAULT_TTL", "soon", "30s"),
    ];
    let pairs = wrong.map(|(variable, value, _)| (variable, value));
    let error = of_environment(&pairs).into_settings().unwrap_err();
    let error = error.to_string();
    for (variable, _, word) in wrong {
        let line = error.lines().find(|line| line.contains(variable));
        assert!(line.is_some_and(|line| line.contains(word)), "{error}");
    }
}
