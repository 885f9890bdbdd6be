//! What peers ask, answered.
//!
//! From what is here alone: a peer's question never makes us ask another peer, or GitHub.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::client::{Event, Source};
use super::conduct::{Act, Offence};
use super::desk::{Handed, Heard};
use super::invalidation;
use super::lease::Taken;
use super::pool::WireKey;
use super::roster::Peer;
use super::shared::Shared;
use super::wire::message::{Answer, Question};
use super::wire::offer::Offer;
use crate::digest::Digest;

/// The longest body that is an answer at once. A longer one takes a while even to somebody close, so that it is told of
/// first, and brought when it is asked for.
const AT_ONCE: usize = 64 << 10;
/// How long the local tiers may take for an entry of which the asker knows that it is here.
const FETCH: Duration = Duration::from_secs(1);
/// How long our records may take.
const RECORDS: Duration = Duration::from_secs(1);
/// Records in one answer.
const RECORDS_MAX: usize = 64;
/// And their bytes.
const RECORDS_BYTES: usize = 60 << 10;

/// The answer to `question` by `from`.
pub(super) async fn serve(shared: Arc<Shared>, from: Peer, question: Question) -> Answer {
    match question {
        Question::Lookup { key, held, lease } => lookup(&shared, &from, key, held, lease).await,
        Question::Await { key, held, wait } => wait_for(&shared, &from, key, held, wait).await,
        Question::Fetch { key, held } => fetch(&shared, &from, key, held).await,
        Question::Renew { key } => match shared.desk.renew(&key, from.id) {
            Some(lease) => Answer::Granted(lease),
            None => Answer::Unknown,
        },
        Question::Release { key, ended } => {
            shared.desk.end(&key, from.id, ended);
            Answer::Ack
        }
        Question::Store { key, offer } => stored(&shared, &from, key, offer),
        Question::Peers { own } => peers(&shared, &from, own).await,
        Question::Pulse { .. } => invalidation::pulse(&shared, &from),
        Question::Greet { heard, .. } => invalidation::greeted(&shared, &from, heard),
        Question::Invalidate { position, stale } => {
            invalidation::told(&shared, &from, position, stale).await
        }
    }
}

async fn lookup(
    shared: &Shared,
    from: &Peer,
    key: WireKey,
    held: Option<Digest>,
    lease: bool,
) -> Answer {
    if let Some(offer) = in_tiers(shared, from, key, held, at_once(shared)).await {
        return hit(offer);
    }
    if !lease {
        let held = shared.desk.held(&key, from.id);
        return held.map_or(Answer::Unknown, Answer::Held);
    }
    match shared.desk.take(&key, from.id) {
        Taken::Granted(lease) => Answer::Granted(lease),
        Taken::Held(remaining) => Answer::Held(remaining),
        Taken::NotShared => Answer::Unknown,
        Taken::Full => {
            shared.count("lease-table-full");
            Answer::Unknown
        }
    }
}

async fn wait_for(
    shared: &Shared,
    from: &Peer,
    key: WireKey,
    held: Option<Digest>,
    wait: Duration,
) -> Answer {
    // It may have come between the two questions.
    if let Some(offer) = in_tiers(shared, from, key, held, at_once(shared)).await {
        return hit(offer);
    }
    let wait = wait.min(shared.config.times.lease);
    match shared.desk.wait(&key, from.id, held, wait).await {
        Heard::Entry(handed) if from.coverage.covers(handed.offer.audience) => {
            hit(handed.offer.clone())
        }
        Heard::Same => Answer::Same,
        Heard::Granted(lease) => Answer::Granted(lease),
        Heard::Held(remaining) => Answer::Held(remaining),
        Heard::Entry(_) | Heard::NotShared | Heard::Dismissed => Answer::Unknown,
    }
}

/// The entry that `from` was told of; [`Answer::Unknown`] if it is gone by now.
async fn fetch(shared: &Shared, from: &Peer, key: WireKey, held: Option<Digest>) -> Answer {
    let Some(offer) = in_tiers(shared, from, key, held, FETCH).await else {
        return Answer::Unknown;
    };
    if !shared.allows(from.id, Act::Bytes(offer.body.len())) {
        return Answer::Busy;
    }
    Answer::Hit(offer)
}

/// There is an entry: here it is, or how long it is.
fn hit(offer: Offer) -> Answer {
    let bytes = offer.body.len();
    if bytes > AT_ONCE {
        let bytes = bytes as u64;
        return Answer::Long { bytes };
    }
    Answer::Hit(offer)
}

/// How long the local tiers may take for a first answer. 40 ms: whoever asks waits for 50 in all.
fn at_once(shared: &Shared) -> Duration {
    shared.config.times.first_answer * 4 / 5
}

/// What the local tiers have for `from`, if they say so within `most`.
async fn in_tiers(
    shared: &Shared,
    from: &Peer,
    key: WireKey,
    held: Option<Digest>,
    most: Duration,
) -> Option<Offer> {
    let (reply, answer) = oneshot::channel();
    let event = Event::Lookup {
        key,
        held,
        coverage: from.coverage,
        reply,
    };
    if shared.events.try_send(event).is_err() {
        shared.count("tiers-busy");
        return None;
    }
    let Ok(answer) = timeout(most, answer).await else {
        shared.count("tiers-slow");
        return None;
    };
    let offer = answer.ok().flatten()?;
    from.coverage.covers(offer.audience).then_some(offer)
}

/// `from` gave us an entry to hold.
fn stored(shared: &Shared, from: &Peer, key: WireKey, offer: Offer) -> Answer {
    if !shared.allows(from.id, Act::Store) {
        return Answer::Busy;
    }
    // Who may not see such entries cannot have them.
    if !from.coverage.covers(offer.audience) {
        shared.strike(from.id, Offence::WrongAudience);
        return Answer::Ack;
    }
    let source = Source::now(from.id, from.by_secret, offer.age);
    let digest = offer.digest();
    let handed = Arc::new(Handed {
        offer: offer.clone(),
        source,
    });
    // Before those who wait hear of it: whoever asks after them finds it here.
    let event = Event::Offered {
        offer,
        from: source,
    };
    if shared.events.try_send(event).is_err() {
        shared.count("tiers-busy");
    }
    shared.desk.stored(&key, from.id, digest, &handed);
    Answer::Ack
}

/// Whom we know; whoever asks introduces itself.
async fn peers(shared: &Shared, from: &Peer, own: Option<Vec<u8>>) -> Answer {
    if let Some(own) = own {
        let event = Event::Introduced {
            by: from.id,
            records: vec![own],
        };
        if shared.events.try_send(event).is_err() {
            shared.count("tiers-busy");
        }
    }
    let (reply, records) = oneshot::channel();
    if shared
        .events
        .try_send(Event::RecordsWanted { reply })
        .is_err()
    {
        return Answer::Busy;
    }
    let Ok(Ok(mut records)) = timeout(RECORDS, records).await else {
        return Answer::Busy;
    };
    let mut bytes = 0;
    let fits = records.iter().take(RECORDS_MAX).take_while(|record| {
        bytes += record.len();
        bytes <= RECORDS_BYTES
    });
    let fits = fits.count();
    records.truncate(fits);
    Answer::Peers(records)
}
