//! Whose tickets we hold, and who is refused: bounded, since both grow by what others say and do.

use std::collections::{HashMap, HashSet, VecDeque};

use libp2p::PeerId;

use crate::swarm::Ticket;

/// Tickets of peers that we may dial. The one that runs out first makes room.
const TICKETS_MAX: usize = 1024;
/// Peers that are refused. The one that was refused first makes room.
const REFUSED_MAX: usize = 1024;

/// What lets us in, by peer.
#[derive(Debug, Default)]
pub(super) struct Tickets(HashMap<PeerId, Ticket>);

impl Tickets {
    pub(super) fn set(&mut self, peer: PeerId, ticket: Ticket) {
        if self.0.len() >= TICKETS_MAX && !self.0.contains_key(&peer) {
            let first = self.0.iter().min_by_key(|(_, ticket)| ticket.expires);
            if let Some(first) = first.map(|(peer, _)| *peer) {
                self.0.remove(&first);
            }
        }
        self.0.insert(peer, ticket);
    }

    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }

    pub(super) fn of(&self, peer: &PeerId) -> Option<Ticket> {
        self.0.get(peer).cloned()
    }
}

/// Peers that are not admitted whatever they could prove.
#[derive(Debug, Default)]
pub(super) struct Refused {
    peers: HashSet<PeerId>,
    first: VecDeque<PeerId>,
}

impl Refused {
    pub(super) fn add(&mut self, peer: PeerId) {
        if self.peers.insert(peer) {
            self.first.push_back(peer);
        }
        if self.peers.len() > REFUSED_MAX
            && let Some(first) = self.first.pop_front()
        {
            self.peers.remove(&first);
        }
    }

    pub(super) fn pardon(&mut self, peer: &PeerId) {
        if self.peers.remove(peer) {
            self.first.retain(|refused| refused != peer);
        }
    }

    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.peers.contains(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;
    use zeroize::Zeroizing;

    #[test]
    fn the_ticket_that_runs_out_first_makes_room() {
        let mut tickets = Tickets::default();
        let ticket = |secs| Ticket {
            expires: Timestamp::from_secs(secs),
            secret: Zeroizing::new([0; 32]),
        };
        let oldest = PeerId::random();
        tickets.set(oldest, ticket(1));
        for secs in 2..2000 {
            tickets.set(PeerId::random(), ticket(secs));
            assert!(tickets.0.len() <= TICKETS_MAX);
        }
        assert_eq!(tickets.of(&oldest), None);
    }

    #[test]
    fn who_was_refused_first_makes_room() {
        let mut refused = Refused::default();
        let peers: Vec<_> = (0..2000).map(|_| PeerId::random()).collect();
        for peer in &peers {
            refused.add(*peer);
            refused.add(*peer);
            assert!(refused.contains(peer) && refused.peers.len() <= REFUSED_MAX);
        }
        assert!(!refused.contains(&peers[0]));
        refused.pardon(&peers[1999]);
        assert!(!refused.contains(&peers[1999]));
        assert_eq!(refused.first.len(), refused.peers.len());
    }
}
