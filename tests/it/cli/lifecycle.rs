//! `start`, `serve`, `stop`, `stats`, and the files they leave.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ghswarm_lab::TokenSpec;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Sandbox, kill, over_socket, path_of};

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path)
        .unwrap()
        .permissions()
        .mode()
        & 0o777
}

#[tokio::test]
async fn start_says_how_to_reach_the_daemon_and_a_second_start_finds_it() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    let names: Vec<_> = ready
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = [
        "api_url",
        "socket",
        "admin_url",
        "admin_token_file",
        "peer_id",
        "multiaddrs",
        "pid",
        "keeper_pid",
        "owner",
        "state_dir",
        "cache_dir",
        "version",
    ];
    expected.sort_unstable();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert_eq!(
        (&ready["peer_id"], &ready["multiaddrs"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(ready["owner"], "user");
    assert_eq!(path_of(&ready, "state_dir"), sandbox.state_dir());
    assert_eq!(sandbox.ready(), ready);

    let answer = over_socket(
        &path_of(&ready, "socket"),
        "GET /ready HTTP/1.1\r\nHost: ghswarm.internal",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(sandbox.start().await, ready);

    let stopped = sandbox.run(["stop", "--format", "json"]).await.ok();
    assert!(stopped.json()["requests"].is_u64());
    for left in ["ready.json", "ghswarm.sock"] {
        assert!(!sandbox.state_dir().join(left).exists(), "{left}");
    }
    assert!(sandbox.state_dir().join("counters.json").exists());
    let again = sandbox.run(["stop"]).await.ok();
    assert!(
        again.stdout.is_empty() && again.stderr.contains("no daemon"),
        "{}",
        again.stderr
    );
}

#[tokio::test]
async fn what_belongs_to_the_user_is_for_the_user_alone() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    sandbox.run(["cache", "put", "key", "value"]).await.ok();
    let mut directories = ["state_dir", "cache_dir"]
        .map(|dir| path_of(&ready, dir))
        .to_vec();
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
        for entry in directory.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 12, "the database and its log among them: {seen}");
    let token = std::fs::read_to_string(path_of(&ready, "admin_token_file")).unwrap();
    assert_eq!(token.len(), 64);
    let log = std::fs::read_to_string(sandbox.state_dir().join("daemon.log")).unwrap();
    assert!(
        log.contains("listening") && !log.contains(sandbox.token.value()),
        "{log}"
    );
}

#[tokio::test]
async fn a_daemon_inherits_no_token() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    for name in ["pid", "keeper_pid"] {
        let environment = std::fs::read(format!("/proc/{}/environ", ready[name])).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        assert!(!environment.contains(sandbox.token.value()), "{name}");
    }
}

#[tokio::test]
async fn flags_win_over_the_environment() {
    let sandbox = Sandbox::new().await;
    let state = sandbox.home().join("elsewhere");
    let mut start = sandbox.command([
        "start",
        "--state-dir",
        "elsewhere",
        "--ready-file",
        "r.json",
    ]);
    start
        .env("GHSWARM_STATE_DIR", "/nowhere")
        .env("RUNNER_TEMP", "/nowhere");
    let ready: Value = serde_json::from_slice(&start.output().await.unwrap().stdout).unwrap();
    assert_eq!(path_of(&ready, "state_dir"), state);
    let copy = std::fs::read(sandbox.home().join("r.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&copy).unwrap(), ready);
    sandbox.run(["stop", "--state-dir", "elsewhere"]).await.ok();
    assert!(!sandbox.home().join("r.json").exists());
}

#[tokio::test]
async fn a_deep_state_directory_has_its_socket_elsewhere() {
    let sandbox = Sandbox::new().await;
    let deep = sandbox.home().join("d".repeat(120));
    let mut start = sandbox.command(["start"]);
    let output = start
        .env("GHSWARM_STATE_DIR", &deep)
        .output()
        .await
        .unwrap();
    let ready: Value = serde_json::from_slice(&output.stdout).unwrap();
    let socket = path_of(&ready, "socket");
    assert!(
        socket.starts_with(sandbox.home().join("tmp")),
        "{}",
        socket.display()
    );
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    let mut stop = sandbox.command(["stop"]);
    assert!(
        stop.env("GHSWARM_STATE_DIR", &deep)
            .output()
            .await
            .unwrap()
            .status
            .success()
    );

    let long = "s".repeat(120);
    let refused = sandbox.run(["start", "--socket", &long]).await;
    assert!(
        refused.code == 2 && refused.stderr.contains("107"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn serve_takes_over_what_a_killed_daemon_left_and_ends_on_sigterm() {
    let sandbox = Sandbox::new().await;
    for signal in ["-KILL", "-TERM"] {
        let mut serve = sandbox.command(["serve"]);
        serve
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null());
        let mut child = serve.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["keeper_pid"], Value::Null);
        let second = sandbox.run(["serve"]).await;
        assert_eq!(second.code, 1);
        assert!(
            second.stderr.contains("running already"),
            "{}",
            second.stderr
        );
        assert!(kill(ready["pid"].as_i64().unwrap(), signal));
        let status = child.wait().await.unwrap();
        assert_eq!(status.success(), signal == "-TERM");
        assert_eq!(
            sandbox.state_dir().join("ready.json").exists(),
            signal == "-KILL"
        );
    }
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    let sandbox = Sandbox::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = sandbox.run(["start", "--listen", &address]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains(&address), "{}", refused.stderr);
    let open = sandbox.run(["start", "--listen", "0.0.0.0:0"]).await;
    assert!(
        open.code == 2 && open.stderr.contains("loopback"),
        "{}",
        open.stderr
    );
}

#[tokio::test]
async fn two_starts_at_once_make_one_daemon() {
    let sandbox = Sandbox::new().await;
    let (one, other) = tokio::join!(sandbox.start(), sandbox.start());
    assert_eq!(one, other);
}

#[tokio::test]
async fn statistics_come_in_every_form() {
    let sandbox = Sandbox::new().await;
    for command in [&["stats"][..], &["cache", "list"]] {
        let without = sandbox.run(command).await;
        assert_eq!((without.code, without.stdout.len()), (1, 0));
        assert!(
            without.stderr.contains("ghswarm start"),
            "{}",
            without.stderr
        );
    }
    sandbox.start().await;
    sandbox.run(["api", "repos/octo-org/hello"]).await.ok();
    sandbox.run(["api", "repos/octo-org/hello"]).await.ok();
    let json = sandbox.run(["stats", "--format", "json"]).await.ok().json();
    assert_eq!(json["requests"], 2, "{json}");
    assert_eq!(json["hits"]["memory"], 1, "{json}");
    let table = sandbox.run(["stats"]).await.ok();
    assert!(table.text().contains("from memory"), "{}", table.text());
    let markdown = sandbox.run(["stats", "--format", "markdown"]).await.ok();
    assert!(markdown.text().starts_with("### "), "{}", markdown.text());
    let prometheus = sandbox.run(["stats", "--format", "prometheus"]).await.ok();
    assert!(
        prometheus.text().contains("ghswarm_requests_total 2"),
        "{}",
        prometheus.text()
    );
    let listed = sandbox
        .run(["cache", "list", "--format", "json"])
        .await
        .ok()
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn only_what_made_room_for_others_was_evicted() {
    let sandbox = Sandbox::new().await;
    let without_disk = ["start", "--no-disk", "--memory-limit", "64KiB"];
    sandbox.run(without_disk).await.ok();
    let evictions = async || {
        let stats = sandbox.run(["stats", "--format", "json"]).await.ok().json();
        stats["evictions"].as_u64().unwrap()
    };
    for value in ["one", "two", "three"] {
        sandbox.run(["cache", "put", "key", value]).await.ok();
    }
    assert_eq!(
        evictions().await,
        0,
        "a replaced value made room for itself"
    );
    let large = "x".repeat(30_000);
    for key in ["a", "b", "c", "d"] {
        sandbox.run(["cache", "put", key, &large]).await.ok();
    }
    let evicted = evictions().await;
    assert!((1..=5).contains(&evicted), "{evicted}");
}

#[tokio::test]
async fn every_series_of_prometheus_is_there_once() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    // GitHub tells no name of a budget: two of one kind differ in their limits here.
    for spec in [
        TokenSpec::job("octo-org/hello"),
        TokenSpec::installation(7).read("octo-org/hello"),
    ] {
        let token = sandbox.github.token(spec);
        let mut api = sandbox.command(["api", "repos/octo-org/hello"]);
        let output = api.env("GH_TOKEN", token.value()).output().await.unwrap();
        assert!(output.status.success());
    }
    let metrics = sandbox.run(["stats", "--format", "prometheus"]).await.ok();
    let samples = metrics.text().lines().filter(|line| !line.starts_with('#'));
    let series: Vec<_> = samples
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    let budgets = series
        .iter()
        .filter(|name| name.starts_with("ghswarm_budget_limit{"))
        .count();
    assert_eq!(budgets, 2, "{}", metrics.text());
    let distinct: BTreeSet<_> = series.iter().collect();
    assert_eq!(distinct.len(), series.len(), "{}", metrics.text());
}
