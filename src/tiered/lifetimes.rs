//! How long what is held stays fresh.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::Operation;

/// Whose word decides how long an answer is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TtlPolicy {
    /// Ours, by operation.
    #[default]
    Operation,
    /// The origin's: its `Cache-Control`, to the letter of RFC 9111. What is asked of GitHub for a
    /// poller, and who may be shown what, stays as it is.
    Origin,
}

/// Changes to the operations' lifetimes.
#[derive(Debug, Clone, Default)]
pub struct Lifetimes {
    /// Whether the others count, for answers.
    pub policy: TtlPolicy,
    /// The lifetime of everything that `by_operation` does not name.
    pub all: Option<Duration>,
    /// Lifetimes of single operations.
    pub by_operation: BTreeMap<Operation, Duration>,
}

/// The key-value interface's default in the documents, should its operation have lost its own.
const NAMED_VALUE: Duration = Duration::from_secs(300);

impl Lifetimes {
    /// How long an answer of `operation` stays fresh; `None` leaves it to GitHub's `Cache-Control`.
    pub fn of(&self, operation: Operation) -> Option<Duration> {
        if self.policy == TtlPolicy::Origin {
            return None;
        }
        let named = self.by_operation.get(&operation).copied();
        named.or(self.all).or_else(|| operation.lifetime())
    }

    /// How long a value is good for that was stored under `operation` through the key-value interface:
    /// as long as that operation's answers, if it has a lifetime, else as the interface's own default.
    pub fn of_value(&self, operation: &str) -> Duration {
        let lifetime = |operation: Operation| {
            let named = self.by_operation.get(&operation).copied();
            named.or_else(|| operation.lifetime())
        };
        Operation::parse(operation)
            .and_then(lifetime)
            .or_else(|| lifetime(Operation::KeyValue))
            .unwrap_or(NAMED_VALUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origins_word_is_for_answers_and_ours_for_values() {
        let ten = Duration::from_secs(10);
        let mut lifetimes = Lifetimes {
            by_operation: BTreeMap::from([
                (Operation::ListRepos, ten),
                (Operation::CopilotCompletion, ten),
            ]),
            ..Lifetimes::default()
        };
        assert_eq!(lifetimes.of(Operation::ListRepos), Some(ten));
        assert_eq!(lifetimes.of(Operation::Jobs), None);
        lifetimes.policy = TtlPolicy::Origin;
        for operation in Operation::all() {
            assert_eq!(lifetimes.of(operation), None, "{}", operation.name());
        }
        let values = |operation| lifetimes.of_value(operation).as_secs();
        assert_eq!(values("copilot_completion"), 10);
        assert_eq!(values("codeql_results"), 86_400);
        assert_eq!((values("jobs"), values("anything")), (300, 300));
    }
}
