//! What the daemon counts. Every front end (JSON, tables, Prometheus, step summary) shows these numbers.

mod counters;
mod histogram;
pub mod prometheus;
pub mod render;
mod snapshot;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use histogram::Histogram;

pub use counters::{Carried, Counters};
pub use snapshot::{Hits, Latency, OriginCalls, PeerCounts, Route, Snapshot, Validators};

/// How a client's request ended. Exactly one per request; the counters of all add up to `requests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Served from memory without asking anybody.
    HitMemory,
    /// Served from disk without asking anybody.
    HitDisk,
    /// Served from a peer's entry without asking GitHub.
    HitPeer,
    /// Served after GitHub answered 304 to our conditional request: free.
    Revalidated,
    /// Served from the answer that another request of this daemon was already fetching.
    Coalesced,
    /// Fetched from GitHub.
    Miss,
    /// Served although no longer fresh, because GitHub could not answer.
    Stale,
    /// Handed through: not cacheable, or not meant to be.
    PassedThrough,
    /// Answered with an error of our own.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order of the statistics.
    pub const ALL: [Self; 9] = [
        Self::HitMemory,
        Self::HitDisk,
        Self::HitPeer,
        Self::Revalidated,
        Self::Coalesced,
        Self::Miss,
        Self::Stale,
        Self::PassedThrough,
        Self::Failed,
    ];

    /// The name of its latency row.
    pub const fn tier(self) -> &'static str {
        match self {
            Self::HitMemory => "memory",
            Self::HitDisk => "disk",
            Self::HitPeer => "peer",
            Self::Revalidated => "revalidated",
            Self::Coalesced => "coalesced",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::PassedThrough => "passed_through",
            Self::Failed => "failed",
        }
    }
}

/// What one exchange with the origin cost, as GitHub counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginCost {
    /// Whether the primary rate limit counted it.
    pub counted: bool,
    /// Whether it was a 304 to an authorised request.
    pub free_304: bool,
    /// Points of the secondary limit: 1 for a read, 5 for a write.
    pub points: u64,
}

/// The counters of one daemon. Cheap to bump from any task.
#[derive(Debug)]
pub struct Stats {
    route_names: &'static [&'static str],
    routes: Box<[RouteCounters]>,
    outcomes: [AtomicU64; Outcome::ALL.len()],
    latency: [Histogram; Outcome::ALL.len()],
    cacheable: AtomicU64,
    would_count: AtomicU64,
    origin_requests: AtomicU64,
    origin_counted: AtomicU64,
    origin_free: AtomicU64,
    origin_points: AtomicU64,
    evictions: AtomicU64,
    // A std mutex: held for a map operation, never across an await.
    reasons: Mutex<BTreeMap<Cow<'static, str>, u64>>,
}

#[derive(Debug, Default)]
struct RouteCounters {
    requests: AtomicU64,
    saved: AtomicU64,
}

impl Stats {
    /// Counters at zero. `route_names` are the operations that requests are told apart by.
    pub fn new(route_names: &'static [&'static str]) -> Self {
        Self {
            route_names,
            routes: route_names
                .iter()
                .map(|_| RouteCounters::default())
                .collect(),
            outcomes: Default::default(),
            latency: Default::default(),
            cacheable: AtomicU64::new(0),
            would_count: AtomicU64::new(0),
            origin_requests: AtomicU64::new(0),
            origin_counted: AtomicU64::new(0),
            origin_free: AtomicU64::new(0),
            origin_points: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            reasons: Mutex::default(),
        }
    }

    /// Counts a finished request of a client. `route` is an index into the route names.
    pub fn request(&self, outcome: Outcome, route: usize, took: Duration) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
        self.latency[outcome as usize].record(took);
        if let Some(route) = self.routes.get(route) {
            route.requests.fetch_add(1, Relaxed);
            if !matches!(
                outcome,
                Outcome::Miss | Outcome::PassedThrough | Outcome::Failed
            ) {
                route.saved.fetch_add(1, Relaxed);
            }
        }
    }

    /// Counts a request that the cache could answer in principle: the denominator of the hit rate.
    pub fn cacheable(&self) {
        self.cacheable.fetch_add(1, Relaxed);
    }

    /// Counts a request that GitHub would have counted had there been no daemon.
    pub fn would_count(&self) {
        self.would_count.fetch_add(1, Relaxed);
    }

    /// Counts an exchange with the origin.
    pub fn origin(&self, cost: OriginCost) {
        self.origin_requests.fetch_add(1, Relaxed);
        self.origin_counted
            .fetch_add(u64::from(cost.counted), Relaxed);
        self.origin_free
            .fetch_add(u64::from(cost.free_304), Relaxed);
        self.origin_points.fetch_add(cost.points, Relaxed);
    }

    /// Counts entries that made room for others.
    pub fn evicted(&self, entries: u64) {
        self.evictions.fetch_add(entries, Relaxed);
    }

    /// Counts a named reason: why something was bypassed, not stored, refused, dropped.
    pub fn reason(&self, name: &'static str) {
        // A poisoned lock still holds a map of counters; counting goes on.
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        *reasons.entry(name.into()).or_default() += 1;
    }

    /// The numbers as they are now. Gauges that others own (entries, bytes, budgets) are zero here
    /// and filled in by the daemon.
    pub fn snapshot(&self) -> Snapshot {
        let count = |outcome: Outcome| self.outcomes[outcome as usize].load(Relaxed);
        let origin = OriginCalls {
            requests: self.origin_requests.load(Relaxed),
            counted: self.origin_counted.load(Relaxed),
            free_304: self.origin_free.load(Relaxed),
            secondary_points: self.origin_points.load(Relaxed),
        };
        let hits = Hits {
            memory: count(Outcome::HitMemory),
            disk: count(Outcome::HitDisk),
            peer: count(Outcome::HitPeer),
        };
        let mut snapshot = Snapshot {
            requests: Outcome::ALL.into_iter().map(count).sum(),
            hits,
            revalidated: count(Outcome::Revalidated),
            coalesced: count(Outcome::Coalesced),
            misses: count(Outcome::Miss),
            stale: count(Outcome::Stale),
            passed_through: count(Outcome::PassedThrough),
            failed: count(Outcome::Failed),
            saved_calls: self
                .would_count
                .load(Relaxed)
                .saturating_sub(origin.counted),
            origin,
            evictions: self.evictions.load(Relaxed),
            reasons: self
                .reasons
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .map(|(name, &times)| (name.clone().into_owned(), times))
                .collect(),
            ..Snapshot::default()
        };
        snapshot.routes = self.route_rows();
        snapshot.latency_ms = self.latency_rows();
        snapshot.finish(self.cacheable.load(Relaxed));
        snapshot
    }

    fn route_rows(&self) -> Vec<Route> {
        self.route_names
            .iter()
            .zip(&self.routes)
            .map(|(&name, counters)| Route {
                name: name.to_owned(),
                requests: counters.requests.load(Relaxed),
                saved: counters.saved.load(Relaxed),
            })
            .filter(|route| route.requests > 0)
            .collect()
    }

    fn latency_rows(&self) -> BTreeMap<String, Latency> {
        Outcome::ALL
            .into_iter()
            .filter_map(|outcome| {
                let histogram = &self.latency[outcome as usize];
                let p50 = histogram.quantile(0.50)?;
                let p99 = histogram.quantile(0.99)?;
                Some((outcome.tier().to_owned(), Latency { p50, p99 }))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_in_exactly_one_row() {
        let stats = Stats::new(&["get_repo_info"]);
        for outcome in Outcome::ALL {
            stats.request(outcome, 0, Duration::from_micros(10));
        }
        let shown = stats.snapshot();
        let rows = shown.hits.memory
            + shown.hits.disk
            + shown.hits.peer
            + shown.revalidated
            + shown.coalesced
            + shown.misses
            + shown.stale
            + shown.passed_through
            + shown.failed;
        assert_eq!((shown.requests, rows), (9, 9));
        assert_eq!((shown.routes[0].requests, shown.routes[0].saved), (9, 6));
    }

    #[test]
    fn saved_calls_are_those_github_would_have_counted_less_those_it_did() {
        let stats = Stats::new(&[]);
        for _ in 0..10 {
            stats.would_count();
        }
        stats.origin(OriginCost {
            counted: true,
            free_304: false,
            points: 1,
        });
        stats.origin(OriginCost {
            counted: false,
            free_304: true,
            points: 1,
        });
        let shown = stats.snapshot();
        assert_eq!((shown.saved_calls, shown.origin.secondary_points), (9, 2));
    }

    #[test]
    fn the_hit_rate_is_over_cacheable_requests_only() {
        let stats = Stats::new(&[]);
        for outcome in [Outcome::HitMemory, Outcome::Revalidated, Outcome::Miss] {
            stats.cacheable();
            stats.request(outcome, 0, Duration::ZERO);
        }
        stats.request(Outcome::PassedThrough, 0, Duration::ZERO);
        assert!((stats.snapshot().hit_rate - 2.0 / 3.0).abs() < 1e-9);
    }
}
