//! octocrab, which speaks to us from this very process.

use octocrab::models::issues::Issue;
use octocrab::{Octocrab, Page, params};
use serde_json::{Value, json};

use super::stage::{Stage, joined};
use super::{APP, ISSUES};

#[tokio::test]
async fn octocrab_reads_everything_once() {
    let stage = Stage::for_rust().await;
    let seen = stage.twice(async || read(&client(&stage)).await).await;

    let seen: Value = serde_json::from_str(&seen).unwrap();
    let issues = stage.all_pages(ISSUES, None).await;
    assert_eq!(seen["repository"], stage.github_says(APP).await);
    assert_eq!(
        seen["titles"],
        joined(&issues, |it| json!([it["number"], it["title"], it["body"]]))
    );
    assert_eq!(seen["login"], "octocat");
}

#[tokio::test]
async fn octocrab_reads_what_it_wrote() {
    let stage = Stage::for_rust().await;
    let client = client(&stage);
    let issues = client.issues("octo-org", "app");
    let before = issues.get(1).await.unwrap();
    issues.update(1).title("Changed").send().await.unwrap();
    let after = issues.get(1).await.unwrap();
    assert_ne!(before.title, "Changed");
    assert_eq!(after.title, "Changed");
}

/// A client like a new process: with connections of its own.
fn client(stage: &Stage) -> Octocrab {
    let builder = Octocrab::builder().base_uri(stage.url()).unwrap();
    builder.personal_token(stage.token()).build().unwrap()
}

/// One object, a long list over all its pages, and a query; as text.
async fn read(client: &Octocrab) -> String {
    let repository: Value = client.get(APP, None::<&()>).await.unwrap();
    let first: Page<Issue> = client
        .issues("octo-org", "app")
        .list()
        .state(params::State::All)
        .per_page(50)
        .send()
        .await
        .unwrap();
    let mut titles = Vec::new();
    let mut page = Some(first);
    while let Some(this) = page {
        let of = |issue: &Issue| json!([issue.number, issue.title, issue.body]);
        titles.extend(this.items.iter().map(of));
        page = client.get_page(&this.next).await.unwrap();
    }
    let query = json!({"query": "query { viewer { login } }"});
    let answer: Value = client.graphql(&query).await.unwrap();
    let login = &answer["viewer"]["login"];
    json!({"repository": repository, "titles": titles, "login": login}).to_string()
}
