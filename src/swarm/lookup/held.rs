//! The leases that we hold, at other owners and at our own desk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::PeerId;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::swarm::pool::WireKey;
use crate::swarm::shared::{AskError, Shared};
use crate::swarm::wire::message::{Answer, Ended, Question};

/// We ask GitHub for everybody. Others wait until the answer is stored ([`Client::store`](crate::swarm::Client::store))
/// or until [`Lease::land`]. If this is dropped before, the next of them asks.
#[derive(Debug)]
pub struct Lease {
    shared: Arc<Shared>,
    key: WireKey,
    /// Who gave it.
    owner: PeerId,
    /// Its number; `None` if another request of ours has the lease already.
    number: Option<u64>,
}

/// The leases that we hold, each once.
#[derive(Debug, Default)]
pub(in crate::swarm) struct Holdings {
    // A std mutex: held for map operations only.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    held: HashMap<WireKey, Holding>,
}

/// A lease of ours that is not over.
#[derive(Debug)]
pub(in crate::swarm) struct Holding {
    number: u64,
    /// Who gave it; ourselves, too.
    pub(in crate::swarm) owner: PeerId,
    end: oneshot::Sender<Over>,
}

/// How a lease of ours ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::swarm) enum Over {
    /// The owner knows: it was given the entry.
    Stored,
    /// The owner is told.
    Told(Ended),
}

impl Holding {
    /// It is over.
    pub(in crate::swarm) fn end(self, over: Over) {
        // The task that renews it ends by itself when the owner has taken the lease away.
        let _ = self.end.send(over);
    }
}

impl Holdings {
    /// The lease of `key`, which is not dropped with its [`Lease`] any more.
    pub(in crate::swarm) fn take(&self, key: &WireKey) -> Option<Holding> {
        self.lock().held.remove(key)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// `owner` has just granted it: it is renewed from now on, until it ends.
    pub(super) fn granted(shared: &Arc<Shared>, key: WireKey, owner: PeerId) -> Self {
        let mut inner = shared.lookups.holdings.lock();
        let number = (!inner.held.contains_key(&key)).then(|| {
            inner.next += 1;
            let number = inner.next;
            let (end, over) = oneshot::channel();
            let holding = Holding { number, owner, end };
            inner.held.insert(key, holding);
            tokio::spawn(keep(Arc::clone(shared), key, owner, over));
            number
        });
        drop(inner);
        Self {
            shared: Arc::clone(shared),
            key,
            owner,
            number,
        }
    }

    /// Who gave it; ourselves, too.
    pub(super) fn owner(&self) -> PeerId {
        self.owner
    }

    /// There is an answer.
    pub fn land(self, ended: Ended) {
        self.end(ended);
    }

    fn end(&self, ended: Ended) {
        let mut inner = self.shared.lookups.holdings.lock();
        let ours = inner.held.get(&self.key).map(|holding| holding.number);
        if ours.is_some() && ours == self.number {
            let holding = inner.held.remove(&self.key);
            drop(inner);
            if let Some(holding) = holding {
                let us = self.shared.identity.peer_id();
                if self.owner == us {
                    // At once: later it could be the end of the next lease, if we take one.
                    self.shared.desk.end(&self.key, us, ended);
                    holding.end(Over::Stored);
                } else {
                    holding.end(Over::Told(ended));
                }
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end(Ended::Failed);
    }
}

/// Renews a lease until it ends, and tells its owner.
async fn keep(shared: Arc<Shared>, key: WireKey, owner: PeerId, mut over: oneshot::Receiver<Over>) {
    let us = shared.identity.peer_id();
    let ended = tokio::select! {
        biased;
        ended = &mut over => ended,
        () = renew(&shared, key, owner, us) => over.await,
    };
    // Without a sender whoever held it is gone.
    let Over::Told(ended) = ended.unwrap_or(Over::Told(Ended::Failed)) else {
        return;
    };
    if owner == us {
        shared.desk.end(&key, us, ended);
    } else {
        let released = shared.ask(owner, Question::Release { key, ended });
        // An owner that does not hear of it lets the lease run out.
        let _ = timeout(shared.config.times.lease, released).await;
    }
}

/// Renews a lease four times in its length, twice as often as it must. Returns when it cannot be any more.
async fn renew(shared: &Shared, key: WireKey, owner: PeerId, us: PeerId) {
    let times = shared.config.times;
    let last = Instant::now() + times.lease_max;
    loop {
        sleep(times.lease / 4).await;
        if Instant::now() >= last {
            return;
        }
        if owner == us {
            if shared.desk.renew(&key, us).is_none() {
                return;
            }
            continue;
        }
        let renewed = shared.ask(owner, Question::Renew { key });
        match timeout(times.lease / 4, renewed).await {
            Ok(Ok(Answer::Granted(_) | Answer::Busy)) => {}
            Ok(Ok(_) | Err(AskError::NotConnected)) => return,
            // The next one may come through.
            Ok(Err(_)) | Err(_) => {}
        }
    }
}
