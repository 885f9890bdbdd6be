//! Telling every peer of our writes, and hearing of theirs.
//!
//! [`contact`](super::contact) decides; this asks, answers and waits. One task keeps the contact with all peers: it has one timer, and
//! whatever it starts ends with it.

mod inbound;
mod naming;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, timeout, timeout_at};
use tracing::{debug, info};

use super::client::Told;
use super::config::Times;
use super::contact::{Book, Contact, Due, Target, Wait};
use super::gossip;
use super::roster::Roster;
use super::shared::Shared;
use super::wire::message::{Answer, Position, Question, Stale};

pub(super) use inbound::{greeted, heard_through_others, pulse, told};
pub(super) use naming::named;

/// How long to wait before a peer that could not take a message is told again.
const AGAIN: Duration = Duration::from_millis(50);

/// The contact book, and whoever waits for something to change in it.
#[derive(Debug)]
pub(super) struct Contacts {
    /// A std mutex: held for a few map operations, never across an await.
    book: Mutex<Book>,
    contact: Contact,
    /// One at a time tells of each peer's writes, so that they take effect in their order.
    turns: Mutex<HashMap<PeerId, Arc<tokio::sync::Mutex<()>>>>,
    /// Somebody acknowledged, or is gone.
    settled: watch::Sender<()>,
    /// What [`keep`] has to do at once, besides greetings.
    due: Mutex<Vec<Soon>>,
    /// There is something in it, or somebody to be greeted.
    wake: Notify,
}

/// What does not wait for the next pulse.
#[derive(Debug)]
enum Soon {
    /// Tell this peer of what was written.
    Tell(PeerId),
    /// Ask everything again, for this reason.
    EverythingStale(&'static str),
    /// Somebody passed on what this peer wrote.
    Heard(PeerId, Position, Vec<Stale>),
}

impl Contacts {
    /// Nobody is known.
    pub(super) fn new(times: Times, contact: Contact) -> Self {
        // Without random bytes there are no connections either, which need them: nobody hears this number.
        let epoch = getrandom::u64().unwrap_or_default();
        Self {
            book: Mutex::new(Book::new(times, epoch)),
            contact,
            turns: Mutex::default(),
            settled: watch::Sender::default(),
            due: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// The roster is about to be `now`: whoever is new can be answered from here on.
    pub(super) fn came(&self, before: &Roster, now: &Roster) {
        let mut anybody = false;
        for peer in now.peers.iter().filter(|peer| !before.has(&peer.id)) {
            self.with(|book, now| book.connected(peer.id, now));
            anybody = true;
        }
        if anybody {
            self.wake.notify_one();
        }
    }

    /// The roster is `now`: nobody waits any more for who is not in it.
    pub(super) fn went(&self, before: &Roster, now: &Roster) {
        let mut anybody = false;
        for peer in before.peers.iter().filter(|peer| !now.has(&peer.id)) {
            anybody = true;
            if let Some(why) = self.with(|book, now| book.gone(peer.id, now)) {
                self.soon([Soon::EverythingStale(why)]);
            }
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever waits for its turn still has it.
            turns.retain(|id, turn| *id != peer.id || Arc::strong_count(turn) > 1);
        }
        if anybody {
            self.settled.send_replace(());
        }
    }

    fn soon(&self, due: impl IntoIterator<Item = Soon>) {
        let mut all = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(due);
        drop(all);
        self.wake.notify_one();
    }

    fn due(&self) -> Vec<Soon> {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does something with the book, and lets everybody who asks whether we are in contact know.
    fn with<T>(&self, act: impl FnOnce(&mut Book, Instant) -> T) -> T {
        // A poisoned lock still holds a book that errs on the side of being out of contact.
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut book, Instant::now());
        self.contact.set(book.standing());
        result
    }

    /// The right to let writes of `peer` take effect.
    fn turn(&self, peer: PeerId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(peer).or_default())
    }

    /// How telling `targets` stands; `None` while somebody has neither acknowledged nor been lost.
    fn outcome(&self, targets: &[Target]) -> Option<Told> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mut told = Told::default();
        for target in targets {
            match book.wait(target, now) {
                Wait::Acknowledged => told.acknowledged += 1,
                Wait::Lost => told.lost += 1,
                Wait::NotYet => return None,
            }
        }
        Some(told)
    }
}

/// A write of ours: everybody will be told. Returns who has to know before it counts as done.
pub(super) fn write(shared: &Shared, stale: Vec<Stale>) -> Vec<Target> {
    let contacts = &shared.contacts;
    let written = contacts.with(|book, now| book.write(stale, now));
    if !written.stale.is_empty() {
        gossip::wrote(shared, written.position, written.stale);
    }
    if !written.start.is_empty() {
        contacts.soon(written.start.into_iter().map(Soon::Tell));
    }
    written.targets
}

/// Waits until each of `targets` has acknowledged or is out of contact: as long as a lease of contact at most.
pub(super) async fn settled(shared: &Shared, targets: Vec<Target>) -> Told {
    let contacts = &shared.contacts;
    let mut changes = contacts.settled.subscribe();
    // All have the same length, so the last to run out is among these.
    let last = targets.iter().map(|target| target.deadline).max();
    loop {
        changes.mark_unchanged();
        if let Some(told) = contacts.outcome(&targets) {
            return told;
        }
        let Some(last) = last else {
            return Told::default();
        };
        // At `last` nobody is left to wait for, whether something changed or not.
        let _ = timeout_at(last, changes.changed()).await;
    }
}

/// Keeps the contact with all admitted peers, and tells them what there is to tell, until it is dropped.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let mut tick = tokio::time::interval(shared.config.times.pulse);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                for due in shared.contacts.with(Book::tick) {
                    start(&shared, &mut tasks, due);
                }
            }
            () = shared.contacts.wake.notified() => {
                for peer in shared.contacts.with(|book, _| book.greetings()) {
                    start(&shared, &mut tasks, Due::Greet(peer));
                }
                for soon in shared.contacts.due() {
                    match soon {
                        Soon::Tell(peer) => {
                            tasks.spawn(tell(Arc::clone(&shared), peer));
                        }
                        Soon::Heard(author, position, stale) => {
                            let shared = Arc::clone(&shared);
                            tasks.spawn(async move {
                                inbound::passed_on(&shared, author, position, stale).await;
                            });
                        }
                        Soon::EverythingStale(why) => {
                            start(&shared, &mut tasks, Due::EverythingStale(why));
                        }
                    }
                }
            }
            Some(_) = tasks.join_next() => {}
        }
    }
}

fn start(shared: &Arc<Shared>, tasks: &mut JoinSet<()>, due: Due) {
    let shared = Arc::clone(shared);
    match due {
        Due::Greet(peer) => {
            tasks.spawn(greet(shared, peer));
        }
        Due::Pulse(peer, connection, position) => {
            tasks.spawn(ask_pulse(shared, peer, connection, position));
        }
        Due::HangUp(peer) => {
            info!(%peer, "a peer fell silent; its connection ends");
            shared.disconnect(peer);
        }
        Due::EverythingStale(why) => {
            tasks.spawn(async move {
                // It may have too much to do; that everything is asked again must not be forgotten for it.
                while !inbound::everything(&shared, why).await && !shared.events.is_closed() {
                    tokio::time::sleep(shared.config.times.pulse).await;
                }
            });
        }
    }
}

/// Tells `peer` of one message's worth of writes after the other, until it knows all or is out of contact.
async fn tell(shared: Arc<Shared>, peer: PeerId) {
    while let Some(message) = shared.contacts.with(|book, _| book.message(peer)) {
        // Without an entry in the roster it is about to be gone.
        let answer = match shared.peer(&peer) {
            Some(row) => {
                shared.count("invalidations-sent");
                let pool = &shared.config.pool;
                let question = Question::Invalidate {
                    position: message.position,
                    stale: named(pool, row.coverage, message.stale),
                };
                timeout_at(message.deadline, shared.ask(peer, question)).await
            }
            None => Ok(Ok(Answer::Busy)),
        };
        let (connection, sequence) = (message.connection, message.position.sequence);
        if let Ok(Ok(Answer::Ack)) = answer {
            shared.count("invalidations-acked");
            let contacts = &shared.contacts;
            contacts.with(|book, _| book.acknowledged(peer, connection, sequence));
            contacts.settled.send_replace(());
        } else if Instant::now() < message.deadline {
            let again = (Instant::now() + AGAIN).min(message.deadline);
            tokio::time::sleep_until(again).await;
        } else {
            shared.count("invalidations-lost");
            debug!(%peer, "a peer did not acknowledge a write in time");
            let contacts = &shared.contacts;
            if contacts.with(|book, now| book.gave_up(peer, connection, now)) {
                shared.disconnect(peer);
            }
            contacts.settled.send_replace(());
        }
    }
}

async fn ask_pulse(shared: Arc<Shared>, peer: PeerId, connection: u64, position: Position) {
    let asked = Instant::now();
    let question = Question::Pulse { position };
    let answer = timeout(shared.config.times.contact, shared.ask(peer, question)).await;
    let contacts = &shared.contacts;
    match answer {
        Ok(Ok(Answer::Pulse { position })) => {
            contacts.with(|book, _| book.pulsed(peer, connection, asked, position));
        }
        answer => {
            let refused = matches!(answer, Ok(Ok(Answer::Busy)));
            contacts.with(|book, _| book.unanswered(peer, connection, refused));
        }
    }
}

/// Says where we stand and takes over what we missed. Nothing else that the peer tells takes effect meanwhile.
async fn greet(shared: Arc<Shared>, peer: PeerId) {
    let contacts = &shared.contacts;
    let turn = contacts.turn(peer);
    let _turn = turn.lock().await;
    let state = contacts.with(|book, _| Some((book.greeting(peer)?, book.position())));
    let Some(((connection, heard), position)) = state else {
        return;
    };
    let asked = Instant::now();
    let question = Question::Greet { position, heard };
    let answer = timeout(shared.config.times.contact, shared.ask(peer, question)).await;
    match answer {
        Ok(Ok(Answer::Greeted { position, missed })) => {
            let count = missed.as_ref().map_or(1, Vec::len);
            let verdict = contacts.with(|book, _| book.caught_up(peer, position, missed));
            if inbound::catch_up(&shared, verdict).await {
                inbound::is_heeded(&shared, peer, count).await;
                contacts.with(|book, _| book.greeted(peer, connection, asked, position));
            } else {
                contacts.with(|book, _| book.unanswered(peer, connection, false));
            }
        }
        answer => {
            let refused = matches!(answer, Ok(Ok(Answer::Busy)));
            contacts.with(|book, _| book.unanswered(peer, connection, refused));
        }
    }
}
