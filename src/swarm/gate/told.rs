//! What the log is told of refusals: each once, and not more than a stranger should be able to fill.

use std::collections::VecDeque;

use libp2p::{Multiaddr, PeerId};

use crate::swarm::admission::Reason;

/// Refusals that are remembered, so that a peer that tries again and again is one line.
const REMEMBERED_MAX: usize = 64;

/// The refusals that the log has.
#[derive(Debug, Default)]
pub(super) struct Told(VecDeque<(PeerId, bool, Reason)>);

impl Told {
    /// Tells the log, unless it has just been told the same.
    pub(super) fn refusal(
        &mut self,
        peer: PeerId,
        address: &Multiaddr,
        dialled: bool,
        by_us: bool,
        reason: Reason,
    ) {
        if !self.is_new((peer, by_us, reason)) {
            tracing::debug!(%peer, %address, by_us, %reason, "not admitted again");
        } else if !by_us || dialled {
            // We wanted to share, and do not: somebody should do something about it.
            tracing::warn!(%peer, %address, by_us, %reason, "not admitted: {}", reason.advice());
        } else {
            tracing::info!(%peer, %address, by_us, %reason, "a peer is not admitted: {}", reason.advice());
        }
    }

    fn is_new(&mut self, refusal: (PeerId, bool, Reason)) -> bool {
        if self.0.contains(&refusal) {
            return false;
        }
        if self.0.len() >= REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(refusal);
        true
    }
}
