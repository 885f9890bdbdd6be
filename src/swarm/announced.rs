//! Who announced to hold what: a further place to ask for members that came late. Pure.
//!
//! A hint and nothing else: whoever is asked because of it may have nothing.

use std::collections::{HashMap, VecDeque};

use libp2p::PeerId;
use tokio::time::{Duration, Instant};

use super::pool::WireKey;
use crate::digest::Digest;

/// Announcements that are kept.
const ALL_MAX: usize = 8_192;
/// The same of one peer: nobody can make us forget what others said by saying much.
const PEER_MAX: usize = 1_024;
/// Peers that are kept for one key, the latest first.
const KEY_MAX: usize = 4;
/// An entry that was held so long ago is hardly held any more.
const KEPT: Duration = Duration::from_hours(1);

/// What was announced.
#[derive(Debug, Default)]
pub(super) struct Announced {
    keys: HashMap<WireKey, Vec<Announcement>>,
    /// What each peer announced, the oldest first.
    peers: HashMap<PeerId, VecDeque<WireKey>>,
    all: usize,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announcement {
    /// Who has it.
    pub(super) peer: PeerId,
    /// What: the digest of the body.
    pub(super) digest: Digest,
    at: Instant,
}

impl Announced {
    /// `peer` says that it holds this.
    pub(super) fn announce(&mut self, peer: PeerId, key: WireKey, digest: Digest, now: Instant) {
        let announcement = Announcement {
            peer,
            digest,
            at: now,
        };
        let holders = self.keys.entry(key).or_default();
        if let Some(known) = holders.iter_mut().find(|known| known.peer == peer) {
            *known = announcement;
            return;
        }
        holders.insert(0, announcement);
        let surplus = (holders.len() > KEY_MAX).then(|| holders.pop()).flatten();
        self.peers.entry(peer).or_default().push_back(key);
        self.all += 1;
        if let Some(surplus) = surplus {
            self.unlist(surplus.peer, &key);
        }
        if self.peers[&peer].len() > PEER_MAX {
            self.drop_oldest(peer);
        }
        if self.all > ALL_MAX {
            // Of whoever said most.
            let most = self.peers.iter().max_by_key(|(_, keys)| keys.len());
            if let Some((&peer, _)) = most {
                self.drop_oldest(peer);
            }
        }
    }

    /// Who said to hold this within the last hour, the latest first.
    pub(super) fn holders(&self, key: &WireKey, now: Instant) -> Vec<Announcement> {
        let holders = self.keys.get(key).map_or(&[][..], Vec::as_slice);
        let recent = |held: &&Announcement| now.saturating_duration_since(held.at) < KEPT;
        holders.iter().filter(recent).copied().collect()
    }

    /// `peer` is gone, with all that it held.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        let Some(keys) = self.peers.remove(peer) else {
            return;
        };
        self.all -= keys.len();
        for key in keys {
            self.withdraw(peer, &key);
        }
    }

    fn drop_oldest(&mut self, peer: PeerId) {
        let oldest = self.peers.get_mut(&peer).and_then(VecDeque::pop_front);
        if let Some(key) = oldest {
            self.all -= 1;
            self.withdraw(&peer, &key);
        }
    }

    fn withdraw(&mut self, peer: &PeerId, key: &WireKey) {
        if let Some(holders) = self.keys.get_mut(key) {
            holders.retain(|held| held.peer != *peer);
            if holders.is_empty() {
                self.keys.remove(key);
            }
        }
    }

    fn unlist(&mut self, peer: PeerId, key: &WireKey) {
        if let Some(keys) = self.peers.get_mut(&peer)
            && let Some(at) = keys.iter().position(|listed| listed == key)
        {
            keys.remove(at);
            self.all -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> WireKey {
        WireKey(*Digest::of([&number.to_be_bytes()[..]]).as_bytes())
    }

    fn digest() -> Digest {
        Digest::of([b"body" as &[u8]])
    }

    fn holders(announced: &Announced, number: usize, now: Instant) -> Vec<PeerId> {
        let all = announced.holders(&key(number), now);
        all.iter().map(|held| held.peer).collect()
    }

    #[test]
    fn the_latest_holders_come_first_and_the_gone_not_at_all() {
        let (mut announced, now) = (Announced::default(), Instant::now());
        let peers: Vec<_> = (0..6).map(|_| PeerId::random()).collect();
        for &peer in &peers {
            announced.announce(peer, key(1), digest(), now);
        }
        announced.announce(peers[5], key(1), digest(), now);
        let expected: Vec<_> = peers[2..].iter().rev().copied().collect();
        assert_eq!(holders(&announced, 1, now), expected);
        announced.forget(&peers[5]);
        assert_eq!(holders(&announced, 1, now), expected[1..]);
        assert_eq!(holders(&announced, 1, now + KEPT), []);
        for peer in &peers {
            announced.forget(peer);
        }
        assert_eq!((announced.all, announced.keys.len()), (0, 0));
    }

    #[test]
    fn who_says_much_displaces_only_itself() {
        let (mut announced, now) = (Announced::default(), Instant::now());
        let (modest, loud) = (PeerId::random(), PeerId::random());
        announced.announce(modest, key(0), digest(), now);
        for number in 0..10_000 {
            announced.announce(loud, key(number), digest(), now);
        }
        assert_eq!(holders(&announced, 0, now), [modest]);
        assert_eq!(announced.all, PEER_MAX + 1);
        assert_eq!(holders(&announced, 9_999, now), [loud]);
    }

    #[test]
    fn all_together_are_bounded() {
        let (mut announced, now) = (Announced::default(), Instant::now());
        for peer in 0..100 {
            let id = PeerId::random();
            for number in 0..1_000 {
                announced.announce(id, key(peer * 1_000 + number), digest(), now);
            }
        }
        assert_eq!(announced.all, ALL_MAX);
        assert_eq!(announced.keys.len(), ALL_MAX);
    }
}
