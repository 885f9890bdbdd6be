//! The daemon's part in the swarm: what peers ask of us is answered from the local tiers, and from the
//! address book.

use std::convert::Infallible;

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::{Error, Ready, StateDir};
use crate::config::Stores;
use crate::discovery::{self, Discovery, Sources};
use crate::files;
use crate::github::{self, Proxies};
use crate::registry::{actions_cache, rest};
use crate::swarm::{self, Client, Event, EventLoop, Identity};
use crate::tiered::Tiered;

/// A swarm that is not running yet.
#[derive(Debug)]
pub(super) struct Sharing {
    discovery: Discovery,
    events: mpsc::Receiver<Event>,
    event_loop: EventLoop,
}

impl Sharing {
    pub(super) fn new(
        state: &StateDir,
        config: swarm::Config,
        stores: Stores,
        (github, proxies): (&github::Client, &Proxies),
    ) -> Result<Self, Error> {
        let stores = sources(stores, &config, proxies, github);
        let seed = state.identity()?;
        let identity = Identity::from_seed(&seed).map_err(|_| Error::Identity)?;
        let finding = discovery::Config {
            pool: config.pool.clone(),
            tickets: config.tickets,
            file: Some(state.peers()),
            clock: config.clock.clone(),
            stores,
        };
        let (client, events, event_loop) = swarm::start(identity, config);
        Ok(Self {
            discovery: Discovery::new(client, finding),
            events,
            event_loop,
        })
    }

    pub(super) fn client(&self) -> Client {
        self.discovery.client().clone()
    }

    pub(super) fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// Answers peers, and says in `ready.json` where they reach us, until the daemon ends.
    pub(super) async fn run(self, tiered: Tiered, state: &StateDir, ready: &Ready) {
        let Self {
            discovery,
            mut events,
            event_loop,
        } = self;
        let answering = async {
            while let Some(event) = events.recv().await {
                answer(&tiered, &discovery, event);
            }
        };
        // Each in a task of its own: a slow look-up on disk must not hold up a pulse.
        let event_loop = tokio::spawn(event_loop.run());
        tokio::select! {
            () = answering => {}
            never = discovery.run() => match never {},
            never = discovery.attend_stores() => match never {},
            never = tell(&discovery, state, ready) => match never {},
        }
        event_loop.abort();
    }
}

/// Where records are kept besides. What cannot be used is told, and left out.
fn sources(
    stores: Stores,
    swarm: &swarm::Config,
    proxies: &Proxies,
    github: &github::Client,
) -> Sources {
    let client = |config| {
        actions_cache::Client::new(config, proxies)
            .inspect_err(|error| warn!(%error, "peers are not looked for in the Actions cache"))
            .ok()
    };
    // A key has no ticket in it: without a secret it would be asked for in vain.
    let list = stores.list.filter(|_| swarm.secret.is_some());
    Sources {
        repository: stores.repository,
        cache: stores.cache.and_then(client),
        list: list.map(|config| rest::Client::new(github.clone(), config)),
        jobs: stores.jobs,
    }
}

/// Writes our addresses into `ready.json` whenever they change: the daemon is ready before peers can
/// reach it.
async fn tell(discovery: &Discovery, state: &StateDir, ready: &Ready) -> Infallible {
    let mut addresses = discovery.addresses();
    let mut ready = ready.clone();
    while addresses.changed().await.is_ok() {
        let shown = addresses.borrow_and_update().clone();
        let texts: Vec<_> = shown.iter().map(ToString::to_string).collect();
        info!(addresses = texts.join(" "), "peers reach us here");
        ready.multiaddrs = (!texts.is_empty()).then_some(texts);
        if let Err(error) = state.announce(&ready) {
            let reason = files::Chain(&error);
            warn!(%reason, "ready.json does not say where peers reach us");
        }
    }
    std::future::pending().await
}

fn answer(tiered: &Tiered, discovery: &Discovery, event: Event) {
    match event {
        Event::Lookup {
            key,
            held,
            coverage,
            reply,
        } => {
            // Whoever asked may be gone by now.
            let _ = reply.send(tiered.peer_lookup(&key, held, coverage));
        }
        Event::Offered { offer, from } => tiered.peer_offered(offer, from),
        Event::Stale { stale, done } => {
            tiered.peer_wrote(&stale);
            let _ = done.send(());
        }
        Event::EverythingStale { why, done } => {
            tiered.peers_lost(why);
            let _ = done.send(());
        }
        Event::Budget {
            name,
            remaining,
            limit,
            reset_in,
        } => tiered.peer_budget(name, remaining, limit, reset_in),
        Event::Introduced { by, records } => discovery.introduced(by, &records),
        Event::RecordsWanted { reply } => {
            let _ = reply.send(discovery.records());
        }
    }
}
