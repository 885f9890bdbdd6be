//! One question to one peer about an entry.

use std::sync::{Arc, OnceLock};

use libp2p::PeerId;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::Lookup;
use super::held::Lease;
use crate::swarm::client::Source;
use crate::swarm::roster::Peer;
use crate::swarm::shared::AskError;
use crate::swarm::wire::message::{Answer, Question};
use crate::swarm::wire::offer::Offer;

/// What a peer answered.
#[derive(Debug)]
pub(super) enum Reply {
    /// It has something.
    Candidate(Box<Offer>, Source),
    /// We ask GitHub.
    Lease(Lease),
    /// What we have is current.
    Same,
    /// Somebody asks GitHub.
    Held,
    /// It knows nothing, and gives no lease.
    Unknown,
    /// It is gone, or would not answer.
    Gone,
}

/// A question under way. It goes on when this is dropped, and a lease that comes of it is given back.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) peer: PeerId,
    lookup: Lookup,
    asked: Instant,
    /// It is answered at once, and counts among those that are.
    counts: bool,
    /// A long body is on its way, and is waited for so long.
    arriving: Arc<OnceLock<Instant>>,
    reply: oneshot::Receiver<Reply>,
}

impl Asking {
    /// Asks `peer`.
    pub(super) fn start(lookup: &Lookup, peer: PeerId, question: Question) -> Self {
        let counts = matches!(question, Question::Lookup { .. });
        if counts {
            lookup.shared.lookups.silences().asks();
        }
        let asked = Instant::now();
        let (mut sender, reply) = oneshot::channel();
        let arriving = Arc::<OnceLock<Instant>>::default();
        let (task, body) = (lookup.clone(), Arc::clone(&arriving));
        tokio::spawn(async move {
            // It is read even if nobody waits any more: the peer is not silent, and a lease must be given back.
            let answer = task.shared.ask(peer, question).await;
            if counts && answer.is_ok() {
                let now = Instant::now();
                task.shared.lookups.silences().took(now - asked, now);
            }
            let reply = match answer {
                Ok(Answer::Long { bytes }) => task.fetch(peer, bytes, &body, &mut sender).await,
                answer => task.reply(peer, answer),
            };
            let _ = sender.send(reply);
        });
        Self {
            peer,
            lookup: lookup.clone(),
            asked,
            counts,
            arriving,
            reply,
        }
    }

    /// The reply; `None` when the peer has been silent for too long. Goes on where it was if called again.
    pub(super) async fn reply(&mut self) -> Option<Reply> {
        tokio::select! {
            biased;
            reply = &mut self.reply => return Some(reply.unwrap_or(Reply::Gone)),
            () = silence(&self.lookup, self.peer, self.asked, 1, &self.arriving) => {}
        }
        let now = Instant::now();
        self.lookup
            .shared
            .lookups
            .silences()
            .suspect(self.peer, now);
        self.lookup.shared.count("peer-silent");
        None
    }

    /// Waits until it is time to ask somebody else, too.
    pub(super) fn takes_long(&self) -> impl Future<Output = ()> + use<> {
        let times = &self.lookup.shared.config.times;
        let share = times.first_answer.as_micros() / times.hedge.as_micros().max(1);
        let share = u32::try_from(share).unwrap_or(u32::MAX).max(1);
        let (lookup, peer, asked) = (self.lookup.clone(), self.peer, self.asked);
        let arriving = Arc::clone(&self.arriving);
        async move { silence(&lookup, peer, asked, share, &arriving).await }
    }

    /// When a long body that is on its way is given up; it has said so itself by then.
    pub(super) fn arriving(&self) -> Option<Instant> {
        let until = *self.arriving.get()?;
        Some(until + self.lookup.shared.config.times.first_answer)
    }

    /// Whether the peer stands still. It is not asked again for a while then.
    pub(super) fn stands_still(&self) -> bool {
        let now = Instant::now();
        let mut silences = self.lookup.shared.lookups.silences();
        let still = silences.stands_still(&self.peer, self.asked, now);
        if still {
            silences.suspect(self.peer, now);
            drop(silences);
            self.lookup.shared.count("peer-stands-still");
        }
        still
    }

    /// The reply, however long it takes.
    pub(super) async fn patiently(&mut self) -> Reply {
        (&mut self.reply).await.unwrap_or(Reply::Gone)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.counts {
            self.lookup.shared.lookups.silences().asks_no_more();
        }
    }
}

/// Waits until `peer` has been silent for the `share`th part of a silence.
async fn silence(
    lookup: &Lookup,
    peer: PeerId,
    mut asked: Instant,
    share: u32,
    arriving: &OnceLock<Instant>,
) {
    loop {
        if let Some(until) = arriving.get() {
            sleep_until(*until + lookup.shared.config.times.first_answer).await;
            return;
        }
        match lookup.shared.lookups.look_again(&peer, asked, share) {
            Some(again) => {
                sleep_until(again).await;
                // As long as this process did not run it could not hear anything.
                asked += again.elapsed();
            }
            None => return,
        }
    }
}

impl Lookup {
    pub(super) fn reply(&self, peer: PeerId, answer: Result<Answer, AskError>) -> Reply {
        let now = Instant::now();
        match answer {
            Ok(Answer::Busy) | Err(_) => {
                // Whoever is gone is out of the ranks anyway, and welcome when it comes back.
                if self.shared.peer(&peer).is_some() {
                    self.shared.lookups.silences().suspect(peer, now);
                    self.shared.count("peer-refused");
                }
                Reply::Gone
            }
            Ok(answer) => {
                self.shared.lookups.silences().heard(peer, now);
                match answer {
                    Answer::Hit(offer) => self.candidate(peer, offer),
                    Answer::Granted(_) => {
                        Reply::Lease(Lease::granted(&self.shared, self.name, peer))
                    }
                    Answer::Same => Reply::Same,
                    Answer::Held(_) => Reply::Held,
                    _ => Reply::Unknown,
                }
            }
        }
    }

    fn candidate(&self, peer: PeerId, offer: Offer) -> Reply {
        let Some(Peer { by_secret, .. }) = self.shared.peer(&peer) else {
            return Reply::Gone;
        };
        // What was not asked for, or is known already, is no answer to this question.
        let known = || self.held.is_some_and(|held| held == offer.digest());
        if offer.key != self.key || known() {
            self.shared.count("peer-answered-something-else");
            return Reply::Unknown;
        }
        let source = Source::now(peer, by_secret, offer.age);
        Reply::Candidate(Box::new(offer), source)
    }
}
