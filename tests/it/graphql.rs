//! GraphQL: queries are kept for whom they were answered to, mutations end that.

use std::time::Duration;

use ghswarm_lab::{Token, TokenSpec};
use http::Method;
use serde_json::json;

use crate::house::{House, Reply};

async fn ask(house: &House, token: &Token, query: &str) -> Reply {
    let body = json!({ "query": query }).to_string();
    let json = [("content-type", "application/json")];
    house
        .send(Method::POST, Some(token), "/graphql", &json, &body)
        .await
}

const ISSUES: &str =
    "query { repository(owner: \"octo-org\", name: \"app\") { issues(first: 1) { totalCount } } }";

#[tokio::test]
async fn the_same_question_in_other_white_space_is_a_hit_for_the_same_token_only() {
    let house = House::new().await;
    let (me, other) = (house.job("octo-org/app"), house.job("octo-org/app"));
    let cold = ask(&house, &me, ISSUES).await;
    assert_eq!(cold.status, 200, "{cold:?}");
    let again = ask(&house, &me, &ISSUES.replace(' ', "\n  ")).await;
    assert!(again.is_hit(), "{again:?}");
    assert_eq!(again.body, cold.body);
    assert!(!ask(&house, &other, ISSUES).await.is_hit());
    house.wait(Duration::from_secs(60));
    assert!(
        !ask(&house, &me, ISSUES).await.is_hit(),
        "kept for a minute"
    );
}

#[tokio::test]
async fn a_mutation_makes_everything_stale_and_an_error_is_not_kept() {
    let house = House::new().await;
    let me = house
        .github
        .token(TokenSpec::classic("octocat").everything());
    ask(&house, &me, ISSUES).await;
    assert!(ask(&house, &me, ISSUES).await.is_hit());
    let mutation = ask(
        &house,
        &me,
        "mutation { addComment(input: {}) { clientMutationId } }",
    )
    .await;
    assert_eq!(mutation.cache(), "ghswarm; fwd=method; detail=mutation");
    assert!(!ask(&house, &me, ISSUES).await.is_hit());
    let wrong = "query { nonsense }";
    for _ in 0..2 {
        let reply = ask(&house, &me, wrong).await;
        assert!(
            reply.json()["errors"].is_array() && !reply.is_hit(),
            "{reply:?}"
        );
    }
}

#[tokio::test]
async fn what_the_key_does_not_know_is_not_kept() {
    let house = House::new().await;
    let me = house.job("octo-org/app");
    let body = json!({ "query": ISSUES }).to_string();
    for _ in 0..2 {
        let field = [("x-github-something-new", "1")];
        let reply = house
            .send(Method::POST, Some(&me), "/graphql", &field, &body)
            .await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.cache(), "ghswarm; fwd=bypass; detail=unknown-header");
    }
}
