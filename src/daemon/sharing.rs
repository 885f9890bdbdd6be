//! The daemon's part in the swarm: what peers ask of us is answered from the local tiers.

use tokio::sync::mpsc;

use super::{Error, StateDir};
use crate::swarm::{self, Client, Event, EventLoop, Identity};
use crate::tiered::Tiered;

/// A swarm that is not running yet.
#[derive(Debug)]
pub(super) struct Sharing {
    client: Client,
    events: mpsc::Receiver<Event>,
    event_loop: EventLoop,
}

impl Sharing {
    pub(super) fn new(state: &StateDir, config: swarm::Config) -> Result<Self, Error> {
        let seed = state.identity()?;
        let identity = Identity::from_seed(&seed).map_err(|_| Error::Identity)?;
        let (client, events, event_loop) = swarm::start(identity, config);
        Ok(Self {
            client,
            events,
            event_loop,
        })
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Answers peers until the daemon ends.
    pub(super) async fn run(self, tiered: Tiered) {
        let Self {
            mut events,
            event_loop,
            ..
        } = self;
        let answering = async {
            while let Some(event) = events.recv().await {
                answer(&tiered, event);
            }
        };
        // Each in a task of its own: a slow look-up on disk must not hold up a pulse.
        let event_loop = tokio::spawn(event_loop.run());
        answering.await;
        event_loop.abort();
    }
}

fn answer(tiered: &Tiered, event: Event) {
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
        Event::Introduced { .. } => {}
        Event::RecordsWanted { reply } => {
            let _ = reply.send(Vec::new());
        }
    }
}
