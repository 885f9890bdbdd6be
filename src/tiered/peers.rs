//! The third tier: what peers hold, and what we hold for them.
//!
//! # Flow
//!
//! Before GitHub is asked, the owners of the key are (`read::seek`): what they have is a *candidate*, and GitHub's answer
//! to the caller's own token decides about it. What GitHub answered goes to the owners (`hand_over`). What peers ask
//! of us is answered from memory and disk alone, and what they give us is kept apart from what is ours (`shelf`).
//!
//! # Invariants
//!
//! * Only answers of GitHub to us leave, and only for whom `offer::audience` names.
//! * What a peer says is shown to nobody before GitHub has confirmed it to that caller, unless whoever runs this
//!   daemon said that a member's word is enough for what is public ([`Trust::Swarm`](super::Trust)).
//! * Peers can drive out one another's entries here and nothing else.

mod budgets;
mod given;
mod hot;
mod index;
mod judge;
mod offer;
mod reason;
mod refuted;
mod shelf;
mod tell;

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::promote::until;
use super::{Inner, Tiered};
use crate::api::{Key, RateHeaders};
use crate::digest::Digest;
use crate::secret::CredentialId;
use crate::stats::{PeerCounts, Snapshot};
use crate::store::epoch_log::Event;
use crate::store::{Entry, Slot, Variant};
use crate::swarm::wire::message::Stale;
use crate::swarm::{self, Coverage, Offer, Source, WireKey};
use crate::time::Timestamp;

use budgets::Budgets;
use given::Given;
use hot::Hot;
use index::Index;
use refuted::Refuted;
use shelf::{Held, Shelf};

pub(super) use judge::{Circumstances, Own, Told, Use, judge};
pub(super) use offer::{About, Asked, Kept, Terms, candidate};
pub(super) use reason::Reason;
pub(super) use tell::Answered;

/// The part of the memory limit that is for what peers gave us to hold: a quarter.
const SHARE: u64 = 4;
/// Keys on disk that peers are told of by those who start again; the most recently used ones.
const ON_DISK_MAX: usize = 32_768;

/// A question and the caller who puts it.
pub(super) type Who = (Key, CredentialId);

/// The swarm, and what is known of what it holds.
#[derive(Debug)]
pub(super) struct Peers {
    pub(super) client: swarm::Client,
    index: Index,
    /// Whether what was held before the swarm ran is in the index, or is being put there.
    is_indexed: AtomicBool,
    shelf: Shelf,
    refuted: Refuted,
    given: Given,
    hot: Hot,
    // A std mutex: held for a look at a small map.
    budgets: Mutex<Budgets>,
}

impl Peers {
    /// The bytes of `limit` that are left for what is ours, and the swarm behind `client` with the rest.
    pub(super) fn new(client: swarm::Client, limit: u64) -> (Self, u64) {
        let share = limit / SHARE;
        let peers = Self {
            client,
            index: Index::default(),
            is_indexed: AtomicBool::new(false),
            shelf: Shelf::new(share),
            refuted: Refuted::default(),
            given: Given::default(),
            hot: Hot::default(),
            budgets: Mutex::default(),
        };
        (peers, limit - share)
    }

    /// What a peer gave us to hold under `key`, other than `not`.
    pub(super) fn held(&self, key: &Key, not: Option<Digest>) -> Option<Arc<Held>> {
        self.shelf.find(key, |held| Some(held.digest) != not)
    }

    /// Whether GitHub answered `who` with something else when it was asked about this body.
    pub(super) fn refuted_before(&self, who: Who, digest: Digest) -> bool {
        self.refuted.is(who, digest)
    }

    /// What GitHub said about a candidate.
    pub(super) fn judged(&self, who: Who, (source, digest): (Source, Digest), confirmed: bool) {
        self.client.judged(source, confirmed);
        if !confirmed {
            self.refuted.note(who, digest);
        }
        // Confirmed it is ours by now; refuted it is nobody's.
        self.shelf.forget(&who.0, digest);
    }

    /// `key` is held no more.
    pub(super) fn removed(&self, key: &Key) {
        self.shelf.remove(key);
    }

    /// Nothing is held any more.
    pub(super) fn cleared(&self) {
        self.shelf.clear();
    }

    /// Bytes held for peers.
    pub(super) fn bytes(&self) -> u64 {
        self.shelf.bytes()
    }

    /// The swarm in numbers, and what it counted by name.
    pub(super) fn describe(&self, snapshot: &mut Snapshot) {
        let counts = self.client.counts();
        let named = |reason: &'static str| reason.to_owned();
        snapshot.peers = PeerCounts {
            connected: counts.connected,
            known: counts.known,
            refused: counts
                .refused
                .into_iter()
                .map(|(reason, times)| (named(reason), times))
                .collect(),
        };
        for (reason, times) in counts.reasons {
            *snapshot.reasons.entry(named(reason)).or_default() += times;
        }
    }

    fn budgets(&self) -> MutexGuard<'_, Budgets> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tiered {
    /// What a peer may be given under this name, from memory and disk alone; not the body that it has.
    pub fn peer_lookup(
        &self,
        key: &WireKey,
        held: Option<Digest>,
        coverage: Coverage,
    ) -> Option<Offer> {
        let inner = &self.0;
        let peers = inner.peers.as_ref()?;
        inner.index();
        let key = peers.index.find(key)?;
        let now = inner.clock.now();
        let entry = inner.memory.peek(&key).or_else(|| inner.on_disk(&key));
        // What is older than the body that the asker has is no news.
        let ours = entry
            .as_ref()
            .zip(held)
            .and_then(|(entry, held)| entry.variant(held));
        let theirs = held.and_then(|held| peers.shelf.find(&key, |known| known.digest == held));
        let after = ours
            .map(|known| known.validated_at)
            .max(theirs.map(|known| known.proved_at));
        let ours = entry.and_then(|entry| inner.own_offer((key, &entry), held, after, coverage));
        let theirs = peers
            .shelf
            .find(&key, |theirs| {
                Some(theirs.digest) != held
                    && Some(theirs.proved_at) > after
                    && coverage.covers(theirs.offer.audience)
            })
            .map(|theirs| relayed(&theirs, now));
        // What GitHub told us comes first, unless a peer has later news.
        let offer = match (ours, theirs) {
            (Some(ours), Some(theirs)) if theirs.age < ours.age => theirs,
            (ours, theirs) => ours.or(theirs)?,
        };
        inner.stats.reason(Reason::Given.name());
        Some(offer)
    }

    /// A peer gave us an entry to hold.
    pub fn peer_offered(&self, offer: Offer, from: Source) {
        let inner = &self.0;
        let Some(peers) = &inner.peers else { return };
        let Some(names) = peers
            .client
            .names()
            .filter(|_| offer.body.len() <= inner.config.body_limit)
        else {
            inner.stats.reason(Reason::NotHeld.name());
            return;
        };
        let now = inner.clock.now();
        let digest = offer.digest();
        // What GitHub told us of the same body is worth more.
        let entry = inner.memory.peek(&offer.key);
        let own = entry.as_ref().and_then(|entry| entry.variant(digest));
        let proved_at = now.minus(from.age_now().max(offer.age));
        if own
            .is_some_and(|own| own.kinds != 0 && !own.is_hearsay() && own.validated_at >= proved_at)
        {
            return;
        }
        // A copy of its own: what came is a piece of a larger message, which would stay as long.
        let body = match own {
            Some(own) => own.body.clone(),
            None => bytes::Bytes::copy_from_slice(&offer.body),
        };
        peers.index.add(&names, offer.key);
        peers.shelf.put(Held {
            digest,
            offer: Offer { body, ..offer },
            from,
            proved_at,
        });
        inner.stats.reason(Reason::Held.name());
    }

    /// A peer's client wrote. When this returns, no hit of any daemon of this host shows the past any more.
    pub fn peer_wrote(&self, stale: &[Stale]) {
        let inner = &self.0;
        inner.stats.reason(Reason::Wrote.name());
        let at = inner.clock.now();
        for Stale { namespace, id } in stale {
            inner.happened(&Event::Written {
                namespace: namespace.clone(),
                id: *id,
                at,
            });
        }
    }

    /// Peers' writes may have been missed: everything is asked again.
    pub fn peers_lost(&self, why: &'static str) {
        let inner = &self.0;
        inner.stats.reason(why);
        let at = inner.clock.now();
        inner.happened(&Event::Everything { at });
    }

    /// A peer said how much of a budget is left.
    pub fn peer_budget(&self, name: [u8; 16], remaining: u32, limit: u32, reset_in: Duration) {
        let inner = &self.0;
        let Some(peers) = &inner.peers else { return };
        inner.stats.reason(Reason::Budget.name());
        let now = inner.clock.now();
        let is_scarce = inner.gate.is_scarce(limit.into(), remaining.into());
        peers
            .budgets()
            .heard(name, is_scarce, now.plus(reset_in), now);
    }
}

impl Inner {
    /// Whether peers have said that the budget which GitHub last named to this caller is nearly used up.
    pub(super) fn is_scarce_among_peers(
        &self,
        rate: impl FnOnce() -> Option<Arc<RateHeaders>>,
        now: Timestamp,
    ) -> bool {
        let Some(peers) = &self.peers else {
            return false;
        };
        // Nearly always there is none, and nobody computes its name.
        if peers.budgets().is_empty() {
            return false;
        }
        let named = rate().zip(peers.client.names());
        named.is_some_and(|(rate, names)| {
            let name = names.budget(&budgets::identity(&rate));
            peers.budgets().is_scarce(&name, now)
        })
    }

    /// Tells peers what is left of a budget that is nearly used up. Of any other there is nothing to do for them, and each
    /// word to everybody costs every member a signature for each of its neighbours.
    pub(super) fn share_budget(&self, rate: &RateHeaders, now: Timestamp) {
        let Some(peers) = &self.peers else { return };
        if !self.gate.is_scarce(rate.limit, rate.remaining) {
            return;
        }
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let (remaining, limit) = (number(rate.remaining), number(rate.limit));
        let identity = budgets::identity(rate);
        peers
            .client
            .budget(&identity, remaining, limit, rate.reset.since(now));
    }

    /// Something is held under `key`, and peers may ask for it by its name.
    pub(super) fn index_key(&self, key: Key) {
        if let Some(peers) = &self.peers
            && let Some(names) = peers.client.names()
        {
            peers.index.add(&names, key);
        }
    }

    /// Sees to it that what was held before the swarm ran can be found by its name.
    fn index(self: &Arc<Self>) {
        let Some(peers) = &self.peers else { return };
        let Some(names) = peers.client.names() else {
            return;
        };
        if peers.is_indexed.swap(true, SeqCst) {
            return;
        }
        for (key, slot) in self.memory.list(usize::MAX) {
            if matches!(slot, Slot::Answers(_)) {
                peers.index.add(&names, key);
            }
        }
        if let Some(disk) = self.disk.clone() {
            let inner = Arc::clone(self);
            // Reads a good part of the database, and nobody else's question shall wait for it.
            tokio::task::spawn_blocking(move || {
                let Some(peers) = &inner.peers else { return };
                for key in disk.keys(ON_DISK_MAX) {
                    peers.index.add(&names, key);
                }
            });
        }
    }

    /// What is ours under `key`, for a peer that has `held`: the latest that GitHub has confirmed `after` that.
    fn own_offer(
        &self,
        (key, entry): (Key, &Entry),
        held: Option<Digest>,
        after: Option<Timestamp>,
        coverage: Coverage,
    ) -> Option<Offer> {
        let about = About::of(entry)?;
        let now = self.clock.now();
        self.hear(now);
        let is_news = |variant: &&Arc<Variant>| {
            Some(variant.digest) != held && Some(variant.validated_at) > after
        };
        let mut variants: Vec<_> = entry.variants.iter().filter(is_news).collect();
        variants.sort_by_key(|variant| Reverse((variant.asked_at, variant.validated_at)));
        variants
            .into_iter()
            .filter_map(|variant| {
                let terms = self.terms(&about, variant, coverage, now);
                offer::of(key, &about, variant, &terms)
            })
            // Links are believed to nobody who does not know the secret.
            .find(|offer| {
                let is_believed = coverage == Coverage::Repository || offer.links.is_none();
                coverage.covers(offer.audience) && is_believed
            })
    }

    /// On which terms `variant` may be offered.
    fn terms(&self, about: &About, variant: &Variant, coverage: Coverage, now: Timestamp) -> Terms {
        let floor = self.epochs.floor(&about.namespace, now).event;
        let was_shown = variant.public.is_some_and(|shown| {
            let is_young = shown.at <= now && now.since(shown.at) < self.config.grant_ttl;
            shown.asked_at >= floor && is_young
        });
        let is_of_public_repository = about.operation.is_same_for_every_reader()
            && self
                .trust
                .is_public(&about.host, &about.namespace, floor, now);
        let is_out_of_contact = self.is_out_of_contact();
        Terms {
            coverage,
            trust: self.config.trust,
            floor: if is_out_of_contact { u64::MAX } else { floor },
            is_public_now: was_shown || is_of_public_repository,
            now,
        }
    }

    /// What the disk has under `key`. Not brought into memory: a peer's question must not drive out what is in there.
    fn on_disk(&self, key: &Key) -> Option<Arc<Entry>> {
        match self.disk.as_ref()?.get(key)? {
            Slot::Answers(entry) => {
                Some(Arc::new(until(Arc::unwrap_or_clone(entry), self.event())))
            }
            Slot::Named(_) => None,
        }
    }
}

/// What a peer gave us, for another one. Only what came from who knows the secret may pass for fresh: the other may
/// believe it because it comes from us.
fn relayed(held: &Held, now: Timestamp) -> Offer {
    Offer {
        age: if held.from.by_secret {
            now.since(held.proved_at).min(offer::AGED)
        } else {
            offer::AGED
        },
        ..held.offer.clone()
    }
}
