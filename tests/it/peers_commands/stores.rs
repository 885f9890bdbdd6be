//! `ghswarm peers discover` and `register` with the Actions cache, and what becomes of the job's token.

use std::fs;
use std::path::Path;

use ghswarm_lab::FakeActionsCache;
use ghswarm_lab::actions_cache::Claims;
use serde_json::Value;

use super::Runner;

/// A job of `claims`, with the variables that an action has.
fn job(cache: &FakeActionsCache, claims: &Claims) -> Runner {
    Runner::new()
        .with("ACTIONS_RESULTS_URL", &cache.url())
        .with("ACTIONS_RUNTIME_TOKEN", &cache.token(claims))
        .with("GITHUB_REPOSITORY_ID", "7")
        .with("GHSWARM_POOL", "octo-org/app")
}

async fn cache() -> FakeActionsCache {
    FakeActionsCache::builder().start().await.unwrap()
}

// Commands are waited for on this thread; the cache answers on the other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_daemons_meet_and_commands_say_so() {
    let cache = cache().await;
    let (mut first, mut second) = (job(&cache, &Claims::main(7)), job(&cache, &Claims::main(7)));
    first.serve(&[]);
    let key = first.run(&["peers", "register"]).ok().stdout;
    assert!(
        key.starts_with("ghswarm/1/7/") && key.contains(&first.id()),
        "{key}"
    );
    second.serve(&[]);
    second.sees(&first.id(), "connected");
    first.sees(&second.id(), "connected");
    let found = second
        .run(&["peers", "discover", "--format", "json"])
        .ok()
        .json();
    assert_eq!(found[0]["store"], "actions-cache");
    let table = first.run(&["peers", "discover"]).ok();
    assert!(table.stdout.contains("Actions cache"), "{}", table.stdout);
    for told in [
        "the Actions cache knows a peer",
        "our record is in the Actions cache",
    ] {
        assert_eq!(second.log().matches(told).count(), 1, "{}", second.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_is_in_no_file_no_log_and_on_no_command_line() {
    let cache = cache().await;
    let claims = Claims::main(7);
    let job = job(&cache, &claims).with("GHSWARM_LOG_LEVEL", "trace");
    let token = cache.token(&claims);
    let ready: Value = job.run(&["start"]).ok().json();
    job.run(&["peers", "register"]).ok();
    job.run(&["peers", "discover"]).ok();
    for process in ["pid", "keeper_pid"] {
        let line = fs::read(format!("/proc/{}/cmdline", ready[process])).unwrap();
        assert!(!contains(&line, &token), "{process}");
    }
    job.run(&["stop"]).ok();
    let mut read = 0;
    holds_none_of(&job.path(""), &[&token, "sig="], &mut read);
    assert!(read >= 3, "{read} files");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_notice_says_why_it_is_no_help() {
    let cache = cache().await;
    let mut reader = job(&cache, &Claims::new(7).reads("refs/heads/main"));
    reader.serve(&[]);
    for _ in 0..2 {
        reader
            .run(&["peers", "register"])
            .fails(1, &["may not write to the cache"]);
    }
    let told = reader.log();
    assert_eq!(told.matches("WARN").count(), 1, "{told}");
    let discovered = reader.run(&["peers", "discover"]).ok();
    discovered.says(&["nobody of the pool has registered"]);
}

#[test]
fn without_the_variables_there_is_no_store() {
    let runner = Runner::in_pool("octo-org/app");
    runner
        .run(&["peers", "discover"])
        .ok()
        .says(&["no stores", "ACTIONS_RUNTIME_TOKEN"]);
    runner
        .run(&["peers", "register"])
        .fails(1, &["ACTIONS_RUNTIME_TOKEN", "--directory"]);
    Runner::new()
        .run(&["peers", "discover"])
        .fails(1, &["ghswarm start"]);
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// Looks into every file under `folder`.
fn holds_none_of(folder: &Path, texts: &[&str], read: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holds_none_of(&path, texts, read);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            *read += 1;
            for text in texts {
                assert!(!contains(&bytes, text), "{text} in {}", path.display());
            }
        }
    }
}
