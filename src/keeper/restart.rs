//! What to do about a dead daemon: a decision over times, nothing else.

use std::time::Duration;

use crate::time::Timestamp;

/// So many crashes …
pub(super) const CRASHES: usize = 3;
/// … within so long mean that the next daemon would die, too.
const WINDOW: Duration = Duration::from_mins(1);
/// How long nothing is cached then, before a daemon is tried again.
const REST: Duration = Duration::from_mins(5);

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Start the daemon again, at once: connections are waiting.
    Restart,
    /// Hand every request through to GitHub until then.
    PassThrough {
        /// When a daemon is tried again.
        until: Timestamp,
    },
}

/// Forgets the crashes that say nothing any more. One in the future is one of them: the clock went back,
/// so nobody knows how long ago it was.
pub(super) fn forget_old(times: &mut Vec<Timestamp>, now: Timestamp) {
    times.retain(|&time| time <= now && now.since(time) < WINDOW);
}

/// What to do after the crashes at `times`, the latest of which is `now`.
pub fn after_crash(times: &[Timestamp], now: Timestamp) -> Next {
    let mut recent = times.to_vec();
    forget_old(&mut recent, now);
    if recent.len() >= CRASHES {
        Next::PassThrough {
            until: now.plus(REST),
        }
    } else {
        Next::Restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: &[u64]) -> Next {
        let times: Vec<_> = seconds
            .iter()
            .map(|&second| Timestamp::from_secs(second))
            .collect();
        after_crash(&times, times[times.len() - 1])
    }

    #[test]
    fn the_third_crash_within_a_minute_is_one_too_many() {
        assert_eq!(at(&[100]), Next::Restart);
        assert_eq!(at(&[100, 101]), Next::Restart);
        let until = Timestamp::from_secs(159 + 300);
        assert_eq!(at(&[100, 101, 159]), Next::PassThrough { until });
    }

    #[test]
    fn a_clock_that_jumps_makes_no_crash_count_twice_as_long() {
        assert_eq!(at(&[5000, 5001, 100]), Next::Restart, "went back");
        assert_eq!(at(&[100, 101, 90_000]), Next::Restart, "went forth");
        let until = Timestamp::from_secs(102 + 300);
        assert_eq!(at(&[5000, 100, 101, 102]), Next::PassThrough { until });
        let mut times = [5000, 100, 20].map(Timestamp::from_secs).to_vec();
        forget_old(&mut times, Timestamp::from_secs(110));
        assert_eq!(times, [Timestamp::from_secs(100)]);
    }

    #[test]
    fn old_crashes_are_forgiven() {
        assert_eq!(at(&[100, 101, 160]), Next::Restart);
        assert_eq!(at(&[100, 200, 300, 400]), Next::Restart);
    }
}
