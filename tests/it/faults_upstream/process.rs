//! A daemon as a process of its own, whose memory can be measured.

use std::net::SocketAddr;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use url::Url;

use super::PATIENCE;

/// `ghswarm serve`, ended with the story.
pub(super) struct Process {
    pub(super) ready: Value,
    child: Child,
    dir: TempDir,
}

impl Process {
    /// In front of `origin`, with nothing in its environment but `variables`.
    pub(super) async fn start(origin: &Url, variables: &[(&str, &str)]) -> Self {
        Self::with(&["--origin", origin.as_str()], variables).await
    }

    pub(super) async fn with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ghswarm"))
            .arg("serve")
            .args(arguments)
            .arg("--state-dir")
            .arg(dir.path().join("state"))
            .arg("--cache-dir")
            .arg(dir.path().join("cache"))
            .arg("--log-level=debug")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", dir.path())
            .envs(variables.iter().copied())
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let read = tokio::time::timeout(PATIENCE, output.read_line(&mut line));
        read.await.expect("a daemon in time").unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!(
                "{}",
                std::fs::read_to_string(dir.path().join("log")).unwrap()
            )
        });
        // Whatever else it says is read away.
        tokio::spawn(async move {
            let _ = output.read_to_end(&mut Vec::new()).await;
        });
        Self { ready, child, dir }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.ready["api_url"].as_str().unwrap()[7..]
            .parse()
            .unwrap()
    }

    /// The most memory that the process has had, in KiB.
    pub(super) fn peak_kib(&self) -> u64 {
        let pid = self.child.id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak.unwrap().trim_end_matches("kB").trim().parse().unwrap()
    }

    /// Everything about the process that others could read: its log, its files, its arguments.
    pub(super) fn traces(&self) -> String {
        let pid = self.child.id().unwrap();
        let mut traces = std::fs::read_to_string(self.dir.path().join("log")).unwrap();
        traces += &self.ready.to_string();
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        traces += &String::from_utf8_lossy(&arguments);
        for entry in self.dir.path().join("state").read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                traces += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
            }
        }
        traces
    }
}
