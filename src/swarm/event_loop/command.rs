//! What clients and the tasks of the swarm want of the event loop.

use std::convert::Infallible;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;
use tracing::debug;

use super::Running;
use crate::swarm::book::Known;
use crate::swarm::client::Acquaintance;
use crate::swarm::frame::Frame;
use crate::swarm::roster::PeerRow;
use crate::swarm::shared::AskError;

/// One of these things.
#[derive(Debug)]
pub(in crate::swarm) enum Command {
    /// Ask a peer.
    Ask {
        peer: PeerId,
        frame: Frame,
        reply: oneshot::Sender<Result<Frame, AskError>>,
        /// The right to, until the question is over.
        permit: OwnedSemaphorePermit,
    },
    /// A peer that could be dialled.
    Know(Acquaintance),
    /// An address that could.
    Dial(Multiaddr),
    /// Where we can be reached.
    Addresses(oneshot::Sender<Vec<Multiaddr>>),
    /// Everybody that is known.
    Peers(oneshot::Sender<Vec<PeerRow>>),
    /// Say this to everybody.
    Publish(Vec<u8>),
    /// End the connections of a peer. It may come back.
    Disconnect(PeerId),
    /// End them, and speak with it no more for a while, for this reason.
    Drop(PeerId, &'static str),
    /// Hang up, and end. The sender is dropped when that is done.
    Leave(oneshot::Sender<Infallible>),
}

impl Running {
    pub(super) fn command(&mut self, command: Command) {
        match command {
            Command::Ask {
                peer,
                frame,
                reply,
                permit,
            } => self.ask(peer, frame, reply, permit),
            Command::Know(acquaintance) => {
                self.know(acquaintance);
                self.dial();
            }
            Command::Dial(address) => {
                self.connections.book.stranger(address, Instant::now());
                self.dial();
            }
            // Nobody waits any more if sending fails.
            Command::Addresses(reply) => {
                let _ = reply.send(self.connections.addresses());
            }
            Command::Peers(reply) => {
                let rows = self.connections.rows(&self.shared.conduct());
                let _ = reply.send(rows);
            }
            Command::Disconnect(peer) => {
                // An error says that it is gone already.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Publish(bytes) => self.publish(bytes),
            Command::Drop(peer, reason) => self.drop_peer(peer, reason),
            // The loop itself sees to it.
            Command::Leave(_) => {}
        }
    }

    fn know(&mut self, told: Acquaintance) {
        let known = self.connections.book.know(told, Instant::now());
        let Known::Learned(peer) = known else {
            debug!(?known, "told of a peer");
            return;
        };
        if let Some(ticket) = self.connections.book.ticket(&peer) {
            let ticket = ticket.clone();
            self.swarm.behaviour_mut().gate.set_ticket(peer, ticket);
        }
        self.route(peer);
    }
}
