//! go-github and githubv4: by a base URL, as for an Enterprise Server, and as Terraform's provider sets
//! them up (`tests/clients/go`).

use serde_json::{Value, json};

use super::stage::{Stage, joined};
use super::{APP, ISSUES, RUNS};

#[tokio::test]
async fn go_clients_read_everything_once_whatever_they_take_github_for() {
    let Some(stage) = Stage::with_go().await else {
        return;
    };
    let commits = format!("{APP}/commits?per_page=20");
    for client in ["go-github", "enterprise", "terraform"] {
        stage.forget();
        let seen = stage
            .twice(async || stage.go(&[("CLIENT", client)]).await)
            .await;

        let seen: Value = serde_json::from_str(&seen).unwrap();
        let repository = stage.github_says(APP).await;
        let [issues, commits, runs] = [
            stage.all_pages(ISSUES, None).await,
            stage.all_pages(&commits, None).await,
            stage.all_pages(RUNS, Some("workflow_runs")).await,
        ];
        let expected = json!({
            "repository": [repository["id"], repository["full_name"], repository["description"]],
            "titles": joined(&issues, |it| json!([it["number"], it["title"], text(&it["body"])])),
            "messages": joined(&commits, |it| json!([it["sha"], it["commit"]["message"]])),
            "runs": joined(&runs, |it| json!([it["id"], it["status"], it["head_sha"]])),
            "unchanged": 304,
            "login": "octocat",
        });
        assert_eq!(seen, expected, "{client}");
    }
}

#[tokio::test]
async fn the_origin_may_be_an_enterprise_server_whatever_a_client_takes_it_for() {
    let Some(stage) = Stage::with_go_before_enterprise().await else {
        return;
    };
    for client in ["go-github", "terraform"] {
        stage.forget();
        stage
            .twice(async || stage.go(&[("CLIENT", client)]).await)
            .await;
        for seen in stage.github.requests() {
            let is_its_own = seen.path == "/api/graphql" || seen.path.starts_with("/api/v3/repo");
            assert!(is_its_own, "{client}: {}", seen.path);
        }
    }
}

#[tokio::test]
async fn a_resource_that_terraform_changes_is_read_as_changed() {
    let Some(stage) = Stage::with_go().await else {
        return;
    };
    let rename = [("CLIENT", "terraform"), ("RENAME", "Managed")];
    let seen: Value = serde_json::from_str(&stage.go(&rename).await).unwrap();
    assert_ne!(seen[0], "Managed");
    assert_eq!(seen[1], "Managed");
}

/// As Go reads a string that may be `null`.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
