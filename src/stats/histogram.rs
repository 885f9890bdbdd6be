//! A fixed-size histogram of durations: quantiles within an eighth, no allocation, no lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets per doubling: a quantile is at most one eighth too high.
const STEPS: u64 = 8;
/// 8 exact buckets, then 8 for each doubling up to 2^40 ns (18 minutes).
const BUCKETS: usize = 8 * 39;

/// Counts durations in logarithmic buckets of nanoseconds.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Histogram {
    /// Counts one duration.
    pub(super) fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)].fetch_add(1, Relaxed);
    }

    /// How many durations are in which bucket; empty ones are left out.
    pub(super) fn counts(&self) -> BTreeMap<usize, u64> {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed));
        counts.enumerate().filter(|(_, count)| *count > 0).collect()
    }

    /// Counts what another histogram has counted. There is no bucket beyond ours.
    pub(super) fn add(&self, counts: &BTreeMap<usize, u64>) {
        for (&index, &count) in counts {
            if let Some(bucket) = self.buckets.get(index) {
                bucket.fetch_add(count, Relaxed);
            }
        }
    }

    /// The duration in milliseconds that a share `of` the counted ones did not exceed.
    pub(super) fn quantile(&self, of: f64) -> Option<f64> {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Relaxed))
            .collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank among fewer than 2^52 requests"
        )]
        let rank = ((total as f64 * of).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in counts.into_iter().enumerate() {
            seen += count;
            if seen >= rank {
                #[expect(clippy::cast_precision_loss, reason = "below 2^41")]
                return Some(upper_bound(index) as f64 / 1e6);
            }
        }
        None
    }
}

fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return usize::try_from(nanos).unwrap_or(0);
    }
    let doubling = u64::from(nanos.ilog2()) - 3;
    let step = (nanos >> doubling) - STEPS;
    usize::try_from(STEPS * (doubling + 1) + step).map_or(BUCKETS - 1, |at| at.min(BUCKETS - 1))
}

/// The largest duration in nanoseconds that falls into the bucket.
fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let (doubling, step) = (index / STEPS - 1, index % STEPS);
    ((STEPS + step + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_never_too_low_and_at_most_an_eighth_too_high() {
        for nanos in [0, 1, 7, 8, 9, 999, 12_345, 7_000_000, 1_000_000_000_000] {
            let bound = upper_bound(bucket(nanos));
            assert!(
                bound >= nanos && bound - nanos <= nanos / 8,
                "{nanos} in {bound}"
            );
        }
    }

    #[test]
    fn the_median_of_a_skewed_lot_is_the_common_value() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for _ in 0..99 {
            histogram.record(Duration::from_millis(1));
        }
        histogram.record(Duration::from_secs(10));
        let (p50, p99) = (
            histogram.quantile(0.5).unwrap(),
            histogram.quantile(0.99).unwrap(),
        );
        assert!(
            (1.0..1.2).contains(&p50) && (1.0..1.2).contains(&p99),
            "{p50} {p99}"
        );
        assert!(histogram.quantile(1.0).unwrap() >= 10_000.0);
    }
}
