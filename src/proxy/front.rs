//! A connection: heads are read and judged here, and what memory holds is answered at once.
//!
//! A hit costs one read, one pass over the head, one look into memory and one write. Requests that
//! came together are answered together, in order. Whatever memory cannot answer goes to [`slow`],
//! one message at a time, and then the connection is back here.

mod repeat;
mod step;

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::date::DateText;
use super::failure::Refusal;
use super::forward::{self, Job, Outgoing};
use super::head::Framing;
use super::host::Door;
use super::inbox::Inbox;
use super::message::{Limits, Progress};
use super::parking::{Fate, Place, Repeatable};
use super::slow::{self, End};
use super::wire::{self, Patience, Wire};
use super::{Shared, accept, admin};
use crate::tiered::Caller;

use repeat::Repeat;

/// Answers are collected up to this size before they are written.
const BATCH: usize = 64 << 10;

/// A connection that rests for so long gives its buffers back: a client that asks again and again does so
/// sooner, and one that does not can wait for an allocation.
const SLEEPS_AFTER: Duration = Duration::from_secs(1);

/// What a connection keeps from request to request.
pub(super) struct Connection<W> {
    shared: Arc<Shared>,
    door: Door,
    wire: W,
    inbox: Inbox,
    outbox: Vec<u8>,
    /// The last caller: a connection rarely has two.
    caller: Option<Caller>,
    /// The last request that memory answered.
    last: Repeat,
    date: DateText,
    /// When it was found that the head that is coming in came in parts.
    begun: Option<Instant>,
    /// Bytes of it in which no end was found.
    searched: usize,
    reading: Patience,
    writing: Patience,
    /// Where the first request is parked, if another daemon read it.
    place: Option<Place>,
    // Held, never read: one of the connections that may be open.
    _seat: Option<OwnedSemaphorePermit>,
}

/// What is to be done next.
enum Step {
    /// The head is not complete.
    Read,
    /// An answer is in the outbox.
    Answered { close: bool },
    /// An answer's head is in the outbox; this is its body.
    Body { body: Body, close: bool },
    /// An error is in the outbox, and what follows the request's head was not read.
    Refused,
    /// Not for us.
    Forward(Message, Arc<Job>),
    /// For the admin interface.
    Admin(Message, admin::Access),
}

/// A body that is too long for the outbox.
#[derive(Clone, Default)]
struct Body {
    bytes: Bytes,
    /// A file with the same bytes.
    file: Option<Arc<OwnedFd>>,
}

/// The bytes of a request's head, and what follows them.
type Message = (usize, Framing);

/// What came of waiting for more bytes.
enum Arrival {
    Bytes,
    Nothing,
    TooSlow,
}

impl<W: Wire> Connection<W> {
    pub(super) fn new(shared: Arc<Shared>, door: Door, wire: W) -> Self {
        Self {
            shared,
            door,
            wire,
            inbox: Inbox::default(),
            outbox: Vec::new(),
            caller: None,
            last: Repeat::default(),
            date: DateText::default(),
            begun: None,
            searched: 0,
            reading: Patience::default(),
            writing: Patience::default(),
            place: None,
            _seat: None,
        }
    }

    /// Counts as one of the connections that may be open.
    pub(super) fn holding(self, seat: OwnedSemaphorePermit) -> Self {
        Self {
            _seat: Some(seat),
            ..self
        }
    }

    /// Goes on with what another daemon has read.
    pub(super) fn adopting(mut self, bytes: &[u8], place: Option<Place>) -> Self {
        self.inbox.put_back(bytes);
        self.place = place;
        self
    }

    /// Serves the connection to its end. The future of each connection is held for as long as it is open,
    /// so what is rare in it is boxed.
    pub(super) async fn serve(mut self, mut shutdown: watch::Receiver<bool>) {
        let mut stopped = std::pin::pin!(accept::stopped(&mut shutdown));
        loop {
            let step = self.step();
            let more = matches!(step, Step::Answered { close: false })
                && self.outbox.len() < BATCH
                && !self.inbox.is_empty();
            if more {
                continue;
            }
            let body = if let Step::Body { body, .. } = &step {
                body.clone()
            } else {
                Body::default()
            };
            if self.flush(&body).await.is_err() {
                return;
            }
            match step {
                Step::Answered { close: false } | Step::Body { close: false, .. } => {}
                Step::Answered { close: true } | Step::Body { close: true, .. } => {
                    return Box::pin(self.finish(false)).await;
                }
                Step::Refused => return Box::pin(self.finish(true)).await,
                Step::Read => match self.read(stopped.as_mut()).await {
                    Arrival::Bytes => {}
                    Arrival::Nothing => return,
                    Arrival::TooSlow => return Box::pin(self.too_slow()).await,
                },
                Step::Forward(message, job) => {
                    let fate = self.fate(job.repeatable, message.0);
                    let shared = self.shared.clone();
                    let answer = move |request, progress| {
                        forward::answer(shared.clone(), job.clone(), request, progress)
                    };
                    match Box::pin(self.exchange(message, fate, answer)).await {
                        Some(back) => self = back,
                        None => return,
                    }
                }
                Step::Admin(message, access) => {
                    let fate = self.fate(Repeatable::Never, message.0);
                    let shared = self.shared.clone();
                    let answer = move |request, _| admin::answer(shared.clone(), access, request);
                    match Box::pin(self.exchange(message, fate, answer)).await {
                        Some(back) => self = back,
                        None => return,
                    }
                }
            }
        }
    }

    /// Answers 503 and ends: there are too many connections.
    pub(super) async fn turn_away(mut self) {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many connections");
        let now = self.shared.clock.now();
        refusal.write(&mut self.outbox, self.date.at(now), false, true);
        if self.flush(&Body::default()).await.is_ok() {
            self.finish(true).await;
        }
    }

    async fn flush(&mut self, body: &Body) -> std::io::Result<()> {
        let Body { bytes, file } = body;
        if self.outbox.is_empty() && bytes.is_empty() {
            return Ok(());
        }
        if let Some(mut place) = self.place.take() {
            let told = std::future::poll_fn(|cx| place.poll_release(cx)).await;
            told.inspect_err(|_| self.wire.cut())?;
        }
        let limit = self.shared.config.write_timeout;
        let Self {
            wire,
            outbox,
            writing,
            ..
        } = self;
        match file {
            Some(file) => wire::write_file(wire, outbox, (file, bytes), writing, limit).await?,
            None => wire::write_all(wire, outbox, bytes, writing, limit).await?,
        }
        self.outbox.clear();
        // What a large batch needed is not kept for the life of the connection.
        self.outbox.shrink_to(BATCH);
        Ok(())
    }

    /// What becomes of the next request should this process die.
    fn fate(&mut self, repeatable: Repeatable, head: usize) -> Fate {
        match self.place.take() {
            Some(place) => Fate::Parked(place),
            None => Fate::of(self.shared.parking.as_ref(), self.door, repeatable, head),
        }
    }

    async fn finish(self, unread: bool) {
        if unread || !self.inbox.is_empty() {
            wire::linger(self.wire).await;
        }
    }

    async fn too_slow(mut self) {
        let refusal = Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "the request's head took too long",
        );
        let now = self.shared.clock.now();
        refusal.write(&mut self.outbox, self.date.at(now), false, true);
        if self.flush(&Body::default()).await.is_ok() {
            self.finish(true).await;
        }
    }

    /// Waits for bytes: of a head that has begun not for long, of the next one longer.
    async fn read(&mut self, mut stopped: Pin<&mut impl Future<Output = ()>>) -> Arrival {
        let config = &self.shared.config;
        let resting = self.inbox.is_empty();
        if resting {
            self.inbox.rest();
        }
        let (until, mut asleep) = if resting {
            let now = Instant::now();
            (now + config.idle_timeout, Some(now + SLEEPS_AFTER))
        } else {
            let begun = *self.begun.get_or_insert_with(Instant::now);
            (begun + config.head_timeout, None)
        };
        let Self {
            wire,
            inbox,
            outbox,
            last,
            reading,
            ..
        } = self;
        let mut released = false;
        std::future::poll_fn(|cx| {
            let read = if released {
                inbox.poll_wake(cx, wire)
            } else {
                inbox.poll_fill(cx, wire, config.head_limit)
            };
            if let Poll::Ready(read) = read {
                return Poll::Ready(match read {
                    Ok(0) | Err(_) => Arrival::Nothing,
                    Ok(_) => Arrival::Bytes,
                });
            }
            if let Some(at) = asleep
                && reading.is_past(cx, at.min(until))
            {
                asleep = None;
                released = true;
                (*outbox, *last) = (Vec::new(), Repeat::default());
                // Once more, in the way that holds nothing; then until the idle time is over.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if asleep.is_none() && reading.is_past(cx, until) {
                return Poll::Ready(if resting {
                    Arrival::Nothing
                } else {
                    Arrival::TooSlow
                });
            }
            if resting && stopped.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Arrival::Nothing);
            }
            Poll::Pending
        })
        .await
    }

    /// Hands one message to hyper. `None`: the connection is over.
    async fn exchange<F, A>(mut self, message: Message, fate: Fate, answer: F) -> Option<Self>
    where
        F: Fn(Request<Incoming>, Arc<Progress>) -> A + Send + Sync,
        A: Future<Output = Response<Outgoing>> + Send + 'static,
    {
        let shared = self.shared.clone();
        let answer = |request, progress| closing(shared.clone(), answer(request, progress));
        let limits = Limits {
            read: self.shared.config.body_timeout,
            write: self.shared.config.write_timeout,
        };
        let inbox = std::mem::take(&mut self.inbox);
        let (wire, inbox, end) =
            slow::exchange(self.wire, inbox, message, fate, limits, answer).await;
        match end {
            End::Idle => Some(Self {
                wire,
                inbox,
                ..self
            }),
            End::Closed { unread } => {
                if unread {
                    wire::linger(wire).await;
                }
                None
            }
            End::Broken => {
                wire.abort();
                None
            }
        }
    }
}

/// `answer`, saying that the connection ends when the daemon does.
async fn closing(
    shared: Arc<Shared>,
    answer: impl Future<Output = Response<Outgoing>>,
) -> Response<Outgoing> {
    let mut response = answer.await;
    if shared.is_draining() {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
