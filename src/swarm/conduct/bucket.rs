//! Token buckets: how much of what a peer may do.

use tokio::time::Instant;

/// How much at once, and how much in every second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// At once, after a rest.
    pub burst: f64,
    /// In every second.
    pub second: f64,
}

/// What is left of a rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    rate: Rate,
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(super) const fn full(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            left: rate.burst,
            at: now,
        }
    }

    /// Takes `amount`, if there is anything left. The last thing may be larger than what is left: its size is
    /// bounded elsewhere, and the debt is waited for.
    pub(super) fn take(&mut self, amount: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.left = (self.left + passed * self.rate.second).min(self.rate.burst);
        let allowed = self.left > 0.0;
        if allowed {
            self.left -= amount;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let start = Instant::now();
        let rate = Rate {
            burst: 10.0,
            second: 2.0,
        };
        let mut bucket = Bucket::full(rate, start);
        let mut taken = |seconds| {
            let now = start + Duration::from_secs(seconds);
            (0..100).filter(|_| bucket.take(1.0, now)).count()
        };
        assert_eq!(taken(0), 10);
        assert_eq!(taken(3), 6);
        assert_eq!(taken(1000), 10, "a rest saves up one burst");
        assert_eq!(taken(900), 0, "time that goes back gives nothing");
    }

    #[test]
    fn what_was_too_large_is_waited_for() {
        let start = Instant::now();
        let rate = Rate {
            burst: 10.0,
            second: 1.0,
        };
        let mut bucket = Bucket::full(rate, start);
        assert!(bucket.take(30.0, start));
        assert!(!bucket.take(1.0, start + Duration::from_secs(20)));
        assert!(bucket.take(1.0, start + Duration::from_secs(21)));
    }
}
