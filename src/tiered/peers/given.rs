//! What was given to the owners of its key, so that a body that is confirmed again and again travels once.

use std::time::Duration;

use quick_cache::sync::Cache;

use crate::api::Key;
use crate::digest::Digest;
use crate::time::Timestamp;

/// Keys that are remembered.
const KEYS_MAX: usize = 16_384;
/// Owners come and go: when there are more or fewer peers, and after this long, they are given it again.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// A body, and how many peers there were.
type Body = (Digest, usize);

/// The last body that was given away under a key, and when.
#[derive(Debug)]
pub(super) struct Given {
    bodies: Cache<Key, (Body, Timestamp)>,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            bodies: Cache::new(KEYS_MAX),
        }
    }
}

impl Given {
    /// Whether the owners have this body from us.
    pub(super) fn has(&self, key: &Key, body: Body, now: Timestamp) -> bool {
        self.bodies
            .get(key)
            .is_some_and(|(known, at)| known == body && at <= now && now.since(at) < AGAIN_AFTER)
    }

    /// They are being given it.
    pub(super) fn note(&self, key: Key, body: Body, now: Timestamp) {
        self.bodies.insert(key, (body, now));
    }
}
