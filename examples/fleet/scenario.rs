//! What the jobs of a fleet ask, and what happens at GitHub between two workflows.

use std::time::Duration;

use ghswarm_lab::State;
use ghswarm_lab::state::Found;

/// The private repository that all jobs are about.
pub(crate) const REPOSITORY: &str = "octo-org/app";
/// From the start of one workflow to the start of the next.
pub(crate) const BETWEEN_WORKFLOWS: Duration = Duration::from_mins(6);
/// How long a step of a job takes.
pub(crate) const STEP: Duration = Duration::from_secs(6);
/// Steps of a job.
pub(crate) const STEPS: u32 = 30;
/// Reads of a step that the job has not made before, and the one that it has.
const NEW_READS: usize = 5;
/// Pages of every list.
pub(crate) const PAGES: u64 = 3;
/// Lists of a job.
const LISTS: [&str; 10] = [
    "issues?per_page=35",
    "issues?state=all&labels=enhancement&per_page=30",
    "pulls?per_page=15",
    "commits?per_page=20",
    "branches?per_page=15",
    "tags?per_page=15",
    "releases?per_page=15",
    "labels?per_page=15",
    "actions/runs?per_page=33",
    "actions/workflows?per_page=5",
];
/// GraphQL queries of a job by the number of the pull request; two are asked twice.
const QUERIES: [u64; 10] = [70, 71, 72, 72, 73, 74, 75, 75, 76, 77];

/// How large the fleet is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// Runners, each with a daemon of its own.
    pub(crate) runners: u64,
    /// Workflows, each with one job on every runner.
    pub(crate) workflows: u64,
}

impl Scenario {
    /// Jobs, each with a token of its own.
    pub(crate) fn jobs(&self) -> u64 {
        self.runners * self.workflows
    }

    /// Calls of all jobs; a list is one call.
    pub(crate) fn calls(&self) -> u64 {
        self.jobs() * CALLS
    }

    /// Requests of all jobs: a list is as many as it has pages.
    pub(crate) fn requests(&self) -> u64 {
        self.calls() + self.jobs() * LISTS.len() as u64 * (PAGES - 1)
    }
}

/// Calls of a job: 180 reads, 10 lists, 10 queries.
pub(crate) const CALLS: u64 = 200;

/// One call of a job.
#[derive(Debug)]
pub(crate) enum Call {
    /// One body.
    Read(String),
    /// A list with all its pages, by `Link`.
    List(String),
    /// A GraphQL query.
    Query(String),
}

/// The steps of a job that belongs to `run`: five new reads and one that was made before, and now and
/// then a list or a query.
pub(crate) fn job(run: u64) -> Vec<Vec<Call>> {
    let reads = reads(run);
    let own_run = format!("/repos/{REPOSITORY}/actions/runs/{run}");
    let steps = reads.chunks(NEW_READS).enumerate();
    steps
        .map(|(number, new)| {
            let mut calls: Vec<_> = new.iter().cloned().map(Call::Read).collect();
            let turn = number / 3;
            match number % 3 {
                1 => calls.extend(LISTS.get(turn).map(|list| Call::List(of_repository(list)))),
                2 => calls.extend(QUERIES.get(turn).map(|pull| Call::Query(query(*pull)))),
                _ => {}
            }
            // Every second step asks how the run is doing; the others do not know that an earlier step
            // has asked already.
            let earlier = number.saturating_sub(3) * NEW_READS;
            let again = if number % 2 == 0 {
                Some(&own_run)
            } else {
                reads.get(earlier)
            };
            calls.extend(again.cloned().map(Call::Read));
            calls
        })
        .collect()
}

fn of_repository(rest: &str) -> String {
    format!("/repos/{REPOSITORY}/{rest}")
}

/// The reads of a job that differ from each other. All have an `ETag`.
fn reads(run: u64) -> Vec<String> {
    let each = |name: &str, numbers: std::ops::Range<u64>| {
        numbers
            .map(|number| of_repository(&name.replace("{}", &number.to_string())))
            .collect::<Vec<_>>()
    };
    let mut all = vec![
        of_repository(&format!("actions/runs/{run}")),
        format!("/repos/{REPOSITORY}"),
    ];
    // What every push changes.
    all.extend(
        [
            "commits/main",
            "branches/main",
            "git/ref/heads/main",
            "commits/main/status",
            "commits/main/check-runs",
            "actions/workflows/ci.yml/runs?per_page=1",
            "actions/runs?status=queued",
            "actions/runs?status=in_progress",
        ]
        .map(of_repository),
    );
    all.extend(each("pulls/{}", 70..75));
    // What is another for every caller, or has a validator that only its receiver can use.
    all.extend(["contents/README.md", "contents/src/main.rs"].map(of_repository));
    all.extend(each("contents/src/part{}.rs", 0..3));
    // What hardly changes.
    all.extend(each("issues/{}", 4..64));
    all.extend(each("issues/{}/comments", 1..31));
    all.extend(each("labels/area-{}", 0..8));
    all.extend(each("releases/tags/v0.{}.0", 0..6));
    all.extend(each("actions/workflows/flow-{}.yml", 0..6));
    all.extend(each("commits/topic-{}", 0..10));
    all.extend(each("branches/topic-{}", 0..10));
    all
}

fn query(pull: u64) -> String {
    let (owner, name) = REPOSITORY.split_once('/').unwrap_or_default();
    format!(
        "query {{ repository(owner: \"{owner}\", name: \"{name}\") {{ \
         pullRequest(number: {pull}) {{ title state }} }} }}"
    )
}

/// What happens between two workflows: a push, and the run that it starts. Returns the run.
pub(crate) fn push(state: &mut State, workflow: u64) -> Found<u64> {
    let file = format!("pub const WORKFLOW: u64 = {workflow};\n");
    state.push_commit(
        REPOSITORY,
        "main",
        &format!("Change {workflow}"),
        &[("src/workflow.rs", file.as_bytes())],
    )?;
    let run = state.create_run(REPOSITORY, "ci.yml", "main", "push")?;
    state.set_run_status(REPOSITORY, run, "in_progress", None)?;
    Ok(run)
}

/// A run ends when its jobs have.
pub(crate) fn end(state: &mut State, run: u64) -> Found<()> {
    state.set_run_status(REPOSITORY, run, "completed", Some("success"))
}

/// Whether a body has something in it that is made for its caller alone, such as a download's token.
pub(crate) fn differs_by_caller(target: &str) -> bool {
    let rest = target
        .strip_prefix("/repos/")
        .and_then(|rest| rest.strip_prefix(REPOSITORY));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("/contents/"))
}
