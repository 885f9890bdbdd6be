//! GitHub fails, and the daemon does not make it worse.

use std::time::Duration;

use futures_util::future::join_all;
use ghswarm::tiered;
use ghswarm_lab::{Fault, Matcher, TokenSpec};
use http::Method;

use crate::house::House;

const ISSUE: &str = "/repos/octo-org/app/issues/1";
const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

#[tokio::test]
async fn what_a_caller_has_seen_within_the_hour_stands_in_for_an_error() {
    for fault in [
        Fault::Status(503),
        Fault::BadGateway,
        Fault::ResetBeforeHead,
        Fault::ResetAfterHead,
        Fault::Truncate(10),
        Fault::Limited {
            status: 429,
            retry_after: Some(5),
        },
    ] {
        let config = tiered::Config {
            max_wait: Duration::ZERO,
            ..Default::default()
        };
        let house = House::with(config).await;
        let (seen, never) = (house.job("octo-org/app"), house.job("octo-org/app"));
        let good = house.get(&seen, ISSUE).await;
        house.wait(HALF_AN_HOUR);
        house.github.change(|state| {
            state
                .edit_issue("octo-org/app", 1, |issue| issue.title.push('!'))
                .unwrap();
        });
        house.github.fault(Matcher::get(ISSUE), fault.clone());
        let stale = house.get(&seen, ISSUE).await;
        assert_eq!(
            (stale.status, &stale.body),
            (200, &good.body),
            "{fault:?} {stale:?}"
        );
        assert!(
            stale.cache().contains("; hit; ttl=-") && stale.cache().ends_with("detail=stale"),
            "{fault:?} {}",
            stale.cache()
        );
        let other = house.get(&never, ISSUE).await;
        assert!(
            other.status >= 400,
            "{fault:?}: nobody showed it to this token: {other:?}"
        );
    }
}

#[tokio::test]
async fn an_hour_is_the_end_of_it() {
    let house = House::new().await;
    let token = house.job("octo-org/app");
    house.get(&token, ISSUE).await;
    house.wait(HALF_AN_HOUR * 2);
    house.github.fault(Matcher::get(ISSUE), Fault::Status(503));
    assert_eq!(house.get(&token, ISSUE).await.status, 503);
}

#[tokio::test]
async fn a_plain_403_is_no_rate_limit_and_nothing_stands_in_for_it() {
    let house = House::new().await;
    let token = house
        .github
        .token(TokenSpec::classic("hubot").read("octo-org/app"));
    house.get(&token, ISSUE).await;
    house.wait(HALF_AN_HOUR);
    house.github.withdraw(&token, "octo-org/app");
    assert_eq!(house.get(&token, ISSUE).await.status, 404);
    house.github.fault(Matcher::get(ISSUE), Fault::Status(503));
    assert_eq!(
        house.get(&token, ISSUE).await.status,
        503,
        "what was withdrawn stays so"
    );
}

#[tokio::test]
async fn an_error_is_never_kept() {
    let house = House::new().await;
    let token = house.job("octo-org/app");
    house
        .github
        .fault(Matcher::get(ISSUE).once(), Fault::Status(502));
    assert_eq!(house.get(&token, ISSUE).await.status, 502);
    assert_eq!(house.get(&token, ISSUE).await.status, 200);
}

#[tokio::test]
async fn a_used_up_budget_fails_with_words_that_help() {
    let config = tiered::Config {
        max_wait: Duration::ZERO,
        ..Default::default()
    };
    let house = House::with(config).await;
    let token = house.job("octo-org/app");
    house.get(&token, ISSUE).await;
    let window = house.github.window(token.bucket(), "core").unwrap();
    house.github.set_used(token.bucket(), "core", window.limit);
    let refused = house.get(&token, "/repos/octo-org/app/issues").await;
    assert_eq!(refused.status, 403, "GitHub's own words: {refused:?}");
    house.github.reset_usage();
    let saved = house.stats().await.saved_calls;
    let spared = house.get(&token, "/repos/octo-org/app/pulls").await;
    assert_eq!(spared.status, 429, "{spared:?}");
    assert!(spared.text().contains("rate limit"), "{spared:?}");
    assert_eq!(
        house.stats().await.saved_calls,
        saved,
        "a refusal saves nobody a call"
    );
    assert_eq!(
        house.usage().total.requests,
        0,
        "GitHub is not asked while it would refuse"
    );
    house.wait(Duration::from_secs(3600));
    assert_eq!(
        house.get(&token, "/repos/octo-org/app/pulls").await.status,
        200
    );
}

#[tokio::test]
async fn who_waits_for_budget_lets_nobody_else_wait() {
    let house = House::new().await;
    let poor = house.job("octo-org/app");
    let rich = house
        .github
        .token(TokenSpec::classic("octocat").everything());
    house.get(&rich, "/user").await;
    let limited = Fault::Limited {
        status: 429,
        retry_after: Some(5),
    };
    let labels = "/repos/octo-org/app/labels";
    house.github.fault(Matcher::get(labels).once(), limited);
    assert_eq!(house.get(&poor, labels).await.status, 429);
    let (poor, rich) = tokio::join!(house.get(&poor, ISSUE), async {
        while !is_waiting(&house).await {}
        let rich = tokio::time::timeout(Duration::from_secs(10), house.get(&rich, ISSUE)).await;
        house.wait(Duration::from_secs(5));
        rich
    });
    assert_eq!(rich.expect("an answer of its own").status, 200);
    assert_eq!(poor.status, 200);
}

/// Whether a call waits for its budget.
async fn is_waiting(house: &House) -> bool {
    let budget = house.stats().await.budget;
    budget.iter().any(|row| row["waiting"] != 0)
}

#[tokio::test]
async fn pacing_refuses_nothing_that_would_have_succeeded() {
    for on_exhausted in [tiered::OnExhausted::Wait, tiered::OnExhausted::Fail] {
        let house = House::with(tiered::Config {
            on_exhausted,
            max_wait: Duration::from_secs(10),
            ..Default::default()
        })
        .await;
        let token = house.job("octo-org/app");
        let writes = (0..40).map(|number| {
            let label = format!("{{\"name\":\"label-{number}\",\"color\":\"ff0000\"}}");
            let (house, token) = (&house, &token);
            async move {
                let path = "/repos/octo-org/app/labels";
                house
                    .send(Method::POST, Some(token), path, &[], &label)
                    .await
            }
        });
        let mut writes = std::pin::pin!(join_all(writes));
        let replies = loop {
            // Time goes on whenever nothing else does.
            tokio::select! {
                biased;
                replies = &mut writes => break replies,
                () = tokio::task::yield_now() => house.wait(Duration::from_millis(1)),
            }
        };
        for reply in replies {
            assert_eq!(reply.status, 201, "{}", reply.text());
        }
    }
}
