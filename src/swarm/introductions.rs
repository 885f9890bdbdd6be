//! Introductions: every admitted peer is asked whom it knows, so that one record or one address opens the whole
//! fleet.
//!
//! Soon after a peer came its own picture is not complete either: it has just come itself, or does not know yet
//! where it can be reached. So it is asked again after a few seconds, and then now and then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::client::Event;
use super::shared::Shared;
use super::wire::message::{Answer, Question};

/// How long after the first question the next ones are asked; the last is repeated.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
];
/// The longest that an answer is waited for.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest that our own record is waited for.
const OWN: Duration = Duration::from_secs(1);
/// Questions under way.
const ASKING_MAX: usize = 16;

/// When a peer is asked next, and how often it was.
#[derive(Debug, Clone, Copy)]
struct Turn {
    at: Instant,
    asked: usize,
}

/// Asks everybody who is admitted, until the swarm ends.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut roster = shared.roster.subscribe();
    let mut turns: HashMap<PeerId, Turn> = HashMap::new();
    let mut asking = JoinSet::new();
    loop {
        let now = Instant::now();
        let peers: Vec<PeerId> = {
            let roster = roster.borrow_and_update();
            roster.peers.iter().map(|peer| peer.id).collect()
        };
        turns.retain(|peer, _| peers.contains(peer));
        for peer in peers {
            let turn = turns.entry(peer).or_insert(Turn { at: now, asked: 0 });
            if turn.at <= now && asking.len() < ASKING_MAX {
                *turn = after(*turn, now);
                asking.spawn(ask(Arc::clone(&shared), peer));
            }
        }
        let next = turns.values().map(|turn| turn.at).min();
        let is_full = asking.len() >= ASKING_MAX;
        tokio::select! {
            changed = roster.changed() => if changed.is_err() { return },
            () = due(next), if !is_full => {}
            Some(_) = asking.join_next() => {}
        }
    }
}

/// The turn after one that is taken at `now`.
fn after(turn: Turn, now: Instant) -> Turn {
    let last = AGAIN.len() - 1;
    Turn {
        at: now + AGAIN[turn.asked.min(last)],
        asked: turn.asked + 1,
    }
}

async fn due(next: Option<Instant>) {
    match next {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Tells `peer` where we are, and passes on whom it knows to be verified.
async fn ask(shared: Arc<Shared>, peer: PeerId) {
    let own = own_record(&shared).await;
    let asked = shared.ask(peer, Question::Peers { own });
    match timeout(ANSWER, asked).await {
        Ok(Ok(Answer::Peers(records))) if records.is_empty() => {}
        Ok(Ok(Answer::Peers(records))) => {
            let event = Event::Introduced { by: peer, records };
            if shared.events.try_send(event).is_err() {
                shared.count("introductions-dropped");
            }
        }
        _ => shared.count("introductions-unanswered"),
    }
}

/// Our own record; none as long as we do not know where we can be reached.
async fn own_record(shared: &Shared) -> Option<Vec<u8>> {
    let (reply, records) = oneshot::channel();
    let wanted = Event::RecordsWanted { reply };
    shared.events.try_send(wanted).ok()?;
    let records = timeout(OWN, records).await.ok()?.ok()?;
    records.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_asked_often_at_first_and_then_now_and_then() {
        let start = Instant::now();
        let mut turn = Turn {
            at: start,
            asked: 0,
        };
        let waits: Vec<_> = (0..6)
            .map(|_| {
                let now = turn.at;
                turn = after(turn, now);
                (turn.at - now).as_secs()
            })
            .collect();
        assert_eq!(waits, [2, 10, 60, 300, 300, 300]);
    }
}
