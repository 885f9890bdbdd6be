//! The key-value interface: what the caches before this one promised, and what they got wrong.

use std::time::Duration;

use bytes::Bytes;
use ghswarm::github::budget;
use ghswarm::tiered;
use http::Method;
use serde_json::Value;

use crate::house::House;

const GIB: u64 = 1 << 30;

async fn house(disk_limit: u64) -> House {
    let (tiers, budget) = (tiered::Config::default(), budget::Config::default());
    House::on_disk(tiers, budget, Some(disk_limit)).await
}

async fn put(house: &House, operation: &str, key: &[u8], value: &[u8], ttl: Option<&str>) {
    let ttl = ttl.map_or(String::new(), |ttl| format!("&ttl={ttl}"));
    let path = format!(
        "/kv/put?operation={operation}&key_length={}{ttl}",
        key.len()
    );
    let body = [key, value].concat();
    let put = house.administer(Method::POST, &path, body).await;
    assert_eq!(put.status, 204, "{put:?}");
}

async fn get(house: &House, operation: &str, key: &[u8]) -> Option<Bytes> {
    let path = format!("/kv/get?operation={operation}");
    let got = house.administer(Method::POST, &path, key.to_vec()).await;
    match got.status {
        200 => Some(got.body),
        404 => None,
        _ => panic!("{got:?}"),
    }
}

#[tokio::test]
async fn ten_thousand_values_are_hits_after_a_restart() {
    let mut house = house(GIB).await;
    // Keys as the Python caches had them, which lost every one of these.
    let key = |number: u32| {
        format!("list_workflow_runs:branch=main:limit=20:repo=owner/repo{number}:status=queued")
    };
    let value = |number: u32| format!("{{\"runs\": {number}}}");
    for number in 0..10_000 {
        let (key, value) = (key(number), value(number));
        put(
            &house,
            "get_workflow_runs",
            key.as_bytes(),
            value.as_bytes(),
            None,
        )
        .await;
    }
    house.restart();
    let mut hits = 0;
    for number in 0..10_000 {
        let got = get(&house, "get_workflow_runs", key(number).as_bytes()).await;
        hits += u32::from(got.as_deref() == Some(value(number).as_bytes()));
    }
    assert_eq!(hits, 10_000);
    assert_eq!(house.stats().await.entries, 10_000);
}

#[tokio::test]
async fn keys_that_look_alike_and_keys_of_any_length_are_different_keys() {
    let mut house = house(GIB).await;
    let long = "k".repeat(300);
    let longer = "k".repeat(100_000);
    let keys: [&[u8]; 9] = [
        b"a/b",
        b"a:b",
        b"a_b",
        b"a*b",
        b"A/B",
        b"",
        b"a\0b",
        long.as_bytes(),
        longer.as_bytes(),
    ];
    for (number, key) in keys.into_iter().enumerate() {
        put(&house, "default", key, number.to_string().as_bytes(), None).await;
    }
    house.restart();
    for (number, key) in keys.into_iter().enumerate() {
        let got = get(&house, "default", key).await;
        assert_eq!(
            got.as_deref(),
            Some(number.to_string().as_bytes()),
            "{key:?}"
        );
    }
}

#[tokio::test]
async fn a_value_lives_as_long_as_its_operation_or_as_it_was_told() {
    let mut house = house(GIB).await;
    for (operation, ttl, lives) in [
        ("default", None, 300),
        ("something_else", None, 300),
        ("list_repos", None, 600),
        ("get_workflow_run", None, 60),
        ("copilot_completion", None, 3600),
        ("list_repos", Some("2"), 2),
    ] {
        put(&house, operation, b"key", b"value", ttl).await;
        house.wait(Duration::from_millis(lives * 1000 - 1));
        assert!(
            get(&house, operation, b"key").await.is_some(),
            "{operation}"
        );
        // Its age is that of the value, not that of the daemon.
        house.restart();
        assert!(
            get(&house, operation, b"key").await.is_some(),
            "{operation}"
        );
        house.wait(Duration::from_millis(1));
        assert!(
            get(&house, operation, b"key").await.is_none(),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn a_stored_null_and_a_stored_nothing_are_hits() {
    let mut house = house(GIB).await;
    for value in [&b"null"[..], b"", b"0", b"\0"] {
        put(&house, "default", b"key", value, None).await;
        house.restart();
        assert_eq!(get(&house, "default", b"key").await.as_deref(), Some(value));
    }
}

#[tokio::test]
async fn the_limit_holds_after_a_restart_and_what_is_used_stays() {
    let limit = 1 << 20;
    let mut house = house(limit).await;
    // Not compressible: Knuth's MMIX generator.
    let mut seed = 1_u64;
    let mut noise = || {
        let mut bytes = Vec::with_capacity(10_000);
        while bytes.len() < 10_000 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bytes.extend_from_slice(&seed.to_be_bytes()[..4]);
        }
        bytes
    };
    put(&house, "copilot_completion", b"in use", &noise(), None).await;
    for number in 0..300_u32 {
        // Last use is kept to the minute.
        house.wait(Duration::from_secs(2));
        put(
            &house,
            "copilot_completion",
            &number.to_be_bytes(),
            &noise(),
            None,
        )
        .await;
        assert!(get(&house, "copilot_completion", b"in use").await.is_some());
        if number == 150 {
            house.restart();
        }
    }
    let stats = house.stats().await;
    assert!(stats.bytes <= limit && stats.evictions >= 150, "{stats:?}");
    assert!(
        get(&house, "copilot_completion", &299_u32.to_be_bytes())
            .await
            .is_some()
    );
    assert!(
        get(&house, "copilot_completion", &0_u32.to_be_bytes())
            .await
            .is_none()
    );
    // To write a value anew takes no other one's place.
    let evictions = stats.evictions;
    for _ in 0..50 {
        put(&house, "copilot_completion", b"in use", &noise(), None).await;
    }
    assert!(house.stats().await.evictions <= evictions + 1);
}

#[tokio::test]
async fn clearing_counts_and_counting_goes_on() {
    let house = house(GIB).await;
    for number in 0..10_u8 {
        put(&house, "default", &[number], b"value", None).await;
    }
    let cleared = house
        .administer(Method::POST, "/cache/clear", Vec::new())
        .await;
    let removed: Value = serde_json::from_slice(&cleared.body).unwrap();
    assert_eq!(removed["removed"], 10);
    assert!(get(&house, "default", &[1]).await.is_none());
    assert_eq!(house.stats().await.entries, 0);
    put(&house, "default", b"key", b"value", None).await;
    assert_eq!(house.stats().await.entries, 1);
}

#[tokio::test]
async fn a_value_stored_through_one_daemon_is_there_through_another_at_once() {
    let here = house(GIB).await;
    let other = here.beside();
    for version in [b"1", b"2"] {
        put(&here, "default", b"key", version, None).await;
        assert_eq!(
            get(&other, "default", b"key").await.as_deref(),
            Some(&version[..])
        );
    }
    let path = "/kv/delete?operation=default";
    other.administer(Method::POST, path, b"key".to_vec()).await;
    assert!(get(&here, "default", b"key").await.is_none());
}
