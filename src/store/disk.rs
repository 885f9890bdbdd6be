//! The disk tier: what survives a restart, shared by all daemons of one user.
//!
//! One SQLite database, of which every process has a connection to read with, used inline by whoever
//! asks, and one to write with, used by a thread that writes what waits in groups. What is read is checked as
//! if a stranger had written it (`store::record`).
//!
//! A failing disk is a miss and a counter, never an error of a request.

mod bodies;
mod breaker;
mod place;
mod queue;
mod rows;
mod salvage;
mod schema;
mod trouble;
mod upkeep;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;
use tracing::warn;

use super::Slot;
use super::record::{Fault, MacKey};
use crate::api::Key;
use crate::clock::Clock;
use crate::secret::LocalSecret;
use breaker::Breaker;
use place::{Place, Seen};
use queue::Queue;
use trouble::{Reason, Tally, Trouble};
use writer::Writer;

/// How often a reader looks whether the database is still the current one.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the last handle waits, when it is dropped, for what is not written yet.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Where it is and how much it may take.
#[derive(Debug, Clone)]
pub struct Config {
    /// A directory of its own, made if it is missing (0700).
    pub directory: PathBuf,
    /// Bytes that everything in it may take; the least recently used goes first.
    pub limit: u64,
}

/// Why the disk cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory cannot be used.
    #[error(transparent)]
    Files(#[from] crate::files::Error),
    /// A newer version of ghswarm has put its database there, and may be using it now.
    #[error("{} is in use by a newer version of ghswarm", .0.display())]
    Newer(PathBuf),
    /// The database cannot be opened, nor a new one made.
    #[error("cannot open the cache in {}", directory.display())]
    Database {
        /// Where it should be.
        directory: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What the disk holds and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Things held, by all processes together.
    pub entries: u64,
    /// Bytes they take, body files included.
    pub bytes: u64,
    /// Things that had to make room since the database was made.
    pub evictions: u64,
    /// How often this process met what, by name: `disk-entry-unsound`, `disk-full`, …
    pub reasons: Vec<(&'static str, u64)>,
}

/// What [`Disk::prune`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Things removed.
    pub removed: u64,
    /// Bytes they took.
    pub bytes: u64,
}

/// What [`Disk::verify`] found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Things that are what was written.
    pub sound: u64,
    /// Things that were not: dropped, or rid of the bodies that were not.
    pub dropped: u64,
    /// Body files that nothing named: removed.
    pub orphans_removed: u64,
}

/// A cheap handle to the disk tier. When the last one is dropped, what waits is written, for two seconds at
/// most.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let directory = self.0.shared.place.directory();
        f.debug_tuple("Disk").field(&directory).finish()
    }
}

struct Inner {
    shared: Arc<Shared>,
    /// Ends with the writer.
    finished: Mutex<mpsc::Receiver<()>>,
}

/// What the handles and the writer share.
struct Shared {
    place: Place,
    limit: u64,
    clock: Clock,
    tally: Tally,
    // Std mutexes: nothing is awaited under them. This one is held for moments only.
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Held while one record is read.
    reader: Mutex<Option<Reader>>,
    /// What the times below count from.
    since: Instant,
    /// A [`Breaker`] as bits.
    breaker: AtomicU64,
    /// When a reader last looked whether its database is the current one, in milliseconds.
    looked: AtomicU64,
}

/// The connection to read with.
struct Reader {
    connection: Connection,
    seen: Seen,
}

impl Disk {
    /// Opens the store, or makes it: anew when the one that is there is damaged, of an older version, or was
    /// written under another secret.
    pub fn open(config: &Config, secret: &LocalSecret, clock: Clock) -> Result<Self, Error> {
        let directory = &config.directory;
        let place = Place::new(directory.clone(), MacKey::new(secret));
        let mut opened = place.enter(true).map_err(|trouble| match trouble {
            Trouble::Newer => Error::Newer(directory.clone()),
            Trouble::Files(error) => Error::Files(error),
            trouble => Error::Database {
                directory: directory.clone(),
                source: trouble.into(),
            },
        })?;
        let seen = opened.seen.clone();
        let reader = opened
            .reader
            .take()
            .map(|connection| Reader { connection, seen });
        let shared = Arc::new(Shared {
            place,
            limit: config.limit,
            clock,
            tally: Tally::default(),
            queue: Mutex::default(),
            wake: Condvar::new(),
            reader: Mutex::new(reader),
            since: Instant::now(),
            breaker: AtomicU64::new(0),
            looked: AtomicU64::new(0),
        });
        let (ends_with_it, finished) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&shared), opened);
        thread::Builder::new()
            .name("disk".into())
            .spawn(move || {
                let _ends_with_it: mpsc::Sender<()> = ends_with_it;
                writer.run();
            })
            .map_err(|error| Error::Database {
                directory: directory.clone(),
                source: error.into(),
            })?;
        Ok(Self(Arc::new(Inner {
            shared,
            finished: Mutex::new(finished),
        })))
    }

    /// What is held under `key`, if all of it is what was written.
    ///
    /// Reads from disk in the thread of the caller: microseconds while the system has the pages in memory. When
    /// the disk was slow, it is not asked for a while, and this is `None`.
    pub fn get(&self, key: &Key) -> Option<Slot> {
        let shared = &self.0.shared;
        if let Some(slot) = shared.queue().get(key) {
            return Some(slot);
        }
        shared.read(key)
    }

    /// As [`Disk::get`], however long it takes: for somebody who has nobody else to ask.
    pub async fn fetch(&self, key: Key) -> Option<Slot> {
        let disk = self.clone();
        let fetched = tokio::task::spawn_blocking(move || {
            let shared = &disk.0.shared;
            let waiting = shared.queue().get(&key);
            waiting.or_else(|| shared.load(&key))
        });
        fetched.await.unwrap_or_default()
    }

    /// Writes `slot` a little later (within a second or so), merged with what is held. Bodies that hold
    /// something made for one caller are left out.
    pub fn put(&self, key: Key, slot: Slot) {
        let shared = &self.0.shared;
        let (dropped, wake) = shared.queue().put(key, slot, Instant::now());
        shared.tally.add(Reason::WriteDropped, dropped);
        if wake {
            shared.wake.notify_one();
        }
    }

    /// Notes that `key` was of use. Written down now and then, to the minute.
    pub fn used(&self, key: &Key) {
        let shared = &self.0.shared;
        if shared.queue().used(*key, Instant::now()) {
            shared.wake.notify_one();
        }
    }

    /// Returns when all that was put before is committed, or cannot be.
    pub async fn flush(&self) {
        let (reply, flushed) = oneshot::channel();
        self.0.shared.enqueue(|queue| {
            queue.flush(Box::new(|_| {
                let _ = reply.send(());
            }));
        });
        // Without an answer the writer is gone, which it is only after everything else.
        let _ = flushed.await;
    }

    /// Removes what is held under `key`, and says whether there was something.
    pub async fn remove(&self, key: Key) -> bool {
        let (reply, removed) = oneshot::channel();
        self.0.shared.enqueue(|queue| {
            queue.remove(key, |rows| {
                let _ = reply.send(rows);
            });
        });
        removed.await.is_ok_and(|rows| rows > 0)
    }

    /// Removes everything, and says how much there was.
    pub async fn clear(&self) -> u64 {
        let (reply, cleared) = oneshot::channel();
        self.0.shared.enqueue(|queue| {
            queue.clear(Box::new(|rows| {
                let _ = reply.send(rows);
            }));
        });
        cleared.await.unwrap_or(0)
    }

    /// At most `limit` of the things held, the largest first. What is not written yet is not among them.
    pub fn list(&self, limit: usize) -> Vec<(Key, Slot)> {
        let shared = &self.0.shared;
        upkeep::largest(shared, limit)
            .inspect_err(|trouble| shared.tally.count(trouble.reason()))
            .unwrap_or_default()
    }

    /// Numbers.
    pub fn counts(&self) -> Counts {
        let shared = &self.0.shared;
        let totals = shared.totals();
        Counts {
            entries: totals.entries,
            bytes: totals.bytes,
            evictions: totals.evictions,
            reasons: shared.tally.all(),
        }
    }

    /// Removes what was not used for `older_than`, then the least recently used until no more than `down_to`
    /// bytes are taken. `progress` is told how many things are done, of how many.
    ///
    /// Blocks; for commands, also while daemons use the store.
    pub fn prune(
        &self,
        older_than: Option<Duration>,
        down_to: Option<u64>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Pruned, Error> {
        let shared = &self.0.shared;
        self.flush_blocking();
        let before = older_than.map(|age| shared.clock.now().minus(age).as_secs());
        upkeep::prune(shared, before, down_to, progress).map_err(|trouble| shared.failed(trouble))
    }

    /// Reads everything, drops what is not what was written, and removes body files that nothing names.
    ///
    /// Blocks; for commands, also while daemons use the store.
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, Error> {
        let shared = &self.0.shared;
        self.flush_blocking();
        let verified = upkeep::verify(shared, progress).or_else(|trouble| {
            if trouble.reason() != Reason::Corrupt {
                return Err(trouble);
            }
            // The database itself: the writer takes what can be read of it over to a new one.
            let held = shared.totals().entries;
            shared.suspect(Reason::Corrupt);
            self.flush_blocking();
            let mut verified = upkeep::verify(shared, progress)?;
            verified.dropped += held.saturating_sub(verified.sound);
            Ok(verified)
        });
        verified.map_err(|trouble| shared.failed(trouble))
    }

    /// Shows every sound thing to `see`, in no order, until that says `false`.
    ///
    /// Blocks; for commands, also while daemons use the store.
    pub fn each(&self, see: &mut dyn FnMut(Key, Slot) -> bool) -> Result<(), Error> {
        let shared = &self.0.shared;
        self.flush_blocking();
        upkeep::each(shared, see).map_err(|trouble| shared.failed(trouble))
    }

    fn flush_blocking(&self) {
        let (reply, flushed) = mpsc::channel();
        self.0.shared.enqueue(|queue| {
            queue.flush(Box::new(move |_| {
                let _ = reply.send(());
            }));
        });
        let _ = flushed.recv();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Option<Reader>> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, add: impl FnOnce(&mut Queue)) {
        add(&mut self.queue());
        self.wake.notify_one();
    }

    /// Waits for something to come, or for `most`.
    fn wait<'a>(
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

    fn totals(&self) -> rows::Totals {
        let reader = self.reader();
        let totals = reader
            .as_ref()
            .map(|reader| rows::totals(&reader.connection));
        totals.and_then(Result::ok).unwrap_or_default()
    }

    /// Tells the writer that something is wrong with the database itself.
    fn suspect(&self, reason: Reason) {
        if self.queue().suspect(reason) {
            self.wake.notify_one();
        }
    }

    /// Reads what is held under `key`, unless the disk is too slow for somebody who waits.
    fn read(&self, key: &Key) -> Option<Slot> {
        let start = self.since.elapsed();
        let breaker = Breaker::from_bits(self.breaker.load(Relaxed));
        if !breaker.lets_read(start) {
            self.tally.count(Reason::Slow);
            return None;
        }
        let found = self.load(key);
        let end = self.since.elapsed();
        let took = end.saturating_sub(start);
        let after = breaker.after(took, end);
        if after != breaker {
            self.breaker.store(after.to_bits(), Relaxed);
        }
        if !after.lets_read(end) {
            warn!(?took, "the disk cache is slow and rests for a while");
        }
        found
    }

    /// Reads what is held under `key`.
    fn load(&self, key: &Key) -> Option<Slot> {
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

    fn failed(&self, trouble: Trouble) -> Error {
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

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.enqueue(|queue| queue.closing = true);
        let finished = self
            .finished
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        // What is not written by then is lost, as it would be with the process.
        let _ = finished.recv_timeout(CLOSE_WAIT);
    }
}
