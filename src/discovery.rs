//! Finding peers: keeps our own record alive, and tells the swarm whom to dial.
//!
//! What peers, files and stores say of others arrives as records; each is verified here before the
//! swarm hears of it. Whom we know is kept in a [`Book`], which survives a restart in a private file, and
//! everybody who may speak with us is told of it.

mod book;
pub mod stores;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{debug, info, warn};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::files;
use crate::registry::{self, Name, NotAFile, Record, Refused, Signed};
use crate::swarm::{Acquaintance, Client, Pool};
use crate::time::{Degraded, Timestamp};

pub use book::{Book, Entered};
pub use stores::Sources;

use stores::Stores;

/// How often our own record is made anew, long before it expires.
const RENEW: Duration = Duration::from_mins(20);
/// How often we look whether our addresses changed, and write down whom we know.
const LOOK: Duration = Duration::from_secs(5);
/// The first wait, since somebody may be waiting for our record, and addresses come one by one. Each further one is twice
/// as long.
const LOOK_AT_FIRST: Duration = Duration::from_millis(10);
/// The longest wait for our first address while somebody does wait for our record.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How often the swarm is told again of everybody in the book: who could not be reached may be up by now.
const TELL_AGAIN: Duration = Duration::from_mins(5);
/// How long somebody who asks for our record waits until we listen.
const PATIENCE: Duration = Duration::from_secs(3);
/// What a peer is told at once: records, and their bytes together.
const TOLD: (usize, usize) = (64, 64 << 10);

/// What discovery is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whose records are taken.
    pub pool: Pool,
    /// Whether our record has a ticket.
    pub tickets: bool,
    /// Where whom we know is kept between two starts; without one, nowhere.
    pub file: Option<PathBuf>,
    /// The clock that records expire by.
    pub clock: Clock,
    /// Where else records are put and looked for.
    pub stores: Sources,
}

/// A cheap handle.
#[derive(Debug, Clone)]
pub struct Discovery(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    config: Config,
    state: Mutex<State>,
    /// One look at a time: an older answer must not undo what a newer one said.
    looking: tokio::sync::Mutex<()>,
    addresses: watch::Sender<Vec<Multiaddr>>,
    stores: Stores,
}

#[derive(Debug)]
struct State {
    book: Book,
    own: Option<Signed>,
    /// The book has something that the file has not.
    unwritten: bool,
}

/// What became of the lines of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Peers that we did not know, or knew less of.
    pub taken: Vec<String>,
    /// Peers that we knew as well already, we ourselves among them.
    pub known: Vec<String>,
    /// What was not taken.
    pub refused: Vec<Turned>,
}

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turned {
    /// Which line, from 1.
    pub line: usize,
    /// The stable name of the reason.
    pub name: String,
    /// The reason, and what to do.
    pub reason: String,
}

/// Our own record for a store.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its name there.
    pub name: String,
    /// What is kept under the name. It has tickets in it.
    pub file: Zeroizing<String>,
}

/// There is no record of ours: the swarm does not listen anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon has no address yet at which peers could reach it; `ghswarm doctor` says why")]
pub struct NoAddress;

impl Discovery {
    /// Begins with whom the file knows.
    pub fn new(client: Client, config: Config) -> Self {
        let discovery = Self(Arc::new(Inner {
            state: Mutex::new(State {
                book: Book::new(client.identity().peer_id()),
                own: None,
                unwritten: false,
            }),
            stores: Stores::new(config.clock.now(), &config.stores),
            client,
            config,
            looking: tokio::sync::Mutex::new(()),
            addresses: watch::Sender::new(Vec::new()),
        }));
        discovery.load();
        discovery
    }

    /// The swarm.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// The pool.
    pub fn pool(&self) -> &Pool {
        &self.0.config.pool
    }

    /// Our addresses, as others can dial them: each ends with our id.
    pub fn addresses(&self) -> watch::Receiver<Vec<Multiaddr>> {
        self.0.addresses.subscribe()
    }

    /// A peer told us of others.
    pub fn introduced(&self, by: PeerId, records: &[Vec<u8>]) {
        for record in records.iter().take(TOLD.0) {
            if let Err(refused) = self.take(record, Some(by)) {
                debug!(%by, reason = refused.name(), "a peer told of another; it is not taken");
                self.0.client.count(refused.counter());
            }
        }
    }

    /// Whom we tell a peer of: ourselves first.
    pub fn records(&self) -> Vec<Vec<u8>> {
        let now = self.0.config.clock.now();
        let state = self.state();
        let mut bytes = 0;
        let all = state.own.iter().chain(state.book.valid(now));
        all.map(|signed| signed.expose().to_vec())
            .take(TOLD.0)
            .take_while(|record| {
                bytes += record.len();
                bytes <= TOLD.1
            })
            .collect()
    }

    /// Our record and whom we know, as a file for another machine.
    pub async fn export(&self) -> Result<Zeroizing<String>, NoAddress> {
        let own = self.own().await?;
        let now = self.0.config.clock.now();
        let state = self.state();
        let known = state.book.valid(now).map(Signed::expose);
        Ok(registry::file::write(
            std::iter::once(own.expose()).chain(known),
        ))
    }

    /// The same with its name in a store of `repository`.
    pub async fn register(&self, repository: u64) -> Result<Registration, NoAddress> {
        let file = self.export().await?;
        let own = self.own().await?;
        let name = Name::of(&own.record, &self.0.config.pool, repository);
        let name = name.sign(self.0.client.identity()).ok_or(NoAddress)?;
        Ok(Registration { name, file })
    }

    /// Takes the records of a file, each for itself.
    pub fn import(&self, text: &[u8]) -> Result<Imported, NotAFile> {
        let mut imported = Imported::default();
        for paper in registry::file::read(text)? {
            let envelope = paper.envelope.as_deref().map_or(&[][..], Vec::as_slice);
            match self.take(envelope, None) {
                Ok((peer, Entered::New | Entered::Newer)) => imported.taken.push(peer.to_string()),
                Ok((peer, Entered::Known | Entered::Ourselves | Entered::NoRoom)) => {
                    imported.known.push(peer.to_string());
                }
                Err(refused) => imported.refused.push(Turned {
                    line: paper.line,
                    name: refused.name().to_owned(),
                    reason: refused.to_string(),
                }),
            }
        }
        Ok(imported)
    }

    /// Somebody gave us an address.
    pub fn add(&self, address: Multiaddr) {
        self.0.client.dial(address);
    }

    /// Verifies a record, and tells the swarm if it says something new.
    fn take(&self, envelope: &[u8], by: Option<PeerId>) -> Result<(PeerId, Entered), Refused> {
        let now = self.0.config.clock.now();
        if let Some(peer) = self.state().book.knows(envelope, now) {
            return Ok((peer, Entered::Known));
        }
        let signed = Signed::verify(envelope, &self.0.config.pool, now)?;
        let acquaintance = acquaintance(&signed.record);
        let peer = signed.record.peer;
        let mut state = self.state();
        let entered = state.book.enter(signed, by, now);
        if matches!(entered, Entered::New | Entered::Newer) {
            state.unwritten = true;
            drop(state);
            self.0.client.know(acquaintance);
        }
        Ok((peer, entered))
    }

    /// Our record, as soon as we have an address.
    async fn own(&self) -> Result<Signed, NoAddress> {
        let listening = async {
            let mut wait = LOOK_AT_FIRST;
            loop {
                if let Some(own) = self.look().await {
                    return own;
                }
                tokio::time::sleep(wait).await;
                wait = LOOK_AGAIN.min(wait.saturating_mul(2));
            }
        };
        let waited = tokio::time::timeout(PATIENCE, listening).await;
        waited.map_err(|_| NoAddress)
    }

    /// Looks where we are reached now, and makes our record anew if it is time.
    async fn look(&self) -> Option<Signed> {
        let _turn = self.0.looking.lock().await;
        let addresses = reachable(self.0.client.addresses().await);
        let now = self.0.config.clock.now();
        let me = self.0.client.identity();
        let mut state = self.state();
        let old = state.own.as_ref().map(|own| &own.record);
        if is_due(old, &addresses, now) {
            let Config { pool, tickets, .. } = &self.0.config;
            state.own = Signed::own(me, pool, &addresses, now, *tickets).ok();
        }
        let own = state.own.clone();
        drop(state);
        let dialable = addresses
            .into_iter()
            .map(|address| address.with_p2p(me.peer_id()).unwrap_or_else(|same| same));
        let dialable: Vec<_> = dialable.collect();
        self.0.addresses.send_if_modified(|shown| {
            let changed = *shown != dialable;
            *shown = dialable;
            changed
        });
        own
    }

    /// Keeps our record and the book alive.
    pub async fn run(&self) -> Infallible {
        let mut trouble = Degraded::default();
        let mut told = tokio::time::Instant::now();
        let mut wait = LOOK_AT_FIRST;
        loop {
            self.look().await;
            if told.elapsed() >= TELL_AGAIN {
                told = tokio::time::Instant::now();
                self.tell();
            }
            self.tidy(&mut trouble);
            tokio::time::sleep(wait).await;
            wait = LOOK.min(wait.saturating_mul(2));
        }
    }

    /// Tells the swarm of everybody in the book.
    fn tell(&self) {
        let now = self.0.config.clock.now();
        let state = self.state();
        let known = state.book.valid(now);
        let known: Vec<_> = known.map(|signed| acquaintance(&signed.record)).collect();
        drop(state);
        for acquaintance in known {
            self.0.client.know(acquaintance);
        }
    }

    /// Forgets who is no longer valid, and writes down who is.
    fn tidy(&self, trouble: &mut Degraded) {
        let now = self.0.config.clock.now();
        let mut state = self.state();
        let forgotten = state.book.forget_expired(now);
        if !forgotten && !state.unwritten {
            return;
        }
        state.unwritten = false;
        let Some(file) = &self.0.config.file else {
            return;
        };
        let text = registry::file::write(state.book.valid(now).map(Signed::expose));
        match files::write_atomic(file, text.as_bytes()) {
            Ok(()) => {
                if trouble.works(now).is_some() {
                    info!("whom we know can be written down again");
                }
            }
            Err(error) => {
                state.unwritten = true;
                if let Some(times) = trouble.fails(now) {
                    let reason = files::Chain(&error);
                    warn!(%reason, times, "whom we know cannot be written down: a restart forgets it");
                }
            }
        }
    }

    /// Takes what the last daemon of this state directory wrote down.
    fn load(&self) {
        let Some(file) = &self.0.config.file else {
            return;
        };
        let text = match files::read_small_private(file, registry::file::FILE_MAX) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                warn!(path = %file.display(), %error, "cannot read whom the last daemon knew");
                return;
            }
        };
        match self.import(&text) {
            Ok(imported) => debug!(
                taken = imported.taken.len(),
                refused = imported.refused.len(),
                "whom the last daemon knew"
            ),
            Err(error) => {
                warn!(path = %file.display(), %error, "cannot read whom the last daemon knew");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock can panic half way through a change.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn acquaintance(record: &Record) -> Acquaintance {
    Acquaintance {
        peer: Some(record.peer),
        addresses: record.addresses.clone(),
        ticket: record.ticket.clone(),
    }
}

/// Whether our record must be made anew.
fn is_due(old: Option<&Record>, addresses: &[Multiaddr], now: Timestamp) -> bool {
    let Some(old) = old else {
        return true;
    };
    // Also when the clock was put back: others would refuse a record of the future.
    let kept = addresses.iter().take(old.addresses.len());
    let same = !old.addresses.is_empty()
        && kept.eq(&old.addresses)
        && addresses.len().min(registry::record::ADDRESSES_MAX) == old.addresses.len();
    !same || now.since(old.issued) >= RENEW || old.issued > now
}

/// Of our addresses those worth telling: not the loopback ones, unless there are no others, and none that means another
/// network on every machine (`fe80::`, RFC 4291, section 2.5.6).
fn reachable(mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    addresses.retain(|address| {
        let first = address.iter().next();
        !matches!(first, Some(Protocol::Ip6(ip)) if ip.is_unicast_link_local())
    });
    let is_local = |address: &Multiaddr| match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    };
    if !addresses.iter().all(is_local) {
        addresses.retain(|address| !is_local(address));
    }
    addresses
}

#[cfg(test)]
mod tests;
