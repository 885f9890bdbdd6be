//! `config show`, `check` and `schema`, and how a problem is told.

use serde_json::{Value, json};

use super::{Desk, value};

const WRONG: &str = "cache:\n  max-size: 5\n  default_ttl: soon\n  enabled: perhaps\n";

#[test]
fn a_check_tells_all_problems_and_a_start_with_them_is_usage() {
    let desk = Desk::new()
        .workspace(WRONG)
        .variable("GHSWARM_MAX_WAIT", "long");
    let words = [
        "4 problems",
        "cache-config.yml:2: cache.max-size: no such key (did you mean \"max_size\"?)",
        "cache-config.yml:3: cache.default_ttl: \"soon\" is not a time",
        "cache-config.yml:4: cache.enabled: \"perhaps\" is not true or false",
        "GHSWARM_MAX_WAIT",
    ];
    let checked = desk.run(&["config", "check"]);
    assert_eq!((checked.code, checked.stdout.as_str()), (1, ""));
    checked.says(&words);
    for command in [&["serve"][..], &["start"], &["config", "show"]] {
        let refused = desk.run(command);
        assert_eq!(refused.code, 2, "{command:?}: {}", refused.stderr);
        refused.says(&words);
    }
}

#[test]
fn a_file_of_the_workspace_that_is_wrong_keeps_nobody_from_working() {
    let desk = Desk::new()
        .workspace(WRONG)
        .variable("GHSWARM_ORIGIN", "http://127.0.0.1:1");
    let ran = desk.run(&["exec", "--", "echo", "ran"]).ok();
    assert_eq!(ran.stdout, "ran\n");
    ran.says(&["running without the cache", "3 problems"]);
    desk.run(&["stop"]).ok().says(&["no daemon is running"]);
    let strict = desk.variable("GHSWARM_STRICT", "true");
    assert_eq!(strict.run(&["exec", "--", "echo", "ran"]).code, 1);
}

#[test]
fn a_variable_that_is_wrong_keeps_nobody_from_working() {
    let desk = Desk::new()
        .variable("GHSWARM_ORIGIN", "http://127.0.0.1:1")
        .variable("GHSWARM_MAX_WAIT", "long");
    let ran = desk.run(&["exec", "--", "echo", "ran"]).ok();
    assert_eq!(ran.stdout, "ran\n");
    ran.says(&["running without the cache", "GHSWARM_MAX_WAIT"]);
    desk.run(&["stop"]).ok().says(&["no daemon is running"]);
    desk.run(&["cache", "stale", "o/r", "--state-dir", "/nowhere"])
        .says(&["no daemon is running"]);
    let strict = desk.variable("GHSWARM_STRICT", "true");
    assert_eq!(strict.run(&["exec", "--", "echo", "ran"]).code, 1);
}

#[test]
fn in_a_job_no_pull_request_keeps_a_daemon_from_starting() {
    let desk = Desk::new().workspace(WRONG).job();
    let started = desk.run(&["start"]).ok();
    started.says(&["the defaults hold instead", "3 problems", "cache.max-size"]);
    assert!(started.json()["api_url"].is_string());
    desk.run(&["stop"]).ok();
    assert_eq!(desk.run(&["config", "check"]).code, 1);
    assert_eq!(desk.run(&["start", "--strict"]).code, 2);
    // Who wrote the workflow is told at once.
    let desk = desk.variable("GHSWARM_MAX_WAIT", "long");
    assert_eq!(desk.run(&["start"]).code, 2);
}

#[test]
fn a_token_in_the_wrong_place_is_not_repeated() {
    let token = format!("ghp_{}", "0".repeat(36));
    let desk = Desk::new().workspace(&format!(
        "{token}: 1\ncache: {{max_size: {token}, {token}: 2}}\nlogging: {{level: {token}}}\n"
    ));
    for command in [&["check"][..], &["show"], &["show", "--format", "json"]] {
        let ran = desk.run(&[&["config"], command].concat());
        ran.says(&["4 problems", "***"]);
        assert!(!(ran.stdout + &ran.stderr).contains(&token), "{command:?}");
    }
}

#[test]
fn what_is_wrong_with_the_text_is_said_to_its_author() {
    for (text, words) in [
        ("cache: {}\ncache: {}\n", "cache stands twice"),
        (
            "a: &a [x, x]\nb: [*a, *a, [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]\n",
            "too deep",
        ),
    ] {
        let checked = Desk::new().workspace(text).run(&["config", "check"]);
        checked.says(&[words]);
        for theirs in ["DuplicateKeyPolicy", "breach"] {
            assert!(!checked.stderr.contains(theirs), "{}", checked.stderr);
        }
    }
}

#[test]
fn the_runners_folder_is_named_as_what_says_where_the_state_is() {
    let shown = Desk::new().job().show(&[]);
    let row = &shown["settings"]["state_dir"];
    assert_eq!(
        *row,
        json!({"value": "/tmp/ghswarm", "from": "variable", "where": "RUNNER_TEMP"})
    );
}

#[test]
fn every_value_is_shown_with_where_it_comes_from() {
    let desk = Desk::new()
        .workspace("cache:\n  persistence: false\n")
        .variable("P2P_CACHE_DIR", "/p")
        .variable("GHSWARM_MAX_WAIT", "1m30s");
    let shown = desk.show(&["--memory-limit", "1GiB"]);
    let expected = [
        ("memory_limit", "1GiB", "flag", json!("--memory-limit")),
        ("max_wait", "90s", "variable", json!("GHSWARM_MAX_WAIT")),
        ("cache_dir", "/p", "variable", json!("P2P_CACHE_DIR")),
        (
            "no_disk",
            "true",
            "file",
            json!({"path": "/checkout/.github/cache-config.yml", "line": 2, "key": "cache.persistence"}),
        ),
        ("disk_limit", "1GiB", "default", Value::Null),
        ("ttl_policy", "operation", "default", Value::Null),
        ("lifetime.git_object", "31536000s", "default", Value::Null),
        (
            "state_dir",
            "/home/.local/state/ghswarm",
            "default",
            Value::Null,
        ),
    ];
    for (setting, text, from, place) in expected {
        assert_eq!(value(&shown, setting), text);
        let row = &shown["settings"][setting];
        assert_eq!(
            (&row["from"], &row["where"]),
            (&json!(from), &place),
            "{setting}"
        );
    }
    let table = desk.run(&["config", "show"]).ok().stdout;
    for setting in shown["settings"].as_object().unwrap().keys() {
        let row = table
            .lines()
            .find(|line| line.split(' ').next() == Some(setting));
        assert!(row.is_some(), "{setting}: {table}");
    }
    assert!(
        table.contains("cache-config.yml:2: cache.persistence"),
        "{table}"
    );
}

#[test]
fn what_a_file_holds_does_not_steer_the_terminal() {
    let desk = Desk::new().file(
        "c.yml",
        "\"\\e[2J\": 1\ncache: {directory: \"/\\e[2Jx\", max_size: \"\\e[2J\"}\n",
    );
    let line = ["--config", "../../../c.yml"];
    for command in [["config", "show"], ["config", "check"]] {
        let ran = desk.run(&[command, line].concat());
        assert!(
            !ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_table_is_found_below_the_git_root_and_nowhere_else() {
    let desk = Desk::new().workspace("ghswarm: {memory_limit: 1MiB}");
    assert_eq!(value(&desk.show(&[]), "memory_limit"), "1MiB");
    let outside = desk
        .run_in("home", &["config", "show", "--format", "json"])
        .ok()
        .json();
    assert_eq!(value(&outside, "memory_limit"), "64MiB");
    // The job's checkout, wherever a step works.
    let outside = desk
        .job()
        .run_in("home", &["config", "show", "--format", "json"])
        .ok()
        .json();
    assert_eq!(value(&outside, "memory_limit"), "1MiB");
}

#[test]
fn the_schema_is_json_and_knows_the_keys() {
    let schema = Desk::new().run(&["config", "schema"]).ok().json();
    let key = schema
        .pointer("/properties/cache/properties/max_size")
        .unwrap();
    assert_eq!(
        (&key["default"], &key["minimum"]),
        (&json!(5000), &json!(1))
    );
    assert_eq!(schema["properties"]["cache"]["additionalProperties"], false);
}

#[test]
fn help_groups_the_flags() {
    let help = Desk::new().run(&["serve", "--help"]).ok().stdout;
    for heading in [
        "Addresses:",
        "Files:",
        "Freshness:",
        "Limits:",
        "Rate limit:",
        "Logs:",
    ] {
        assert!(
            help.contains(&format!("\n{heading}\n")),
            "{heading}: {help}"
        );
    }
    assert!(
        !help.contains("settled") && !help.contains("keeper"),
        "{help}"
    );
    assert!(
        help.lines().all(|line| line.chars().count() <= 100),
        "{help}"
    );
}
