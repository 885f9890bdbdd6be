//! The gate: a behaviour around a behaviour, which hears of a connection only when both sides admitted it.
//!
//! # Flow
//!
//! Each connection gets a handler that offers the admission alone (`handler`). When the other side has proved what it
//! had to ([`super::admission`]), and not before, the inner behaviour is asked for a handler of its own, which is sent
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

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::{
    AddressChange, CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, DialError,
    DialFailure, FromSwarm, NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::admission::{Grant, Method, Reason, Terms};
use super::{Coverage, Identity, Pool, PoolSecret, Ticket};
use crate::clock::Clock;

mod behaviour;
mod connection;
mod conversation;
mod crowd;
mod handler;
mod inner;
mod lists;
mod told;
mod upgrade;

use connection::{Connection, Stage, role_of};
use handler::{Guest, Handler, In};
use lists::{Refused, Tickets};
use told::Told;

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
    tickets: Tickets,
    refused: Refused,
    told: Told,
    queue: VecDeque<ToSwarm<Event<B::ToSwarm>, THandlerInEvent<Self>>>,
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
            tickets: Tickets::default(),
            refused: Refused::default(),
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
        self.tickets.set(peer, ticket);
    }

    /// Forgets what lets us in at `peer`.
    pub fn forget_ticket(&mut self, peer: &PeerId) {
        self.tickets.forget(peer);
    }

    /// Ends all connections with `peer` and admits none, until [`Gate::pardon`].
    pub fn refuse(&mut self, peer: PeerId) {
        self.refused.add(peer);
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
        self.refused.pardon(peer);
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
        crowd::is_crowded(
            pending.map(|held| held.endpoint.get_remote_address()),
            address,
        )
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
        let ticket = self.tickets.of(&peer);
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
