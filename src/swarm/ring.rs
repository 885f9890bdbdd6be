//! Owners: which peers hold what is known under a name. Pure.
//!
//! Every member ranks all members for a name by the hash of both (highest random weight: Thaler and
//! Ravishankar, "Using name-based mappings to increase hit rates", 1998). Members that see the same peers come
//! to the same owners without a word, and when one comes or goes, only what it owned moves.

use libp2p::PeerId;
use sha2::{Digest as _, Sha256};

use super::pool::WireKey;

/// Members that keep an entry.
pub(super) const OWNERS: usize = 2;

/// The first `most` of `members` for `key`, the owner first.
pub(super) fn ranked<'a>(
    key: &WireKey,
    members: impl IntoIterator<Item = &'a PeerId>,
    most: usize,
) -> Vec<PeerId> {
    let mut best: Vec<([u8; 32], PeerId)> = Vec::with_capacity(most + 1);
    for member in members {
        let weight = weight(key, member);
        // `most` is a handful: shifting beats sorting everybody.
        let at = best.partition_point(|(other, _)| *other > weight);
        if at < most {
            best.truncate(most - 1);
            best.insert(at, (weight, *member));
        }
    }
    best.into_iter().map(|(_, member)| member).collect()
}

fn weight(key: &WireKey, member: &PeerId) -> [u8; 32] {
    let mut hasher = Sha256::new();
    // A peer id is a multihash, which says how long it is: two pairs never give the same bytes.
    hasher.update(member.to_bytes());
    hasher.update(key.0);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::digest::Digest;
    use crate::swarm::Identity;

    fn members(count: u8) -> Vec<PeerId> {
        let member = |n| {
            Identity::from_seed(&zeroize::Zeroizing::new([n; 32]))
                .unwrap()
                .peer_id()
        };
        (1..=count).map(member).collect()
    }

    fn key(n: u32) -> WireKey {
        WireKey(*Digest::of([n.to_be_bytes().as_slice()]).as_bytes())
    }

    #[test]
    fn everybody_comes_to_the_same_order_whatever_the_order_of_the_roster() {
        let mut members = members(9);
        let ranks = ranked(&key(1), &members, 9);
        members.reverse();
        assert_eq!(ranked(&key(1), &members, 9), ranks);
        assert_eq!(ranked(&key(1), &members, 2), ranks[..2]);
        assert_eq!(ranked(&key(1), &members[..1], 4), members[..1]);
        assert_ne!(ranked(&key(2), &members, 9), ranks);
    }

    #[test]
    fn fifty_members_own_about_as_much_each() {
        let members = members(50);
        let mut owned: HashMap<PeerId, u32> = HashMap::new();
        for n in 0..10_000 {
            for owner in ranked(&key(n), &members, OWNERS) {
                *owned.entry(owner).or_default() += 1;
            }
        }
        assert_eq!(owned.len(), 50);
        // 400 each; the standard deviation of a fair draw is 20.
        for count in owned.values() {
            assert!((300..=500).contains(count), "{count} of 20,000");
        }
    }

    #[test]
    fn whoever_comes_or_goes_moves_only_what_it_owns() {
        let all = members(50);
        let (newcomer, before) = all.split_last().unwrap();
        let mut moved = 0;
        for n in 0..10_000 {
            let old = ranked(&key(n), before, OWNERS);
            let new = ranked(&key(n), &all, OWNERS);
            if new.contains(newcomer) {
                moved += 1;
            }
            let stayed = new.iter().filter(|owner| *owner != newcomer);
            assert!(
                stayed.eq(old
                    .iter()
                    .take(new.len() - usize::from(new.contains(newcomer))))
            );
        }
        assert!((300..=500).contains(&moved), "{moved} of 10,000");
    }
}
