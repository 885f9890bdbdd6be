//! What is asked for so often that every peer should have it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::api::Key;
use crate::time::Timestamp;

/// So many hits within one window make an entry hot.
const HITS: u64 = 16;
/// Seconds of a window.
const WINDOW: u64 = 10;
/// Entries that are counted at once. Two that share a place count as neither.
const PLACES: usize = 1024;

/// Hits of the current window, one word for each place: 32 bits that tell keys apart, 16 of the window, 16 of the count.
#[derive(Debug)]
pub(super) struct Hot {
    places: Box<[AtomicU64]>,
}

impl Default for Hot {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Hot {
    /// Counts a hit, and says whether it is the one that makes the entry hot. A few nanoseconds: every hit comes here.
    pub(super) fn hit(&self, key: &Key, now: Timestamp) -> bool {
        let Some((low, rest)) = key.as_bytes().split_first_chunk::<8>() else {
            return false;
        };
        let low = u64::from_le_bytes(*low);
        let tag = rest
            .first_chunk::<4>()
            .map_or(0, |tag| u32::from_le_bytes(*tag));
        let window = (now.as_secs() / WINDOW) & 0xffff;
        let mark = u64::from(tag) << 32 | window << 16;
        let place = usize::try_from(low % PLACES as u64).unwrap_or_default();
        let Some(place) = self.places.get(place) else {
            return false;
        };
        let seen = place.load(Relaxed);
        let count = if seen & !0xffff == mark {
            seen & 0xffff
        } else {
            0
        };
        // A hit that gets lost between two threads is no loss.
        place.store(mark | (count + 1).min(0xffff), Relaxed);
        count + 1 == HITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::key;

    #[test]
    fn the_sixteenth_hit_within_ten_seconds_makes_an_entry_hot_once() {
        let (hot, key) = (Hot::default(), key::named("k", b"1"));
        let at = Timestamp::from_secs(1000);
        let heated = (0..100).filter(|_| hot.hit(&key, at)).count();
        assert_eq!(heated, 1);
        let slow = key::named("k", b"2");
        let heated = (0..100).filter(|n| hot.hit(&slow, Timestamp::from_secs(1000 + n)));
        assert_eq!(heated.count(), 0, "one in a second is nothing");
    }
}
