//! Long bodies: an owner says at once that it has one, and then it is fetched.
//!
//! Fifty milliseconds are no time for a megabyte on a slow link. So the word that there is something comes first, and the
//! body has a time of its own, by its length. One lookup fetches one body at a time, because all who have the entry have
//! the same one, and spends no more than [`LONGEST`] with fetching, whoever it is that promises.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::Lookup;
use super::ask::Reply;
use crate::swarm::behaviour::EXCHANGE_TIMEOUT;
use crate::swarm::client::Source;
use crate::swarm::shared::AskError;
use crate::swarm::wire::message::Question;
use crate::swarm::wire::offer::BODY_MAX;

/// What a body may take beside its bytes: it is read, packed and sealed, and opened here.
const LEAST: Duration = Duration::from_secs(2);
/// Bytes per second that a link must carry.
const RATE: u64 = 1 << 20;
/// What the longest body may take, and all bodies of one lookup together.
const LONGEST: Duration = time_for(BODY_MAX as u64);

const _: () = assert!(LONGEST.as_millis() < EXCHANGE_TIMEOUT.as_millis());

/// What one lookup has fetched, and may.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    turn: Arc<Semaphore>,
    /// No body is waited for any longer, once one has been told of.
    end: Arc<OnceLock<Instant>>,
}

impl Default for Bodies {
    fn default() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            end: Arc::default(),
        }
    }
}

impl Bodies {
    /// Until when a body of so many bytes is waited for that was told of at `now`.
    fn until(&self, bytes: u64, now: Instant) -> Instant {
        let end = *self.end.get_or_init(|| now + LONGEST);
        end.min(now + time_for(bytes))
    }
}

/// How long a body of so many bytes may take.
const fn time_for(bytes: u64) -> Duration {
    LEAST.saturating_add(Duration::from_millis(bytes.saturating_mul(1000) / RATE))
}

impl Lookup {
    /// Fetches the body of which `peer` said that it is so long. `arriving` is set to when it is given up; `waiting` is for
    /// whom, and closed when nobody waits any more.
    pub(super) async fn fetch(
        &self,
        peer: PeerId,
        bytes: u64,
        arriving: &OnceLock<Instant>,
        waiting: &mut oneshot::Sender<Reply>,
    ) -> Reply {
        let told = Instant::now();
        self.shared.lookups.silences().heard(peer, told);
        if bytes > self.shared.config.body_limit as u64 {
            self.shared.count("peer-has-too-much");
            return Reply::Unknown;
        }
        let until = self.bodies.until(bytes, told);
        let _ = arriving.set(until);
        let seats = self.shared.lookups.silences().fetching(peer);
        let turn = async {
            Some((
                self.bodies.turn.acquire().await.ok()?,
                seats.acquire().await.ok()?,
            ))
        };
        let turn = tokio::select! {
            biased;
            () = waiting.closed() => None,
            turn = timeout_at(until, turn) => turn.ok().flatten(),
        };
        let Some(_turn) = turn else {
            return Reply::Gone;
        };
        let asked = Instant::now();
        let question = Question::Fetch {
            key: self.name,
            held: self.held,
        };
        let answer = tokio::select! {
            biased;
            () = waiting.closed() => return Reply::Gone,
            answer = timeout_at(until, self.shared.ask(peer, question)) => answer,
        };
        let answer = answer.unwrap_or(Err(AskError::Silent));
        if answer.is_err() {
            self.shared.count("body-not-fetched");
        }
        match self.reply(peer, answer) {
            // It was as old as the peer says before it went on its way, which may have been long.
            Reply::Candidate(offer, source) => {
                let received = asked;
                Reply::Candidate(offer, Source { received, ..source })
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_body_has_a_time_by_its_length() {
        let now = Instant::now();
        let until = |bytes| Bodies::default().until(bytes, now) - now;
        assert_eq!(until(0), secs(2));
        assert_eq!(until(8 << 20), secs(10));
        assert_eq!(until(10 << 20), secs(12));
        assert_eq!(until(u64::MAX), secs(12));
    }

    #[test]
    fn whoever_promises_one_lookup_does_not_wait_for_ever() {
        let (bodies, now) = (Bodies::default(), Instant::now());
        assert_eq!(bodies.until(8 << 20, now), now + secs(10));
        assert_eq!(bodies.until(8 << 20, now + secs(10)), now + secs(12));
        assert_eq!(bodies.until(1 << 20, now + secs(1)), now + secs(4));
    }
}
