//! Bodies on their way through: never collected, watched for silence.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::Body;
use tokio::time::{Instant, Sleep};

use super::error::causes;

/// A body was silent for too long.
#[derive(Debug, thiserror::Error)]
#[error("no data for {} s", .0.as_secs())]
pub(super) struct Idle(Duration);

/// Whether a body ended because nothing arrived for the time limit.
pub fn fell_silent(error: &reqwest::Error) -> bool {
    causes(error).any(<dyn std::error::Error>::is::<Idle>)
}

/// A response's body that fails when nothing arrives for the time limit while somebody waits for it.
struct Watched {
    inner: Body,
    limit: Duration,
    /// Armed while a read waits, so that a slow reader is never blamed.
    silence: Option<Pin<Box<Sleep>>>,
}

/// `body` with a limit to its pauses. Its length, if known, stays known.
pub(super) fn watched(body: Body, limit: Duration) -> Body {
    Body::wrap(Watched {
        inner: body,
        limit,
        silence: None,
    })
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.silence = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = this.limit;
        let silence = this
            .silence
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(silence.as_mut().poll(cx));
        Poll::Ready(Some(Err(Idle(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// When a request's body last moved, so that an upload of hours has the same time limit as one of
/// a second: the limit counts from its last byte.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    start: Instant,
    /// Milliseconds from `start` to the last movement.
    moved: Arc<AtomicU64>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            moved: Arc::default(),
        }
    }

    fn mark(&self) {
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(passed, Relaxed);
    }

    /// Waits until nothing has moved for `limit`.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            let moved = self.moved.load(Relaxed);
            tokio::time::sleep_until(self.start + Duration::from_millis(moved) + limit).await;
            if self.moved.load(Relaxed) == moved {
                return;
            }
        }
    }
}

/// A request's body that tells when it moves.
struct Marked {
    inner: Body,
    progress: Progress,
}

/// `body`, telling `progress` of every frame that is taken from it.
pub(super) fn marked(body: Body, progress: Progress) -> Body {
    Body::wrap(Marked {
        inner: body,
        progress,
    })
}

impl HttpBody for Marked {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        self.progress.mark();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
