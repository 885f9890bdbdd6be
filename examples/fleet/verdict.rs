//! Whether the rows are what they have to be: true, and in their order.

use std::collections::{BTreeMap, BTreeSet};

use crate::autoscaler::{self, Polls};
use crate::clients::Sight;
use crate::daemons::Between;
use crate::hour::Hour;
use crate::scenario::{self, Scenario};

/// The bodies that must change between two workflows, or nothing is shown to be fresh.
const CHANGES: usize = 5;
/// What the full scenario must save of the counted calls, in percent.
const FLOOR: u64 = 60;
/// The workflows of the full scenario.
const FULL: u64 = 10;

/// What is wrong with the rows of the fleet.
pub(crate) fn fleet(scenario: &Scenario, rows: &[Hour]) -> Vec<String> {
    let [nothing, per_token, unproven, ghswarm] = rows else {
        return vec!["not every row is there".to_owned()];
    };
    let mut problems = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    let requests: usize = nothing.seen.iter().flatten().map(Vec::len).sum();
    must(
        requests as u64 == scenario.requests(),
        "the jobs did not ask what they have to ask",
    );
    let [a, b, c, d] = [nothing, per_token, unproven, ghswarm].map(|row| &row.usage);
    let all_counted = a.counted + a.graphql_points == scenario.requests();
    must(
        all_counted,
        "without a cache GitHub does not count every request",
    );
    let in_order = a.counted > b.counted && b.counted >= c.counted && c.counted > d.counted;
    must(in_order, "the counted calls do not fall from row to row");
    must(
        b.points > c.points,
        "hits do not save points of the secondary limit",
    );
    let queries = [a, b, c, d].map(|usage| usage.graphql_requests);
    let [first, second, third, fourth] = queries;
    let only_own = first == second && second > third && third == fourth;
    must(
        only_own,
        "GraphQL is not kept for the one who asked, and for nobody else",
    );
    let enough = saved(a.counted, d.counted) * 100 >= FLOOR * a.counted;
    must(
        enough || scenario.workflows < FULL,
        "less is saved than was promised",
    );
    must(
        least_changes(nothing) >= CHANGES,
        "too little changes between two workflows",
    );
    for row in [per_token, unproven, ghswarm] {
        problems.extend(different(nothing, row));
    }
    problems
}

/// Calls that are not counted any more.
pub(crate) const fn saved(without: u64, with: u64) -> u64 {
    without.saturating_sub(with)
}

/// The first body of a row that is not the one that this job got from GitHub without a cache.
pub(crate) fn different(truth: &Hour, row: &Hour) -> Option<String> {
    let jobs = truth.seen.iter().flatten().zip(row.seen.iter().flatten());
    let mut wrong = jobs.flat_map(|(truth, seen)| {
        let pairs = truth.iter().zip(seen);
        pairs.filter(|(truth, seen)| truth != seen)
    });
    let lengths = |hour: &Hour| hour.seen.iter().flatten().map(Vec::len).collect::<Vec<_>>();
    let name = row.between.name();
    match wrong.next() {
        Some((truth, _)) => Some(format!(
            "{name}: another body than GitHub's for {}",
            truth.asked
        )),
        None if lengths(truth) != lengths(row) => Some(format!("{name}: other requests")),
        None => None,
    }
}

/// How many bodies changed, for all runners alike, between those two workflows where the fewest did.
pub(crate) fn least_changes(row: &Hour) -> usize {
    let workflows = row.seen.iter().zip(row.seen.iter().skip(1));
    let changes = workflows.map(|(before, after)| {
        let runners = before.iter().zip(after);
        let changed = runners.map(|(before, after)| changed(before, after));
        let by_all = changed.reduce(|one, other| &one & &other);
        by_all.map_or(0, |targets| targets.len())
    });
    changes.min().unwrap_or(0)
}

/// The targets whose body changed from one job to the next, without those that differ by caller.
fn changed<'a>(before: &'a [Sight], after: &'a [Sight]) -> BTreeSet<&'a str> {
    let before: BTreeMap<_, _> = before.iter().map(|it| (&*it.asked, it.digest)).collect();
    let after = after.iter().filter(|it| it.asked.starts_with('/'));
    after
        .filter(|it| !scenario::differs_by_caller(&it.asked))
        .filter(|it| {
            before
                .get(&*it.asked)
                .is_some_and(|digest| *digest != it.digest)
        })
        .map(|it| &*it.asked)
        .collect()
}

/// What is wrong with the rows of the autoscaler.
pub(crate) fn autoscaler(rows: &[Polls]) -> Vec<String> {
    let mut problems = Vec::new();
    for every in autoscaler::INTERVALS {
        let same = || rows.iter().filter(|row| row.every == every);
        let Some(truth) = same().find(|row| row.between == Between::Nothing) else {
            problems.push("no autoscaler without a cache".to_owned());
            continue;
        };
        let polls = truth.seen.iter().zip(truth.seen.iter().skip(1));
        let changes: usize = polls
            .map(|(before, after)| changed(before, after).len())
            .sum();
        if changes < autoscaler::changes() {
            problems.push(format!("the autoscaler saw {changes} changes only"));
        }
        for row in same().filter(|row| row.between != Between::Nothing) {
            problems.extend(old(truth, row));
            if row.usage.counted >= truth.usage.counted {
                problems.push(format!(
                    "autoscaler, {}: nothing is saved",
                    row.between.name()
                ));
            }
        }
    }
    problems
}

/// The first body that a poll got although GitHub had another by then. The list of repositories may be
/// a little older.
fn old(truth: &Polls, row: &Polls) -> Option<String> {
    let name = row.between.name();
    if truth
        .seen
        .iter()
        .map(Vec::len)
        .ne(row.seen.iter().map(Vec::len))
    {
        return Some(format!("autoscaler, {name}: other requests"));
    }
    let reach = autoscaler::LIST_AGE.as_secs() / truth.every.as_secs();
    let reach = usize::try_from(reach).unwrap_or(0);
    row.seen.iter().enumerate().find_map(|(at, poll)| {
        let recent = &truth.seen[at.saturating_sub(reach)..=at];
        let wrong = poll.iter().zip(&truth.seen[at]).find(|(seen, truth)| {
            let may_be_older = seen.asked == autoscaler::ALL_REPOSITORIES;
            seen != truth && !(may_be_older && recent.iter().any(|poll| poll.contains(seen)))
        });
        wrong.map(|(seen, _)| format!("autoscaler, {name}: an old body for {}", seen.asked))
    })
}

/// How many polls got a list of repositories that GitHub had changed meanwhile.
pub(crate) fn older_lists(truth: &Polls, row: &Polls) -> usize {
    let polls = truth.seen.iter().zip(&row.seen);
    polls.filter(|(truth, seen)| truth != seen).count()
}
