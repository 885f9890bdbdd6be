//! From disk to memory, and from memory to disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Inner;
use crate::api::Key;
use crate::api::answer::Shareable;
use crate::store::{Entry, Grant, Slot, Variant};

/// The last key that was looked for on disk in vain, so that the same request does not look twice.
#[derive(Debug, Default)]
pub(super) struct Absent(AtomicU64);

impl Absent {
    pub(super) fn note(&self, key: &Key) {
        self.0.store(start(key), Relaxed);
    }

    /// Whether it was this one, just now.
    fn take(&self, key: &Key) -> bool {
        self.0
            .compare_exchange(start(key), 0, Relaxed, Relaxed)
            .is_ok()
    }
}

fn start(key: &Key) -> u64 {
    let first = key.as_bytes().first_chunk();
    u64::from_le_bytes(first.copied().unwrap_or_default())
}

impl Inner {
    /// Brings what the disk knows of `key` into memory, and says whether that was anything new.
    pub(super) fn promote(&self, key: &Key) -> bool {
        let Some(disk) = &self.disk else { return false };
        if self.absent.take(key) {
            return false;
        }
        let Some(Slot::Answers(found)) = disk.get(key) else {
            return false;
        };
        let found = until(Arc::unwrap_or_clone(found), self.event());
        let held = self.memory.peek(key);
        if held.is_some_and(|held| !adds(&found, &held)) {
            return false;
        }
        self.memory.change(*key, |held| held.merge(found));
        disk.used(key);
        true
    }

    /// Writes an entry to disk a little later, if there is anything that may be there.
    pub(super) fn demote(&self, key: Key, entry: &Arc<Entry>) {
        let may_be_there = |variant: &Arc<Variant>| variant.shareable == Shareable::Everyone;
        if let Some(disk) = &self.disk
            && entry.variants.iter().any(may_be_there)
        {
            disk.put(key, Slot::Answers(Arc::clone(entry)));
        }
    }
}

/// Whether `found` says anything that `held` does not.
fn adds(found: &Entry, held: &Entry) -> bool {
    let newer_body = |variant: &Arc<Variant>| {
        held.variant(variant.digest).is_none_or(|known| {
            (known.asked_at, known.validated_at) < (variant.asked_at, variant.validated_at)
        })
    };
    let newer_grant = |grant: &Arc<Grant>| {
        held.grant(grant.credential).is_none_or(|known| {
            (known.asked_at, known.granted_at) < (grant.asked_at, grant.granted_at)
        })
    };
    found.variants.iter().any(newer_body) || found.grants.iter().any(newer_grant)
}

/// `entry` as far as it is from before event `now`. What claims to be from later comes from an order of
/// events that is lost: it may be asked about, and is not fresh.
pub(super) fn until(mut entry: Entry, now: u64) -> Entry {
    entry.grants.retain(|grant| grant.asked_at <= now);
    for variant in &mut entry.variants {
        if variant.asked_at > now {
            let variant = Arc::make_mut(variant);
            variant.asked_at = 0;
            variant.public = None;
        }
        if variant.public.is_some_and(|shown| shown.asked_at > now) {
            Arc::make_mut(variant).public = None;
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_on_disk_is_looked_for_once() {
        let (absent, key) = (Absent::default(), Key::from_bytes([7; 32]));
        assert!(!absent.take(&key));
        absent.note(&key);
        assert!(!absent.take(&Key::from_bytes([8; 32])));
        assert!(absent.take(&key));
        assert!(!absent.take(&key), "the next request looks again");
    }
}
