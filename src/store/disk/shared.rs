//! What the handles and the writer share, and how one record is read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tracing::warn;

use super::Error;
use super::breaker::Breaker;
use super::place::{Place, Seen};
use super::queue::Queue;
use super::rows;
use super::trouble::{Reason, Tally, Trouble};
use crate::api::Key;
use crate::clock::Clock;
use crate::store::Slot;
use crate::store::record::Fault;

/// How often a reader looks whether the database is still the current one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the handles and the writer share.
pub(super) struct Shared {
    pub(super) place: Place,
    pub(super) limit: u64,
    pub(super) clock: Clock,
    pub(super) tally: Tally,
    // Std mutexes: nothing is awaited under them. This one is held for moments only.
    queue: Mutex<Queue>,
    pub(super) wake: Condvar,
    /// Held while one record is read.
    reader: Mutex<Option<Reader>>,
    breaker: Mutex<Breaker>,
    /// What the times below count from.
    since: Instant,
    /// When a reader last looked whether its database is the current one, in milliseconds.
    looked: AtomicU64,
}

/// The connection to read with.
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) seen: Seen,
}

impl Shared {
    pub(super) fn new(place: Place, limit: u64, clock: Clock, reader: Option<Reader>) -> Self {
        Self {
            place,
            limit,
            clock,
            tally: Tally::default(),
            queue: Mutex::default(),
            wake: Condvar::new(),
            reader: Mutex::new(reader),
            breaker: Mutex::default(),
            since: Instant::now(),
            looked: AtomicU64::new(0),
        }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reader(&self) -> MutexGuard<'_, Option<Reader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how long a read took that ended `now`.
    fn timed(&self, took: Duration, now: Duration) {
        let mut breaker = self.breaker();
        *breaker = breaker.after(took, now);
        if !breaker.lets_read(now) {
            warn!(?took, "the disk cache is slow and rests for a while");
        }
    }

    pub(super) fn enqueue(&self, add: impl FnOnce(&mut Queue)) {
        add(&mut self.queue());
        self.wake.notify_one();
    }

    /// Waits for something to come, or for `most`.
    pub(super) fn wait<'a>(
        &self,
        queue: MutexGuard<'a, Queue>,
        most: Option<Duration>,
    ) -> MutexGuard<'a, Queue> {
        if let Some(most) = most {
            let waited = self.wake.wait_timeout(queue, most);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let waited = self.wake.wait(queue);
            waited.unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// What holds for rows that are written now.
    pub(super) fn terms(&self) -> rows::Terms<'_> {
        rows::Terms {
            place: &self.place,
            tally: &self.tally,
            limit: self.limit,
            now: self.clock.now().as_secs(),
        }
    }

    pub(super) fn totals(&self) -> rows::Totals {
        let reader = self.reader();
        let totals = reader
            .as_ref()
            .map(|reader| rows::totals(&reader.connection));
        totals.and_then(Result::ok).unwrap_or_default()
    }

    /// Tells the writer that something is wrong with the database itself.
    pub(super) fn suspect(&self, reason: Reason) {
        if self.queue().suspect(reason) {
            self.wake.notify_one();
        }
    }

    /// Reads what is held under `key`, unless the disk is too slow for somebody who waits.
    pub(super) fn read(&self, key: &Key) -> Option<Slot> {
        let start = self.since.elapsed();
        if !self.breaker().lets_read(start) {
            self.tally.count(Reason::Slow);
            return None;
        }
        let found = self.load(key);
        let end = self.since.elapsed();
        self.timed(end.saturating_sub(start), end);
        found
    }

    /// Reads what is held under `key`.
    pub(super) fn load(&self, key: &Key) -> Option<Slot> {
        let found = {
            let mut reader = self.reader();
            if self.is_time_to_look(self.since.elapsed()) {
                reader.take_if(|reader| !self.place.is_current(&reader.seen));
            }
            match &*reader {
                Some(reader) => rows::load(&reader.connection, &self.place, key),
                None => Err(Trouble::Gone),
            }
        };
        let fault = match found {
            Ok(None) => return None,
            Ok(Some(Ok(decoded))) => {
                if decoded.lost > 0 {
                    self.doubt(*key);
                }
                return Some(decoded.slot);
            }
            Ok(Some(Err(fault))) => fault,
            Err(trouble) => {
                self.tally.count(trouble.reason());
                if trouble.is_final() {
                    self.suspect(trouble.reason());
                }
                return None;
            }
        };
        match fault {
            Fault::Io(error) => self.tally.count(Trouble::from(error).reason()),
            // Counted by whoever looks again and drops it.
            Fault::Record | Fault::Body => self.doubt(*key),
        }
        None
    }

    fn is_time_to_look(&self, now: Duration) -> bool {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let every = u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(u64::MAX);
        let is_time = now >= self.looked.load(Relaxed).saturating_add(every);
        if is_time {
            self.looked.store(now, Relaxed);
        }
        is_time
    }

    fn doubt(&self, key: Key) {
        self.enqueue(|queue| queue.doubt(key));
    }

    pub(super) fn failed(&self, trouble: Trouble) -> Error {
        self.tally.count(trouble.reason());
        let directory = self.place.directory().to_owned();
        match trouble {
            Trouble::Newer => Error::Newer(directory),
            Trouble::Files(error) => Error::Files(error),
            trouble => Error::Database {
                directory,
                source: trouble.into(),
            },
        }
    }
}
