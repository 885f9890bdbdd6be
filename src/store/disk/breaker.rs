//! Keeps requests from waiting for a disk that has become slow.

use std::time::Duration;

/// A read that takes this long has met a disk that is busy, or a thread that had to wait for its turn.
const SLOW: Duration = Duration::from_millis(20);
/// So many of them, one after the other, are not chance.
const STRIKES: u8 = 3;
/// One read that takes this long is enough.
const STUCK: Duration = Duration::from_millis(250);
/// How long nothing is read after that.
const REST: Duration = Duration::from_secs(5);

/// Whether to read now. Times are those since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    open_until: Duration,
    /// Slow reads one after the other.
    strikes: u8,
}

impl Breaker {
    /// As it was kept with [`Breaker::to_bits`].
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self {
            open_until: Duration::from_millis(bits >> 2),
            strikes: (bits & 3) as u8,
        }
    }

    /// Milliseconds, and the strikes in the lowest two bits.
    pub(super) fn to_bits(self) -> u64 {
        let millis = u64::try_from(self.open_until.as_millis()).unwrap_or(u64::MAX);
        millis.min(u64::MAX >> 2) << 2 | u64::from(self.strikes)
    }

    pub(super) fn lets_read(self, now: Duration) -> bool {
        now >= self.open_until
    }

    /// After a read that took `took` and ended `now`: those after a rest are the trial.
    #[must_use]
    pub(super) fn after(self, took: Duration, now: Duration) -> Self {
        let strikes = if took < SLOW { 0 } else { self.strikes + 1 };
        if took >= STUCK || strikes >= STRIKES {
            return Self {
                open_until: now + REST,
                strikes: 0,
            };
        }
        Self { strikes, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_disk_that_is_slow_now_and_then_is_read() {
        let mut breaker = Breaker::default();
        for took in [19, 100, 20, 1, 249, 30, 19] {
            breaker = breaker.after(ms(took), ms(1000));
            assert!(breaker.lets_read(ms(0)), "{took}");
            assert_eq!(Breaker::from_bits(breaker.to_bits()), breaker);
        }
    }

    #[test]
    fn slow_reads_make_a_rest_and_the_next_ones_are_the_trial() {
        let stuck = Breaker::default().after(ms(250), ms(1000));
        let slow = [20, 30, 40]
            .into_iter()
            .fold(Breaker::default(), |breaker, took| {
                breaker.after(ms(took), ms(1000))
            });
        for breaker in [stuck, slow] {
            assert!(!breaker.lets_read(ms(1000)) && !breaker.lets_read(ms(5999)));
            assert!(breaker.lets_read(ms(6000)));
            assert!(breaker.after(ms(1), ms(6001)).lets_read(ms(6001)));
            assert!(!breaker.after(ms(300), ms(6300)).lets_read(ms(11_299)));
            assert_eq!(Breaker::from_bits(breaker.to_bits()), breaker);
        }
    }
}
