//! What is known of one peer, or of one address.

use libp2p::Multiaddr;
use tokio::time::Instant;

use super::dial::Attempts;
use crate::swarm::identity::Ticket;
use crate::swarm::roster::Standing;
use crate::time::Timestamp;

/// Addresses of a peer.
pub(super) const ADDRESSES_MAX: usize = 16;

/// What is known of a peer.
#[derive(Debug)]
pub(in crate::swarm) struct Entry {
    /// Newest last.
    pub(super) addresses: Vec<Multiaddr>,
    pub(super) ticket: Option<Ticket>,
    pub(super) attempts: Attempts,
    pub(super) connected: bool,
    pub(super) refused: Option<&'static str>,
    pub(super) dropped: Option<(Instant, &'static str)>,
    /// When it was last heard of.
    pub(super) heard: Instant,
}

/// What is known of an address whose owner is not.
#[derive(Debug)]
pub(super) struct Stranger {
    pub(super) attempts: Attempts,
    /// It is dialled again whenever we are alone; else only until it was reached once.
    pub(super) bootstrap: bool,
    pub(super) reached: bool,
}

impl Stranger {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            attempts: Attempts::from(now),
            bootstrap: false,
            reached: false,
        }
    }
}

impl Entry {
    pub(super) fn new(first: Instant) -> Self {
        Self {
            addresses: Vec::new(),
            ticket: None,
            attempts: Attempts::from(first),
            connected: false,
            refused: None,
            dropped: None,
            heard: first,
        }
    }

    /// Whether it is to be dialled: it would let us in, and nothing speaks against it.
    pub(super) fn is_wanted(&self, secret: bool, date: Timestamp) -> bool {
        let admits = secret || self.ticket.as_ref().is_some_and(|it| it.expires > date);
        let free = !self.connected && self.dropped.is_none();
        admits && free && !self.addresses.is_empty()
    }

    /// It is at `address`; whether that is news.
    pub(super) fn at(&mut self, address: Multiaddr) -> bool {
        let known = self.addresses.iter().position(|it| *it == address);
        if let Some(known) = known {
            self.addresses.remove(known);
        } else if self.addresses.len() >= ADDRESSES_MAX {
            self.addresses.remove(0);
        }
        self.addresses.push(address);
        known.is_none()
    }

    pub(super) fn forgive(&mut self, now: Instant) -> bool {
        let over = self.dropped.is_some_and(|(until, _)| now >= until);
        if over {
            self.dropped = None;
        }
        over
    }

    pub(in crate::swarm) fn standing(&self) -> Standing {
        if self.dropped.is_some() {
            Standing::Dropped
        } else if self.connected {
            Standing::Connected
        } else if self.refused.is_some() {
            Standing::Refused
        } else {
            Standing::Known
        }
    }

    /// Why it was dropped or refused.
    pub(in crate::swarm) fn reason(&self) -> Option<&'static str> {
        self.dropped.map(|(_, reason)| reason).or(self.refused)
    }

    pub(in crate::swarm) fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }
}
