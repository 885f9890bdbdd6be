//! When a call may go, so that GitHub's limits are never met: a pure state machine.
//!
//! GitHub counts by *owner* (a user, an installation, the repository of a `GITHUB_TOKEN`, an address), but
//! does not say whose a token is. So every credential is put into a `Bucket`, by a guess that each of its
//! answers confirms or corrects:
//!
//! 1. Before its first answer it shares the bucket last used by its kind of token, or a provisional one.
//!    Many new tokens thus spend together what one may; a fleet of fresh `GITHUB_TOKEN`s dodges nothing.
//! 2. An answer names a limit and a reset. If they are those of a bucket that is known, the credential
//!    belongs there and takes along what it has spent. If they are new and its own bucket is provisional
//!    or past its reset, that bucket *becomes* the new one, with its minute of points and all members,
//!    who are corrected by their own answers. Otherwise the credential gets a bucket of its own.
//!
//! In each bucket: at most 100 calls at once, 900 points in any 60 seconds (GraphQL 2,000), a second between
//! writes, and nothing at all while GitHub has forbidden it. Calls wait in order; [`Budget::poll`] says
//! until when. There is no clock and no waiting here: [`Gate`](super::Gate) adds both.

mod ask;
mod bucket;
mod identity;
mod members;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::api::limit::{RateHeaders, Refusal};
use crate::secret::CredentialId;
use crate::time::Timestamp;

pub use ask::{Ask, Cost, Exhausted, Pressure, Priority, Resource, Row};

use bucket::Bucket;

/// Limits and thresholds; the defaults are GitHub's documented ones.
///
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Calls of one bucket that wait for their answer at the same time.
    pub concurrency: u32,
    /// Points of REST calls in any `window`.
    pub rest_points: u32,
    /// Points of GraphQL calls in any `window`.
    pub graphql_points: u32,
    /// The window of the points.
    pub window: Duration,
    /// The least time between two writes.
    pub write_gap: Duration,
    /// The wait after a secondary limit that names no time; doubled each time in a row.
    pub secondary_wait: Duration,
    /// The longest of these waits.
    pub secondary_wait_most: Duration,
    /// Remaining calls at which a budget is scarce; 10 % where the limit is under 500.
    pub warning: u64,
    /// Remaining calls at which stored answers come first; 5 % where the limit is under 500.
    pub aggressive: u64,
    /// Credentials that are remembered; the one unused for longest is forgotten.
    pub credentials: usize,
    /// Buckets that are remembered; the one unused for longest is forgotten.
    pub buckets: usize,
    /// Calls that may wait at the same time.
    pub waiting: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            concurrency: 100,
            rest_points: 900,
            graphql_points: 2000,
            window: Duration::from_mins(1),
            write_gap: Duration::from_secs(1),
            secondary_wait: Duration::from_mins(1),
            secondary_wait_most: Duration::from_mins(15),
            warning: 100,
            aggressive: 50,
            credentials: 4096,
            buckets: 256,
            waiting: 10_000,
        }
    }
}

impl Config {
    /// How scarce a budget is of which so many calls are left.
    pub fn pressure_of(&self, limit: u64, left: u64) -> Pressure {
        // Ten and five per cent where the usual thresholds are most of the budget.
        let small = limit < 500;
        let warning = if small { limit / 10 } else { self.warning };
        let aggressive = if small { limit / 20 } else { self.aggressive };
        match left {
            left if left <= aggressive => Pressure::Aggressive,
            left if left <= warning => Pressure::Warning,
            _ => Pressure::None,
        }
    }
}

/// A call that waits or is on its way. In order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

/// What to do with a waiting call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Send it, and call [`Budget::done`] after its answer.
    Go,
    /// Poll again then, or when woken.
    At(Timestamp),
    /// Poll again when woken.
    Behind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct BucketId(u64);

#[derive(Debug)]
struct Issued {
    ask: Ask,
    bucket: BucketId,
    going: bool,
}

/// A credential as one resource's counter knows it.
#[derive(Debug)]
struct Account {
    bucket: BucketId,
    rate: Option<Arc<RateHeaders>>,
    last_used: Timestamp,
}

/// All budgets of one GitHub.
#[derive(Debug)]
pub struct Budget {
    config: Config,
    accounts: HashMap<(CredentialId, Resource), Account>,
    buckets: BTreeMap<BucketId, Bucket>,
    issued: HashMap<Ticket, Issued>,
    waiting: usize,
    next: u64,
    woken: Vec<Ticket>,
}

impl Budget {
    /// Nothing spent, nobody known.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            accounts: HashMap::new(),
            buckets: BTreeMap::new(),
            issued: HashMap::new(),
            waiting: 0,
            next: 0,
            woken: Vec::new(),
        }
    }

    /// Puts `ask` in line, unless it would have to wait for longer than `patience`, or too many wait.
    pub fn arrive(
        &mut self,
        ask: Ask,
        now: Timestamp,
        patience: Duration,
    ) -> Result<Ticket, Exhausted> {
        let id = self.member(&ask, now);
        let number = self.fresh();
        let Some(bucket) = self.buckets.get_mut(&id) else {
            return Err(Exhausted { until: now });
        };
        let until = bucket.estimate(&ask, &self.config, now);
        if until > now.plus(patience) || self.waiting >= self.config.waiting {
            return Err(Exhausted { until });
        }
        let ticket = Ticket(number);
        bucket.enqueue(ticket, ask);
        self.waiting += 1;
        self.issued.insert(
            ticket,
            Issued {
                ask,
                bucket: id,
                going: false,
            },
        );
        Ok(ticket)
    }

    /// Whether `ask` could go at once if it came now.
    pub fn has_room(&mut self, ask: &Ask, now: Timestamp) -> bool {
        let id = self.member(ask, now);
        let bucket = self.buckets.get_mut(&id);
        bucket.is_some_and(|bucket| bucket.estimate(ask, &self.config, now) <= now)
    }

    /// Whether the waiting `ticket` may go now.
    pub fn poll(&mut self, ticket: Ticket, now: Timestamp) -> Turn {
        let Some(issued) = self.issued.get(&ticket) else {
            return Turn::Behind;
        };
        let Some(bucket) = self.buckets.get_mut(&issued.bucket) else {
            return Turn::Behind;
        };
        match bucket.turn(ticket, &issued.ask, &self.config, now) {
            Turn::Go => self.go(ticket, now),
            waits => waits,
        }
    }

    /// Lets the waiting `ticket` go although our pacing would hold it up, unless GitHub forbids calls:
    /// without us it would have gone long ago.
    pub fn force(&mut self, ticket: Ticket, now: Timestamp) -> Turn {
        let bucket = self.issued.get(&ticket).map(|issued| issued.bucket);
        let closed = bucket
            .and_then(|id| self.buckets.get(&id))
            .and_then(|bucket| bucket.closed_until(now));
        match closed {
            Some(until) => Turn::At(until),
            None => self.go(ticket, now),
        }
    }

    /// Until when GitHub forbids `ask`, if it does.
    pub fn closed_until(&mut self, ask: &Ask, now: Timestamp) -> Option<Timestamp> {
        let id = self.member(ask, now);
        self.buckets.get(&id)?.closed_until(now)
    }

    fn go(&mut self, ticket: Ticket, now: Timestamp) -> Turn {
        let Some(issued) = self.issued.get_mut(&ticket).filter(|issued| !issued.going) else {
            return Turn::Behind;
        };
        let Some(bucket) = self.buckets.get_mut(&issued.bucket) else {
            return Turn::Behind;
        };
        bucket.dequeue(ticket, issued.ask);
        bucket.spend(&issued.ask, now);
        issued.going = true;
        self.waiting -= 1;
        self.woken.extend(bucket.heads());
        Turn::Go
    }

    /// `ticket` has its answer, or gives up waiting or going.
    pub fn done(&mut self, ticket: Ticket) {
        let Some(issued) = self.issued.remove(&ticket) else {
            return;
        };
        if !issued.going {
            self.waiting -= 1;
        }
        if let Some(bucket) = self.buckets.get_mut(&issued.bucket) {
            if issued.going {
                bucket.in_flight -= 1;
            } else {
                bucket.dequeue(ticket, issued.ask);
            }
            self.woken.extend(bucket.heads());
        }
    }

    /// Who should be polled again since the last time; some more than once.
    pub fn woken(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.woken)
    }

    /// Learns from the answer to `ask`.
    pub fn answered(
        &mut self,
        ask: &Ask,
        rate: Option<&RateHeaders>,
        refusal: Option<&Refusal>,
        now: Timestamp,
    ) {
        // The counter is the one that the answer names, whatever was expected.
        let resource = rate.map_or(ask.resource, |rate| Resource::named(&rate.resource));
        let counted = Ask { resource, ..*ask };
        if let Some(rate) = rate {
            self.identify(&counted, rate, now);
            self.remember(&counted, rate);
        }
        match refusal {
            Some(Refusal::Primary { until }) if rate.is_none_or(|rate| rate.remaining > 0) => {
                self.identify(&counted, &used_up(&counted, rate, *until), now);
            }
            Some(Refusal::Primary { .. }) => {}
            Some(Refusal::Secondary { until }) => self.strike(&counted, *until, now),
            None => {
                let id = self.member(&counted, now);
                if let Some(bucket) = self.buckets.get_mut(&id) {
                    bucket.relax(now);
                }
            }
        }
    }

    /// How scarce the caller's budget is. Nothing is learnt from the question.
    pub fn pressure(
        &self,
        credential: CredentialId,
        resource: Resource,
        now: Timestamp,
    ) -> Pressure {
        self.accounts
            .get(&(credential, resource))
            .and_then(|account| self.buckets.get(&account.bucket))
            .map_or(Pressure::None, |bucket| bucket.pressure(&self.config, now))
    }

    /// Whether so little is left of a budget that what is held lives longer.
    pub fn is_scarce(&self, limit: u64, left: u64) -> bool {
        self.config.pressure_of(limit, left) != Pressure::None
    }

    /// What GitHub last told this caller.
    pub fn rate(&self, credential: CredentialId, resource: Resource) -> Option<&Arc<RateHeaders>> {
        self.accounts.get(&(credential, resource))?.rate.as_ref()
    }

    /// The buckets in the order in which they became known.
    pub fn rows(&self, now: Timestamp) -> Vec<Row> {
        self.buckets
            .iter()
            .filter_map(|(&id, bucket)| bucket.row(id, now))
            .collect()
    }

    /// A secondary limit is the owner's, whatever the resource: all of the credential's buckets wait.
    fn strike(&mut self, ask: &Ask, until: Timestamp, now: Timestamp) {
        self.member(ask, now);
        let mut struck: Vec<_> = Resource::ALL
            .into_iter()
            .filter_map(|resource| self.accounts.get(&(ask.credential, resource)))
            .map(|account| account.bucket)
            .collect();
        struck.sort_unstable();
        struck.dedup();
        for id in struck {
            if let Some(bucket) = self.buckets.get_mut(&id) {
                bucket.strike(until, &self.config, now);
                self.woken.extend(bucket.heads());
            }
        }
    }
}

/// A primary limit that was hit although the headers do not show it.
fn used_up(ask: &Ask, rate: Option<&RateHeaders>, until: Timestamp) -> RateHeaders {
    let limit = rate.map_or(0, |rate| rate.limit);
    let resource = rate.map_or_else(|| ask.resource.name().into(), |rate| rate.resource.clone());
    RateHeaders {
        limit,
        remaining: 0,
        used: limit,
        reset: until,
        resource,
    }
}
