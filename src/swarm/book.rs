//! Whom we know, and whom to dial when. Pure: `now` is an argument.

mod dial;
mod entry;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::client::Acquaintance;
use super::identity::Ticket;
use crate::time::Timestamp;
use dial::Attempts;
use entry::{Entry, Stranger};

/// Peers that are remembered.
const PEERS_MAX: usize = 1_000;
/// Addresses of which nothing else is known.
const STRANGERS_MAX: usize = 64;
/// The peer with the smaller name dials at once, the other one a little later, if it still has to: of two
/// connections one would be for nothing.
const GIVE_WAY: Duration = Duration::from_secs(2);

/// Everybody we know.
#[derive(Debug)]
pub(super) struct Book {
    me: PeerId,
    /// Whether a secret opens every door.
    secret: bool,
    peers: HashMap<PeerId, Entry>,
    strangers: BTreeMap<Multiaddr, Stranger>,
}

/// What came of being told of a peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is known now, or known better.
    Learned(PeerId),
    /// So is an address.
    Address,
    /// It is us.
    Ourselves,
    /// There are too many.
    Full,
}

/// Somebody to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A peer, wherever it is.
    Peer(PeerId, Vec<Multiaddr>),
    /// Whoever is there.
    Address(Multiaddr),
}

impl Book {
    pub(super) fn new(me: PeerId, secret: bool) -> Self {
        Self {
            me,
            secret,
            peers: HashMap::new(),
            strangers: BTreeMap::new(),
        }
    }

    /// An address to dial at the start and whenever we are alone.
    pub(super) fn bootstrap(&mut self, address: Multiaddr, now: Instant) {
        let new = Stranger::new(now);
        let stranger = self.strangers.entry(address).or_insert(new);
        stranger.bootstrap = true;
    }

    /// We were told of a peer. A new ticket is a reason to try again at once.
    pub(super) fn know(&mut self, told: Acquaintance, now: Instant) -> Known {
        let me = self.me;
        let Some(peer) = told.peer.or_else(|| told.addresses.iter().find_map(named)) else {
            return self.know_addresses(told.addresses, now);
        };
        if peer == me {
            return Known::Ourselves;
        }
        if !self.peers.contains_key(&peer) && !self.make_room() {
            return Known::Full;
        }
        let entry = self.peers.entry(peer).or_insert_with(|| {
            let wait = if me < peer { Duration::ZERO } else { GIVE_WAY };
            Entry::new(now + wait)
        });
        entry.heard = now;
        let mut elsewhere = false;
        for address in told.addresses {
            elsewhere |= entry.at(without_name(address));
        }
        if told.ticket.is_some() && told.ticket != entry.ticket {
            entry.ticket = told.ticket;
            entry.refused = None;
            // A dial that is under way goes to where it was before, and can take long to find nobody there.
            if !entry.attempts.under_way || elsewhere {
                let wait = if me < peer { Duration::ZERO } else { GIVE_WAY };
                entry.attempts = Attempts::from(now + wait);
            }
        }
        Known::Learned(peer)
    }

    fn know_addresses(&mut self, addresses: Vec<Multiaddr>, now: Instant) -> Known {
        let known = addresses
            .into_iter()
            .map(|address| self.stranger(address, now));
        known.last().unwrap_or(Known::Address)
    }

    /// An address to dial until somebody was reached there. One who lets us in is known by name from then on.
    pub(super) fn stranger(&mut self, address: Multiaddr, now: Instant) -> Known {
        if !self.strangers.contains_key(&address) && self.strangers.len() >= STRANGERS_MAX {
            return Known::Full;
        }
        let new = Stranger::new(now);
        let stranger = self.strangers.entry(address).or_insert(new);
        // Whoever says it again wants it again.
        if stranger.reached && !stranger.bootstrap {
            *stranger = Stranger::new(now);
        }
        Known::Address
    }

    /// A peer that multicast or the table of the others found: worth knowing only if it would let us in.
    pub(super) fn found(&mut self, peer: PeerId, address: Multiaddr, now: Instant) {
        if self.secret || self.peers.contains_key(&peer) {
            let told = Acquaintance {
                peer: Some(peer),
                addresses: vec![address],
                ticket: None,
            };
            self.know(told, now);
        }
    }

    /// Whom to dial now, at most `limit`, and those first with whom it failed least: many a record is of a runner
    /// that is no more. Each counts as under way until it is told what became of it.
    pub(super) fn due(&mut self, now: Instant, date: Timestamp, limit: usize) -> Vec<Target> {
        let alone = self.peers.values().all(|entry| !entry.connected);
        let secret = self.secret;
        let strangers = self.strangers.iter_mut().filter_map(|(address, stranger)| {
            let wanted = !stranger.reached || (stranger.bootstrap && alone);
            let target = || Target::Address(address.clone());
            wanted.then(|| (&mut stranger.attempts, target()))
        });
        let peers = self.peers.iter_mut().filter_map(|(peer, entry)| {
            let target = || Target::Peer(*peer, entry.addresses.clone());
            let wanted = entry.is_wanted(secret, date);
            wanted.then(target).map(|it| (&mut entry.attempts, it))
        });
        let all = strangers.chain(peers);
        let mut due: Vec<_> = all.filter(|(attempts, _)| attempts.are_due(now)).collect();
        due.sort_by_key(|(attempts, _)| attempts.failed);
        due.truncate(limit);
        let begun = due.into_iter().map(|(attempts, target)| {
            attempts.begin();
            target
        });
        begun.collect()
    }

    /// A dial came to nothing.
    pub(super) fn failed(&mut self, target: &Target, now: Instant) {
        match target {
            Target::Peer(peer, _) => {
                let seed = [self.me.to_bytes(), peer.to_bytes()].concat();
                if let Some(entry) = self.peers.get_mut(peer) {
                    entry.attempts.failed(now, &seed);
                }
            }
            Target::Address(address) => {
                let seed = [self.me.to_bytes(), address.to_vec()].concat();
                if let Some(stranger) = self.strangers.get_mut(address) {
                    stranger.attempts.failed(now, &seed);
                }
            }
        }
    }

    /// A dial reached somebody who has yet to let us in. An address alone has done its part: from here on
    /// its owner is known by name.
    pub(super) fn reached(&mut self, target: &Target, now: Instant) {
        self.failed(target, now);
        if let Target::Address(address) = target
            && let Some(stranger) = self.strangers.get_mut(address)
        {
            stranger.reached = true;
        }
    }

    /// An address is our own: the peer that had it before us is elsewhere.
    pub(super) fn ourselves(&mut self, target: &Target, address: &Multiaddr, now: Instant) {
        self.failed(target, now);
        match target {
            Target::Address(address) => {
                self.strangers.remove(address);
            }
            Target::Peer(peer, _) => self.not_there(peer, &without_name(address.clone())),
        }
    }

    /// A peer is not where it was said to be.
    pub(super) fn not_there(&mut self, peer: &PeerId, address: &Multiaddr) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.addresses.retain(|it| it != address);
        }
    }

    /// A peer let us in, and we it. `address` is where we dialled it.
    pub(super) fn admitted(&mut self, peer: PeerId, address: Option<Multiaddr>, now: Instant) {
        if !self.peers.contains_key(&peer) && !self.make_room() {
            return;
        }
        let entry = self.peers.entry(peer).or_insert_with(|| Entry::new(now));
        entry.connected = true;
        entry.refused = None;
        entry.attempts = Attempts::from(now);
        entry.heard = now;
        if let Some(address) = address {
            entry.at(without_name(address));
        }
    }

    /// The last connection to a peer ended. It is tried again soon, by one of the two first.
    pub(super) fn gone(&mut self, peer: &PeerId, now: Instant) {
        let seed = [self.me.to_bytes(), peer.to_bytes()].concat();
        let gives_way = self.me > *peer;
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.connected = false;
            entry.heard = now;
            entry.attempts = Attempts::from(now);
            entry.attempts.failed(now, &seed);
            if gives_way {
                entry.attempts.failed(now, &seed);
            }
        }
        for stranger in self.strangers.values_mut() {
            if stranger.bootstrap && !stranger.attempts.under_way {
                stranger.attempts = Attempts::from(now);
                stranger.attempts.failed(now, &seed);
            }
        }
    }

    /// One side did not let the other in. If that is `lasting`, it is tried again much later.
    pub(super) fn refused(
        &mut self,
        peer: PeerId,
        reason: &'static str,
        lasting: bool,
        now: Instant,
    ) {
        if !self.peers.contains_key(&peer) && !self.make_room() {
            return;
        }
        let seed = [self.me.to_bytes(), peer.to_bytes()].concat();
        let entry = self.peers.entry(peer).or_insert_with(|| Entry::new(now));
        entry.refused = Some(reason);
        entry.heard = now;
        if lasting {
            entry.attempts.refused(now, &seed);
        } else {
            entry.attempts.failed(now, &seed);
        }
    }

    /// A peer is not spoken with until then.
    pub(super) fn dropped(&mut self, peer: PeerId, until: Instant, reason: &'static str) {
        if self.peers.contains_key(&peer) || self.make_room() {
            let entry = self.peers.entry(peer).or_insert_with(|| Entry::new(until));
            entry.dropped = Some((until, reason));
        }
    }

    pub(super) fn is_dropped(&self, peer: &PeerId) -> bool {
        let entry = self.peers.get(peer);
        entry.is_some_and(|entry| entry.dropped.is_some())
    }

    /// Peers whose time out is over since the last call: they may be spoken with again.
    pub(super) fn forgiven(&mut self, now: Instant) -> Vec<PeerId> {
        let peers = self.peers.iter_mut();
        let forgiven = peers.filter_map(|(peer, entry)| entry.forgive(now).then_some(*peer));
        forgiven.collect()
    }

    /// The ticket for a peer, if there is one.
    pub(super) fn ticket(&self, peer: &PeerId) -> Option<&Ticket> {
        self.peers.get(peer)?.ticket.as_ref()
    }

    /// Where a peer is.
    pub(super) fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.peers.get(peer).map_or(&[], |entry| &entry.addresses)
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Everybody, by name.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&PeerId, &Entry)> {
        self.peers.iter()
    }

    /// Makes sure that one more can be remembered: the one unheard of for longest goes, unless it is connected or dropped.
    fn make_room(&mut self) -> bool {
        if self.peers.len() < PEERS_MAX {
            return true;
        }
        let free = self.peers.iter();
        let free = free.filter(|(_, entry)| !entry.connected && entry.dropped.is_none());
        // Strangers that knocked in vain go before anybody whose place is known.
        let oldest = free.min_by_key(|(_, entry)| (!entry.addresses.is_empty(), entry.heard));
        let oldest = oldest.map(|(peer, _)| *peer);
        oldest.is_some_and(|peer| self.peers.remove(&peer).is_some())
    }
}

/// The peer that an address names at its end.
fn named(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last()? {
        Protocol::P2p(peer) => Some(peer),
        _ => None,
    }
}

/// The address without the peer at its end.
fn without_name(mut address: Multiaddr) -> Multiaddr {
    if named(&address).is_some() {
        address.pop();
    }
    address
}

#[cfg(test)]
mod tests;
