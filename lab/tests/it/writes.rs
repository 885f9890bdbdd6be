//! Writes over REST change what is read.

use ghswarm_lab::TokenSpec;
use serde_json::{Value, json};

use crate::client::{ask, fake, get};

#[tokio::test]
async fn writes_are_seen_by_later_reads() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat").everything());
    let repo = "/repos/octo-org/hello";
    let main = github.change(|state| {
        let repo = state.repo("octo-org/hello").unwrap();
        repo.resolve("main").unwrap().sha.clone()
    });
    let rows = include_str!("../data/writes.json").replace("{main}", &main);
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    for row in rows {
        let text = |at: usize| row[at].as_str().unwrap();
        let path = format!("{repo}{}", text(1));
        let made = ask(text(0), &path).by(&token).body(&row[2]);
        let made = made.send(&github).await;
        assert_eq!(made.status, row[3], "{row}: {}", made.text());
        let read = get(&format!("{repo}{}", text(4))).by(&token);
        assert_eq!(read.send(&github).await.status, 200, "{row}");
    }
    let path = "/repos/octo-org/hello/issues/4";
    let issue = get(path).by(&token).send(&github).await.json();
    assert_eq!(issue["state"], "closed");
    assert_eq!(issue["comments"], 1);
    assert_eq!(issue["labels"], json!([]));
}

#[tokio::test]
async fn a_new_repository_belongs_to_its_maker() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat"));
    let wish = json!({"name": "fresh", "private": true});
    for owner in ["/user/repos", "/orgs/octo-org/repos"] {
        let made = ask("POST", owner)
            .by(&token)
            .body(&wish)
            .send(&github)
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.json()["permissions"]["admin"], true);
    }
    let seen = get("/repos/octocat/fresh").by(&token).send(&github).await;
    assert_eq!(seen.json()["permissions"]["admin"], true);
    let reader = github.token(TokenSpec::classic("octocat").read("octocat/fresh"));
    let refused = ask("PATCH", "/repos/octocat/fresh").by(&reader).body(&wish);
    assert_eq!(refused.send(&github).await.status, 403);
    assert_eq!(get("/repos/octocat/fresh").send(&github).await.status, 404);
}
