//! Our questions to peers.

use std::collections::HashMap;

use libp2p::PeerId;
use libp2p::request_response::{OutboundFailure, OutboundRequestId};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Running;
use crate::swarm::frame::Frame;
use crate::swarm::shared::AskError;

/// The questions that are under way. As many as the permits of all peers.
#[derive(Default)]
pub(super) struct Asking {
    under_way: HashMap<OutboundRequestId, Asked>,
}

struct Asked {
    reply: oneshot::Sender<Result<Frame, AskError>>,
    _permit: OwnedSemaphorePermit,
}

impl Asking {
    pub(super) fn ended(&mut self, id: OutboundRequestId, result: Result<Frame, AskError>) {
        if let Some(asked) = self.under_way.remove(&id) {
            // Whoever asked may have stopped waiting.
            let _ = asked.reply.send(result);
        }
    }
}

impl Running {
    pub(super) fn ask(
        &mut self,
        peer: PeerId,
        frame: Frame,
        reply: oneshot::Sender<Result<Frame, AskError>>,
        permit: OwnedSemaphorePermit,
    ) {
        if reply.is_closed() {
            return;
        }
        let exchange = &mut self.swarm.behaviour_mut().gate.inner_mut().exchange;
        // Otherwise it would dial.
        if !exchange.is_connected(&peer) {
            let _ = reply.send(Err(AskError::NotConnected));
            return;
        }
        let id = exchange.send_request(&peer, frame);
        let asked = Asked {
            reply,
            _permit: permit,
        };
        self.asking.under_way.insert(id, asked);
    }
}

impl From<OutboundFailure> for AskError {
    fn from(failure: OutboundFailure) -> Self {
        match failure {
            OutboundFailure::DialFailure | OutboundFailure::UnsupportedProtocols => {
                Self::NotConnected
            }
            OutboundFailure::Timeout
            | OutboundFailure::ConnectionClosed
            | OutboundFailure::Io(_) => Self::Silent,
        }
    }
}
