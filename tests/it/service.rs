//! Hosts that stay: two jobs at a time, a daemon of the host that all of them join, and what a shell makes of it.

mod job;
mod joining;
mod machine;
mod shells;
mod together;
mod units;

use std::path::Path;

use ghswarm_lab::{FakeGitHub, Token, TokenSpec};

use job::Job;

/// A repository that anybody may read.
const HELLO: &str = "repos/octo-org/hello";

/// A host that stays, with one user for all runners, as most self-hosted ones have it.
struct Runners {
    dir: tempfile::TempDir,
    github: FakeGitHub,
}

impl Runners {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        let github = FakeGitHub::builder().start().await.unwrap();
        Self { dir, github }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A job with a token of its own, on the runner of this name.
    fn job(&self, runner: &str) -> Job {
        let token = self.token();
        let mut job = Job::on(self.path(), runner, &token);
        job.set("GHSWARM_ORIGIN", &self.github.url());
        job
    }

    fn token(&self) -> Token {
        self.github.token(TokenSpec::job("octo-org/hello"))
    }

    /// What GitHub counted.
    fn counted(&self) -> u64 {
        self.github.usage().total.counted
    }
}
