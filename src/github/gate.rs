//! When a call may go: the async shell of [`Budget`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::api::limit::{RateHeaders, Refusal};
use crate::clock::Clock;
use crate::secret::{CredentialId, TokenKind};
use crate::time::Timestamp;

use super::budget::{self, Ask, Budget, Exhausted, Pressure, Resource, Row, Ticket, Turn};

/// A cheap handle to the budgets of all callers.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    // A std mutex: held for a decision, never across an await.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    budget: Budget,
    waiters: HashMap<Ticket, Arc<Notify>>,
}

/// How long a call waits at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// While GitHub forbids calls: the budget is used up, or it said when to come again.
    pub closed: Duration,
    /// While only our own pacing holds it up.
    pub paced: Duration,
}

impl Patience {
    /// The same for both.
    pub const fn of(time: Duration) -> Self {
        Self {
            closed: time,
            paced: time,
        }
    }
}

impl Gate {
    /// Budgets on `clock`.
    pub fn new(config: budget::Config, clock: Clock) -> Self {
        let state = State {
            budget: Budget::new(config),
            waiters: HashMap::new(),
        };
        Self(Arc::new(Shared {
            clock,
            state: Mutex::new(state),
        }))
    }

    /// Waits for the turn of `ask`. While GitHub forbids calls it is refused at once if that lasts for
    /// longer than it would wait; what only our own pacing holds up goes when its time is over, as it
    /// would have gone without us. Dropping the future leaves the queue.
    pub async fn pass(&self, ask: Ask, patience: Patience) -> Result<Pass, Exhausted> {
        let clock = &self.0.clock;
        let began = clock.now();
        let now = began;
        let (last, paced) = (now.plus(patience.closed), now.plus(patience.paced));
        // From here on the ticket is given back whatever happens: it is in the pass.
        let pass = self.0.change(|state| {
            if let Some(until) = state.budget.closed_until(&ask, now)
                && until > last
            {
                return Err(Exhausted { until });
            }
            let ticket = state.budget.arrive(ask, now, Duration::MAX)?;
            Ok(Pass {
                shared: Arc::clone(&self.0),
                ticket,
            })
        })?;
        let mut bell = None;
        loop {
            let (turn, closed, now) = self.0.change(|state| {
                let now = clock.now();
                let turn = match state.budget.poll(pass.ticket, now) {
                    Turn::Go => Turn::Go,
                    // A clock that was set back would let the call wait for as long as it was set back.
                    _ if now >= paced || now < began => state.budget.force(pass.ticket, now),
                    waits => waits,
                };
                (turn, state.budget.closed_until(&ask, now), now)
            });
            if turn == Turn::Go {
                return Ok(pass);
            }
            if let Some(until) = closed.filter(|&until| until > last) {
                return Err(Exhausted { until });
            }
            let until = match turn {
                Turn::At(at) if (began..paced).contains(&now) => at.min(paced),
                Turn::At(at) => at,
                Turn::Go | Turn::Behind => paced,
            };
            // Rung before it is hung up, the bell would be missed: hang it up, then look once more.
            let Some(bell) = &bell else {
                bell = Some(self.0.hang_up_bell(&pass));
                continue;
            };
            tokio::select! {
                () = bell.notified() => {}
                () = clock.sleep_until(until) => {}
            }
        }
    }

    /// Whether `ask` could go at once.
    pub fn has_room(&self, ask: Ask) -> bool {
        let now = self.0.clock.now();
        self.0.lock().budget.has_room(&ask, now)
    }

    /// Learns from the answer to `ask`.
    pub fn answered(
        &self,
        ask: &Ask,
        rate: Option<&RateHeaders>,
        refusal: Option<&Refusal>,
        now: Timestamp,
    ) {
        self.0
            .change(|state| state.budget.answered(ask, rate, refusal, now));
    }

    /// How scarce the caller's budget is.
    pub fn pressure(
        &self,
        credential: CredentialId,
        kind: TokenKind,
        resource: Resource,
        now: Timestamp,
    ) -> Pressure {
        // A credential that had no answer yet has no budget to be scarce, whatever its kind.
        let _ = kind;
        self.0.lock().budget.pressure(credential, resource, now)
    }

    /// Whether so little is left of a budget that what is held lives longer.
    pub fn is_scarce(&self, limit: u64, left: u64) -> bool {
        self.0.lock().budget.is_scarce(limit, left)
    }

    /// What GitHub last told this caller: the number that was left then, and never a guess of ours.
    pub fn rate(&self, credential: CredentialId, resource: Resource) -> Option<Arc<RateHeaders>> {
        self.0.lock().budget.rate(credential, resource).cloned()
    }

    /// The budgets, for the statistics.
    pub fn rows(&self, now: Timestamp) -> Vec<Row> {
        self.0.lock().budget.rows(now)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change leaves the budget whole, so a panic elsewhere is no reason to stop.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the budget, and wakes who may go now.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        for ticket in state.budget.woken() {
            if let Some(bell) = state.waiters.get(&ticket) {
                bell.notify_one();
            }
        }
        result
    }

    fn hang_up_bell(&self, pass: &Pass) -> Arc<Notify> {
        let bell = Arc::new(Notify::new());
        self.lock().waiters.insert(pass.ticket, Arc::clone(&bell));
        bell
    }
}

/// The permission to send one call. Keep it until the answer's head is there: dropping it frees the seat.
#[derive(Debug)]
#[must_use = "dropping it frees the seat"]
pub struct Pass {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.waiters.remove(&self.ticket);
            state.budget.done(self.ticket);
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::github::budget::{Cost, Priority};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);
    const MINUTE: Duration = Duration::from_mins(1);

    fn write() -> Ask {
        Ask {
            credential: CredentialId::ANONYMOUS,
            kind: TokenKind::Anonymous,
            resource: Resource::Core,
            cost: Cost::Write,
            priority: Priority::Normal,
        }
    }

    fn gate() -> (Gate, Clock) {
        let clock = Clock::manual(NOW);
        (Gate::new(budget::Config::default(), clock.clone()), clock)
    }

    /// Lets every task run until it waits.
    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn writes_go_one_a_second_in_the_order_in_which_they_came() {
        let (gate, clock) = gate();
        let gone = Arc::new(Mutex::new(Vec::new()));
        for number in 0..4 {
            let (gate, gone) = (gate.clone(), Arc::clone(&gone));
            tokio::spawn(async move {
                let _pass = gate.pass(write(), Patience::of(MINUTE)).await.unwrap();
                gone.lock().unwrap().push(number);
            });
            settle().await;
        }
        for count in 1..=4 {
            assert_eq!(*gone.lock().unwrap(), (0..count).collect::<Vec<_>>());
            clock.advance(Duration::from_secs(1));
            settle().await;
        }
    }

    #[tokio::test]
    async fn who_would_wait_for_github_for_too_long_is_told_at_once() {
        let (gate, _clock) = gate();
        drop(gate.pass(write(), Patience::of(MINUTE)).await.unwrap());
        let until = NOW.plus(Duration::from_secs(20));
        gate.answered(&write(), None, Some(&Refusal::Secondary { until }), NOW);
        let impatient = Patience {
            closed: Duration::from_secs(19),
            paced: MINUTE,
        };
        let error = gate.pass(write(), impatient).await.unwrap_err();
        assert_eq!(error.until, until);
        assert_eq!(gate.rows(NOW)[0].waiting, 0);
    }

    #[tokio::test]
    async fn what_only_our_pacing_holds_up_goes_in_the_end() {
        let (gate, clock) = gate();
        let patience = Patience {
            closed: Duration::ZERO,
            paced: Duration::from_secs(3),
        };
        let calls: Vec<_> = (0..40)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.pass(write(), patience).await.map(drop) })
            })
            .collect();
        for _ in 0..3 {
            settle().await;
            clock.advance(Duration::from_secs(1));
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(gate.rows(clock.now())[0].waiting, 0);
    }

    #[tokio::test]
    async fn who_leaves_the_queue_leaves_no_trace_and_the_next_one_goes() {
        let (gate, clock) = gate();
        drop(gate.pass(write(), Patience::of(MINUTE)).await.unwrap());
        let waiter = |gate: &Gate| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.pass(write(), Patience::of(MINUTE)).await.map(drop) })
        };
        let first = waiter(&gate);
        settle().await;
        let second = waiter(&gate);
        settle().await;
        assert_eq!(gate.rows(NOW)[0].waiting, 2);
        first.abort();
        settle().await;
        assert_eq!(gate.rows(NOW)[0].waiting, 1);
        clock.advance(Duration::from_secs(1));
        second.await.unwrap().unwrap();
        assert!(gate.0.lock().waiters.is_empty());
        assert_eq!(gate.rows(clock.now())[0].waiting, 0);
    }

    #[tokio::test]
    async fn a_seat_that_is_freed_goes_to_who_waits_for_it() {
        let clock = Clock::manual(NOW);
        let gate = Gate::new(
            budget::Config {
                concurrency: 1,
                ..Default::default()
            },
            clock.clone(),
        );
        let read = Ask {
            cost: Cost::Read,
            ..write()
        };
        let seat = gate.pass(read, Patience::of(MINUTE)).await.unwrap();
        let waiter = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass(read, Patience::of(MINUTE)).await.map(drop) }
        });
        settle().await;
        assert!(!waiter.is_finished());
        drop(seat);
        waiter.await.unwrap().unwrap();

        let _seat = gate.pass(read, Patience::of(MINUTE)).await.unwrap();
        let late = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass(read, Patience::of(MINUTE)).await.map(drop) }
        });
        settle().await;
        clock.advance(MINUTE);
        late.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_a_caller_was_told_is_told_again() {
        let (gate, _clock) = gate();
        let rate = RateHeaders {
            limit: 60,
            remaining: 59,
            used: 1,
            reset: NOW.plus(MINUTE),
            resource: "core".into(),
        };
        gate.answered(&write(), Some(&rate), None, NOW);
        assert_eq!(
            gate.rate(CredentialId::ANONYMOUS, Resource::Core)
                .as_deref(),
            Some(&rate)
        );
        assert_eq!(gate.rate(CredentialId::ANONYMOUS, Resource::Graphql), None);
    }
}
