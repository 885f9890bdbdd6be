//! Coalescing: of requests that would ask GitHub the same thing at the same time, one asks.
//!
//! A flight carries no answer. Whoever waited looks at the store again and decides for itself: the
//! leader's body is a *candidate*, and each waiter earns its own grant. A leader that failed, or went
//! away, leaves nothing, and the next waiter leads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::api::Key;
use crate::secret::CredentialId;
use crate::time::Timestamp;

/// What is being asked: a body under a key, or, with a credential, a conditional question that only
/// that credential's own requests can share.
pub(super) type Question = (Key, Option<CredentialId>);

/// The flights under way. Bounded by the number of connections: each leader holds one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights {
    // A std mutex: held for map operations only.
    under_way: Arc<Mutex<HashMap<Question, Flight>>>,
}

#[derive(Debug, Clone)]
struct Flight {
    started: Start,
    stage: Arc<watch::Sender<Stage>>,
}

/// When a flight started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// The event number.
    pub event: u64,
    /// The time.
    pub at: Timestamp,
}

/// What a request does about a question.
pub(super) enum Seat {
    /// It asks. The flight lands when this is dropped, however that comes about.
    Leader(Leader),
    /// Another one asks.
    Waiter(Waiter),
}

impl Flights {
    /// Joins the flight for `question` if it started at or after event `floor`; one that started
    /// earlier may bring back what was true before a write, so a new one starts in its place.
    pub(super) fn join(&self, question: Question, floor: u64, now: Start) -> Seat {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = under_way
            .get(&question)
            .filter(|flight| flight.started.event >= floor)
        {
            let stage = flight.stage.subscribe();
            return Seat::Waiter(Waiter {
                started: flight.started.at,
                stage,
            });
        }
        let flight = Flight {
            started: now,
            stage: Arc::new(watch::Sender::new(Stage::Boarding)),
        };
        under_way.insert(question, flight.clone());
        Seat::Leader(Leader {
            flights: self.clone(),
            question,
            flight,
        })
    }
}

/// How long a waiter waits for its leader's question to be sent before it looks at its own budget.
const BOARDING: Duration = Duration::from_millis(500);

/// How far a flight is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The leader waits for its peers, for a bounded time.
    Seeking,
    /// The leader waits for its budget.
    Boarding,
    /// GitHub is asked.
    Departed,
    /// There is an answer, or there will be none.
    Landed,
}

/// Holds a flight under way.
#[derive(Debug)]
pub(super) struct Leader {
    flights: Flights,
    question: Question,
    flight: Flight,
}

impl Leader {
    /// Peers are asked first.
    pub(super) fn seek(&self) {
        self.flight.stage.send_replace(Stage::Seeking);
    }

    /// GitHub is asked next.
    pub(super) fn board(&self) {
        self.flight.stage.send_replace(Stage::Boarding);
    }

    /// The question is on its way.
    pub(super) fn depart(&self) {
        self.flight.stage.send_replace(Stage::Departed);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let mut under_way = self
            .flights
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_ours = under_way
            .get(&self.question)
            .is_some_and(|flight| Arc::ptr_eq(&flight.stage, &self.flight.stage));
        if is_ours {
            under_way.remove(&self.question);
        }
        self.flight.stage.send_replace(Stage::Landed);
    }
}

/// Waits for a flight to land.
pub(super) struct Waiter {
    started: Timestamp,
    stage: watch::Receiver<Stage>,
}

impl Waiter {
    /// Whether the leader's question is on its way, or over; waits for it for a moment.
    pub(super) async fn departed(&mut self) -> bool {
        // An error means that the leader is gone, and so is its flight.
        let _ = self.stage.wait_for(|stage| *stage != Stage::Seeking).await;
        let is_off = |stage: &Stage| matches!(stage, Stage::Departed | Stage::Landed);
        let departed = self.stage.wait_for(is_off);
        tokio::time::timeout(BOARDING, departed).await.is_ok()
    }

    /// Returns when the leader has its answer, failed, or went away: the time its flight started.
    /// `None`: none of it within `most`.
    pub(super) async fn landed(mut self, most: Duration) -> Option<Timestamp> {
        // An error means that the leader is gone, which is a landing as well.
        let landing = self.stage.wait_for(|stage| *stage == Stage::Landed);
        let landed = tokio::time::timeout(most, landing).await.is_ok();
        landed.then_some(self.started)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        (crate::api::key::named("test", b"k"), None)
    }

    fn at(event: u64) -> Start {
        Start {
            event,
            at: Timestamp::from_secs(event),
        }
    }

    #[tokio::test]
    async fn a_leader_that_goes_away_frees_its_waiters_and_the_seat() {
        let flights = Flights::default();
        let Seat::Leader(leader) = flights.join(question(), 0, at(1)) else {
            panic!("a seat is free")
        };
        let Seat::Waiter(waiter) = flights.join(question(), 0, at(2)) else {
            panic!("one leads")
        };
        drop(leader);
        assert_eq!(waiter.landed(BOARDING).await, Some(Timestamp::from_secs(1)));
        assert!(matches!(
            flights.join(question(), 0, at(3)),
            Seat::Leader(_)
        ));
    }

    #[test]
    fn a_flight_from_before_a_write_is_not_joined_and_its_landing_leaves_the_new_one() {
        let flights = Flights::default();
        let Seat::Leader(early) = flights.join(question(), 0, at(1)) else {
            panic!("a seat is free")
        };
        let Seat::Leader(_late) = flights.join(question(), 5, at(6)) else {
            panic!("too early to join")
        };
        drop(early);
        assert!(matches!(
            flights.join(question(), 5, at(7)),
            Seat::Waiter(_)
        ));
    }
}
