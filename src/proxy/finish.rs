//! The end of a job while its processes go on: the cache says what it did, leaves its peers, and from then on
//! hands everything through.
//!
//! The addresses of this daemon stand in variables that a job cannot take back: the `post` steps of other actions
//! run after its last step. So the sockets stay, no connection is cut, and the process ends when the job does.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::{OnceCell, watch};
use tracing::{info, warn};

use super::{Service, Shared};
use crate::discovery::Discovery;
use crate::files;
use crate::github;
use crate::stats::Snapshot;
use crate::store::epoch_log::Teller;
use crate::swarm::PeerRow;
use crate::tiered::Tiered;

/// The longest wait for requests that GitHub has not answered yet. They are answered also after that, and
/// only missing in the numbers.
const DRAIN: Duration = Duration::from_secs(3);

/// How a daemon finishes.
pub struct Finish {
    /// Tells the daemons beside this one of what is written after it.
    pub teller: Option<Teller>,
    /// Where the report is written, for who comes after this process. Absent: nowhere.
    pub file: Option<PathBuf>,
    report: OnceCell<Bytes>,
}

impl Finish {
    /// Not finished yet.
    pub fn new(teller: Option<Teller>, file: Option<PathBuf>) -> Self {
        Self {
            teller,
            file,
            report: OnceCell::new(),
        }
    }

    /// Finished by a daemon that has died since: this one hands everything through from the start.
    #[must_use]
    pub fn over(self, report: Bytes) -> Self {
        Self {
            report: OnceCell::new_with(Some(report)),
            ..self
        }
    }

    /// Whether it has finished.
    pub fn is_over(&self) -> bool {
        self.report.initialized()
    }

    /// What answers from now on.
    pub(super) fn service(&self, client: github::Client) -> Service {
        Service::PassThrough(client, self.teller.clone())
    }
}

/// What the summary of a job is made of.
#[derive(Debug, Serialize)]
struct Report {
    /// The last numbers.
    stats: Snapshot,
    /// With whom this daemon shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharing: Option<Sharing>,
}

#[derive(Debug, Serialize)]
struct Sharing {
    peer_id: String,
    pool: String,
    multiaddrs: Vec<String>,
    /// A peer had fallen silent: nothing was shown as fresh for a while.
    deaf: bool,
    peers: Vec<PeerRow>,
}

/// The requests that are being answered from the cache.
#[derive(Debug, Default)]
pub(super) struct Asking(watch::Sender<usize>);

impl Asking {
    /// One more, until the guard is dropped.
    pub(super) fn one(&self) -> Asked<'_> {
        self.0.send_modify(|requests| *requests += 1);
        Asked(self)
    }

    async fn none(&self) {
        // The sender is ours, so this ends only with the wait.
        let _ = self.0.subscribe().wait_for(|requests| *requests == 0).await;
    }
}

/// A request that is being answered.
pub(super) struct Asked<'a>(&'a Asking);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|requests| *requests -= 1);
    }
}

/// Finishes, and says what was done until then: the first time and every other time the same.
pub(super) async fn run(
    shared: &Shared,
    finish: &Finish,
    tiered: &Tiered,
    peers: Option<&Discovery>,
) -> Bytes {
    let report = finish.report.get_or_init(async || {
        // From here on nothing new comes to the cache. Who asks twice at the same time sets the same.
        let _ = shared.passing.set(finish.service(shared.client.clone()));
        if tokio::time::timeout(DRAIN, shared.asking.none())
            .await
            .is_err()
        {
            warn!("some requests wait for GitHub longer than the summary does");
        }
        tiered.settle().await;
        let sharing = match peers {
            Some(peers) => Some(told(peers).await),
            None => None,
        };
        let stats = tiered.snapshot();
        if let Some(peers) = peers {
            peers.client().leave().await;
        }
        info!(
            requests = stats.requests,
            saved_calls = stats.saved_calls,
            "finished: everything passes through from now on"
        );
        let report = serde_json::to_vec(&Report { stats, sharing }).unwrap_or_default();
        if let Some(Err(error)) = finish
            .file
            .as_ref()
            .map(|file| files::write_atomic(file, &report))
        {
            let reason = files::Chain(&error);
            warn!(%reason, "who comes after this process will not know that it had finished");
        }
        report.into()
    });
    report.await.clone()
}

async fn told(peers: &Discovery) -> Sharing {
    let client = peers.client();
    let addresses = peers.addresses().borrow().clone();
    Sharing {
        peer_id: client.identity().peer_id().to_string(),
        pool: peers.pool().name().to_owned(),
        multiaddrs: addresses.iter().map(ToString::to_string).collect(),
        deaf: client.contact().is_lost(),
        peers: client.peers().await,
    }
}
