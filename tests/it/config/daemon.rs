//! What the files say reaches the daemon that `start` leaves behind.

use std::path::Path;

use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use serde_json::json;

use super::{Desk, arguments};

/// A desk whose daemons ask a fake GitHub.
async fn desk() -> (FakeGitHub, Token, Desk) {
    let github = FakeGitHub::builder().start().await.unwrap();
    let token = github.token(TokenSpec::classic("octocat").everything());
    let desk = Desk::new()
        .variable("GHSWARM_ORIGIN", &github.url())
        .variable("GH_TOKEN", token.value());
    (github, token, desk)
}

/// One GET through the daemon: its `Cache-Status`.
async fn get(api_url: &serde_json::Value, token: &Token) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/repos/octo-org/hello", api_url.as_str().unwrap());
    let request = client
        .get(url)
        .header("authorization", token.authorization());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let status = answer.headers()["cache-status"].to_str().unwrap();
    status.to_owned()
}

/// The lifetime that a hit says is left.
fn ttl(status: &str) -> u64 {
    let ttl = status
        .split("ttl=")
        .nth(1)
        .unwrap_or_else(|| panic!("no hit: {status}"));
    ttl.split(';').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lifetime_of_the_workspace_is_what_a_hit_says() {
    let (_github, token, desk) = desk().await;
    let desk = desk.workspace("operation_ttls: {get_repo_info: 1000}");
    let ready = desk.run(&["start"]).ok().json();
    get(&ready["api_url"], &token).await;
    let left = ttl(&get(&ready["api_url"], &token).await);
    assert!((900..=1000).contains(&left), "{left}");
    // It was read once: the daemon under the keeper reads no file again.
    let told = arguments(&ready["pid"]);
    for flag in ["--lifetime=get_repo_info=1000s", "--settled"] {
        assert!(told.iter().any(|word| word == flag), "{told:?}");
    }
    desk.run(&["stop"]).ok();

    // GitHub itself says a minute.
    let ready = desk.run(&["start", "--ttl-policy", "origin"]).ok().json();
    get(&ready["api_url"], &token).await;
    let left = ttl(&get(&ready["api_url"], &token).await);
    assert!((30..=60).contains(&left), "{left}");
    desk.run(&["stop"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_breaks_later_does_not_hurt_the_daemon_that_follows() {
    let (_github, token, desk) = desk().await;
    let checkout = desk.path("checkout");
    let desk = desk
        .variable("GITHUB_WORKSPACE", checkout.to_str().unwrap())
        .workspace("operation_ttls: {get_repo_info: 1000}");
    let ready = desk.run(&["start"]).ok().json();
    let desk = desk.workspace("operation_ttls: [");
    let pid = ready["pid"].to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &pid])
        .status();
    assert!(killed.unwrap().success());
    // Both wait for the daemon that the keeper starts.
    get(&ready["api_url"], &token).await;
    let left = ttl(&get(&ready["api_url"], &token).await);
    assert!((900..=1000).contains(&left), "{left}");
    desk.run(&["stop"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_is_not_enabled_asks_github_each_time() {
    let (github, token, desk) = desk().await;
    let desk = desk.workspace("cache: {enabled: false, max_size: 5000}");
    let ready = desk.run(&["start"]).ok().json();
    for asked in 1..=3 {
        let status = get(&ready["api_url"], &token).await;
        assert!(status.contains("fwd="), "{status}");
        assert_eq!(github.usage().total.requests, asked);
    }
    let stats = desk.run(&["stats", "--format", "json"]).ok().json();
    assert_eq!(
        (&stats["entries"], &stats["hit_rate"]),
        (&json!(0), &json!(0.0))
    );
    desk.run(&["stop"]).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_file_says_where_things_are_and_how_long_values_live() {
    let (_github, _, desk) = desk().await;
    let desk = desk.file(
        "c.yml",
        "cache:\n  directory: elsewhere\n  default_ttl: 0\n",
    );
    let started = desk.run(&[
        "start",
        "--config",
        "../../../c.yml",
        "--lifetime=list_repos=1h",
    ]);
    let ready = started.ok().json();
    let cache = Path::new(ready["cache_dir"].as_str().unwrap());
    assert_eq!(
        cache.canonicalize().unwrap(),
        desk.path("elsewhere").canonicalize().unwrap()
    );
    let put = |operation: &'static str| {
        desk.run(&["cache", "put", "--operation", operation, "k", "v"])
            .ok();
        desk.run(&["cache", "get", "--operation", operation, "k"])
            .code
    };
    // Out as soon as it is in; with an operation that has a lifetime of its own it stays.
    assert_eq!(put("anything"), 3);
    assert_eq!(put("list_repos"), 0);
    desk.run(&["stop"]).ok();
}
