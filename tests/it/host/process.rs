//! Real daemon processes, each with a state directory of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use ghswarm::daemon::Ready;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

/// The longest that peers are waited for. The machine may be busy with other stories.
const PATIENCE: Duration = Duration::from_secs(60);

/// `ghswarm serve`; killed when dropped.
pub(super) struct Process {
    child: Child,
    ready: Value,
    token: String,
}

impl Process {
    /// Starts it and waits until clients can connect.
    pub(super) async fn serve(origin: &str, cache: &Path, state: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghswarm"));
        command
            .args(["serve", "--max-wait=0s", "--log-level=warn"])
            .args(["--origin", origin, "--cache-dir"])
            .arg(cache)
            .arg("--state-dir")
            .arg(state)
            .args(flags)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).await.unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let token = ready["admin_token_file"].as_str().unwrap();
        let token = std::fs::read_to_string(token).unwrap();
        Self {
            child,
            ready,
            token,
        }
    }

    pub(super) fn api_url(&self) -> &str {
        self.ready["api_url"].as_str().unwrap()
    }

    /// Resident memory in kB, as Linux counts it: all of it, and what is not the program itself.
    pub(super) fn resident(&self) -> (u64, u64) {
        let status = format!("/proc/{}/status", self.child.id().unwrap());
        let status = std::fs::read_to_string(status).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.unwrap().trim().split(' ').next().unwrap();
            number.parse().unwrap()
        };
        (of("VmRSS:"), of("RssAnon:"))
    }

    /// Ends it without warning.
    pub(super) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Where peers find it.
    pub(super) async fn address(&self) -> String {
        let state = self.ready["state_dir"].as_str().unwrap();
        eventually(async || Ready::read(Path::new(state))?.multiaddrs?.pop()).await
    }

    /// Waits until so many peers are connected.
    pub(super) async fn meets(&self, client: &reqwest::Client, peers: usize) {
        eventually(async || {
            let list = self.look(client, "/peers").await;
            let rows = list["peers"].as_array()?;
            let connected = rows.iter().filter(|row| row["standing"] == "connected");
            (connected.count() == peers).then_some(())
        })
        .await;
    }

    async fn ask(&self, client: &reqwest::Client, path: &str, body: String) -> reqwest::Response {
        let url = format!("{}{path}", self.ready["admin_url"].as_str().unwrap());
        let request = client.post(url).bearer_auth(&self.token).body(body);
        request.send().await.unwrap()
    }

    /// Stores a value for an hour.
    pub(super) async fn put(&self, client: &reqwest::Client, key: &str, value: &str) {
        let path = format!(
            "/kv/put?operation=default&ttl=3600&key_length={}",
            key.len()
        );
        let stored = self.ask(client, &path, format!("{key}{value}")).await;
        assert_eq!(stored.status(), 204);
    }

    /// A stored value.
    pub(super) async fn get(&self, client: &reqwest::Client, key: &str) -> Option<Bytes> {
        let path = "/kv/get?operation=default";
        let found = self.ask(client, path, key.to_owned()).await;
        match found.status().as_u16() {
            200 => Some(found.bytes().await.unwrap()),
            404 => None,
            other => panic!("{other}"),
        }
    }

    async fn look(&self, client: &reqwest::Client, path: &str) -> Value {
        let url = format!("{}{path}", self.ready["admin_url"].as_str().unwrap());
        let request = client.get(url).bearer_auth(&self.token);
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice(&answer).unwrap()
    }

    pub(super) async fn stats(&self, client: &reqwest::Client) -> Value {
        self.look(client, "/stats").await
    }

    /// What it holds.
    pub(super) async fn list(&self, client: &reqwest::Client, limit: usize) -> Vec<Value> {
        let rows = self.look(client, &format!("/cache?limit={limit}")).await;
        rows.as_array().unwrap().clone()
    }
}

async fn eventually<T>(mut done: impl AsyncFnMut() -> Option<T>) -> T {
    let waiting = async {
        let mut ticks = interval(Duration::from_millis(50));
        loop {
            ticks.tick().await;
            if let Some(done) = done().await {
                return done;
            }
        }
    };
    timeout(PATIENCE, waiting).await.expect("peers in time")
}
