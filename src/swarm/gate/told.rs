//! What the log is told of refusals: each once, and not more than a stranger should be able to fill.

use std::collections::VecDeque;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use crate::swarm::admission::Reason;

/// Refusals that are remembered, so that a peer that tries again and again is one line.
const REMEMBERED_MAX: usize = 64;

/// Lines about strangers in a minute: a stranger can be a new one each time.
const STRANGERS_MAX: u32 = 20;

/// The refusals that the log has.
#[derive(Debug, Default)]
pub(super) struct Told {
    refusals: VecDeque<(PeerId, bool, Reason)>,
    /// Lines about strangers in the minute that began then.
    strangers: u32,
    minute: Option<Instant>,
}

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
        } else if self.is_quiet(Instant::now()) {
            tracing::info!(%peer, %address, by_us, %reason, "a peer is not admitted: {}", reason.advice());
        }
    }

    fn is_new(&mut self, refusal: (PeerId, bool, Reason)) -> bool {
        if self.refusals.contains(&refusal) {
            return false;
        }
        if self.refusals.len() >= REMEMBERED_MAX {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal);
        true
    }

    /// Whether one more line about strangers is not too many.
    fn is_quiet(&mut self, now: Instant) -> bool {
        let minute = Duration::from_secs(60);
        if self
            .minute
            .is_none_or(|began| now.duration_since(began) >= minute)
        {
            self.minute = Some(now);
            self.strangers = 0;
        }
        self.strangers = self.strangers.saturating_add(1);
        self.strangers <= STRANGERS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_log() {
        let mut told = Told::default();
        let now = Instant::now();
        let lines = |told: &mut Told, now| (0..1000).filter(|_| told.is_quiet(now)).count();
        assert_eq!(lines(&mut told, now), 20);
        assert_eq!(lines(&mut told, now + Duration::from_secs(59)), 0);
        assert_eq!(lines(&mut told, now + Duration::from_secs(60)), 20);
    }
}
