//! What the event loop, the clients and the tasks between them have in common.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use libp2p::PeerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::client::Event;
use super::conduct::{self, Act, Conduct, Offence, Verdict};
use super::config::Config;
use super::contact::Contact;
use super::desk::Desk;
use super::event_loop::Command;
use super::exchange;
use super::frame::Frame;
use super::gossip::Gossip;
use super::identity::Identity;
use super::invalidation::Contacts;
use super::lookup::Lookups;
use super::pool::{Names, PoolSecret};
use super::roster::{Peer, Roster};
use super::wire::Malformed;
use super::wire::message::{Answer, Question};
use crate::digest::Digest;

/// Questions to one peer at once. Twice this number stays below the 512 streams of a connection, because the
/// peer may ask as many: beyond it Yamux ends the connection.
const QUESTIONS_PER_PEER: usize = 192;

/// Common to everything that works for one swarm.
pub(super) struct Shared {
    pub(super) identity: Identity,
    pub(super) config: Config,
    /// Set when the keys are derived.
    pub(super) keys: OnceLock<Keys>,
    pub(super) contact: Contact,
    pub(super) contacts: Contacts,
    pub(super) gossip: Gossip,
    /// The leases that we give.
    pub(super) desk: Desk,
    /// Our own questions for entries.
    pub(super) lookups: Lookups,
    /// What peers want of the daemon.
    pub(super) events: mpsc::Sender<Event>,
    /// What the event loop is to do.
    pub(super) commands: mpsc::Sender<Command>,
    /// The admitted peers. The event loop alone changes it.
    pub(super) roster: watch::Sender<Roster>,
    /// Each admitted peer's right to be asked.
    links: RwLock<HashMap<PeerId, Link>>,
    counts: Mutex<Counts>,
    conduct: Mutex<Conduct>,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Admitted now.
    pub connected: u64,
    /// Known, connected or not.
    pub known: u64,
    /// Admissions refused, by reason, on either side.
    pub refused: BTreeMap<&'static str, u64>,
    /// Everything else, by name.
    pub reasons: BTreeMap<&'static str, u64>,
}

/// What one peer and we may ask of each other at once.
#[derive(Clone)]
struct Link {
    ask: Arc<Semaphore>,
    serve: Arc<Semaphore>,
}

/// What comes from the pool and its secret.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) names: Names,
    /// The pool's tag.
    pub(super) pool: Digest,
    pub(super) secret: Option<PoolSecret>,
}

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The peer is not admitted (any more).
    #[error("the peer is not connected")]
    NotConnected,
    /// The connection ended, or the peer gave no answer in time.
    #[error("the peer did not answer")]
    Silent,
    /// Its answer is none.
    #[error("the peer's answer cannot be read")]
    Malformed,
    /// The question is longer than what the peer takes.
    #[error("the question cannot be sent")]
    Unsendable,
}

impl Shared {
    pub(super) fn new(
        identity: Identity,
        config: Config,
        events: mpsc::Sender<Event>,
        commands: mpsc::Sender<Command>,
    ) -> Self {
        let contact = Contact::default();
        let limits = conduct::Limits {
            dropped: config.times.dropped,
            ..conduct::Limits::default()
        };
        Self {
            desk: Desk::new(&config.times),
            lookups: Lookups::new(&config.times),
            conduct: Mutex::new(Conduct::new(limits)),
            identity,
            contacts: Contacts::new(config.times, contact.clone()),
            gossip: Gossip::default(),
            config,
            keys: OnceLock::new(),
            contact,
            events,
            commands,
            roster: watch::Sender::default(),
            links: RwLock::default(),
            counts: Mutex::default(),
        }
    }

    /// Asks an admitted peer, as soon as fewer than [`QUESTIONS_PER_PEER`] are under way to it. Whoever needs
    /// an answer sooner than the exchange's own timeout says so around it; dropping it forgets the answer.
    pub(super) async fn ask(&self, peer: PeerId, question: Question) -> Result<Answer, AskError> {
        let link = self.link(&peer).ok_or(AskError::NotConnected)?;
        // It is closed when the peer is gone.
        let permit = link.ask.acquire_owned().await;
        let permit = permit.map_err(|_| AskError::NotConnected)?;
        let peer = self.peer(&peer).ok_or(AskError::NotConnected)?;
        let frame = exchange::encode_question(self, &peer, &question)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Ask {
            peer: peer.id,
            frame: Frame::from(frame),
            reply,
            permit,
        };
        let sent = self.commands.send(command).await;
        sent.map_err(|_| AskError::NotConnected)?;
        let frame = answer.await.map_err(|_| AskError::Silent)??;
        let answer = exchange::decode_answer(self, &peer, &question, &frame.bytes);
        answer.map_err(|why| {
            self.malformed(peer.id, why);
            AskError::Malformed
        })
    }

    /// The right of a peer to one more question; `None` if it has asked too many.
    pub(super) fn serving_permit(&self, peer: &PeerId) -> Option<OwnedSemaphorePermit> {
        self.link(peer)?.serve.try_acquire_owned().ok()
    }

    fn link(&self, peer: &PeerId) -> Option<Link> {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        links.get(peer).cloned()
    }

    /// The admitted peer with this id.
    pub(super) fn peer(&self, id: &PeerId) -> Option<Peer> {
        let roster = self.roster.borrow();
        let found = roster.peers.binary_search_by(|peer| peer.id.cmp(id));
        found.ok().map(|at| roster.peers[at].clone())
    }

    /// The admitted peers have changed.
    pub(super) fn admitted(&self, peers: Vec<Peer>) {
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        links.retain(|id, link| {
            let stays = peers.iter().any(|peer| peer.id == *id);
            if !stays {
                link.ask.close();
                self.desk.gone(*id);
                self.lookups.gone(id);
            }
            stays
        });
        for peer in &peers {
            links.entry(peer.id).or_insert_with(|| Link {
                ask: Arc::new(Semaphore::new(QUESTIONS_PER_PEER)),
                serve: Arc::new(Semaphore::new(QUESTIONS_PER_PEER)),
            });
        }
        drop(links);
        let now = Roster {
            peers: peers.into(),
        };
        let before = self.roster.borrow().clone();
        self.contacts.came(&before, &now);
        self.roster.send_replace(now.clone());
        self.contacts.went(&before, &now);
        self.gossip.went(&before, &now);
    }

    /// Gives the event loop something to do, unless it has far too much already: that is counted.
    pub(super) fn command(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            self.count("swarm-overloaded");
        }
    }

    /// Whether `peer` may do this now. Whoever did too much of it is dropped.
    pub(super) fn allows(&self, peer: PeerId, act: Act) -> bool {
        let verdict = self.conduct().judge(peer, act, Instant::now());
        if verdict == Verdict::Busy {
            self.count("peer-too-busy");
        }
        self.carry_out(peer, verdict);
        verdict == Verdict::Allow
    }

    /// `peer` did what no honest peer does, or not often. When it is enough, the peer is dropped.
    pub(super) fn strike(&self, peer: PeerId, offence: Offence) {
        self.count(offence.name());
        let verdict = self.conduct().strike(peer, offence, Instant::now());
        self.carry_out(peer, verdict);
    }

    /// `peer` sent what cannot be read.
    pub(super) fn malformed(&self, peer: PeerId, why: Malformed) {
        self.count(why.name());
        if let Some(offence) = Offence::of(why) {
            self.strike(peer, offence);
        }
    }

    /// What a verdict on `peer` asks for.
    pub(super) fn carry_out(&self, peer: PeerId, verdict: Verdict) {
        if let Verdict::Drop(offence) = verdict {
            self.drop_peer(peer, offence.name());
        }
    }

    /// How the peers behave.
    pub(super) fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `peer` was dropped, and its connections are about to end.
    pub(super) fn is_dropped(&self, peer: &PeerId) -> bool {
        self.conduct().dropped(peer, Instant::now()).is_some()
    }

    /// Ends the connections of `peer` and speaks with it no more for a while, for this reason.
    pub(super) fn drop_peer(&self, peer: PeerId, reason: &'static str) {
        self.command(Command::Drop(peer, reason));
    }

    /// Ends the connections of `peer`, which may come back.
    pub(super) fn disconnect(&self, peer: PeerId) {
        self.command(Command::Disconnect(peer));
    }

    /// Counts something by its name.
    pub(super) fn count(&self, name: &'static str) {
        *self.counting().reasons.entry(name).or_default() += 1;
    }

    /// Counts an admission that was refused.
    pub(super) fn refused(&self, reason: &'static str) {
        *self.counting().refused.entry(reason).or_default() += 1;
    }

    /// So many are known.
    pub(super) fn known(&self, known: usize) {
        self.counting().known = known as u64;
    }

    /// Everything that was counted.
    pub(super) fn counts(&self) -> Counts {
        let mut counts = self.counting().clone();
        counts.connected = self.roster.borrow().peers.len() as u64;
        counts
    }

    fn counting(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({:?})", self.identity)
    }
}
