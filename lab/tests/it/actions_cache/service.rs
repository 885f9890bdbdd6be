//! What the fake says to whom.

use std::time::Duration;

use ghswarm_lab::actions_cache::{Claims, Trouble};
use ghswarm_lab::{Clock, FakeActionsCache};
use serde_json::json;

use super::{VERSION, ask, call, look_up, save, target};
use crate::client::START;

async fn fake() -> (FakeActionsCache, Clock) {
    let clock = Clock::manual(START);
    let cache = FakeActionsCache::builder().clock(clock.clone());
    (cache.start().await.unwrap(), clock)
}

#[tokio::test]
async fn an_entry_is_saved_found_and_read_in_parts() {
    let (cache, _) = fake().await;
    let token = cache.token(&Claims::main(7));
    assert_eq!(save(&cache, &token, "a/1", b"0123456789").await.status, 200);
    let found = look_up(&cache, &token, "a/").await.json();
    assert_eq!(found["matched_key"], "a/1");
    let url = found["signed_download_url"].as_str().unwrap();
    let whole = ask(&cache, ("GET", target(url)), &[], b"").await;
    assert_eq!((whole.status, &whole.body[..]), (200, &b"0123456789"[..]));
    let range = [("range", "bytes=2-4")];
    let part = ask(&cache, ("GET", target(url)), &range, b"").await;
    assert_eq!((part.status, &part.body[..]), (206, &b"234"[..]));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    let head = ask(&cache, ("HEAD", target(url)), &[], b"").await;
    assert_eq!(head.header("content-length"), "10");
    let forged = url.replace("sig=", "sig=0");
    let forged = ask(&cache, ("GET", target(&forged)), &[], b"").await;
    assert_eq!(forged.status, 403);
    let missing = look_up(&cache, &token, "b/").await.json();
    assert_eq!(missing["ok"], false);
}

#[tokio::test]
async fn a_name_is_taken_once_in_a_scope() {
    let (cache, _) = fake().await;
    let main = cache.token(&Claims::main(7));
    let pull = Claims::new(7)
        .scope("refs/pull/1/merge", 3)
        .reads("refs/heads/main");
    let pull = cache.token(&pull);
    save(&cache, &main, "k", b"main").await;
    let again = save(&cache, &main, "k", b"other").await;
    assert_eq!(
        (again.status, &again.json()["code"]),
        (409, &json!("already_exists"))
    );
    assert_eq!(look_up(&cache, &pull, "k").await.json()["ok"], true);
    assert_eq!(save(&cache, &pull, "k", b"pull").await.status, 200);
    assert_eq!(cache.entries().len(), 2);
    let stranger = cache.token(&Claims::main(8));
    assert_eq!(look_up(&cache, &stranger, "k").await.json()["ok"], false);
}

#[tokio::test]
async fn denials_have_the_shape_of_the_real_service() {
    let (cache, clock) = fake().await;
    let reader = cache.token(&Claims::new(7).reads("refs/heads/main"));
    let denied = save(&cache, &reader, "k", b"x").await;
    let message = "cache write denied: token has no writable scopes";
    assert_eq!(denied.status, 200);
    assert_eq!(
        (&denied.json()["ok"], &denied.json()["message"]),
        (&json!(false), &json!(message))
    );
    let nobody = cache.token(&Claims::new(7));
    let denied = look_up(&cache, &nobody, "k").await;
    assert_eq!(denied.status, 403);
    assert!(
        denied.json()["msg"]
            .as_str()
            .unwrap()
            .starts_with("cache read denied:")
    );
    clock.advance(Duration::from_hours(7));
    assert_eq!(look_up(&cache, &reader, "k").await.status, 401);
    for wrong in ["a,b", &"x".repeat(513), ""] {
        let token = cache.token(&Claims::main(7));
        let entry = json!({"key": wrong, "version": VERSION});
        let refused = call(&cache, &token, "CreateCacheEntry", &entry).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn an_entry_may_be_found_late_and_evicted_early_and_its_url_ends() {
    let (cache, clock) = fake().await;
    let token = cache.token(&Claims::main(7));
    cache.lag(Duration::from_secs(30));
    save(&cache, &token, "k", b"x").await;
    assert_eq!(look_up(&cache, &token, "k").await.json()["ok"], false);
    clock.advance(Duration::from_secs(30));
    let found = look_up(&cache, &token, "k").await.json();
    let url = found["signed_download_url"].as_str().unwrap();
    clock.advance(Duration::from_hours(1));
    let late = ask(&cache, ("GET", target(url)), &[], b"").await;
    assert_eq!(
        (late.status, late.header("x-ms-error-code")),
        (403, "AuthenticationFailed")
    );
    assert_eq!(cache.evict("k"), 1);
    assert_eq!(look_up(&cache, &token, "k").await.json()["ok"], false);
}

#[tokio::test]
async fn trouble_comes_and_goes_on_command() {
    let (cache, _) = fake().await;
    let token = cache.token(&Claims::main(7));
    cache.trouble(Some(Trouble::RateLimited(42)));
    let limited = look_up(&cache, &token, "k").await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "42"));
    cache.trouble(Some(Trouble::Unavailable));
    assert_eq!(look_up(&cache, &token, "k").await.status, 503);
    cache.trouble(None);
    assert_eq!(look_up(&cache, &token, "k").await.status, 200);
    let seen = cache.requests();
    assert_eq!(
        seen.iter().map(|one| one.status).collect::<Vec<_>>(),
        [429, 503, 200]
    );
    assert!(
        seen.iter()
            .all(|one| one.name == "GetCacheEntryDownloadURL")
    );
}

#[tokio::test]
async fn whoever_may_lists_the_newest_first() {
    let (cache, _) = fake().await;
    cache.lets_list("ghs_lister", 7);
    cache.put(7, "refs/heads/main", "a/1", VERSION, b"x");
    cache.put(7, "refs/pull/1/merge", "a/2", VERSION, b"xy");
    cache.put(8, "refs/heads/main", "a/3", VERSION, b"x");
    cache.put(7, "refs/heads/main", "b", VERSION, b"x");
    let list = (
        "GET",
        "/repos/o/r/actions/caches?key=a%2F&sort=created_at&per_page=100",
    );
    let by = |token| [("authorization", token)];
    let listed = ask(&cache, list, &by("Bearer ghs_lister"), b"")
        .await
        .json();
    assert_eq!(listed["total_count"], 2);
    assert_eq!(listed["actions_caches"][0]["key"], "a/2");
    assert_eq!(listed["actions_caches"][0]["ref"], "refs/pull/1/merge");
    let refused = ask(&cache, list, &by("Bearer ghs_other"), b"").await;
    assert_eq!(refused.status, 403);
}
