//! Contact: whether we would have heard of a peer's write.
//!
//! Peers ask one another for a pulse every second. Whoever was answered knows that it will hear of the other's
//! writes for three seconds ([`Times::contact`](super::Times)) from the moment it *asked*; whoever answered
//! knows, without comparing clocks, that the other's lease is over three seconds after it *answered*. So a write waits for each peer's
//! acknowledgement or for the end of the lease that this peer may have, and a peer whose lease ran out shows
//! nothing as fresh (Gray and Cheriton, "Leases", 1989, with the roles of the lease's two ends).
//!
//! An answer says where its sender stands in the order of its own writes, and it counts only when all of them have
//! taken effect here. So a write that is being told is never waited for longer than the lease that its
//! listener had when the write came, however many pulses are answered meanwhile.
//!
//! What it does not see: a machine that sleeps, whose counter stands still, believes in its leases for as long as was left
//! of them; and a peer that hung up is believed to be gone, so who cuts connections at *both* ends politely
//! (a middlebox that resets them) makes each believe it of the other.

mod book;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

pub(super) use book::{Book, Due, Target, Wait};

/// No lease: nothing can run out.
const NO_LEASE: u64 = u64::MAX;

/// Whether anybody is out of contact. Cheap to ask: before every hit.
#[derive(Debug, Clone)]
pub struct Contact(Arc<Known>);

#[derive(Debug)]
struct Known {
    began: Instant,
    /// When the first of our leases runs out, in milliseconds since `began`. It stands here so that a process that was stopped
    /// knows when it runs again, before anything else happens in it.
    lease_until: AtomicU64,
    /// Until when nothing is fresh because a peer fell silent, in milliseconds since `began`.
    deaf_until: AtomicU64,
}

impl Default for Contact {
    fn default() -> Self {
        Self(Arc::new(Known {
            began: Instant::now(),
            lease_until: AtomicU64::new(NO_LEASE),
            deaf_until: AtomicU64::new(0),
        }))
    }
}

impl Contact {
    /// Whether a peer may be writing without our hearing of it.
    pub fn is_lost(&self) -> bool {
        self.is_lost_at(Instant::now())
    }

    fn is_lost_at(&self, now: Instant) -> bool {
        let now = self.millis(now);
        // In this order, against that of `set`: a lease that ended is never forgotten before deafness is known.
        now >= self.0.lease_until.load(Ordering::Acquire)
            || now < self.0.deaf_until.load(Ordering::Acquire)
    }

    /// Takes over what the book says.
    pub(super) fn set(&self, standing: Standing) {
        let deaf = standing.deaf_until.map_or(0, |until| self.millis(until));
        let lease = standing
            .lease_until
            .map_or(NO_LEASE, |until| self.millis(until));
        self.0.deaf_until.store(deaf, Ordering::Release);
        self.0.lease_until.store(lease, Ordering::Release);
    }

    /// Rounded down, so that a lease ends early and never late; the end of deafness is no matter of milliseconds.
    fn millis(&self, at: Instant) -> u64 {
        let since: Duration = at.saturating_duration_since(self.0.began);
        u64::try_from(since.as_millis()).unwrap_or(NO_LEASE - 1)
    }
}

/// What [`Contact`] has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// When the first lease runs out; `None` if there is none.
    pub(super) lease_until: Option<Instant>,
    /// Until when a silent peer makes everything stale; `None` if nobody is silent.
    pub(super) deaf_until: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_ran_out_is_seen_without_anybody_having_said_so() {
        let contact = Contact::default();
        let now = Instant::now();
        assert!(!contact.is_lost_at(now));
        contact.set(Standing {
            lease_until: Some(now + Duration::from_secs(3)),
            deaf_until: None,
        });
        assert!(!contact.is_lost_at(now + Duration::from_millis(2_990)));
        assert!(contact.is_lost_at(now + Duration::from_secs(3)));
        contact.set(Standing {
            lease_until: None,
            deaf_until: Some(now + Duration::from_secs(60)),
        });
        assert!(contact.is_lost_at(now + Duration::from_secs(59)));
        assert!(!contact.is_lost_at(now + Duration::from_secs(61)));
    }
}
