//! The keeper: a daemon may die, its clients do not notice.

use std::process::Stdio;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Sandbox, kill, over_socket, path_of};

const REPOSITORY: &str = "GET /repos/octo-org/hello HTTP/1.1\r\nHost: api.github.com";
const READY: &str = "GET /ready HTTP/1.1\r\nHost: ghswarm.internal";

/// `ready.json` as whoever holds the socket tells it. Connecting waits for a daemon to come back.
async fn ready(sandbox: &Sandbox) -> Value {
    let answer = over_socket(&sandbox.state_dir().join("ghswarm.sock"), READY).await;
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Kills the daemon and returns what answers after it.
pub(super) async fn after_death(dead: &Value) -> Value {
    assert!(kill(dead["pid"].as_i64().unwrap(), "-KILL"));
    // A connection that the dying process still had accepted breaks off; every later one waits.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    loop {
        let socket = path_of(dead, "socket");
        let answer = over_socket(&socket, READY).await;
        if let Some((_, body)) = answer.split_once("\r\n\r\n") {
            let ready: Value = serde_json::from_str(body).unwrap();
            if ready["pid"] != dead["pid"] {
                return ready;
            }
        }
        assert!(tokio::time::Instant::now() < deadline, "nobody came back");
    }
}

#[tokio::test]
async fn a_killed_daemon_comes_back_behind_the_same_sockets() {
    let sandbox = Sandbox::new().await;
    let first = sandbox.start().await;
    let second = after_death(&first).await;
    for same in ["api_url", "socket", "admin_url", "keeper_pid"] {
        assert_eq!(second[same], first[same], "{same}");
    }
    let answer = over_socket(&path_of(&second, "socket"), REPOSITORY).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    sandbox.run(["stop"]).await.ok();
    assert!(!sandbox.state_dir().join("ghswarm.sock").exists());
}

#[tokio::test]
async fn after_three_crashes_requests_pass_through_and_commands_say_so() {
    let sandbox = Sandbox::new().await;
    let mut alive = sandbox.start().await;
    for _ in 0..3 {
        alive = after_death(&alive).await;
    }
    assert_eq!(alive["pid"], Value::Null, "{alive}");
    let answer = over_socket(&path_of(&alive, "socket"), REPOSITORY).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.to_lowercase().contains("detail=pass-through"),
        "{answer}"
    );
    let stats = sandbox.run(["stats"]).await;
    assert_eq!((stats.code, stats.stdout.len()), (1, 0));
    assert!(stats.stderr.contains("keeps dying"), "{}", stats.stderr);
    let stopped = sandbox.run(["stop"]).await.ok();
    assert!(stopped.stderr.contains("0 requests"), "{}", stopped.stderr);
    assert!(!sandbox.state_dir().join("ready.json").exists());
}

#[tokio::test]
async fn a_write_that_passed_through_is_known_to_the_daemons_beside() {
    let sandbox = Sandbox::new().await;
    let mut alive = sandbox.start().await;
    let mut beside = sandbox
        .command(["serve", "--state-dir", "beside"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(beside.stdout.take().unwrap());
    output.read_line(&mut line).await.unwrap();
    let other: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(other["cache_dir"], alive["cache_dir"]);

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |method: Method, ready: &Value, body: &str| {
        let url = ready["api_url"].as_str().unwrap().to_owned() + "/repos/octo-org/app/issues/1";
        let request = client
            .request(method, url)
            .bearer_auth(sandbox.token.value());
        let answer = request.body(body.to_owned()).send().await.unwrap();
        let cache = answer.headers()["cache-status"]
            .to_str()
            .unwrap()
            .to_owned();
        let issue: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (issue["title"].as_str().unwrap().to_owned(), cache)
    };
    ask(Method::GET, &other, "").await;
    let (_, cache) = ask(Method::GET, &other, "").await;
    assert!(cache.contains("; hit;"), "{cache}");
    for _ in 0..3 {
        alive = after_death(&alive).await;
    }
    let (_, cache) = ask(Method::PATCH, &alive, r#"{"title":"changed"}"#).await;
    assert!(cache.contains("pass-through"), "{cache}");
    assert_eq!(ask(Method::GET, &other, "").await.0, "changed");
}

#[tokio::test]
async fn a_strict_keeper_ends_instead() {
    let sandbox = Sandbox::new().await;
    let mut alive = sandbox.run(["start", "--strict"]).await.ok().json();
    for _ in 0..2 {
        alive = after_death(&alive).await;
    }
    assert!(kill(alive["pid"].as_i64().unwrap(), "-KILL"));
    // The lock is free once the keeper is gone, too.
    let lock = std::fs::File::open(sandbox.state_dir().join("lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock())
        .await
        .unwrap()
        .unwrap();
    let log = std::fs::read_to_string(sandbox.state_dir().join("daemon.log")).unwrap();
    assert!(log.contains("--strict forbids"), "{log}");
    assert!(!sandbox.state_dir().join("ghswarm.sock").exists());
}

#[tokio::test]
async fn a_keeper_that_is_asked_to_end_ends_its_daemon_first() {
    let sandbox = Sandbox::new().await;
    let alive = sandbox.start().await;
    assert_eq!(ready(&sandbox).await, alive);
    assert!(kill(alive["keeper_pid"].as_i64().unwrap(), "-TERM"));
    let lock = std::fs::File::open(sandbox.state_dir().join("lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock())
        .await
        .unwrap()
        .unwrap();
    assert!(!sandbox.state_dir().join("ready.json").exists());
    let log = std::fs::read_to_string(sandbox.state_dir().join("daemon.log")).unwrap();
    assert!(log.contains("stopped"), "{log}");
}

#[tokio::test]
async fn a_daemon_outlives_its_keeper_and_a_new_start_finds_it() {
    let sandbox = Sandbox::new().await;
    let alive = sandbox.start().await;
    assert!(kill(alive["keeper_pid"].as_i64().unwrap(), "-KILL"));
    assert_eq!(sandbox.start().await, alive);
    sandbox.run(["stop"]).await.ok();
    assert_ne!(sandbox.start().await["pid"], alive["pid"]);
}
