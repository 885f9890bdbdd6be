//! A runner of a fleet: a member with a cache, in front of a GitHub that counts.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use ghswarm::api::Key;
use ghswarm::digest::Digest;
use ghswarm::swarm::wire::message::Ended;
use ghswarm::swarm::{
    self, Audience, Client, Config, Event, Found, Nothing, Offer, PeerId, WireKey,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::member::{SOON, identity};
use super::moment::{moment, pass};

/// How long a runner waits for a first answer, in these stories.
pub(crate) const FIRST_ANSWER: Duration = Duration::from_millis(500);

/// What they are configured with: as others are, but patient, because they all share a processor with one another and with
/// other stories.
pub(crate) fn config() -> Config {
    let mut config = super::member::config();
    config.times.first_answer = FIRST_ANSWER;
    config.times.hedge = FIRST_ANSWER / 5;
    config
}

/// What answers when no peer does, and counts that.
#[derive(Debug)]
pub(crate) struct GitHub {
    calls: Mutex<HashMap<Key, usize>>,
    takes: Duration,
}

impl GitHub {
    pub(crate) fn new(takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            calls: Mutex::default(),
            takes,
        })
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.lock().unwrap().values().sum()
    }

    async fn answer(&self, key: Key) -> Offer {
        *self.calls.lock().unwrap().entry(key).or_default() += 1;
        pass(self.takes).await;
        offer(key, b"{\"answer\":\"GitHub\"}")
    }
}

/// The key of entry number `n`.
pub(crate) fn key(n: u32) -> Key {
    Key::from_bytes(*Digest::of([n.to_be_bytes().as_slice()]).as_bytes())
}

/// The runners in the order of their right to `key`: the one with the highest hash gives the lease.
pub(crate) fn ranks(fleet: &[Runner], key: Key) -> Vec<usize> {
    let mut ranks: Vec<_> = (0..fleet.len()).collect();
    let weight = |at: &usize| {
        let name = fleet[*at].name(key);
        Digest::of([&fleet[*at].id().to_bytes()[..], &name.0])
    };
    ranks.sort_by_key(weight);
    ranks.reverse();
    ranks
}

/// The first entry from number `from` on whose first owners are these runners.
pub(crate) fn owned_by(fleet: &[Runner], owners: &[usize], from: u32) -> Key {
    let owned = |key: &Key| ranks(fleet, *key).starts_with(owners);
    let mut keys = (from..from + 100_000).map(key);
    keys.find(owned).unwrap()
}

/// A public entry.
pub(crate) fn offer(key: Key, body: &[u8]) -> Offer {
    Offer {
        key,
        body: Bytes::copy_from_slice(body),
        content_type: Some("application/json; charset=utf-8".into()),
        api_version: None,
        links: None,
        vary: None,
        audience: Audience::Public,
        age: Duration::ZERO,
        origin_lifetime: Duration::from_secs(60),
        kinds: 1,
    }
}

type Entries = Arc<Mutex<HashMap<WireKey, Offer>>>;

/// A runner, until it is dropped.
pub(crate) struct Runner {
    pub(crate) client: Client,
    entries: Entries,
    event_loop: JoinHandle<()>,
    answering: JoinHandle<()>,
    stopped: Arc<Stopped>,
}

#[derive(Default)]
struct Stopped {
    is: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

/// A task that can be stopped as SIGSTOP stops a process: its sockets stay open, and nobody is home.
struct Stoppable<F> {
    inner: Pin<Box<F>>,
    stopped: Arc<Stopped>,
}

impl<F: Future> Future for Stoppable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        *self.stopped.waker.lock().unwrap() = Some(context.waker().clone());
        if self.stopped.is.load(SeqCst) {
            return Poll::Pending;
        }
        self.inner.as_mut().poll(context)
    }
}

impl Runner {
    pub(crate) fn start(number: u8, config: Config) -> Self {
        let (client, events, event_loop) = swarm::start(identity(number), config);
        let stopped = Arc::<Stopped>::default();
        let event_loop = tokio::spawn(Stoppable {
            inner: Box::pin(event_loop.run()),
            stopped: Arc::clone(&stopped),
        });
        let entries = Entries::default();
        let names = client.clone();
        let answering = tokio::spawn(answer(Arc::clone(&entries), events, names));
        Self {
            client,
            entries,
            event_loop,
            answering,
            stopped,
        }
    }

    /// So many runners, each connected with each.
    pub(crate) async fn fleet(count: u8, config: &Config) -> Vec<Self> {
        let mut fleet: Vec<Self> = Vec::new();
        for number in 1..=count {
            let newcomer = Self::start(number, config.clone());
            newcomer.joins(&fleet).await;
            fleet.push(newcomer);
        }
        fleet
    }

    /// Connects with everybody in `fleet`.
    pub(crate) async fn joins(&self, fleet: &[Self]) {
        for member in fleet {
            let address = loop {
                if let Some(address) = member.client.addresses().await.pop() {
                    break address;
                }
                moment().await;
            };
            self.client.dial(address);
        }
        self.sees(fleet.len()).await;
        for member in fleet {
            member.sees(fleet.len()).await;
        }
    }

    pub(crate) async fn sees(&self, others: usize) {
        let mut roster = self.client.watch_roster();
        let seen = roster.wait_for(|roster| roster.peers.len() == others);
        let seen = timeout(SOON, seen).await.is_ok();
        assert!(seen, "{:?}", self.client.peers().await);
    }

    pub(crate) fn id(&self) -> PeerId {
        self.client.identity().peer_id()
    }

    pub(crate) fn name(&self, key: Key) -> WireKey {
        self.client.names().unwrap().name(&key)
    }

    /// Puts an entry into its cache.
    pub(crate) fn holds(&self, offer: Offer) {
        let name = self.name(offer.key);
        self.entries.lock().unwrap().insert(name, offer);
    }

    /// What its cache has.
    pub(crate) fn has(&self, key: Key) -> Option<Offer> {
        let name = self.name(key);
        self.entries.lock().unwrap().get(&name).cloned()
    }

    /// How often this happened to it.
    pub(crate) fn counted(&self, reason: &str) -> u64 {
        let counts = self.client.counts();
        counts.reasons.get(reason).copied().unwrap_or_default()
    }

    /// A client's request: from the cache, a peer, or GitHub.
    pub(crate) async fn get(&self, key: Key, github: &GitHub) -> Offer {
        if let Some(offer) = self.has(key) {
            return offer;
        }
        let found = self.client.lookup(key, None).await;
        if let Found::Candidate(offer, _) = found {
            self.holds(offer.clone());
            return offer;
        }
        if let Found::Leased(_, offer, _) = found {
            self.holds(Offer::clone(&offer));
            return *offer;
        }
        let offer = github.answer(key).await;
        self.holds(offer.clone());
        self.client.store(offer.clone());
        drop(found);
        offer
    }

    /// It runs no more, and says nothing: its connections stay.
    pub(crate) fn stop(&self) {
        self.stopped.is.store(true, SeqCst);
    }

    /// It runs again.
    pub(crate) fn cont(&self) {
        self.stopped.is.store(false, SeqCst);
        if let Some(waker) = self.stopped.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    /// It is killed: the system closes its connections.
    pub(crate) async fn kill(mut self) {
        self.event_loop.abort();
        let ended = (&mut self.event_loop).await;
        assert!(ended.is_err_and(|error| error.is_cancelled()));
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.event_loop.abort();
        self.answering.abort();
    }
}

async fn answer(entries: Entries, mut events: mpsc::Receiver<Event>, client: Client) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Lookup {
                key, held, reply, ..
            } => {
                let entry = entries.lock().unwrap().get(&key).cloned();
                // Hashing a long body takes a test build longer than whoever asks will wait.
                let is_news = |entry: &Offer| held.is_none_or(|held| held != entry.digest());
                let _ = reply.send(entry.filter(is_news));
            }
            Event::Offered { offer, .. } => {
                let name = client.names().unwrap().name(&offer.key);
                entries.lock().unwrap().insert(name, offer);
            }
            Event::Stale { done, .. } | Event::EverythingStale { done, .. } => {
                let _ = done.send(());
            }
            Event::RecordsWanted { reply } => {
                let _ = reply.send(vec![b"a record".to_vec()]);
            }
            _ => {}
        }
    }
}

/// What was found, in a word.
pub(crate) fn word(found: &Found) -> &'static str {
    match found {
        Found::Candidate(..) => "candidate",
        Found::Leased(..) => "candidate and lease",
        Found::Lease(_) => "lease",
        Found::Same => "same",
        Found::Nothing(Nothing::Alone) => "alone",
        Found::Nothing(Nothing::Silence) => "silence",
        Found::Nothing(Nothing::WaitedInVain) => "waited in vain",
        Found::Nothing(Nothing::NotShared) => "not shared",
    }
}

/// Ends a lease with `ended`.
pub(crate) fn land(found: Found, ended: Ended) {
    match found {
        Found::Lease(lease) => lease.land(ended),
        other => panic!("{}", word(&other)),
    }
}
