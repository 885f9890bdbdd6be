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
mod shared;
mod trouble;
mod upkeep;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Slot;
use super::record::MacKey;
use crate::api::Key;
use crate::clock::Clock;
use crate::secret::LocalSecret;
use place::Place;
use shared::{Reader, Shared};
use trouble::{Reason, Trouble};
use writer::Writer;

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
        let shared = Arc::new(Shared::new(place, config.limit, clock, reader));
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

    /// What `row` makes of at most `limit` of the things held, the largest first. What is not written yet is not
    /// among them.
    ///
    /// Blocks, and reads every one of them.
    pub fn list<T>(&self, limit: usize, mut row: impl FnMut(Key, Slot) -> T) -> Vec<T> {
        let shared = &self.0.shared;
        let mut rows = Vec::new();
        let read = upkeep::largest(shared, limit, &mut |key, slot| rows.push(row(key, slot)));
        if let Err(trouble) = read {
            shared.tally.count(trouble.reason());
        }
        rows
    }

    /// At most `limit` of the keys held, the last used first. What is not written yet is not among them.
    ///
    /// Blocks, and reads the start of every record.
    pub fn keys(&self, limit: usize) -> Vec<Key> {
        let shared = &self.0.shared;
        upkeep::keys(shared, limit).unwrap_or_else(|trouble| {
            shared.tally.count(trouble.reason());
            Vec::new()
        })
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
