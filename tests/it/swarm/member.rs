//! A member of a pool: a swarm that runs, and what others need to reach it.

use std::sync::OnceLock;
use std::time::Duration;

use super::moment::moment;
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::{
    self, Acquaintance, Client, Config, Event, Identity, Multiaddr, PeerId, PeerRow, Pool,
    PoolSecret, Secret, Standing,
};
use libp2p::multiaddr::Protocol;
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

/// Slow to make: once for all stories.
static SECRET: OnceLock<PoolSecret> = OnceLock::new();

/// What a member of the stories' pool is configured with: loopback alone, nothing that finds others.
pub(crate) fn config() -> Config {
    let pool = Pool::new("octo-org/app").unwrap();
    let mut config = Config::new(pool.clone());
    let secret = SECRET.get_or_init(|| {
        let secret = SharedSecret::new(b"what all members know").unwrap();
        PoolSecret::derive(&secret, &pool, Cost::MIN)
    });
    config.secret = Some(Secret::Derived(secret.clone()));
    // Many members in one thread on a busy machine are slower than any machines of their own.
    config.times.admission = SOON;
    config.mdns = false;
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config
}

/// Loopback over QUIC.
pub(crate) fn quic() -> Multiaddr {
    "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap()
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
                moment().await;
            }
        };
        timeout(SOON, listening).await.expect("an address")
    }

    /// The ports of TCP and of QUIC, once it listens on both.
    pub(crate) async fn ports(&self) -> (u16, u16) {
        let listening = async {
            loop {
                let (mut tcp, mut udp) = (None, None);
                for part in self.client.addresses().await.iter().flatten() {
                    match part {
                        Protocol::Tcp(port) => tcp = Some(port),
                        Protocol::Udp(port) => udp = Some(port),
                        _ => {}
                    }
                }
                if let (Some(tcp), Some(udp)) = (tcp, udp) {
                    return (tcp, udp);
                }
                moment().await;
            }
        };
        timeout(SOON, listening).await.expect("two ports")
    }

    /// What others are told of it.
    pub(crate) async fn acquaintance(&self) -> Acquaintance {
        Acquaintance {
            peer: Some(self.id()),
            addresses: vec![self.address().await],
            ticket: None,
        }
    }

    /// Waits until it lists the peer so.
    pub(crate) async fn row(&self, peer: &str, standing: Standing) -> PeerRow {
        let listed = async {
            loop {
                let rows = self.client.peers().await;
                let row = rows.into_iter().find(|row| row.peer_id == *peer);
                if let Some(row) = row.filter(|row| row.standing == standing) {
                    return row;
                }
                moment().await;
            }
        };
        timeout(SOON, listed).await.expect("a row")
    }

    /// Waits until so many others are admitted.
    pub(crate) async fn sees(&self, others: usize) {
        self.sees_within(others, SOON).await;
    }

    /// The same, within `time`.
    pub(crate) async fn sees_within(&self, others: usize, time: Duration) {
        let mut roster = self.client.watch_roster();
        let seen = roster.wait_for(|roster| roster.peers.len() == others);
        if timeout(time, seen).await.is_err() {
            let peers = self.client.peers().await;
            let counts = self.client.counts();
            let missing = peers
                .iter()
                .filter(|peer| peer.standing != Standing::Connected);
            let missing: Vec<_> = missing.collect();
            panic!("{} sees not {others}: {counts:?} {missing:#?}", self.id());
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
