//! What a daemon knew, the next one knows: bodies, who may see them, and who may no more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ghswarm::digest::Digest;
use ghswarm::github::budget;
use ghswarm::tiered;
use ghswarm_lab::{Fault, Matcher, Token, TokenSpec};
use http::Method;

use crate::house::House;

const PATH: &str = "/repos/octo-org/secret/issues/1";

async fn house() -> House {
    let (tiers, budget) = (tiered::Config::default(), budget::Config::default());
    House::on_disk(tiers, budget, Some(1 << 30)).await
}

/// Waits until everything is on disk.
async fn settle(house: &House) {
    house.stats().await;
}

async fn restart(house: &mut House) {
    settle(house).await;
    house.restart();
}

#[tokio::test]
async fn a_restart_costs_a_reader_nothing() {
    let mut house = house().await;
    let token = house.job("octo-org/secret");
    let before = house.get(&token, PATH).await;
    restart(&mut house).await;
    let asked = house.usage().total.requests;
    let after = house.get(&token, PATH).await;
    assert_eq!(after.cache(), "ghswarm; hit; ttl=60; detail=disk");
    assert_eq!(after.body, before.body);
    for field in [
        "etag",
        "content-type",
        "x-github-media-type",
        "last-modified",
    ] {
        assert_eq!(after.header(field), before.header(field), "{field}");
    }
    let again = house.get(&token, PATH).await;
    assert_eq!(again.cache(), "ghswarm; hit; ttl=60; detail=memory");
    assert_eq!(house.usage().total.requests, asked);
    let stats = house.stats().await;
    assert_eq!((stats.hits.disk, stats.hits.memory), (1, 1));
}

#[tokio::test]
async fn a_new_token_proves_for_free_what_an_earlier_daemon_stored() {
    let mut house = house().await;
    house.get(&house.job("octo-org/secret"), PATH).await;
    restart(&mut house).await;
    let counted = house.usage().total.counted;
    let reply = house.get(&house.job("octo-org/secret"), PATH).await;
    assert_eq!(reply.cache(), "ghswarm; fwd=stale; fwd-status=304");
    assert_eq!(house.usage().total.counted, counted);
}

#[tokio::test]
async fn a_token_without_access_gets_nothing_from_the_disk() {
    let mut house = house().await;
    house.get(&house.job("octo-org/secret"), PATH).await;
    restart(&mut house).await;
    let stranger = house.job("octo-org/app");
    assert_eq!(house.get(&stranger, PATH).await.status, 404);
    let nobody = house.send(Method::GET, None, PATH, &[], "").await;
    assert_eq!(nobody.status, 404);
}

#[tokio::test]
async fn access_that_was_withdrawn_stays_so_after_a_restart() {
    let mut house = house().await;
    let token = house.job("octo-org/secret");
    house.get(&token, PATH).await;
    house.github.withdraw(&token, "octo-org/secret");
    let elsewhere = "/repos/octo-org/secret/labels";
    assert_eq!(house.get(&token, elsewhere).await.status, 404);
    restart(&mut house).await;
    assert_eq!(house.get(&token, PATH).await.status, 404);
}

#[tokio::test]
async fn what_was_written_before_a_restart_is_not_fresh_after_it() {
    let mut house = house().await;
    let (reader, writer) = (house.job("octo-org/secret"), house.job("octo-org/secret"));
    house.get(&reader, PATH).await;
    settle(&house).await;
    let change = r#"{"title":"changed"}"#;
    house
        .send(Method::PATCH, Some(&writer), PATH, &[], change)
        .await;
    house.restart();
    house.wait(Duration::from_secs(31));
    assert_eq!(house.get(&reader, PATH).await.json()["title"], "changed");
}

#[tokio::test]
async fn a_grant_from_disk_lasts_five_minutes_from_when_github_gave_it() {
    let mut house = house().await;
    let token = house.job("octo-org/secret");
    // Git objects are fresh for a year; who may see them is another question.
    let repository = house
        .get(&token, "/repos/octo-org/secret/commits/main")
        .await;
    let sha = repository.json()["sha"].as_str().unwrap().to_owned();
    let path = format!("/repos/octo-org/secret/git/commits/{sha}");
    house.get(&token, &path).await;
    restart(&mut house).await;
    house.wait(Duration::from_secs(299));
    assert!(house.get(&token, &path).await.is_hit());
    house.github.withdraw(&token, "octo-org/secret");
    house.wait(Duration::from_secs(1));
    assert_eq!(house.get(&token, &path).await.status, 404);
}

#[tokio::test]
async fn one_daemon_reads_what_another_has_stored() {
    let here = house().await;
    let other = here.beside();
    let token = here.job("octo-org/secret");
    here.get(&token, PATH).await;
    settle(&here).await;
    let reply = other.get(&token, PATH).await;
    assert_eq!(reply.cache(), "ghswarm; hit; ttl=60; detail=disk");
    // And what is newer there replaces what is held here.
    here.wait(Duration::from_secs(61));
    here.get(&token, PATH).await;
    settle(&here).await;
    assert!(other.get(&token, PATH).await.is_hit());
}

#[tokio::test]
async fn when_github_fails_the_disk_stands_in_for_who_has_seen_it() {
    let mut house = house().await;
    let token = house.job("octo-org/secret");
    let before = house.get(&token, PATH).await;
    restart(&mut house).await;
    house.wait(Duration::from_secs(1000));
    house
        .github
        .fault(Matcher::path("/repos"), Fault::Status(503));
    let after = house.get(&token, PATH).await;
    assert!(after.cache().ends_with("detail=stale"), "{}", after.cache());
    assert_eq!(after.body, before.body);
    let other = house.job("octo-org/secret");
    assert_eq!(house.get(&other, PATH).await.status, 503);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// The forms in which a token could be recognised.
fn traces(token: &Token, etag: &str) -> Vec<Vec<u8>> {
    let (value, authorization) = (token.value(), token.authorization());
    let digests = [value, &authorization].map(|text| Digest::of([text.as_bytes()]));
    let mut traces = vec![value.as_bytes().to_vec(), authorization.into_bytes()];
    for digest in digests {
        traces.push(digest.as_bytes().to_vec());
        traces.push(digest.hex().into_bytes());
    }
    // A hash over the token, and not made with the local secret.
    traces.push(etag.trim_matches('"').as_bytes().to_vec());
    traces
}

#[tokio::test]
async fn nothing_on_disk_tells_who_asked() {
    let house = house().await;
    let user = house
        .github
        .token(TokenSpec::classic("octocat").everything());
    let mut traces_of_all = Vec::new();
    for token in [&house.job("octo-org/secret"), &user] {
        for path in [
            PATH,
            "/user",
            "/repos/octo-org/secret",
            "/repos/octo-org/secret/contents/docs",
        ] {
            let reply = house.get(token, path).await;
            let etag = reply.header("etag").unwrap_or("\"none at all\"").to_owned();
            if etag.len() > 60 {
                traces_of_all.extend(traces(token, &etag));
            }
        }
        let query = r#"{"query":"{ viewer { login } }"}"#;
        house
            .send(Method::POST, Some(token), "/graphql", &[], query)
            .await;
    }
    settle(&house).await;
    let files = files(house.cache_dir());
    assert!(files.len() >= 4 && traces_of_all.len() > 20, "{files:?}");
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        for trace in &traces_of_all {
            let is_in = bytes.windows(trace.len()).any(|window| window == trace);
            assert!(
                !is_in,
                "{} in {}",
                String::from_utf8_lossy(trace),
                path.display()
            );
        }
    }
}
