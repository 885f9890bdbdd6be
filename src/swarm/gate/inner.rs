//! A connection's events as the inner handler knows them.

use libp2p::swarm::ConnectionHandler;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
    ListenUpgradeError,
};

use super::upgrade::{Either, Inbound, Outbound};

/// What happens on a connection whose inner handler is an `H`.
pub(super) type OfConnection<'a, H> = ConnectionEvent<
    'a,
    Inbound<<H as ConnectionHandler>::InboundProtocol>,
    Outbound<<H as ConnectionHandler>::OutboundProtocol>,
    Option<<H as ConnectionHandler>::InboundOpenInfo>,
    Either<(), <H as ConnectionHandler>::OutboundOpenInfo>,
>;

/// The same without a gate.
type OfInner<'a, H> = ConnectionEvent<
    'a,
    <H as ConnectionHandler>::InboundProtocol,
    <H as ConnectionHandler>::OutboundProtocol,
    <H as ConnectionHandler>::InboundOpenInfo,
    <H as ConnectionHandler>::OutboundOpenInfo,
>;

/// The same event for the inner handler, if it is one of its own.
pub(super) fn for_inner<H: ConnectionHandler>(
    event: OfConnection<'_, H>,
) -> Option<OfInner<'_, H>> {
    Some(match event {
        ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
            protocol: Either::Inner(protocol),
            info: Some(info),
        }) => ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info }),
        ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
            protocol: Either::Inner(protocol),
            info: Either::Inner(info),
        }) => ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }),
        ConnectionEvent::DialUpgradeError(DialUpgradeError {
            info: Either::Inner(info),
            error,
        }) => ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }),
        ConnectionEvent::ListenUpgradeError(ListenUpgradeError {
            info: Some(info),
            error,
        }) => ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error }),
        ConnectionEvent::AddressChange(change) => ConnectionEvent::AddressChange(change),
        ConnectionEvent::LocalProtocolsChange(change) => {
            ConnectionEvent::LocalProtocolsChange(change)
        }
        ConnectionEvent::RemoteProtocolsChange(change) => {
            ConnectionEvent::RemoteProtocolsChange(change)
        }
        _ => return None,
    })
}
