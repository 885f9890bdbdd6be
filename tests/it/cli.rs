//! The binary as people and scripts run it: real processes, a scrubbed environment, a fake GitHub.

mod api;
mod cache;
mod doctor;
mod exec;
mod keeping;
mod lifecycle;
mod parking;
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::Command;

/// A home directory, and a GitHub that the daemons in it ask.
pub(crate) struct Sandbox {
    dir: TempDir,
    pub(crate) github: FakeGitHub,
    token: Token,
}

/// What a command left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.text(), self.stderr))
    }

    /// Holds the command to success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(
            self.code,
            0,
            "{}\n{}",
            String::from_utf8_lossy(&self.stdout),
            self.stderr
        );
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Sandbox {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let github = FakeGitHub::builder().start().await.unwrap();
        let token = github.token(TokenSpec::classic("octocat").everything());
        Self { dir, github, token }
    }

    pub(crate) fn home(&self) -> &Path {
        self.dir.path()
    }

    fn state_dir(&self) -> PathBuf {
        self.home().join(".local/state/ghswarm")
    }

    /// The binary with nothing but what a login shell would give it.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghswarm"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home())
            .env("TMPDIR", self.home().join("tmp"))
            .env("GH_TOKEN", self.token.value())
            .env("GHSWARM_ORIGIN", self.github.url())
            .current_dir(self.home())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Ran {
        self.command(arguments).output().await.unwrap().into()
    }

    /// Runs the command with `input` on its stdin.
    pub(crate) async fn feed(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input).await.unwrap();
        drop(stdin);
        child.wait_with_output().await.unwrap().into()
    }

    pub(crate) async fn start(&self) -> Value {
        self.run(["start"]).await.ok().json()
    }

    /// `ready.json` as it is now.
    fn ready(&self) -> Value {
        let text = std::fs::read(self.state_dir().join("ready.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

/// Whatever a story left running ends with it.
impl Drop for Sandbox {
    fn drop(&mut self) {
        let Ok(text) = std::fs::read(self.state_dir().join("ready.json")) else {
            return;
        };
        let ready: Value = serde_json::from_slice(&text).unwrap_or_default();
        for name in ["keeper_pid", "pid"] {
            if let Some(pid) = ready[name].as_i64() {
                kill(pid, "-KILL");
            }
        }
    }
}

/// Sends a signal to one process.
fn kill(pid: i64, signal: &str) -> bool {
    let kill = std::process::Command::new("kill")
        .args([signal, &pid.to_string()])
        .output();
    kill.is_ok_and(|output| output.status.success())
}

/// One request over a socket, and everything that comes back: nothing, if the process behind it dies.
/// Waits in the backlog if it must.
async fn over_socket(socket: &Path, head: &str) -> String {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = format!("{head}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    if stream.write_all(request.as_bytes()).await.is_ok() {
        let _ = stream.read_to_end(&mut answer).await;
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A path of `ready.json`.
fn path_of(ready: &Value, name: &str) -> PathBuf {
    PathBuf::from(ready[name].as_str().unwrap())
}
