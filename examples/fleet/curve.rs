//! What an hour costs by the size of a fleet that shares: a flat curve, or what bends it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::hour::Hour;
use crate::report::{count, percent, print, row};
use crate::scenario::{CALLS, Scenario};
use crate::verdict;

/// The sizes of `--curve`.
pub(crate) const SIZES: [u64; 4] = [1, 3, 10, 50];
/// What may be shared may cost a fleet at most so many percent of what it costs one runner.
const FLAT: u64 = 105;
/// Operations whose bodies are made for their receiver alone: there is a token in them, or drafts that others must
/// not see, or their validator is no proof for anybody else.
const OWN: [&str; 3] = [
    "GET /repos/{owner}/{repo}",
    "GET /repos/{owner}/{repo}/releases",
    "GET /repos/{owner}/{repo}/contents/{path}",
];
/// Names of what the swarm did, of which the table prints the most frequent.
const OF_PEERS: [&str; 3] = ["peer", "invalidat", "everything-stale"];
/// How many of them.
const REASONS: usize = 12;

/// An hour of a fleet that shares, and the same hour without any cache.
#[derive(Debug)]
pub(crate) struct Point {
    pub(crate) scenario: Scenario,
    pub(crate) truth: Hour,
    pub(crate) shared: Hour,
}

/// Counted REST calls.
struct Split {
    shareable: u64,
    own: u64,
}

impl Point {
    fn split(&self) -> Split {
        let usage = &self.shared;
        let own = OWN.iter().filter_map(|name| usage.operations.get(*name));
        let own = own.map(|tally| tally.counted).sum();
        Split {
            shareable: usage.usage.counted.saturating_sub(own),
            own,
        }
    }
}

/// The table of the swarm, and where the counted calls come from.
pub(crate) fn report(out: &mut impl Write, points: &[Point]) -> io::Result<()> {
    let Some(one) = points.first() else {
        return Ok(());
    };
    let workflows = one.scenario.workflows;
    writeln!(
        out,
        "Daemons that share: {workflows} workflows × {CALLS} calls on every runner\n"
    )?;
    let mut table = vec![
        row([
            "",
            "calls",
            "sent to",
            "counted",
            "may be",
            "of one",
            "only for its",
            "of one",
            "free",
            "secondary",
            "GraphQL",
        ]),
        row([
            "runners", "made", "GitHub", "calls", "shared", "runner", "receiver", "runner", "304s",
            "points", "queries",
        ]),
    ];
    let [alone, alone_all] = [one.split().shareable, one.shared.usage.counted];
    for point in points {
        let Split { shareable, own } = point.split();
        let usage = &point.shared.usage;
        table.push(vec![
            point.scenario.runners.to_string(),
            count(point.scenario.calls()),
            count(usage.requests),
            count(usage.counted),
            count(shareable),
            percent(shareable, alone),
            count(own),
            percent(usage.counted, alone_all),
            count(usage.free_304),
            count(usage.points),
            count(usage.graphql_requests),
        ]);
    }
    print(out, &table)?;
    legend(out)?;
    match points.last() {
        Some(last) if points.len() > 1 => bends(out, one, last),
        _ => Ok(()),
    }
}

fn legend(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "
Each row is a fleet of that size, one daemon for each runner with a state, a cache and sockets of its
own, all in one process. So whoever asks a peer waits four times as long for its answer as on machines
of their own; and these waits, leases and contacts are twice as long from six runners on, three times
from eleven on, and so forth. \"may be shared\" is what others can prove for themselves, and may cost at most {FLAT}%
of what it costs one runner. The rest is counted for everybody who asks: the repository (its answer
has a token in it), the list of releases (it has drafts) and contents (their validators are git's,
not of the body). The second \"of one runner\" is that of all counted calls together, which grows with
that rest. Nothing is shown before GitHub has answered the caller's own token: a 304 is free of the
primary limit and one point of the secondary one, so points grow with the fleet.
"
    )
}

/// The operations that cost the fleet more than one runner, and what the daemons say of their peers.
fn bends(out: &mut impl Write, one: &Point, last: &Point) -> io::Result<()> {
    let runners = last.scenario.runners;
    let counted = |point: &Point, name: &str| {
        let tally = point.shared.operations.get(name);
        tally.map_or(0, |tally| tally.counted)
    };
    let names = last.shared.operations.keys();
    let mut more: Vec<_> = names
        .map(|name| (name, counted(one, name), counted(last, name)))
        .filter(|(_, one, last)| last > one)
        .collect();
    more.sort_by_key(|(_, one, last)| std::cmp::Reverse(last - one));
    let mut table = vec![vec![
        "counted more often than for one runner".to_owned(),
        "1".to_owned(),
        runners.to_string(),
    ]];
    table.extend(more.into_iter().map(|(name, one, last)| {
        let own = if OWN.contains(&name.as_str()) {
            " *"
        } else {
            ""
        };
        vec![format!("{name}{own}"), count(one), count(last)]
    }));
    print(out, &table)?;
    let of_peers: BTreeMap<_, _> = last
        .shared
        .reasons
        .iter()
        .filter(|(name, _)| OF_PEERS.iter().any(|of| name.contains(of)))
        .collect();
    let mut of_peers: Vec<_> = of_peers.into_iter().collect();
    of_peers.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let of_peers = of_peers.into_iter().take(REASONS);
    let of_peers: Vec<_> = of_peers
        .map(|(name, times)| format!("{name} {}", count(*times)))
        .collect();
    writeln!(
        out,
        "\n* only for its receiver\nThe {runners} daemons counted: {}\n",
        of_peers.join(", ")
    )
}

/// What is wrong with the rows of the swarm.
pub(crate) fn judge(points: &[Point]) -> Vec<String> {
    let mut problems = Vec::new();
    let alone = points.first().map_or(0, |one| one.split().shareable);
    for point in points {
        let runners = point.scenario.runners;
        if point.shared.missing > 0 {
            let missing = point.shared.missing;
            problems.push(format!(
                "{runners} daemons: {missing} connections are missing"
            ));
        }
        let shareable = point.split().shareable;
        if shareable * 100 > alone * FLAT {
            problems.push(format!(
                "{runners} runners: what may be shared is counted {shareable} times, {} of {alone} for one",
                percent(shareable, alone)
            ));
        }
        problems.extend(verdict::different(&point.truth, &point.shared));
    }
    problems
}
