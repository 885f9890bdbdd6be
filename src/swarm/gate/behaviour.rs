//! The gate as libp2p sees it: what comes from the swarm goes to whom it concerns.

use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, DialFailure, FromSwarm, ListenFailure,
    NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use super::handler::{Handler, In, Out};
use super::{Event, Gate};
use crate::swarm::admission::Reason;

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
