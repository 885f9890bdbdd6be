//! The contact book: for each peer, what it counts on us for and what we count on it for. Pure: `now` is an argument.

mod entry;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use libp2p::PeerId;
use tokio::time::Instant;

use super::Standing;
use crate::swarm::config::Times;
use crate::swarm::sequence::{Arrival, CaughtUp, Log, Missed, arrival, caught_up};
use crate::swarm::wire::message::{Position, Stale};

use entry::Entry;

/// Peers that are remembered. Who is forgotten and comes back is told everything anew.
const PEERS_MAX: usize = 1_000;

/// What is known of all peers.
#[derive(Debug)]
pub(in crate::swarm) struct Book {
    times: Times,
    log: Log,
    peers: HashMap<PeerId, Entry>,
    /// Numbers connections, so that what was asked over an earlier one is not taken for this one's.
    connections: u64,
}

/// What has to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::swarm) enum Due {
    /// Greet it.
    Greet(PeerId),
    /// Ask for its pulse, over the connection with this number, and say where we stand.
    Pulse(PeerId, u64, Position),
    /// It does not answer: end the connection.
    HangUp(PeerId),
    /// We may have missed something: everything is asked again, for this reason.
    EverythingStale(&'static str),
}

/// What an answered pulse came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::swarm) enum Pulsed {
    /// We are in contact.
    InContact,
    /// There are writes that we have not heard of yet; if they are not on their way, the next greeting brings them.
    Behind,
}

/// A write as it has to be told.
#[derive(Debug)]
pub(in crate::swarm) struct Written {
    /// Its number.
    pub(in crate::swarm) position: Position,
    /// What may have changed, as it is told.
    pub(in crate::swarm) stale: Vec<Stale>,
    /// Who has to know before it counts as done.
    pub(in crate::swarm) targets: Vec<Target>,
    /// Those to whom nobody is talking yet: from now on the caller is, until [`Book::message`] has nothing left.
    pub(in crate::swarm) start: Vec<PeerId>,
}

/// One who has to know of a write.
#[derive(Debug, Clone, Copy)]
pub(in crate::swarm) struct Target {
    /// Who.
    pub(in crate::swarm) peer: PeerId,
    connection: u64,
    sequence: u64,
    /// When its lease is over.
    pub(in crate::swarm) deadline: Instant,
}

/// How far telling one peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::swarm) enum Wait {
    /// It knows.
    Acknowledged,
    /// It does not, and is out of contact.
    Lost,
    /// Not yet.
    NotYet,
}

/// The next message to a peer.
#[derive(Debug, PartialEq)]
pub(in crate::swarm) struct Message {
    /// The number of the connection.
    pub(in crate::swarm) connection: u64,
    /// Where the message leads to.
    pub(in crate::swarm) position: Position,
    /// What may have changed, in clear.
    pub(in crate::swarm) stale: Vec<Stale>,
    /// When there is no point in waiting for the acknowledgement any more.
    pub(in crate::swarm) deadline: Instant,
}

impl Book {
    /// Nobody is known. `epoch`: a random number of this start.
    pub(in crate::swarm) fn new(times: Times, epoch: u64) -> Self {
        Self {
            times,
            log: Log::new(epoch),
            peers: HashMap::new(),
            connections: 0,
        }
    }

    /// Where we stand.
    pub(in crate::swarm) const fn position(&self) -> Position {
        self.log.position()
    }

    /// What [`Contact`](super::Contact) has to know.
    pub(in crate::swarm) fn standing(&self) -> Standing {
        let all = || self.peers.values();
        Standing {
            lease_until: all().filter_map(|entry| entry.lease).min(),
            deaf_until: all().filter_map(|entry| entry.silent_until).max(),
        }
    }

    /// `peer` was admitted: it is greeted next.
    pub(in crate::swarm) fn connected(&mut self, peer: PeerId, now: Instant) {
        if !self.peers.contains_key(&peer) {
            self.make_room();
        }
        self.connections += 1;
        let entry = self.peers.entry(peer).or_default();
        entry.connect(self.connections, now);
    }

    /// The last connection to `peer` ended. In contact until now, it is taken to be gone; otherwise it fell silent.
    /// Returns why everything has to be asked again, if so.
    pub(in crate::swarm) fn gone(&mut self, peer: PeerId, now: Instant) -> Option<&'static str> {
        let times = self.times;
        let entry = self.peers.get_mut(&peer)?;
        entry.expire(now, times.silence);
        entry.disconnect(now)
    }

    /// What we greet `peer` with: where we stand, and what we heard of it.
    pub(in crate::swarm) fn greeting(&mut self, peer: PeerId) -> Option<(u64, Option<Position>)> {
        let entry = self.peers.get(&peer).filter(|entry| entry.is_connected())?;
        Some((entry.connection, entry.heard))
    }

    /// `peer` greets, and heard of us up to `heard`: what it missed. From now on it counts on us.
    pub(in crate::swarm) fn greeted_by(
        &mut self,
        peer: PeerId,
        heard: Option<Position>,
        now: Instant,
    ) -> Option<(Position, Missed)> {
        let position = self.log.position();
        let missed = self.log.missed(heard);
        let entry = self.peers.get_mut(&peer)?;
        entry.grant(now)?;
        // What is being told goes on being told: only its acknowledgement ends the wait for it.
        if !entry.being_told {
            entry.acknowledged = position.sequence;
        }
        Some((position, missed))
    }

    /// `peer` asks for our pulse. `None` if it has to greet first, because we no longer take it for somebody who knows everything.
    pub(in crate::swarm) fn pulsed_by(&mut self, peer: PeerId, now: Instant) -> Option<Position> {
        let entry = self.peers.get_mut(&peer)?;
        entry.granted?;
        entry.grant(now)?;
        Some(self.log.position())
    }

    /// Judges what `peer` said it missed to tell us.
    pub(in crate::swarm) fn caught_up(
        &self,
        peer: PeerId,
        position: Position,
        missed: Option<Vec<Stale>>,
    ) -> CaughtUp {
        caught_up(self.heard(peer), position, missed)
    }

    /// The greeting that was sent at `asked` over `connection` has been answered and everything in it has taken effect.
    pub(in crate::swarm) fn greeted(
        &mut self,
        peer: PeerId,
        connection: u64,
        asked: Instant,
        position: Position,
    ) {
        let contact = self.times.contact;
        if let Some(entry) = self.on(peer, connection) {
            entry.caught_up(position, asked, contact);
        }
    }

    /// The pulse that was asked for at `asked` over `connection` was answered.
    pub(in crate::swarm) fn pulsed(
        &mut self,
        peer: PeerId,
        connection: u64,
        asked: Instant,
        position: Position,
    ) -> Pulsed {
        let contact = self.times.contact;
        self.on(peer, connection).map_or(Pulsed::Behind, |entry| {
            entry.pulsed(position, asked, contact)
        })
    }

    /// A greeting or pulse over `connection` was not answered in time, or (`refused`) the peer wants to be greeted.
    pub(in crate::swarm) fn unanswered(&mut self, peer: PeerId, connection: u64, refused: bool) {
        if let Some(entry) = self.on(peer, connection) {
            entry.unanswered(refused);
        }
    }

    /// Judges writes that `peer` tells of, directly or through others.
    pub(in crate::swarm) fn arrival(&self, peer: PeerId, told: Position, count: usize) -> Arrival {
        arrival(self.heard(peer), told, count)
    }

    /// Everything that `peer` wrote up to `position` has taken effect here.
    pub(in crate::swarm) fn applied(&mut self, peer: PeerId, position: Position) {
        let contact = self.times.contact;
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.applied(position, contact);
        }
    }

    /// A write of ours.
    pub(in crate::swarm) fn write(&mut self, stale: Vec<Stale>, now: Instant) -> Written {
        let before = self.log.position();
        let position = self.log.write(stale);
        let (mut targets, mut start) = (Vec::new(), Vec::new());
        let Some((_, stale)) = self.log.next(before.sequence) else {
            return Written {
                position,
                stale: Vec::new(),
                targets,
                start,
            };
        };
        for (&peer, entry) in &mut self.peers {
            let Some(deadline) = entry.lease_there(now, self.times.contact) else {
                continue;
            };
            targets.push(Target {
                peer,
                connection: entry.connection,
                sequence: position.sequence,
                deadline,
            });
            if entry.tell(position.sequence, deadline) {
                start.push(peer);
            }
        }
        Written {
            position,
            stale,
            targets,
            start,
        }
    }

    /// The next message to `peer`. With `None`, whoever asked stops talking to it.
    pub(in crate::swarm) fn message(&mut self, peer: PeerId) -> Option<Message> {
        let entry = self.peers.get_mut(&peer)?;
        let next = entry.told_until().and_then(|deadline| {
            let (position, stale) = self.log.next(entry.acknowledged)?;
            Some(Message {
                connection: entry.connection,
                position,
                stale,
                deadline,
            })
        });
        entry.being_told = next.is_some();
        if next.is_none() && entry.knows_all() {
            entry.acknowledged = self.log.position().sequence;
        }
        next
    }

    /// `peer` acknowledged a message that led to `sequence`.
    pub(in crate::swarm) fn acknowledged(&mut self, peer: PeerId, connection: u64, sequence: u64) {
        if let Some(entry) = self.on(peer, connection) {
            entry.acknowledge(sequence);
        }
    }

    /// `peer` did not acknowledge in time. It is out of contact, and so are we with it. Whether the connection has to end
    /// at once; otherwise [`Book::tick`] says when.
    pub(in crate::swarm) fn gave_up(
        &mut self,
        peer: PeerId,
        connection: u64,
        now: Instant,
    ) -> bool {
        let times = self.times;
        self.on(peer, connection).is_some_and(|entry| {
            entry.give_up(now, times.silence);
            entry.is_over(now, times.contact)
        })
    }

    /// How far telling `target` is.
    pub(in crate::swarm) fn wait(&self, target: &Target, now: Instant) -> Wait {
        let Some(entry) = self.peers.get(&target.peer) else {
            return Wait::Lost;
        };
        if entry.connection != target.connection {
            Wait::Lost
        } else if entry.acknowledged >= target.sequence {
            Wait::Acknowledged
        } else if !entry.is_connected() || entry.granted.is_none() || now >= target.deadline {
            Wait::Lost
        } else {
            Wait::NotYet
        }
    }

    /// Who has to be greeted now. Part of [`Book::tick`], for those who should not wait for it.
    pub(in crate::swarm) fn greetings(&mut self) -> Vec<PeerId> {
        self.peers
            .iter_mut()
            .filter_map(|(&peer, entry)| entry.greet().then_some(peer))
            .collect()
    }

    /// Everything that is due. Called once per [`Times::pulse`].
    pub(in crate::swarm) fn tick(&mut self, now: Instant) -> Vec<Due> {
        let times = self.times;
        let position = self.log.position();
        let mut due = Vec::new();
        for (&peer, entry) in &mut self.peers {
            entry.expire(now, times.silence);
            if entry.silent_until.is_some_and(|until| until <= now) {
                entry.silent_until = None;
                // Deafness ends, but what was asked meanwhile may have been changed meanwhile.
                due.push(Due::EverythingStale("silent"));
            }
            if entry.has_failed() {
                entry.give_up(now, times.silence);
            }
            if entry.is_over(now, times.contact) {
                due.push(Due::HangUp(peer));
            }
            due.extend(entry.ask(peer, position));
        }
        due
    }

    fn heard(&self, peer: PeerId) -> Option<Position> {
        self.peers.get(&peer).and_then(|entry| entry.heard)
    }

    fn on(&mut self, peer: PeerId, connection: u64) -> Option<&mut Entry> {
        self.peers
            .get_mut(&peer)
            .filter(|entry| entry.is_connected() && entry.connection == connection)
    }

    /// Forgets whoever is gone for the longest time, unless its silence still matters.
    fn make_room(&mut self) {
        if self.peers.len() < PEERS_MAX {
            return;
        }
        let idle = self
            .peers
            .iter()
            .filter(|(_, entry)| !entry.is_connected() && entry.silent_until.is_none())
            .min_by_key(|(_, entry)| entry.connection)
            .map(|(&peer, _)| peer);
        if let Some(peer) = idle {
            self.peers.remove(&peer);
        }
    }
}
