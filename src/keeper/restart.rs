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

/// What to do after the crashes at `times`, the latest of which is `now`.
pub fn after_crash(times: &[Timestamp], now: Timestamp) -> Next {
    let recent = times.iter().filter(|&&time| now.since(time) < WINDOW);
    if recent.count() >= CRASHES {
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
    fn old_crashes_are_forgiven() {
        assert_eq!(at(&[100, 101, 160]), Next::Restart);
        assert_eq!(at(&[100, 200, 300, 400]), Next::Restart);
    }
}
