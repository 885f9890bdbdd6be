//! The handle that everybody else holds.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::contact::Contact;
use super::event_loop::Command;
use super::gossip;
use super::hand_over;
use super::identity::{Identity, Ticket};
use super::invalidation;
use super::lookup::{self, Lease};
use super::pool::{Names, WireKey};
use super::roster::{Coverage, PeerRow, Roster};
use super::shared::{AskError, Counts, Shared};
use super::wire::message::{Answer, Question, Stale};
use super::wire::offer::Offer;
use crate::api::Key;
use crate::digest::Digest;

/// The longest wait for the end of the swarm, which may be doing something else.
const LEAVING: Duration = Duration::from_secs(1);

/// A cheap handle to the swarm.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// The event loop ends with the last of these.
    _alive: mpsc::Sender<Infallible>,
}

/// A peer that we could dial.
#[derive(Debug, Clone)]
pub struct Acquaintance {
    /// Who it is; `None` if only an address is known.
    pub peer: Option<PeerId>,
    /// Where it is.
    pub addresses: Vec<Multiaddr>,
    /// What lets us in there.
    pub ticket: Option<Ticket>,
}

/// What came of a lookup.
#[derive(Debug)]
pub enum Found {
    /// A peer has this. It is a candidate: GitHub judges.
    Candidate(Offer, Source),
    /// Nobody has it, and others wait for us to ask GitHub.
    Lease(Lease),
    /// Whoever gives the lease has nothing, another peer has this: a candidate for the question that others wait for.
    Leased(Lease, Box<Offer>, Source),
    /// Somebody else's question to GitHub has just shown that what we have is current for it: our own free
    /// question will do.
    Same,
    /// Ask GitHub.
    Nothing(Nothing),
}

/// Why a lookup brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// There is no admitted peer.
    Alone,
    /// Nobody answered in time.
    Silence,
    /// Somebody asked GitHub for everybody, and did not come back in time.
    WaitedInVain,
    /// What there is may not be shared.
    NotShared,
}

/// Where a candidate came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The peer.
    pub peer: PeerId,
    /// Whether it was admitted by the secret.
    pub by_secret: bool,
    /// How old it said the entry is.
    pub age: Duration,
    /// When it said so.
    pub received: Instant,
}

impl Source {
    /// What `peer` said just now.
    pub fn now(peer: PeerId, by_secret: bool, age: Duration) -> Self {
        Self {
            peer,
            by_secret,
            age,
            received: Instant::now(),
        }
    }

    /// How old the entry is by now, if the peer said the truth.
    pub fn age_now(&self) -> Duration {
        self.age.saturating_add(self.received.elapsed())
    }
}

/// What became of telling the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Peers that acknowledged.
    pub acknowledged: usize,
    /// Peers that did not, and count as lost by now.
    pub lost: usize,
}

/// What the swarm wants of us.
#[derive(Debug)]
pub enum Event {
    /// A peer asks for an entry. From local tiers alone; `None` if there is none that it may be given, or
    /// only the one that it has.
    Lookup {
        /// What for.
        key: WireKey,
        /// What it has.
        held: Option<Digest>,
        /// What it may be given.
        coverage: Coverage,
        /// Where the answer goes.
        reply: oneshot::Sender<Option<Offer>>,
    },
    /// A peer gave us an entry to hold, or pushed one that is asked for often.
    Offered {
        /// The entry.
        offer: Offer,
        /// Who.
        from: Source,
    },
    /// A peer's client wrote. Acknowledged by `done`, when no hit shows the past any more.
    Stale {
        /// What may have changed.
        stale: Vec<Stale>,
        /// Tells the writer.
        done: oneshot::Sender<()>,
    },
    /// Writes may have been missed: everything is asked again. Acknowledged in the same way.
    EverythingStale {
        /// Why, by name.
        why: &'static str,
        /// Says that it has taken effect.
        done: oneshot::Sender<()>,
    },
    /// A peer said how much of a budget is left.
    Budget {
        /// The name of the budget among peers.
        name: [u8; 16],
        /// Calls left of `limit`.
        remaining: u32,
        /// Calls in each window.
        limit: u32,
        /// Seconds until it is renewed.
        reset_in: Duration,
    },
    /// A peer told us of others: signed records, not yet verified.
    Introduced {
        /// Who told.
        by: PeerId,
        /// What.
        records: Vec<Vec<u8>>,
    },
    /// A peer wants to know whom we know: our own record first.
    RecordsWanted {
        /// Where they go.
        reply: oneshot::Sender<Vec<Vec<u8>>>,
    },
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, alive: mpsc::Sender<Infallible>) -> Self {
        Self {
            shared,
            _alive: alive,
        }
    }

    /// Who we are.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// What keys are called among the peers; `None` until the swarm runs.
    pub fn names(&self) -> Option<Names> {
        self.shared.keys.get().map(|keys| keys.names.clone())
    }

    /// Asks an admitted peer, and waits for its answer as long as a slow transfer may take.
    pub async fn ask(&self, peer: PeerId, question: Question) -> Result<Answer, AskError> {
        self.shared.ask(peer, question).await
    }

    /// Whether anybody is out of contact.
    pub fn contact(&self) -> &Contact {
        &self.shared.contact
    }

    /// Looks for `key` among its owners: at most 50 ms to a first answer, and as long as a lease if somebody is
    /// asking GitHub already. `held`: the body that we have and would ask about.
    pub async fn lookup(&self, key: Key, held: Option<Digest>) -> Found {
        lookup::lookup(&self.shared, key, held).await
    }

    /// Gives `offer` to its owners and announces it. Returns at once. If we have the lease of its key, it ends when
    /// its owner has the entry, whatever becomes of the [`Lease`].
    pub fn store(&self, offer: Offer) {
        hand_over::store(&self.shared, offer);
    }

    /// GitHub has confirmed `offer`, which `source` brought: announces it, and gives it to its owners unless they have it.
    pub fn confirmed(&self, offer: Offer, source: Source) {
        hand_over::confirmed(&self.shared, offer, source.peer);
    }

    /// Tells every admitted peer, and waits until each has acknowledged or has surely fallen out of contact.
    pub async fn invalidate(&self, stale: Vec<Stale>) -> Told {
        let targets = invalidation::write(&self.shared, stale);
        invalidation::settled(&self.shared, targets).await
    }

    /// The same without waiting: something is about to be written.
    pub fn invalidate_soon(&self, stale: Vec<Stale>) {
        invalidation::write(&self.shared, stale);
    }

    /// What GitHub said about a candidate: whether it confirmed it.
    pub fn judged(&self, source: Source, confirmed: bool) {
        let now = Instant::now();
        let verdict = self
            .shared
            .conduct()
            .judged(source.peer, source.age_now(), confirmed, now);
        self.shared.carry_out(source.peer, verdict);
    }

    /// This entry is asked for often: everybody is given it.
    pub fn push(&self, offer: Offer) {
        gossip::push(&self.shared, offer);
    }

    /// Everybody who uses this budget should know what is left of it.
    pub fn budget(&self, credential: &[u8], remaining: u32, limit: u32, reset_in: Duration) {
        gossip::budget(&self.shared, credential, remaining, limit, reset_in);
    }

    /// A peer that we could dial: where it is, and what lets us in there.
    pub fn know(&self, acquaintance: Acquaintance) {
        self.shared.command(Command::Know(acquaintance));
    }

    /// Dials an address of which nothing else is known.
    pub fn dial(&self, address: Multiaddr) {
        self.shared.command(Command::Dial(address));
    }

    /// Where others reach us: what we listen on, as far as it is known. Empty while the swarm does not run.
    pub async fn addresses(&self) -> Vec<Multiaddr> {
        self.query(Command::Addresses).await
    }

    /// Who is admitted now.
    pub fn roster(&self) -> Roster {
        self.shared.roster.borrow().clone()
    }

    /// Tells of every change of the roster.
    pub fn watch_roster(&self) -> watch::Receiver<Roster> {
        self.shared.roster.subscribe()
    }

    /// Everybody we know.
    pub async fn peers(&self) -> Vec<PeerRow> {
        self.query(Command::Peers).await
    }

    /// What was counted, by name.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Counts something about peers by its name.
    pub fn count(&self, name: &'static str) {
        self.shared.count(name);
    }

    /// Says goodbye to every peer and ends the swarm: from then on we are alone. Returns when that is done, or at once if it
    /// does not run; it takes a second at most.
    pub async fn leave(&self) {
        if self.names().is_none() {
            return;
        }
        let (done, gone) = oneshot::channel();
        let leaving = async {
            // An error says that it has ended already.
            let _ = self.shared.commands.send(Command::Leave(done)).await;
            let _ = gone.await;
        };
        let _ = tokio::time::timeout(LEAVING, leaving).await;
    }

    async fn query<T: Default>(&self, command: fn(oneshot::Sender<T>) -> Command) -> T {
        let (reply, answer) = oneshot::channel();
        self.shared.command(command(reply));
        // An error says that the loop has ended, or has far too much to do.
        answer.await.unwrap_or_default()
    }
}
