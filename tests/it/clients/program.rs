//! The installed program, as a process of its own.

use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// `ghswarm serve`; dropping it kills it.
pub(super) struct Program {
    ready: Value,
    _child: Child,
    _room: TempDir,
}

impl Program {
    /// Starts it before `origin` and waits until it says how it is reached.
    pub(super) async fn serve(origin: &str) -> Self {
        Self::serve_with(origin, &[]).await
    }

    /// The same with more arguments.
    pub(super) async fn serve_with(origin: &str, more: &[&str]) -> Self {
        let room = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghswarm"));
        command.args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--origin",
            origin,
            "--log-level",
            "warn",
        ]);
        command.args(more);
        command.arg("--state-dir").arg(room.path().join("state"));
        command.arg("--cache-dir").arg(room.path().join("cache"));
        command
            .env_clear()
            .env("HOME", room.path())
            .current_dir(room.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("a program that starts");
        let stdout = child.stdout.take().expect("a pipe");
        let said = BufReader::new(stdout)
            .lines()
            .next_line()
            .await
            .expect("a pipe that is read");
        let ready = serde_json::from_str(&said.expect("a line when it is ready")).expect("JSON");
        Self {
            ready,
            _child: child,
            _room: room,
        }
    }

    pub(super) fn url(&self) -> &str {
        self.ready["api_url"].as_str().expect("an address")
    }

    pub(super) fn state_dir(&self) -> &str {
        self.ready["state_dir"].as_str().expect("a folder")
    }

    pub(super) fn socket(&self) -> &str {
        self.ready["socket"].as_str().expect("a socket")
    }
}
