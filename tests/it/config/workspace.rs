//! A pull request's `.github/*.yml` cannot point the daemon, its directories, its peers or its exporters
//! anywhere: every key of the table, made as hostile as its kind allows.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use ghswarm::config::table::{self, Kind, Place, Row};
use ghswarm::config::units;
use serde_json::{Map, Value, json};

use super::{Desk, arguments, value};

/// What somebody would write there who wants to get away with something.
fn hostile(row: &Row) -> Value {
    match row.kind {
        Kind::Boolean => json!(row.default != "true"),
        Kind::Count { least, .. } => json!(least.max(1)),
        Kind::Time => json!("9999d"),
        Kind::Size => json!("1TiB"),
        Kind::OneOf(words) => json!(words.last()),
        Kind::Level => json!("trace"),
        Kind::Path => json!("/evil/place"),
        Kind::Text | Kind::Secret if row.name.ends_with("listen") => json!("127.0.0.1:6666"),
        Kind::Text | Kind::Secret if row.name.ends_with("log_level") => json!("ghswarm=trace"),
        Kind::Text | Kind::Secret => json!("http://evil.example"),
        Kind::List if row.name.ends_with("lifetime") => json!(["jobs=9999d", "key_value=9999d"]),
        Kind::List if row.name.ends_with("origin_for") => {
            json!(["uploads.github.com=http://evil.example"])
        }
        Kind::List => json!(["/dns4/evil.example/tcp/6666"]),
    }
}

/// All keys of the table whose name `takes` takes, in one file. JSON is YAML.
fn file_of(takes: impl Fn(&str) -> bool) -> String {
    let mut root = Map::new();
    for row in table::rows()
        .iter()
        .filter(|row| row.place == Place::File && takes(&row.name))
    {
        let mut keys: Vec<_> = row.name.split('.').collect();
        let last = keys.pop().unwrap();
        let mut section = &mut root;
        for key in keys {
            let below = section.entry(key).or_insert_with(|| json!({}));
            section = below.as_object_mut().unwrap();
        }
        section.insert(last.to_owned(), hostile(row));
    }
    serde_json::to_string_pretty(&root).unwrap()
}

/// Two names for one setting contradict each other here, which is another story's error.
fn second_name(key: &str) -> bool {
    [
        "cache.enabled",
        "cache.max_size",
        "cache.default_ttl",
        "cache.persistence",
        "cache.directory",
        "logging.level",
        "rate_limiting.warning_threshold",
        "rate_limiting.aggressive_threshold",
    ]
    .contains(&key)
        || key.starts_with("operation_ttls.")
}

/// The desk with the hostile files of a pull request: the keys of the documents, or our own names too.
fn attacked(own_names: bool) -> Desk {
    let caches =
        |key: &str| ["cache", "p2p", "rate_limiting", "operation_ttls"].contains(&first(key));
    let taken = move |key: &str| {
        if own_names {
            !second_name(key)
        } else {
            first(key) != table::SECTION
        }
    };
    Desk::new()
        .workspace(&file_of(|key| taken(key) && caches(key)))
        .file(
            "checkout/.github/p2p-config.yml",
            &file_of(|key| taken(key) && !caches(key)),
        )
}

fn first(key: &str) -> &str {
    key.split('.').next().unwrap_or_default()
}

/// Everything that a workspace has a say in, and what the most is that it gets.
fn within_bounds(setting: &str, value: &str) -> bool {
    match setting {
        "memory_limit" => units::size(value).unwrap() <= 64 << 20,
        "disk_limit" => units::size(value).unwrap() <= 1 << 30,
        "body_limit" => units::size(value).unwrap() <= 10 << 20,
        "no_disk" | "no_cache" => true,
        // It may end sharing, and never begin it.
        "no_p2p" => value == "true",
        "log_level" => ["error", "warn", "info"].contains(&value),
        lifetime if lifetime.starts_with("lifetime.") => {
            units::time(value).unwrap().as_secs() <= 24 * 60 * 60
        }
        _ => false,
    }
}

#[test]
fn a_pull_request_sets_lifetimes_sizes_and_levels_within_bounds_and_nothing_else() {
    for in_job in [true, false] {
        let usual = Desk::new();
        let usual = if in_job { usual.job() } else { usual }.show(&[]);
        for own_names in [true, false] {
            let desk = attacked(own_names);
            let desk = if in_job { desk.job() } else { desk };
            let shown = desk.show(&[]);
            let mut changed = BTreeSet::new();
            for (setting, row) in shown["settings"].as_object().unwrap() {
                let now = row["value"].as_str().unwrap();
                if usual["settings"][setting]["value"] != row["value"] {
                    assert!(within_bounds(setting, now), "{setting} is {now}");
                    changed.insert(setting.as_str());
                }
                assert!(!now.contains("evil"), "{setting} is {now}");
            }
            // What it may say is heard: otherwise nothing would be shown here.
            let heard = if own_names {
                "lifetime.jobs"
            } else {
                "lifetime.list_repos"
            };
            assert!(
                changed.contains(heard) && changed.contains("no_disk"),
                "{changed:?}"
            );
            let notices = shown["notices"].to_string();
            for key in table::rows().iter().filter(|row| row.place == Place::File) {
                let ours = first(&key.name) == table::SECTION;
                let written = if own_names {
                    !second_name(&key.name)
                } else {
                    !ours
                };
                let ignored = key.name.ends_with("directory")
                    || ["listen", "origin", "cache_dir", "strict", "grant_ttl"]
                        .iter()
                        .any(|name| key.name == format!("{}.{name}", table::SECTION));
                assert!(
                    !(written && ignored) || notices.contains(&key.name),
                    "no word about {}: {notices}",
                    key.name
                );
            }
        }
    }
}

#[test]
fn the_daemon_of_a_job_hears_no_more_than_that() {
    for own_names in [true, false] {
        let desk = attacked(own_names).job();
        let started = desk.run(&["start"]).ok();
        started.says(&["a workspace cannot set these"]);
        let ready = started.json();
        assert_eq!(ready["owner"], "job");
        assert_eq!(ready["state_dir"], json!(desk.path("tmp/ghswarm")));
        assert_eq!(
            ready["cache_dir"],
            json!(desk.path("home/.cache/github-api-p2p"))
        );
        assert!(!desk.path("evil").exists() && ready["api_url"] != "http://127.0.0.1:6666");
        for process in ["pid", "keeper_pid"] {
            let mut arguments = arguments(&ready[process]);
            // The program's own path, and the command.
            let flags = arguments.split_off(2);
            for flag in flags {
                let (name, text) = flag.split_once('=').unwrap_or((&flag, ""));
                let setting = name.trim_start_matches("--").replace('-', "_");
                let ours = match setting.as_str() {
                    "settled" | "keeper_pid" => true,
                    // Of the environment, see `Desk::job`.
                    "origin" => text == "http://127.0.0.1:1/",
                    "lifetime" => {
                        let (operation, lasts) = text.split_once('=').unwrap();
                        within_bounds(&format!("lifetime.{operation}"), lasts)
                    }
                    setting => within_bounds(setting, text),
                };
                assert!(ours, "{process} was told {flag}");
            }
        }
        desk.run(&["stop"]).ok();
    }
}

#[test]
fn the_same_file_is_the_users_own_word_when_it_is_named() {
    let desk =
        Desk::new().workspace("cache:\n  directory: ../here\nghswarm: {listen: '127.0.0.1:7'}");
    let usual = desk.show(&[]);
    assert_eq!(value(&usual, "cache_dir"), "/home/.cache/github-api-p2p");
    let named = desk.show(&["--config", "../../.github/cache-config.yml"]);
    assert!(
        value(&named, "cache_dir").ends_with("/.github/../here"),
        "{named:#}"
    );
    assert_eq!(value(&named, "listen"), "127.0.0.1:7");
    assert_eq!(named["notices"], json!([]));
}

#[test]
fn a_file_that_is_elsewhere_or_no_file_is_refused_at_once() {
    let secret = "hunter2: [";
    let desk = Desk::new().file("outside.yml", secret);
    let file = desk.path("checkout/.github/cache-config.yml");
    symlink(desk.path("outside.yml"), &file).unwrap();
    let refused = desk.run(&["config", "check"]);
    assert_eq!(refused.code, 1);
    refused.says(&["cache-config.yml", "link"]);
    assert!(!refused.stderr.contains("hunter2"), "{}", refused.stderr);
    // Named by the user it is any file.
    let named = desk.run(&[
        "config",
        "check",
        "--config",
        "../../.github/cache-config.yml",
    ]);
    named.says(&["outside.yml", "1:"][1..]);

    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    let refused = desk.run(&["config", "check"]);
    assert_eq!(refused.code, 1);
    refused.says(&["cache-config.yml", "not a regular file"]);

    std::fs::remove_file(&file).unwrap();
    let desk = desk.workspace(&"#".repeat((1 << 20) + 1));
    let refused = desk.run(&["config", "check"]);
    assert_eq!(refused.code, 1);
    refused.says(&["cache-config.yml", "1024 KiB"]);
}
