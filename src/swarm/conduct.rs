//! Conduct: how a peer behaves, and when that is enough. Pure: the time is an argument.
//!
//! Each admitted peer has token buckets for what it may do, a score of its offences that halves every minute, and
//! the last judgements of GitHub on what it gave us. What is over a bucket is refused ([`Verdict::Busy`]) and
//! counts a little; what no honest peer does counts much. A dropped peer is not spoken with for a while, and
//! starts afresh after that.
//!
//! A peer that is dropped can come back under another name, if it can be admitted under another name: whoever
//! has the secret can. So nothing relies on this for what is served; it bounds what a peer costs.

mod bucket;
mod candidates;
mod offence;

use std::collections::HashMap;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use bucket::Bucket;
use candidates::Candidates;
use offence::Score;

pub use bucket::Rate;
pub use offence::Offence;

/// Peers that are remembered, connected or not.
const PEERS_MAX: usize = 1000;

/// What a peer does to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A question of any kind.
    Question,
    /// So many bytes of questions and answers.
    Bytes(usize),
    /// An entry for us to hold.
    Store,
    /// So many writes that it tells us of.
    Invalidate(usize),
    /// A message to everybody.
    Announce,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken.
    Allow,
    /// It is refused, this time.
    Busy,
    /// The peer is dropped: its connections end, and none is made, until [`Conduct::dropped`] says otherwise.
    Drop(Offence),
}

/// What a peer may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Questions.
    pub questions: Rate,
    /// Bytes.
    pub bytes: Rate,
    /// Entries to hold.
    pub stores: Rate,
    /// Writes that it tells of.
    pub invalidations: Rate,
    /// Messages to everybody.
    pub announcements: Rate,
    /// How long a dropped peer is not spoken with.
    pub dropped: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let rate = |burst, second| Rate { burst, second };
        Self {
            // In a pool of two, one owner is asked for everything: a job that begins asks some hundred things
            // at once, and several times for each (lookup, await, renew, release).
            questions: rate(4096.0, 1000.0),
            // Six of the longest bodies at once.
            bytes: rate(f64::from(64 << 20), f64::from(16 << 20)),
            stores: rate(2048.0, 200.0),
            // GitHub takes 80 writes a minute from one user (its secondary limit), each is told twice and under some names,
            // and a daemon may have some users. Counted by the write, not by the message, which holds up to 64: each is a record in
            // the log of our host.
            invalidations: rate(1024.0, 20.0),
            announcements: rate(2048.0, 200.0),
            dropped: Duration::from_mins(10),
        }
    }
}

/// How a peer has behaved, for people to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record {
    /// Candidates that GitHub confirmed.
    pub confirmed: u64,
    /// Candidates that GitHub did not confirm. Most are only outdated.
    pub refuted: u64,
    /// What it was dropped for, while it is.
    pub dropped: Option<Offence>,
}

/// How all peers behave.
#[derive(Debug)]
pub struct Conduct {
    limits: Limits,
    peers: HashMap<PeerId, State>,
}

#[derive(Debug)]
struct State {
    questions: Bucket,
    bytes: Bucket,
    stores: Bucket,
    invalidations: Bucket,
    announcements: Bucket,
    score: Score,
    candidates: Candidates,
    confirmed: u64,
    refuted: u64,
    dropped: Option<(Offence, Instant)>,
    seen: Instant,
}

impl State {
    const fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            questions: Bucket::full(limits.questions, now),
            bytes: Bucket::full(limits.bytes, now),
            stores: Bucket::full(limits.stores, now),
            invalidations: Bucket::full(limits.invalidations, now),
            announcements: Bucket::full(limits.announcements, now),
            score: Score::new(now),
            candidates: Candidates::new(),
            confirmed: 0,
            refuted: 0,
            dropped: None,
            seen: now,
        }
    }

    fn is_dropped(&self, now: Instant) -> bool {
        self.dropped.is_some_and(|(_, until)| now < until)
    }
}

impl Conduct {
    /// Of peers that have done nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            peers: HashMap::new(),
        }
    }

    /// Whether `peer` may do this now.
    pub fn judge(&mut self, peer: PeerId, act: Act, now: Instant) -> Verdict {
        let state = self.state(peer, now);
        if let Some((offence, _)) = state.dropped {
            return Verdict::Drop(offence);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a message is far below 2^52 bytes, and so are its writes"
        )]
        let (bucket, amount, offence) = match act {
            Act::Question => (&mut state.questions, 1.0, Offence::QuestionFlood),
            Act::Bytes(bytes) => (&mut state.bytes, bytes as f64, Offence::ByteFlood),
            Act::Store => (&mut state.stores, 1.0, Offence::StoreFlood),
            Act::Invalidate(writes) => (
                &mut state.invalidations,
                writes as f64,
                Offence::InvalidationFlood,
            ),
            Act::Announce => (&mut state.announcements, 1.0, Offence::AnnouncementFlood),
        };
        if bucket.take(amount, now) {
            return Verdict::Allow;
        }
        match self.strike(peer, offence, now) {
            Verdict::Allow => Verdict::Busy,
            other => other,
        }
    }

    /// Notes an offence: [`Verdict::Allow`], or [`Verdict::Drop`] when it is enough.
    pub fn strike(&mut self, peer: PeerId, offence: Offence, now: Instant) -> Verdict {
        let until = now + self.limits.dropped;
        let state = self.state(peer, now);
        if let Some((offence, _)) = state.dropped {
            return Verdict::Drop(offence);
        }
        if !state.score.add(offence, now) {
            return Verdict::Allow;
        }
        state.dropped = Some((offence, until));
        Verdict::Drop(offence)
    }

    /// Notes what GitHub said of a candidate of `peer`. `age`: what the peer said, and the time since then. To
    /// be told of what is the same for every reader alone: another reader's body is no lie.
    pub fn judged(
        &mut self,
        peer: PeerId,
        age: Duration,
        confirmed: bool,
        now: Instant,
    ) -> Verdict {
        let state = self.state(peer, now);
        let count = if confirmed {
            &mut state.confirmed
        } else {
            &mut state.refuted
        };
        *count = count.saturating_add(1);
        if state.candidates.judged(age, confirmed) {
            return self.strike(peer, Offence::RefutedCandidates, now);
        }
        Verdict::Allow
    }

    /// Notes whether something came of waiting at `peer` for whoever asked GitHub. Whether the peer is suspect:
    /// twice in a row nothing came.
    pub fn waited(&mut self, peer: PeerId, came: bool, now: Instant) -> bool {
        self.state(peer, now).candidates.waited(came)
    }

    /// What `peer` is dropped for, while it is.
    pub fn dropped(&self, peer: &PeerId, now: Instant) -> Option<Offence> {
        let state = self.peers.get(peer)?;
        let (offence, _) = state.dropped.filter(|_| state.is_dropped(now))?;
        Some(offence)
    }

    /// How `peer` has behaved.
    pub fn record(&self, peer: &PeerId, now: Instant) -> Record {
        let dropped = self.dropped(peer, now);
        self.peers
            .get(peer)
            .map_or_else(Record::default, |state| Record {
                confirmed: state.confirmed,
                refuted: state.refuted,
                dropped,
            })
    }

    /// The state of `peer`; a fresh one if it has none, or has been dropped for long enough.
    fn state(&mut self, peer: PeerId, now: Instant) -> &mut State {
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&peer) {
            self.forget_one(now);
        }
        let limits = self.limits;
        let state = self
            .peers
            .entry(peer)
            .or_insert_with(|| State::new(&limits, now));
        if state.dropped.is_some() && !state.is_dropped(now) {
            let (confirmed, refuted) = (state.confirmed, state.refuted);
            *state = State::new(&limits, now);
            (state.confirmed, state.refuted) = (confirmed, refuted);
        }
        state.seen = state.seen.max(now);
        state
    }

    /// Forgets who was seen least lately; who is dropped last of all.
    fn forget_one(&mut self, now: Instant) {
        let oldest = self
            .peers
            .iter()
            .min_by_key(|(_, state)| (state.is_dropped(now), state.seen));
        if let Some(peer) = oldest.map(|(peer, _)| *peer) {
            self.peers.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests;
