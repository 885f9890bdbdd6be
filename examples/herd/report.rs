//! The table of a herd, and what is wrong with it.

use std::io::{self, Write};
use std::time::Duration;

use ghswarm::swarm::Times;

use crate::github::THINKS;
use crate::herd::Size;
use crate::round::Round;

/// What a URL may cost the herd, in hundredths of a counted call.
const CALLS: u64 = 110;
/// The parts of all answers whose time is shown, in thousandths.
const PARTS: [usize; 3] = [500, 900, 990];
/// Failures that are shown.
const SHOWN: usize = 3;

fn title(out: &mut impl Write, size: Size) -> io::Result<()> {
    let Size {
        runners,
        urls,
        pace,
    } = size;
    let at_once = match pace {
        0 => "at once".to_owned(),
        pace => format!("({pace} URLs begin in a second, each with all runners at once)"),
    };
    writeln!(
        out,
        "{runners} runners × {urls} URLs = {} questions {at_once}; GitHub takes {} ms\n",
        size.questions(),
        THINKS.as_millis()
    )
}

pub(crate) fn print(out: &mut impl Write, size: Size, rounds: &[Round]) -> io::Result<()> {
    title(out, size)?;
    writeln!(
        out,
        "{:14} {:>7} {:>6} {:>8} {:>8} {:>5} {:>7} {:>7} {:>31}",
        "", "asked", "", "counted", "calls", "most", "free", "points", "answered within, seconds"
    )?;
    writeln!(
        out,
        "{:14} {:>7} {:>6} {:>8} {:>8} {:>5} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "",
        "within",
        "failed",
        "calls",
        "per URL",
        "one",
        "304s",
        "a token",
        "50%",
        "90%",
        "99%",
        "all"
    )?;
    for round in rounds {
        let usage = &round.usage;
        let per_url = usage.counted * 100 / round.urls;
        write!(
            out,
            "{:14} {:4} ms {:6} {:8} {:8} {:5} {:7} {:7}",
            round.name,
            round.asked_within.as_millis(),
            round.failures.len(),
            usage.counted,
            format!("{}.{:02}", per_url / 100, per_url % 100),
            round.most,
            usage.free_304,
            round.points
        )?;
        for part in PARTS {
            write!(out, " {:7.2}", part_of(round, part).as_secs_f64())?;
        }
        writeln!(out, " {:7.2}", slowest(round).as_secs_f64())?;
    }
    writeln!(out)?;
    for round in rounds.iter().filter(|round| !round.reasons.is_empty()) {
        let reasons = round.reasons.iter();
        let reasons: Vec<_> = reasons
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        writeln!(out, "{}: {}", round.name, reasons.join(", "))?;
    }
    for failure in rounds
        .iter()
        .flat_map(|round| round.failures.iter().take(SHOWN))
    {
        writeln!(out, "failed: {failure}")?;
    }
    writeln!(out)
}

fn slowest(round: &Round) -> Duration {
    round.took.last().copied().unwrap_or_default()
}

/// Within which time so many thousandths were answered.
fn part_of(round: &Round, part: usize) -> Duration {
    let at = round.took.len() * part / 1000;
    round.took.get(at).copied().unwrap_or_default()
}

/// What is wrong with these rounds. A member in trouble may hold others up for a lease, and for GitHub's answer: longer
/// than without it. What it was asked for others pay for themselves: that is shown, and not judged.
pub(crate) fn judge(size: Size, rounds: &[Round]) -> Vec<String> {
    let mut problems = Vec::new();
    let calm = rounds.iter().filter(|round| round.trouble.is_none());
    let calm = calm.map(slowest).max().unwrap_or_default();
    for round in rounds {
        let mut wrong = |what: String| {
            let Size { runners, urls, .. } = size;
            problems.push(format!(
                "{runners} runners × {urls} URLs, {}: {what}",
                round.name
            ));
        };
        if !round.failures.is_empty() {
            wrong(format!("{} questions failed", round.failures.len()));
        }
        if round.shares && round.trouble.is_none() && round.usage.counted * 100 > CALLS * round.urls
        {
            wrong(format!(
                "{} counted calls for {} URLs",
                round.usage.counted, round.urls
            ));
        }
        let most = calm + Times::default().lease + THINKS;
        if slowest(round) > most {
            wrong(format!(
                "an answer took {:.1?}, and {most:.1?} is the most",
                slowest(round)
            ));
        }
    }
    problems
}

pub(crate) fn verdict(out: &mut impl Write, problems: &[String]) -> io::Result<()> {
    if problems.is_empty() {
        return writeln!(
            out,
            "No question failed, no URL cost more than it may, and nobody waited longer than a lease."
        );
    }
    for problem in problems {
        writeln!(out, "WRONG: {problem}")?;
    }
    Ok(())
}
