//! Keeps requests from waiting for a disk that has become slow.

use std::time::Duration;

/// A read that takes this long may have met a disk that is busy with something else, or a processor that is.
const SLOW: Duration = Duration::from_millis(20);
/// So many of those in a row are no accident of scheduling.
const SLOW_IN_A_ROW: u32 = 3;
/// One of these is enough.
const VERY_SLOW: Duration = Duration::from_millis(200);
/// How long nothing is read after that.
const REST: Duration = Duration::from_secs(5);

/// Whether to read now. Times are those since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    rests_until: Duration,
    slow: u32,
}

impl Breaker {
    pub(super) fn lets_read(self, now: Duration) -> bool {
        now >= self.rests_until
    }

    /// After a read that took `took` and ended `now`.
    #[must_use]
    pub(super) fn after(self, took: Duration, now: Duration) -> Self {
        if took < SLOW {
            return Self::default();
        }
        // After a rest, the next read is the trial.
        let slow = self.slow + 1;
        if took < VERY_SLOW && slow < SLOW_IN_A_ROW {
            return Self { slow, ..self };
        }
        Self {
            rests_until: now + REST,
            slow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_quick_disk_is_always_read_and_so_is_one_that_was_slow_now_and_then() {
        let mut breaker = Breaker::default();
        for at in 0..9 {
            let took = if at % 3 == 0 { ms(1) } else { ms(199) };
            breaker = breaker.after(took, ms(at));
            assert!(breaker.lets_read(ms(at)));
        }
    }

    #[test]
    fn a_read_of_a_fifth_of_a_second_makes_a_rest() {
        let breaker = Breaker::default().after(ms(200), ms(1000));
        assert!(!breaker.lets_read(ms(1000)) && !breaker.lets_read(ms(5999)));
        assert!(breaker.lets_read(ms(6000)));
    }

    #[test]
    fn three_slow_reads_in_a_row_make_a_rest_and_the_next_read_is_the_trial() {
        let slow = |breaker: Breaker, at| breaker.after(ms(20), ms(at));
        let breaker = slow(slow(slow(Breaker::default(), 20), 40), 60);
        assert!(!breaker.lets_read(ms(5059)) && breaker.lets_read(ms(5060)));
        assert!(!slow(breaker, 5080).lets_read(ms(10_079)), "still slow");
        let well = breaker.after(ms(1), ms(5061));
        assert!(
            slow(well, 5081).lets_read(ms(5081)),
            "as if nothing had been"
        );
    }
}
