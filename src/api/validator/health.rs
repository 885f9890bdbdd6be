//! Whether the formula still holds: it is not documented, so it is checked all the time.

use std::time::Duration;

use crate::time::Timestamp;

/// Whether the formula still holds, for one host and one class of operations.
///
/// Every 200 that could be checked is noted. More than half wrong of twenty or more switches the
/// formula off; an hour later it is tried again with a clean slate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Health {
    right: u32,
    wrong: u32,
    off_until: Option<Timestamp>,
}

impl Health {
    /// Fewer answers than this prove nothing.
    const ENOUGH: u32 = 20;
    /// At this many both counts are halved, so that a long good past does not outvote today.
    const MEMORY: u32 = 64;
    /// How long it stays off.
    const REST: Duration = Duration::from_hours(1);

    /// Notes whether GitHub's `ETag` was the computed one.
    pub fn note(&mut self, matched: bool, now: Timestamp) {
        if !self.is_trusted(now) {
            return;
        }
        if self.off_until.is_some() {
            *self = Self::default();
        }
        if matched {
            self.right += 1;
        } else {
            self.wrong += 1;
        }
        let all = self.right + self.wrong;
        if all >= Self::ENOUGH && self.wrong > self.right {
            *self = Self {
                off_until: Some(now.plus(Self::REST)),
                ..Self::default()
            };
        } else if all >= Self::MEMORY {
            self.right /= 2;
            self.wrong /= 2;
        }
    }

    /// How many of the last checks are remembered, and how many of them came out right. Both are
    /// zero while the formula is switched off.
    pub const fn counts(&self) -> (u32, u32) {
        (self.right + self.wrong, self.right)
    }

    /// Whether a computed validator may be asked with.
    pub fn is_trusted(&self, now: Timestamp) -> bool {
        self.off_until.is_none_or(|until| now >= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_is_switched_off_by_more_than_half_of_twenty() {
        let now = Timestamp::from_secs(1000);
        let mut health = Health::default();
        for turn in 0..20 {
            health.note(turn % 2 == 0, now);
        }
        assert!(health.is_trusted(now), "exactly half");
        health.note(false, now);
        assert!(!health.is_trusted(now));
        let later = now.plus(Duration::from_hours(1));
        assert!(!health.is_trusted(now.plus(Duration::from_secs(3599))));
        assert!(health.is_trusted(later));
        for _ in 0..19 {
            health.note(false, later);
            assert!(health.is_trusted(later), "a new try has twenty of its own");
        }
        health.note(false, later);
        assert!(!health.is_trusted(later.plus(Duration::from_secs(3599))));
    }

    #[test]
    fn a_long_good_past_does_not_outvote_today() {
        let now = Timestamp::from_secs(1000);
        let mut health = Health::default();
        (0..1_000_000).for_each(|_| health.note(true, now));
        let needed = (1..100).find(|_| {
            health.note(false, now);
            !health.is_trusted(now)
        });
        assert!(needed.unwrap() <= 70, "{needed:?}");
    }
}
