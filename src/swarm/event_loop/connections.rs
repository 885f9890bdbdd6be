//! Who is connected: from the events of connections to the roster and the book.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Running;
use crate::swarm::admission::Reason;
use crate::swarm::behaviour::BehaviourEvent;
use crate::swarm::book::{Book, Target};
use crate::swarm::conduct::Conduct;
use crate::swarm::roster::{Coverage, Peer, PeerRow};
use crate::swarm::shared::Shared;

/// Dials at once, from the first packet to the admission. The handshakes of many take so much of a processor that
/// all would be late.
const DIALS: usize = 16;

/// Connections, and what is known of those at their ends.
pub(super) struct Connections {
    pub(super) book: Book,
    /// Dials under way.
    dials: HashMap<ConnectionId, Target>,
    /// Those that reached somebody, until the two have admitted each other.
    reached: HashSet<ConnectionId>,
    /// The admitted connections of each peer.
    admitted: HashMap<PeerId, HashMap<ConnectionId, Admission>>,
    listening: Vec<Multiaddr>,
    /// Of connected peers: the first answer comes before the admission, and the next one much later.
    round_trips: HashMap<PeerId, Duration>,
}

/// How a connection was admitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admission {
    pub(super) coverage: Coverage,
    pub(super) by_secret: bool,
}

impl Connections {
    pub(super) fn new(shared: &Shared) -> Self {
        let secret = shared.config.secret.is_some();
        let mut book = Book::new(shared.identity.peer_id(), secret);
        for address in &shared.config.bootstrap {
            book.bootstrap(address.clone(), Instant::now());
        }
        Self {
            book,
            dials: HashMap::new(),
            reached: HashSet::new(),
            admitted: HashMap::new(),
            listening: Vec::new(),
            round_trips: HashMap::new(),
        }
    }

    /// Where others reach us; on loopback only if there is nothing else.
    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        let all = self.listening.iter().cloned();
        let (mut loopback, outside) = all.partition::<Vec<_>, _>(is_loopback);
        if outside.is_empty() {
            loopback.sort();
            return loopback;
        }
        outside
    }

    /// A peer answered after so long.
    pub(super) fn round_trip(&mut self, peer: PeerId, took: Duration) {
        self.round_trips.insert(peer, took);
    }

    /// Everybody that is known.
    pub(super) fn rows(&self, conduct: &Conduct) -> Vec<PeerRow> {
        let now = Instant::now();
        let rows = self.book.entries().map(|(peer, entry)| {
            let admission = self.admitted.get(peer).and_then(|it| it.values().next());
            let record = conduct.record(peer, now);
            let rtt = self.round_trips.get(peer);
            PeerRow {
                peer_id: peer.to_string(),
                standing: entry.standing(),
                addresses: entry.addresses().to_vec(),
                admission: admission.map(|it| it.method().to_owned()),
                reason: entry.reason().map(str::to_owned),
                rtt_ms: rtt.map(|rtt| rtt.as_secs_f64() * 1e3),
                confirmed: record.confirmed,
                refuted: record.refuted,
            }
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by(|one, other| one.peer_id.cmp(&other.peer_id));
        rows
    }

    fn roster(&self) -> Vec<Peer> {
        let peers = self.admitted.iter().filter_map(|(id, connections)| {
            let coverage = connections.values().map(|it| it.coverage).max()?;
            Some(Peer {
                id: *id,
                coverage,
                by_secret: connections.values().any(|it| it.by_secret),
                suspect: false,
            })
        });
        let mut peers: Vec<_> = peers.collect();
        peers.sort_by_key(|peer| peer.id);
        peers
    }
}

impl Admission {
    fn method(self) -> &'static str {
        if self.by_secret { "secret" } else { "ticket" }
    }
}

impl Running {
    /// Dials whoever is due.
    pub(super) fn dial(&mut self) {
        let now = Instant::now();
        let under_way = self.connections.dials.len() + self.connections.reached.len();
        let date = self.shared.config.clock.now();
        let due = self
            .connections
            .book
            .due(now, date, DIALS.saturating_sub(under_way));
        for target in due {
            let options = match &target {
                Target::Peer(peer, addresses) => DialOpts::peer_id(*peer)
                    .addresses(addresses.clone())
                    .build(),
                Target::Address(address) => DialOpts::from(address.clone()),
            };
            let id = options.connection_id();
            match self.swarm.dial(options) {
                Ok(()) => {
                    self.connections.dials.insert(id, target);
                }
                Err(error) => {
                    debug!(?target, %error, "not dialled");
                    self.connections.book.failed(&target, now);
                }
            }
        }
    }

    pub(super) fn connection(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = Instant::now();
        if let SwarmEvent::ConnectionClosed {
            peer_id,
            num_established: 0,
            ..
        } = &event
        {
            self.connections.round_trips.remove(peer_id);
        }
        match event {
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                if let Some(target) = self.connections.dials.remove(&connection_id) {
                    self.connections.book.reached(&target, now);
                    self.connections.reached.insert(connection_id);
                }
            }
            SwarmEvent::ConnectionClosed { connection_id, .. }
                if self.connections.reached.remove(&connection_id) =>
            {
                self.dial();
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                if let Some(target) = self.connections.dials.remove(&connection_id) {
                    debug!(?target, %error, "nobody reached");
                    self.shared.count("dial-failed");
                    match error {
                        DialError::LocalPeerId { address } => {
                            self.connections.book.ourselves(&target, &address, now);
                        }
                        _ => self.connections.book.failed(&target, now),
                    }
                    self.dial();
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                // Whoever tells others of all of them says so once.
                debug!(%address, "listening for peers");
                self.connections.listening.push(address);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.connections.listening.retain(|it| *it != address);
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => {
                self.connections
                    .listening
                    .retain(|it| !addresses.contains(it));
                if let Err(error) = reason {
                    warn!(%error, "stopped listening for peers");
                }
            }
            SwarmEvent::ListenerError { error, .. } => {
                debug!(%error, "a connection was not accepted");
            }
            _ => {}
        }
    }

    /// Both ends have let each other in.
    pub(super) fn admitted(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
        admission: Admission,
    ) {
        let dialled = match endpoint {
            ConnectedPoint::Dialer { address, .. } => Some(address.clone()),
            ConnectedPoint::Listener { .. } => None,
        };
        let connections = self.connections.admitted.entry(peer).or_default();
        if connections.is_empty() {
            info!(%peer, by = admission.method(), "sharing with a peer");
        }
        connections.insert(connection, admission);
        self.connections
            .book
            .admitted(peer, dialled, Instant::now());
        self.shared.admitted(self.connections.roster());
        self.route(peer);
        if self.connections.reached.remove(&connection) {
            self.dial();
        }
    }

    /// One side did not let the other in.
    pub(super) fn refused(&mut self, peer: PeerId, reason: Reason) {
        self.shared.refused(reason.name());
        // What lies in a setting stays as it is for a while; the rest may be over in a moment.
        let lasting = !matches!(
            reason,
            Reason::NotNow | Reason::TimedOut | Reason::HungUp | Reason::Unknown
        );
        let name = reason.name();
        self.connections
            .book
            .refused(peer, name, lasting, Instant::now());
    }

    /// Puts an admitted peer where the others' questions for members find it.
    pub(super) fn route(&mut self, peer: PeerId) {
        if !self.connections.admitted.contains_key(&peer) {
            return;
        }
        let addresses = self.connections.book.addresses(&peer).to_vec();
        let kad = &mut self.swarm.behaviour_mut().gate.inner_mut().kad;
        for address in addresses {
            kad.add_address(&peer, address);
        }
    }

    /// Ends the connections of a peer for what it did, and speaks with it no more for a while.
    pub(super) fn drop_peer(&mut self, peer: PeerId, reason: &'static str) {
        // What was under way when it was dropped can be held against it once more.
        if self.connections.book.is_dropped(&peer) {
            return;
        }
        let time = self.shared.config.times.dropped;
        warn!(%peer, reason, ?time, "a peer is dropped");
        self.connections
            .book
            .dropped(peer, Instant::now() + time, reason);
        let behaviour = self.swarm.behaviour_mut();
        behaviour.gate.refuse(peer);
        behaviour.blocked.block_peer(peer);
    }

    /// What is to be done from time to time.
    pub(super) fn tick(&mut self) {
        for peer in self.connections.book.forgiven(Instant::now()) {
            let behaviour = self.swarm.behaviour_mut();
            behaviour.gate.pardon(&peer);
            behaviour.blocked.unblock_peer(peer);
        }
        self.early.tidy();
        self.shared.known(self.connections.book.len());
        self.dial();
    }

    /// An admitted connection ended.
    pub(super) fn gone(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(connections) = self.connections.admitted.get_mut(&peer) else {
            return;
        };
        connections.remove(&connection);
        if connections.is_empty() {
            info!(%peer, "a peer is gone");
            self.connections.admitted.remove(&peer);
            self.connections.book.gone(&peer, Instant::now());
        }
        self.shared.admitted(self.connections.roster());
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    address.iter().any(|part| match part {
        Protocol::Ip4(ip) => ip.is_loopback(),
        Protocol::Ip6(ip) => ip.is_loopback(),
        _ => false,
    })
}
