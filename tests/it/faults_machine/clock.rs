//! Clocks that jump, both ways.

use std::collections::BTreeMap;
use std::time::Duration;

use ghswarm::github::budget;
use ghswarm::tiered;
use ghswarm::time::Timestamp;
use ghswarm_lab::{Access, Token};
use http::Method;
use proptest::prelude::*;
use serde_json::json;

use crate::house::{House, Reply};

const HOUR: Duration = Duration::from_secs(3600);
const ISSUE: &str = "/repos/octo-org/secret/issues/1";

/// Where nothing waits for the pace of GitHub's limits.
async fn unpaced() -> House {
    let config = tiered::Config {
        max_wait: Duration::ZERO,
        ..tiered::Config::default()
    };
    House::paced(config, budget::Config::default()).await
}

#[tokio::test]
async fn nothing_is_fresh_that_comes_from_the_future_or_is_older_than_it_may_be() {
    let house = unpaced().await;
    let token = house.job("octo-org/secret");
    let start = house.now();
    house.get(&token, ISSUE).await;
    assert!(house.get(&token, ISSUE).await.is_hit());
    let years = HOUR * 24 * 3650;
    for to in [
        start.minus(HOUR),
        start.plus(years),
        start,
        // Not the epoch itself, which stands for "never confirmed".
        Timestamp::from_secs(1000),
        start.plus(HOUR),
    ] {
        house.set_clock(to);
        let reply = house.get(&token, ISSUE).await;
        assert_eq!(
            (reply.status, reply.is_hit()),
            (200, false),
            "{to:?}: {}",
            reply.cache()
        );
        // What was confirmed by this clock is fresh by this clock.
        let again = house.get(&token, ISSUE).await;
        assert!(again.is_hit(), "{to:?}: {}", again.cache());
    }
    let stats = house.stats().await;
    assert_eq!((stats.requests, stats.failed), (12, 0));
}

#[tokio::test]
async fn a_named_value_runs_out_rather_than_live_for_ever() {
    let house = unpaced().await;
    let start = house.now();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (url, token) = house.admin();
    let call = async |path: &str, body: &'static str| {
        let request = client
            .post(format!("{url}{path}"))
            .bearer_auth(&token)
            .body(body);
        request.send().await.unwrap().status().as_u16()
    };
    let put = "/kv/put?operation=default&key_length=3&ttl=60";
    for (to, held) in [
        (start.plus(Duration::from_secs(59)), true),
        (start.plus(Duration::from_secs(60)), false),
        (start.minus(HOUR), false),
        (start, true),
    ] {
        house.set_clock(start);
        assert_eq!(call(put, "keyvalue").await / 100, 2);
        house.set_clock(to);
        let found = call("/kv/get?operation=default", "key").await;
        assert_eq!(found == 200, held, "{to:?}: {found}");
    }
}

/// Lets time go by until `answer` is there; how much of it that took.
async fn in_time(house: &House, answer: impl Future<Output = Reply>) -> (Reply, Duration) {
    let step = Duration::from_millis(500);
    let mut gone = Duration::ZERO;
    let mut answer = std::pin::pin!(answer);
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            biased;
            reply = &mut answer => return (reply, gone),
            _ = ticks.tick() => {
                gone += step;
                house.wait(step);
            }
        }
        assert!(gone < Duration::from_secs(120), "nobody waits for ever");
    }
}

#[tokio::test]
async fn after_a_write_a_clock_that_went_back_holds_nobody_up() {
    let house = House::new().await;
    let token = house.job("octo-org/secret");
    let start = house.now();
    let write = async |title: &str| {
        let change = json!({ "title": title }).to_string();
        house
            .send(Method::PATCH, Some(&token), ISSUE, &[], &change)
            .await
    };
    assert_eq!(write("one").await.status, 200);
    house.set_clock(start.minus(HOUR));
    let (second, took) = in_time(&house, write("two")).await;
    assert_eq!(second.status, 200);
    // At most --max-wait, whatever the clock says about the pace of writes.
    assert!(took <= Duration::from_secs(35), "{took:?}");
    let (read, _) = in_time(&house, house.get(&token, ISSUE)).await;
    assert_eq!(read.json()["title"], "two");
    // Nothing is fresh by a write of the future, and everything again once the clock has passed it.
    house.set_clock(start.plus(HOUR));
    in_time(&house, house.get(&token, ISSUE)).await;
    let (again, _) = in_time(&house, house.get(&token, ISSUE)).await;
    assert!(again.is_hit(), "{}", again.cache());
}

#[derive(Debug, Clone)]
enum Step {
    /// One of two credentials reads.
    Read(usize),
    /// The first of them writes through the daemon.
    Write,
    /// Somebody else writes at GitHub.
    Elsewhere,
    /// The second may read no more, or again.
    Withdraw,
    Grant,
    /// The clock jumps by so many seconds.
    Jump(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_usize).prop_map(Step::Read),
        1 => Just(Step::Write),
        1 => Just(Step::Elsewhere),
        1 => Just(Step::Withdraw),
        1 => Just(Step::Grant),
        3 => (-400..400_i64).prop_map(Step::Jump),
        1 => (-1_000_000..1_000_000_i64).prop_map(Step::Jump),
    ]
}

/// What GitHub has shown to whom, and when by the daemon's clock.
#[derive(Default)]
struct Model {
    shown: BTreeMap<usize, Vec<(Timestamp, Vec<u8>)>>,
}

impl Model {
    /// The longest that one look at GitHub lets a credential see a body.
    const GRANT: Duration = Duration::from_secs(300);

    /// Whether `body` may be shown to this credential without asking.
    fn allows(&self, who: usize, body: &[u8], now: Timestamp) -> bool {
        self.shown.get(&who).is_some_and(|shown| {
            shown
                .iter()
                .any(|(at, seen)| seen == body && *at <= now && now.since(*at) < Self::GRANT)
        })
    }
}

/// One walk. Panics where a body is shown that the model does not allow.
async fn walk(steps: Vec<Step>) {
    let house = unpaced().await;
    let tokens: [Token; 2] = [(); 2].map(|()| house.job("octo-org/secret"));
    let mut model = Model::default();
    let mut writes = 0;
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Read(who) => {
                let reply = house.get(&tokens[who], ISSUE).await;
                assert!(matches!(reply.status, 200 | 404), "{index}: {reply:?}");
                let body = reply.body.to_vec();
                if reply.is_hit() {
                    let allowed = model.allows(who, &body, house.now());
                    assert!(
                        allowed,
                        "{index}: {who} sees without proof {:?}",
                        reply.cache()
                    );
                } else if reply.status == 200 {
                    model
                        .shown
                        .entry(who)
                        .or_default()
                        .push((house.now(), body));
                } else {
                    // GitHub's refusal ends what it showed before.
                    model.shown.remove(&who);
                }
            }
            Step::Write | Step::Elsewhere => {
                writes += 1;
                let title = format!("title {writes}");
                if matches!(step, Step::Write) {
                    let change = json!({ "title": title }).to_string();
                    let reply = house.send(Method::PATCH, Some(&tokens[0]), ISSUE, &[], &change);
                    assert_eq!(reply.await.status, 200, "{index}");
                    // Whoever reads after it has to see it.
                    model = Model::default();
                } else {
                    let url = format!("{}{ISSUE}", house.github.url());
                    let client = reqwest::Client::builder().no_proxy().build().unwrap();
                    let request = client
                        .patch(url)
                        .header("authorization", tokens[0].authorization())
                        .header("user-agent", "somebody else");
                    let change = json!({ "title": title }).to_string();
                    assert_eq!(request.body(change).send().await.unwrap().status(), 200);
                }
            }
            Step::Withdraw => house.github.withdraw(&tokens[1], "octo-org/secret"),
            Step::Grant => house
                .github
                .grant(&tokens[1], "octo-org/secret", Access::Read),
            Step::Jump(by) => {
                let span = Duration::from_secs(by.unsigned_abs());
                let now = house.now();
                house.set_clock(if by < 0 {
                    now.minus(span)
                } else {
                    now.plus(span)
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_walk_of_the_clock_shows_a_body_beyond_its_proof(steps in prop::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let walked = tokio::time::timeout(Duration::from_secs(20), walk(steps)).await;
            walked.expect("a walk that ends");
        });
    }
}
