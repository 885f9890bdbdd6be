//! Whatever is wrong, the job goes on with one notice; unless it asked to be strict.

use std::net::TcpListener;

use ghswarm_lab::runner::{Ended, Level, Step, process};

use super::{START, Stage};
use crate::needs;

/// What a job is left with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// GitHub itself.
    Fallback,
    /// A cache with less than was asked for.
    Less,
}

/// Runs a start with something wrong, and once more strictly.
#[track_caller]
fn meets(mut stage: Stage, step: &Step, left: Left, words: &str) {
    let strict = step.clone().env("GHSWARM_INPUT_STRICT", "true");
    let ended = stage.step(step);
    let Ended {
        failed,
        annotations,
        outputs,
        log,
        ..
    } = &ended;
    assert!(!failed, "{log}");
    assert_eq!(annotations.len(), 1, "{log}");
    assert_eq!(annotations[0].level, Level::Notice);
    assert_eq!(annotations[0].title.as_deref(), Some("ghswarm"));
    let message = &annotations[0].message;
    assert!(message.contains(words), "{message}");
    // Nothing to write them to is a fault as well.
    if let Some(status) = outputs.get("cache-status") {
        let fallback = status == "fallback";
        assert_eq!(fallback, left == Left::Fallback, "{log}");
        let github = outputs["api-url"] == "https://api.github.com";
        assert_eq!(github, fallback, "{outputs:?}");
    }
    assert_eq!(left == Left::Fallback, stage.job.orphans().is_empty());
    assert_eq!(
        left == Left::Fallback,
        !stage.job.exported().contains_key("GH_CONFIG_DIR")
    );
    // A daemon that is there already would be joined.
    let left_behind = stage.job.orphans();
    for &pid in &left_behind {
        process::kill(pid);
    }
    super::end(&left_behind, &stage.path("temp/ghswarm/daemon.log"));
    let strict = stage.step(&strict);
    assert!(strict.failed, "{}", strict.log);
    assert_eq!(strict.annotations.len(), 1, "{}", strict.log);
    assert_eq!(strict.annotations[0].level, Level::Error);
}

fn start() -> Step {
    Step::run(START)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_for_the_state() {
    let stage = Stage::new().await;
    ghswarm::files::write_atomic(&stage.path("temp/ghswarm"), b"").unwrap();
    meets(stage, &start(), Left::Fallback, "state directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_place_for_the_cache() {
    let stage = Stage::new().await;
    ghswarm::files::write_atomic(&stage.path("cache"), b"").unwrap();
    meets(stage, &start(), Left::Less, "cache directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let stage = Stage::new().await.with("GHSWARM_LISTEN", &address);
    meets(stage, &start(), Left::Fallback, &address);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_for_peers_that_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    let stage = Stage::new().await.with("GHSWARM_P2P_LISTEN", &address);
    meets(
        stage,
        &start(),
        Left::Less,
        &format!("port {port} is taken"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_make_no_sense() {
    for (name, value, words) in [
        ("GHSWARM_INPUT_CACHE_SIZE", "lots", "input cache-size"),
        ("GHSWARM_INPUT_P2P_PORT", "90000", "input p2p-port"),
        ("GHSWARM_INPUT_TRUST", "everybody", "input trust"),
        ("GHSWARM_INPUT_TRUST", "swarm", "nothing is shared"),
        ("GHSWARM_INPUT_POOL_SECRET", "short", "nothing is shared"),
    ] {
        let stage = Stage::new().await;
        meets(stage, &start().env(name, value), Left::Less, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_variables_that_cannot_be_written() {
    let stage = Stage::new().await;
    let unwritable = "rm \"$GITHUB_ENV\"; mkdir \"$GITHUB_ENV\"; ";
    let step = Step::run(&format!("{unwritable}{START}"));
    meets(stage, &step, Left::Fallback, "GITHUB_ENV");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_of_another_job_is_left_alone() {
    let mut other = Stage::new().await;
    other.start();
    let theirs = other.path("temp/ghswarm");
    let mut stage = Stage::new()
        .await
        .with("GHSWARM_STATE_DIR", super::text(&theirs))
        .having(|job| job.context("GITHUB_JOB", "another"));
    let start = stage.start();
    let own = stage.path("temp/ghswarm/ghswarm.sock");
    assert_eq!(start.outputs["socket"], super::text(&own));
    stage.asks();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_is_not_reached() {
    let stage = Stage::new()
        .await
        .with("GHSWARM_ORIGIN", "http://127.0.0.1:1");
    meets(
        stage,
        &start(),
        Left::Less,
        "GitHub is not reached at 127.0.0.1",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_workspace_that_makes_no_sense() {
    let stage = Stage::new().await;
    let folder = stage.path("workspace/.github");
    std::fs::create_dir_all(&folder).unwrap();
    let text = b"cache:\n  max_size: lots\n";
    ghswarm::files::write_atomic(&folder.join("cache-config.yml"), text).unwrap();
    meets(stage, &start(), Left::Less, "max_size");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full() {
    if needs::program("unshare").is_none() {
        return needs::skip("unshare");
    }
    let mut stage = Stage::new().await;
    // A file system without room, where the state goes, that only this step and what it starts can see.
    let on_full_disk = |script: &str| {
        Step::run(&format!(
            "mkdir -p \"$RUNNER_TEMP/ghswarm\"
             unshare -rm sh -c 'cd \"$RUNNER_TEMP/ghswarm\"
             mount -t tmpfs -o size=4k tmpfs . || exit 77
             head -c 8192 /dev/zero > \"$RUNNER_TEMP/ghswarm/full\" 2>/dev/null || :
             {script}'"
        ))
    };
    if stage.step(&on_full_disk("exit 0")).code == 77 {
        return needs::skip("mount");
    }
    meets(
        stage,
        &on_full_disk(START),
        Left::Fallback,
        "state directory",
    );
}
