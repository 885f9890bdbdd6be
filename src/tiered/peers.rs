//! The third tier: what peers hold, and what we hold for them.

use std::time::Duration;

use super::Tiered;
use crate::digest::Digest;
use crate::swarm::wire::message::Stale;
use crate::swarm::{Coverage, Offer, Source, WireKey};

impl Tiered {
    /// What a peer may be given under this name, from memory and disk alone; not the body that it has.
    pub fn peer_lookup(
        &self,
        key: &WireKey,
        held: Option<Digest>,
        coverage: Coverage,
    ) -> Option<Offer> {
        let _ = (key, held, coverage, &self.0.swarm);
        None
    }

    /// A peer gave us an entry to hold.
    pub fn peer_offered(&self, offer: Offer, from: Source) {
        drop((offer, from));
    }

    /// A peer's client wrote. When this returns, no hit shows the past any more.
    pub fn peer_wrote(&self, stale: &[Stale]) {
        let _ = stale;
    }

    /// Peers' writes may have been missed: everything is asked again.
    pub fn peers_lost(&self, why: &'static str) {
        self.0.stats.reason(why);
    }

    /// A peer said how much of a budget is left.
    pub fn peer_budget(&self, name: [u8; 16], remaining: u32, limit: u32, reset_in: Duration) {
        let _ = (name, remaining, limit, reset_in);
    }
}
