//! After the last step: whatever still has our addresses gets GitHub's answers.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use tokio::process::Command;

use super::stage::{FINISH, START, Stage};
use crate::needs;

#[tokio::test]
async fn who_still_has_our_addresses_gets_githubs_answers() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    let exported = stage.job().exported().clone();
    let (url, socket) = (
        exported["GHSWARM_API_URL"].clone(),
        exported["GHSWARM_SOCKET"].clone(),
    );
    stage
        .fine(r#""$P" api repos/octo-org/app >/dev/null"#)
        .await;
    stage.fine(FINISH).await;

    // Later steps that hear of it go to GitHub by themselves.
    for (name, before) in [
        ("GH_CONFIG_DIR", ""),
        ("GHSWARM_API_URL", ""),
        ("GHSWARM_STATE_DIR", ""),
        ("NO_PROXY", ""),
    ] {
        assert_eq!(stage.job().exported()[name], before, "{name}");
    }
    assert_eq!(
        stage.job().exported()["GHSWARM_PROGRAM"],
        env!("CARGO_BIN_EXE_ghswarm")
    );

    let asked = |stage: &Stage| stage.github.usage().total.requests;
    let before = asked(&stage);
    for _ in 0..2 {
        for how in [
            format!("{url}/repos/octo-org/app"),
            format!("--unix-socket {socket} http://api.github.com/repos/octo-org/app"),
        ] {
            let script = format!(r#"curl -sS -f -D - -H "Authorization: Bearer $GH_TOKEN" {how}"#);
            let said = stage.fine(&script).await.log;
            assert!(said.contains("\"full_name\":\"octo-org/app\""), "{said}");
            assert!(
                said.to_lowercase().contains("detail=pass-through"),
                "{said}"
            );
        }
    }
    assert_eq!(asked(&stage) - before, 4, "each of them is GitHub's own");
    let issue = format!("{url}/repos/octo-org/app/issues/1");
    let write = format!(
        r#"curl -sS -f -X PATCH -H "Authorization: Bearer $GH_TOKEN" -d '{{"title":"later"}}' {issue}"#
    );
    assert!(stage.fine(&write).await.log.contains("\"title\":\"later\""));

    if let Some(gh) = needs::program("gh") {
        let folder = &exported["GH_CONFIG_DIR"];
        let script = format!(
            "GH_CONFIG_DIR={folder} {} api repos/octo-org/app --jq .full_name",
            gh.display()
        );
        assert_eq!(stage.fine(&script).await.log, "octo-org/app\n");
        assert_eq!(asked(&stage) - before, 6);
    } else {
        needs::skip("gh");
    }
}

#[tokio::test]
async fn a_daemon_that_dies_after_the_summary_does_not_begin_to_cache_again() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    let url = stage.job().exported()["GHSWARM_API_URL"].clone();
    let first = stage.fine(FINISH).await;
    stage.kill(&["pid"]).await;
    for _ in 0..2 {
        let script = format!(
            r#"curl -sS -f -D - -H "Authorization: Bearer $GH_TOKEN" {url}/repos/octo-org/app"#
        );
        let said = stage.fine(&script).await.log;
        assert!(
            said.to_lowercase().contains("detail=pass-through"),
            "{said}"
        );
    }
    let again = stage.fine(FINISH).await;
    assert!(first.summary.contains("## ghswarm") && again.summary.is_empty());
}

#[tokio::test]
async fn the_daemon_of_the_host_goes_on_for_the_jobs_that_come() {
    let stage = Stage::new().await;
    let place = stage.path("host").display().to_string();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghswarm"));
        command
            .args(arguments)
            .args(["--state-dir", &place])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", stage.path("home"))
            .env("GHSWARM_ORIGIN", stage.github.url())
            .stdin(Stdio::null());
        command
    };
    let started = command(&["start", "--owner=host"]).output().await.unwrap();
    assert!(started.status.success(), "{started:?}");
    let mut end = command(&["stop"]);
    let mut stage = stage.env("GHSWARM_STATE_DIR", &place);
    stage.fine(START).await;
    let url = stage.job().exported()["GHSWARM_API_URL"].clone();
    let ask = format!(
        r#"curl -sS -f -D - -H "Authorization: Bearer $GH_TOKEN" {url}/repos/octo-org/app"#
    );
    stage.fine(&ask).await;
    let ended = stage.fine(FINISH).await;
    assert!(
        ended.summary.contains("the numbers of the host's daemon"),
        "{}",
        ended.summary
    );
    let said = stage.fine(&ask).await.log;
    assert!(said.contains("ghswarm; hit;"), "{said}");
    let rude = format!(
        "curl -sS -o /dev/null -w '%{{http_code}}' -X POST --unix-socket {place}/ghswarm.sock http://ghswarm.internal/finish"
    );
    assert_eq!(stage.fine(&rude).await.log.trim(), "409");
    assert!(end.output().await.unwrap().status.success());
}

#[tokio::test]
async fn what_anybody_may_read_is_left_for_later_jobs() {
    let mut stage = Stage::new().await.env("GHSWARM_INPUT_CACHE", "true");
    stage.fine(START).await;
    let url = stage.job().exported()["GHSWARM_API_URL"].clone();
    // Nobody's token: so anybody may read it.
    stage
        .fine(&format!(
            "curl -sS -f -o /dev/null {url}/repos/octo-org/hello"
        ))
        .await;
    stage
        .fine(r#""$P" api repos/octo-org/secret >/dev/null"#)
        .await;
    // The last step of the action is not given the input.
    let ended = stage
        .fine(&format!("unset GHSWARM_INPUT_CACHE; {FINISH}"))
        .await;
    assert_eq!(ended.outputs["save-snapshot"], "true", "{}", ended.log);
    let key = &ended.outputs["snapshot-key"];
    assert!(
        key.starts_with("ghswarm-snapshot/") && key.contains("4711-1-build-0"),
        "{key}"
    );
    let snapshot = stage.path("workspace/.ghswarm/snapshot");
    assert_eq!(
        snapshot.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(ended.log.contains("exported 1 entries"), "{}", ended.log);
    let again = stage.fine(FINISH).await;
    assert!(
        !again.outputs.contains_key("save-snapshot"),
        "{:?}",
        again.outputs
    );
}
