//! What the cache did for a job, as people read it on the page of the run and in the log: pure.
//!
//! [`Report::of`] takes the numbers of a daemon and says what they mean; [`Report::markdown`], the JSON and the lines
//! of the log show the same facts. Numbers are formatted by `stats::render` alone. Whatever a peer, a branch or a
//! server has named goes through `escape`, and every table has a bound, so the page is far below the 1 MiB that the
//! runner takes.

mod escape;
mod facts;
mod log;
mod markdown;
mod reasons;

#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::stats::render::{self, grouped, percent};
use crate::stats::{Latency, Outcome, Route, Snapshot};

use reasons::About;

pub use facts::{Facts, Peer, Problem, Sharing, Source};

/// The most rows of a table of the page.
const ROWS: usize = 12;

/// A job's numbers and what they mean. As JSON: the statistics, and beside them `summary`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// All numbers, as `ghswarm stats --format json` prints them.
    #[serde(flatten)]
    statistics: Snapshot,
    summary: Summary,
}

#[derive(Debug, Clone, Serialize)]
struct Summary {
    /// What was saved, in one sentence.
    headline: String,
    /// How the numbers were come by.
    source: Source,
    calls: Calls,
    answers: Answers,
    tiers: Vec<Tier>,
    budget: Vec<Budget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sharing: Option<Sharing>,
    not_shared: Vec<Reason>,
    not_kept: Vec<Reason>,
    routes: Vec<Route>,
    problems: Vec<Problem>,
}

/// Calls as GitHub's primary rate limit counts them.
#[derive(Debug, Clone, Copy, Serialize)]
struct Calls {
    saved: u64,
    /// What GitHub counted.
    counted: u64,
    /// What it would have counted.
    without_cache: u64,
    /// 0..1: `saved` of `without_cache`.
    saved_share: f64,
}

/// The facts under the names that older dashboards have for them.
#[derive(Debug, Clone, Copy, Serialize)]
struct Answers {
    total_requests: u64,
    /// Answered without a counted call.
    cache_hits: u64,
    cache_misses: u64,
    /// Shown on a peer's word.
    peer_hits: u64,
    /// Brought by a peer and confirmed by GitHub, for free.
    peer_answers_confirmed: u64,
    /// Given to peers.
    given_to_peers: u64,
}

/// How some of the requests ended.
#[derive(Debug, Clone, Serialize)]
struct Tier {
    #[serde(rename = "tier")]
    name: &'static str,
    what: &'static str,
    requests: u64,
    /// 0..1, of all requests.
    share: f64,
    latency_ms: Option<Latency>,
}

/// What is left of one of GitHub's limits.
#[derive(Debug, Clone, Serialize)]
struct Budget {
    /// Whose it is: `user`, `installation`, …
    kind: String,
    resource: String,
    remaining: u64,
    limit: u64,
    /// When all of it is there again.
    full_in_seconds: u64,
}

/// A counter in words.
#[derive(Debug, Clone, Serialize)]
struct Reason {
    #[serde(rename = "reason")]
    name: String,
    times: u64,
    what: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    fix: &'static str,
}

impl Report {
    /// What `facts` mean.
    pub fn of(facts: &Facts) -> Self {
        let shown = &facts.statistics;
        let calls = Calls::of(shown);
        let mut problems = problems(facts);
        problems.truncate(ROWS);
        let mut routes = shown.routes.clone();
        routes.sort_by(|a, b| {
            b.requests
                .cmp(&a.requests)
                .then_with(|| a.name.cmp(&b.name))
        });
        routes.truncate(ROWS);
        Self {
            summary: Summary {
                headline: headline(shown, calls),
                source: facts.source,
                calls,
                answers: Answers::of(shown),
                tiers: tiers(shown),
                budget: facts.budget(),
                sharing: facts.sharing.as_ref().map(Sharing::sorted),
                not_shared: told(shown, About::Sharing),
                not_kept: told(shown, About::Keeping),
                routes,
                problems,
            },
            statistics: shown.clone(),
        }
    }

    /// The page: headings, tables and a chart.
    pub fn markdown(&self) -> String {
        markdown::page(self)
    }

    /// One line that says what was saved.
    pub fn headline(&self) -> &str {
        &self.summary.headline
    }

    /// The facts for the log, one a line. They are not escaped for the runner's commands.
    pub fn log(&self) -> Vec<String> {
        log::lines(self)
    }
}

impl Calls {
    fn of(shown: &Snapshot) -> Self {
        let (saved, counted) = (shown.saved_calls, shown.origin.counted);
        let without_cache = saved.saturating_add(counted);
        Self {
            saved,
            counted,
            without_cache,
            saved_share: share(saved, without_cache),
        }
    }
}

impl Answers {
    fn of(shown: &Snapshot) -> Self {
        let reason = |name: &str| shown.reasons.get(name).copied().unwrap_or(0);
        let hit = |outcome| {
            !matches!(
                outcome,
                Outcome::Miss | Outcome::PassedThrough | Outcome::Failed
            )
        };
        let hits = render::outcomes(shown).filter(|(outcome, ..)| hit(*outcome));
        Self {
            total_requests: shown.requests,
            cache_hits: hits.map(|(_, _, count)| count).fold(0, u64::saturating_add),
            cache_misses: shown.misses,
            peer_hits: shown.hits.peer,
            peer_answers_confirmed: reason("peer-candidate-confirmed"),
            given_to_peers: reason("peer-given"),
        }
    }
}

fn headline(shown: &Snapshot, calls: Calls) -> String {
    let Calls {
        saved,
        counted,
        without_cache,
        saved_share,
    } = calls;
    match (shown.requests, saved) {
        (0, _) => "No request came to the cache.".to_owned(),
        (_, 0) => format!(
            "No call was saved yet: GitHub counted {} of {} requests. What was fetched is there for whoever asks next.",
            grouped(counted),
            grouped(shown.requests),
        ),
        _ => format!(
            "{} GitHub API {} saved: GitHub counted {} where it would have counted {} ({} fewer).",
            grouped(saved),
            if saved == 1 { "call" } else { "calls" },
            grouped(counted),
            grouped(without_cache),
            percent(saved_share),
        ),
    }
}

fn tiers(shown: &Snapshot) -> Vec<Tier> {
    let tiers = render::outcomes(shown).filter(|(_, _, count)| *count > 0);
    let row = |(outcome, what, requests): (Outcome, _, _)| Tier {
        name: outcome.tier(),
        what,
        requests,
        share: share(requests, shown.requests),
        latency_ms: shown.latency_ms.get(outcome.tier()).copied(),
    };
    tiers.map(row).collect()
}

/// The counters that are about `about`, the largest first.
fn told(shown: &Snapshot, about: About) -> Vec<Reason> {
    let meant = shown.reasons.iter().filter_map(|(name, &times)| {
        let meaning = reasons::meaning(name).filter(|meaning| meaning.about == about)?;
        let reason = Reason {
            name: name.clone(),
            times,
            what: meaning.what,
            fix: meaning.fix,
        };
        (times > 0).then_some(reason)
    });
    let mut rows: Vec<_> = meant.collect();
    rows.sort_by(|a, b| b.times.cmp(&a.times).then_with(|| a.name.cmp(&b.name)));
    rows.truncate(ROWS);
    rows
}

/// What somebody should look at: what was found elsewhere, then what the counters say.
fn problems(facts: &Facts) -> Vec<Problem> {
    let shown = &facts.statistics;
    let mut problems = facts.problems.clone();
    if facts.source == Source::Counters {
        problems.push(Problem::new(
            "the daemon was gone before it could be asked: these are the numbers that it wrote down last, some seconds \
             before its end at most",
            "`daemon.log` in the state directory says how it ended, unless it was killed",
        ));
    }
    if shown.requests == 0 {
        problems.push(Problem::new(
            "no program of this job asked GitHub through the cache",
            "`gh` finds it by GH_CONFIG_DIR; other clients want the base URL in GHSWARM_API_URL, or `ghswarm exec -- CMD`",
        ));
    }
    for reason in told(shown, About::Trouble) {
        let times = match reason.times {
            1 => String::new(),
            times => format!(" ({} times)", grouped(times)),
        };
        problems.push(Problem::new(&format!("{}{times}", reason.what), reason.fix));
    }
    problems
}

/// `part` of `whole`, 0..1.
fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let share = part as f64 / whole.max(1) as f64;
    share.min(1.0)
}
