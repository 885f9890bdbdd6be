//! The gate: a behaviour around a behaviour, which hears of a connection only when both sides admitted it.
//!
//! # Flow
//!
//! Each connection gets a handler that offers the admission alone (`handler`). When the other side has proved what it
//! had to ([`admission`]), and not before, the inner behaviour is asked for a handler of its own, which is sent
//! into ours; from then on the inner behaviour's protocols exist on *this* connection. Another connection of the same
//! peer is admitted by itself.
//!
//! The listener is *half open* when it says Welcome: it accepts the inner protocols' streams, and opens none before the
//! dialer is Ready. The dialer is open when it has verified the Welcome, and says Ready then. So neither opens a stream
//! that the other would not understand yet, and no message is lost.
//!
//! # Invariants
//!
//! * The inner behaviour hears of a connection only once it is proven, and of its end if and only if it
//!   heard of its beginning. The numbers of connections that it is told count those alone.
//! * A connection is admitted within [`Policy::deadline`] of its beginning, or it ends.
//! * A stranger can hold a bounded number of connections, for a bounded time, and each costs two small buffers.
//!
//! # Not here
//!
//! Which connections are made at all (limits, block lists, dialling); what becomes of the peers' words.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::{
    AddressChange, CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, DialError,
    DialFailure, FromSwarm, ListenFailure, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::admission::{Grant, Method, Reason, Role, Terms};
use super::{Coverage, Identity, Pool, PoolSecret, Ticket};
use crate::clock::Clock;

mod conversation;
mod handler;
mod inner;
mod told;
mod upgrade;

use handler::{Guest, Handler, In, Out};
use told::Told;

/// Connections that others opened and that are not admitted yet, at once.
const PENDING_MAX: usize = 64;
/// The same from one address. Not counted on loopback, where many daemons of one machine meet.
const PENDING_PER_ADDRESS_MAX: usize = 4;
/// Tickets of peers that we may dial. The one that runs out first makes room.
const TICKETS_MAX: usize = 1024;
/// Peers that are refused. The one that was refused first makes room.
const REFUSED_MAX: usize = 1024;

/// On which terms the gate opens.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Who we are.
    pub identity: Identity,
    /// With whom we share.
    pub pool: Pool,
    /// What its members know, if there is a secret.
    pub secret: Option<PoolSecret>,
    /// Whether tickets are accepted and shown.
    pub tickets: bool,
    /// Whether a ticket covers what only readers of a repository may read.
    pub share_private: bool,
    /// What tickets are compared with.
    pub clock: Clock,
    /// From a connection's beginning to its admission.
    pub deadline: Duration,
}

/// What happens at the gate.
#[derive(Debug)]
pub enum Event<E> {
    /// Both sides admitted the connection.
    Admitted {
        /// Whom.
        peer: PeerId,
        /// On this connection.
        connection: ConnectionId,
        /// By what.
        method: Method,
        /// What the peer may be given.
        coverage: Coverage,
        /// Where it is, and who dialled.
        endpoint: ConnectedPoint,
    },
    /// A connection was not admitted, and ends. Once for each such connection; logged already.
    Refused {
        /// Whom, or who refused us.
        peer: PeerId,
        /// Where it is.
        address: Multiaddr,
        /// Whether it was our decision.
        by_us: bool,
        /// Why.
        reason: Reason,
    },
    /// A connection that was admitted is over.
    Gone {
        /// Whose.
        peer: PeerId,
        /// Which.
        connection: ConnectionId,
        /// Whether there is no other admitted one with this peer.
        last: bool,
    },
    /// What the inner behaviour says.
    Inner(E),
}

/// What the gate shares with the handlers of its connections.
#[derive(Debug)]
struct House {
    identity: Identity,
    terms: Arc<Terms>,
    clock: Clock,
    deadline: Duration,
}

/// Keeps `B` to connections that both sides admitted.
pub struct Gate<B: NetworkBehaviour> {
    inner: B,
    house: Arc<House>,
    connections: HashMap<ConnectionId, Connection>,
    /// The connections that the inner behaviour knows of.
    proven: HashMap<PeerId, Vec<ConnectionId>>,
    tickets: HashMap<PeerId, Ticket>,
    refused: HashSet<PeerId>,
    refused_first: VecDeque<PeerId>,
    told: Told,
    queue: VecDeque<ToSwarm<Event<B::ToSwarm>, THandlerInEvent<Self>>>,
}

#[derive(Debug)]
struct Connection {
    peer: PeerId,
    endpoint: ConnectedPoint,
    /// Addresses that were dialled in vain before this one, which the inner behaviour is told when it hears of the connection.
    failed_addresses: Vec<Multiaddr>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The admission goes on.
    Pending,
    /// The other side has proved what it had to; the inner behaviour knows of the connection.
    Proven,
    /// Both are ready.
    Open,
    /// Refused before it was proven; about to end.
    Refused,
    /// Refused after it was proven; about to end.
    Spoiled,
}

impl<B: NetworkBehaviour> fmt::Debug for Gate<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl<B: NetworkBehaviour> Gate<B> {
    /// A gate in front of `inner`.
    pub fn new(inner: B, policy: Policy) -> Self {
        let terms = Terms {
            pool: policy.pool,
            secret: policy.secret,
            tickets: policy.tickets,
            share_private: policy.share_private,
        };
        Self {
            inner,
            house: Arc::new(House {
                identity: policy.identity,
                terms: Arc::new(terms),
                clock: policy.clock,
                deadline: policy.deadline,
            }),
            connections: HashMap::new(),
            proven: HashMap::new(),
            tickets: HashMap::new(),
            refused: HashSet::new(),
            refused_first: VecDeque::new(),
            told: Told::default(),
            queue: VecDeque::new(),
        }
    }

    /// What is behind the gate.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// What is behind the gate.
    pub fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// What lets us in at `peer`, from the next dialling on.
    pub fn set_ticket(&mut self, peer: PeerId, ticket: Ticket) {
        if self.tickets.len() >= TICKETS_MAX && !self.tickets.contains_key(&peer) {
            let first = self.tickets.iter().min_by_key(|(_, ticket)| ticket.expires);
            if let Some(first) = first.map(|(peer, _)| *peer) {
                self.tickets.remove(&first);
            }
        }
        self.tickets.insert(peer, ticket);
    }

    /// Forgets what lets us in at `peer`.
    pub fn forget_ticket(&mut self, peer: &PeerId) {
        self.tickets.remove(peer);
    }

    /// Ends all connections with `peer` and admits none, until [`Gate::pardon`].
    pub fn refuse(&mut self, peer: PeerId) {
        if self.refused.insert(peer) {
            self.refused_first.push_back(peer);
        }
        if self.refused.len() > REFUSED_MAX
            && let Some(first) = self.refused_first.pop_front()
        {
            self.refused.remove(&first);
        }
        let held: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, held)| held.peer == peer)
            .map(|(id, _)| *id)
            .collect();
        for id in &held {
            self.on_refused(*id, true, Reason::NotNow);
        }
        if !held.is_empty() {
            self.queue.push_back(ToSwarm::CloseConnection {
                peer_id: peer,
                connection: CloseConnection::All,
            });
        }
    }

    /// Takes [`Gate::refuse`] back.
    pub fn pardon(&mut self, peer: &PeerId) {
        if self.refused.remove(peer) {
            self.refused_first.retain(|refused| refused != peer);
        }
    }

    /// The admitted connections with `peer`.
    fn open_connections(&self, peer: &PeerId) -> usize {
        let open = |id: &&ConnectionId| {
            let held = self.connections.get(id);
            held.is_some_and(|held| held.stage == Stage::Open)
        };
        let proven = self.proven.get(peer);
        proven.map_or(0, |proven| proven.iter().filter(open).count())
    }

    /// Whether a stranger's connection from `address` would be one too many.
    fn is_crowded(&self, address: &Multiaddr) -> bool {
        let pending = self.connections.values().filter(|held| {
            held.endpoint.is_listener() && matches!(held.stage, Stage::Pending | Stage::Refused)
        });
        let ip = ip_of(address);
        let (mut all, mut same) = (0, 0);
        for held in pending {
            all += 1;
            same += usize::from(ip.is_some() && ip_of(held.endpoint.get_remote_address()) == ip);
        }
        let local = ip.is_some_and(|ip| ip.is_loopback());
        all >= PENDING_MAX || (same >= PENDING_PER_ADDRESS_MAX && !local)
    }

    fn handler(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        endpoint: ConnectedPoint,
    ) -> Handler<THandler<B>> {
        let role = role_of(&endpoint);
        let held = Connection {
            peer,
            endpoint,
            failed_addresses: Vec::new(),
            stage: Stage::Pending,
        };
        self.connections.insert(id, held);
        let ticket = self.tickets.get(&peer).cloned();
        Handler::new(Arc::clone(&self.house), peer, role, ticket)
    }

    fn tell_handler(&mut self, peer: PeerId, id: ConnectionId, event: THandlerInEvent<Self>) {
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(id),
            event,
        });
    }

    /// The other side has proved what it had to: the inner behaviour hears of the connection.
    fn on_proven(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(held) = self.connections.get_mut(&id) else {
            return;
        };
        if held.stage != Stage::Pending {
            return;
        }
        if self.refused.contains(&peer) {
            self.tell_handler(peer, id, In::Refuse(Reason::NotNow));
            return;
        }
        let asked = match &held.endpoint {
            ConnectedPoint::Dialer {
                address,
                role_override,
                port_use,
            } => self.inner.handle_established_outbound_connection(
                id,
                peer,
                address,
                *role_override,
                *port_use,
            ),
            ConnectedPoint::Listener {
                local_addr,
                send_back_addr,
            } => self.inner.handle_established_inbound_connection(
                id,
                peer,
                local_addr,
                send_back_addr,
            ),
        };
        match asked {
            Ok(handler) => {
                held.stage = Stage::Proven;
                let others = self.proven.entry(peer).or_default();
                self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(
                    ConnectionEstablished {
                        peer_id: peer,
                        connection_id: id,
                        endpoint: &held.endpoint,
                        failed_addresses: &std::mem::take(&mut held.failed_addresses),
                        other_established: others.len(),
                    },
                ));
                others.push(id);
                self.tell_handler(peer, id, In::Open(Box::new(Guest(handler))));
            }
            Err(denied) => {
                tracing::debug!(%peer, %denied, "not wanted behind the gate");
                self.tell_handler(peer, id, In::Refuse(Reason::NotNow));
            }
        }
    }

    fn on_open(&mut self, peer: PeerId, id: ConnectionId, grant: Grant) {
        let Some(held) = self.connections.get_mut(&id) else {
            return;
        };
        held.stage = Stage::Open;
        self.queue
            .push_back(ToSwarm::GenerateEvent(Event::Admitted {
                peer,
                connection: id,
                method: grant.method,
                coverage: grant.coverage,
                endpoint: held.endpoint.clone(),
            }));
    }

    /// Says once for each connection that it is not admitted.
    fn on_refused(&mut self, id: ConnectionId, by_us: bool, reason: Reason) {
        let Some(held) = self.connections.get_mut(&id) else {
            return;
        };
        let before = held.stage;
        held.stage = match before {
            Stage::Pending => Stage::Refused,
            Stage::Proven => Stage::Spoiled,
            Stage::Open | Stage::Refused | Stage::Spoiled => return,
        };
        let (peer, endpoint) = (held.peer, held.endpoint.clone());
        let address = endpoint.get_remote_address().clone();
        self.told
            .refusal(peer, &address, endpoint.is_dialer(), by_us, reason);
        if before == Stage::Pending && endpoint.is_dialer() {
            self.dialled_in_vain(peer, id, reason);
        }
        self.queue.push_back(ToSwarm::GenerateEvent(Event::Refused {
            peer,
            address,
            by_us,
            reason,
        }));
    }

    /// What the inner behaviour has for `peer` waits for a connection that does not come.
    fn dialled_in_vain(&mut self, peer: PeerId, id: ConnectionId, reason: Reason) {
        if self.proven.contains_key(&peer) {
            return;
        }
        let error = DialError::Denied {
            cause: ConnectionDenied::new(reason),
        };
        self.inner
            .on_swarm_event(FromSwarm::DialFailure(DialFailure {
                peer_id: Some(peer),
                error: &error,
                connection_id: id,
            }));
    }

    fn on_closed(&mut self, closed: ConnectionClosed<'_>) {
        let (peer, id) = (closed.peer_id, closed.connection_id);
        let stage = self.connections.get(&id).map(|held| held.stage);
        if matches!(stage, Some(Stage::Pending | Stage::Proven)) {
            // Without a cause, it was closed on this side.
            match closed.cause {
                Some(_) => self.on_refused(id, false, Reason::HungUp),
                None => self.on_refused(id, true, Reason::NotNow),
            }
        }
        self.connections.remove(&id);
        if !matches!(stage, Some(Stage::Proven | Stage::Open | Stage::Spoiled)) {
            return;
        }
        let mut remaining = 0;
        if let Some(others) = self.proven.get_mut(&peer) {
            others.retain(|other| *other != id);
            remaining = others.len();
        }
        if remaining == 0 {
            self.proven.remove(&peer);
        }
        self.inner
            .on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                remaining_established: remaining,
                ..closed
            }));
        if stage == Some(Stage::Open) {
            let last = self.open_connections(&peer) == 0;
            self.queue.push_back(ToSwarm::GenerateEvent(Event::Gone {
                peer,
                connection: id,
                last,
            }));
        }
    }

    fn on_address_change(&mut self, change: AddressChange<'_>) {
        let Some(held) = self.connections.get_mut(&change.connection_id) else {
            return;
        };
        held.endpoint = change.new.clone();
        if matches!(held.stage, Stage::Proven | Stage::Open | Stage::Spoiled) {
            self.inner.on_swarm_event(FromSwarm::AddressChange(change));
        }
    }

    /// Where an event of the inner behaviour goes: never to a connection that it does not know.
    fn addressee(&self, peer: &PeerId, handler: &NotifyHandler) -> Option<ConnectionId> {
        let proven = self.proven.get(peer)?;
        match handler {
            NotifyHandler::One(id) => proven.contains(id).then_some(*id),
            NotifyHandler::Any => {
                let open = proven.iter().find(|id| {
                    let held = self.connections.get(id);
                    held.is_some_and(|held| held.stage == Stage::Open)
                });
                open.or_else(|| proven.first()).copied()
            }
        }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gate<B> {
    type ConnectionHandler = Handler<THandler<B>>;
    type ToSwarm = Event<B::ToSwarm>;

    fn handle_pending_inbound_connection(
        &mut self,
        connection_id: ConnectionId,
        local_addr: &Multiaddr,
        remote_addr: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        if self.is_crowded(remote_addr) {
            return Err(ConnectionDenied::new(Reason::NotNow));
        }
        self.inner
            .handle_pending_inbound_connection(connection_id, local_addr, remote_addr)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer: PeerId,
        local_addr: &Multiaddr,
        remote_addr: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        // Again: many may have been on their way at once.
        if self.is_crowded(remote_addr) {
            return Err(ConnectionDenied::new(Reason::NotNow));
        }
        let endpoint = ConnectedPoint::Listener {
            local_addr: local_addr.clone(),
            send_back_addr: remote_addr.clone(),
        };
        let mut handler = self.handler(connection_id, peer, endpoint);
        if self.refused.contains(&peer) {
            handler.refuse_at_once(Reason::NotNow);
        }
        Ok(handler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection_id: ConnectionId,
        maybe_peer: Option<PeerId>,
        addresses: &[Multiaddr],
        effective_role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if maybe_peer.is_some_and(|peer| self.refused.contains(&peer)) {
            return Err(ConnectionDenied::new(Reason::NotNow));
        }
        self.inner.handle_pending_outbound_connection(
            connection_id,
            maybe_peer,
            addresses,
            effective_role,
        )
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection_id: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role_override: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.refused.contains(&peer) {
            return Err(ConnectionDenied::new(Reason::NotNow));
        }
        let endpoint = ConnectedPoint::Dialer {
            address: address.clone(),
            role_override,
            port_use,
        };
        Ok(self.handler(connection_id, peer, endpoint))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                if let Some(held) = self.connections.get_mut(&established.connection_id) {
                    held.failed_addresses = established.failed_addresses.to_vec();
                }
            }
            FromSwarm::ConnectionClosed(closed) => self.on_closed(closed),
            FromSwarm::AddressChange(change) => self.on_address_change(change),
            FromSwarm::DialFailure(DialFailure { connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                // Another behaviour may have denied what we had a handler for.
                self.connections.remove(&connection_id);
                self.inner.on_swarm_event(event);
            }
            other => self.inner.on_swarm_event(other),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Out::Proven => self.on_proven(peer, id),
            Out::Open(grant) => self.on_open(peer, id, grant),
            Out::Refused { by_us, reason } => self.on_refused(id, by_us, reason),
            Out::Close => self.queue.push_back(ToSwarm::CloseConnection {
                peer_id: peer,
                connection: CloseConnection::One(id),
            }),
            Out::Inner(event) => self.inner.on_connection_handler_event(peer, id, event),
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(event) = self.queue.pop_front() {
            return Poll::Ready(event);
        }
        while let Poll::Ready(event) = self.inner.poll(cx) {
            let ToSwarm::NotifyHandler {
                peer_id,
                handler,
                event,
            } = event
            else {
                return Poll::Ready(event.map_in(In::Inner).map_out(Event::Inner));
            };
            // Without an addressee it is dropped, as the swarm does for a connection that is over.
            if let Some(id) = self.addressee(&peer_id, &handler) {
                return Poll::Ready(ToSwarm::NotifyHandler {
                    peer_id,
                    handler: NotifyHandler::One(id),
                    event: In::Inner(event),
                });
            }
        }
        Poll::Pending
    }
}

/// Who opens the stream of the admission: the one whom the transport takes for the dialer. When both dial at
/// once to get through a NAT, one of them is told to play the listener.
fn role_of(endpoint: &ConnectedPoint) -> Role {
    match endpoint {
        ConnectedPoint::Dialer {
            role_override: Endpoint::Dialer,
            ..
        } => Role::Dialer,
        ConnectedPoint::Dialer { .. } | ConnectedPoint::Listener { .. } => Role::Listener,
    }
}

fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    })
}
