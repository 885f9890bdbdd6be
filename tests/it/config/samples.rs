//! The files and variables of the older documents, as their users have them.

use serde_json::{Value, json};

use super::{Desk, value};

const CACHE: &str = include_str!("../../data/config/cache-config.yml");
const PEERS: &str = include_str!("../../data/config/p2p-config.yml");

/// The values without where they come from.
fn values(shown: &Value) -> Vec<(&String, &Value)> {
    let settings = shown["settings"].as_object().unwrap();
    settings
        .iter()
        .map(|(name, row)| (name, &row["value"]))
        .collect()
}

#[test]
fn both_files_are_fine_where_they_are_and_when_they_are_named() {
    let there = Desk::new()
        .workspace(CACHE)
        .file("checkout/.github/p2p-config.yml", PEERS);
    let checked = there.run(&["config", "check"]).ok();
    checked.says(&[
        "fine",
        "token_based",
        "use_github_token",
        "GITHUB_TOKEN of its own",
        "not built yet",
        "p2p.peer_discovery",
    ]);
    assert_eq!(checked.stderr.lines().count(), 4, "{}", checked.stderr);

    let desk = Desk::new()
        .file("cache.yml", CACHE)
        .file("peers.yml", PEERS);
    for file in ["../../../cache.yml", "../../../peers.yml"] {
        desk.run(&["config", "check", "--config", file])
            .ok()
            .says(&["fine"]);
    }
    // One file may hold both.
    let both = format!(
        "{CACHE}{}",
        PEERS.replace("monitoring:\n  enabled: true\n  metrics:", "other:")
    );
    let both = both.split("other:").next().unwrap().to_owned();
    let desk = desk.file("both.yml", &both);
    desk.run(&["config", "check", "--config", "../../../both.yml"])
        .ok()
        .says(&["fine"]);
}

#[test]
fn what_they_say_by_default_is_what_holds_by_default() {
    let usual = Desk::new().show(&[]);
    let there = Desk::new()
        .workspace(CACHE)
        .file("checkout/.github/p2p-config.yml", PEERS)
        .show(&[]);
    assert_eq!(values(&usual), values(&there));
    let from = &there["settings"]["lifetime.list_repos"];
    assert_eq!(
        from["where"],
        json!({"path": "/checkout/.github/cache-config.yml", "line": 37, "key": "operation_ttls.list_repos"})
    );
}

#[test]
fn an_env_file_of_the_older_documents_is_read_when_it_is_named_and_never_by_itself() {
    let desk = Desk::new().file(
        "checkout/.env.cache",
        "# .env.cache\nCACHE_MIN_CONNECTED_PEERS=1\nCACHE_BOOTSTRAP_PEERS=\nexport CACHE_DEFAULT_TTL=120\n\
         CACHE_DIR=~/.github-cache\nCACHE_MAX_ENTRIES=1000\nGH_TOKEN=hunter2\n",
    );
    let nothing = desk.show(&[]);
    assert_eq!(value(&nothing, "lifetime.key_value"), "300s");
    let shown = desk.show(&["--env-file", "../../.env.cache"]);
    assert_eq!(value(&shown, "lifetime.key_value"), "120s");
    assert_eq!(value(&shown, "cache_dir"), "/home/.github-cache");
    assert_eq!(shown["settings"]["cache_dir"]["where"]["line"], 5);
    let notices = shown["notices"].as_array().unwrap();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(
        notices[0]
            .as_str()
            .unwrap()
            .ends_with("CACHE_MIN_CONNECTED_PEERS (line 2)")
    );
    assert!(!shown.to_string().contains("hunter2"));
    let desk = desk.variable("CACHE_DEFAULT_TTL", "7");
    let shown = desk.show(&["--env-file", "../../.env.cache"]);
    assert_eq!(value(&shown, "lifetime.key_value"), "7s");
    assert_eq!(
        shown["settings"]["lifetime.key_value"]["where"],
        "CACHE_DEFAULT_TTL"
    );
}

#[test]
fn the_variables_that_the_older_actions_export_still_work() {
    let desk = Desk::new()
        .variable("ENABLE_P2P_CACHE", "true")
        .variable("GITHUB_CACHE_SIZE", "5000")
        .variable("CACHE_DEFAULT_TTL", "300")
        .variable("P2P_LISTEN_PORT", "9000")
        .variable("ENABLE_PEER_DISCOVERY", "true")
        .variable("CACHE_DIR", "~/other")
        .variable("P2P_CACHE_DIR", "~/.cache/github-api-p2p");
    let checked = desk.run(&["config", "check"]).ok();
    assert_eq!(
        checked.stderr,
        "ghswarm: not built yet, so without effect: ENABLE_PEER_DISCOVERY\nthe configuration is fine, with the notice above\n"
    );
    assert_eq!(values(&desk.show(&[])), values(&Desk::new().show(&[])));
}
