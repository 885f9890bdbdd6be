//! A member of a pool: a swarm that runs, and what others need to reach it.

use std::sync::OnceLock;
use std::time::Duration;

use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::{
    self, Client, Config, Event, Identity, Multiaddr, PeerId, Pool, PoolSecret, Secret,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// For whatever happens among few peers; the machine may be busy.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A swarm that runs until it is dropped.
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) events: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

/// What a member of the stories' pool is configured with: loopback alone, nothing that finds others.
pub(crate) fn config() -> Config {
    let pool = Pool::new("octo-org/app").unwrap();
    let mut config = Config::new(pool.clone());
    // Slow to make: once for all stories.
    static SECRET: OnceLock<PoolSecret> = OnceLock::new();
    let secret = SECRET.get_or_init(|| {
        let secret = SharedSecret::new(b"what all members know").unwrap();
        PoolSecret::derive(&secret, &pool, Cost::MIN)
    });
    config.secret = Some(Secret::Derived(secret.clone()));
    config.mdns = false;
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config
}

/// The identity of the member with this number.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::from_seed(&[number; 32].into()).unwrap()
}

impl Member {
    /// Member number `number` with `config`.
    pub(crate) fn start(number: u8, config: Config) -> Self {
        let (client, events, event_loop) = swarm::start(identity(number), config);
        let task = tokio::spawn(event_loop.run());
        Self {
            client,
            events,
            task,
        }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.client.identity().peer_id()
    }

    /// Where it listens, once it does.
    pub(crate) async fn address(&self) -> Multiaddr {
        let listening = async {
            loop {
                if let Some(address) = self.client.addresses().await.pop() {
                    return address;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, listening).await.expect("an address")
    }

    /// Waits until so many others are admitted.
    pub(crate) async fn sees(&self, others: usize) {
        let mut roster = self.client.watch_roster();
        let seen = roster.wait_for(|roster| roster.peers.len() == others);
        if timeout(SOON, seen).await.is_err() {
            let peers = self.client.peers().await;
            panic!("{} does not see {others} others: {peers:#?}", self.id());
        }
    }

    /// Ends it as a daemon ends: the client goes, the loop follows.
    pub(crate) async fn end(self) {
        drop((self.client, self.events));
        timeout(SOON, self.task)
            .await
            .expect("the loop ends with its last client")
            .unwrap();
    }
}
