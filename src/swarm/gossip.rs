//! What is said to everybody: who holds what, writes (once more, beside [`invalidation`](super::invalidation)), budgets, and entries that
//! are asked for often.
//!
//! Nothing relies on a message getting through: each of them only saves something. Whoever has the pool's secret
//! speaks on a topic of its own, sealed, since whoever is admitted could subscribe to it.

mod behaviour;
mod judge;
mod message;
mod pace;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::gossipsub::MessageAcceptance;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::announced::Announced;
use super::client::{Event, Source};
use super::conduct::{Act, Offence};
use super::event_loop::Command;
use super::invalidation;
use super::pool::WireKey;
use super::roster::Roster;
use super::shared::Shared;
use super::wire::Malformed;
use super::wire::message::{Position, Stale};
use super::wire::offer::{Audience, Offer};
use super::wire::seal::{Opening, Sealing};
use crate::digest::Digest;
use crate::seal::NONCE;

use judge::{Author, Verdict};
use message::Word;
use pace::Pace;
use waiting::Waiting;

pub(super) use behaviour::{behaviour, topic};
pub(super) use waiting::Turn;

/// Holders that are asked, beside the owners. A further one announces nothing: in a fleet everybody comes to hold
/// everything, and each announcement costs every member a signature for each of its neighbours.
const HOLDERS: usize = 2;

/// What was heard and what is about to be said.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    announced: Mutex<Announced>,
    waiting: Mutex<Waiting>,
    pace: Mutex<Pace>,
    wake: Notify,
}

impl Gossip {
    /// The roster changed: who is gone holds nothing.
    pub(super) fn went(&self, before: &Roster, now: &Roster) {
        for peer in before.peers.iter().filter(|peer| !now.has(&peer.id)) {
            locked(&self.announced).forget(&peer.id);
        }
    }
}

/// We hold `key`: everybody will hear of it when it is our `turn`, if everybody may have it.
pub(super) fn announce(
    shared: &Shared,
    key: WireKey,
    digest: Digest,
    audience: Audience,
    turn: Turn,
) {
    if shared.roster.borrow().peers.is_empty() || !coverage(shared).covers(audience) {
        return;
    }
    // Without random bytes everybody speaks at the same time, as without turns.
    let chance = getrandom::u32().unwrap_or(0);
    let due = Instant::now() + turn.wait(chance);
    if !locked(&shared.gossip.waiting).add(key, digest, due) {
        shared.count("announcement-dropped");
    }
    shared.gossip.wake.notify_one();
}

/// Who announced to hold something for `key` other than `held`, the latest first, and not more than it is worth asking.
pub(super) fn holders(shared: &Shared, key: &WireKey, held: Option<Digest>) -> Vec<PeerId> {
    let holders = locked(&shared.gossip.announced).holders(key, Instant::now());
    let new = holders.iter().filter(|holder| held != Some(holder.digest));
    new.map(|holder| holder.peer).take(HOLDERS).collect()
}

/// Tells everybody of a write, beside telling each.
pub(super) fn wrote(shared: &Shared, position: Position, stale: Vec<Stale>) {
    if shared.roster.borrow().peers.is_empty() {
        return;
    }
    let stale = invalidation::named(&shared.config.pool, coverage(shared), stale);
    say(shared, &Word::Wrote { position, stale });
}

/// Gives `offer` to everybody, if everybody may have it and not too many were given lately.
pub(super) fn push(shared: &Shared, offer: Offer) {
    let Some(keys) = shared.keys.get() else {
        return;
    };
    if !coverage(shared).covers(offer.audience)
        || shared.roster.borrow().peers.is_empty()
        || !locked(&shared.gossip.pace).push(Instant::now())
    {
        return;
    }
    let key = keys.names.name(&offer.key);
    say(shared, &Word::Hot(key, Box::new(offer)));
}

/// Tells everybody what is left of a budget, unless they have just heard of it.
pub(super) fn budget(
    shared: &Shared,
    credential: &[u8],
    remaining: u32,
    limit: u32,
    reset_in: Duration,
) {
    let Some(keys) = shared.keys.get() else {
        return;
    };
    if remaining > limit || shared.roster.borrow().peers.is_empty() {
        return;
    }
    let name = keys.names.budget(credential);
    if locked(&shared.gossip.pace).budget(name, remaining, limit, Instant::now()) {
        let word = Word::Budget {
            name,
            remaining,
            limit,
            reset_in,
        };
        say(shared, &word);
    }
}

/// Makes announcements when they are due, until it is dropped.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        let due = locked(&shared.gossip.waiting).due();
        tokio::select! {
            biased;
            () = at(due) => {}
            () = shared.gossip.wake.notified() => continue,
        }
        let now = Instant::now();
        let mut due = locked(&shared.gossip.waiting).take(now);
        let announced = locked(&shared.gossip.announced);
        due.retain(|(key, digest)| {
            let holders = announced.holders(key, now);
            let same = holders.iter().filter(|holder| holder.digest == *digest);
            let helps = same.count() < HOLDERS;
            if !helps {
                shared.count("announcement-spared");
            }
            helps
        });
        drop(announced);
        for some in due.chunks(message::ANNOUNCED_MAX) {
            say(&shared, &Word::Announced(some.to_vec()));
        }
    }
}

/// Waits until then, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn say(shared: &Shared, word: &Word) {
    let Some(keys) = shared.keys.get() else {
        return;
    };
    let mut nonce = [0; NONCE];
    // Without random bytes nothing is sealed, so nothing is said.
    if getrandom::fill(&mut nonce).is_err() {
        return;
    }
    let sealing = Sealing {
        names: &keys.names,
        pool: &keys.pool,
        secret: keys.secret.as_ref(),
        nonce,
        now: shared.config.clock.now(),
        body_limit: shared.config.body_limit,
    };
    match message::encode(word, &sealing) {
        Ok(bytes) => shared.command(Command::Publish(bytes)),
        // An entry that is too long is not for everybody, however often it is asked for.
        Err(Malformed::TooLong) => shared.count("gossip-too-long"),
        Err(why) => shared.count(why.name()),
    }
}

/// Judges a message of `author`, and lets it take effect. What is done with it in the network.
pub(super) fn hear(
    shared: &Arc<Shared>,
    author: Option<PeerId>,
    bytes: &[u8],
) -> MessageAcceptance {
    let Some(keys) = shared.keys.get() else {
        return MessageAcceptance::Ignore;
    };
    let author = match author {
        Some(id) if id == shared.identity.peer_id() => Author::Us,
        Some(id) if shared.peer(&id).is_some() => Author::Member(id),
        _ => Author::Stranger,
    };
    if let Author::Member(id) = author
        && !shared.allows(id, Act::Announce)
    {
        return MessageAcceptance::Ignore;
    }
    let opening = Opening {
        names: &keys.names,
        pool: &keys.pool,
        secret: keys.secret.as_ref(),
        now: shared.config.clock.now(),
        body_limit: message::HOT_MAX,
    };
    let verdict = judge::judge(author, bytes, coverage(shared), &opening);
    let acceptance = verdict.acceptance();
    match (verdict, author) {
        (Verdict::Accept(word), Author::Member(id)) => take_effect(shared, id, word),
        (Verdict::Accept(_), _) => {}
        (Verdict::Ignore(why), _) => shared.count(why),
        (Verdict::Reject(offence), Author::Member(id)) => shared.strike(id, offence),
        (Verdict::Reject(_), _) => shared.count(Offence::BadGossip.name()),
    }
    acceptance
}

fn take_effect(shared: &Arc<Shared>, author: PeerId, word: Word) {
    match word {
        Word::Announced(held) => {
            let now = Instant::now();
            let mut announced = locked(&shared.gossip.announced);
            for (key, digest) in held {
                announced.announce(author, key, digest, now);
            }
        }
        Word::Wrote { position, stale } => {
            invalidation::heard_through_others(shared, author, position, stale);
        }
        Word::Budget {
            name,
            remaining,
            limit,
            reset_in,
        } => event(
            shared,
            Event::Budget {
                name,
                remaining,
                limit,
                reset_in,
            },
        ),
        Word::Hot(_, offer) => {
            let by_secret = shared.peer(&author).is_some_and(|peer| peer.by_secret);
            let from = Source::now(author, by_secret, offer.age);
            event(
                shared,
                Event::Offered {
                    offer: *offer,
                    from,
                },
            );
        }
    }
}

/// A daemon that has too much to do does without it.
fn event(shared: &Shared, event: Event) {
    if shared.events.try_send(event).is_err() {
        shared.count("gossip-not-taken");
    }
}

/// What all who hear us may be told.
fn coverage(shared: &Shared) -> super::roster::Coverage {
    let keys = shared.keys.get();
    message::coverage(keys.is_some_and(|keys| keys.secret.is_some()))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left behind are hints, as before it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
