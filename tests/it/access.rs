//! A token never sees what GitHub would not show it, whatever the daemon holds.

use std::time::Duration;

use futures_util::future::join_all;
use ghswarm::clock::Clock;
use ghswarm::github::budget;
use ghswarm::secret::LocalSecret;
use ghswarm::store::{Disk, Slot, disk};
use ghswarm::tiered;
use ghswarm_lab::{Access, Matcher, Phase, Token, TokenSpec};
use http::Method;

use crate::house::{House, Reply};

const ISSUES: &str = "/repos/octo-org/secret/issues";

/// A token of somebody who may not read the private repository.
fn stranger(house: &House, name: &str) -> Token {
    house.github.token(TokenSpec::classic(name))
}

fn assert_saw_nothing(reply: &Reply) {
    assert_eq!(reply.status, 404, "{reply:?}");
    assert!(!reply.text().contains("octo-org/secret"), "{reply:?}");
}

async fn secret(house: &House, token: &Token) -> Reply {
    house.get(token, ISSUES).await
}

#[tokio::test]
async fn strangers_among_sixty_four_at_once_see_nothing_and_readers_get_hits() {
    let house = House::new().await;
    let paths = [
        "/issues",
        "/pulls",
        "/commits",
        "/labels",
        "/actions/runs",
        "/contents/README.md",
    ]
    .map(|path| format!("/repos/octo-org/secret{path}"));
    let readers: Vec<_> = (0..32).map(|_| house.job("octo-org/secret")).collect();
    let strangers: Vec<_> = (0..32)
        .map(|n| stranger(&house, &format!("mallory{n}")))
        .collect();
    for round in 0..3 {
        for path in &paths {
            let asked = readers
                .iter()
                .zip(&strangers)
                .flat_map(|(reader, stranger)| {
                    [house.get(stranger, path), house.get(reader, path)]
                });
            let replies = join_all(asked).await;
            for pair in replies.chunks(2) {
                assert_saw_nothing(&pair[0]);
                assert_eq!(pair[1].status, 200, "{:?}", pair[1]);
                // A file's description holds a link made for one caller, so readers do not share it.
                let repeated = round > 0 && !path.contains("/contents/");
                assert!(
                    !repeated || pair[1].is_hit(),
                    "{path} {:?}",
                    pair[1].cache()
                );
            }
        }
        house.wait(Duration::from_secs(2));
    }
}

#[tokio::test]
async fn who_waits_behind_a_leader_with_access_is_not_handed_its_body() {
    let house = House::new().await;
    let (reader, stranger) = (house.job("octo-org/secret"), stranger(&house, "mallory"));
    let gate = house
        .github
        .hold_at(Matcher::get(ISSUES).once(), Phase::AfterRead);
    let (led, waited, ()) =
        tokio::join!(secret(&house, &reader), secret(&house, &stranger), async {
            gate.arrived().await;
            gate.release();
        });
    assert_eq!(led.status, 200);
    assert_saw_nothing(&waited);
}

#[tokio::test]
async fn who_waits_behind_a_leader_without_access_gets_its_own_answer() {
    let house = House::new().await;
    let (reader, stranger) = (house.job("octo-org/secret"), stranger(&house, "mallory"));
    let gate = house.github.hold(Matcher::get(ISSUES).once());
    let (led, waited, ()) =
        tokio::join!(secret(&house, &stranger), secret(&house, &reader), async {
            gate.arrived().await;
            gate.release();
        });
    assert_saw_nothing(&led);
    assert_eq!(waited.status, 200);
}

#[tokio::test]
async fn a_restart_opens_nothing() {
    let mut house = House::new().await;
    let (reader, stranger) = (house.job("octo-org/secret"), stranger(&house, "mallory"));
    for _ in 0..3 {
        assert_eq!(secret(&house, &reader).await.status, 200);
        assert!(secret(&house, &reader).await.is_hit());
        house.restart();
        assert_saw_nothing(&secret(&house, &stranger).await);
    }
}

#[tokio::test]
async fn a_forged_condition_opens_nothing() {
    let house = House::new().await;
    let (reader, stranger) = (house.job("octo-org/secret"), stranger(&house, "mallory"));
    let held = secret(&house, &reader).await;
    let etag = held.header("etag").unwrap();
    let last_modified = "Fri, 01 Jan 2100 00:00:00 GMT";
    for condition in [
        ("if-none-match", etag),
        ("if-none-match", "*"),
        ("if-modified-since", last_modified),
    ] {
        let reply = house
            .send(Method::GET, Some(&stranger), ISSUES, &[condition], "")
            .await;
        assert_saw_nothing(&reply);
        let reply = house
            .send(Method::GET, None, ISSUES, &[condition], "")
            .await;
        assert_saw_nothing(&reply);
    }
    let own = house
        .send(
            Method::GET,
            Some(&reader),
            ISSUES,
            &[("if-none-match", etag)],
            "",
        )
        .await;
    assert_eq!((own.status, own.body.len()), (304, 0));
}

#[tokio::test]
async fn access_that_was_withdrawn_ends_with_the_first_refusal() {
    let house = House::new().await;
    let token = house
        .github
        .token(TokenSpec::classic("hubot").read("octo-org/secret"));
    assert_eq!(secret(&house, &token).await.status, 200);
    assert!(secret(&house, &token).await.is_hit());
    house.github.withdraw(&token, "octo-org/secret");
    let elsewhere = house.get(&token, "/repos/octo-org/secret/labels").await;
    assert_saw_nothing(&elsewhere);
    assert_saw_nothing(&secret(&house, &token).await);
    house.github.grant(&token, "octo-org/secret", Access::Read);
    assert_eq!(secret(&house, &token).await.status, 200);
}

#[tokio::test]
async fn a_grant_outlives_withdrawn_access_by_five_minutes_at_most() {
    let house = House::new().await;
    let token = house
        .github
        .token(TokenSpec::classic("hubot").read("octo-org/secret"));
    let path = "/repos/octo-org/secret";
    assert_eq!(house.get(&token, path).await.status, 200);
    house.github.withdraw(&token, "octo-org/secret");
    house.wait(Duration::from_secs(300));
    assert_saw_nothing(&house.get(&token, path).await);
}

#[tokio::test]
async fn a_revoked_token_loses_everything_at_once() {
    let house = House::new().await;
    let token = house
        .github
        .token(TokenSpec::classic("hubot").read("octo-org/secret"));
    assert_eq!(secret(&house, &token).await.status, 200);
    house.github.revoke(&token);
    assert_eq!(house.get(&token, "/user").await.status, 401);
    assert_eq!(secret(&house, &token).await.status, 401);
}

#[tokio::test]
async fn an_exhausted_budget_opens_nothing_either() {
    let config = tiered::Config {
        on_exhausted: tiered::OnExhausted::Stale,
        max_wait: Duration::ZERO,
        ..Default::default()
    };
    let house = House::with(config).await;
    let (reader, stranger) = (house.job("octo-org/secret"), stranger(&house, "mallory"));
    assert_eq!(secret(&house, &reader).await.status, 200);
    // The stranger has a budget as well; then both are used up.
    assert_eq!(
        house.get(&stranger, "/repos/octo-org/hello").await.status,
        200
    );
    for token in [&reader, &stranger] {
        let window = house.github.window(token.bucket(), "core").unwrap();
        house.github.set_used(token.bucket(), "core", window.limit);
    }
    house.wait(Duration::from_secs(400));
    let stale = secret(&house, &reader).await;
    assert_eq!(stale.status, 200, "{stale:?}");
    assert!(stale.cache().ends_with("detail=stale"), "{}", stale.cache());
    let refused = secret(&house, &stranger).await;
    assert!(matches!(refused.status, 403 | 429), "{refused:?}");
    assert!(!refused.text().contains("octo-org/secret"));
}

#[tokio::test]
async fn a_refusal_ends_grants_whatever_was_asked_for() {
    let asks = [
        (Method::HEAD, "/repos/octo-org/secret/labels", ""),
        (Method::POST, "/repos/octo-org/secret/labels", "{}"),
        (Method::GET, "/repos/octo-org/secret/zipball/main", ""),
        (Method::POST, "/graphql", r#"{"query":"{viewer{login}}"}"#),
    ];
    for (method, path, body) in asks {
        let house = House::new().await;
        let token = house
            .github
            .token(TokenSpec::classic("hubot").read("octo-org/secret"));
        assert_eq!(secret(&house, &token).await.status, 200);
        house.github.revoke(&token);
        let refused = house
            .send(method.clone(), Some(&token), path, &[], body)
            .await;
        assert_eq!(refused.status, 401, "{method} {path} {refused:?}");
        assert_eq!(secret(&house, &token).await.status, 401, "{method} {path}");
    }
}

#[tokio::test]
async fn a_refusal_by_number_ends_grants_by_name() {
    let house = House::new().await;
    let token = house
        .github
        .token(TokenSpec::classic("hubot").read("octo-org/secret"));
    assert_eq!(secret(&house, &token).await.status, 200);
    let id = house
        .github
        .change(|state| state.repo("octo-org/secret").unwrap().id);
    house.github.withdraw(&token, "octo-org/secret");
    let by_number = house
        .get(&token, &format!("/repositories/{id}/labels"))
        .await;
    assert_saw_nothing(&by_number);
    assert_saw_nothing(&secret(&house, &token).await);
}

#[tokio::test]
async fn bytes_that_were_public_once_are_not_public_for_ever() {
    let house = House::new().await;
    let path = "/repos/octo-org/hello/labels";
    let reader = house
        .github
        .token(TokenSpec::installation(7).read("octo-org/hello"));
    let stranger = house.job("octo-org/app");
    let open = house.send(Method::GET, None, path, &[], "").await;
    assert_eq!(open.status, 200);
    assert_eq!(house.get(&reader, path).await.body, open.body);
    house
        .github
        .change(|state| state.set_private("octo-org/hello", true).unwrap());
    for _ in 0..10 {
        house.wait(Duration::from_secs(60));
        assert_eq!(house.get(&reader, path).await.status, 200);
    }
    let refused = house.get(&stranger, path).await;
    assert_eq!(refused.status, 404, "{refused:?}");
}

#[tokio::test]
async fn a_write_that_closes_a_repository_ends_its_being_public() {
    let house = House::new().await;
    let (repo, labels) = ("/repos/octo-org/hello", "/repos/octo-org/hello/labels");
    let owner = house
        .github
        .token(TokenSpec::classic("octocat").admin("octo-org/hello"));
    let stranger = house.github.token(TokenSpec::classic("mallory"));
    assert_eq!(house.get(&owner, repo).await.json()["private"], false);
    let closed = house
        .send(
            Method::PATCH,
            Some(&owner),
            repo,
            &[],
            r#"{"private":true}"#,
        )
        .await;
    assert_eq!(closed.status, 200, "{closed:?}");
    house.wait(Duration::from_secs(31));
    assert_eq!(house.get(&owner, labels).await.status, 200);
    let refused = house.get(&stranger, labels).await;
    assert_eq!(refused.status, 404, "{refused:?}");
}

#[tokio::test]
async fn what_is_read_after_a_write_closed_its_repository_leaves_in_no_public_snapshot() {
    let house = House::on_disk(
        tiered::Config::default(),
        budget::Config::default(),
        Some(1 << 28),
    )
    .await;
    let (repo, labels) = ("/repos/octo-org/hello", "/repos/octo-org/hello/labels");
    let owner = house
        .github
        .token(TokenSpec::classic("octocat").admin("octo-org/hello"));
    assert_eq!(house.get(&owner, repo).await.json()["private"], false);
    let close = r#"{"private":true}"#;
    let closed = house
        .send(Method::PATCH, Some(&owner), repo, &[], close)
        .await;
    assert_eq!(closed.status, 200, "{closed:?}");
    assert_eq!(house.get(&owner, labels).await.status, 200);
    house.stats().await;
    let secret = std::fs::read(house.cache_dir().join("hmac.key")).unwrap();
    let store = disk::Config {
        directory: house.cache_dir().join("store"),
        limit: 1 << 28,
    };
    let secret = LocalSecret::new(secret.try_into().unwrap());
    let disk = Disk::open(&store, &secret, Clock::manual(house.now())).unwrap();
    let mut may_leave = Vec::new();
    let mut look = |_, slot| {
        if let Slot::Answers(entry) = slot
            && entry.label.ends_with("/labels")
        {
            may_leave.extend(entry.variants.iter().map(|variant| variant.was_public));
        }
        true
    };
    disk.each(&mut look).unwrap();
    assert_eq!(may_leave, [false]);
}

#[tokio::test]
async fn a_field_that_stays_behind_does_not_name_what_is_kept() {
    let house = House::new().await;
    let (liar, honest) = (house.job("octo-org/hello"), house.job("octo-org/hello"));
    assert_eq!(house.get(&liar, "/repos/octo-org/hello").await.status, 200);
    let path = "/repos/octo-org/hello/readme";
    let raw = ("accept", "application/vnd.github.raw+json");
    house
        .send(
            Method::GET,
            Some(&liar),
            path,
            &[raw, ("connection", "accept")],
            "",
        )
        .await;
    let readme = house
        .send(Method::GET, Some(&honest), path, &[raw], "")
        .await;
    assert_eq!(readme.status, 200);
    assert!(!readme.text().starts_with('{'), "{readme:?}");
}
