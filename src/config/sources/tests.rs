use std::fs;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::api::Operation;

/// A checkout with files in it, and a home directory.
struct House {
    dir: TempDir,
    variables: Vec<(String, String)>,
}

fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("w/.github")).unwrap();
    fs::create_dir(dir.path().join("w/.git")).unwrap();
    House {
        dir,
        variables: vec![("HOME".to_owned(), "/home/u".to_owned())],
    }
}

impl House {
    fn file(self, name: &str, text: &str) -> Self {
        crate::files::write_atomic(&self.dir.path().join(name), text.as_bytes()).unwrap();
        self
    }

    fn workspace(self, text: &str) -> Self {
        self.file("w/.github/cache-config.yml", text)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, flags: Settings) -> Read {
        let pairs: Vec<_> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let environment = Environment::from_pairs(&pairs);
        let working_dir = self.dir.path().join("w");
        read(flags, &environment, &working_dir, Reading::Everything)
    }

    fn settings(&self) -> Settings {
        self.read(Settings::default()).into_settings().unwrap().0
    }

    fn problems(&self) -> Vec<String> {
        let read = self.read(Settings::default());
        read.problems.iter().map(ToString::to_string).collect()
    }

    fn notices(&self) -> Vec<String> {
        self.read(Settings::default()).notices
    }
}

fn memory(size: u64) -> Settings {
    Settings {
        memory_limit: Some(size),
        ..Settings::default()
    }
}

fn slot(setting: Setting) -> Slot {
    Slot {
        setting,
        operation: None,
    }
}

#[test]
fn flags_win_over_the_environment_that_over_its_file_and_that_over_the_files() {
    let place = house()
        .workspace("cache: {max_size: 100}\nghswarm: {lifetime: [list_repos=1s]}")
        .file("env", "CACHE_MAX_ENTRIES=200\n")
        .variable("GHSWARM_ENV_FILE", "../env");
    let origin = |place: &House, flags: Settings| {
        let read = place.read(flags);
        assert_eq!(read.problems, []);
        let origin = read.origin(&slot(Setting::MemoryLimit)).to_string();
        let origin = origin.replace(place.dir.path().to_str().unwrap(), "");
        (read.settings.memory_limit.unwrap(), origin)
    };
    let nothing = Settings::default;
    let (size, from) = origin(&place, nothing());
    assert_eq!(
        (size, from.as_str()),
        (2_684_354, "/w/../env:1: CACHE_MAX_ENTRIES")
    );
    let place = place.variable("GITHUB_CACHE_SIZE", "300");
    let (size, from) = origin(&place, nothing());
    assert_eq!((size, from.as_str()), (4_026_531, "GITHUB_CACHE_SIZE"));
    let place = place.variable("GHSWARM_MEMORY_LIMIT", "5MiB");
    let (size, from) = origin(&place, nothing());
    assert_eq!((size, from.as_str()), (5 << 20, "GHSWARM_MEMORY_LIMIT"));
    let (size, from) = origin(&place, memory(7));
    assert_eq!((size, from.as_str()), (7, "--memory-limit"));

    let read = place.read(nothing());
    let lifetime = Slot::of(Setting::Lifetime, OsStr::new("list_repos=1s"));
    assert!(matches!(
        read.origin(&lifetime),
        Origin::Line { line: 2, .. }
    ));
    assert_eq!(read.origin(&slot(Setting::DiskLimit)), &Origin::Default);
}

#[test]
fn a_named_file_stands_in_for_those_of_the_workspace() {
    let place = house()
        .workspace("cache: {max_size: 1}")
        .file("named.yml", "cache:\n  directory: here\n  default_ttl: 5\n")
        .variable("GHSWARM_CONFIG", "../named.yml");
    let settings = place.settings();
    assert_eq!(settings.memory_limit, None);
    // A path is one from the file's folder on.
    assert_eq!(settings.cache_dir, Some(place.dir.path().join("w/../here")));
    assert_eq!(
        settings.lifetime,
        [(Operation::KeyValue, Duration::from_secs(5))]
    );
    let missing = place.variable("GHSWARM_CONFIG", "/nowhere.yml").problems();
    assert!(
        missing[0].contains("/nowhere.yml: cannot be read"),
        "{missing:?}"
    );
}

#[test]
fn whoever_was_started_with_everything_reads_nothing_again() {
    let place = house()
        .workspace("cache: {max_size: 1}")
        .variable("GHSWARM_MEMORY_LIMIT", "1MiB")
        .variable("GHSWARM_CONFIG", "/nowhere.yml");
    let settled = Settings {
        settled: true,
        ..memory(7)
    };
    let read = place.read(settled.clone());
    assert_eq!((read.settings, read.problems), (settled, vec![]));
    assert!(read.notices.is_empty());
}

#[test]
fn the_older_names_do_what_they_promised() {
    let place = house().workspace(
        "cache: {max_size: 2500, default_ttl: 2m, persistence: false}\n\
         operation_ttls: {list_repos: 20, jobs: 7}\nlogging: {level: warning}\n",
    );
    let mut config = super::super::Config::default();
    place.settings().apply(&mut config);
    assert_eq!(config.tiered.memory_limit, 32 << 20);
    assert_eq!(config.disk_limit, None);
    let lifetimes = config.tiered.lifetimes.clone();
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(lifetimes.of(Operation::ListRepos), seconds(20));
    assert_eq!(lifetimes.of(Operation::Jobs), seconds(7));
    assert_eq!(lifetimes.of(Operation::GetRepoInfo), seconds(300));
    assert_eq!(lifetimes.of_value("anything"), Duration::from_secs(120));
    assert_eq!(lifetimes.of_value("list_repos"), Duration::from_secs(20));
    assert_eq!(place.settings().log_level.as_deref(), Some("warn"));

    // With all that the documents' file says beside it.
    let off = place.workspace("cache: {enabled: false, max_size: 5000, persistence: true}");
    off.variable("GITHUB_CACHE_SIZE", "5000")
        .settings()
        .apply(&mut config);
    assert_eq!((config.tiered.memory_limit, config.disk_limit), (0, None));
}

#[test]
fn two_names_for_one_thing_must_agree() {
    let place = house()
        .variable("CACHE_MAX_ENTRIES", "1000")
        .variable("GITHUB_CACHE_SIZE", "2000");
    let problems = place.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    for word in ["CACHE_MAX_ENTRIES", "GITHUB_CACHE_SIZE", "memory_limit"] {
        assert!(problems[0].contains(word), "{problems:?}");
    }
    let agreed = place.variable("GITHUB_CACHE_SIZE", "1000");
    assert_eq!(agreed.problems(), [""; 0]);
    // Across two files, too.
    let files = agreed.workspace("operation_ttls: {list_repos: 5}\n").file(
        "w/.github/p2p-config.yml",
        "ghswarm:\n  lifetime: [list_repos=6]\n",
    );
    let problems = files.problems();
    assert!(
        problems[0].contains("p2p-config.yml:2: ghswarm.lifetime")
            && problems[0].contains("cache-config.yml:1: operation_ttls.list_repos"),
        "{problems:?}"
    );
}

#[test]
fn the_cache_directory_has_an_order_of_names_instead() {
    let all = [
        ("GHSWARM_CACHE_DIR", "/g"),
        ("P2P_CACHE_DIR", "/p"),
        ("CACHE_DIR", "/c"),
    ];
    for from in 0..all.len() {
        let mut place = house().file("named.yml", "cache: {directory: /f}");
        for (name, value) in &all[from..] {
            place = place.variable(name, value);
        }
        let config = place.path("named.yml");
        let place = place.variable("GHSWARM_CONFIG", &config);
        assert_eq!(place.settings().cache_dir.unwrap(), Path::new(all[from].1));
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let place = house()
        .workspace("cache:\n  max-size: 5\n  default_ttl: soon\n")
        .file("w/.github/p2p-config.yml", "network: [\n")
        .file("env", "CACHE_DEFAULT_TTL=soon\nCACHE_MAX_ENTRY=5\nhm\n")
        .variable("GHSWARM_ENV_FILE", "../env")
        .variable("GHSWARM_MAX_WAIT", "long");
    let problems = place.problems();
    for (place, word) in [
        ("GHSWARM_MAX_WAIT: ", "30s"),
        ("env:1: CACHE_DEFAULT_TTL: ", "30s"),
        ("env:2: CACHE_MAX_ENTRY: ", "CACHE_MAX_ENTRIES"),
        ("env:3: ", "NAME=VALUE"),
        ("cache-config.yml:2: cache.max-size: ", "max_size"),
        ("cache-config.yml:3: cache.default_ttl: ", "30s"),
        ("p2p-config.yml:", ""),
    ] {
        let told = problems
            .iter()
            .any(|line| line.contains(place) && line.contains(word));
        assert!(told, "{place}{word}: {problems:#?}");
    }
    assert_eq!(problems.len(), 7, "{problems:#?}");
}

#[test]
fn what_is_not_built_is_one_notice_and_what_is_off_none() {
    let place = house()
        .workspace("p2p: {peer_discovery: true, enabled: false}\n")
        .file("w/.github/p2p-config.yml", "network: {network_id: mine}\n")
        .variable("CACHE_MIN_CONNECTED_PEERS", "2")
        .variable("IPFS_ACCELERATE_PY_TASK_P2P_ENCRYPTION_KEY", "hunter2")
        .variable("GH_CACHE_P2P", "false");
    let notices = place.notices();
    assert_eq!(notices.len(), 1, "{notices:#?}");
    for word in [
        "not built yet",
        "p2p.peer_discovery (line 1)",
        "network.network_id (line 1)",
        "CACHE_MIN_CONNECTED_PEERS",
        "IPFS_ACCELERATE_PY_TASK_P2P_ENCRYPTION_KEY",
    ] {
        assert!(notices[0].contains(word), "{word}: {notices:?}");
    }
    for word in ["enabled", "GH_CACHE_P2P", "hunter2"] {
        assert!(!notices[0].contains(word), "{word}: {notices:?}");
    }
}

#[test]
fn what_is_not_built_is_told_with_its_usual_value_too() {
    let place = house().workspace("p2p: {peer_discovery: true, bootstrap_peers: []}\n");
    let notices = place.notices();
    assert_eq!(notices.len(), 1, "{notices:#?}");
    assert!(
        notices[0].contains("not built yet") && notices[0].contains("p2p.peer_discovery (line 1)")
    );
    assert!(!notices[0].contains("bootstrap_peers"), "{notices:?}");
}

#[test]
fn a_workspace_gets_no_directory_and_no_more_than_its_share() {
    let place = house().workspace(
        "cache: {directory: /evil, max_size: 1000000, default_ttl: 300d}\n\
         ghswarm: {listen: '127.0.0.1:1', grant_ttl: 1d, log_level: trace}\n\
         rate_limiting: {warning_threshold: 1}\n",
    );
    let settings = place.settings();
    let expected = Settings {
        memory_limit: Some(64 << 20),
        lifetime: vec![(Operation::KeyValue, Duration::from_secs(86_400))],
        log_level: Some("info".to_owned()),
        settled: true,
        ..Settings::default()
    };
    assert_eq!(settings, expected);
    let notices = place.notices();
    assert_eq!(notices.len(), 2, "{notices:#?}");
    let ignored = notices.last().unwrap();
    for word in [
        "cache.directory",
        "ghswarm.listen",
        "grant_ttl",
        "warning_threshold",
        "--config",
    ] {
        assert!(ignored.contains(word), "{ignored}");
    }
    // What the documents' own file says asks for nothing.
    let usual = place.workspace("cache: {directory: ~/.cache/github-api-p2p}");
    assert_eq!(usual.notices(), [""; 0]);
}

#[test]
fn a_workspace_ends_sharing_and_says_nothing_else_about_peers() {
    let place = house()
        .workspace(
            "p2p: {enabled: false, listen_port: 9001, bootstrap_peers: [/ip4/6.6.6.6/tcp/1]}\n\
             ghswarm: {pool: evil/pool, trust: swarm, admission: ticket, secret_env: HOME, \
             secret_file: /etc/passwd, share_private: true, p2p_listen: /ip4/0.0.0.0/tcp/1}\n",
        )
        .file(
            "w/.github/p2p-config.yml",
            "discovery: {methods: {mdns: false}, bootstrap_peers: [/ip4/6.6.6.6/tcp/1]}\n",
        );
    let expected = Settings {
        no_p2p: Some(true),
        settled: true,
        ..Settings::default()
    };
    assert_eq!(place.settings(), expected);
    let ignored = place.notices().pop().unwrap();
    for word in [
        "listen_port",
        "bootstrap_peers",
        "ghswarm.pool",
        "share_private",
    ] {
        assert!(ignored.contains(word), "{word}: {ignored}");
    }
    // And does not begin it again.
    let on = house().workspace("p2p: {enabled: true}\nghswarm: {no_p2p: false}\n");
    assert_eq!(on.settings().no_p2p, None);
}

#[test]
fn the_pool_is_the_repository_unless_somebody_names_another() {
    let job = || house().variable("GITHUB_REPOSITORY", "Octo-Org/App");
    let pool = |place: &House, flags: Settings| {
        let read = place.read(flags);
        let name = read
            .settings
            .pool
            .as_ref()
            .map(|pool| pool.name().to_owned());
        (name.unwrap(), read.origin(&slot(Setting::Pool)).to_string())
    };
    let (name, from) = pool(&job(), Settings::default());
    assert_eq!(
        (name.as_str(), from.as_str()),
        ("octo-org/app", "GITHUB_REPOSITORY")
    );
    let place = job().file("named.yml", "ghswarm: {pool: fleet}");
    let named = Settings {
        config: Some(place.path("named.yml").into()),
        ..Settings::default()
    };
    assert_eq!(pool(&place, named).0, "fleet");
    let place = job().variable("GHSWARM_POOL", "fleet");
    assert_eq!(pool(&place, Settings::default()).1, "GHSWARM_POOL");
    let odd = house().variable("GITHUB_REPOSITORY", "a b");
    assert_eq!((odd.problems(), odd.settings().pool), (Vec::new(), None));
}

#[test]
fn the_older_names_of_peers_do_what_they_say() {
    let place = house()
        .variable("CACHE_LISTEN_PORT", "9001")
        .variable("CACHE_BOOTSTRAP_PEERS", "/ip4/10.0.0.1/tcp/9000")
        .variable("CACHE_P2P_SHARED_SECRET", "hunter2hunter2hunter2")
        .variable("ENABLE_P2P_CACHE", "true");
    let settings = place.settings();
    let texts = |setting| {
        let values = settings.values(setting);
        values
            .into_iter()
            .map(|value| value.into_string().unwrap())
            .collect::<Vec<_>>()
    };
    let listen = ["/ip4/0.0.0.0/tcp/9001", "/ip4/0.0.0.0/udp/9001/quic-v1"];
    assert_eq!(texts(Setting::P2pListen), listen);
    assert_eq!(texts(Setting::Bootstrap), ["/ip4/10.0.0.1/tcp/9000"]);
    assert_eq!(texts(Setting::SecretEnv), ["CACHE_P2P_SHARED_SECRET"]);
    assert_eq!(settings.no_p2p, Some(false));
    assert_eq!(place.notices(), [""; 0]);
    let split = place.variable("CACHE_ENABLE_P2P", "false");
    assert!(split.problems()[0].contains("ENABLE_P2P_CACHE"));
    let usual = house().variable("P2P_LISTEN_PORT", "9000");
    assert!(usual.settings().p2p_listen.is_empty());
}

#[test]
fn a_slip_in_a_variable_is_pointed_out_and_other_programs_are_left_alone() {
    let place = house()
        .variable("GHSWARM_MEMORY_LIMTI", "1")
        .variable("GHSWARM_API_URL", "http://127.0.0.1:1")
        .variable("GHSWARM_OF_ANOTHER_PROGRAM", "1")
        .variable("CACHE_OF_ANOTHER_PROGRAM", "1");
    let notices = place.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("GHSWARM_MEMORY_LIMIT?"), "{notices:?}");
}

#[test]
fn an_env_file_may_hold_what_is_for_others_and_no_secret_is_shown() {
    let place = house()
        .file(
            "env",
            "GH_TOKEN=hunter2\nEDITOR=hunter2\nGHSWARM_MAX_WAIT=9s\nCACHE_DIR=\n",
        )
        .variable("GHSWARM_ENV_FILE", "../env");
    assert_eq!(place.settings().max_wait, Some(Duration::from_secs(9)));
    assert_eq!(place.settings().cache_dir, None);
    let notices = place.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].contains("EDITOR (line 2)") && !notices[0].contains("hunter2"));
}

#[test]
fn a_variable_of_any_bytes_is_a_path_or_a_problem() {
    use std::os::unix::ffi::OsStringExt as _;
    let strange = OsString::from_vec(b"/c\xff".to_vec());
    for (name, fine) in [("CACHE_DIR", true), ("CACHE_DEFAULT_TTL", false)] {
        let environment = Environment::from_os_pairs([(name.into(), strange.clone())]);
        let read = read(
            Settings::default(),
            &environment,
            Path::new("/"),
            Reading::Environment,
        );
        assert_eq!(read.problems.is_empty(), fine, "{name}");
        if fine {
            assert_eq!(read.settings.cache_dir.unwrap().as_os_str(), strange);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever writes a workspace's file, only bounded settings of the allowed kinds come of it.
    #[test]
    fn no_text_of_a_workspace_sets_what_it_may_not(
        row in proptest::sample::select(table::rows().iter().filter(|row| row.place == Place::File).collect::<Vec<_>>()),
        value in "(1|yes|no|off|trace|9999d|1TiB|/evil|http://evil.example|\\[/ip4/6.6.6.6/tcp/1\\]|[ -~]{0,12})",
    ) {
        let mut text = String::new();
        for (depth, key) in row.name.split('.').enumerate() {
            let _ = writeln!(text, "{}{key}:", "  ".repeat(depth));
        }
        let text = format!("{} {value}\n", text.trim_end());
        let read = house().workspace(&text).read(Settings::default());
        let settings = read.settings;
        let allowed = Settings {
            lifetime: settings.lifetime.clone(),
            no_cache: settings.no_cache,
            no_p2p: settings.no_p2p.filter(|off| *off),
            memory_limit: settings.memory_limit,
            disk_limit: settings.disk_limit,
            no_disk: settings.no_disk,
            body_limit: settings.body_limit,
            log_level: settings.log_level.clone(),
            settled: true,
            ..Settings::default()
        };
        prop_assert_eq!(&settings, &allowed);
        prop_assert!(settings.memory_limit.unwrap_or(0) <= 64 << 20);
        prop_assert!(settings.disk_limit.unwrap_or(0) <= 1 << 30);
        prop_assert!(settings.body_limit.unwrap_or(0) <= 10 << 20);
        prop_assert!(settings.lifetime.iter().all(|(_, lasts)| lasts.as_secs() <= 86_400));
        let level = settings.log_level.unwrap_or("info".into());
        prop_assert!(["error", "warn", "info"].contains(&level.as_str()));
    }
}
