//! Contact: whether we would have heard of a peer's write.
//!
//! Peers ask one another for a pulse every second. Whoever was answered knows that it will hear of the other's
//! writes for three seconds ([`Times::contact`](super::Times)) from the moment it *asked*; whoever answered
//! knows, without comparing clocks, that the other's lease is over three seconds after it *answered*. So a write waits for each peer's
//! acknowledgement or for the end of the lease that this peer may have, and a peer whose lease ran out shows
//! nothing as fresh (Gray and Cheriton, "Leases", 1989, with the roles of the lease's two ends).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Whether anybody is out of contact. Cheap to ask: before every hit.
#[derive(Debug, Clone)]
pub struct Contact {
    began: Instant,
    /// Until when nothing is fresh, in milliseconds since `began`; 0 if nobody is silent.
    deaf_until: Arc<AtomicU64>,
}

impl Default for Contact {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            deaf_until: Arc::default(),
        }
    }
}

impl Contact {
    /// Whether a peer may be writing without our hearing of it.
    pub fn is_lost(&self) -> bool {
        let until = self.deaf_until.load(Relaxed);
        until != 0 && self.began.elapsed() < Duration::from_millis(until)
    }
}
