//! Two jobs at a time on one host, each with a daemon of its own.

use serde_json::Value;

use super::{HELLO, Runners};

fn path(ready: &Value, name: &str) -> String {
    ready[name].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_jobs_share_one_store_and_neither_dies_with_the_other() {
    let host = Runners::new().await;
    let (mut one, other) = (host.job("one"), host.job("other"));
    let first = one.ghswarm(&["start"]).await.ok().json();
    let second = other.ghswarm(&["start"]).await.ok().json();
    assert_eq!(
        (&first["owner"], &second["owner"]),
        (&"job".into(), &"job".into())
    );
    assert_ne!(first["pid"], second["pid"]);
    assert_ne!(first["state_dir"], second["state_dir"]);
    assert_eq!(first["cache_dir"], second["cache_dir"]);

    // What one has fetched costs the other nothing: `cache list` waits until it is written.
    let fetched = one.reads(HELLO).await;
    one.ghswarm(&["cache", "list"]).await.ok();
    assert_eq!(host.counted(), 1);
    assert_eq!(other.reads(HELLO).await, fetched);
    assert_eq!(host.counted(), 1);

    // In the middle of everything, as a runner ends a job.
    let killed = one.processes();
    assert!(killed.len() >= 2, "a keeper and a daemon: {killed:?}");
    one.end();
    assert_eq!(other.reads(HELLO).await, fetched);
    let now = other.ghswarm(&["start"]).await.ok().json();
    assert_eq!(now["pid"], second["pid"], "it was not even restarted");
    let stats = other
        .ghswarm(&["stats", "--format", "json"])
        .await
        .ok()
        .json();
    assert_eq!(stats["requests"], 2, "{stats}");

    // And the next job has what both left.
    let third = host.job("third");
    let next = third.ghswarm(&["start"]).await.ok().json();
    assert_eq!(next["cache_dir"], first["cache_dir"]);
    assert_eq!(third.reads(HELLO).await, fetched);
    assert_eq!(host.counted(), 1);
    other.ghswarm(&["stop"]).await.ok();
    assert_eq!(third.reads(HELLO).await, fetched);
}

#[tokio::test]
async fn what_one_job_writes_the_other_reads_although_its_writer_was_killed() {
    let host = Runners::new().await;
    let (mut one, other) = (host.job("one"), host.job("other"));
    let issue = "repos/octo-org/hello/issues/1";
    for job in [&one, &other] {
        job.ghswarm(&["start"]).await.ok();
        job.reads(issue).await;
    }
    let change = ["api", "-X", "PATCH", issue, "-f", "title=changed"];
    one.ghswarm(&change).await.ok();
    one.end();
    assert_eq!(other.reads(issue).await["title"], "changed");
}

#[tokio::test]
async fn a_job_never_uses_the_daemon_of_another_job() {
    let host = Runners::new().await;
    let (mut one, mut other) = (host.job("one"), host.job("other"));
    // As the settings of a runner could have it for all jobs.
    let shared = host.path().join("shared");
    for job in [&mut one, &mut other] {
        job.set("GHSWARM_STATE_DIR", shared.to_str().unwrap());
    }
    let ready = one.ghswarm(&["start"]).await.ok().json();
    assert_eq!(
        one.ghswarm(&["start"]).await.ok().json(),
        ready,
        "a later step"
    );

    let refused = other.ghswarm(&["start"]).await;
    assert_eq!((refused.code, refused.text()), (1, ""));
    assert!(
        refused.stderr.contains("another job's"),
        "{}",
        refused.stderr
    );
    let script = ["exec", "--", "sh", "-c", "echo ${GHSWARM_SOCKET-none}"];
    let without = other.ghswarm(&script).await.ok();
    assert_eq!(without.text(), "none\n");
    assert_eq!(without.stderr.lines().count(), 1, "{}", without.stderr);
    let stopped = other.ghswarm(&["stop"]).await.ok();
    assert!(stopped.stderr.contains("goes on"), "{}", stopped.stderr);
    assert_eq!(one.ghswarm(&["start"]).await.ok().json(), ready);

    one.ghswarm(&["stop"]).await.ok();
    assert!(!path(&ready, "socket").is_empty() && !shared.join("ready.json").exists());
    other.ghswarm(&["start"]).await.ok();
}

#[tokio::test]
async fn a_users_daemon_is_no_jobs() {
    let host = Runners::new().await;
    let (mut user, mut job) = (host.job("user"), host.job("job"));
    let shared = host.path().join("shared");
    user.set("GITHUB_ACTIONS", "");
    for who in [&mut user, &mut job] {
        who.set("GHSWARM_STATE_DIR", shared.to_str().unwrap());
    }
    let ready = user.ghswarm(&["start"]).await.ok().json();
    assert_eq!(ready["owner"], "user");
    let refused = job.ghswarm(&["env"]).await;
    assert_eq!((refused.code, refused.text()), (1, ""));
    assert!(
        refused.stderr.contains("--owner host"),
        "{}",
        refused.stderr
    );
    user.ghswarm(&["stop"]).await.ok();

    // The same place with a daemon for everybody.
    user.set("GHSWARM_OWNER", "host");
    let ready = user.ghswarm(&["start"]).await.ok().json();
    assert_eq!(ready["owner"], "host");
    assert_eq!(job.ghswarm(&["start"]).await.ok().json(), ready);
    // What a job needs for itself goes with the job.
    let variables = job.uses_the_cache().await.json();
    let folder = variables["GH_CONFIG_DIR"].as_str().unwrap();
    assert!(folder.starts_with(job.temp().to_str().unwrap()), "{folder}");
    for _ in 0..2 {
        let stopped = job.ghswarm(&["stop", "--format", "json"]).await.ok();
        assert!(
            stopped.stderr.contains("host's and goes on"),
            "{}",
            stopped.stderr
        );
        assert!(stopped.json()["requests"].is_u64());
    }
    job.end();
    assert_eq!(user.ghswarm(&["start"]).await.ok().json(), ready);
    user.ghswarm(&["stop"]).await.ok();
}
