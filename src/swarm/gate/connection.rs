//! A connection as the gate keeps account of it.

use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::{Multiaddr, PeerId};

use crate::swarm::admission::Role;

/// A connection, from the moment it is established.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: PeerId,
    pub(super) endpoint: ConnectedPoint,
    /// Addresses that were dialled in vain before this one, which the inner behaviour is told when it hears of the connection.
    pub(super) failed_addresses: Vec<Multiaddr>,
    pub(super) stage: Stage,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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

/// Who opens the stream of the admission: the one whom the transport takes for the dialer. When both dial at
/// once to get through a NAT, one of them is told to play the listener.
pub(super) fn role_of(endpoint: &ConnectedPoint) -> Role {
    match endpoint {
        ConnectedPoint::Dialer {
            role_override: Endpoint::Dialer,
            ..
        } => Role::Dialer,
        ConnectedPoint::Dialer { .. } | ConnectedPoint::Listener { .. } => Role::Listener,
    }
}
