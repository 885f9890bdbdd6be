//! What the swarm may do.

use std::time::Duration;

use libp2p::Multiaddr;

use super::pool::{Pool, PoolSecret};
use crate::clock::Clock;
use crate::seal::{Cost, SharedSecret};

/// What the swarm may do. Times of the network run on the machine's own counter; only what is compared
/// with a date of another machine (tickets, expiries) goes by `clock`.
#[derive(Debug, Clone)]
pub struct Config {
    /// With whom we share.
    pub pool: Pool,
    /// What the members know, if there is a secret.
    pub secret: Option<Secret>,
    /// Whether tickets are accepted and shown.
    pub tickets: bool,
    /// Whether a ticket covers what only readers of a repository may read.
    pub share_private: bool,
    /// Where to listen. Empty: TCP and QUIC on all interfaces, port 9000, else the first free one up to
    /// 9010, else any.
    pub listen: Vec<Multiaddr>,
    /// Whom to dial at the start, and again while nobody else is connected.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether members on the same network find one another by multicast.
    pub mdns: bool,
    /// Connections at once, both directions together.
    pub connections: u32,
    /// The longest body that is taken from a peer.
    pub body_limit: usize,
    /// The clock.
    pub clock: Clock,
    /// The bounds of time, which tests shorten.
    pub times: Times,
}

/// A pool's secret.
#[derive(Debug, Clone)]
pub enum Secret {
    /// As it was written down. The keys are derived when the swarm starts, which takes a while.
    Raw(SharedSecret, Cost),
    /// With its keys: many daemons in one process derive them once.
    Derived(PoolSecret),
}

/// Bounds of time.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Both sides are admitted by then, or the connection ends.
    pub admission: Duration,
    /// The longest until the first answer to a lookup.
    pub first_answer: Duration,
    /// When the second owner is asked, too.
    pub hedge: Duration,
    /// How long a lease lasts, and how long others wait for its holder at most.
    pub lease: Duration,
    /// How long a lease can be renewed to.
    pub lease_max: Duration,
    /// How often a pulse is asked for.
    pub pulse: Duration,
    /// How long after it asked a peer counts on being told of writes.
    pub contact: Duration,
    /// For so long everything is asked again when a peer fell silent.
    pub silence: Duration,
    /// How long a dropped peer is not spoken with.
    pub dropped: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            admission: Duration::from_secs(5),
            first_answer: Duration::from_millis(50),
            hedge: Duration::from_millis(10),
            lease: Duration::from_secs(2),
            lease_max: Duration::from_secs(30),
            pulse: Duration::from_secs(1),
            contact: Duration::from_secs(3),
            silence: Duration::from_mins(1),
            dropped: Duration::from_mins(10),
        }
    }
}

impl Config {
    /// A member of `pool` with tickets alone.
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            secret: None,
            tickets: true,
            share_private: false,
            listen: Vec::new(),
            bootstrap: Vec::new(),
            mdns: true,
            connections: 200,
            body_limit: super::wire::offer::BODY_MAX,
            clock: Clock::system(),
            times: Times::default(),
        }
    }
}
