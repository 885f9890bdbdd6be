//! The memory tier: entries by key, bounded in bytes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use super::Entry;
use crate::api::Key;
use crate::time::Timestamp;

/// Smallest entry worth planning for when the index is sized.
const TYPICAL_ENTRY_BYTES: u64 = 4096;

/// Something held in memory.
#[derive(Debug, Clone)]
pub enum Slot {
    /// Answers of GitHub.
    Answers(Arc<Entry>),
    /// A value that a script put there (`ghswarm cache put`).
    Named(Arc<Named>),
}

/// A value of the key-value interface.
#[derive(Debug)]
pub struct Named {
    /// The operation it was stored under.
    pub operation: Box<str>,
    /// The key, any bytes.
    pub key: Bytes,
    /// The value, any bytes.
    pub value: Bytes,
    /// When it was stored.
    pub stored_at: Timestamp,
    /// How long it is good for.
    pub lifetime: Duration,
}

impl Named {
    /// Whether it is still good. A clock that went back before `stored_at` makes it run out.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.stored_at <= now && now.since(self.stored_at) < self.lifetime
    }
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Slot> for ByBytes {
    fn weight(&self, _: &Key, slot: &Slot) -> u64 {
        match slot {
            Slot::Answers(entry) => entry.weight(),
            Slot::Named(named) => 256 + (named.key.len() + named.value.len()) as u64,
        }
    }
}

/// Counts what had to make room.
#[derive(Debug, Clone, Default)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<Key, Slot> for Evictions {
    /// What one insertion drove out. The value that it replaces is in here too.
    type RequestState = Vec<Key>;

    fn on_evict(&self, driven_out: &mut Vec<Key>, key: Key, _: Slot) {
        driven_out.push(key);
    }
}

/// Entries by key, at most a number of bytes; the least useful go first.
///
/// Freshness lives in the values: an entry that is no longer fresh is still the best candidate for a
/// free revalidation, so nothing is dropped for its age.
#[derive(Debug)]
pub struct Memory {
    slots: Cache<Key, Slot, ByBytes, DefaultHashBuilder, Evictions>,
    evictions: Evictions,
    // Held while an entry is read, changed and put back, so that no two changes lose one another.
    // A std mutex: nothing is awaited under it.
    changing: Mutex<()>,
}

impl Memory {
    /// An empty tier that holds at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let items = usize::try_from((limit / TYPICAL_ENTRY_BYTES).max(16)).unwrap_or(usize::MAX);
        let evictions = Evictions::default();
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(limit)
            // Shards split the byte limit: one, so that a large body fits a small tier.
            .shards(1)
            .build();
        let hashing = DefaultHashBuilder::default();
        let slots = match options {
            Ok(options) => Cache::with_options(options, ByBytes, hashing, evictions.clone()),
            // Both capacities are set above, which is all that `build` asks for.
            Err(_) => Cache::with(items, limit, ByBytes, hashing, evictions.clone()),
        };
        Self {
            slots,
            evictions,
            changing: Mutex::new(()),
        }
    }

    /// The answers held under `key`.
    pub fn entry(&self, key: &Key) -> Option<Arc<Entry>> {
        match self.slots.get(key)? {
            Slot::Answers(entry) => Some(entry),
            Slot::Named(_) => None,
        }
    }

    /// Replaces the entry under `key` by what `change` makes of it.
    pub fn change(&self, key: Key, change: impl FnOnce(Entry) -> Entry) -> Arc<Entry> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let held = self
            .entry(&key)
            .map(Arc::unwrap_or_clone)
            .unwrap_or_default();
        let next = Arc::new(change(held));
        self.insert(key, Slot::Answers(Arc::clone(&next)));
        next
    }

    /// Stores `slot`, and counts what else had to go for it.
    fn insert(&self, key: Key, slot: Slot) {
        let mut driven_out = Vec::new();
        self.slots.insert_with_lifecycle(key, slot, &mut driven_out);
        let others = driven_out.iter().filter(|&other| *other != key).count();
        self.evictions.0.fetch_add(others as u64, Relaxed);
    }

    /// The named value under `key`.
    pub fn named(&self, key: &Key) -> Option<Arc<Named>> {
        match self.slots.get(key)? {
            Slot::Named(named) => Some(named),
            Slot::Answers(_) => None,
        }
    }

    /// Stores a named value.
    pub fn put_named(&self, key: Key, named: Named) {
        self.insert(key, Slot::Named(Arc::new(named)));
    }

    /// Removes what is held under `key`, and says whether there was something.
    pub fn remove(&self, key: &Key) -> bool {
        self.slots.remove(key).is_some()
    }

    /// Removes everything, and says how much there was.
    pub fn clear(&self) -> u64 {
        let held = self.len();
        self.slots.clear();
        held
    }

    /// At most `limit` of the things held, in no order.
    pub fn list(&self, limit: usize) -> Vec<(Key, Slot)> {
        self.slots.iter().take(limit).collect()
    }

    /// How many things are held.
    pub fn len(&self) -> u64 {
        self.slots.len() as u64
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many things had to make room for others.
    pub fn evictions(&self) -> u64 {
        self.evictions.0.load(Relaxed)
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.slots.weight()
    }
}
