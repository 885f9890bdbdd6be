//! Questions that came a moment too early.
//!
//! Whoever was let in may ask at once, and on QUIC its first question can overtake the word by which we hear that it
//! is ready. Such a question waits for that word; of a peer that has gone meanwhile nobody waits for the answer.

use libp2p::PeerId;
use libp2p::request_response::ResponseChannel;

use super::Running;
use crate::swarm::frame::Frame;

/// Questions that wait at once.
const MAX: usize = 256;

/// They are few, and for a moment only.
#[derive(Default)]
pub(super) struct Early(Vec<(PeerId, Frame, ResponseChannel<Frame>)>);

impl Early {
    pub(super) fn keep(&mut self, peer: PeerId, frame: Frame, channel: ResponseChannel<Frame>) {
        self.0.retain(|(_, _, channel)| channel.is_open());
        if self.0.len() < MAX {
            self.0.push((peer, frame, channel));
        }
    }

    /// Forgets what nobody waits for any more.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|(_, _, channel)| channel.is_open());
    }
}

impl Running {
    /// `peer` is admitted: its early questions are asked now.
    pub(super) fn ask_early(&mut self, peer: PeerId) {
        let (now, later) = std::mem::take(&mut self.early.0)
            .into_iter()
            .partition(|(id, _, _)| *id == peer);
        self.early.0 = later;
        let now: Vec<_> = now;
        for (id, frame, channel) in now {
            self.asked(id, frame, channel);
        }
    }
}
