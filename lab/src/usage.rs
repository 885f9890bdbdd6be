//! What was asked of the fake, counted the way GitHub counts.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::limits::Meter;

/// How many requests the log keeps.
const LOG: usize = 50_000;
/// How many tokens, buckets or operations are counted apart.
const APART: usize = 4096;

/// Counts of one token, bucket or operation, or of all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Requests of every kind.
    pub requests: u64,
    /// Requests that counted against a primary REST limit.
    pub counted: u64,
    /// 304s that were free of the primary limit.
    pub free_304: u64,
    /// Points of the secondary limits.
    pub points: u64,
    /// Requests to `/graphql`.
    pub graphql_requests: u64,
    /// Points of the primary `GraphQL` limit.
    pub graphql_points: u64,
    /// The most secondary points in one minute of the clock.
    pub max_points_minute: u64,
    /// The most secondary points in any 60 seconds.
    pub max_points_sliding: u64,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// The most requests that were open at once.
    pub max_concurrency: u64,
    #[serde(skip)]
    meter: Meter,
    #[serde(skip)]
    open: u64,
}

/// All counts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Usage {
    /// Everything.
    pub total: Tally,
    /// By token value; `anonymous` without one.
    pub tokens: BTreeMap<String, Tally>,
    /// By bucket, such as `user:octocat`.
    pub buckets: BTreeMap<String, Tally>,
    /// By operation, such as `GET /repos/{owner}/{repo}`.
    pub operations: BTreeMap<String, Tally>,
}

impl Usage {
    /// The counts of a token; zeros if it was never seen.
    pub fn token(&self, value: &str) -> Tally {
        self.tokens.get(value).cloned().unwrap_or_default()
    }

    /// The counts of a bucket; zeros if it was never seen.
    pub fn bucket(&self, name: &str) -> Tally {
        self.buckets.get(name).cloned().unwrap_or_default()
    }

    /// The counts of an operation; zeros if it was never seen.
    pub fn operation(&self, name: &str) -> Tally {
        self.operations.get(name).cloned().unwrap_or_default()
    }
}

/// One request in the log.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The host without port.
    pub host: String,
    /// Path and query as sent.
    pub path: String,
    /// Request headers that matter to tests.
    pub headers: Vec<(String, String)>,
    /// The status that was answered; 0 if the connection was reset.
    pub status: u16,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

impl Seen {
    /// The first value of a logged request header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What one answered request adds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) token: String,
    pub(crate) bucket: String,
    pub(crate) operation: String,
    pub(crate) status: u16,
    pub(crate) counted: u64,
    pub(crate) free_304: bool,
    pub(crate) points: u64,
    pub(crate) graphql: Option<u64>,
}

/// Counts and log.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) usage: Usage,
    log: VecDeque<Seen>,
}

impl Ledger {
    /// A request has arrived; returns how many its bucket has open.
    pub(crate) fn open(&mut self, token: &str, bucket: &str) -> u64 {
        Self::opened(&mut self.usage.total);
        if let Some(tally) = slot(&mut self.usage.tokens, token) {
            Self::opened(tally);
        }
        slot(&mut self.usage.buckets, bucket).map_or(0, |tally| {
            Self::opened(tally);
            tally.open
        })
    }

    /// A request is done.
    pub(crate) fn close(&mut self, token: &str, bucket: &str) {
        self.usage.total.open = self.usage.total.open.saturating_sub(1);
        let pair = [
            self.usage.tokens.get_mut(token),
            self.usage.buckets.get_mut(bucket),
        ];
        for tally in pair.into_iter().flatten() {
            tally.open = tally.open.saturating_sub(1);
        }
    }

    fn opened(tally: &mut Tally) {
        tally.open += 1;
        tally.max_concurrency = tally.max_concurrency.max(tally.open);
    }

    /// Counts an answered request.
    pub(crate) fn count(&mut self, entry: &Entry, now: u64) {
        let usage = &mut self.usage;
        add(&mut usage.total, entry, now);
        let apart = [
            slot(&mut usage.tokens, &entry.token),
            slot(&mut usage.buckets, &entry.bucket),
            slot(&mut usage.operations, &entry.operation),
        ];
        for tally in apart.into_iter().flatten() {
            add(tally, entry, now);
        }
    }

    /// Keeps a request in the log.
    pub(crate) fn keep(&mut self, seen: Seen) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(seen);
    }

    /// The log, oldest first.
    pub(crate) fn log(&self) -> Vec<Seen> {
        self.log.iter().cloned().collect()
    }

    /// Forgets counts and log; requests that are open stay counted as open.
    pub(crate) fn reset(&mut self) {
        self.log.clear();
        self.usage.operations.clear();
        let usage = &mut self.usage;
        let all = usage.tokens.values_mut().chain(usage.buckets.values_mut());
        for tally in all.chain(std::iter::once(&mut usage.total)) {
            let open = tally.open;
            *tally = Tally {
                open,
                max_concurrency: open,
                ..Tally::default()
            };
        }
    }
}

fn slot<'a>(map: &'a mut BTreeMap<String, Tally>, key: &str) -> Option<&'a mut Tally> {
    if map.len() >= APART && !map.contains_key(key) {
        return None;
    }
    Some(map.entry(key.to_owned()).or_default())
}

fn add(tally: &mut Tally, entry: &Entry, now: u64) {
    tally.requests += 1;
    tally.counted += entry.counted;
    tally.free_304 += u64::from(entry.free_304);
    tally.points += entry.points;
    if let Some(points) = entry.graphql {
        tally.graphql_requests += 1;
        tally.graphql_points += points;
    }
    *tally.statuses.entry(entry.status).or_default() += 1;
    tally.meter.add(now, entry.points);
    tally.max_points_minute = tally.meter.max_aligned;
    tally.max_points_sliding = tally.meter.max_sliding;
}
