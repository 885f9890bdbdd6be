//! A host of the network with one daemon, as a runner has it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use ghswarm::swarm::{PeerRow, Standing};
use ghswarm_lab::Token;
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, timeout};

use super::network::{GITHUB, Network};
use crate::house::Reply;
use crate::needs;

/// The longest that anything is waited for. The machine may be busy with other stories.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest that a request may take, whatever happens to peers.
const REQUEST: Duration = Duration::from_secs(20);

/// A daemon on a host of its own; killed when dropped.
pub(super) struct Host {
    namespace: String,
    folder: tempfile::TempDir,
    flags: Vec<String>,
    child: Child,
    ready: Value,
    http: reqwest::Client,
}

impl Host {
    /// Starts a daemon on host `number` and waits until clients can connect.
    pub(super) async fn serve(network: &Network, number: usize, flags: &[&str]) -> Self {
        let namespace = network.namespace(number);
        let folder = tempfile::tempdir().unwrap();
        let flags: Vec<_> = flags.iter().map(ToString::to_string).collect();
        let (child, ready) = start(&namespace, folder.path(), &flags).await;
        // The file system is the same for all, so a client outside reaches the socket of every host.
        let socket = PathBuf::from(ready["socket"].as_str().unwrap());
        let http = reqwest::Client::builder()
            .no_proxy()
            .unix_socket(socket)
            .timeout(REQUEST)
            .build()
            .unwrap();
        Self {
            namespace,
            folder,
            flags,
            child,
            ready,
            http,
        }
    }

    /// Who it is in the swarm.
    pub(super) async fn peer_id(&self) -> String {
        let ready = async || {
            let ready = std::fs::read(self.state().join("ready.json")).ok()?;
            let ready: Value = serde_json::from_slice(&ready).ok()?;
            ready["peer_id"].as_str().map(str::to_owned)
        };
        eventually("its name among peers", ready).await
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// What the daemon has logged.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits until the log has a line with each of `words`.
    pub(super) async fn logs(&self, words: &[&str]) -> String {
        let line = async || {
            let log = self.log();
            let line = log
                .lines()
                .find(|line| words.iter().all(|word| line.contains(word)));
            line.map(str::to_owned)
        };
        eventually(&format!("a line of the log with {words:?}"), line).await
    }

    /// `ghswarm …` on this host, for this daemon.
    pub(super) async fn command(&self, words: &[&str]) -> Output {
        let mut command = inside(&self.namespace);
        command.args(words).arg("--state-dir").arg(self.state());
        timeout(PATIENCE, command.output()).await.unwrap().unwrap()
    }

    /// A command that must succeed; what it printed.
    pub(super) async fn must(&self, words: &[&str]) -> String {
        let output = self.command(words).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{words:?}: {error}\n{}",
            self.log()
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What `peers list` says.
    pub(super) async fn peers(&self) -> Vec<PeerRow> {
        let list = self.must(&["peers", "list", "--format", "json"]).await;
        rows(list.as_bytes())
    }

    /// How many peers are admitted and connected. None, as long as the daemon cannot say.
    pub(super) async fn connected(&self) -> usize {
        let output = self.command(&["peers", "list", "--format", "json"]).await;
        let rows = if output.status.success() {
            rows(&output.stdout)
        } else {
            Vec::new()
        };
        let connected = |row: &&PeerRow| row.standing == Standing::Connected;
        rows.iter().filter(connected).count()
    }

    /// Waits until exactly this many peers are connected.
    pub(super) async fn meets(&self, peers: usize) {
        let meets = async || (self.connected().await == peers).then_some(());
        let met = patiently(meets).await.is_some();
        let rows = self.peers().await;
        assert!(met, "not {peers} peers: {rows:#?}\n{}", self.log());
    }

    /// Reads a path of the API.
    pub(super) async fn get(&self, token: Option<&Token>, path: &str) -> Reply {
        self.send(Method::GET, token, path, "").await
    }

    /// Gives an issue another title.
    pub(super) async fn write(&self, token: &Token, path: &str, title: &str) {
        let change = serde_json::json!({ "title": title }).to_string();
        let written = self.send(Method::PATCH, Some(token), path, &change).await;
        assert_eq!(written.status, 200, "{written:?}");
    }

    /// The title of an issue.
    pub(super) async fn title(&self, token: &Token, path: &str) -> String {
        let reply = self.get(Some(token), path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["title"].as_str().unwrap().to_owned()
    }

    async fn send(&self, method: Method, token: Option<&Token>, path: &str, body: &str) -> Reply {
        let url = format!("http://api.github.com{path}");
        let mut request = self.http.request(method, url).body(body.to_owned());
        if let Some(token) = token {
            request = request.header("authorization", token.authorization());
        }
        let began = Instant::now();
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => panic!(
                "{path} after {:?}: {error:?}\n{}",
                began.elapsed(),
                self.log()
            ),
        };
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap(),
        }
    }

    /// Stops the process as it stands, or lets it go on.
    pub(super) fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        kill_process(self.pid(), signal).unwrap();
    }

    /// Ends the process without warning.
    pub(super) fn kill(&self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
    }

    /// Starts a daemon in the place of one that was killed.
    pub(super) async fn restart(&mut self) {
        self.child.wait().await.unwrap();
        (self.child, self.ready) = start(&self.namespace, self.folder.path(), &self.flags).await;
        assert_eq!(self.ready["owner"], "user");
    }

    fn pid(&self) -> Pid {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        pid.and_then(Pid::from_raw).unwrap()
    }
}

fn rows(list: &[u8]) -> Vec<PeerRow> {
    let mut list: Value = serde_json::from_slice(list).unwrap();
    serde_json::from_value(list["peers"].take()).unwrap()
}

/// Waits until `done` says what was waited for.
pub(super) async fn eventually<T>(what: &str, done: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = patiently(done).await;
    waited.unwrap_or_else(|| panic!("{what}: waited {PATIENCE:?} in vain"))
}

async fn patiently<T>(mut done: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let waiting = async {
        let mut ticks = interval(Duration::from_millis(100));
        loop {
            ticks.tick().await;
            if let Some(done) = done().await {
                return done;
            }
        }
    };
    timeout(PATIENCE, waiting).await.ok()
}

/// `ghswarm` in a namespace. `ip` becomes the program, so its process is the daemon's.
fn inside(namespace: &str) -> Command {
    let mut command = Command::new(needs::program("ip").expect("ip"));
    command
        .args(["netns", "exec", namespace, env!("CARGO_BIN_EXE_ghswarm")])
        .env_clear()
        .stdin(Stdio::null());
    command
}

async fn start(namespace: &str, folder: &Path, flags: &[String]) -> (Child, Value) {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    let mut command = inside(namespace);
    command
        .args(["serve", "--max-wait=0s", "--log-level=info"])
        .args(["--origin", &format!("http://{GITHUB}"), "--cache-dir"])
        .arg(folder.join("cache"))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).await.unwrap();
    let ready = serde_json::from_str(&line).unwrap_or_else(|_| {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("no daemon: {line}\n{log}")
    });
    (child, ready)
}
