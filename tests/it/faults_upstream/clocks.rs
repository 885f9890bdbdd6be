//! A clock that is set, and a machine that slept: what is waited for, what is served.
//!
//! The arithmetic of budgets is held by properties beside it (`github::budget`); these are the stories
//! from outside.

use std::time::Duration;

use ghswarm::clock::Clock;
use ghswarm::daemon::Config;
use ghswarm::github::budget;
use ghswarm::tiered;
use ghswarm::time::Timestamp;

use super::origin::{GOOD, GOOD_BODY, Origin};
use super::{Front, PATIENCE, READ, quick};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const DAY: Duration = Duration::from_secs(86_400);
const TEN_YEARS: Duration = Duration::from_secs(315_360_000);

/// A daemon on a clock that the story sets.
fn on(clock: &Clock, origin: &Origin, max_wait: Duration) -> Front {
    Front::configured(Config {
        clock: clock.clone(),
        github: quick(origin.url.clone()),
        tiered: tiered::Config {
            max_wait,
            ..tiered::Config::default()
        },
        ..Config::default()
    })
}

fn good() -> Origin {
    Origin::connections(|mut line, _| async move {
        while line.head().await.is_some() {
            line.write(GOOD).await;
        }
    })
}

#[tokio::test]
async fn nothing_kept_is_fresh_on_a_clock_that_was_set() {
    for to in [
        NOW.minus(DAY),
        NOW.minus(Duration::from_secs(1)),
        NOW.plus(DAY),
        NOW.plus(TEN_YEARS),
    ] {
        let (clock, origin) = (Clock::manual(NOW), good());
        let front = on(&clock, &origin, Duration::from_secs(30));
        front.get(READ).await.good();
        assert!(front.get(READ).await.cache().contains("hit"));
        clock.set(to);
        let after = front.get(READ).await;
        assert_eq!(after.good(), GOOD_BODY);
        assert!(
            !after.cache().contains("; hit"),
            "{to:?}: {}",
            after.cache()
        );
        // What is asked now is kept by the clock as it is now.
        assert!(front.get(READ).await.cache().contains("hit"), "{to:?}");
    }
}

/// A budget that was used up by the clock of before is asked about again.
#[tokio::test]
async fn no_call_waits_for_a_reset_of_another_day() {
    for (learnt, then) in [
        (NOW.plus(DAY), NOW),
        (NOW, NOW.plus(DAY)),
        (NOW, NOW.plus(TEN_YEARS)),
    ] {
        let reset = learnt.plus(Duration::from_secs(3600)).as_secs();
        let last = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-RateLimit-Limit: 1000\r\n\
             X-RateLimit-Remaining: 0\r\nX-RateLimit-Used: 1000\r\nX-RateLimit-Reset: {reset}\r\n\
             X-RateLimit-Resource: core\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        let (clock, origin) = (Clock::manual(learnt), Origin::once(last));
        let front = on(&clock, &origin, Duration::ZERO);
        front.get(READ).await.good();
        let other = "/repos/octo-org/app/issues/2";
        front.get(other).await.failure(429);
        clock.set(then);
        assert_eq!(
            front.get(other).await.good(),
            GOOD_BODY,
            "{learnt:?} {then:?}"
        );
    }
}

#[tokio::test]
async fn a_secondary_limit_ends_when_the_clock_is_set_and_a_wild_one_within_the_hour() {
    for wait in [
        "300",
        "86400",
        "99999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        let refusal = format!(
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {wait}\r\nContent-Type: application/json\r\n\
             Content-Length: 52\r\n\r\n{{\"message\":\"You have exceeded a secondary rate limit\"}}"
        );
        for to in [NOW.minus(DAY), NOW.plus(Duration::from_secs(7201))] {
            let (clock, origin) = (Clock::manual(NOW), Origin::once(refusal.clone()));
            let front = on(&clock, &origin, Duration::ZERO);
            assert_eq!(front.get(READ).await.status, 429);
            front.get(READ).await.failure(429);
            clock.set(to);
            assert_eq!(front.get(READ).await.good(), GOOD_BODY, "{wait} {to:?}");
        }
    }
}

/// A write waits for its second; meanwhile the clock is set back by a day.
#[tokio::test]
async fn a_call_that_waits_goes_when_the_clock_is_set() {
    for to in [NOW.minus(DAY), NOW.plus(DAY)] {
        let (clock, origin) = (Clock::manual(NOW), good());
        let config = Config {
            clock: clock.clone(),
            github: quick(origin.url.clone()),
            budget: budget::Config::default(),
            ..Config::default()
        };
        let front = Front::paced(config);
        let issues = "/repos/octo-org/app/issues";
        front.post(issues, "{}").await.good();
        let waits = front.post(issues, "{}");
        let set = async {
            while front
                .stats()
                .await
                .budget
                .iter()
                .all(|row| row["waiting"] == 0)
            {}
            clock.set(to);
        };
        let (reply, ()) = tokio::time::timeout(PATIENCE, async { tokio::join!(waits, set) })
            .await
            .expect("it does not wait for a day");
        reply.good();
        // And the writes after it keep their distance by the clock as it is now.
        clock.advance(Duration::from_secs(1));
        front.post(issues, "{}").await.good();
    }
}
