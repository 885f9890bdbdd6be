//! A runner: a daemon in a process of its own, and the client of its job.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ghswarm::daemon::Ready;
use ghswarm_lab::Token;
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{interval, timeout};

use crate::github::PRIVATE;

/// What makes a daemon of this program.
pub(crate) const SERVE: &str = "serve";
/// The longest that anything else than an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(180);
/// No answer takes longer; more is a failure.
const ANSWER: Duration = Duration::from_secs(120);

/// How a daemon knows the others.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Share<'a> {
    /// It knows nobody.
    Nothing,
    /// Those with the secret of this file; the first of them is at this address.
    Secret(&'a Path, Option<&'a str>),
}

/// A daemon that is killed when this is dropped, and its client.
#[derive(Debug)]
pub(crate) struct Member {
    child: Child,
    ready: Ready,
    admin: String,
    http: reqwest::Client,
    token: Token,
}

impl Member {
    /// Starts it with directories in `folder`.
    pub(crate) async fn start(
        origin: &str,
        folder: &Path,
        share: Share<'_>,
        token: Token,
    ) -> anyhow::Result<Self> {
        fs::create_dir(folder)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args([SERVE, "--log-level=warn", "--no-mdns", "--origin", origin])
            .arg("--cache-dir")
            .arg(folder.join("cache"))
            .arg("--state-dir")
            .arg(folder.join("state"));
        match share {
            Share::Nothing => {
                command.arg("--no-p2p");
            }
            Share::Secret(file, first) => {
                let own = ["--pool", PRIVATE, "--p2p-listen", "/ip4/127.0.0.1/tcp/0"];
                command.args(own).arg("--secret-file").arg(file);
                command.args(first.into_iter().flat_map(|first| ["--bootstrap", first]));
            }
        }
        let mut child = command
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(folder.join("log"))?)
            .kill_on_drop(true)
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take().context("no output")?;
        BufReader::new(output).read_line(&mut line).await?;
        let ready: Ready = serde_json::from_str(&line)
            .with_context(|| fs::read_to_string(folder.join("log")).unwrap_or_default())?;
        let admin = ready.admin_token_file.as_ref();
        let admin = fs::read_to_string(admin.context("no token for statistics")?)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .user_agent("herd")
            .timeout(ANSWER)
            .build()?;
        Ok(Self {
            child,
            ready,
            admin,
            http,
            token,
        })
    }

    /// Where the others find it. Its keys are derived first, which takes a while.
    pub(crate) async fn address(&self) -> anyhow::Result<String> {
        let read = || Ready::read(&self.ready.state_dir)?.multiaddrs?.pop();
        let address = async {
            let mut ticks = interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                if let Some(address) = read() {
                    return address;
                }
            }
        };
        let address = timeout(PATIENCE, address).await;
        address.context("a daemon has no address among peers")
    }

    /// Waits until it is connected with so many others.
    pub(crate) async fn meets(&self, others: usize) -> anyhow::Result<()> {
        let (mut connected, mut rest) = (0, String::new());
        let meeting = async {
            // Not all fifty at once, and often.
            let mut ticks = interval(Duration::from_millis(500));
            while connected < others {
                ticks.tick().await;
                let list = self.look("/peers").await.unwrap_or_default();
                let peers = list["peers"].as_array().map_or(&[][..], Vec::as_slice);
                let (met, others): (Vec<_>, Vec<_>) = peers
                    .iter()
                    .partition(|peer| peer["standing"] == "connected");
                connected = met.len();
                rest = others.into_iter().map(Value::to_string).collect();
            }
        };
        let met = timeout(PATIENCE, meeting).await.is_ok();
        ensure!(
            met,
            "{connected} of {others} peers are connected; the others it knows: {rest}"
        );
        Ok(())
    }

    /// What happened in its swarm, by name.
    pub(crate) async fn reasons(&self) -> BTreeMap<String, u64> {
        let stats = self.look("/stats").await.unwrap_or_default();
        serde_json::from_value(stats["reasons"].clone()).unwrap_or_default()
    }

    async fn look(&self, path: &str) -> anyhow::Result<Value> {
        let base = self.ready.admin_url.as_ref().context("no statistics")?;
        let request = self.http.get(format!("{base}{path}"));
        let answer = request.bearer_auth(&self.admin).send().await?;
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// Its client asks for an issue that has this title.
    pub(crate) async fn ask(&self, path: &str, title: &str) -> anyhow::Result<()> {
        let request = self.http.get(format!("{}{path}", self.ready.api_url));
        let request = request.header("authorization", self.token.authorization());
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        let text = String::from_utf8_lossy(&body);
        ensure!(status == StatusCode::OK, "{status}: {text}");
        let issue: Value = serde_json::from_slice(&body)?;
        ensure!(issue["title"] == title, "another body: {text}");
        Ok(())
    }

    /// Sends a signal to the daemon.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }
}
