//! Answers that come drop by drop, and one that comes in very small pieces.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use ghswarm_lab::fault::delay;

use super::origin::{GOOD, GOOD_BODY, Line, Origin};
use super::process::Process;
use super::{BYTES, Front, READ, get, holding};

/// Between two drops: shorter than any time limit of a story.
const DROP: Duration = Duration::from_millis(250);

async fn drops(line: &mut Line, bytes: &[u8]) -> bool {
    for byte in bytes {
        if !line.write(std::slice::from_ref(byte)).await {
            return false;
        }
        delay(DROP).await;
    }
    true
}

/// Drips `what` while `drips` is true.
fn dripping(what: &'static [u8], from: usize, drips: &Arc<AtomicBool>) -> Origin {
    let drips = Arc::clone(drips);
    Origin::connections(move |mut line, _| {
        let drips = Arc::clone(&drips);
        async move {
            while line.head().await.is_some() {
                let well = if drips.load(SeqCst) {
                    line.write(&what[..from]).await && drops(&mut line, &what[from..]).await
                } else {
                    line.write(GOOD).await
                };
                if !well {
                    return;
                }
            }
        }
    })
}

#[tokio::test]
async fn a_head_that_drips_is_given_up_and_nobody_waits_behind_it() {
    let drips = Arc::new(AtomicBool::new(true));
    let origin = dripping(GOOD, 0, &drips);
    let front = Front::of(origin.url.clone());
    let began = Instant::now();
    let address = front.address();
    let waiters = futures_util::future::join_all((0..10).map(|_| get(address, READ)));
    let (first, waiters) = tokio::join!(front.get(BYTES), waiters);
    assert!(
        first.failure(504).contains("did not answer in time"),
        "{first:?}"
    );
    for waiter in waiters {
        waiter.failure(504);
    }
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    drips.store(false, SeqCst);
    assert_eq!(front.get(READ).await.good(), GOOD_BODY);
}

#[tokio::test]
async fn what_was_seen_stands_in_for_a_head_that_drips() {
    let drips = Arc::new(AtomicBool::new(false));
    let origin = dripping(GOOD, 0, &drips);
    let front = Front::of(origin.url.clone());
    front.get(READ).await.good();
    drips.store(true, SeqCst);
    let head = format!("GET {READ} HTTP/1.1\r\nCache-Control: no-cache\r\n");
    let stale = super::ask(front.address(), &head, b"").await;
    assert_eq!(stale.good(), GOOD_BODY);
    assert!(stale.cache().ends_with("detail=stale"), "{}", stale.cache());
}

/// The body takes longer than every limit but the one on silence: it is slow, and it is GitHub's. So it
/// is handed on as it comes, and whoever waited to share it asks by itself.
#[tokio::test]
async fn a_body_that_drips_reaches_its_client_and_is_shared_with_nobody() {
    let drips = Arc::new(AtomicBool::new(true));
    let body = GOOD.len() - GOOD_BODY.len();
    let origin = dripping(GOOD, body, &drips);
    let hold_time = Duration::from_millis(500);
    let front = Front::configured(holding(origin.url.clone(), hold_time));
    let address = front.address();
    let began = Instant::now();
    for reply in futures_util::future::join_all((0..6).map(|_| get(address, READ))).await {
        assert_eq!(reply.good(), GOOD_BODY);
        assert!(!reply.cache().contains("stored"), "{}", reply.cache());
    }
    let drip = DROP * u32::try_from(GOOD_BODY.len()).unwrap();
    // The last one has waited for others twice at most, and then has an answer of its own.
    assert!(began.elapsed() < 8 * drip, "{:?}", began.elapsed());
    assert!(front.reason("not-stored-too-slow").await >= 1);
    drips.store(false, SeqCst);
    assert!(front.get(READ).await.cache().contains("stored"));
    assert!(front.get(READ).await.cache().contains("hit"));
}

#[tokio::test]
async fn a_download_may_be_slow_but_not_silent() {
    let drips = Arc::new(AtomicBool::new(true));
    let origin = dripping(GOOD, GOOD.len() - GOOD_BODY.len(), &drips);
    let front = Front::of(origin.url.clone());
    let began = Instant::now();
    // Three times as long as the limit on silence.
    assert_eq!(front.get(BYTES).await.good(), GOOD_BODY);
    assert!(
        began.elapsed() > 2 * Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );

    let silent = Origin::connections(|mut line, number| async move {
        line.head().await;
        let end = if number == 0 {
            GOOD.len() - 3
        } else {
            GOOD.len()
        };
        line.write(&GOOD[..end]).await;
        line.gone().await;
    });
    for path in [BYTES, READ] {
        let front = Front::of(silent.url.clone());
        let cut = front.get(path).await;
        if path == BYTES {
            assert!(cut.status == 200 && !cut.whole, "{cut:?}");
            assert_eq!(front.get(path).await.good(), GOOD_BODY);
        } else {
            assert_eq!(cut.good(), GOOD_BODY);
        }
    }
}

#[tokio::test]
async fn a_silent_body_of_a_read_is_an_error_and_is_not_kept() {
    let silent = Origin::connections(|mut line, number| async move {
        line.head().await;
        let end = if number == 0 {
            GOOD.len() - 3
        } else {
            GOOD.len()
        };
        line.write(&GOOD[..end]).await;
        line.gone().await;
    });
    let front = Front::of(silent.url.clone());
    front.get(READ).await.failure(504);
    assert_eq!(front.get(READ).await.good(), GOOD_BODY);
}

/// A refusal is read to find out whether it is a limit: not for ever.
#[tokio::test]
async fn a_refusal_that_drips_is_handed_on() {
    const REFUSAL: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\
        Content-Length: 16\r\n\r\n{\"message\":\"no\"}";
    let drips = Arc::new(AtomicBool::new(true));
    let origin = dripping(REFUSAL, REFUSAL.len() - 16, &drips);
    let front = Front::configured(holding(origin.url.clone(), Duration::from_millis(500)));
    let mut line = tokio::net::TcpStream::connect(front.address())
        .await
        .unwrap();
    let request = format!("GET {BYTES} HTTP/1.1\r\nHost: {}\r\n\r\n", front.address());
    tokio::io::AsyncWriteExt::write_all(&mut line, request.as_bytes())
        .await
        .unwrap();
    let began = Instant::now();
    let mut start = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut line, &mut start)
        .await
        .unwrap();
    assert_eq!(&start, b"HTTP/1.1 403");
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

/// A chunk of one byte is a part of a buffer of many kilobytes: a million of them, held as they come,
/// are a hundred times their bytes.
#[tokio::test]
async fn a_million_chunks_of_one_byte_are_no_more_than_a_few_megabytes() {
    const CHUNKS: usize = 1 << 20;
    let origin = Origin::connections(|mut line, number| async move {
        line.head().await;
        if number == 0 {
            line.write(GOOD).await;
            return line.end().await;
        }
        line.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
              1\r\n\"\r\n",
        )
        .await;
        let piece = b"1\r\nx\r\n".repeat(4096);
        for _ in 0..CHUNKS / 4096 {
            line.write(&piece).await;
        }
        line.write(b"1\r\n\"\r\n0\r\n\r\n").await;
        line.gone().await;
    });
    let process = Process::start(&origin.url, &[]).await;
    get(process.address(), BYTES).await.good();
    let before = process.peak_kib();
    let reply = get(process.address(), READ).await;
    assert_eq!(reply.good().len(), CHUNKS + 2);
    let grown = process.peak_kib() - before;
    assert!(grown < 16 << 10, "{grown} KiB");
}
