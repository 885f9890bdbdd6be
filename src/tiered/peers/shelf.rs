//! What is held for peers: entries that they gave us as owners, apart from what is ours, so that they can drive out one
//! another's and nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::api::Key;
use crate::digest::Digest;
use crate::store::entry::VARIANTS_MAX;
use crate::swarm::{Offer, Source};
use crate::time::Timestamp;

/// Smallest entry worth planning for when the index is sized.
const TYPICAL_BYTES: u64 = 4096;
/// What an offer takes beside its body.
const FIXED: usize = 512;

/// An entry of a peer.
#[derive(Debug, Clone)]
pub(in crate::tiered) struct Held {
    pub(in crate::tiered) digest: Digest,
    pub(in crate::tiered) offer: Offer,
    pub(in crate::tiered) from: Source,
    /// When GitHub is said to have confirmed it.
    pub(in crate::tiered) proved_at: Timestamp,
}

/// The bodies under one key, the latest first.
type Bodies = Arc<[Arc<Held>]>;

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Key, Bodies> for ByBytes {
    fn weight(&self, _: &Key, bodies: &Bodies) -> u64 {
        let bytes: usize = bodies
            .iter()
            .map(|held| FIXED + held.offer.body.len())
            .sum();
        bytes as u64
    }
}

/// Entries of peers by key, at most a number of bytes. In memory alone: whoever asked GitHub for it has it, too.
#[derive(Debug)]
pub(in crate::tiered) struct Shelf {
    bodies: Cache<Key, Bodies, ByBytes>,
    // Held while the bodies of a key are read, changed and put back. A std mutex: nothing is awaited under it.
    changing: Mutex<()>,
}

impl Shelf {
    /// An empty one for at most `limit` bytes.
    pub(in crate::tiered) fn new(limit: u64) -> Self {
        let items = usize::try_from((limit / TYPICAL_BYTES).max(16)).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(limit)
            // Shards split the byte limit: one, so that a large body fits.
            .shards(1)
            .build();
        let hashing = DefaultHashBuilder::default();
        let lifecycle = quick_cache::sync::DefaultLifecycle::default();
        Self {
            bodies: match options {
                Ok(options) => Cache::with_options(options, ByBytes, hashing, lifecycle),
                // Both capacities are set above, which is all that `build` asks for.
                Err(_) => Cache::with(items, limit, ByBytes, hashing, lifecycle),
            },
            changing: Mutex::default(),
        }
    }

    /// Puts `held` in front of what is under its key.
    pub(in crate::tiered) fn put(&self, held: Held) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let key = held.offer.key;
        let mut bodies: Vec<_> = self
            .bodies
            .peek(&key)
            .iter()
            .flat_map(|bodies| bodies.to_vec())
            .collect();
        let is_later =
            |known: &Arc<Held>| known.digest == held.digest && known.proved_at > held.proved_at;
        if bodies.iter().any(is_later) {
            return;
        }
        bodies.retain(|known| known.digest != held.digest);
        bodies.insert(0, Arc::new(held));
        bodies.sort_by_key(|held| std::cmp::Reverse(held.proved_at));
        bodies.truncate(VARIANTS_MAX);
        self.bodies.insert(key, bodies.into());
    }

    /// The latest body under `key` that `allowed` lets pass.
    pub(in crate::tiered) fn find(
        &self,
        key: &Key,
        allowed: impl Fn(&Held) -> bool,
    ) -> Option<Arc<Held>> {
        let bodies = self.bodies.get(key)?;
        bodies.iter().find(|held| allowed(held)).cloned()
    }

    /// Forgets one body: it is ours by now, or was refuted.
    pub(in crate::tiered) fn forget(&self, key: &Key, digest: Digest) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bodies) = self.bodies.peek(key) else {
            return;
        };
        let left: Vec<_> = bodies
            .iter()
            .filter(|held| held.digest != digest)
            .cloned()
            .collect();
        if left.is_empty() {
            self.bodies.remove(key);
        } else if left.len() < bodies.len() {
            self.bodies.insert(*key, left.into());
        }
    }

    /// Forgets what is under `key`.
    pub(in crate::tiered) fn remove(&self, key: &Key) {
        self.bodies.remove(key);
    }

    /// Forgets everything.
    pub(in crate::tiered) fn clear(&self) {
        self.bodies.clear();
    }

    /// Bytes held.
    pub(in crate::tiered) fn bytes(&self) -> u64 {
        self.bodies.weight()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::api::key;
    use crate::swarm::{Audience, PeerId};

    fn held(name: u64, body: Vec<u8>, proved_at: u64) -> Held {
        let offer = Offer {
            key: key::named("shelf", &name.to_le_bytes()),
            body: Bytes::from(body),
            content_type: None,
            api_version: None,
            links: None,
            vary: None,
            audience: Audience::Public,
            age: Duration::ZERO,
            origin_lifetime: Duration::ZERO,
            kinds: 0,
        };
        let from = Source::now(PeerId::random(), true, Duration::ZERO);
        Held {
            digest: offer.digest(),
            offer,
            from,
            proved_at: Timestamp::from_secs(proved_at),
        }
    }

    #[test]
    fn peers_get_no_more_room_than_there_is_however_much_they_give() {
        let shelf = Shelf::new(1 << 20);
        for name in 0..1000 {
            shelf.put(held(name, vec![7; 10_000], name));
        }
        assert!(shelf.bytes() <= 1 << 20, "{}", shelf.bytes());
        for body in 0..100 {
            shelf.put(held(5000, vec![body; 10], body.into()));
        }
        let key = key::named("shelf", &5000_u64.to_le_bytes());
        assert_eq!(shelf.bodies.get(&key).unwrap().len(), VARIANTS_MAX);
        let latest = shelf.find(&key, |_| true).unwrap();
        assert_eq!(latest.offer.body[..], [99; 10]);
    }

    #[test]
    fn a_body_that_is_told_again_is_held_once_and_never_gets_older() {
        let shelf = Shelf::new(1 << 20);
        for proved_at in [20, 30, 10] {
            shelf.put(held(1, vec![1], proved_at));
        }
        let key = key::named("shelf", &1_u64.to_le_bytes());
        let found = shelf.find(&key, |_| true).unwrap();
        assert_eq!(found.proved_at, Timestamp::from_secs(30));
        assert!(
            shelf
                .find(&key, |other| other.digest != found.digest)
                .is_none()
        );
        shelf.forget(&key, found.digest);
        assert!(shelf.find(&key, |_| true).is_none());
    }
}
