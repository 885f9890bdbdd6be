//! Limits count exactly.

use std::time::Duration;

use ghswarm_lab::{Clock, FakeGitHub, Matcher, TokenSpec};
use serde_json::json;

use crate::client::{START, ask, fake, get};

#[tokio::test]
async fn a_job_has_a_thousand_per_repository_and_hour() {
    let github = fake().await;
    let one = github.token(TokenSpec::job("octo-org/hello"));
    let two = github.token(TokenSpec::job("octo-org/hello"));
    assert_eq!(one.bucket(), two.bucket());
    let first = get("/repos/octo-org/hello").by(&one).send(&github).await;
    let limits = ["limit", "remaining", "used", "reset"]
        .map(|name| first.number(&format!("x-ratelimit-{name}")));
    assert_eq!(limits, [1000, 999, 1, START + 3600]);
    github.set_used(one.bucket(), "core", 999);
    assert_eq!(
        get("/repos/octo-org/hello")
            .by(&two)
            .send(&github)
            .await
            .status,
        200
    );
    let over = get("/repos/octo-org/hello").by(&one).send(&github).await;
    assert_eq!(
        (over.status, over.number("x-ratelimit-remaining")),
        (403, 0)
    );
    assert!(
        over.json()["message"]
            .as_str()
            .unwrap()
            .starts_with("API rate limit exceeded for")
    );
    github.clock().advance(Duration::from_hours(1));
    assert_eq!(
        get("/repos/octo-org/hello")
            .by(&one)
            .send(&github)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn nobody_has_sixty_and_a_look_at_the_limit_is_free() {
    let github = fake().await;
    for _ in 0..60 {
        assert_eq!(get("/zen").send(&github).await.status, 200);
    }
    assert_eq!(get("/zen").send(&github).await.status, 403);
    let look = get("/rate_limit").send(&github).await;
    assert_eq!(
        (look.status, look.header("cache-control")),
        (200, "no-cache")
    );
    assert_eq!(look.json()["resources"]["core"]["remaining"], 0);
    let usage = github.usage();
    assert_eq!((usage.total.requests, usage.total.counted), (62, 60));
    assert_eq!(usage.operation("GET /rate_limit").counted, 0);
}

#[tokio::test]
async fn points_per_minute_are_counted_and_refused_on_wish() {
    let clock = Clock::manual(START);
    let github = FakeGitHub::builder()
        .clock(clock.clone())
        .enforce_secondary(true);
    let github = github.secondary_status(429).start().await.unwrap();
    let token = github.token(TokenSpec::classic("octocat").everything());
    let issue = json!({"title": "One of many"});
    for _ in 0..180 {
        let made = ask("POST", "/repos/octo-org/hello/issues")
            .by(&token)
            .body(&issue);
        assert_eq!(made.send(&github).await.status, 201);
    }
    assert_eq!(github.usage().token(token.value()).max_points_sliding, 900);
    let over = get("/zen").by(&token).send(&github).await;
    assert_eq!((over.status, over.header("retry-after")), (429, "60"));
    assert!(
        over.json()["message"]
            .as_str()
            .unwrap()
            .contains("secondary rate limit")
    );
    clock.advance(Duration::from_mins(1));
    assert_eq!(get("/zen").by(&token).send(&github).await.status, 200);
}

#[tokio::test]
async fn graphql_has_its_own_points() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat"));
    github.set_limit(token.bucket(), "graphql", 1);
    let query = json!({"query": "{viewer{login} rateLimit{cost remaining}}"});
    let first = ask("POST", "/graphql")
        .by(&token)
        .body(&query)
        .send(&github)
        .await;
    let data = first.json()["data"].clone();
    assert_eq!(data["viewer"], json!({"login": "octocat"}));
    assert_eq!(data["rateLimit"], json!({"cost": 1, "remaining": 0}));
    assert_eq!(first.header("x-ratelimit-resource"), "graphql");
    assert_eq!(
        (first.header("etag"), first.header("cache-control")),
        ("", "")
    );
    let over = ask("POST", "/graphql")
        .by(&token)
        .body(&query)
        .send(&github)
        .await;
    assert_eq!(over.status, 200);
    assert_eq!(over.json()["errors"][0]["type"], "RATE_LIMITED");
    assert_eq!(
        get("/user")
            .by(&token)
            .send(&github)
            .await
            .number("x-ratelimit-used"),
        1
    );
    let usage = github.usage().token(token.value());
    assert_eq!(
        (usage.graphql_requests, usage.graphql_points, usage.counted),
        (2, 1, 1)
    );
}

#[tokio::test]
async fn a_hundred_at_once_and_no_more() {
    let github = FakeGitHub::builder().enforce_secondary(true);
    let github = std::sync::Arc::new(github.start().await.unwrap());
    let token = github.token(TokenSpec::classic("octocat"));
    let gate = github.hold(Matcher::get("/meta"));
    let parked: Vec<_> = (0..100)
        .map(|_| {
            let (github, token) = (github.clone(), token.clone());
            tokio::spawn(async move { get("/meta").by(&token).send(&github).await.status })
        })
        .collect();
    gate.arrivals(100).await;
    let over = get("/zen").by(&token).send(&github).await;
    assert_eq!((over.status, over.header("retry-after")), (403, "60"));
    gate.release();
    for one in parked {
        assert_eq!(one.await.unwrap(), 200);
    }
    let usage = github.usage().bucket(token.bucket());
    assert_eq!((usage.max_concurrency, usage.counted), (101, 100));
}
