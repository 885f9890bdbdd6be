//! The tables, and how to read them.

use std::io::{self, Write};

use crate::autoscaler::Polls;
use crate::daemons::Between;
use crate::hour::Hour;
use crate::scenario::{CALLS, Scenario};
use crate::verdict;

/// What a user or an installation may ask in an hour, and what the jobs of one repository may.
const LIMITS: [u64; 2] = [5000, 1000];

/// The table of the fleet.
pub(crate) fn fleet(out: &mut impl Write, scenario: &Scenario, rows: &[Hour]) -> io::Result<()> {
    let Scenario { runners, workflows } = scenario;
    writeln!(
        out,
        "{runners} runners × {workflows} workflows × {CALLS} calls = {} calls of {} jobs, each with \
         a token of its own\n",
        count(scenario.calls()),
        scenario.jobs(),
    )?;
    let mut table = vec![
        row([
            "",
            "calls",
            "sent to",
            "counted",
            "free",
            "secondary",
            "GraphQL",
            "",
            "over",
            "over",
            "hit, ms",
        ]),
        row([
            "", "made", "GitHub", "calls", "304s", "points", "queries", "saved", "5,000", "1,000",
            "p50/p99",
        ]),
    ];
    let without = rows.first().map_or(0, |row| row.usage.counted);
    for hour in rows {
        let usage = &hour.usage;
        let [user, repository] = LIMITS.map(|limit| count(usage.counted.saturating_sub(limit)));
        let hits = hour
            .hits
            .map(|took| format!("{:.2}/{:.2}", took.p50, took.p99));
        table.push(vec![
            hour.between.name().to_owned(),
            count(scenario.calls()),
            count(usage.requests),
            count(usage.counted),
            count(usage.free_304),
            count(usage.points),
            count(usage.graphql_requests),
            percent(verdict::saved(without, usage.counted), without),
            user,
            repository,
            hits.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    print(out, &table)?;
    legend(out, scenario, rows)
}

/// How the table of the fleet is to be read.
fn legend(out: &mut impl Write, scenario: &Scenario, rows: &[Hour]) -> io::Result<()> {
    let changes = rows.first().map_or(0, verdict::least_changes);
    writeln!(
        out,
        "
Each row is the same hour: the same tokens, requests and pushes, on a clock moved by hand; only what
stands between the jobs and GitHub differs. A list is one call and three requests. The numbers are
counted at the fake GitHub, which refuses nobody here: \"over\" says how many calls it would have
refused, by the limit of a user (5,000 an hour) and by that of a repository's job tokens (1,000).
Between two workflows at least {changes} bodies changed, and all {} bodies of each row are those
that the same job gets without a cache.

  cache per token  a model of ghproxy: always asks GitHub, with the validators given to this token
  validators off   ghswarm, which then has nothing to prove a body with for the next job's token
  ghswarm          computes the validator that GitHub would give this token, and asks with that
  GraphQL          has no validators: kept for a minute for the token that asked, and counted by
                   GitHub in a budget of its own
",
        count(scenario.requests()),
    )
}

/// The table of the autoscaler.
pub(crate) fn autoscaler(out: &mut impl Write, rows: &[Polls]) -> io::Result<()> {
    writeln!(
        out,
        "An autoscaler with one token: 5 repositories, their queued and running runs, their runners\n"
    )?;
    let mut table = vec![
        row([
            "",
            "poll",
            "calls",
            "sent to",
            "counted",
            "free",
            "secondary",
            "",
        ]),
        row([
            "", "every", "an hour", "GitHub", "calls", "304s", "points", "saved",
        ]),
    ];
    let truth_of = |row: &Polls| {
        let same = |other: &&Polls| other.every == row.every && other.between == Between::Nothing;
        rows.iter().find(same)
    };
    let mut notes = Vec::new();
    for polls in rows {
        let usage = &polls.usage;
        let without = truth_of(polls).map_or(0, |truth| truth.usage.counted);
        let calls: usize = polls.seen.iter().map(Vec::len).sum();
        table.push(vec![
            polls.between.name().to_owned(),
            format!("{} s", polls.every.as_secs()),
            count(calls as u64),
            count(usage.requests),
            count(usage.counted),
            count(usage.free_304),
            count(usage.points),
            percent(verdict::saved(without, usage.counted), without),
        ]);
        if polls.between == Between::Ghswarm {
            let older = truth_of(polls).map_or(0, |truth| verdict::older_lists(truth, polls));
            notes.push(format!("{older} of {}", polls.seen.len()));
        }
    }
    print(out, &table)?;
    writeln!(
        out,
        "
Runs were queued, started and ended meanwhile, and each poll saw each change of runs and runners:
what changes while one waits for it is asked about every time, for free. Only the list of
repositories is kept without asking, for five minutes at most: {} polls
were shown one that was a little behind GitHub's.
",
        notes.join(" and "),
    )
}

/// The last line.
pub(crate) fn verdict(out: &mut impl Write, problems: &[String]) -> io::Result<()> {
    if problems.is_empty() {
        return writeln!(out, "All checks hold.");
    }
    for problem in problems {
        writeln!(out, "WRONG: {problem}")?;
    }
    Ok(())
}

pub(crate) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Columns as wide as they must be; names to the left, numbers to the right.
pub(crate) fn print(out: &mut impl Write, table: &[Vec<String>]) -> io::Result<()> {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in table {
        let cells = row.iter().zip(&widths).enumerate();
        let line: String = cells
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:width$}"),
                _ => format!("  {cell:>width$}"),
            })
            .collect();
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share, rounded down.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let share = (part * 1000).checked_div(whole).unwrap_or(0);
    format!("{}.{}%", share / 10, share % 10)
}
