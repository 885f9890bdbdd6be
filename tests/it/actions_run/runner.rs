//! A self-hosted runner: `act` on a host of a network, with the files of our actions as they stand in the repository.
//!
//! `act` does what the runner does with composite and node actions, outputs, variables and summaries. What it does
//! not do is done here: it kills no process that a job leaves, the token of the cache service would be in every
//! step's environment, so that stays in a file of the action that stands in for the official one, and what a step
//! that fails wrote last is lost if act has not read it when the step ends, so a [`SHELL`] of ours keeps it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ghswarm::files::write_atomic;
use ghswarm_lab::Token;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use super::log::Job;
use super::package::program;
use super::steps::{ACTION, COMMIT, quoted};
use crate::hosts::network::{GITHUB, Network};
use crate::needs;

/// The longest that a job may take: seconds, on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The number of the repositories of all stories: one store of records.
pub(super) const REPOSITORY_ID: u64 = 424_242;

/// The `sh` of composite steps: it writes down what they print. Scripts that such a step calls have the system's.
const SHELL: &str = r#"#!/bin/sh
[ "$1" = -e ] || exec /bin/sh "$@"
kept=$(dirname "$0")/../said
/bin/sh "$@" >"$kept.now" 2>&1
code=$?
cat "$kept.now" >>"$kept"
cat "$kept.now"
exit $code
"#;

/// The file of a runner with what happened, if a story wants to say.
pub(super) const EVENT: &str = "event.json";

/// A runner that has not run anything yet.
pub(super) struct Runner {
    namespace: String,
    room: TempDir,
    tracking: String,
    variables: Vec<(String, String)>,
    facts: Vec<(String, String)>,
    prepare: String,
}

/// Whether this machine can run the stories: `act`, the clients, and namespaces for `hosts` hosts.
pub(super) fn network(hosts: usize) -> Option<Network> {
    if needs::act().is_none() {
        needs::skip("act");
        return None;
    }
    let modules = needs::clients().map(|folder| folder.join("node_modules/@actions/cache"));
    if modules.is_none_or(|modules| !modules.is_dir()) {
        needs::skip("@actions/cache (GHSWARM_CLIENTS)");
        return None;
    }
    Network::new(hosts)
}

impl Runner {
    /// The runner of host `number` for jobs of `repository`, whose token is `token`. There is no cache service, and the
    /// program under test is installed as it stands.
    pub(super) fn new(network: &Network, number: usize, repository: &str, token: &Token) -> Self {
        let room = tempfile::tempdir().unwrap();
        for folder in ["home", "tmp", "checkout/.github/workflows", "bin"] {
            fs::create_dir_all(room.path().join(folder)).unwrap();
        }
        let shell = room.path().join("bin/sh");
        write_atomic(&shell, SHELL.as_bytes()).unwrap();
        fs::set_permissions(&shell, fs::Permissions::from_mode(0o755)).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["action.yml", "actions", "dist"] {
            copy(&source.join(part), &room.path().join("action").join(part));
        }
        copy(&source.join("tests/actions"), &room.path().join("others"));
        let secret = format!("GITHUB_TOKEN={}\n", token.value());
        write_atomic(&room.path().join("secrets"), secret.as_bytes()).unwrap();
        let clients = needs::clients().unwrap();
        let runner = Self {
            namespace: network.namespace(number),
            tracking: format!("github_{}", room.path().file_name().unwrap().display()),
            room,
            variables: Vec::new(),
            facts: Vec::new(),
            prepare: String::new(),
        };
        runner
            .cache_service("", "")
            .with("GHSWARM_ORIGIN", &format!("http://{GITHUB}"))
            .with("GHSWARM_INSTALL_FILE", &program().display().to_string())
            .with("CLIENTS", clients.to_str().unwrap())
            .with("SCRIPTS", source.join("tests/actions").to_str().unwrap())
            .fact("GITHUB_REPOSITORY", repository)
            .fact("GITHUB_REPOSITORY_ID", &REPOSITORY_ID.to_string())
            .fact("RUNNER_ENVIRONMENT", "self-hosted")
    }

    /// A variable of the job's `env:`.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Something that the runner says of every job.
    pub(super) fn fact(mut self, name: &str, value: &str) -> Self {
        self.facts.retain(|(other, _)| other != name);
        self.facts.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The cache service, which node actions alone hear of. An empty address: there is none.
    pub(super) fn cache_service(self, url: &str, token: &str) -> Self {
        let modules = needs::clients().unwrap().join("node_modules");
        let service = json!({ "modules": modules, "results_url": url, "token": token });
        let file = self.room.path().join("others/cache/service.json");
        write_atomic(&file, service.to_string().as_bytes()).unwrap();
        self
    }

    /// A line of shell that is run before the job, by root and in a mount namespace of its own.
    pub(super) fn prepared(mut self, line: &str) -> Self {
        line.clone_into(&mut self.prepare);
        self
    }

    /// A place of this runner alone.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    /// Runs a job to its end.
    pub(super) async fn run(&self, steps: &str) -> Job {
        self.start(steps).end().await
    }

    /// Starts a job.
    pub(super) fn start(&self, steps: &str) -> Running {
        self.check_in(steps);
        // Not a pipe: nobody reads while the story waits for something else.
        let log = self.path("log");
        let output = fs::File::create(&log).unwrap();
        let said = self.path("said");
        fs::File::create(&said).unwrap();
        let path = format!("{}:{}", self.path("bin").display(), needs::path().display());
        let mut command = Command::new(needs::program("ip").unwrap());
        let shell = format!("set -e\n{}\nexec \"$@\"", self.prepare);
        command
            .args([
                "netns",
                "exec",
                &self.namespace,
                "/bin/sh",
                "-c",
                &shell,
                "sh",
            ])
            .arg(needs::act().unwrap())
            .args(["push", "--json", "--pull=false", "--no-cache-server"])
            .args(["--platform", "ubuntu-latest=-self-hosted", "--secret-file"])
            .arg(self.path("secrets"))
            .args(self.local_repositories())
            .args(["--env", &format!("RUNNER_TRACKING_ID={}", self.tracking)]);
        for (name, value) in &self.facts {
            command.args(["--env", &format!("{name}={value}")]);
        }
        if self.path(EVENT).exists() {
            command.arg("--eventpath").arg(self.path(EVENT));
        }
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .current_dir(self.path("checkout"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .kill_on_drop(true);
        let act = command.spawn().unwrap();
        Running { act, log, said }
    }

    /// Commits the workflow, without which act has nothing to run.
    fn check_in(&self, steps: &str) {
        let variable =
            |(name, value): &(String, String)| format!("      {name}: {}", quoted(value));
        let variables: Vec<_> = self.variables.iter().map(variable).collect();
        let workflow = format!(
            "name: story\non: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    env:\n      GH_TOKEN: \
             ${{{{ github.token }}}}\n{}\n    steps:\n{steps}",
            variables.join("\n")
        );
        let file = self.path("checkout/.github/workflows/story.yml");
        write_atomic(&file, workflow.as_bytes()).unwrap();
        for words in [
            "init --quiet --initial-branch main",
            "add --all",
            "commit --quiet --allow-empty -m story",
        ] {
            let mut git = std::process::Command::new("git");
            git.args([
                "-c",
                "user.name=octocat",
                "-c",
                "user.email=octocat@example.com",
            ])
            .args(words.split(' '))
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .current_dir(self.path("checkout"));
            assert!(git.status().unwrap().success(), "git {words}");
        }
    }

    /// Where act finds the actions of a workflow.
    fn local_repositories(&self) -> Vec<OsString> {
        let action = fs::read_to_string(self.path("action/action.yml")).unwrap();
        let (_, cache) = action.split_once("uses: actions/cache/restore@").unwrap();
        let cache = cache.split(' ').next().unwrap();
        let mapped = [
            (format!("{ACTION}@{COMMIT}"), "action"),
            (format!("actions/cache@{cache}"), "others/cache"),
            (
                "octo-org/reads-in-post@v1".to_owned(),
                "others/reads-in-post",
            ),
        ];
        let word = |(name, folder): (String, &str)| {
            let mut word = OsString::from(format!("--local-repository={name}="));
            word.push(self.path(folder));
            word
        };
        mapped.map(word).into()
    }

    /// The processes that the job left, as the runner knows them: by the variable that it gave to the first of them.
    pub(super) fn left(&self) -> Vec<i32> {
        let mark = format!("RUNNER_TRACKING_ID={}", self.tracking);
        let ours = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == mark.as_bytes())
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(ours).collect()
    }
}

impl Drop for Runner {
    /// The end of the runner: what a job left is killed, as the real one does.
    fn drop(&mut self) {
        for pid in self.left() {
            // One that ends by itself meanwhile is gone as well.
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// A job that runs.
pub(super) struct Running {
    act: Child,
    log: PathBuf,
    said: PathBuf,
}

impl Running {
    /// Waits for its end.
    pub(super) async fn end(mut self) -> Job {
        let ended = timeout(PATIENCE, self.act.wait()).await;
        let green = matches!(&ended, Ok(Ok(status)) if status.success());
        let job = self.job(green);
        assert!(ended.is_ok(), "no end within {PATIENCE:?}: {}", job.log());
        job
    }

    fn job(&self, green: bool) -> Job {
        let said = fs::read(&self.said).unwrap();
        Job::read(green, &fs::read(&self.log).unwrap(), &said)
    }

    /// Waits until it reads from `gate`. The job goes on when what is returned is dropped.
    pub(super) async fn reaches(&mut self, gate: &Gate) -> fs::File {
        let held = eventually(async || {
            let ended = self.act.try_wait().unwrap().is_some();
            gate.has_reader().map(Some).or(ended.then_some(None))
        });
        if let Some(held) = held.await {
            return held;
        }
        let job = self.job(false);
        panic!("it ended before the gate: {}", job.log());
    }
}

/// A pipe with a name, from which a job reads until the story lets it go on.
pub(super) struct Gate(PathBuf);

impl Gate {
    pub(super) fn new(path: PathBuf) -> Self {
        let made = std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success(), "mkfifo");
        Self(path)
    }

    /// The step that waits.
    pub(super) fn step(&self) -> String {
        super::steps::run(&format!("cat '{}'", self.0.display()))
    }

    /// The other end, if somebody reads.
    fn has_reader(&self) -> Option<fs::File> {
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let end = fs::File::options()
            .write(true)
            .custom_flags(flags)
            .open(&self.0);
        end.ok()
    }
}

/// Waits until `done` says what was waited for.
pub(super) async fn eventually<T>(mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        let mut ticks = interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            if let Some(done) = done().await {
                return done;
            }
        }
    };
    timeout(PATIENCE, waiting)
        .await
        .expect("what was waited for")
}

/// A file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    }
}
