//! One job's answers serve the next job's token, which GitHub has never seen before.

use std::time::Duration;

use ghswarm::tiered;
use ghswarm_lab::TokenSpec;

use crate::house::House;

const REPO: &str = "/repos/octo-org/app";

/// 200 reads that a job makes of one private repository.
fn reads() -> Vec<String> {
    let issues = (1..=60).map(|number| format!("{REPO}/issues/{number}"));
    let comments = (1..=60).map(|number| format!("{REPO}/issues/{number}/comments"));
    let lists = [
        "issues", "pulls", "labels", "commits", "branches", "tags", "releases",
    ]
    .into_iter()
    .flat_map(|list| (1..=10).map(move |size| format!("{REPO}/{list}?per_page={size}")));
    let runs = (1..=10).map(|size| format!("{REPO}/actions/runs?per_page={size}"));
    issues.chain(comments).chain(lists).chain(runs).collect()
}

#[tokio::test]
async fn fifty_jobs_with_new_tokens_cost_as_much_as_one() {
    let house = House::new().await;
    let reads = reads();
    assert_eq!(reads.len(), 200);
    for _ in 0..50 {
        let token = house.job("octo-org/app");
        for path in &reads {
            let reply = house.get(&token, path).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            house.wait(Duration::from_millis(360));
        }
    }
    let usage = house.usage();
    assert!(
        usage.total.counted <= 210,
        "{} counted calls",
        usage.total.counted
    );
    let points = usage.total.max_points_sliding;
    assert!(points <= 900, "{points} points in a minute");
    println!(
        "{} counted calls, {points} points in a minute",
        usage.total.counted
    );
    let shown = house.stats().await;
    assert_eq!(shown.requests, 10_000);
    assert_eq!(shown.saved_calls, 10_000 - usage.total.counted);
    assert_eq!(shown.origin.counted, usage.total.counted);
    assert_eq!(shown.origin.free_304, usage.total.free_304);
}

#[tokio::test]
async fn without_computed_validators_every_job_starts_cold() {
    let house = House::with(tiered::Config {
        validators: false,
        ..Default::default()
    })
    .await;
    let reads = reads();
    for _ in 0..50 {
        let token = house.job("octo-org/app");
        // More than GitHub gives: the story counts what would be spent.
        house.github.set_limit(token.bucket(), "core", 100_000);
        for path in &reads {
            assert_eq!(house.get(&token, path).await.status, 200);
            house.wait(Duration::from_millis(360));
        }
    }
    let counted = house.usage().total.counted;
    println!("{counted} counted calls");
    assert!(counted > 9_000, "{counted} counted calls");
}

#[tokio::test]
async fn a_new_token_pays_nothing_for_what_another_has_read() {
    let house = House::new().await;
    let (first, second) = (house.job("octo-org/app"), house.job("octo-org/app"));
    let cold = house.get(&first, &format!("{REPO}/issues/1")).await;
    assert_eq!(
        cold.cache(),
        "ghswarm; fwd=uri-miss; fwd-status=200; stored"
    );
    let proven = house.get(&second, &format!("{REPO}/issues/1")).await;
    assert_eq!(proven.cache(), "ghswarm; fwd=stale; fwd-status=304");
    assert_eq!(proven.body, cold.body);
    assert_ne!(
        proven.header("etag"),
        cold.header("etag"),
        "each has its own validator"
    );
    assert!(
        house
            .get(&second, &format!("{REPO}/issues/1"))
            .await
            .is_hit()
    );
    assert_eq!(house.usage().total.counted, 1);
}

#[tokio::test]
async fn bodies_that_differ_by_viewer_live_side_by_side() {
    let house = House::new().await;
    let reader = house
        .github
        .token(TokenSpec::classic("octocat").read("octo-org/app"));
    let writer = house
        .github
        .token(TokenSpec::classic("hubot").write("octo-org/app"));
    let can_push = |reply: &crate::house::Reply| reply.json()["permissions"]["push"].clone();
    for _ in 0..3 {
        assert_eq!(can_push(&house.get(&reader, REPO).await), false);
        assert_eq!(can_push(&house.get(&writer, REPO).await), true);
    }
    assert!(house.get(&reader, REPO).await.is_hit());
}
