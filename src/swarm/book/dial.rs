//! When to try again: at first soon, then less and less often, and never at the same moment as everybody else.

use std::time::Duration;

use tokio::time::Instant;

use crate::digest::Digest;

/// Before the second attempt.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait between attempts: much shorter than the minute for which a silent peer makes us ask again.
const LONGEST: Duration = Duration::from_secs(20);
/// Before the second attempt at a peer that refused: what is wrong is a setting, which people change.
const REFUSED: Duration = Duration::from_secs(30);
/// The longest wait between attempts at a peer that refuses.
const REFUSED_LONGEST: Duration = Duration::from_mins(10);

/// The attempts at one peer or address.
#[derive(Debug, Clone)]
pub(super) struct Attempts {
    pub(super) failed: u32,
    next: Instant,
    pub(super) under_way: bool,
}

impl Attempts {
    /// None yet; the first is due at `next`.
    pub(super) fn from(next: Instant) -> Self {
        Self {
            failed: 0,
            next,
            under_way: false,
        }
    }

    pub(super) fn are_due(&self, now: Instant) -> bool {
        !self.under_way && now >= self.next
    }

    pub(super) fn begin(&mut self) {
        self.under_way = true;
    }

    /// Nobody is there. `seed` tells pairs of peers apart.
    pub(super) fn failed(&mut self, now: Instant, seed: &[u8]) {
        self.again_after(backoff(FIRST, LONGEST, self.failed), now, seed);
    }

    /// Somebody is there, and does not let us in.
    pub(super) fn refused(&mut self, now: Instant, seed: &[u8]) {
        self.again_after(backoff(REFUSED, REFUSED_LONGEST, self.failed), now, seed);
    }

    fn again_after(&mut self, wait: Duration, now: Instant, seed: &[u8]) {
        self.under_way = false;
        self.next = now + spread(wait, &[seed, &self.failed.to_be_bytes()]);
        self.failed = self.failed.saturating_add(1);
    }
}

fn backoff(first: Duration, longest: Duration, failed: u32) -> Duration {
    first.saturating_mul(1 << failed.min(16)).min(longest)
}

/// `wait`, a quarter longer or shorter. Computed from the names of both ends, so that it needs no randomness
/// and differs all the same.
fn spread(wait: Duration, seed: &[&[u8]]) -> Duration {
    let digest = Digest::of(seed.iter().copied());
    let part = u32::from(digest.as_bytes()[0]);
    wait.saturating_mul(3 * 256 + 2 * part) / (4 * 256)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits, in seconds, before the first attempts after each failure.
    fn waits(mut fail: impl FnMut(&mut Attempts, Instant)) -> Vec<f64> {
        let now = Instant::now();
        let mut attempts = Attempts::from(now);
        (0..12)
            .map(|_| {
                fail(&mut attempts, now);
                (attempts.next - now).as_secs_f64()
            })
            .collect()
    }

    #[test]
    fn waits_double_up_to_twenty_seconds_and_differ_between_pairs() {
        let one = waits(|attempts, now| attempts.failed(now, b"one"));
        let expected = [1., 2., 4., 8., 16., 20., 20., 20., 20., 20., 20., 20.];
        for (wait, expected) in one.iter().zip(expected) {
            let share = wait / expected;
            assert!((0.75..=1.25).contains(&share), "{wait} for {expected}");
        }
        assert_ne!(one, waits(|attempts, now| attempts.failed(now, b"other")));
        let refused = waits(|attempts, now| attempts.refused(now, b"one"));
        assert!(refused[0] > 20.0 && refused[11] > 400.0, "{refused:?}");
    }

    #[test]
    fn nothing_is_due_while_an_attempt_is_under_way() {
        let now = Instant::now();
        let mut attempts = Attempts::from(now);
        assert!(attempts.are_due(now));
        attempts.begin();
        assert!(!attempts.are_due(now + LONGEST));
        attempts.failed(now, b"");
        assert!(!attempts.are_due(now));
        assert!(attempts.are_due(now + FIRST * 2));
    }
}
