//! Budgets that peers report to be nearly used up: pure.
//!
//! A budget belongs to a repository, an installation or a user, and no answer says to which; but the number of calls
//! in each window, what they are counted as, and the second at which the window ends tell one from another as they do
//! in [`crate::github::budget`].

use std::collections::HashMap;

use crate::api::RateHeaders;
use crate::time::Timestamp;

/// Budgets that are remembered. Beyond it no further one is.
const BUDGETS_MAX: usize = 256;

/// Scarce budgets by the name that they have among peers, and until when.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    scarce: HashMap<[u8; 16], Timestamp>,
}

impl Budgets {
    /// A peer says whether little is left, until it is renewed.
    pub(super) fn heard(
        &mut self,
        name: [u8; 16],
        is_scarce: bool,
        until: Timestamp,
        now: Timestamp,
    ) {
        self.scarce.retain(|_, until| *until > now);
        if !is_scarce {
            self.scarce.remove(&name);
        } else if self.scarce.len() < BUDGETS_MAX && until > now {
            self.scarce.insert(name, until);
        }
    }

    /// Whether any is scarce: almost never, so nobody computes names for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.scarce.is_empty()
    }

    /// Whether this one is scarce.
    pub(super) fn is_scarce(&self, name: &[u8; 16], now: Timestamp) -> bool {
        self.scarce.get(name).is_some_and(|until| *until > now)
    }
}

/// What tells a budget from others, whoever uses it. Its name among peers is a hash of it.
pub(super) fn identity(rate: &RateHeaders) -> Vec<u8> {
    let numbers = [rate.limit, rate.reset.as_secs()];
    let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
    rate.resource.bytes().chain([0]).chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    #[test]
    fn a_budget_is_scarce_until_its_window_ends_or_somebody_says_better() {
        let mut budgets = Budgets::default();
        let end = NOW.plus(Duration::from_secs(60));
        budgets.heard([1; 16], false, end, NOW);
        assert!(budgets.is_empty());
        budgets.heard([1; 16], true, end, NOW);
        assert!(budgets.is_scarce(&[1; 16], NOW) && !budgets.is_scarce(&[2; 16], NOW));
        assert!(!budgets.is_scarce(&[1; 16], end));
        budgets.heard([1; 16], false, end, NOW);
        assert!(!budgets.is_scarce(&[1; 16], NOW));
    }

    #[test]
    fn a_peer_that_names_many_costs_a_bounded_amount() {
        let mut budgets = Budgets::default();
        let end = NOW.plus(Duration::from_secs(60));
        for number in 0..10_000_u128 {
            budgets.heard(number.to_be_bytes(), true, end, NOW);
        }
        assert_eq!(budgets.scarce.len(), BUDGETS_MAX);
        budgets.heard([9; 16], false, end, end);
        assert!(budgets.is_empty());
    }
}
