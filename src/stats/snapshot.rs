//! The statistics as a value: what `stats --format json` prints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All numbers of a daemon at one moment. Field names are a stable contract with scripts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// Requests of clients; the sum of the rows down to `failed`.
    pub requests: u64,
    /// Served without asking GitHub, by tier.
    pub hits: Hits,
    /// Served after a free 304.
    pub revalidated: u64,
    /// Served from another request's answer.
    pub coalesced: u64,
    /// Fetched from GitHub.
    pub misses: u64,
    /// Served although no longer fresh.
    pub stale: u64,
    /// Handed through unchanged.
    pub passed_through: u64,
    /// Answered with an error of our own.
    pub failed: u64,
    /// What GitHub saw from us.
    pub origin: OriginCalls,
    /// Calls that GitHub would have counted without us, less `origin.counted`.
    pub saved_calls: u64,
    /// 0..1: (hits + revalidated + coalesced + stale) / cacheable requests.
    pub hit_rate: f64,
    /// Entries held.
    pub entries: u64,
    /// Bytes held.
    pub bytes: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// One row for each budget that GitHub reported.
    pub budget: Vec<serde_json::Value>,
    /// The swarm.
    pub peers: PeerCounts,
    /// Whether GitHub's validators are those that we compute, by host and operation.
    pub validators: Vec<Validators>,
    /// Requests by operation.
    pub routes: Vec<Route>,
    /// Why requests were bypassed, bodies not stored, peers refused.
    pub reasons: BTreeMap<String, u64>,
    /// Time from request to answer by tier, in milliseconds.
    pub latency_ms: BTreeMap<String, Latency>,
    /// Seconds since the daemon started.
    pub uptime_seconds: u64,
    /// Alias of `hits.memory + hits.disk`, from the documents that scripts were written against.
    pub local_hits: u64,
    /// Alias of `hits.peer`.
    pub peer_hits: u64,
    /// Alias of `saved_calls`.
    pub api_calls_saved: u64,
    /// Alias of `entries`.
    pub cache_size: u64,
    /// Alias of `peers.connected`.
    pub connected_peers: u64,
}

impl Snapshot {
    /// Works out what follows from the other numbers: the hit rate and the aliases.
    pub(super) fn finish(&mut self, cacheable: u64) {
        let served = self.hits.memory
            + self.hits.disk
            + self.hits.peer
            + self.revalidated
            + self.coalesced
            + self.stale;
        #[expect(clippy::cast_precision_loss, reason = "a ratio of counts below 2^52")]
        let rate = if cacheable == 0 {
            0.0
        } else {
            served as f64 / cacheable as f64
        };
        self.hit_rate = rate.min(1.0);
        self.local_hits = self.hits.memory + self.hits.disk;
        self.peer_hits = self.hits.peer;
        self.api_calls_saved = self.saved_calls;
        self.set_gauges(self.entries, self.bytes);
    }

    /// How requests ended, in the order of [`Outcome::ALL`](super::Outcome::ALL).
    pub const fn outcomes(&self) -> [u64; 9] {
        [
            self.hits.memory,
            self.hits.disk,
            self.hits.peer,
            self.revalidated,
            self.coalesced,
            self.misses,
            self.stale,
            self.passed_through,
            self.failed,
        ]
    }

    /// Fills in what the store knows.
    pub fn set_gauges(&mut self, entries: u64, bytes: u64) {
        (self.entries, self.bytes) = (entries, bytes);
        self.cache_size = self.entries;
        self.connected_peers = self.peers.connected;
    }
}

/// Requests served without asking GitHub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hits {
    /// From memory.
    pub memory: u64,
    /// From disk.
    pub disk: u64,
    /// From a peer.
    pub peer: u64,
}

/// What GitHub saw from this daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginCalls {
    /// All requests sent.
    pub requests: u64,
    /// Those that count against the primary rate limit.
    pub counted: u64,
    /// Conditional requests that GitHub answered 304, for free.
    pub free_304: u64,
    /// Points of the secondary limits.
    pub secondary_points: u64,
}

/// The swarm in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PeerCounts {
    /// Connected now.
    pub connected: u64,
    /// Known addresses.
    pub known: u64,
    /// Refused, by reason.
    pub refused: BTreeMap<String, u64>,
}

/// Requests of one operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// The operation's name.
    pub name: String,
    /// All requests.
    pub requests: u64,
    /// Those that did not cost a call.
    pub saved: u64,
}

/// How the formula of GitHub's validators did for one operation of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Validators {
    /// The host as clients named it.
    pub host: String,
    /// The operation's name.
    pub operation: String,
    /// Checks that are remembered: the last 64 at most.
    pub checked: u32,
    /// Those that came out right.
    pub matched: u32,
    /// Whether computed validators are asked with.
    pub trusted: bool,
}

/// Quantiles of a latency in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Half the requests took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
}
