//! Handing entries to their owners.
//!
//! It never holds anybody up: what cannot be sent now is not sent, and is counted. An entry that is missing
//! at its owners costs a question to GitHub, no more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use libp2p::PeerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::client::Source;
use super::desk::Handed;
use super::gossip::{self, Turn};
use super::lookup::{Holding, Over};
use super::pool::WireKey;
use super::ring;
use super::roster::Peer;
use super::shared::Shared;
use super::wire::message::{Answer, Ended, Question};
use super::wire::offer::Offer;

/// What may be on its way to owners at once, in KiB.
const ROOM: usize = 64 << 10;
/// What each entry takes of it at least, so that their number is bounded, too.
const LEAST: usize = 32;
/// An owner that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(10);

/// Room for entries on their way.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM)))
    }
}

impl Room {
    /// Room to send `bytes` to so many peers; `None` if too much is on its way.
    fn reserve(&self, bytes: usize, peers: usize) -> Option<OwnedSemaphorePermit> {
        let each = (bytes / 1024).max(LEAST);
        let all = u32::try_from(each * peers).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(all).ok()
    }
}

/// GitHub has confirmed `offer`, which `by` brought. If that is one of its owners, or we are, then the owners have it:
/// whoever stored it there gave it to all of them, and what comes back from each member would cost more than it saves.
pub(super) fn confirmed(shared: &Arc<Shared>, offer: Offer, by: PeerId) {
    let Some(keys) = shared.keys.get() else {
        return;
    };
    let name = keys.names.name(&offer.key);
    let us = shared.identity.peer_id();
    let peers = Arc::clone(&shared.roster.borrow().peers);
    let members = peers
        .iter()
        .filter(|peer| peer.coverage.covers(offer.audience));
    let members = members.map(|peer| &peer.id).chain([&us]);
    let owners = ring::ranked(&name, members, ring::OWNERS);
    if !owners.contains(&by) && !owners.contains(&us) {
        return store(shared, offer);
    }
    shared.count("offer-spared");
    gossip::announce(shared, name, offer.digest(), offer.audience, Turn::InTurn);
}

/// Gives `offer` to the owners of its key, and to those who wait for it at our own desk.
pub(super) fn store(shared: &Arc<Shared>, offer: Offer) {
    let Some(keys) = shared.keys.get() else {
        return;
    };
    let name = keys.names.name(&offer.key);
    // From here on the lease is this function's to end.
    let holding = shared.lookups.holdings.take(&name);
    if offer.body.len() > shared.config.body_limit {
        shared.count("offer-too-long");
        return end(holding, Ended::NotShared);
    }
    let us = shared.identity.peer_id();
    let peers = Arc::clone(&shared.roster.borrow().peers);
    let covered = |peer: &&Peer| peer.coverage.covers(offer.audience);
    let owner = holding.as_ref().map(|holding| holding.owner);
    let lessor = peers
        .iter()
        .filter(|peer| Some(peer.id) == owner)
        .find(covered);
    let members = peers.iter().filter(covered).map(|peer| &peer.id);
    let mut owners = ring::ranked(&name, members, ring::OWNERS);
    // Whoever gave the lease has those who wait, even if it is no owner any more.
    if let Some(lessor) = lessor
        && !owners.contains(&lessor.id)
    {
        owners.push(lessor.id);
    }

    let digest = offer.digest();
    let source = Source::now(us, false, offer.age);
    let handed = Arc::new(Handed { offer, source });
    shared.desk.stored(&name, us, digest, &handed);
    let audience = handed.offer.audience;
    gossip::announce(shared, name, digest, audience, Turn::AtOnce);
    if owners.is_empty() {
        return end(holding, Ended::NotShared);
    }
    let Some(room) = shared
        .lookups
        .room
        .reserve(handed.offer.body.len(), owners.len())
    else {
        shared.count("offer-not-sent");
        return end(holding, Ended::Failed);
    };
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let sent = owners
            .iter()
            .map(|owner| send(&shared, *owner, name, &handed.offer));
        let sent = join_all(sent).await;
        if let Some(holding) = holding {
            let told = owners.iter().position(|owner| *owner == holding.owner);
            match told {
                Some(at) if sent[at] => holding.end(Over::Stored),
                Some(_) => holding.end(Over::Told(Ended::Failed)),
                // Our own desk knows.
                None if holding.owner == us => holding.end(Over::Stored),
                // Another one may not be given this entry, so nobody who waits there will get it.
                None => holding.end(Over::Told(Ended::NotShared)),
            }
        }
        drop(room);
    });
}

fn end(holding: Option<Holding>, ended: Ended) {
    if let Some(holding) = holding {
        holding.end(Over::Told(ended));
    }
}

/// Whether `owner` has taken it.
async fn send(shared: &Shared, owner: PeerId, key: WireKey, offer: &Offer) -> bool {
    let question = Question::Store {
        key,
        offer: offer.clone(),
    };
    let taken = timeout(LONGEST, shared.ask(owner, question)).await;
    let taken = matches!(taken, Ok(Ok(Answer::Ack)));
    shared.count(if taken {
        "offer-sent"
    } else {
        "offer-not-taken"
    });
    taken
}
