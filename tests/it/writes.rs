//! Nobody reads the past of a write that they saw answered.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use ghswarm::github::budget;
use ghswarm::tiered;
use ghswarm_lab::{Access, Fault, Matcher, Phase, Token, TokenSpec};
use http::Method;
use serde_json::{Value, json};

use crate::house::House;

const REPO: &str = "/repos/octo-org/app";

fn title(issue: &Value) -> &str {
    issue["title"].as_str().unwrap()
}

#[tokio::test]
async fn a_write_is_read_by_everybody_who_asks_afterwards() {
    let house = House::new().await;
    let (writer, reader) = (house.job("octo-org/app"), house.job("octo-org/app"));
    let path = format!("{REPO}/issues/1");
    for token in [&writer, &reader] {
        house.get(token, &path).await;
        assert!(house.get(token, &path).await.is_hit());
    }
    let change = json!({"title": "changed"}).to_string();
    let written = house
        .send(Method::PATCH, Some(&writer), &path, &[], &change)
        .await;
    assert_eq!(written.status, 200, "{written:?}");
    for token in [&writer, &reader] {
        assert_eq!(title(&house.get(token, &path).await.json()), "changed");
    }
    assert!(
        !house.get(&writer, &path).await.is_hit(),
        "nothing is fresh while it settles"
    );
    house.wait(Duration::from_secs(31));
    house.get(&writer, &path).await;
    assert!(house.get(&writer, &path).await.is_hit());
}

#[tokio::test]
async fn a_read_that_began_before_the_write_is_not_kept_as_its_future() {
    let house = House::new().await;
    let (writer, reader) = (house.job("octo-org/app"), house.job("octo-org/app"));
    let path = format!("{REPO}/issues/2");
    let gate = house
        .github
        .hold_at(Matcher::get(&path).once(), Phase::AfterRead);
    let (early, late) = tokio::join!(house.get(&reader, &path), async {
        gate.arrived().await;
        let change = json!({"title": "changed"}).to_string();
        house
            .send(Method::PATCH, Some(&writer), &path, &[], &change)
            .await;
        // Does not join the flight of the early read, nor wait for it.
        let late = house.get(&writer, &path).await;
        gate.release();
        late
    });
    assert_ne!(title(&early.json()), "changed", "it was answered before");
    assert_eq!(title(&late.json()), "changed");
    assert_eq!(title(&house.get(&reader, &path).await.json()), "changed");
}

#[tokio::test]
async fn a_write_that_broke_off_counts_as_done() {
    let house = House::new().await;
    let token = house.job("octo-org/app");
    let path = format!("{REPO}/issues/3");
    house.get(&token, &path).await;
    house.github.change(|state| {
        state
            .edit_issue("octo-org/app", 3, |issue| {
                issue.title = "changed".to_owned();
            })
            .unwrap();
    });
    house
        .github
        .fault(Matcher::new("PATCH", &path).once(), Fault::ResetBeforeHead);
    let broken = house
        .send(Method::PATCH, Some(&token), &path, &[], "{}")
        .await;
    assert_eq!(broken.status, 502, "{broken:?}");
    assert_eq!(title(&house.get(&token, &path).await.json()), "changed");
}

#[tokio::test]
async fn a_definite_refusal_leaves_other_repositories_alone() {
    let house = House::new().await;
    let token = house.job("octo-org/hello");
    let path = "/repos/octo-org/hello/labels";
    house.get(&token, path).await;
    let elsewhere = format!("{REPO}/issues/1");
    let refused = house
        .send(Method::PATCH, Some(&token), &elsewhere, &[], "{}")
        .await;
    assert_eq!(refused.status, 404);
    assert!(house.get(&token, path).await.is_hit());
}

#[tokio::test]
async fn an_upload_is_a_write_to_its_repository() {
    let house = House::new().await;
    let token = house.job("octo-org/app");
    let path = format!("{REPO}/labels");
    house.get(&token, &path).await;
    assert!(house.get(&token, &path).await.is_hit());
    let upload = format!("/api/uploads{REPO}/releases/1/assets?name=a");
    house
        .send(Method::POST, Some(&token), &upload, &[], "bytes")
        .await;
    assert!(!house.get(&token, &path).await.is_hit());
}

/// Two clients write to one issue each and read both, in their own words and orders, while every
/// exchange is delayed by turns, which takes its half minute. What a client knows to be answered it
/// must see.
#[tokio::test]
async fn ten_thousand_interleaved_reads_and_writes_show_no_past() {
    // No pause between writes: the clock only moves when a client moves it.
    let budget = budget::Config {
        write_gap: Duration::ZERO,
        ..Default::default()
    };
    let house = House::paced(tiered::Config::default(), budget).await;
    house
        .github
        .fault(Matcher::path(REPO), Fault::Jitter(Duration::from_millis(2)));
    let answered = [AtomicU64::new(0), AtomicU64::new(0)];
    let tokens = [house.job("octo-org/app"), house.job("octo-org/app")];
    tokio::join!(
        interleave(&house, &tokens[0], 0, &answered),
        interleave(&house, &tokens[1], 1, &answered),
    );
    let shown = house.stats().await;
    assert_eq!(shown.requests, 10_000);
    assert!(
        shown.revalidated > 0 && shown.coalesced + shown.hits.memory > 0,
        "{shown:?}"
    );
}

/// 5,000 steps of one client, which alone writes to the issue with its own number.
async fn interleave(house: &House, token: &Token, client: usize, answered: &[AtomicU64; 2]) {
    let mut choice = 17 + client as u64;
    for step in 1..=5_000_u64 {
        // Knuth's MMIX generator: the same walk in every run.
        choice = choice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        match (choice >> 33) % 10 {
            0 => {
                let path = format!("{REPO}/issues/{}", client + 1);
                let change = json!({"title": step.to_string()}).to_string();
                let reply = house
                    .send(Method::PATCH, Some(token), &path, &[], &change)
                    .await;
                assert_eq!(reply.status, 200, "{reply:?}");
                answered[client].store(step, SeqCst);
            }
            // Time passes now and then, so that namespaces settle and hits come back.
            1 => {
                house.wait(Duration::from_secs(16));
                read(house, token, client, answered).await;
            }
            even if even % 2 == 0 => read(house, token, client, answered).await,
            _ => read(house, token, 1 - client, answered).await,
        }
    }
}

async fn read(house: &House, token: &Token, whose: usize, answered: &[AtomicU64; 2]) {
    let known = answered[whose].load(SeqCst);
    let reply = house
        .get(token, &format!("{REPO}/issues/{}", whose + 1))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let seen = title(&reply.json()).parse().unwrap_or(0);
    assert!(
        known <= seen,
        "read {seen} after {known} was answered: {}",
        reply.cache()
    );
}

#[tokio::test]
async fn what_another_viewer_was_shown_again_is_not_what_this_one_would_see() {
    let house = House::new().await;
    let viewer = |name| {
        house
            .github
            .token(TokenSpec::classic(name).read("octo-org/app"))
    };
    let (promoted, other) = (viewer("hubot"), viewer("octocat"));
    let before = house.get(&promoted, REPO).await;
    assert_eq!(before.body, house.get(&other, REPO).await.body);
    // The change is made, and then its answer gets lost.
    house.github.grant(&promoted, "octo-org/app", Access::Write);
    let promotion = format!("{REPO}/collaborators/hubot");
    let lost = Matcher::new("PUT", &promotion).once();
    house.github.fault(lost, Fault::Status(502));
    let written = house
        .send(Method::PUT, Some(&other), &promotion, &[], "{}")
        .await;
    assert_eq!(written.status, 502, "{written:?}");
    house.wait(Duration::from_secs(31));
    assert_eq!(house.get(&other, REPO).await.body, before.body);
    let after = house.get(&promoted, REPO).await;
    assert_eq!(
        after.json()["permissions"]["push"],
        true,
        "{}",
        after.cache()
    );
}

/// A job of a repository that was renamed, and its number.
fn renamed(house: &House) -> (Token, u64) {
    let token = house.job("octo-org/app");
    let id = house.github.change(|state| {
        let id = state.repo("octo-org/app").unwrap().id;
        state.rename_repo("octo-org/app", "octo-org/new").unwrap();
        id
    });
    (token, id)
}

#[tokio::test]
async fn a_write_by_a_new_name_is_read_by_number() {
    let house = House::new().await;
    let (token, id) = renamed(&house);
    let by_number = format!("/repositories/{id}/issues/1");
    // Follows the redirect from the old name to the number.
    let followed = house.get(&token, &format!("{REPO}/issues/1")).await;
    assert_eq!(followed.status, 200);
    assert!(house.get(&token, &by_number).await.is_hit());
    let change = json!({"title": "changed"}).to_string();
    let new = "/repos/octo-org/new/issues/1";
    let written = house
        .send(Method::PATCH, Some(&token), new, &[], &change)
        .await;
    assert_eq!(written.status, 200, "{written:?}");
    assert_eq!(
        title(&house.get(&token, &by_number).await.json()),
        "changed"
    );
}

#[tokio::test]
async fn a_write_by_an_old_name_is_read_by_the_new_one() {
    // The redirected write is written twice, and the clock stands still.
    let budget = budget::Config {
        write_gap: Duration::ZERO,
        ..Default::default()
    };
    let house = House::paced(tiered::Config::default(), budget).await;
    let (token, _) = renamed(&house);
    let new = "/repos/octo-org/new/issues/1";
    house.get(&token, &format!("{REPO}/issues/2")).await;
    house.get(&token, new).await;
    assert!(house.get(&token, new).await.is_hit());
    let change = json!({"title": "changed"}).to_string();
    let written = house
        .send(
            Method::PATCH,
            Some(&token),
            &format!("{REPO}/issues/1"),
            &[],
            &change,
        )
        .await;
    assert_eq!(written.status, 200, "{written:?}");
    assert_eq!(title(&house.get(&token, new).await.json()), "changed");
}
