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

type Slots = Cache<Key, Slot, ByBytes, DefaultHashBuilder, Evictions>;

/// Entries by key, at most a number of bytes; the least useful go first.
///
/// Freshness lives in the values: an entry that is no longer fresh is still the best candidate for a
/// free revalidation, so nothing is dropped for its age.
///
/// In front of a disk tier, what was stored and never asked for again has a quarter of the room: most of
/// what a job fetches it fetches once, and the disk has it as well.
#[derive(Debug)]
pub struct Memory {
    kept: Slots,
    /// What was not asked for again yet, in front of a disk.
    recent: Option<Recent>,
    evictions: Evictions,
    // Held while an entry is read, changed and put back, so that no two changes lose one another.
    // A std mutex: nothing is awaited under it.
    changing: Mutex<()>,
}

#[derive(Debug)]
struct Recent {
    slots: Slots,
    /// What takes more would drive out too much.
    largest: u64,
}

fn slots(limit: u64, evictions: &Evictions) -> Slots {
    let items = usize::try_from((limit / TYPICAL_ENTRY_BYTES).max(16)).unwrap_or(usize::MAX);
    let options = OptionsBuilder::new()
        .estimated_items_capacity(items)
        .weight_capacity(limit)
        // Shards split the byte limit: one, so that a large body fits a small tier.
        .shards(1)
        .build();
    let hashing = DefaultHashBuilder::default();
    match options {
        Ok(options) => Cache::with_options(options, ByBytes, hashing, evictions.clone()),
        // Both capacities are set above, which is all that `build` asks for.
        Err(_) => Cache::with(items, limit, ByBytes, hashing, evictions.clone()),
    }
}

impl Memory {
    /// An empty tier that holds at most `limit` bytes.
    pub fn new(limit: u64) -> Self {
        let evictions = Evictions::default();
        Self {
            kept: slots(limit, &evictions),
            recent: None,
            evictions,
            changing: Mutex::new(()),
        }
    }

    /// An empty tier of at most `limit` bytes, before a disk tier that holds what this one lets go.
    pub fn in_front_of_disk(limit: u64) -> Self {
        let window = limit / 4;
        let evictions = Evictions::default();
        Self {
            kept: slots(limit - window, &evictions),
            recent: Some(Recent {
                slots: slots(window, &evictions),
                largest: window / 4,
            }),
            evictions,
            changing: Mutex::new(()),
        }
    }

    /// The answers held under `key`, for somebody who asks for them.
    pub fn entry(&self, key: &Key) -> Option<Arc<Entry>> {
        match self.kept.get(key).or_else(|| self.asked_again(key))? {
            Slot::Answers(entry) => Some(entry),
            Slot::Named(_) => None,
        }
    }

    /// The answers held under `key`, without asking for them.
    pub fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        match self.slot(key)? {
            Slot::Answers(entry) => Some(entry),
            Slot::Named(_) => None,
        }
    }

    /// Whether anything is held under `key`.
    pub fn holds(&self, key: &Key) -> bool {
        self.slot(key).is_some()
    }

    /// Something of the window, which is kept from now on.
    fn asked_again(&self, key: &Key) -> Option<Slot> {
        let recent = self.recent.as_ref()?;
        recent.slots.peek(key)?;
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, slot) = recent.slots.remove(key)?;
        self.kept.insert(key, slot.clone());
        Some(slot)
    }

    /// What is held under `key`, without asking for it.
    fn slot(&self, key: &Key) -> Option<Slot> {
        let recent = || self.recent.as_ref()?.slots.peek(key);
        self.kept.peek(key).or_else(recent)
    }

    /// Replaces the entry under `key` by what `change` makes of it.
    pub fn change(&self, key: Key, change: impl FnOnce(Entry) -> Entry) -> Arc<Entry> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let held = match self.slot(&key) {
            Some(Slot::Answers(entry)) => Arc::unwrap_or_clone(entry),
            Some(Slot::Named(_)) | None => Entry::default(),
        };
        let next = Arc::new(change(held));
        self.insert(key, Slot::Answers(Arc::clone(&next)));
        next
    }

    /// Stores `slot`, and counts what else had to go for it.
    fn insert(&self, key: Key, slot: Slot) {
        let fits = |recent: &&Recent| ByBytes.weight(&key, &slot) <= recent.largest;
        let recent = self.recent.as_ref().filter(fits);
        let slots = match recent {
            Some(recent) if self.kept.peek(&key).is_none() => &recent.slots,
            _ => {
                if let Some(recent) = &self.recent {
                    recent.slots.remove(&key);
                }
                &self.kept
            }
        };
        let mut driven_out = Vec::new();
        slots.insert_with_lifecycle(key, slot, &mut driven_out);
        let others = driven_out.iter().filter(|&other| *other != key).count();
        self.evictions.0.fetch_add(others as u64, Relaxed);
    }

    /// The named value under `key`.
    pub fn named(&self, key: &Key) -> Option<Arc<Named>> {
        match self.slot(key)? {
            Slot::Named(named) => Some(named),
            Slot::Answers(_) => None,
        }
    }

    /// Stores a named value.
    pub fn put_named(&self, key: Key, named: Arc<Named>) {
        self.insert(key, Slot::Named(named));
    }

    /// Removes what is held under `key`, and says whether there was something.
    pub fn remove(&self, key: &Key) -> bool {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = self.recent.as_ref();
        let was_recent = recent.is_some_and(|recent| recent.slots.remove(key).is_some());
        self.kept.remove(key).is_some() || was_recent
    }

    /// Removes everything, and says how much there was.
    pub fn clear(&self) -> u64 {
        let held = self.len();
        self.all().for_each(Cache::clear);
        held
    }

    /// At most `limit` of the things held, in no order.
    pub fn list(&self, limit: usize) -> Vec<(Key, Slot)> {
        self.all().flat_map(Cache::iter).take(limit).collect()
    }

    /// How many things are held.
    pub fn len(&self) -> u64 {
        self.all().map(|slots| slots.len() as u64).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.all().all(Cache::is_empty)
    }

    /// How many things had to make room for others.
    pub fn evictions(&self) -> u64 {
        self.evictions.0.load(Relaxed)
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.all().map(Cache::weight).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Slots> {
        let recent = self.recent.as_ref().map(|recent| &recent.slots);
        std::iter::once(&self.kept).chain(recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: usize = 4096;

    fn key(number: u64) -> Key {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        Key::from_bytes(bytes)
    }

    fn store(memory: &Memory, number: u64, length: usize) {
        let label = "x".repeat(length).into();
        memory.change(key(number), |entry| Entry { label, ..entry });
    }

    #[test]
    fn what_is_asked_for_once_does_not_drive_out_what_is_asked_for_again() {
        let memory = Memory::in_front_of_disk(64 * 5000);
        for number in 0..20 {
            store(&memory, number, ENTRY);
            assert!(
                memory.entry(&key(number)).is_some(),
                "asked again: {number}"
            );
        }
        for number in 100..1100 {
            store(&memory, number, ENTRY);
        }
        let lost: Vec<_> = (0..20)
            .filter(|number| memory.entry(&key(*number)).is_none())
            .collect();
        assert_eq!(lost, [0_u64; 0]);
        assert!(memory.bytes() < 64 * 5000 * 3 / 5, "{}", memory.bytes());
    }

    #[test]
    fn a_change_is_not_lost_between_the_window_and_the_rest() {
        let memory = Memory::in_front_of_disk(1 << 20);
        store(&memory, 1, 10);
        store(&memory, 1, 20);
        assert_eq!(memory.entry(&key(1)).unwrap().label.len(), 20);
        store(&memory, 1, 30);
        assert_eq!(memory.entry(&key(1)).unwrap().label.len(), 30);
        assert_eq!(memory.len(), 1);
        assert!(memory.remove(&key(1)) && memory.is_empty());
    }

    #[test]
    fn what_is_too_large_for_the_window_is_held_all_the_same() {
        let memory = Memory::in_front_of_disk(1 << 20);
        store(&memory, 1, 200_000);
        assert!(memory.entry(&key(1)).is_some());
    }
}
