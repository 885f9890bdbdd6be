//! `counters.json`: the numbers of a daemon as another process finds them, and the next daemon goes on
//! with them.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use super::{Outcome, Snapshot, Stats};

/// The most reasons that are taken over. There are about a hundred; a file with more is not ours.
const REASONS: usize = 512;
/// Counts how often a daemon went on with the numbers of one that had died.
const RESTARTED: &str = "daemon-restarted";

/// What is written down: what is shown, and what it takes to go on counting.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// What `stats --format json` prints.
    #[serde(flatten)]
    pub shown: Snapshot,
    /// The rest.
    #[serde(default)]
    pub carried: Carried,
}

/// What does not follow from what is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Carried {
    /// Requests that the cache could answer in principle.
    pub cacheable: u64,
    /// Requests that GitHub would have counted had there been no daemon.
    pub would_count: u64,
    /// By tier: how many requests fell into which bucket of the histogram.
    pub latency: BTreeMap<String, BTreeMap<usize, u64>>,
}

impl Stats {
    /// What it takes to go on counting.
    pub fn carried(&self) -> Carried {
        let latency = Outcome::ALL.into_iter().filter_map(|outcome| {
            let counts = self.latency[outcome as usize].counts();
            (!counts.is_empty()).then(|| (outcome.tier().to_owned(), counts))
        });
        Carried {
            cacheable: self.cacheable.load(Relaxed),
            would_count: self.would_count.load(Relaxed),
            latency: latency.collect(),
        }
    }

    /// Goes on where a daemon that died has stopped: a job has one sum, however often its daemon was killed.
    /// Gauges, and what peers and the disk count for themselves, begin anew.
    pub fn resume(&self, earlier: &Counters) {
        let Counters { shown, carried } = earlier;
        for (outcome, count) in Outcome::ALL.into_iter().zip(shown.outcomes()) {
            self.outcomes[outcome as usize].fetch_add(count, Relaxed);
            if let Some(counts) = carried.latency.get(outcome.tier()) {
                self.latency[outcome as usize].add(counts);
            }
        }
        self.cacheable.fetch_add(carried.cacheable, Relaxed);
        self.would_count.fetch_add(carried.would_count, Relaxed);
        let origin = &shown.origin;
        for (counter, count) in [
            (&self.origin_requests, origin.requests),
            (&self.origin_counted, origin.counted),
            (&self.origin_free, origin.free_304),
            (&self.origin_points, origin.secondary_points),
        ] {
            counter.fetch_add(count, Relaxed);
        }
        for route in &shown.routes {
            let index = self.route_names.iter().position(|name| *name == route.name);
            if let Some(counters) = index.and_then(|index| self.routes.get(index)) {
                counters.requests.fetch_add(route.requests, Relaxed);
                counters.saved.fetch_add(route.saved, Relaxed);
            }
        }
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, times) in shown.reasons.iter().take(REASONS) {
            *reasons.entry(name.clone().into()).or_default() += times;
        }
        *reasons.entry(RESTARTED.into()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::OriginCost;
    use super::*;

    fn busy() -> Stats {
        let stats = Stats::new(&["get_repo_info"]);
        for (number, outcome) in (1..).zip(Outcome::ALL) {
            stats.cacheable();
            stats.would_count();
            stats.request(outcome, 0, Duration::from_millis(number));
        }
        stats.origin(OriginCost {
            counted: true,
            free_304: false,
            points: 5,
        });
        stats.reason("rate-limited");
        stats
    }

    fn written(stats: &Stats) -> Counters {
        let counters = Counters {
            shown: stats.snapshot(),
            carried: stats.carried(),
        };
        serde_json::from_slice(&serde_json::to_vec(&counters).unwrap()).unwrap()
    }

    #[test]
    fn who_goes_on_shows_what_the_last_one_showed() {
        let first = busy();
        let second = Stats::new(&["get_repo_info"]);
        second.resume(&written(&first));
        let (mut then, mut now) = (first.snapshot(), second.snapshot());
        assert_eq!(now.reasons.remove(RESTARTED), Some(1));
        assert_eq!(now, then);
        second.resume(&written(&first));
        (then, now) = (first.snapshot(), second.snapshot());
        assert_eq!((now.requests, now.saved_calls), (18, 16));
        assert!((now.hit_rate - then.hit_rate).abs() < 1e-9);
        assert_eq!(now.reasons["rate-limited"], 2);
    }

    #[test]
    fn a_file_that_is_not_ours_adds_nothing_that_was_not_said() {
        let stats = Stats::new(&["get_repo_info"]);
        let foreign: Counters = serde_json::from_str(
            r#"{"requests": 99, "routes": [{"name": "nowhere", "requests": 5}],
                "carried": {"latency": {"memory": {"99999": 3}, "elsewhere": {"1": 1}}}}"#,
        )
        .unwrap();
        stats.resume(&foreign);
        let shown = stats.snapshot();
        assert_eq!((shown.requests, shown.routes.len()), (0, 0));
        assert!(shown.latency_ms.is_empty(), "{shown:?}");
    }
}
