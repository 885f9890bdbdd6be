//! Looking for an entry among its owners.
//!
//! # Flow
//!
//! Of the members in the order of the name ([`ring`]), the first gives the lease: of all who miss an entry
//! together, one asks GitHub. It is asked first; if it has not answered within 10 ms, the next one is asked, too,
//! whether it has the entry. Whoever is told to wait waits there. If we come first ourselves, our own [desk](super::desk)
//! is asked. Before a lease is used, the next owner, and whoever announced the entry, are asked for it: members come and go,
//! and an entry may be where its name belonged before.
//!
//! # Invariants
//!
//! * A silent owner costs 50 ms, and a holder of a lease that does not come back costs the length of a lease,
//!   whatever others do.
//! * A lease has exactly one [`Lease`], from the moment when its answer is read. Whoever drops a lookup or its result
//!   gives the lease back.
//! * An owner that says in time that it has a long body has the time that such a body takes ([`fetch`]), and all such
//!   times of a lookup together are bounded.
//! * An owner that was silent is not asked again for five seconds, unless something is heard from it.

mod ask;
mod fetch;
mod held;
mod silence;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::client::{Found, Nothing};
use super::config::Times;
use super::desk::Heard;
use super::gossip;
use super::hand_over::Room;
use super::lease::Taken;
use super::pool::WireKey;
use super::ring;
use super::shared::Shared;
use super::wire::message::Question;
use crate::api::Key;
use crate::digest::Digest;

use ask::{Asking, Reply};
use fetch::Bodies;
use held::Holdings;
pub use held::Lease;
pub(super) use held::{Holding, Over};
use silence::Silences;

/// Members that are considered for a name: its owners, and who stands in for them when they are silent.
const DEPTH: usize = 4;
/// Owners that are asked for a lease in turn.
const TRIED: usize = 2;

/// What lookups have in common.
#[derive(Debug)]
pub(super) struct Lookups {
    // A std mutex: held for map operations only.
    silences: Mutex<Silences>,
    pub(super) holdings: Holdings,
    pub(super) room: Room,
}

impl Lookups {
    pub(super) fn new(times: &Times) -> Self {
        Self {
            silences: Mutex::new(Silences::new(times)),
            holdings: Holdings::default(),
            room: Room::default(),
        }
    }

    /// A peer is not connected any more.
    pub(super) fn gone(&self, peer: &PeerId) {
        self.silences().gone(peer);
    }

    /// The way to a peer and back took so long.
    pub(super) fn round_trip(&self, peer: PeerId, took: Duration) {
        self.silences().round_trip(peer, took);
    }

    /// See [`Silences::look_again`].
    fn look_again(&self, peer: &PeerId, asked: Instant, share: u32) -> Option<Instant> {
        self.silences()
            .look_again(peer, asked, share, Instant::now())
    }

    fn seats(&self, owner: PeerId) -> Arc<Semaphore> {
        self.silences().waiting(owner)
    }

    fn silences(&self) -> MutexGuard<'_, Silences> {
        self.silences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One lookup.
#[derive(Debug, Clone)]
struct Lookup {
    shared: Arc<Shared>,
    key: Key,
    name: WireKey,
    held: Option<Digest>,
    us: PeerId,
    bodies: Bodies,
}

/// What came of asking one owner for a lease.
enum Tried {
    /// That is the answer.
    Found(Found),
    /// A lease: whether the next owner has been asked for the entry already.
    Lease(Lease, Option<PeerId>),
    /// The lease of somebody who has asked all others before, and was not heard of again.
    Successor(Lease),
    /// Somebody asks GitHub.
    Held,
    /// The owner is no help, but somebody else answered, or may at once.
    Next,
    /// Nobody said anything.
    Silence,
}

/// Looks for `key`; `held` is what we have.
pub(super) async fn lookup(shared: &Arc<Shared>, key: Key, held: Option<Digest>) -> Found {
    let peers = Arc::clone(&shared.roster.borrow().peers);
    let (false, Some(keys)) = (peers.is_empty(), shared.keys.get()) else {
        return Found::Nothing(Nothing::Alone);
    };
    let now = Instant::now();
    let us = shared.identity.peer_id();
    let lookup = Lookup {
        shared: Arc::clone(shared),
        key,
        name: keys.names.name(&key),
        held,
        us,
        bodies: Bodies::default(),
    };
    let ranks = {
        let silences = shared.lookups.silences();
        let speak = peers
            .iter()
            .filter(|peer| !peer.suspect && !silences.is_suspect(&peer.id, now));
        let members = speak.map(|peer| &peer.id).chain([&us]);
        ring::ranked(&lookup.name, members, DEPTH)
    };
    // Boxed: a lookup is large, and most requests never come this far.
    Box::pin(lookup.run(&ranks)).await
}

impl Lookup {
    async fn run(&self, ranks: &[PeerId]) -> Found {
        let mut deadline = None;
        for (at, owner) in ranks.iter().take(TRIED).enumerate() {
            let next = ranks[at + 1..].iter().find(|peer| **peer != self.us);
            let tried = if *owner == self.us {
                self.take_own()
            } else {
                self.take_at(*owner, next.copied()).await
            };
            let waited = match tried {
                Tried::Held => {
                    // Whoever waits at a second owner has waited before.
                    let lease = self.shared.config.times.lease;
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + lease);
                    if *owner == self.us {
                        self.wait_own(deadline).await
                    } else {
                        let waited = self.wait_at(*owner, next.copied(), deadline).await;
                        self.note(*owner, &waited);
                        waited
                    }
                }
                other => other,
            };
            match waited {
                Tried::Found(found) => return found,
                Tried::Successor(lease) => return Found::Lease(lease),
                Tried::Lease(lease, asked) => return self.search(lease, ranks, asked).await,
                // We speak, if nobody else does.
                Tried::Silence if ranks.get(at + 1) != Some(&self.us) => {
                    return Found::Nothing(Nothing::Silence);
                }
                Tried::Held => return Found::Nothing(Nothing::WaitedInVain),
                Tried::Next | Tried::Silence => {}
            }
        }
        Found::Nothing(Nothing::Silence)
    }

    /// Takes the lease at our own desk.
    fn take_own(&self) -> Tried {
        match self.shared.desk.take(&self.name, self.us) {
            Taken::Granted(_) => Tried::Lease(self.granted(), None),
            Taken::Held(_) => Tried::Held,
            Taken::NotShared => Tried::Found(Found::Nothing(Nothing::NotShared)),
            Taken::Full => {
                self.shared.count("lease-table-full");
                Tried::Found(Found::Nothing(Nothing::NotShared))
            }
        }
    }

    fn granted(&self) -> Lease {
        Lease::granted(&self.shared, self.name, self.us)
    }

    /// Waits at our own desk.
    async fn wait_own(&self, deadline: Instant) -> Tried {
        let began = Instant::now();
        let most = deadline.saturating_duration_since(began);
        let desk = &self.shared.desk;
        match desk.wait(&self.name, self.us, self.held, most).await {
            Heard::Entry(handed) => {
                let (offer, source) = (handed.offer.clone(), handed.source);
                Tried::Found(Found::Candidate(offer, source))
            }
            Heard::Same => Tried::Found(Found::Same),
            Heard::Granted(_) => self.succeeds(self.granted(), began),
            Heard::Held(_) => Tried::Held,
            Heard::NotShared | Heard::Dismissed => Tried::Found(Found::Nothing(Nothing::NotShared)),
        }
    }

    /// The lease of somebody else is ours, after we waited for it since `began`. If that was long, its holder fell silent after
    /// it had asked around. Asking the same again, perhaps the very one who is silent, would take the time in
    /// which GitHub can still answer those who wait with us.
    fn succeeds(&self, lease: Lease, began: Instant) -> Tried {
        if began.elapsed() >= self.shared.config.times.lease / 2 {
            return Tried::Successor(lease);
        }
        Tried::Lease(lease, None)
    }

    /// Asks `owner` for the entry or a lease, and `next`, if it takes long, for the entry.
    async fn take_at(&self, owner: PeerId, next: Option<PeerId>) -> Tried {
        let mut asking = self.ask(owner, true);
        let slow = asking.takes_long();
        let mut others_speak = None;
        let mut first = tokio::select! {
            biased;
            reply = asking.reply() => Some(reply),
            () = slow => None,
        };
        let mut hedge = next
            .filter(|_| first.is_none())
            .map(|next| self.ask(next, false));
        while first.is_none() {
            tokio::select! {
                biased;
                reply = asking.reply() => first = Some(reply),
                reply = hedged(hedge.as_mut()) => {
                    match reply {
                        Some(Reply::Candidate(offer, source)) => {
                            return Tried::Found(Found::Candidate(*offer, source));
                        }
                        Some(Reply::Gone) | None => {}
                        Some(_) => others_speak = next,
                    }
                    hedge = None;
                }
            }
        }
        match first.flatten() {
            Some(Reply::Candidate(offer, source)) => Tried::Found(Found::Candidate(*offer, source)),
            Some(Reply::Lease(lease)) => Tried::Lease(lease, others_speak),
            Some(Reply::Same) => Tried::Found(Found::Same),
            Some(Reply::Held) => Tried::Held,
            Some(Reply::Unknown) => Tried::Found(Found::Nothing(Nothing::NotShared)),
            Some(Reply::Gone) => Tried::Next,
            // Another one who spoke can give the lease without our waiting any longer.
            None if others_speak.is_some() => Tried::Next,
            None => Tried::Silence,
        }
    }

    /// Waits at `owner` for the end of the lease; `next` is asked when half of the time is over, because the entry
    /// is stored there, too. Before that `owner` is asked for a word: there is no point in waiting at a desk where nobody
    /// sits, and that can be known while there is time for another one.
    async fn wait_at(&self, owner: PeerId, next: Option<PeerId>, deadline: Instant) -> Tried {
        let began = Instant::now();
        let seats = self.shared.lookups.seats(owner);
        let Ok(Ok(_seat)) = timeout_at(deadline, seats.acquire()).await else {
            return Tried::Held;
        };
        let wait = deadline.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            return Tried::Held;
        }
        let question = Question::Await {
            key: self.name,
            held: self.held,
            wait,
        };
        let mut asking = Asking::start(self, owner, question);
        // The owner answers at the deadline; its answer has a way to go.
        let mut last = deadline + self.shared.config.times.first_answer;
        let half = began + wait / 2;
        let mut hedge = None;
        let mut next = next;
        let mut watching = pin!(self.watch(owner, began, wait));
        let mut watched = false;
        loop {
            tokio::select! {
                biased;
                reply = asking.patiently() => return match reply {
                    Reply::Candidate(offer, source) => {
                        Tried::Found(Found::Candidate(*offer, source))
                    }
                    Reply::Lease(lease) => self.succeeds(lease, began),
                    Reply::Same => Tried::Found(Found::Same),
                    Reply::Held => Tried::Held,
                    Reply::Unknown => Tried::Found(Found::Nothing(Nothing::NotShared)),
                    Reply::Gone => Tried::Next,
                },
                reply = hedged(hedge.as_mut()) => {
                    if let Some(Reply::Candidate(offer, source)) = reply {
                        return Tried::Found(Found::Candidate(*offer, source));
                    }
                    hedge = None;
                }
                found = &mut watching, if !watched => match found {
                    Some(found) => return Tried::Found(found),
                    None if asking.arriving().is_none() => return Tried::Next,
                    None => watched = true,
                },
                () = sleep_until(half), if next.is_some() => {
                    let next = next.take().filter(|_| asking.arriving().is_none());
                    hedge = next.map(|next| self.ask(next, false));
                }
                () = sleep_until(last) => {
                    if let Some(until) = asking.arriving().filter(|until| *until > last) {
                        last = until;
                        continue;
                    }
                    self.shared.lookups.silences().suspect(owner, Instant::now());
                    self.shared.count("peer-silent");
                    return Tried::Held;
                }
            }
        }
    }

    /// Asks `owner`, where we wait from `began` on, for a word now and then; ends when it stands still, or has the
    /// entry. In the last quarter it is too late to go elsewhere.
    async fn watch(&self, owner: PeerId, began: Instant, wait: Duration) -> Option<Found> {
        let quarter = wait / 4;
        let mut look = began + quarter;
        while look < began + quarter * 3 {
            sleep_until(look).await;
            let mut word = self.ask(owner, false);
            let reply = loop {
                tokio::select! {
                    biased;
                    reply = word.patiently() => break reply,
                    () = sleep(self.shared.config.times.hedge) => {}
                }
                if word.stands_still() {
                    return None;
                }
            };
            if let Reply::Candidate(offer, source) = reply {
                return Some(Found::Candidate(*offer, source));
            }
            look = Instant::now() + quarter;
        }
        std::future::pending().await
    }

    /// Whether something came of waiting at `owner`: one that has everybody wait for nothing is not asked again.
    fn note(&self, owner: PeerId, waited: &Tried) {
        let came = match waited {
            Tried::Found(_) | Tried::Lease(..) | Tried::Successor(_) => true,
            Tried::Held => false,
            Tried::Next | Tried::Silence => return,
        };
        let now = Instant::now();
        if self.shared.conduct().waited(owner, came, now) {
            self.shared.lookups.silences().suspect(owner, now);
            self.shared.count("peer-waited-in-vain");
        }
    }

    /// Before GitHub is asked under `lease`: whether the other owners have the entry. `asked` has not.
    async fn search(&self, lease: Lease, ranks: &[PeerId], asked: Option<PeerId>) -> Found {
        let places = {
            let (silences, now) = (self.shared.lookups.silences(), Instant::now());
            let owners = ranks.iter().filter(|peer| **peer != self.us);
            let owners = owners.take(ring::OWNERS).filter(|peer| {
                lease.owner() != **peer && asked != Some(**peer) && !silences.is_suspect(peer, now)
            });
            let mut places: Vec<_> = owners.copied().collect();
            for peer in gossip::holders(&self.shared, &self.name, self.held) {
                let helps = lease.owner() != peer && asked != Some(peer) && !places.contains(&peer);
                if helps && !silences.is_suspect(&peer, now) {
                    places.push(peer);
                }
            }
            places
        };
        let places = places.into_iter();
        let mut asking: Vec<_> = places.map(|peer| self.ask(peer, false)).collect();
        let replies = asking.iter_mut().map(|asking| Box::pin(asking.reply()));
        let mut replies: Vec<_> = replies.collect();
        while !replies.is_empty() {
            let (reply, _, left) = futures_util::future::select_all(replies).await;
            if let Some(Reply::Candidate(offer, source)) = reply {
                // It may be outdated. Without the lease everybody who is told of it would pay for that.
                return Found::Leased(lease, offer, source);
            }
            replies = left;
        }
        Found::Lease(lease)
    }

    fn ask(&self, peer: PeerId, lease: bool) -> Asking {
        let question = Question::Lookup {
            key: self.name,
            held: self.held,
            lease,
        };
        Asking::start(self, peer, question)
    }
}

/// The reply to a second question, if there is one.
async fn hedged(hedge: Option<&mut Asking>) -> Option<Reply> {
    match hedge {
        Some(asking) => asking.reply().await,
        None => std::future::pending().await,
    }
}
