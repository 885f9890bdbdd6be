//! What the behaviours report.

use libp2p::request_response::{Event, Message, OutboundFailure};
use libp2p::{kad, mdns, ping};
use tokio::time::Instant;
use tracing::debug;

use super::Running;
use super::connections::Admission;
use crate::swarm::admission::Method;
use crate::swarm::behaviour::{BehaviourEvent, InnerEvent};
use crate::swarm::conduct::Offence;
use crate::swarm::frame::{self, Frame};
use crate::swarm::gate;

impl Running {
    pub(super) fn happened(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gate(event) => self.at_the_gate(event),
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (peer, address) in found {
                    self.connections.book.found(peer, address, Instant::now());
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Expired(gone)) => {
                for (peer, address) in gone {
                    self.connections.book.not_there(&peer, &address);
                }
            }
            BehaviourEvent::Ping(ping::Event {
                peer,
                result: Ok(rtt),
                ..
            }) => {
                self.connections.round_trip(peer, rtt);
                self.shared.lookups.round_trip(peer, rtt);
            }
            BehaviourEvent::Ping(ping::Event {
                peer,
                result: Err(error),
                connection,
            }) => {
                debug!(%peer, %error, "no answer to a ping");
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    fn at_the_gate(&mut self, event: gate::Event<InnerEvent>) {
        match event {
            gate::Event::Admitted {
                peer,
                connection,
                method,
                coverage,
                endpoint,
            } => {
                let admission = Admission {
                    coverage,
                    by_secret: method == Method::Secret,
                };
                self.admitted(peer, connection, &endpoint, admission);
                self.ask_early(peer);
            }
            gate::Event::Refused { peer, reason, .. } => self.refused(peer, reason),
            gate::Event::Gone {
                peer, connection, ..
            } => self.gone(peer, connection),
            gate::Event::Inner(InnerEvent::Exchange(event)) => self.exchanged(event),
            gate::Event::Inner(InnerEvent::Kad(kad::Event::RoutablePeer { peer, address })) => {
                self.connections.book.found(peer, address, Instant::now());
            }
            gate::Event::Inner(InnerEvent::Gossip(event)) => self.gossiped(event),
            gate::Event::Inner(InnerEvent::Kad(_)) => {}
        }
    }

    fn exchanged(&mut self, event: Event<Frame, Frame>) {
        match event {
            Event::Message { peer, message, .. } => match message {
                Message::Request {
                    request, channel, ..
                } => self.asked(peer, request, channel),
                Message::Response {
                    request_id,
                    response,
                } => self.asking.ended(request_id, Ok(response)),
            },
            Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => {
                if let OutboundFailure::Io(error) = &error
                    && frame::is_oversize(error)
                {
                    self.shared.strike(peer, Offence::Oversize);
                }
                self.asking.ended(request_id, Err(error.into()));
            }
            Event::InboundFailure { peer, error, .. } => {
                debug!(%peer, %error, "a question was not answered");
            }
            Event::ResponseSent { .. } => {}
        }
    }
}
