//! Jobs that use our actions, run by `act` with the action files as they stand, real clients, and a GitHub and a
//! cache service that are fakes in the same network.

mod faults;
mod hostile;
mod log;
mod machines;
mod package;
mod runner;
mod steps;

use std::path::{Path, PathBuf};

use ghswarm_lab::actions_cache::Claims;
use ghswarm_lab::{Token, TokenSpec};

use crate::hosts::network::{Github, Network};
use package::Release;
use runner::{REPOSITORY_ID, Runner, eventually, network};
use steps::{ask, finish, run, setup, uses};

/// A public repository that the fake has.
const PUBLIC: &str = "octo-org/hello";
/// A private one.
const PRIVATE: &str = "octo-org/secret";

/// One machine with one runner, before a GitHub. Fields are dropped in this order: processes first.
struct Stage {
    runner: Runner,
    github: Github,
    network: Network,
}

impl Stage {
    /// `None`, after saying so, where the machine cannot have it.
    fn new() -> Option<Self> {
        let network = network(1)?;
        let github = network.github();
        let token = token(&github, PUBLIC);
        let runner = Runner::new(&network, 1, PUBLIC, &token);
        Some(Self {
            runner,
            github,
            network,
        })
    }

    /// The same with a runner that is set up by `change`.
    fn with(mut self, change: impl FnOnce(Runner) -> Runner) -> Self {
        self.runner = change(self.runner);
        self
    }

    /// What GitHub has counted.
    fn counted(&self) -> u64 {
        self.github.fake.usage().total.counted
    }
}

/// A job's token, another one for each job.
fn token(github: &Github, repository: &str) -> Token {
    github.fake.token(TokenSpec::job(repository))
}

/// Files under `folder`, by their paths in it, folders aside.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        for entry in next.read_dir().unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn steps_of_a_job_share_what_each_has_asked_for() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let cold = stage
        .runner
        .run(&[setup(&[]), ask(), finish(&[])].concat())
        .await;
    cold.is_green().tells_nothing();
    let (counted, requests) = (stage.counted(), stage.github.fake.requests().len());
    // Another job of the same machine, with the same token: all is on its disk.
    let warm = stage
        .runner
        .run(&[setup(&[]), ask(), ask(), finish(&[])].concat())
        .await;
    warm.is_green().tells_nothing();
    let said = [
        "gh reads ",
        "octokit reads octo-org/hello",
        "PyGithub reads octo-org/hello",
    ];
    warm.says(&said);
    let asked: Vec<_> = stage.github.fake.requests().split_off(requests);
    assert_eq!(stage.counted() - counted, 0, "{asked:#?}\n{}", warm.log());
    for job in [&cold, &warm] {
        let summary = job.summary();
        assert!(
            summary.contains("ghswarm") || summary.contains("GitHub"),
            "{summary}"
        );
    }
    assert!(
        counted > 15,
        "gh, octokit and PyGithub have asked: {counted}"
    );
}

/// With `--nocapture` it says how long the steps took.
#[tokio::test]
async fn a_warm_tool_cache_needs_no_archive() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let service = stage.network.cache_service();
    let token = service.fake.token(&Claims::main(REPOSITORY_ID));
    let release = Release::make();
    let stage = stage.with(|runner| {
        let tools = runner.path("tools").display().to_string();
        let runner = release.on(runner).fact("RUNNER_TOOL_CACHE", &tools);
        runner.cache_service(&service.fake.url(), &token)
    });
    let steps = [setup(&[]), finish(&[])].concat();
    let cold = stage.runner.run(&steps).await;
    cold.is_green().tells_nothing();
    // There is none any more.
    let stage = stage.with(|runner| runner.with("GHSWARM_INSTALL_FILE", ""));
    let warm = stage.runner.run(&steps).await;
    warm.is_green().tells_nothing();
    assert!(warm.summary().contains("ghswarm"), "{}", warm.log());
    for (step, took) in warm.times() {
        println!("{took:8.2?} {step}");
    }
}

#[tokio::test]
async fn outputs_say_where_the_cache_is() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let outputs = [
        "api-url",
        "socket",
        "cache-status",
        "peer-count",
        "cache-dir",
    ];
    let lines =
        outputs.map(|name| format!("echo '{name}=${{{{ steps.ghswarm.outputs.{name} }}}}.'\n"));
    let steps = [setup(&[]), run(&lines.concat()), finish(&[])].concat();
    let job = stage.runner.run(&steps).await;
    job.is_green()
        .says(&["cache-status=success.", "peer-count=0."]);
    let cache = stage.runner.path("home/.cache/github-api-p2p");
    job.says(&[
        "api-url=http://127.0.0.1:",
        &format!("cache-dir={}.", cache.display()),
    ]);
    assert!(!job.said().contains("socket=."), "{}", job.log());
}

#[tokio::test]
async fn no_step_notices_that_the_daemon_was_killed() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let kill = r#"
        before=$(grep -o '"pid": *[0-9]*' "$GHSWARM_STATE_DIR/ready.json" | grep -o '[0-9]*')
        kill -KILL "$before"
        gh api "repos/$GITHUB_REPOSITORY/issues" --jq length
        after=$(grep -o '"pid": *[0-9]*' "$GHSWARM_STATE_DIR/ready.json" | grep -o '[0-9]*')
        echo "killed: $before, then $after"
        [ "$before" != "$after" ]
    "#;
    let steps = [setup(&[]), ask(), run(kill), ask(), finish(&[])].concat();
    let job = stage.runner.run(&steps).await;
    job.is_green().tells_nothing().says(&["killed: "]);
}

#[tokio::test]
async fn what_runs_after_the_last_step_still_gets_its_answers() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let reads = uses(
        "octo-org/reads-in-post@v1",
        &[("token", "${{ github.token }}")],
    );
    // Its post step comes after finish, whose summary is the last thing that we do.
    let job = stage
        .runner
        .run(&[setup(&[]), reads, finish(&[])].concat())
        .await;
    job.is_green().tells_nothing();
    job.says(&[
        "main step finds http://127.0.0.1:",
        "post step reads over TCP: 200 ",
        "post step reads with gh: ",
    ]);
}

#[tokio::test]
async fn a_second_use_in_a_job_joins_the_first_ones_daemon() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let pid = r#"echo "keeper $(grep -o '"keeper_pid": *[0-9]*' "$GHSWARM_STATE_DIR/ready.json")""#;
    let again = setup(&[]).replace("id: ghswarm", "id: again");
    let steps = [setup(&[]), run(pid), again, run(pid), ask(), finish(&[])].concat();
    let job = stage.runner.run(&steps).await;
    job.is_green().tells_nothing();
    let said = job.said();
    let mut keepers: Vec<_> = said
        .lines()
        .filter(|line| line.starts_with("keeper "))
        .collect();
    assert_eq!(keepers.len(), 2, "{}", job.log());
    keepers.dedup();
    assert_eq!(keepers.len(), 1, "{}", job.log());
}

#[tokio::test]
async fn a_job_leaves_nothing_but_what_is_cached() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let workspace = r#"ls -A "$GITHUB_WORKSPACE" | sed 's/^/workspace has /'"#;
    let steps = [
        setup(&[]),
        ask(),
        run(workspace),
        finish(&[]),
        run(workspace),
    ]
    .concat();
    let job = stage.runner.run(&steps).await;
    job.is_green().tells_nothing();
    assert!(!job.said().contains("workspace has"), "{}", job.log());
    // The runner's scratch directory is gone, so daemon and keeper end by themselves.
    eventually(async || stage.runner.left().is_empty().then_some(())).await;
    let ours = |path: &PathBuf| !path.starts_with(".cache/act") && !path.starts_with(".config/act");
    let mut home = files(&stage.runner.path("home"));
    home.retain(ours);
    let cached = |path: &PathBuf| path.starts_with(".cache/github-api-p2p");
    let (cached, others): (Vec<_>, Vec<_>) = home.into_iter().partition(cached);
    assert!(others.is_empty(), "{others:?}");
    assert!(!cached.is_empty());
    let temporary = files(&stage.runner.path("tmp"));
    assert!(temporary.is_empty(), "{temporary:?}");
    assert!(
        stage.network.listeners(1).is_empty(),
        "{:?}",
        stage.network.listeners(1)
    );
}
