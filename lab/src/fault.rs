//! Trouble on command. The only file of this crate that sleeps.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use tokio::sync::mpsc;

use crate::matcher::Matcher;
use crate::request::Call;

/// How long a head may travel before the reset that follows it.
const HEAD_START: Duration = Duration::from_millis(20);

/// A peer that takes its time. Everything else waits for what happens, not for the clock.
pub async fn delay(by: Duration) {
    tokio::time::sleep(by).await;
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Wait before the head is sent.
    Latency(Duration),
    /// Wait after the head and half of the body.
    BodyLatency(Duration),
    /// Wait up to this long at every step, a different time at each: before the state is read, before
    /// the head is sent, and in the middle of the body.
    Jitter(Duration),
    /// This status with GitHub's JSON error.
    Status(u16),
    /// 502 with an HTML page, as GitHub's front end sends it.
    BadGateway,
    /// The connection is reset before anything is sent.
    ResetBeforeHead,
    /// The connection is reset after head and half of the body.
    ResetAfterHead,
    /// The head promises the whole body; this many bytes come, then the connection closes.
    Truncate(usize),
    /// The body comes in pieces.
    Slow {
        /// Bytes per piece.
        bytes: usize,
        /// Time between pieces.
        every: Duration,
    },
    /// A secondary limit, whatever was counted.
    Limited {
        /// 403 or 429.
        status: u16,
        /// `Retry-After` in seconds, if one is sent.
        retry_after: Option<u64>,
    },
}

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Matcher, Fault)>);

impl Faults {
    pub(crate) fn add(&mut self, matcher: Matcher, fault: Fault) {
        self.0.retain(|(matcher, _)| !matcher.is_spent());
        self.0.push((matcher, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first fault that means this request.
    pub(crate) fn take(&mut self, call: &Call) -> Option<Fault> {
        let entry = self.0.iter_mut().find_map(|(matcher, fault)| {
            let takes = matcher.takes(call);
            takes.then(|| fault.clone())
        });
        self.0.retain(|(matcher, _)| !matcher.is_spent());
        entry
    }
}

/// The error that makes the server drop a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abort;

impl std::fmt::Display for Abort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the fake ends this connection")
    }
}

impl std::error::Error for Abort {}

/// Set when a connection must end with a reset.
pub(crate) type Reset = Arc<AtomicBool>;

/// The body type of every answer.
pub(crate) type LabBody = BoxBody<Bytes, Abort>;

/// What happens before the head.
pub(crate) async fn before_head(fault: Option<&Fault>, reset: &Reset) -> Result<(), Abort> {
    match fault {
        Some(Fault::Latency(wait)) => tokio::time::sleep(*wait).await,
        Some(Fault::Jitter(most)) => tokio::time::sleep(some_of(*most)).await,
        Some(Fault::ResetBeforeHead) => {
            reset.store(true, Ordering::SeqCst);
            return Err(Abort);
        }
        _ => {}
    }
    Ok(())
}

/// What happens between the state that was read and the answer.
pub(crate) async fn after_read(fault: Option<&Fault>) {
    if let Some(Fault::Jitter(most)) = fault {
        tokio::time::sleep(some_of(*most)).await;
    }
}

/// A part of `most`, another one at each call, the same ones in every run.
fn some_of(most: Duration) -> Duration {
    static CALLS: AtomicU64 = AtomicU64::new(1);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    // Fibonacci hashing spreads consecutive numbers evenly over the 256 parts.
    let part = call.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56;
    most * u32::try_from(part).unwrap_or(0) / 256
}

/// The body as the fault lets it through.
pub(crate) fn body(fault: Option<&Fault>, bytes: Bytes, reset: &Reset) -> LabBody {
    let half = bytes.len() / 2;
    let (front, back) = (bytes.slice(..half), bytes.slice(half..));
    match fault {
        Some(Fault::BodyLatency(_) | Fault::Jitter(_)) => {
            let wait = match fault {
                Some(Fault::BodyLatency(wait)) => *wait,
                Some(Fault::Jitter(most)) => some_of(*most),
                _ => Duration::ZERO,
            };
            paced(move |pipe| async move {
                pipe.send(Ok(front)).await.ok();
                tokio::time::sleep(wait).await;
                pipe.send(Ok(back)).await.ok();
            })
        }
        Some(Fault::ResetAfterHead) => {
            let reset = reset.clone();
            paced(move |pipe| async move {
                pipe.send(Ok(front)).await.ok();
                tokio::time::sleep(HEAD_START).await;
                reset.store(true, Ordering::SeqCst);
                pipe.send(Err(Abort)).await.ok();
            })
        }
        Some(Fault::Truncate(length)) => {
            let sent = bytes.slice(..(*length).min(bytes.len()));
            paced(move |pipe| async move {
                pipe.send(Ok(sent)).await.ok();
                tokio::time::sleep(HEAD_START).await;
                pipe.send(Err(Abort)).await.ok();
            })
        }
        Some(Fault::Slow { bytes: size, every }) => {
            let (size, every) = ((*size).max(1), *every);
            paced(move |pipe| async move {
                for start in (0..bytes.len()).step_by(size) {
                    let piece = bytes.slice(start..(start + size).min(bytes.len()));
                    if pipe.send(Ok(piece)).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(every).await;
                }
            })
        }
        _ => Full::new(bytes).map_err(|never| match never {}).boxed(),
    }
}

type Pipe = mpsc::Sender<Result<Bytes, Abort>>;

/// A body that a task feeds at its own pace.
fn paced<F>(feed: impl FnOnce(Pipe) -> F) -> LabBody
where
    F: Future<Output = ()> + Send + 'static,
{
    let (pipe, pieces) = mpsc::channel(1);
    tokio::spawn(feed(pipe));
    Paced(pieces).boxed()
}

struct Paced(mpsc::Receiver<Result<Bytes, Abort>>);

impl Body for Paced {
    type Data = Bytes;
    type Error = Abort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Abort>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|bytes| bytes.map(Frame::data)))
    }
}
