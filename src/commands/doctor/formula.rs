//! Whether the formula behind GitHub's validators holds: without it a new token finds a cold cache.

use super::finding::{Area, Finding};
use crate::stats::Validators;

/// Operations that are named one by one.
const NAMED: usize = 5;

/// `rows` are those of the statistics.
pub(super) fn check(rows: &[Validators]) -> Vec<Finding> {
    if rows.is_empty() {
        let what = "not checked yet: it is with every answer that GitHub gives the daemon";
        return vec![Finding::note(Area::Formula, what)];
    }
    let (trusted, off): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.trusted);
    let mut findings = Vec::new();
    if !off.is_empty() {
        let what = format!(
            "switched off for {}: GitHub's validators are not those that we compute. Everything \
             stays correct, but each new token starts with a cold cache there",
            names(&off)
        );
        let fix = "nothing in a job has to change, and it is tried again within the hour; \
                   `ghswarm doctor --probe` shows what GitHub answers now. A proxy that changes \
                   bodies on the way has the same effect";
        findings.push(Finding::warning(Area::Formula, what, fix));
    }
    let wrong: Vec<_> = trusted
        .iter()
        .copied()
        .filter(|row| row.matched < row.checked)
        .collect();
    if !wrong.is_empty() {
        let what = format!("did not hold for every answer of {}", names(&wrong));
        findings.push(Finding::note(Area::Formula, what));
    }
    let sum = |count: fn(&Validators) -> u32| trusted.iter().map(|row| count(row)).sum::<u32>();
    let (checked, matched) = (sum(|row| row.checked), sum(|row| row.matched));
    if checked > 0 {
        let what = format!("held in {matched} of the last {checked} checks");
        findings.push(Finding::ok(Area::Formula, what));
    }
    findings
}

fn names(rows: &[&Validators]) -> String {
    let first = rows.iter().take(NAMED);
    let mut names: Vec<_> = first
        .map(|row| format!("{} at {}", row.operation, row.host))
        .collect();
    if rows.len() > NAMED {
        names.push(format!("{} more", rows.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn row(operation: &str, checked: u32, matched: u32, trusted: bool) -> Validators {
        Validators {
            host: "api.github.com".to_owned(),
            operation: operation.to_owned(),
            checked,
            matched,
            trusted,
        }
    }

    #[test]
    fn where_it_is_switched_off_is_a_warning() {
        let good = row("get_repo_info", 64, 64, true);
        Finding::assert_fine(&check(std::slice::from_ref(&good)));
        Finding::assert_fine(&check(&[]));
        let off = check(&[good, row("jobs", 0, 0, false)]);
        Finding::assert_one(&off, Level::Warning, "jobs at api.github.com");
        Finding::assert_one(&off, Level::Ok, "64 of the last 64");
    }

    #[test]
    fn single_answers_that_differ_are_worth_a_note() {
        let found = check(&[row("jobs", 40, 39, true)]);
        Finding::assert_fine(&found);
        Finding::assert_one(&found, Level::Note, "jobs");
    }
}
