//! Requests in flight that outlive this process.
//!
//! A request that has been read and waits for GitHub would die with us. So a duplicate of its
//! client's socket is *parked* with the keeper, together with what was read of it, and *released* the
//! moment before the first byte of its answer is written. Should we die in between, the keeper hands
//! it to the next daemon, which *adopts* it: it is a new connection whose first bytes are here
//! already, and still parked. So a request is answered once or, if we die inside those few
//! microseconds, broken off; never twice.
//!
//! Only what can be repeated is parked (`Repeatable`), and only when it has to wait: what memory holds
//! costs nothing here. Parking never waits. A request that cannot be parked is served all the same.
//!
//! What is absent: connections between two requests, whose clients connect again, and answers that
//! have begun.

mod line;
mod repeatable;

use std::io;
use std::os::fd::BorrowedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::host::Door;
use crate::stats::Stats;

pub use line::{Entrance, Line, MAX_REQUEST, Message, Parked};
pub(super) use repeatable::Repeatable;

/// Clients parked at once. The keeper holds a descriptor for each, and 1,024 is all that many systems
/// give a process.
pub const MAX_PARKED: usize = 512;
/// Bytes of all parked requests.
pub const MAX_BYTES: usize = 16 << 20;
/// How long a keeper may take to read that an answer begins. It does nothing else, so one that takes
/// longer was stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// The daemon's side: a cheap handle.
#[derive(Clone)]
pub struct Parking(Arc<Lot>);

struct Lot {
    line: Line,
    stats: Arc<Stats>,
    next: AtomicU64,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    /// The keeper is gone.
    closed: AtomicBool,
}

/// A client that another daemon could not answer.
pub(super) struct Adopted {
    pub(super) parked: Parked,
    /// Absent in the keeper itself.
    pub(super) place: Option<Place>,
}

impl Parking {
    /// `line` leads to the keeper.
    pub fn new(line: Line, stats: Arc<Stats>) -> Self {
        Self(Arc::new(Lot {
            line,
            stats,
            next: AtomicU64::new(0),
            places: Arc::new(Semaphore::new(MAX_PARKED)),
            bytes: Arc::new(Semaphore::new(MAX_BYTES)),
            closed: AtomicBool::new(false),
        }))
    }

    /// Tells the keeper that we can adopt. One that does not hear it keeps what it has for the next.
    pub(super) fn open(&self) {
        if let Err(error) = self.0.line.ready() {
            self.0.failed(&error);
        }
    }

    /// Waits for a client that another daemon could not answer.
    pub(super) async fn adopt(&self) -> Adopted {
        loop {
            match self.0.line.receive().await {
                Ok(Some(Message::Park(id, parked))) => {
                    let place = Some(Place::new(self.0.clone(), id, None));
                    return Adopted { parked, place };
                }
                // The keeper must not wait for us.
                Ok(Some(Message::Lost(id))) => drop(Place::new(self.0.clone(), id, None)),
                Ok(_) => {}
                Err(error) => {
                    self.0.failed(&error);
                    return std::future::pending().await;
                }
            }
        }
    }

    fn park(&self, entrance: Entrance, bytes: [&[u8]; 2], socket: BorrowedFd<'_>) -> Option<Place> {
        let lot = &self.0;
        if lot.closed.load(Relaxed) {
            return None;
        }
        let length = bytes[0].len() + bytes[1].len();
        if length > MAX_REQUEST {
            lot.stats.reason("not-parked-too-large");
            return None;
        }
        let permits = lot.permits(length);
        if permits.is_none() {
            lot.stats.reason("not-parked-full");
        }
        let permits = permits?;
        let id = lot.next.fetch_add(1, Relaxed);
        match lot.line.park(id, entrance, bytes, socket) {
            Ok(()) => Some(Place::new(lot.clone(), id, Some(permits))),
            Err(error) => {
                lot.stats.reason("not-parked-unheard");
                lot.failed(&error);
                None
            }
        }
    }
}

type Permits = [OwnedSemaphorePermit; 2];
/// A message that the line had no room for, on its way.
type Late = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl Lot {
    fn permits(&self, length: usize) -> Option<Permits> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        let length = u32::try_from(length).ok()?;
        let bytes = self.bytes.clone().try_acquire_many_owned(length).ok()?;
        Some([place, bytes])
    }

    /// Notes a message that was not sent. A full line, or one that takes no such message, is not
    /// broken.
    fn failed(&self, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected};
        let broken = matches!(
            error.kind(),
            BrokenPipe | ConnectionRefused | ConnectionReset | NotConnected
        );
        if broken && !self.closed.swap(true, Relaxed) {
            tracing::warn!("the keeper is gone: requests in flight end with this process");
        }
    }
}

/// A parked client's place at the keeper. Dropping it releases the client.
pub(super) struct Place {
    lot: Arc<Lot>,
    id: u64,
    released: bool,
    late: Option<Late>,
    // Held, never read. Who was adopted is within the keeper's bounds already.
    _permits: Option<Permits>,
}

impl Place {
    fn new(lot: Arc<Lot>, id: u64, permits: Option<Permits>) -> Self {
        Self {
            lot,
            id,
            released: false,
            late: None,
            _permits: permits,
        }
    }

    /// Ready when the keeper knows, or will never ask, that the answer begins. An error: it may not
    /// know, so the client's socket must not be answered at.
    pub(super) fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.late.is_none() {
            self.late = self.try_release();
        }
        let Some(late) = &mut self.late else {
            return Poll::Ready(Ok(()));
        };
        let told = ready!(late.as_mut().poll(cx));
        (self.late, self.released) = (None, true);
        Poll::Ready(told)
    }

    /// Sends the message, or returns what will.
    fn try_release(&mut self) -> Option<Late> {
        if std::mem::replace(&mut self.released, true) {
            return None;
        }
        let Err(error) = self.lot.line.try_release(self.id) else {
            return None;
        };
        self.lot.failed(&error);
        if self.lot.closed.load(Relaxed) {
            return None;
        }
        let (lot, id) = (self.lot.clone(), self.id);
        Some(Box::pin(async move {
            match tokio::time::timeout(PATIENCE, lot.line.release(id)).await {
                Ok(Err(error)) => {
                    lot.failed(&error);
                    let gone = lot.closed.load(Relaxed);
                    if gone { Ok(()) } else { Err(error) }
                }
                Ok(Ok(())) => Ok(()),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let late = self.late.take().or_else(|| self.try_release());
        if let (Some(late), Ok(runtime)) = (late, tokio::runtime::Handle::try_current()) {
            runtime.spawn(late);
        }
    }
}

/// What becomes of one request should we die.
pub(super) enum Fate {
    /// It ends with us: it must not be repeated, or its answer has begun.
    Ends,
    /// It will be parked when it is whole and has to wait.
    Open(Gathering),
    /// The next daemon answers it.
    Parked(Place),
}

/// What was read of a request so far.
pub(super) struct Gathering {
    parking: Parking,
    entrance: Entrance,
    repeatable: Repeatable,
    head: usize,
    bytes: Vec<u8>,
}

impl Fate {
    /// The fate of a request whose head has `head` bytes.
    pub(super) fn of(
        parking: Option<&Parking>,
        door: Door,
        repeatable: Repeatable,
        head: usize,
    ) -> Self {
        let entrance = match door {
            Door::Tcp(_) => Entrance::Tcp,
            Door::Unix | Door::Guest => Entrance::Unix,
            Door::Admin(_) => return Self::Ends,
        };
        match parking {
            Some(parking) if repeatable != Repeatable::Never => Self::Open(Gathering {
                parking: parking.clone(),
                entrance,
                repeatable,
                head,
                bytes: Vec::new(),
            }),
            _ => Self::Ends,
        }
    }

    /// `bytes` of the request were read.
    pub(super) fn took(&mut self, bytes: &[u8]) {
        if let Self::Open(gathering) = self {
            if gathering.bytes.len() + bytes.len() > MAX_REQUEST {
                gathering.parking.0.stats.reason("not-parked-too-large");
                *self = Self::Ends;
            } else {
                gathering.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// The whole request was read, and there is no answer yet. `rest` came behind it.
    pub(super) fn waits(&mut self, rest: &[u8], socket: BorrowedFd<'_>) {
        if let Self::Open(gathering) = self {
            let Gathering {
                parking,
                entrance,
                repeatable,
                head,
                bytes,
            } = gathering;
            let holds = bytes
                .get(*head..)
                .is_some_and(|body| repeatable.holds(body));
            let parked = holds.then(|| parking.park(*entrance, [bytes, rest], socket));
            *self = parked.flatten().map_or(Self::Ends, Self::Parked);
        }
    }

    /// The answer begins. See [`Place::poll_release`].
    pub(super) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Parked(place) = self {
            ready!(place.poll_release(cx))?;
        }
        *self = Self::Ends;
        Poll::Ready(Ok(()))
    }
}
