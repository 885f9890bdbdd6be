//! Clients on node that know GitHub by more than a base URL: an action's octokit with its plugins, an
//! app's, and Renovate's requests.

use serde_json::Value;

use super::stage::Stage;
use super::{APP, ISSUES, RUNS};

#[tokio::test]
async fn github_script_reads_everything_once_by_environment_and_by_input() {
    let Some(stage) = Stage::with_packages(&["github-script-github", "github-script-retry"]).await
    else {
        return;
    };
    let script = include_str!("../../clients/github_script.mjs");
    let url = stage.url();
    let ways: [&[(&str, &str)]; 2] = [
        &[("GITHUB_API_URL", &url)],
        // The input of that name. Its requests are made for api.github.com's proxy, if there is one.
        &[("BASE_URL", &url), ("HTTPS_PROXY", ""), ("https_proxy", "")],
    ];
    for way in ways {
        stage.forget();
        let seen = stage.twice(async || stage.node(script, way).await).await;
        let seen: Value = serde_json::from_str(&seen).unwrap();
        holds_what_github_says(&stage, &seen).await;
    }
}

#[tokio::test]
async fn an_app_of_probot_reads_everything_once() {
    let Some(stage) = Stage::with_packages(&["probot"]).await else {
        return;
    };
    let script = include_str!("../../clients/probot.mjs");
    let url = stage.url();
    let host = [
        ("GHE_HOST", url.trim_start_matches("http://")),
        ("GHE_PROTOCOL", "http"),
    ];
    let seen = stage.twice(async || stage.node(script, &host).await).await;
    let seen: Value = serde_json::from_str(&seen).unwrap();
    holds_what_github_says(&stage, &seen).await;
}

#[tokio::test]
async fn requests_of_renovate_stay_on_its_endpoint_and_cost_nothing_again() {
    let Some(stage) = Stage::with_packages(&["got"]).await else {
        return;
    };
    let script = include_str!("../../clients/renovate.mjs");
    let url = stage.url();
    let seen = stage
        .twice(async || stage.node(script, &[("API_URL", &url)]).await)
        .await;
    let seen: Value = serde_json::from_str(&seen).unwrap();
    holds_what_github_says(&stage, &seen).await;
    let detects = [("API_URL", &*url), ("DETECT", "1")];
    assert_eq!(stage.node(script, &detects).await.trim(), "200");
}

/// What all of them read.
async fn holds_what_github_says(stage: &Stage, seen: &Value) {
    assert_eq!(seen["repository"], stage.github_says(APP).await);
    assert_eq!(seen["issues"], stage.all_pages(ISSUES, None).await);
    let runs = stage.all_pages(RUNS, Some("workflow_runs")).await;
    assert_eq!(seen["runs"], runs);
    assert_eq!(seen["login"], "octocat");
}
