//! What the contact book knows of one peer.

use std::collections::VecDeque;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::{Due, Pulsed};
use crate::swarm::wire::message::Position;

/// Pulses that may be unanswered at once. More than one, so that a slow answer does not cost the lease.
const UNANSWERED_MAX: u8 = 3;
/// After so many that came to nothing in a row the connection is worth nothing.
const FAILED_MAX: u8 = 3;
/// Writes whose deadlines are kept apart. Later ones are told under the last deadline.
const DEADLINES_MAX: usize = 256;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Link {
    /// There is none.
    #[default]
    Down,
    /// There is one.
    Up,
    /// The peer does not answer, and gets no lease any more. The connection ends when the one that it may have is over: so whoever
    /// is hung up on while in contact knows that the other is gone, and writes nothing more.
    Closing,
}

/// How far greeting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Greeting {
    /// Nothing to do.
    #[default]
    Done,
    /// It has to be greeted (again).
    Due,
    /// It was, and has not answered yet.
    UnderWay,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The number of the latest connection.
    pub(super) connection: u64,
    link: Link,

    /// When we last said something that it may count on; `None` if it has to greet before it may.
    pub(super) granted: Option<Instant>,
    /// Our writes up to this one have taken effect there, or took place before it greeted.
    pub(super) acknowledged: u64,
    /// Somebody is sending it messages.
    pub(super) being_told: bool,
    /// Writes that it did not acknowledge, and when its lease of then is over.
    unacknowledged: VecDeque<(u64, Instant)>,

    /// Its writes up to this one have taken effect here.
    pub(super) heard: Option<Position>,
    /// When what it last said can no longer be counted on.
    pub(super) lease: Option<Instant>,
    /// An answer that counts when everything up to its position has been heard: when it was asked for.
    offered: Option<(Position, Instant)>,
    /// It fell silent: until when this makes everything stale.
    pub(super) silent_until: Option<Instant>,

    greeting: Greeting,
    pulses: u8,
    failed: u8,
}

impl Entry {
    pub(super) const fn is_connected(&self) -> bool {
        !matches!(self.link, Link::Down)
    }

    pub(super) fn connect(&mut self, connection: u64, now: Instant) {
        if self.is_connected() {
            // Its end was not seen. Nothing is lost by that: the greeting brings what was missed.
            self.disconnect(now);
        }
        self.connection = connection;
        self.link = Link::Up;
        self.greeting = Greeting::Due;
        self.pulses = 0;
        self.failed = 0;
    }

    /// The connection ended. Says why everything has to be asked again, if so.
    pub(super) fn disconnect(&mut self, now: Instant) -> Option<&'static str> {
        if !self.is_connected() {
            return None;
        }
        self.link = Link::Down;
        self.stop_telling();
        let lease = self.lease.take();
        let offered = self.offered.take();
        // We were in contact, but know of writes that never came.
        let missing = offered.is_some_and(|(position, _)| !self.has_heard(position));
        (missing && lease.is_some_and(|until| now < until)).then_some("hung-up")
    }

    /// A lease that is over makes the peer a silent one.
    pub(super) fn expire(&mut self, now: Instant, silence: Duration) {
        if let Some(until) = self.lease.take_if(|until| *until <= now) {
            debug_assert!(until <= now);
            // From now on, not from its end: what was stopped meanwhile heard nothing since.
            self.silent_until = self.silent_until.max(Some(now + silence));
        }
    }

    /// It may count on us from `now` on, or hears that it may not.
    pub(super) fn grant(&mut self, now: Instant) -> Option<()> {
        if self.link != Link::Up {
            return None;
        }
        self.granted = self.granted.max(Some(now));
        Some(())
    }

    /// When the lease that it may have is over; `None` if it has none, so that it has to greet before it has one again.
    pub(super) fn lease_there(&mut self, now: Instant, contact: Duration) -> Option<Instant> {
        if !self.is_connected() {
            return None;
        }
        // A little more, since the counters of two machines do not run equally fast.
        let until = self.granted? + contact + contact / 64;
        if until <= now {
            // It will be told when it greets. Its lease could not be renewed without.
            self.stop_telling();
            return None;
        }
        Some(until)
    }

    /// There is something to tell. `true` if nobody is telling it anything yet.
    pub(super) fn tell(&mut self, sequence: u64, deadline: Instant) -> bool {
        if self.unacknowledged.len() < DEADLINES_MAX {
            self.unacknowledged.push_back((sequence, deadline));
        } else if let Some(last) = self.unacknowledged.back_mut() {
            last.0 = sequence;
        }
        !std::mem::replace(&mut self.being_told, true)
    }

    /// When the first of what is to be told is overdue; `None` if there is nothing, or nobody to tell it.
    pub(super) fn told_until(&self) -> Option<Instant> {
        self.granted?;
        self.unacknowledged.front().map(|&(_, deadline)| deadline)
    }

    /// Whether every write has been acknowledged, or told in answer to a greeting.
    pub(super) fn knows_all(&self) -> bool {
        self.granted.is_some() && self.link == Link::Up && self.unacknowledged.is_empty()
    }

    pub(super) fn acknowledge(&mut self, sequence: u64) {
        self.acknowledged = self.acknowledged.max(sequence);
        while self
            .unacknowledged
            .front()
            .is_some_and(|&(number, _)| number <= self.acknowledged)
        {
            self.unacknowledged.pop_front();
        }
    }

    /// It is out of contact, and we are with it: whoever does not acknowledge may not tell us either.
    pub(super) fn give_up(&mut self, now: Instant, silence: Duration) {
        self.link = Link::Closing;
        self.unacknowledged.clear();
        if self.lease.take().is_some() {
            self.silent_until = self.silent_until.max(Some(now + silence));
        }
        self.offered = None;
    }

    /// Whether it is time to end a connection that is given up.
    pub(super) fn is_over(&mut self, now: Instant, contact: Duration) -> bool {
        self.link == Link::Closing && self.lease_there(now, contact).is_none()
    }

    fn stop_telling(&mut self) {
        self.granted = None;
        self.unacknowledged.clear();
    }

    /// A greeting has been answered, and what it brought has taken effect.
    pub(super) fn caught_up(&mut self, position: Position, asked: Instant, contact: Duration) {
        self.greeting = Greeting::Done;
        self.failed = 0;
        self.heard = Some(position);
        self.offered = None;
        if self.link == Link::Up {
            self.in_contact(asked, contact);
        }
    }

    pub(super) fn pulsed(
        &mut self,
        position: Position,
        asked: Instant,
        contact: Duration,
    ) -> Pulsed {
        self.pulses = self.pulses.saturating_sub(1);
        self.failed = 0;
        if self.greeting != Greeting::Done || self.link != Link::Up {
            // It will be greeted anyway; until then its answers mean nothing.
            return Pulsed::Behind;
        }
        if self.has_heard(position) {
            self.in_contact(asked, contact);
            return Pulsed::InContact;
        }
        // On its way, if not by the second pulse: then it was lost with an earlier connection.
        if let Some((offered, _)) = self.offered
            && !self.has_heard(offered)
        {
            self.greeting = Greeting::Due;
        } else {
            self.offered = Some((position, asked));
        }
        Pulsed::Behind
    }

    pub(super) fn unanswered(&mut self, refused: bool) {
        self.pulses = self.pulses.saturating_sub(1);
        if refused || self.greeting == Greeting::UnderWay {
            self.greeting = Greeting::Due;
        }
        if !refused {
            self.failed = self.failed.saturating_add(1);
        }
    }

    /// Everything up to `position` has taken effect here.
    pub(super) fn applied(&mut self, position: Position, contact: Duration) {
        if self.has_heard(position) {
            return;
        }
        self.heard = Some(position);
        if let Some((offered, asked)) = self.offered
            && self.has_heard(offered)
        {
            self.offered = None;
            if self.link == Link::Up && self.greeting == Greeting::Done {
                self.in_contact(asked, contact);
            }
        }
    }

    /// Nothing comes back from it.
    pub(super) const fn has_failed(&self) -> bool {
        self.is_connected() && self.failed >= FAILED_MAX
    }

    /// Whether it has to be greeted now. Whoever asks does it.
    pub(super) fn greet(&mut self) -> bool {
        let due = self.link == Link::Up && self.greeting == Greeting::Due;
        if due {
            self.greeting = Greeting::UnderWay;
        }
        due
    }

    /// What it has to be asked now.
    pub(super) fn ask(&mut self, peer: PeerId, position: Position) -> Option<Due> {
        if self.greet() {
            return Some(Due::Greet(peer));
        }
        let silent = self.link != Link::Up || self.greeting != Greeting::Done;
        if silent || self.pulses >= UNANSWERED_MAX {
            return None;
        }
        self.pulses += 1;
        Some(Due::Pulse(peer, self.connection, position))
    }

    fn has_heard(&self, position: Position) -> bool {
        self.heard.is_some_and(|heard| {
            heard.epoch == position.epoch && heard.sequence >= position.sequence
        })
    }

    fn in_contact(&mut self, asked: Instant, contact: Duration) {
        self.lease = self.lease.max(Some(asked + contact));
        self.silent_until = None;
    }
}
