//! GitHub's own client against the fake: `@actions/cache`, as `actions/cache` has it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghswarm_lab::FakeActionsCache;
use ghswarm_lab::actions_cache::{Claims, Trouble};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!("official.mjs");

/// The client's entry, where `.ci/run` installs clients.
fn client() -> Option<PathBuf> {
    let folder = std::env::var_os("GHSWARM_CLIENTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/ci/clients"),
        PathBuf::from,
    );
    let client = folder.join("node_modules/@actions/cache/lib/cache.js");
    if client.is_file() {
        return Some(client);
    }
    let required = std::env::var_os("GHSWARM_REQUIRE_CLIENTS").is_some();
    assert!(!required, "no @actions/cache in {}", folder.display());
    // Past the test harness, which swallows what a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped: no @actions/cache");
    None
}

/// Runs the script with these steps as a job with `token`; what each step came to.
async fn job(cache: &FakeActionsCache, client: &Path, token: &str, steps: Value) -> Vec<Value> {
    let room = tempfile::tempdir().unwrap();
    let script = room.path().join("official.mjs");
    std::fs::write(&script, SCRIPT).unwrap();
    let mut node = Command::new("node");
    node.arg(&script)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", room.path())
        .env("CLIENT", client)
        .env("STEPS", steps.to_string())
        .env("RUNNER_TEMP", room.path())
        .env("GITHUB_WORKSPACE", room.path())
        .env("GITHUB_SERVER_URL", "https://github.com")
        .env("ACTIONS_CACHE_SERVICE_V2", "True")
        .env("ACTIONS_RESULTS_URL", cache.url())
        .env("ACTIONS_RUNTIME_TOKEN", token)
        .current_dir(room.path());
    // Meanwhile this thread answers it.
    let ran = tokio::task::spawn_blocking(move || node.output());
    let ran = ran.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let complained = String::from_utf8_lossy(&ran.stderr);
    let line = said.lines().rev().find(|line| line.starts_with("RESULT "));
    let line = line.unwrap_or_else(|| panic!("{said}\n{complained}"));
    let mut results: Vec<Value> = serde_json::from_str(&line["RESULT ".len()..]).unwrap();
    results.push(said.into());
    results
}

#[tokio::test]
async fn it_saves_restores_and_meets_its_own_entries() {
    let Some(client) = client() else {
        return;
    };
    let cache = FakeActionsCache::builder().start().await.unwrap();
    let main = cache.token(&Claims::main(7));
    let steps = json!([
        {"save": "peers-1", "bytes": 1000},
        {"save": "peers-1", "bytes": 1000},
        {"save": "peers-2", "bytes": 9_000_000},
        {"restore": "peers-2", "same": true},
        {"restore": "peers-0", "restoreKeys": ["peers-"]},
        {"restore": "others", "restoreKeys": ["others-"]},
        {"restore": "peers-1", "lookupOnly": true},
    ]);
    let came_to = job(&cache, &client, &main, steps).await;
    let expected = json!([1, -1, 2, "peers-2", "peers-2", null, "peers-1"]);
    assert_eq!(
        came_to[..7],
        expected.as_array().unwrap()[..],
        "{came_to:?}"
    );
    let said = came_to[7].as_str().unwrap();
    assert!(
        said.contains("another job may be creating this cache"),
        "{said}"
    );
    assert_eq!(cache.reserved(), 0);
    assert_eq!(cache.entries().len(), 2);
}

/// More than the client sends at once: it puts a blob together from blocks.
#[tokio::test]
async fn it_saves_and_restores_a_blob_of_blocks() {
    let Some(client) = client() else {
        return;
    };
    let cache = FakeActionsCache::builder().start().await.unwrap();
    let main = cache.token(&Claims::main(7));
    let steps = json!([{"save": "large", "bytes": 135 << 20}, {"restore": "large", "same": true}]);
    let came_to = job(&cache, &client, &main, steps).await;
    assert_eq!(came_to[..2], [json!(1), json!("large")], "{came_to:?}");
    let blocks = cache.requests();
    let blocks = blocks.iter().filter(|one| one.name == "blob PUT").count();
    assert!(blocks >= 3, "{blocks} requests");
}

#[tokio::test]
async fn it_understands_what_it_may_not_do() {
    let Some(client) = client() else {
        return;
    };
    let cache = FakeActionsCache::builder().start().await.unwrap();
    let steps = json!([{"save": "k", "bytes": 10}, {"restore": "k"}]);
    let reader = cache.token(&Claims::new(7).reads("refs/heads/main"));
    let came_to = job(&cache, &client, &reader, steps.clone()).await;
    assert_eq!(came_to[..2], [json!(-1), json!(null)]);
    let said = came_to[2].as_str().unwrap();
    assert!(
        said.contains("cache write denied: token has no writable scopes"),
        "{said}"
    );
    let nobody = cache.token(&Claims::new(7));
    let came_to = job(&cache, &client, &nobody, json!([{"restore": "k"}])).await;
    assert!(
        came_to[1].as_str().unwrap().contains("cache read denied:"),
        "{came_to:?}"
    );
    cache.trouble(Some(Trouble::RateLimited(30)));
    let main = cache.token(&Claims::main(7));
    let came_to = job(&cache, &client, &main, steps).await;
    let said = came_to[2].as_str().unwrap();
    assert!(
        said.contains("your rate limit will reset in 30 seconds"),
        "{said}"
    );
}
