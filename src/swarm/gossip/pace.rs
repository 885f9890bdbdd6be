//! How often we say something to everybody. Pure.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// Entries that are given to everybody, per second.
const PUSHES: usize = 5;
const SECOND: Duration = Duration::from_secs(1);
/// How often everybody hears of a budget that changes little.
const BUDGET: Duration = Duration::from_secs(5);
/// Budgets that are kept apart.
const BUDGETS_MAX: usize = 256;

/// What was said lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pushes: VecDeque<Instant>,
    budgets: HashMap<[u8; 16], (Instant, u32)>,
}

impl Pace {
    /// Whether one more entry may be given to everybody.
    pub(super) fn push(&mut self, now: Instant) -> bool {
        while self
            .pushes
            .front()
            .is_some_and(|&then| now.saturating_duration_since(then) >= SECOND)
        {
            self.pushes.pop_front();
        }
        let allowed = self.pushes.len() < PUSHES;
        if allowed {
            self.pushes.push_back(now);
        }
        allowed
    }

    /// Whether everybody should hear that so much is left: not for 5 s, unless it fell by a tenth of the limit.
    pub(super) fn budget(
        &mut self,
        name: [u8; 16],
        remaining: u32,
        limit: u32,
        now: Instant,
    ) -> bool {
        if let Some(&(then, told)) = self.budgets.get(&name) {
            let fell = told.saturating_sub(remaining) >= (limit / 10).max(1);
            if !fell && now.saturating_duration_since(then) < BUDGET {
                return false;
            }
        } else if self.budgets.len() >= BUDGETS_MAX {
            self.budgets
                .retain(|_, (then, _)| now.saturating_duration_since(*then) < BUDGET);
            if self.budgets.len() >= BUDGETS_MAX {
                return false;
            }
        }
        self.budgets.insert(name, (now, remaining));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_entries_a_second_are_pushed() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let pushed = (0..100).filter(|_| pace.push(now)).count();
        assert_eq!(pushed, 5);
        assert!(pace.push(now + SECOND));
    }

    #[test]
    fn a_budget_is_told_every_five_seconds_or_when_it_falls() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let name = [1; 16];
        assert!(pace.budget(name, 5_000, 5_000, now));
        assert!(!pace.budget(name, 4_600, 5_000, now));
        assert!(pace.budget(name, 4_500, 5_000, now));
        assert!(!pace.budget(name, 4_499, 5_000, now + Duration::from_secs(4)));
        assert!(pace.budget(name, 4_498, 5_000, now + BUDGET));
        assert!(pace.budget([2; 16], 1, 5_000, now));
        for other in 0..=255 {
            pace.budget([other; 16], 9, 10, now);
        }
        assert!(pace.budgets.len() <= BUDGETS_MAX);
    }
}
