//! What a summary is made of.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{Budget, ROWS};
use crate::stats::Snapshot;
use crate::time::Timestamp;

/// Everything that is known of a job's cache when it ends.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// How the numbers were come by.
    pub source: Source,
    /// The numbers.
    pub statistics: Snapshot,
    /// With whom was shared, if with anybody.
    pub sharing: Option<Sharing>,
    /// What was found to be wrong.
    pub problems: Vec<Problem>,
    /// Now.
    pub now: Timestamp,
}

/// How the numbers were come by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The daemon said them when the job finished.
    #[default]
    Daemon,
    /// They were found on disk: the daemon was killed.
    Counters,
    /// A daemon of the host said them, which serves other jobs as well.
    Host,
}

/// With whom a daemon shared, as its administration says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sharing {
    /// Who it is itself.
    pub peer_id: String,
    /// The pool.
    pub pool: String,
    /// Where peers reach it.
    pub multiaddrs: Vec<String>,
    /// Whom it knows.
    pub peers: Vec<Peer>,
}

/// A peer, as the administration says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Peer {
    /// Who it is.
    pub peer_id: String,
    /// `connected`, `known`, `refused` or `dropped`.
    pub standing: String,
    /// How it was admitted.
    pub admission: Option<String>,
    /// Why it was refused or dropped.
    pub reason: Option<String>,
    /// Round trip in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Its answers that GitHub confirmed.
    pub confirmed: u64,
    /// Its answers that GitHub did not confirm.
    pub refuted: u64,
}

/// Something that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

impl Problem {
    /// Both as sentences; what stands between backticks is shown as code.
    pub fn new(what: &str, fix: &str) -> Self {
        Self {
            what: what.to_owned(),
            fix: fix.to_owned(),
        }
    }
}

impl Sharing {
    /// Those who were of use first.
    pub(super) fn sorted(&self) -> Self {
        let mut sharing = self.clone();
        sharing.peers.sort_by(|a, b| {
            let key = |peer: &Peer| {
                (
                    Reverse(peer.standing == "connected"),
                    Reverse(peer.confirmed),
                )
            };
            key(a).cmp(&key(b)).then_with(|| a.peer_id.cmp(&b.peer_id))
        });
        sharing
    }
}

/// A row of `budget` in the statistics.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    kind: String,
    resource: String,
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<u64>,
}

impl Facts {
    /// What is left of each limit, the scarcest first.
    pub(super) fn budget(&self) -> Vec<Budget> {
        let rows = self.statistics.budget.iter();
        let read = rows.filter_map(|row| serde_json::from_value::<Row>(row.clone()).ok());
        let mut rows: Vec<_> = read.filter_map(|row| self.left(row)).collect();
        rows.sort_by(|a, b| {
            // a.remaining / a.limit, without a division.
            let scarce =
                |one: &Budget, other: &Budget| u128::from(one.remaining) * u128::from(other.limit);
            let names = |row: &Budget| (row.kind.clone(), row.resource.clone());
            let scarcest = scarce(a, b).cmp(&scarce(b, a));
            scarcest.then_with(|| names(a).cmp(&names(b)))
        });
        rows.truncate(ROWS);
        rows
    }

    fn left(&self, row: Row) -> Option<Budget> {
        let (limit, remaining) = (row.limit?, row.remaining?);
        let reset = Timestamp::from_secs(row.reset.unwrap_or_default());
        let over = reset <= self.now;
        Some(Budget {
            kind: row.kind,
            resource: row.resource,
            // A period that is over is full again, and GitHub will say so with the next answer.
            remaining: if over { limit } else { remaining.min(limit) },
            limit,
            full_in_seconds: if over {
                0
            } else {
                reset.since(self.now).as_secs()
            },
        })
    }
}
