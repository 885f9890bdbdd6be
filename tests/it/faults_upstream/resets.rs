//! Connections that end at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use ghswarm_lab::fault::delay;
use tokio::sync::Semaphore;

use super::origin::{GOOD, GOOD_BODY, Line, Origin};
use super::{BYTES, Front, READ, get};

/// How far an answer gets before its connection is reset.
const STAGES: [(&str, &[u8]); 4] = [
    ("before the head", b""),
    ("in the head", b"HTTP/1.1 200 OK\r\nContent-Ty"),
    (
        "in the body",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"goo",
    ),
    (
        "between chunks",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
          5\r\n{\"goo\r\n",
    ),
];

/// Resets the first `times` exchanges after `written`.
fn resetting(written: &'static [u8], times: usize) -> Origin {
    let left = Arc::new(AtomicUsize::new(times));
    Origin::connections(move |mut line, _| {
        let left = Arc::clone(&left);
        async move {
            while line.head().await.is_some() {
                let resets = left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
                if resets.is_err() {
                    line.write(GOOD).await;
                    continue;
                }
                line.write(written).await;
                // The bytes before the reset are read before it is seen.
                delay(Duration::from_millis(50)).await;
                line.reset();
                return;
            }
        }
    })
}

#[tokio::test]
async fn a_read_is_never_shown_or_kept_in_part() {
    for (stage, written) in STAGES {
        let origin = resetting(written, 2);
        let front = Front::of(origin.url.clone());
        let broken = front.get(READ).await;
        // Before any answer the call is repeated once, and that fails as well; an answer that began is
        // not asked for again by us.
        let asks = if stage.contains("head") { 2 } else { 1 };
        assert_eq!(origin.count(), asks, "{stage}");
        let message = broken.failure(502);
        assert!(message.contains("broke off"), "{stage}: {message}");
        if asks == 1 {
            front.get(READ).await.failure(502);
        }
        let again = front.get(READ).await;
        assert_eq!(again.good(), GOOD_BODY, "{stage}");
        assert!(
            again.cache().contains("fwd=uri-miss"),
            "{stage}: nothing was kept"
        );
        assert!(front.get(READ).await.cache().contains("hit"), "{stage}");
    }
}

#[tokio::test]
async fn a_download_that_breaks_is_seen_to_be_broken() {
    for (stage, written) in &STAGES[2..] {
        let origin = resetting(written, 1);
        let front = Front::of(origin.url.clone());
        let broken = front.get(BYTES).await;
        assert_eq!(broken.status, 200, "{stage}");
        assert!(!broken.whole, "{stage}: {broken:?}");
        assert_eq!(broken.text(), "{\"goo", "{stage}");
        assert_eq!(front.get(BYTES).await.good(), GOOD_BODY, "{stage}");
    }
}

/// An origin that answers well until the permit is given, and then resets every connection that it has
/// at the next request: what a machine finds after a suspend. New connections are good.
fn forgetful(asleep: Arc<Semaphore>) -> Origin {
    Origin::connections(move |line, _| answers_until(line, Arc::clone(&asleep)))
}

async fn answers_until(mut line: Line, asleep: Arc<Semaphore>) {
    let born_after = asleep.available_permits() > 0;
    while let Some(head) = line.head().await {
        if asleep.available_permits() > 0 && !born_after {
            return line.reset();
        }
        // Slowly, so that many at once need many connections.
        if head.contains("/many/") {
            delay(Duration::from_millis(200)).await;
        }
        if !line.write(GOOD).await {
            return;
        }
    }
}

#[tokio::test]
async fn connections_that_died_in_their_sleep_cost_a_read_nothing_and_a_write_is_not_repeated() {
    let asleep = Arc::new(Semaphore::new(0));
    let origin = forgetful(Arc::clone(&asleep));
    let front = Front::of(origin.url.clone());
    let address = front.address();
    // Eight connections are kept, all of which are dead afterwards.
    let many = (0..8).map(|n| get(address, Box::leak(format!("/many/{n}").into_boxed_str())));
    for reply in futures_util::future::join_all(many).await {
        reply.good();
    }
    asleep.add_permits(1);
    let before = origin.count();
    assert_eq!(front.get("/repos/octo-org/app").await.good(), GOOD_BODY);
    assert_eq!(origin.count() - before, 2, "the dead one, and a new one");

    let before = origin.count();
    let message = front
        .post("/repos/octo-org/app/issues", "{}")
        .await
        .failure(502);
    assert!(message.contains("broke off"), "{message}");
    assert_eq!(
        origin.count() - before,
        1,
        "a write may have had its effect: it is sent once"
    );
    // And so on until the dead ones are gone: nothing hangs, nothing is sent twice.
    for _ in 0..8 {
        let before = origin.count();
        front.post("/repos/octo-org/app/issues", "{}").await;
        assert_eq!(origin.count() - before, 1);
    }
    front.post("/repos/octo-org/app/issues", "{}").await.good();
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_used() {
    let origin = Origin::connections(|mut line, _| async move {
        // One answer, and a close that the daemon has time to see.
        line.head().await;
        line.write(GOOD).await;
        line.end().await;
    });
    let front = Front::of(origin.url.clone());
    for _ in 0..3 {
        front.post("/repos/octo-org/app/issues", "{}").await.good();
        delay(Duration::from_millis(50)).await;
    }
    assert_eq!(origin.count(), 3);
}

#[tokio::test]
async fn what_was_seen_stands_in_for_what_broke_and_waiters_are_not_stuck() {
    // Good once, then nothing but resets in the body.
    let first = Arc::new(AtomicUsize::new(0));
    let origin = Origin::connections(move |mut line, _| {
        let first = Arc::clone(&first);
        async move {
            while line.head().await.is_some() {
                if first.fetch_add(1, SeqCst) == 0 {
                    line.write(GOOD).await;
                    continue;
                }
                line.write(STAGES[2].1).await;
                delay(Duration::from_millis(100)).await;
                return line.reset();
            }
        }
    });
    let front = Front::of(origin.url.clone());
    front.get(READ).await.good();
    let address = front.address();
    let head = format!("GET {READ} HTTP/1.1\r\nCache-Control: no-cache\r\n");
    let stale = super::ask(address, &head, b"").await;
    assert_eq!(stale.good(), GOOD_BODY);
    assert!(stale.cache().ends_with("detail=stale"), "{}", stale.cache());
    let other = "/repos/octo-org/app/issues/2";
    let many = (0..20).map(|_| get(address, other));
    for reply in futures_util::future::join_all(many).await {
        reply.failure(502);
    }
}
