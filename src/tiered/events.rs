//! Events: what ends the truth of what is held, in one order for all daemons of a host.
//!
//! A daemon alone counts them. Daemons that share a cache directory write them into its epoch log, and
//! each looks there before it decides anything: so no daemon shows the past of a write that was
//! answered by another one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use super::Inner;
use super::ask::Asked;
use crate::api::Namespace;
use crate::files;
use crate::store::EpochLog;
use crate::store::epoch_log::{self, Event, Number};
use crate::time::Timestamp;

/// How often a log that cannot be used is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The order of events.
#[derive(Debug)]
pub(super) struct Events {
    /// The last event that was applied.
    number: AtomicU64,
    /// There should be a log and there is none: others may write without our knowledge.
    deaf: AtomicBool,
    /// Shared with the other daemons, if there is a directory to share.
    // A std mutex: nothing is awaited under it. Held while news are applied, so that nobody sees a number
    // before what it stands for.
    shared: Mutex<Option<Shared>>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    /// `None` while it cannot be used.
    log: Option<EpochLog>,
    tried_at: Timestamp,
}

impl Events {
    /// The events of a daemon alone, or of all that have this directory.
    pub(super) fn new(directory: Option<PathBuf>) -> Self {
        let shared = directory.map(|directory| Shared {
            directory,
            log: None,
            tried_at: Timestamp::EPOCH,
        });
        Self {
            number: AtomicU64::new(0),
            deaf: AtomicBool::new(false),
            shared: Mutex::new(shared),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shared>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The log, if it can be used; one that could not is tried again after a while.
    fn log(
        &mut self,
        after: Number,
        now: Timestamp,
    ) -> Result<Option<&mut EpochLog>, files::Error> {
        let is_soon = self.tried_at <= now && now.since(self.tried_at) < TRY_AGAIN;
        if self.log.is_none() && is_soon {
            return Ok(None);
        }
        self.tried_at = now;
        let log = match self.log.take() {
            Some(log) => log,
            None => EpochLog::open(&self.directory, after, now)?,
        };
        Ok(Some(self.log.insert(log)))
    }
}

impl Inner {
    /// The number of the last event, here or in any daemon of the host. An answer to a question asked
    /// now carries it.
    pub(super) fn event(&self) -> Number {
        self.hear(self.clock.now());
        self.events.number.load(SeqCst)
    }

    /// A question asked now.
    pub(super) fn asked(&self) -> Asked {
        let at = self.clock.now();
        self.hear(at);
        let event = self.events.number.load(SeqCst);
        Asked { event, at }
    }

    /// Whether others may have written without our knowledge: then nothing is fresh.
    pub(super) fn is_deaf(&self) -> bool {
        self.events.deaf.load(SeqCst)
    }

    /// The same, or a peer may have: nothing that was asked before counts.
    pub(super) fn is_out_of_contact(&self) -> bool {
        let is_lost = |peers: &super::peers::Peers| peers.client.contact().is_lost();
        self.is_deaf() || self.peers.as_ref().is_some_and(is_lost)
    }

    /// Learns what happened since the last look. Before every decision.
    pub(super) fn hear(&self, now: Timestamp) {
        let mut shared = self.events.lock();
        let Some(shared) = &mut *shared else { return };
        let after = self.events.number.load(SeqCst);
        let heard = shared.log(after, now).and_then(|log| {
            let Some(log) = log else { return Ok(false) };
            if log.has_news(now) || log.number() != after {
                log.news(now, |number, event| self.apply(number, event, now))?;
                self.events.number.store(log.number(), SeqCst);
            }
            Ok(true)
        });
        self.note(shared, heard);
    }

    /// Something may have changed `namespace`.
    pub(super) fn written(&self, namespace: &Namespace) {
        let id = self.epochs.id_of(namespace);
        let at = self.clock.now();
        let tell = |namespace: Namespace| self.happened(&Event::Written { namespace, id, at });
        tell(namespace.clone());
        // Others may know a renamed repository by its other name alone.
        for name in self.epochs.other_names(namespace) {
            tell(Namespace::Repo(name));
        }
    }

    /// Tells everybody, and applies it here. It has happened for all daemons when this returns.
    pub(super) fn happened(&self, event: &Event) {
        let now = self.clock.now();
        let mut shared = self.events.lock();
        let after = self.events.number.load(SeqCst);
        if let Some(shared) = &mut *shared {
            let told = shared.log(after, now).and_then(|log| {
                let Some(log) = log else { return Ok(false) };
                log.append(event, now)?;
                log.news(now, |number, event| self.apply(number, event, now))?;
                self.events.number.store(log.number(), SeqCst);
                Ok(true)
            });
            let is_told = matches!(told, Ok(true));
            self.note(shared, told);
            if is_told {
                return;
            }
            // Others must not go on believing in a log that we cannot write to.
            epoch_log::give_up(&shared.directory);
        }
        // Nobody to tell, or no way: it has happened all the same.
        self.apply(after + 1, event, now);
        self.events.number.store(after + 1, SeqCst);
    }

    /// Says once that the log cannot be used, and once that it can again.
    fn note(&self, shared: &mut Shared, done: Result<bool, files::Error>) {
        match done {
            Ok(true) if self.events.deaf.swap(false, SeqCst) => {
                info!("the daemons of this host hear of one another's writes again");
            }
            Ok(_) => {}
            Err(error) => {
                // What was read of it so far counts; the next one has larger numbers.
                let last = shared.log.take().map_or(0, |log| log.number());
                self.events.number.fetch_max(last, SeqCst);
                self.stats.reason("epoch-log-unusable");
                if !self.events.deaf.swap(true, SeqCst) {
                    warn!(%error, "other daemons' writes are not heard of, so everything is asked again");
                }
            }
        }
    }

    fn apply(&self, number: Number, event: &Event, now: Timestamp) {
        match event {
            // A time in the future is that of a clock which was wrong. The log outlives daemons, and nothing
            // must settle until that time comes.
            Event::Written { namespace, id, at } => {
                self.epochs.write(namespace, *id, number, now.min(*at));
            }
            Event::Refused {
                credential,
                host,
                namespace,
                at,
            } => {
                self.revoked.within(*credential, host, namespace, number);
                if matches!(namespace, Namespace::Repo(_) | Namespace::RepoId(_)) {
                    let asked = Asked {
                        event: number,
                        at: *at,
                    };
                    self.trust.repository(host, namespace, false, asked);
                }
            }
            Event::Unauthorized { credential } => self.revoked.everywhere(*credential, number),
            Event::Removed { key } => {
                self.memory.remove(key);
                if let Some(peers) = &self.peers {
                    peers.removed(key);
                }
            }
            Event::Ended => {}
            Event::Cleared => {
                self.memory.clear();
                if let Some(peers) = &self.peers {
                    peers.cleared();
                }
            }
            Event::Everything { at } | Event::Began { at, .. } => {
                self.epochs.everything(number, now.min(*at));
                self.revoked.everybody(number);
                self.trust.forget_public();
            }
        }
    }
}
