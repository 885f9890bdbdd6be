//! What is left of GitHub's rate limits, as the daemon knows it.

use serde::Deserialize;

use super::clock::span;
use super::finding::{Area, Finding};
use crate::time::Timestamp;

/// Below one tenth it is time to say so.
const SCARCE: u64 = 10;

/// A row of `budget` in the statistics.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Row {
    pub(super) kind: String,
    pub(super) resource: String,
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) reset: Option<u64>,
    pub(super) waiting: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) rows: Vec<Row>,
    pub(super) now: Timestamp,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts
        .rows
        .iter()
        .filter_map(|row| judge(row, facts.now))
        .collect();
    if told.is_empty() {
        let what = "GitHub has not told the daemon a limit yet: nothing was asked";
        return vec![Finding::note(Area::Budget, what)];
    }
    told
}

fn judge(row: &Row, now: Timestamp) -> Option<Finding> {
    let (limit, remaining) = (row.limit?, row.remaining?);
    let reset = Timestamp::from_secs(row.reset.unwrap_or_default());
    // A window that is over is full again, and GitHub will say so with the next answer.
    let remaining = if reset <= now { limit } else { remaining };
    let again = if reset > now {
        format!(", all again in {}", span(reset.since(now)))
    } else {
        String::new()
    };
    let whose = format!("{} ({})", row.resource, row.kind);
    let what = format!("{whose}: {remaining} of {limit} left{again}");
    let waiting = match row.waiting {
        0 => String::new(),
        calls => format!("; {calls} calls wait"),
    };
    let what = what + &waiting;
    Some(if remaining < limit.div_ceil(SCARCE) {
        let fix = "until then answers may come from the cache with --on-exhausted stale; a token of \
                   another user or App has a budget of its own; `ghswarm stats` shows what asks most";
        Finding::warning(Area::Budget, what, fix)
    } else {
        Finding::ok(Area::Budget, what)
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn left(remaining: u64, reset: u64) -> Vec<Finding> {
        let row = Row {
            kind: "user".to_owned(),
            resource: "core".to_owned(),
            limit: Some(5000),
            remaining: Some(remaining),
            reset: Some(reset),
            waiting: 0,
        };
        check(&Facts {
            rows: vec![row],
            now: NOW,
        })
    }

    #[test]
    fn a_budget_that_is_nearly_gone_is_a_warning_until_it_is_there_again() {
        let later = NOW.as_secs() + 90;
        Finding::assert_fine(&left(500, later));
        Finding::assert_one(&left(499, later), Level::Warning, "again in 1 min 30 s");
        Finding::assert_one(&left(0, later), Level::Warning, "--on-exhausted");
        Finding::assert_fine(&left(0, NOW.as_secs() - 1));
    }

    #[test]
    fn a_row_that_github_has_not_filled_in_says_nothing() {
        let rows = vec![Row::default()];
        Finding::assert_one(&check(&Facts { rows, now: NOW }), Level::Note, "not told");
    }
}
