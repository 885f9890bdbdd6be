//! What we tell peers: that something was written, and what GitHub answered.

use super::{About, Kept, Reason, Terms, offer};
use crate::api::{Key, Namespace};
use crate::digest::Digest;
use crate::store::Variant;
use crate::swarm::wire::message::{Ended, Stale};
use crate::swarm::{Lease, Offer, Source};
use crate::tiered::Inner;
use crate::time::Timestamp;

/// What GitHub said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tiered) enum Answered {
    /// A body, with this digest, which is held now.
    Body(Digest),
    /// That the body with this digest is current.
    Confirmed(Digest),
    /// A body that is not held.
    Unshared,
}

impl Answered {
    const fn digest(self) -> Option<Digest> {
        match self {
            Self::Body(digest) | Self::Confirmed(digest) => Some(digest),
            Self::Unshared => None,
        }
    }
}

impl Inner {
    /// What a write to `namespace` makes stale elsewhere: under every name that we know, since others may know another.
    fn stale(&self, namespace: &Namespace) -> Vec<Stale> {
        let id = self.epochs.id_of(namespace);
        let others = self
            .epochs
            .other_names(namespace)
            .into_iter()
            .map(Namespace::Repo);
        std::iter::once(namespace.clone())
            .chain(others)
            .map(|namespace| Stale { namespace, id })
            .collect()
    }

    /// Tells peers that something is about to be written, or was by a client that is gone, and does not wait.
    pub(in crate::tiered) fn tell_soon(&self, namespace: &Namespace) {
        if let Some(peers) = &self.peers {
            peers.client.invalidate_soon(self.stale(namespace));
        }
    }

    /// Tells peers that something was written. When this returns none of them shows the past as fresh any more: each has
    /// acknowledged it, or is out of contact and knows it. At most as long as a contact lasts.
    pub(in crate::tiered) async fn tell(&self, namespace: &Namespace) {
        if let Some(peers) = &self.peers {
            peers.client.invalidate(self.stale(namespace)).await;
        }
    }

    /// Gives the owners of `key` what GitHub has just said, and ends the lease that others wait for; whoever gave it was
    /// told of a body that we know. `brought`: who had the body that GitHub was asked about.
    pub(in crate::tiered) fn hand_over(
        &self,
        key: Key,
        answered: Option<Answered>,
        lease: Option<(Lease, Option<Digest>)>,
        brought: Option<Source>,
    ) {
        let Some(peers) = &self.peers else { return };
        let now = self.clock.now();
        let digest = answered.and_then(Answered::digest);
        let offer = digest.and_then(|digest| self.offer_of(&key, digest, now).zip(Some(digest)));
        let ended = match (&offer, answered) {
            (Some((_, digest)), _) => Ended::Unchanged(*digest),
            (None, Some(_)) => Ended::NotShared,
            (None, None) => Ended::Failed,
        };
        let around = peers.client.roster().peers.len();
        if let (None, Some(Answered::Body(digest))) = (&offer, answered)
            && let Some(kept) = self.kept_from_peers(&key, digest, now)
        {
            self.stats.reason(kept.name());
        }
        if let Some((offer, digest)) = offer
            && around > 0
        {
            // Those who wait have what the lease's owner has, and are not helped by the name of another body.
            let is_other = lease
                .as_ref()
                .is_some_and(|(_, told)| *told != Some(digest));
            let is_new = is_other || matches!(answered, Some(Answered::Body(_)));
            if is_new || !peers.given.has(&key, (digest, around), now) {
                peers.given.note(key, (digest, around), now);
                match brought {
                    // Nobody waits for it, and whoever brought it has it.
                    Some(source) if !is_new && lease.is_none() => {
                        peers.client.confirmed(offer, source);
                    }
                    _ => peers.client.store(offer),
                }
            }
        }
        if let Some((lease, _)) = lease {
            lease.land(ended);
        }
    }

    /// Counts a hit, and gives everybody what is asked for very often.
    pub(in crate::tiered) fn count_hit(&self, key: &Key, variant: &Variant, now: Timestamp) {
        let Some(peers) = &self.peers else { return };
        if !peers.hot.hit(key, now) {
            return;
        }
        if let Some(offer) = self.offer_of(key, variant.digest, now) {
            self.stats.reason(Reason::Pushed.name());
            peers.client.push(offer);
        }
    }

    /// The body under `key` with this digest, if it may travel.
    fn offer_of(&self, key: &Key, digest: Digest, now: Timestamp) -> Option<Offer> {
        self.on_terms(key, digest, now, |about, variant, terms| {
            offer::of(*key, about, variant, terms)
        })
    }

    /// Why the body under `key` with this digest may not travel. `None` also if there is nobody to give it to.
    fn kept_from_peers(&self, key: &Key, digest: Digest, now: Timestamp) -> Option<Kept> {
        self.on_terms(key, digest, now, offer::kept)
    }

    /// What `judge` says of the body under `key` with this digest.
    fn on_terms<T>(
        &self,
        key: &Key,
        digest: Digest,
        now: Timestamp,
        judge: impl FnOnce(&About, &Variant, &Terms) -> Option<T>,
    ) -> Option<T> {
        let entry = self.memory.peek(key)?;
        let about = About::of(&entry)?;
        let variant = entry.variant(digest)?;
        // As for whoever may be given most: the swarm keeps from others what they may not be given.
        let peers = self.peers.as_ref()?.client.roster().peers;
        let coverage = peers.iter().map(|peer| peer.coverage).max()?;
        let terms = self.terms(&about, variant, coverage, now);
        judge(&about, variant, &terms)
    }
}
