//! Nobody called `finish`: the runner's hook says what is known.

use super::stage::{FINISH, START, Stage};

const ASK: &str = r#"for time in 1 2 3 4; do "$P" api repos/octo-org/app >/dev/null; done"#;
const WRITTEN: &str = r#"until grep -q '"requests":4,' "$RUNNER_TEMP/ghswarm/counters.json"; do "$P" stats >/dev/null; done"#;

#[tokio::test]
async fn what_a_killed_daemon_had_counted_is_told_once() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    stage.fine(ASK).await;
    stage.fine(WRITTEN).await;
    stage.kill(&["keeper_pid", "pid"]).await;
    let (said, summary) = stage.hook().await;
    assert!(
        summary.contains("3 GitHub API calls saved: GitHub counted 1"),
        "{summary}"
    );
    assert!(summary.contains("wrote down last"), "{summary}");
    let log = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(log.contains("API calls saved: 3"), "{log}");
    let (said, summary) = stage.hook().await;
    assert_eq!((summary.as_str(), said.stdout.len()), ("", 0));
}

#[tokio::test]
async fn a_daemon_that_nobody_finished_is_summed_up_and_ended() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    stage.fine(ASK).await;
    let (_, summary) = stage.hook().await;
    assert!(summary.contains("3 GitHub API calls saved"), "{summary}");
    assert!(!summary.contains("wrote down last"), "{summary}");
    assert!(!stage.state().join("ready.json").exists());
    assert_eq!(stage.job().orphans(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_job_that_was_summed_up_is_only_ended() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    stage.fine(ASK).await;
    stage.fine(FINISH).await;
    let (said, summary) = stage.hook().await;
    assert_eq!((summary.as_str(), said.stdout.len()), ("", 0), "{said:?}");
    assert!(!stage.state().join("ready.json").exists());
}

#[tokio::test]
async fn a_job_that_did_not_use_it_hears_nothing() {
    let stage = Stage::new().await;
    let (said, summary) = stage.hook().await;
    assert_eq!(
        (said.stdout.len(), said.stderr.len(), summary.len()),
        (0, 0, 0)
    );
    std::fs::create_dir(stage.state()).unwrap();
    let program = stage.state().join("program");
    for rubbish in ["", "/nowhere/ghswarm", "/etc/passwd"] {
        ghswarm::files::write_atomic(&program, rubbish.as_bytes()).unwrap();
        let (said, summary) = stage.hook().await;
        assert_eq!((said.stdout.len(), summary.len()), (0, 0), "{said:?}");
    }
}
