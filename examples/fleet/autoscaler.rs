//! The second scenario: an autoscaler that polls with one token, for an hour.

use std::time::Duration;

use ghswarm_lab::state::Found;
use ghswarm_lab::usage::Tally;
use ghswarm_lab::{FakeGitHub, State, TokenSpec};
use indicatif::ProgressBar;

use crate::clients::{Client, Sight};
use crate::daemons::{Between, Clocks, Daemons};

/// The time between two polls: the interval that the autoscaler has by default, and a brisker one.
pub(crate) const INTERVALS: [Duration; 2] = [Duration::from_mins(2), Duration::from_secs(30)];
/// What stands between the poller and GitHub.
const WAYS: [Between; 3] = [Between::Nothing, Between::CachePerToken, Between::Ghswarm];
/// The list of repositories: the one body that is kept without asking.
pub(crate) const ALL_REPOSITORIES: &str = "/orgs/octo-org/repos?per_page=100";
/// The longest that GitHub's list may be ahead of ours: lists of repositories are fresh for ten minutes,
/// but GitHub's word that this token may see one is good for five.
pub(crate) const LIST_AGE: Duration = Duration::from_mins(5);

const HOUR: Duration = Duration::from_hours(1);
const REPOSITORIES: [&str; 5] = [
    "octo-org/app",
    "octo-org/hello",
    "octo-org/secret",
    "octo-org/site",
    "octo-org/tools",
];
/// What is asked about each repository at each poll.
const QUESTIONS: [&str; 3] = ["runs?status=queued", "runs?status=in_progress", "runners"];
/// From one new run to the next.
const BETWEEN_RUNS: Duration = Duration::from_mins(7);
/// What becomes of a run, and when. No poll falls on such a moment.
const LIFE: [(Duration, Phase); 3] = [
    (Duration::from_secs(45), Phase::Queued),
    (Duration::from_secs(145), Phase::Started),
    (Duration::from_secs(295), Phase::Ended),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Queued,
    Started,
    Ended,
}

/// An hour of polls.
#[derive(Debug)]
pub(crate) struct Polls {
    /// The time between two.
    pub(crate) every: Duration,
    /// What stood between.
    pub(crate) between: Between,
    /// What GitHub counted.
    pub(crate) usage: Tally,
    /// What each poll read.
    pub(crate) seen: Vec<Vec<Sight>>,
}

/// The rows of the table: how often is asked, and what stands between.
pub(crate) fn rows() -> Vec<(Duration, Between)> {
    let each = |every| WAYS.map(|between| (every, between));
    INTERVALS.into_iter().flat_map(each).collect()
}

/// Polls of an hour.
fn polls(every: Duration) -> u64 {
    HOUR.as_secs() / every.as_secs()
}

/// Calls of the whole scenario.
pub(crate) fn calls() -> u64 {
    let each = (1 + REPOSITORIES.len() * QUESTIONS.len()) as u64;
    rows()
        .into_iter()
        .map(|(every, _)| polls(every) * each)
        .sum()
}

/// What happens at GitHub in the hour: number of the run, when, what.
fn events() -> impl Iterator<Item = (usize, Duration, Phase)> {
    let starts = (0..)
        .map(|number| BETWEEN_RUNS * number)
        .take_while(|start| *start < HOUR);
    let lives = starts
        .enumerate()
        .flat_map(|(number, start)| LIFE.map(|(after, phase)| (number, start + after, phase)));
    lives.filter(|(_, at, _)| *at < HOUR)
}

/// How often something happens in the hour.
pub(crate) fn changes() -> usize {
    events().count()
}

/// Lives through the hour.
pub(crate) async fn live(
    every: Duration,
    between: Between,
    bar: &ProgressBar,
) -> anyhow::Result<Polls> {
    let clocks = Clocks::new();
    let github = FakeGitHub::builder()
        .clock(clocks.lab.clone())
        .start()
        .await?;
    github.change(furnish)?;
    let daemons = Daemons::start(&github, &clocks, between, 1)?;
    let spec = REPOSITORIES
        .into_iter()
        .fold(TokenSpec::installation(7), TokenSpec::write);
    let token = github.token(spec);
    let caching = between == Between::CachePerToken;
    let mut client = Client::new(daemons.endpoint(0), &token, caching)?;
    let mut coming = events().collect::<Vec<_>>().into_iter().peekable();
    let mut runs = Vec::new();
    let (mut now, mut seen) = (Duration::ZERO, Vec::new());
    for poll in 0..polls(every) {
        let at = Duration::from_secs(poll * every.as_secs());
        while let Some((number, moment, phase)) = coming.next_if(|(_, moment, _)| *moment < at) {
            clocks.advance(moment.saturating_sub(now));
            now = moment;
            github.change(|state| happen(state, &mut runs, number, phase))?;
        }
        clocks.advance(at.saturating_sub(now));
        now = at;
        client.read(ALL_REPOSITORIES).await?;
        bar.inc(1);
        for repository in REPOSITORIES {
            for question in QUESTIONS {
                client
                    .read(&format!("/repos/{repository}/actions/{question}"))
                    .await?;
                bar.inc(1);
            }
        }
        seen.push(client.take_seen());
    }
    daemons.stop().await?;
    Ok(Polls {
        every,
        between,
        usage: github.usage().total,
        seen,
    })
}

/// Makes the repositories that the fake does not have, and gives each a second runner.
fn furnish(state: &mut State) -> Found<()> {
    for repository in REPOSITORIES {
        if state.repo(repository).is_err() {
            state.create_repo(repository, true)?;
        }
        state.add_runner(repository, "runner-2")?;
    }
    Ok(())
}

/// A run begins to wait, gets a runner, or ends.
fn happen(state: &mut State, runs: &mut Vec<u64>, number: usize, phase: Phase) -> Found<()> {
    let repository = REPOSITORIES[number % REPOSITORIES.len()];
    if phase == Phase::Queued {
        runs.push(state.create_run(repository, "ci.yml", "main", "push")?);
        return Ok(());
    }
    let started = phase == Phase::Started;
    let (status, conclusion) = if started {
        ("in_progress", None)
    } else {
        ("completed", Some("success"))
    };
    if let Some(run) = runs.get(number) {
        state.set_run_status(repository, *run, status, conclusion)?;
    }
    let runner = state.repo(repository)?.runners.keys().next_back().copied();
    if let Some(runner) = runner {
        state.set_runner(repository, runner, true, started)?;
    }
    Ok(())
}
