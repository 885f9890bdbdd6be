//! Gates, the script, and what is logged.

use std::time::Duration;

use ghswarm_lab::{Matcher, Phase, TokenSpec};

use crate::client::{fake, get};

#[tokio::test]
async fn a_gate_orders_reads_and_changes() {
    let github = std::sync::Arc::new(fake().await);
    let path = "/repos/octo-org/hello";
    for (phase, expected) in [(Phase::BeforeRead, true), (Phase::AfterRead, false)] {
        let gate = github.hold_at(Matcher::get(path).once(), phase);
        let asked = github.clone();
        let parked = tokio::spawn(async move { get(path).send(&asked).await });
        gate.arrived().await;
        assert_eq!(gate.waiting(), 1);
        let text = format!("changed for {phase:?}");
        github.change(|state| {
            state
                .repo_mut("octo-org/hello")
                .unwrap()
                .description
                .clone_from(&text);
        });
        gate.release();
        let body = parked.await.unwrap().json();
        assert_eq!(body["description"] == text.as_str(), expected, "{phase:?}");
    }
    assert_eq!(github.usage().total.max_concurrency, 1);
}

#[tokio::test]
async fn many_wait_at_one_gate() {
    let github = std::sync::Arc::new(fake().await);
    let gate = github.hold(Matcher::get("/zen"));
    let all: Vec<_> = (0..5)
        .map(|_| {
            let github = github.clone();
            tokio::spawn(async move { get("/zen").send(&github).await.status })
        })
        .collect();
    gate.arrivals(5).await;
    gate.release();
    for one in all {
        assert_eq!(one.await.unwrap(), 200);
    }
    assert_eq!(github.usage().total.max_concurrency, 5);
    assert_eq!(
        github.usage().bucket("address:127.0.0.1").max_concurrency,
        5
    );
}

#[tokio::test]
async fn the_script_follows_the_clock() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat").everything());
    let repo = "octo-org/hello";
    let run = github
        .change(|state| state.create_run(repo, "ci.yml", "main", "push"))
        .unwrap();
    let step = |status: &'static str, conclusion: Option<&'static str>| {
        ghswarm_lab::github::change(move |state| {
            state.set_run_status(repo, run, status, conclusion).unwrap();
        })
    };
    github.script(vec![
        (Duration::from_secs(10), step("in_progress", None)),
        (Duration::from_secs(30), step("completed", Some("success"))),
    ]);
    let path = format!("/repos/{repo}/actions/runs/{run}");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let body = get(&path).by(&token).send(&github).await.json();
        seen.push(body["status"].as_str().unwrap().to_owned());
        github.clock().advance(Duration::from_secs(15));
    }
    assert_eq!(seen, ["queued", "in_progress", "completed"]);
    let body = get(&path).by(&token).send(&github).await.json();
    let at = crate::client::START + 30;
    assert_eq!(body["updated_at"], ghswarm_lab::clock::iso(at));
}

#[tokio::test]
async fn the_log_keeps_what_matters() {
    let github = fake().await;
    get("/zen?a=b")
        .with("if-none-match", "\"x\"")
        .send(&github)
        .await;
    let log = github.requests();
    assert_eq!(
        (log.len(), log[0].path.as_str(), log[0].status),
        (1, "/zen?a=b", 200)
    );
    assert_eq!(log[0].header("if-none-match"), Some("\"x\""));
    assert_eq!(log[0].host, "api.github.com");
    github.reset_usage();
    assert_eq!(
        (github.requests().len(), github.usage().total.requests),
        (0, 0)
    );
    assert!(
        serde_json::to_string(&github.usage())
            .unwrap()
            .contains("max_points_minute")
    );
}
