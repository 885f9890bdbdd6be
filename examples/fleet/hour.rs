//! One hour of the fleet, with one thing between the runners and GitHub.

use std::collections::BTreeMap;

use anyhow::ensure;
use futures_util::future::try_join_all;
use ghswarm::stats::Latency;
use ghswarm_lab::usage::Tally;
use ghswarm_lab::{FakeGitHub, TokenSpec};
use indicatif::ProgressBar;

use crate::clients::{Client, Sight};
use crate::daemons::{Between, Clocks, Daemons};
use crate::scenario::{self, BETWEEN_WORKFLOWS, Call, PAGES, REPOSITORY, STEP, STEPS, Scenario};

/// More than anybody asks in an hour: the table says who would have been refused.
const NO_LIMIT: u64 = 1_000_000;

/// What the hour cost.
#[derive(Debug)]
pub(crate) struct Hour {
    /// What stood between.
    pub(crate) between: Between,
    /// What GitHub counted.
    pub(crate) usage: Tally,
    /// The same, by operation.
    pub(crate) operations: BTreeMap<String, Tally>,
    /// Connections between daemons that were not there when the hour began.
    pub(crate) missing: usize,
    /// What the daemons counted by name, all together.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// How long hits took in the slowest of the daemons, if there were any.
    pub(crate) hits: Option<Latency>,
    /// What each job read: by workflow, then by runner.
    pub(crate) seen: Vec<Vec<Vec<Sight>>>,
}

/// Lives through the hour.
pub(crate) async fn live(
    scenario: &Scenario,
    between: Between,
    bar: &ProgressBar,
) -> anyhow::Result<Hour> {
    let clocks = Clocks::new();
    let github = FakeGitHub::builder()
        .clock(clocks.lab.clone())
        .start()
        .await?;
    let daemons = Daemons::start(&github, &clocks, between, scenario.runners)?;
    let missing = daemons.meet().await;
    let mut seen = Vec::new();
    for workflow in 0..scenario.workflows {
        let run = github.change(|state| scenario::push(state, workflow))?;
        let mut jobs = Vec::new();
        for runner in 0..scenario.runners {
            let token = github.token(TokenSpec::job(REPOSITORY));
            for resource in ["core", "graphql"] {
                github.set_limit(token.bucket(), resource, NO_LIMIT);
            }
            let caching = between == Between::CachePerToken;
            jobs.push(Client::new(daemons.endpoint(runner), &token, caching)?);
        }
        for calls in &scenario::job(run) {
            try_join_all(jobs.iter_mut().map(|job| step(job, calls, bar))).await?;
            clocks.advance(STEP);
        }
        github.change(|state| scenario::end(state, run))?;
        clocks.advance(BETWEEN_WORKFLOWS.saturating_sub(STEP * STEPS));
        seen.push(jobs.iter_mut().map(Client::take_seen).collect());
    }
    let numbers = daemons.stop().await?;
    let hits = numbers
        .iter()
        .filter_map(|one| one.latency_ms.get("memory"));
    let mut reasons = BTreeMap::new();
    for (reason, count) in numbers.iter().flat_map(|one| &one.reasons) {
        *reasons.entry(reason.clone()).or_default() += count;
    }
    let usage = github.usage();
    Ok(Hour {
        between,
        usage: usage.total,
        operations: usage.operations,
        missing,
        reasons,
        hits: hits.copied().reduce(slower),
        seen,
    })
}

/// One step of one job.
async fn step(job: &mut Client, calls: &[Call], bar: &ProgressBar) -> anyhow::Result<()> {
    for call in calls {
        match call {
            Call::Read(target) => job.read(target).await?,
            Call::List(target) => {
                let pages = job.list(target).await?;
                ensure!(pages == PAGES, "{target} has {pages} pages");
            }
            Call::Query(query) => job.query(query).await?,
        }
        bar.inc(1);
    }
    Ok(())
}

fn slower(one: Latency, other: Latency) -> Latency {
    Latency {
        p50: one.p50.max(other.p50),
        p99: one.p99.max(other.p99),
    }
}
