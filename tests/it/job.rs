//! `ghswarm job`: the steps of the actions as a real runner would run them.

mod end;
mod faults;
mod hostile;
mod lifecycle;
mod records;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghswarm_lab::runner::{Ended, Job, Order, Step, process};
use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use tempfile::TempDir;

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

const PLAN: &str = "\"$PROGRAM\" job plan";
const START: &str = "\"$PROGRAM\" job start";

/// One machine with one job on it, and a GitHub.
struct Stage {
    // First: what the job left behind ends before its directories go.
    job: Ending,
    dir: TempDir,
    github: FakeGitHub,
    token: Token,
}

/// A job of which no process outlives its story.
struct Ending(Option<Job>);

impl Deref for Ending {
    type Target = Job;

    fn deref(&self) -> &Job {
        self.0.as_ref().unwrap()
    }
}

impl DerefMut for Ending {
    fn deref_mut(&mut self) -> &mut Job {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(job) = &self.0 {
            // Keepers have lower ids than their daemons, mostly; whoever is left ends for lack of its directory.
            job.finish(Order::Rising);
            job.finish(Order::Rising);
        }
    }
}

impl Stage {
    async fn new() -> Self {
        let github = FakeGitHub::builder().start().await.unwrap();
        let token = github.token(TokenSpec::classic("octocat").everything());
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let job = Job::new(dir.path())
            .unwrap()
            .env("PROGRAM", env!("CARGO_BIN_EXE_ghswarm"))
            .env("TMPDIR", text(&dir.path().join("tmp")))
            .env("GHSWARM_ORIGIN", &github.url())
            .env("GHSWARM_NO_MDNS", "true")
            .env("GHSWARM_P2P_LISTEN", "/ip4/127.0.0.1/tcp/0")
            .env("GHSWARM_CACHE_DIR", text(&dir.path().join("cache")));
        Self {
            dir,
            github,
            token,
            job: Ending(Some(job)),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Says something else of the job.
    fn having(mut self, change: impl FnOnce(Job) -> Job) -> Self {
        self.job.0 = self.job.0.take().map(change);
        self
    }

    fn with(self, name: &str, value: &str) -> Self {
        self.having(|job| job.env(name, value))
    }

    fn step(&mut self, step: &Step) -> Ended {
        tokio::task::block_in_place(|| self.job.step(step)).unwrap()
    }

    fn run(&mut self, script: &str) -> Ended {
        let step = Step::run(script).env("GH_TOKEN", self.token.value());
        self.step(&step)
    }

    /// A start that nothing is said about.
    #[track_caller]
    fn start(&mut self) -> Ended {
        let ended = self.run(START);
        assert_eq!(ended.annotations, [], "{}", ended.log);
        assert!(!ended.failed && !ended.held_up, "{ended:?}");
        assert_eq!(ended.outputs["cache-status"], "success", "{}", ended.log);
        ended
    }

    /// Asks the daemon for a repository, as a later step does.
    #[track_caller]
    fn asks(&mut self) {
        let ended = self.run("\"$GHSWARM_PROGRAM\" api repos/octo-org/hello --jq .full_name");
        assert!(!ended.failed, "{}", ended.log);
        assert_eq!(ended.log, "octo-org/hello\n");
    }

    /// The pid of the daemon, or of its keeper.
    fn pid(&self, name: &str) -> u32 {
        let ready = std::fs::read(self.path("temp/ghswarm/ready.json")).unwrap();
        let ready: serde_json::Value = serde_json::from_slice(&ready).unwrap();
        u32::try_from(ready[name].as_u64().unwrap()).unwrap()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Holds all of `pids` to their end.
#[track_caller]
fn end(pids: &[u32], log: &Path) {
    for &pid in pids {
        let ended = tokio::task::block_in_place(|| process::ended(pid, PATIENCE));
        let log = std::fs::read_to_string(log).unwrap_or_default();
        assert!(ended, "{pid} lives: {log}");
    }
}
