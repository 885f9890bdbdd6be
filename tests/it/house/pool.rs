//! Houses that share what they hold: each a machine of its own, in front of the same GitHub and by the same clock.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::join_all;
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::{self, Acquaintance, PeerId, PoolSecret, Secret};
use ghswarm::tiered;
use tokio::time::timeout;

use super::{House, daemon};

/// The repository whose runners share.
pub(crate) const NEIGHBOURS: &str = "octo-org/app";
/// For whatever happens among few swarms; the machine may be busy.
const SOON: Duration = Duration::from_secs(20);

/// How houses share.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) tiered: tiered::Config,
    /// Whether they know a secret; without, each has tickets of the others.
    pub(crate) has_secret: bool,
    /// Bytes of a disk tier.
    pub(crate) disk_limit: Option<u64>,
}

impl Pool {
    /// With a secret, trusting GitHub alone.
    pub(crate) fn secret() -> Self {
        Self {
            tiered: tiered::Config::default(),
            has_secret: true,
            disk_limit: None,
        }
    }

    /// With tickets.
    pub(crate) fn tickets() -> Self {
        Self {
            has_secret: false,
            ..Self::secret()
        }
    }

    /// With a secret, trusting who knows it.
    pub(crate) fn trusting() -> Self {
        let mut pool = Self::secret();
        pool.tiered.trust = tiered::Trust::Swarm;
        pool
    }

    /// What a swarm of this pool is configured with. The bounds of time are long, since all run on one machine.
    pub(crate) fn swarm(&self, house: &House) -> swarm::Config {
        let name = swarm::Pool::new(NEIGHBOURS).unwrap();
        let mut config = swarm::Config::new(name);
        config.mdns = false;
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        config.clock = house.clock.clone();
        config.times.first_answer = Duration::from_secs(5);
        config.times.hedge = Duration::from_millis(500);
        config.times.lease = Duration::from_secs(10);
        config.secret = self.has_secret.then(|| Secret::Derived(secret()));
        config.tickets = !self.has_secret;
        config
    }
}

/// Derived once for all stories: it takes a while.
fn secret() -> PoolSecret {
    static SECRET: OnceLock<PoolSecret> = OnceLock::new();
    let derive = || {
        let pool = swarm::Pool::new(NEIGHBOURS).unwrap();
        let shared = SharedSecret::new(b"a secret for stories alone").unwrap();
        PoolSecret::derive(&shared, &pool, Cost::MIN)
    };
    SECRET.get_or_init(derive).clone()
}

impl House {
    /// So many houses, each of which knows all others.
    pub(crate) async fn in_pool(count: usize, pool: Pool) -> Vec<Self> {
        let first = Self::with(pool.tiered.clone()).await;
        let mut houses: Vec<Self> = (0..count).map(|_| first.next_door(&pool)).collect();
        join_all(houses.iter().map(Self::listens)).await;
        for (number, house) in houses.iter().enumerate() {
            for other in &houses[..number] {
                house.meets(other).await;
            }
        }
        for house in &mut houses {
            house.sees(count - 1).await;
        }
        houses
    }

    /// Another machine in front of the same GitHub, in `pool`.
    pub(crate) fn next_door(&self, pool: &Pool) -> Self {
        let cache = Arc::new(tempfile::tempdir().unwrap());
        let mut config = self.config.clone();
        config.cache_dir = Some(cache.path().to_owned());
        config.disk_limit = pool.disk_limit;
        config.tiered = pool.tiered.clone();
        config.swarm = Some(pool.swarm(self));
        let (ready, running, peers) = daemon(config.clone());
        Self {
            github: Arc::clone(&self.github),
            cache,
            daemon: ready,
            config,
            clock: self.clock.clone(),
            lab_clock: self.lab_clock.clone(),
            client: self.client.clone(),
            running,
            peers,
        }
    }

    /// Its part in the swarm.
    pub(crate) fn peers(&self) -> &swarm::Client {
        self.peers.as_ref().unwrap()
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.peers().identity().peer_id()
    }

    /// Where peers reach it, once it listens.
    pub(crate) async fn listens(&self) -> Acquaintance {
        let listening = async {
            loop {
                let addresses = self.peers().addresses().await;
                if !addresses.is_empty() {
                    return addresses;
                }
                tokio::task::yield_now().await;
            }
        };
        let addresses = timeout(SOON, listening).await.expect("an address");
        let expires = self.now().plus(Duration::from_secs(3600));
        Acquaintance {
            peer: Some(self.peer_id()),
            addresses,
            ticket: Some(self.peers().identity().ticket(expires)),
        }
    }

    /// Makes two known to one another.
    pub(crate) async fn meets(&self, other: &Self) {
        other.peers().know(self.listens().await);
        self.peers().know(other.listens().await);
    }

    /// Waits until so many others are admitted.
    pub(crate) async fn sees(&self, others: usize) {
        let mut roster = self.peers().watch_roster();
        let seen = roster.wait_for(|roster| roster.peers.len() == others);
        if timeout(SOON, seen).await.is_err() {
            let rows = self.peers().peers().await;
            panic!("does not see {others} others: {rows:#?}");
        }
    }

    /// How often the daemon met this reason.
    pub(crate) async fn met(&self, reason: &str) -> u64 {
        self.stats()
            .await
            .reasons
            .get(reason)
            .copied()
            .unwrap_or_default()
    }
}
