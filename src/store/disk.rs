//! The disk tier: what survives a restart, shared by all daemons of one user.
//!
//! A failing disk is a miss and a counter, never an error of a request.

use std::path::PathBuf;
use std::sync::Arc;

use super::Slot;
use crate::api::Key;
use crate::clock::Clock;
use crate::secret::LocalSecret;

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
}

/// What the disk holds and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Things held.
    pub entries: u64,
    /// Bytes they take.
    pub bytes: u64,
    /// Things that had to make room.
    pub evictions: u64,
}

/// A cheap handle to the disk tier.
#[derive(Debug, Clone)]
pub struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {}

impl Disk {
    /// Opens the store, or makes it.
    pub fn open(_config: &Config, _secret: &LocalSecret, _clock: Clock) -> Result<Self, Error> {
        Ok(Self(Arc::new(Inner {})))
    }

    /// What is held under `key`, if its digests are right.
    pub fn get(&self, _key: &Key) -> Option<Slot> {
        let _inner = &self.0;
        None
    }

    /// Writes `slot` a little later: merged with what is held.
    pub fn put(&self, _key: Key, _slot: Slot) {}

    /// Notes that `key` was of use.
    pub fn used(&self, _key: &Key) {}

    /// Returns when all that was put before is committed, or cannot be.
    pub async fn flush(&self) {}

    /// Removes what is held under `key`, and says whether there was something.
    pub async fn remove(&self, _key: Key) -> bool {
        false
    }

    /// Removes everything, and says how much there was.
    pub async fn clear(&self) -> u64 {
        0
    }

    /// At most `limit` of the things held, the largest first.
    pub fn list(&self, _limit: usize) -> Vec<(Key, Slot)> {
        Vec::new()
    }

    /// Numbers.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}
