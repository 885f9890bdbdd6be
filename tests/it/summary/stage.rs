//! A job with a GitHub of its own.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use ghswarm_lab::runner::{Ended, Job, Order, Step};
use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// What the action's first step does.
pub(super) const START: &str = r#""$P" job start"#;
/// What its last one does.
pub(super) const FINISH: &str = r#""$P" job finish"#;

/// A job, and the GitHub that it asks.
pub(super) struct Stage {
    pub(super) github: FakeGitHub,
    job: Option<Job>,
    dir: TempDir,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let github = FakeGitHub::builder().start().await.unwrap();
        let token = github.token(TokenSpec::classic("octocat").everything());
        let job = job_in(dir.path(), &github.url(), &token);
        Self {
            github,
            job: Some(job),
            dir,
        }
    }

    /// `env:` of the job.
    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.job = self.job.take().map(|job| job.env(name, value));
        self
    }

    pub(super) fn job(&self) -> &Job {
        self.job.as_ref().unwrap()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn state(&self) -> PathBuf {
        self.job().temp().join("ghswarm")
    }

    /// Runs a step, whatever comes of it.
    pub(super) async fn run(&mut self, script: &str) -> Ended {
        run(&mut self.job, script).await
    }

    /// Runs a step that has to succeed without a word of warning.
    pub(super) async fn fine(&mut self, script: &str) -> Ended {
        fine(self.run(script).await)
    }

    /// `ready.json` of the daemon.
    pub(super) fn ready(&self) -> Value {
        read(&self.state().join("ready.json"))
    }

    /// Kills the processes that `ready.json` names, in this order.
    pub(super) async fn kill(&mut self, names: &[&str]) {
        let ready = self.ready();
        for name in names {
            let pid = ready[*name].as_i64().unwrap();
            self.fine(&format!("kill -KILL {pid}")).await;
        }
    }

    /// Runs the runner's hook at the end of the job: it has no variable of the job, and a summary of its own.
    pub(super) async fn hook(&self) -> (Output, String) {
        let summary = self.path("hook-summary");
        std::fs::File::create(&summary).unwrap();
        let hook = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/hooks/job-completed");
        let output = Command::new("/bin/sh")
            .arg(hook)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .envs(
                self.job()
                    .environment(&Step::default())
                    .into_iter()
                    .filter(|(name, _)| name.starts_with("GITHUB_") || name.starts_with("RUNNER_")),
            )
            .env("GITHUB_STEP_SUMMARY", &summary)
            .stdin(Stdio::null())
            .output();
        let output = output.await.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        (output, std::fs::read_to_string(&summary).unwrap())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(job) = &self.job {
            job.finish(Order::Rising);
        }
    }
}

/// Another job that asks the same GitHub, on a machine of its own as far as its files are concerned.
pub(super) struct Neighbour {
    job: Option<Job>,
    dir: TempDir,
}

impl Neighbour {
    pub(super) fn of(stage: &Stage) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token = stage
            .github
            .token(TokenSpec::classic("octocat").everything());
        let job = job_in(dir.path(), &stage.github.url(), &token);
        Self {
            job: Some(job),
            dir,
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) async fn fine(&mut self, script: &str) -> Ended {
        fine(run(&mut self.job, script).await)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        if let Some(job) = &self.job {
            job.finish(Order::Rising);
        }
    }
}

fn job_in(root: &Path, origin: &str, token: &Token) -> Job {
    let job = Job::new(root).unwrap();
    job.env("P", env!("CARGO_BIN_EXE_ghswarm"))
        .env("GHSWARM_ORIGIN", origin)
        .env("GHSWARM_NO_MDNS", "true")
        .env("GHSWARM_P2P_LISTEN", "/ip4/127.0.0.1/tcp/0")
        .env("GH_TOKEN", token.value())
}

/// The job's processes wait for a GitHub that runs on this thread.
async fn run(slot: &mut Option<Job>, script: &str) -> Ended {
    let mut job = slot.take().unwrap();
    let step = Step::run(script);
    let done = tokio::task::spawn_blocking(move || {
        let ended = job.step(&step);
        (job, ended)
    });
    let (job, ended) = done.await.unwrap();
    *slot = Some(job);
    ended.unwrap()
}

fn fine(ended: Ended) -> Ended {
    assert!(!ended.failed && ended.annotations.is_empty(), "{ended:#?}");
    ended
}

pub(super) fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
