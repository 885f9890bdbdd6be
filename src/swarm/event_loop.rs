//! The event loop: the one task that owns the libp2p `Swarm`.

mod asking;
mod command;
mod connections;
mod early;
mod gossiping;
mod happening;
mod serving;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use libp2p::Swarm;
use libp2p::futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use super::behaviour::{self, Behaviour, BehaviourEvent};
use super::client::{Client, Event};
use super::config::{Config, Secret};
use super::gossip;
use super::identity::Identity;
use super::introductions;
use super::invalidation;
use super::listen;
use super::pool::{Names, PoolSecret};
use super::shared::{Keys, Shared};

use asking::Asking;
use connections::Connections;
use early::Early;
use serving::Serving;

pub(super) use command::Command;

/// Events that wait for whoever reads them. Beyond it a peer's question is answered with `Busy`.
const EVENTS_MAX: usize = 1024;
/// What clients want of the loop, and it has not come to.
const COMMANDS_MAX: usize = 4096;
/// How often it is considered whom to dial.
const TICK: Duration = Duration::from_millis(500);
/// The longest that hanging up takes. It is a packet to each peer; none of them has to answer.
const LEAVING: Duration = Duration::from_millis(500);
/// How long the packets of QUIC may take from the connection that is over to the socket: they go by a task of their own,
/// and it does not tell.
const LINGER: Duration = Duration::from_millis(50);

/// The task; nothing happens until it runs.
#[derive(Debug)]
pub struct EventLoop {
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    /// Ends when the last client is gone.
    clients: mpsc::Receiver<Infallible>,
}

/// Makes a swarm that is not running yet. Until it runs, and whenever it cannot, its client is alone.
pub fn start(identity: Identity, config: Config) -> (Client, mpsc::Receiver<Event>, EventLoop) {
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let (orders, commands) = mpsc::channel(COMMANDS_MAX);
    let (alive, clients) = mpsc::channel(1);
    let shared = Arc::new(Shared::new(identity, config, sender, orders));
    let client = Client::new(Arc::clone(&shared), alive);
    let event_loop = EventLoop {
        shared,
        commands,
        clients,
    };
    (client, events, event_loop)
}

impl EventLoop {
    /// Derives the keys, binds the sockets and runs until every client is gone.
    pub async fn run(self) {
        let Self {
            shared,
            commands,
            mut clients,
        } = self;
        let work = async {
            let made = tokio::select! {
                made = Running::new(Arc::clone(&shared)) => made,
                _ = clients.recv() => return,
            };
            match made {
                // What libp2p keeps in one swarm takes kilobytes.
                Ok(running) => Box::pin(running.until_ended(commands, clients)).await,
                Err(reason) => {
                    warn!(%reason, "no peers: the swarm cannot run; everything else goes on");
                    // Whoever asks has an answer at once: there is nobody.
                    drop(commands);
                    let _ = clients.recv().await;
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = invalidation::keep(Arc::clone(&shared)) => {}
            () = gossip::keep(Arc::clone(&shared)) => {}
            () = introductions::keep(Arc::clone(&shared)) => {}
        }
        shared.admitted(Vec::new());
    }
}

/// A swarm that runs.
struct Running {
    shared: Arc<Shared>,
    swarm: Swarm<Behaviour>,
    connections: Connections,
    asking: Asking,
    serving: Serving,
    early: Early,
}

impl Running {
    async fn new(shared: Arc<Shared>) -> Result<Self, String> {
        let keys = keys(&shared.config).await?;
        let keys = shared.keys.get_or_init(|| keys);
        let swarm = behaviour::swarm(&shared.identity, keys.secret.as_ref(), &shared.config);
        let mut swarm = swarm.map_err(|error| error.to_string())?;
        listen::listen(&mut swarm, &shared.config.listen);
        Ok(Self {
            connections: Connections::new(&shared),
            asking: Asking::default(),
            serving: Serving::new(Arc::clone(&shared)),
            early: Early::default(),
            shared,
            swarm,
        })
    }

    async fn until_ended(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut clients: mpsc::Receiver<Infallible>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whoever waits for the end hears of it when the sender is dropped.
        let _done = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.event(event),
                command = commands.recv() => match command {
                    Some(Command::Leave(done)) => break Some(done),
                    Some(command) => self.command(command),
                    None => return,
                },
                _ = clients.recv() => break None,
                answer = self.serving.next() => self.answered(answer),
                _ = tick.tick() => self.tick(),
            }
        };
        self.leave().await;
    }

    /// Hangs up. A peer that hears nothing more has to take us for silent, and shows nothing as fresh until it knows
    /// better: over QUIC the end of a process is just that.
    async fn leave(&mut self) {
        let connected: Vec<_> = self.swarm.connected_peers().copied().collect();
        if connected.is_empty() {
            return;
        }
        for peer in connected {
            // An error says that it is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closing = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(LEAVING, closing).await;
        let lingering = async {
            loop {
                self.swarm.select_next_some().await;
            }
        };
        let _: Result<Infallible, _> = tokio::time::timeout(LINGER, lingering).await;
    }

    fn event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.happened(event),
            event => self.connection(event),
        }
    }
}

/// The keys, derived where nobody waits for the thread.
async fn keys(config: &Config) -> Result<Keys, String> {
    let pool = config.pool.clone();
    let secret = match config.secret.clone() {
        None => None,
        Some(Secret::Derived(secret)) => Some(secret),
        Some(Secret::Raw(secret, cost)) => {
            let pool = pool.clone();
            let derived =
                tokio::task::spawn_blocking(move || PoolSecret::derive(&secret, &pool, cost)).await;
            Some(derived.map_err(|error| format!("the keys were not derived: {error}"))?)
        }
    };
    Ok(Keys {
        names: Names::of(&pool, secret.as_ref()),
        pool: pool.tag(),
        secret,
    })
}
