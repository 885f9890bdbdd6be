//! A job as its runner makes it, seen from the daemon: variables, a scratch directory that goes with it, and an end
//! that asks nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use ghswarm_lab::Token;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Command;

use crate::cli::Ran;

/// Jobs of this process so far.
static JOBS: AtomicU64 = AtomicU64::new(1);

/// One job. Dropping it ends it as the runner does.
pub(super) struct Job {
    variables: Vec<(String, String)>,
    temp: PathBuf,
    tracking: String,
    /// What stands before each program.
    inside: Vec<String>,
    ended: bool,
}

impl Job {
    /// A job of the runner `name` of a host whose files are in `host`.
    pub(super) fn on(host: &Path, name: &str, token: &Token) -> Self {
        let number = JOBS.fetch_add(1, Relaxed);
        let temp = host.join(format!("{name}-temp"));
        fs::create_dir_all(&temp).unwrap();
        let tracking = format!("github_{}-{number}", std::process::id());
        let binary = Path::new(env!("CARGO_BIN_EXE_ghswarm"));
        let mut job = Self {
            variables: Vec::new(),
            temp,
            tracking: tracking.clone(),
            inside: Vec::new(),
            ended: false,
        };
        let folder = binary.parent().unwrap().display();
        for (name, value) in [
            ("PATH", format!("{folder}:/usr/bin:/bin")),
            ("HOME", host.join("home").display().to_string()),
            ("RUNNER_TEMP", job.temp.display().to_string()),
            ("RUNNER_NAME", name.to_owned()),
            ("RUNNER_TRACKING_ID", tracking),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_RUN_ID", number.to_string()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_JOB", "test".to_owned()),
            ("GH_TOKEN", token.value().to_owned()),
        ] {
            job.set(name, &value);
        }
        job
    }

    /// Runs everything behind these words.
    pub(super) fn inside(mut self, words: Vec<String>) -> Self {
        self.inside = words;
        self
    }

    /// Sets a variable for the steps that follow.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(there, _)| there != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn temp(&self) -> &Path {
        &self.temp
    }

    /// Where its own daemon is, if it has one.
    pub(super) fn state(&self) -> PathBuf {
        self.temp.join("ghswarm")
    }

    /// A step that runs this program.
    pub(super) async fn run(&self, words: &[&str]) -> Ran {
        let words: Vec<_> = self
            .inside
            .iter()
            .map(String::as_str)
            .chain(words.iter().copied())
            .collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.output().await.unwrap().into()
    }

    /// A step that runs `ghswarm`.
    pub(super) async fn ghswarm(&self, words: &[&str]) -> Ran {
        let words: Vec<_> = ["ghswarm"].iter().chain(words).copied().collect();
        self.run(&words).await
    }

    /// Asks `path` of the API.
    pub(super) async fn reads(&self, path: &str) -> Value {
        self.ghswarm(&["api", path]).await.ok().json()
    }

    /// Starts or finds the daemon, and tells the steps that follow, as `GITHUB_ENV` does.
    pub(super) async fn uses_the_cache(&mut self) -> Ran {
        let ran = self
            .ghswarm(&["env", "--start", "--format", "json"])
            .await
            .ok();
        for (name, value) in ran.json().as_object().unwrap() {
            // These two the runner sets anew at every step.
            if !["GITHUB_API_URL", "GITHUB_GRAPHQL_URL"].contains(&name.as_str()) {
                self.set(name, value.as_str().unwrap());
            }
        }
        ran
    }

    /// Its processes: those that were started with its mark, by which the runner finds them, too.
    pub(super) fn processes(&self) -> Vec<i32> {
        let mark = format!("RUNNER_TRACKING_ID={}", self.tracking);
        let marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|line| line == mark.as_bytes())
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(marked).collect()
    }

    /// The end of a job: its processes are killed without a warning, and its scratch directory is emptied.
    pub(super) fn end(&mut self) {
        self.ended = true;
        for pid in self.processes().into_iter().filter_map(Pid::from_raw) {
            // It may be gone already.
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = fs::remove_dir_all(&self.temp);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ended {
            self.end();
        }
    }
}
