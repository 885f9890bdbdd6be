//! Leases: of the members that miss an entry together, one asks GitHub. Pure: what is known to the owner of a name.
//!
//! A lease lasts two seconds and is renewed while its holder works, up to thirty (Gray and Cheriton,
//! "Leases", 1989: a holder that dies costs its lease and no more). Others wait for its end. A holder that gives
//! no sign for three quarters of a lease while somebody waits has lost it to whoever waited longest, so that there is
//! time left for the second one's answer.
//!
//! A write does not end leases: names are opaque here, so nobody can tell which ones a write concerns, and ending
//! all would have a busy fleet ask everything once each. Nothing stale comes of it, because whatever a waiter is given
//! is a candidate for its own question to GitHub, and whoever would serve without that question (`--trust swarm`)
//! compares when the candidate was asked for with its own last write.

mod accounts;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::pool::WireKey;
use super::wire::message::Ended;
use crate::digest::Digest;

/// Names with a lease or a memory of one. Beyond it everybody asks GitHub.
const NAMES_MAX: usize = 16_384;
/// Of which one member holds at most.
const NAMES_PER_MEMBER: usize = 4096;
/// Who waits at once, over all names.
const WAITERS_MAX: usize = 4096;
/// Of which those of one member.
const WAITERS_PER_MEMBER: usize = 1024;
/// For so long nobody waits for what turned out not to be shared.
const NOT_SHARED: Duration = Duration::from_mins(1);

/// The leases that we give.
#[derive(Debug)]
pub(super) struct Table {
    lease: Duration,
    lease_max: Duration,
    names: HashMap<WireKey, Name>,
    loads: HashMap<PeerId, Load>,
    waiters: usize,
    next: u64,
    swept: Option<Instant>,
}

/// What one member takes of the bounds.
#[derive(Debug, Default)]
struct Load {
    leases: usize,
    waiters: usize,
}

#[derive(Debug)]
enum Name {
    Leased(Leased),
    /// The body with this digest was stored or confirmed: for whoever comes to wait for that.
    Landed {
        digest: Digest,
        until: Instant,
    },
    NotShared {
        until: Instant,
    },
}

#[derive(Debug)]
struct Leased {
    holder: PeerId,
    granted: Instant,
    /// When it was last renewed.
    sign: Instant,
    waiters: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    member: PeerId,
    held: Option<Digest>,
    deadline: Instant,
}

/// Somebody who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ticket(u64);

/// What somebody hears who may ask GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It asks, for everybody.
    Granted(Duration),
    /// Somebody else does, for so long at most.
    Held(Duration),
    /// Everybody asks for themselves.
    NotShared,
    /// There are too many leases.
    Full,
}

/// What a waiter hears in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// An entry that it does not have was stored.
    Stored,
    /// The body that it has is the current one.
    Same,
    /// The holder did not make it: now the waiter asks, for everybody.
    Granted(Duration),
    /// The holder still asks, and the waiter has waited long enough.
    Held(Duration),
    /// Everybody asks for themselves.
    NotShared,
    /// It is gone itself, or there are too many.
    Dismissed,
}

/// What becomes of somebody who wants to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// There is nothing to wait for.
    Not(Outcome),
    /// It waits; see [`Table::next_look`].
    On(Ticket),
}

/// Those who wait no longer.
pub(super) type Woken = Vec<(Ticket, Outcome)>;

impl Table {
    /// Leases last `lease`, and `lease_max` with all renewals.
    pub(super) fn new(lease: Duration, lease_max: Duration) -> Self {
        Self {
            lease,
            lease_max,
            names: HashMap::new(),
            loads: HashMap::new(),
            waiters: 0,
            next: 0,
            swept: None,
        }
    }

    /// `member` misses `key` and would ask GitHub.
    pub(super) fn take(&mut self, key: &WireKey, member: PeerId, now: Instant) -> Taken {
        match self.names.get(key) {
            Some(Name::Leased(leased)) if leased.holder != member => {
                let until = leased.until(self);
                // With waiters, the one that waited longest is next, not whoever comes last.
                if now < until || !leased.waiters.is_empty() {
                    return Taken::Held(left(until, now));
                }
            }
            Some(Name::NotShared { until }) if now < *until => return Taken::NotShared,
            _ => {}
        }
        if self.grant(key, member, now) {
            Taken::Granted(self.lease)
        } else {
            Taken::Full
        }
    }

    /// How long somebody else than `member` has `key`, if anybody has.
    pub(super) fn held(&self, key: &WireKey, member: PeerId, now: Instant) -> Option<Duration> {
        match self.names.get(key) {
            Some(Name::Leased(leased)) if leased.holder != member => {
                let until = leased.until(self);
                (now < until).then(|| left(until, now))
            }
            _ => None,
        }
    }

    /// `member`, which has the body `held`, waits for the end of a lease, until `deadline` at most.
    pub(super) fn wait(
        &mut self,
        key: &WireKey,
        member: PeerId,
        held: Option<Digest>,
        deadline: Instant,
        now: Instant,
    ) -> Waiting {
        if let Some(Name::Landed { digest, until }) = self.names.get(key)
            && held == Some(*digest)
            && now < *until
        {
            return Waiting::Not(Outcome::Same);
        }
        match self.take(key, member, now) {
            Taken::Granted(lease) => return Waiting::Not(Outcome::Granted(lease)),
            Taken::NotShared => return Waiting::Not(Outcome::NotShared),
            Taken::Full => return Waiting::Not(Outcome::Dismissed),
            Taken::Held(_) => {}
        }
        let Some(Name::Leased(leased)) = self.names.get_mut(key) else {
            return Waiting::Not(Outcome::Dismissed);
        };
        let load = self.loads.entry(member).or_default();
        if self.waiters >= WAITERS_MAX || load.waiters >= WAITERS_PER_MEMBER {
            return Waiting::Not(Outcome::Dismissed);
        }
        load.waiters += 1;
        self.waiters += 1;
        let ticket = Ticket(self.next);
        self.next += 1;
        leased.waiters.push_back(Waiter {
            ticket,
            member,
            held,
            deadline,
        });
        Waiting::On(ticket)
    }

    /// When [`Table::expire`] must be called for a waiter that has heard nothing by then.
    pub(super) fn next_look(&self, key: &WireKey, ticket: Ticket) -> Option<Instant> {
        let Some(Name::Leased(leased)) = self.names.get(key) else {
            return None;
        };
        let mut waiters = leased.waiters.iter();
        let waiter = waiters.find(|waiter| waiter.ticket == ticket)?;
        Some(waiter.deadline.min(leased.quiet(self)))
    }

    /// Time has passed: who waits no longer.
    pub(super) fn expire(&mut self, key: &WireKey, now: Instant) -> Woken {
        let mut woken = Woken::new();
        let Some(Name::Leased(leased)) = self.names.get(key) else {
            return woken;
        };
        if now >= leased.quiet(self) && !leased.waiters.is_empty() {
            self.hand_on(key, now, &mut woken);
        }
        let Some(Name::Leased(leased)) = self.names.get(key) else {
            return woken;
        };
        let remaining = left(leased.until(self), now);
        let late = |waiter: &Waiter| (waiter.deadline <= now).then_some(Outcome::Held(remaining));
        self.wake(key, late, &mut woken);
        woken
    }

    /// The holder works on: for how long it has the lease now. `None`: it has none.
    pub(super) fn renew(
        &mut self,
        key: &WireKey,
        member: PeerId,
        now: Instant,
    ) -> Option<Duration> {
        let (lease, most) = (self.lease, self.lease_max);
        let Some(Name::Leased(leased)) = self.names.get_mut(key) else {
            return None;
        };
        if leased.holder != member || now >= leased.ends(lease, most) {
            return None;
        }
        leased.sign = now;
        Some(left(leased.ends(lease, most), now))
    }

    /// The holder is done without an entry. Nothing if `member` is not the holder.
    pub(super) fn end(
        &mut self,
        key: &WireKey,
        member: PeerId,
        ended: Ended,
        now: Instant,
    ) -> Woken {
        let mut woken = Woken::new();
        if !self.is_holder(key, member) {
            return woken;
        }
        match ended {
            Ended::Failed => self.hand_on(key, now, &mut woken),
            Ended::Unchanged(digest) => {
                let same = |waiter: &Waiter| (waiter.held == Some(digest)).then_some(Outcome::Same);
                self.wake(key, same, &mut woken);
                // Whoever has another body cannot be helped by that one: the next of them asks.
                if !self.hand_on_to_waiter(key, now, &mut woken) {
                    self.landed(key, digest, now);
                }
            }
            Ended::NotShared => {
                self.wake(key, |_| Some(Outcome::NotShared), &mut woken);
                self.forget(key);
                // These are remembered longest; leases must find room beside them.
                if self.names.len() < NAMES_MAX / 2 {
                    let until = now + NOT_SHARED;
                    self.names.insert(*key, Name::NotShared { until });
                }
            }
        }
        woken
    }

    /// `member` stored the body with this digest. Ends its lease, if it has one; whoever waits is served by
    /// anybody's.
    pub(super) fn stored(
        &mut self,
        key: &WireKey,
        member: PeerId,
        digest: Digest,
        now: Instant,
    ) -> Woken {
        let mut woken = Woken::new();
        let is_holder = self.is_holder(key, member);
        // That somebody else has what a waiter has, too, does not answer the question which the holder asks: it may
        // have been confirmed before the waiter came, and its store was slow.
        let served = |waiter: &Waiter| match waiter.held {
            Some(held) if held == digest => is_holder.then_some(Outcome::Same),
            _ => Some(Outcome::Stored),
        };
        self.wake(key, served, &mut woken);
        if is_holder {
            self.landed(key, digest, now);
        }
        woken
    }

    /// `member` is not connected any more: its leases are over, and it waits for nothing.
    pub(super) fn gone(&mut self, member: PeerId, now: Instant) -> Woken {
        let mut woken = Woken::new();
        if !self.loads.contains_key(&member) {
            return woken;
        }
        let keys: Vec<_> = self.names.keys().copied().collect();
        for key in &keys {
            let its = |waiter: &Waiter| (waiter.member == member).then_some(Outcome::Dismissed);
            self.wake(key, its, &mut woken);
            if self.is_holder(key, member) {
                self.hand_on(key, now, &mut woken);
            }
        }
        woken
    }

    /// A waiter went away.
    pub(super) fn leave(&mut self, key: &WireKey, ticket: Ticket) {
        let it = |waiter: &Waiter| (waiter.ticket == ticket).then_some(Outcome::Dismissed);
        self.wake(key, it, &mut Woken::new());
    }

    /// Whether nothing is remembered of anybody.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.loads.is_empty() && self.waiters == 0
    }

    fn is_holder(&self, key: &WireKey, member: PeerId) -> bool {
        matches!(self.names.get(key), Some(Name::Leased(leased)) if leased.holder == member)
    }
}

impl Leased {
    fn ends(&self, lease: Duration, most: Duration) -> Instant {
        (self.sign + lease).min(self.granted + most)
    }

    fn until(&self, table: &Table) -> Instant {
        self.ends(table.lease, table.lease_max)
    }

    /// When the holder has been quiet for so long that a waiter takes its place.
    fn quiet(&self, table: &Table) -> Instant {
        self.until(table).min(self.sign + table.lease * 3 / 4)
    }
}

/// At least a millisecond: whoever is told to wait must not come back at once.
fn left(until: Instant, now: Instant) -> Duration {
    until
        .saturating_duration_since(now)
        .max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests;
