//! What peers tell of their writes, and ask about ours.

use tokio::sync::oneshot;
use tokio::time::timeout;

use libp2p::PeerId;

use super::{Soon, naming};
use crate::swarm::client::Event;
use crate::swarm::conduct::Act;
use crate::swarm::roster::Peer;
use crate::swarm::sequence::{Arrival, CaughtUp, Missed};
use crate::swarm::shared::Shared;
use crate::swarm::wire::message::{Answer, Position, Stale};

/// The answer to [`Question::Greet`](crate::swarm::wire::message::Question::Greet).
pub(in crate::swarm) fn greeted(shared: &Shared, from: &Peer, heard: Option<Position>) -> Answer {
    let answer = shared
        .contacts
        .with(|book, now| book.greeted_by(from.id, heard, now));
    let Some((position, missed)) = answer else {
        return Answer::Busy;
    };
    let missed = match missed {
        Missed::These(stale) => {
            let mut named = naming::named(&shared.config.pool, from.coverage, stale);
            // Names that it may not know are one and the same.
            named.dedup();
            Some(named)
        }
        Missed::Unknown => None,
    };
    Answer::Greeted { position, missed }
}

/// The answer to [`Question::Pulse`](crate::swarm::wire::message::Question::Pulse).
pub(in crate::swarm) fn pulse(shared: &Shared, from: &Peer) -> Answer {
    let position = shared
        .contacts
        .with(|book, now| book.pulsed_by(from.id, now));
    position.map_or(Answer::Busy, |position| Answer::Pulse { position })
}

/// The answer to [`Question::Invalidate`](crate::swarm::wire::message::Question::Invalidate): when it has taken effect.
pub(in crate::swarm) async fn told(
    shared: &Shared,
    from: &Peer,
    position: Position,
    stale: Vec<Stale>,
) -> Answer {
    if shared.is_dropped(&from.id) {
        return Answer::Busy;
    }
    if !is_heeded(shared, from.id, 1).await {
        return Answer::Busy;
    }
    let contacts = &shared.contacts;
    let turn = contacts.turn(from.id);
    let _turn = turn.lock().await;
    let count = stale.len();
    let applied = match contacts.with(|book, _| book.arrival(from.id, position, count)) {
        Arrival::Known => return Answer::Ack,
        Arrival::Next => these(shared, stale).await,
        Arrival::Gap(why) => everything(shared, why).await,
    };
    if !applied {
        return Answer::Busy;
    }
    contacts.with(|book, _| book.applied(from.id, position));
    is_heeded(shared, from.id, count.saturating_sub(1)).await;
    Answer::Ack
}

/// Counts writes that `peer` tells of. Whoever tells of more than anybody makes is no longer listened to, so everything may be the
/// past. Those of one message are counted when they have taken effect: until then it may come again and again.
pub(super) async fn is_heeded(shared: &Shared, peer: PeerId, writes: usize) -> bool {
    if writes == 0 || shared.allows(peer, Act::Invalidate(writes)) {
        return true;
    }
    everything(shared, "flood").await;
    false
}

/// A write of `author` that came through others. Only if it is the next one: otherwise `author` itself says what is
/// missing, and nobody can make us believe in a gap.
pub(in crate::swarm) fn heard_through_others(
    shared: &Shared,
    author: PeerId,
    position: Position,
    stale: Vec<Stale>,
) {
    let count = stale.len();
    let arrival = shared
        .contacts
        .with(|book, _| book.arrival(author, position, count));
    // Mostly the author was faster.
    if arrival == Arrival::Next {
        shared.contacts.soon([Soon::Heard(author, position, stale)]);
    }
}

pub(super) async fn passed_on(
    shared: &Shared,
    author: PeerId,
    position: Position,
    stale: Vec<Stale>,
) {
    let contacts = &shared.contacts;
    let turn = contacts.turn(author);
    let _turn = turn.lock().await;
    let count = stale.len();
    let next = contacts.with(|book, _| book.arrival(author, position, count)) == Arrival::Next;
    if next && these(shared, stale).await {
        shared.count("invalidations-through-others");
        contacts.with(|book, _| book.applied(author, position));
        is_heeded(shared, author, count).await;
    }
}

/// Lets what a greeting brought take effect.
pub(super) async fn catch_up(shared: &Shared, verdict: CaughtUp) -> bool {
    match verdict {
        CaughtUp::These(stale) if stale.is_empty() => true,
        CaughtUp::These(stale) => these(shared, stale).await,
        CaughtUp::Everything(why) => everything(shared, why).await,
    }
}

async fn these(shared: &Shared, mut stale: Vec<Stale>) -> bool {
    stale.dedup();
    take_effect(shared, |done| Event::Stale { stale, done }).await
}

pub(super) async fn everything(shared: &Shared, why: &'static str) -> bool {
    let why = reason(why);
    shared.count(why);
    take_effect(shared, |done| Event::EverythingStale { why, done }).await
}

/// Whether the daemon said in time that it has.
async fn take_effect(shared: &Shared, event: impl FnOnce(oneshot::Sender<()>) -> Event) -> bool {
    let (done, effect) = oneshot::channel();
    let told = async { shared.events.send(event(done)).await.is_ok() && effect.await.is_ok() };
    timeout(shared.config.times.contact, told)
        .await
        .unwrap_or(false)
}

/// The name under which it is counted that everything is asked again.
fn reason(why: &'static str) -> &'static str {
    match why {
        "restarted" => "everything-stale-restarted",
        "went-back" => "everything-stale-went-back",
        "too-many-missed" => "everything-stale-too-many-missed",
        "gap" => "everything-stale-gap",
        "unheard" => "everything-stale-unheard",
        "silent" => "everything-stale-silent",
        "hung-up" => "everything-stale-hung-up",
        "flood" => "everything-stale-flood",
        _ => "everything-stale",
    }
}
