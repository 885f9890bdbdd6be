//! `--trust swarm`: what is public is shown on the word of a peer that knows the secret, while it is fresh.

use std::time::Duration;

use ghswarm_lab::{Token, TokenSpec};
use http::Method;
use serde_json::json;

use crate::house::{House, Pool};

const LABELS: &str = "/repos/octo-org/hello/labels";
const REPO: &str = "/repos/octo-org/hello";

fn token(house: &House) -> Token {
    house.github.token(TokenSpec::job("octo-org/hello"))
}

/// Two that trust each other, the first of which has a public list.
async fn with_a_public_list() -> Vec<House> {
    let houses = House::in_pool(2, Pool::trusting()).await;
    let reader = token(&houses[0]);
    // Says that anybody may read the repository.
    houses[0].get(&reader, REPO).await;
    assert_eq!(houses[0].get(&reader, LABELS).await.status, 200);
    // Handed over before the story moves the clock, or it would look younger than it is.
    while houses[1].met("peer-held").await == 0 {}
    houses
}

#[tokio::test]
async fn a_public_answer_is_served_without_a_question() {
    let houses = with_a_public_list().await;
    let asked = houses[0].usage().total.requests;
    houses[0].wait(Duration::from_secs(10));
    let other = token(&houses[1]);
    let shown = houses[1].get(&other, LABELS).await;
    assert!(
        shown.is_hit() && shown.cache().ends_with("; detail=peer"),
        "{}",
        shown.cache()
    );
    assert_eq!(shown.header("age"), Some("10"));
    let again = houses[1].get(&other, LABELS).await;
    assert!(
        again.is_hit() && again.cache().ends_with("; detail=memory"),
        "{}",
        again.cache()
    );
    assert_eq!(houses[1].usage().total.requests, asked);
    assert_eq!(houses[1].stats().await.hits.peer, 1);
}

#[tokio::test]
async fn who_wants_a_younger_answer_is_not_shown_a_peers() {
    let houses = with_a_public_list().await;
    houses[0].wait(Duration::from_secs(10));
    let other = token(&houses[1]);
    let young = [("cache-control", "max-age=5")];
    let reply = houses[1]
        .send(Method::GET, Some(&other), LABELS, &young, "")
        .await;
    assert!(!reply.is_hit(), "{}", reply.cache());
    let any = houses[1].get(&token(&houses[1]), LABELS).await;
    assert_eq!(any.status, 200);
}

#[tokio::test]
async fn once_it_is_no_longer_fresh_github_is_asked() {
    let houses = with_a_public_list().await;
    houses[0].wait(Duration::from_secs(61));
    let reply = houses[1].get(&token(&houses[1]), LABELS).await;
    assert_eq!(reply.cache(), "ghswarm; fwd=stale; fwd-status=304");
}

#[tokio::test]
async fn not_after_a_write() {
    let houses = with_a_public_list().await;
    houses[0].wait(Duration::from_secs(10));
    let writer = token(&houses[1]);
    let label = json!({"name": "new", "color": "ffffff"}).to_string();
    let written = houses[1]
        .send(Method::POST, Some(&writer), LABELS, &[], &label)
        .await;
    assert!((200..300).contains(&written.status), "{written:?}");
    for house in &houses {
        let reply = house.get(&token(house), LABELS).await;
        assert!(!reply.is_hit(), "{}", reply.cache());
        assert!(reply.text().contains("\"new\""));
    }
}

#[tokio::test]
async fn a_private_answer_is_asked_about() {
    let houses = House::in_pool(2, Pool::trusting()).await;
    let path = "/repos/octo-org/secret/labels";
    houses[0].get(&houses[0].job("octo-org/secret"), path).await;
    let reply = houses[1].get(&houses[1].job("octo-org/secret"), path).await;
    assert_eq!(reply.cache(), "ghswarm; fwd=stale; fwd-status=304");
}

#[tokio::test]
async fn who_was_refused_is_not_shown_it_on_a_peers_word() {
    let houses = with_a_public_list().await;
    let stranger = houses[1].github.token(TokenSpec::classic("mallory"));
    houses[1]
        .github
        .change(|state| state.set_private("octo-org/hello", true).unwrap());
    let refused = houses[1].get(&stranger, REPO).await;
    assert_eq!(refused.status, 404);
    assert_eq!(houses[1].get(&stranger, LABELS).await.status, 404);
}
