//! Announcements that are not made yet. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::digest::Digest;
use crate::swarm::pool::WireKey;

/// Announcements that wait. Beyond it the latest are not made.
const WAITING_MAX: usize = 1_024;
/// An announcement waits so long for others to travel with.
pub(super) const TOGETHER: Duration = Duration::from_millis(10);
/// Over so long those who were brought an entry spread what they say of it: they all come to hold it in the same moment, and
/// before the first of them is heard, each would take itself for the first.
const SPREAD: Duration = Duration::from_secs(5);

/// When something held is to be announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::swarm) enum Turn {
    /// We may be the only one who has it.
    AtOnce,
    /// Somebody who has it brought it, so that ours is one voice more.
    InTurn,
}

impl Turn {
    /// How long it waits; `chance` is of the whole range, and different for each member.
    pub(super) fn wait(self, chance: u32) -> Duration {
        match self {
            Self::AtOnce => TOGETHER,
            Self::InTurn => TOGETHER + SPREAD.mul_f64(f64::from(chance) / f64::from(u32::MAX)),
        }
    }
}

/// What waits: the last body of each key.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    all: Vec<(Instant, WireKey, Digest)>,
}

impl Waiting {
    /// `key` is to be announced at `due`. False: something else that waited is not announced for it, or it is not itself.
    pub(super) fn add(&mut self, key: WireKey, digest: Digest, due: Instant) -> bool {
        self.all.retain(|(_, other, _)| *other != key);
        self.all.push((due, key, digest));
        if self.all.len() <= WAITING_MAX {
            return true;
        }
        let latest = self.all.iter().enumerate().max_by_key(|(_, it)| it.0);
        if let Some((at, _)) = latest {
            self.all.swap_remove(at);
        }
        false
    }

    /// When there is something to announce.
    pub(super) fn due(&self) -> Option<Instant> {
        self.all.iter().map(|(due, ..)| *due).min()
    }

    /// Takes what is to be announced at `now`, or so soon that it can travel with that.
    pub(super) fn take(&mut self, now: Instant) -> Vec<(WireKey, Digest)> {
        let due = self.all.extract_if(.., |(due, ..)| *due <= now + TOGETHER);
        due.map(|(_, key, digest)| (key, digest)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> WireKey {
        WireKey(*digest(n).as_bytes())
    }

    fn digest(n: u32) -> Digest {
        Digest::of([n.to_be_bytes().as_slice()])
    }

    #[test]
    fn what_was_brought_is_announced_within_five_seconds() {
        assert_eq!(Turn::AtOnce.wait(u32::MAX), TOGETHER);
        assert_eq!(Turn::InTurn.wait(0), TOGETHER);
        let half = Turn::InTurn.wait(u32::MAX / 2);
        assert!(half > SPREAD / 3 && half < SPREAD, "{half:?}");
        assert_eq!(Turn::InTurn.wait(u32::MAX), TOGETHER + SPREAD);
    }

    #[test]
    fn announcements_are_made_when_they_are_due() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(waiting.due(), None);
        waiting.add(key(1), digest(1), now + second);
        waiting.add(key(2), digest(2), now + TOGETHER);
        assert_eq!(waiting.due(), Some(now + TOGETHER));
        assert_eq!(waiting.take(now), [(key(2), digest(2))]);
        assert_eq!(waiting.due(), Some(now + second));
        assert_eq!(waiting.take(now), []);
        assert_eq!(waiting.take(now + second), [(key(1), digest(1))]);
    }

    #[test]
    fn the_last_body_of_a_key_is_announced() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        waiting.add(key(1), digest(1), now);
        waiting.add(key(1), digest(2), now);
        assert_eq!(waiting.take(now), [(key(1), digest(2))]);
    }

    #[test]
    fn of_too_many_the_latest_are_dropped() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        for n in 0..u32::try_from(WAITING_MAX).unwrap() {
            assert!(waiting.add(key(n), digest(n), later));
        }
        assert!(!waiting.add(key(9_999), digest(1), now));
        assert_eq!(waiting.take(now), [(key(9_999), digest(1))]);
        assert_eq!(waiting.take(later).len(), WAITING_MAX - 1);
    }
}
