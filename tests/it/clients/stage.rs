//! A fake GitHub, the daemon before it, and a room for clients that leads nowhere else.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::front::Front;
use crate::needs;

/// The discard port: nobody listens, so a client that leaves the proxy fails.
const CLOSED: &str = "http://127.0.0.1:9";
/// A client that is not done by then hangs.
const LONGEST: Duration = Duration::from_mins(1);

pub(super) struct Stage {
    pub(super) github: FakeGitHub,
    token: Token,
    front: Front,
    room: TempDir,
    /// The client under test.
    program: PathBuf,
}

impl Stage {
    async fn new(program: PathBuf) -> Self {
        let room = tempfile::tempdir().expect("a folder");
        let socket = room.path().join("github.sock");
        let github = FakeGitHub::builder()
            .socket(socket)
            .start()
            .await
            .expect("a fake GitHub");
        let token = github.token(TokenSpec::classic("octocat").write("octo-org/app"));
        let front = Front::before(&github.url());
        Self {
            github,
            token,
            front,
            room,
            program,
        }
    }

    /// For a program of the system.
    pub(super) async fn with_program(name: &str) -> Option<Self> {
        let Some(program) = needs::program(name) else {
            needs::skip(name);
            return None;
        };
        Some(Self::new(program).await)
    }

    /// For scripts that use packages of `tests/clients/package.json`.
    pub(super) async fn with_node() -> Option<Self> {
        if needs::clients().is_none_or(|folder| !folder.join("node_modules").is_dir()) {
            needs::skip("node_modules of tests/clients (GHSWARM_CLIENTS)");
            return None;
        }
        Self::with_program("node").await
    }

    /// For scripts that use PyGithub.
    pub(super) async fn with_python() -> Option<Self> {
        let python = needs::clients().map(|folder| folder.join("venv/bin/python"));
        let Some(python) = python.filter(|python| python.is_file()) else {
            needs::skip("PyGithub (GHSWARM_CLIENTS)");
            return None;
        };
        Some(Self::new(python).await)
    }

    /// The base URL for clients.
    pub(super) fn url(&self) -> String {
        self.front.url()
    }

    pub(super) fn proxy_socket(&self) -> &Path {
        self.front.socket()
    }

    pub(super) fn github_socket(&self) -> PathBuf {
        self.room.path().join("github.sock")
    }

    /// Forgets what was counted.
    pub(super) fn forget(&self) {
        self.github.reset_usage();
    }

    /// Runs a client in two processes. Both print the same, the second costs nothing, and GitHub was
    /// asked by nobody but the daemon.
    pub(super) async fn twice(&self, client: impl AsyncFn() -> String) -> String {
        let first = client().await;
        let cold = self.cost();
        let second = client().await;
        assert_eq!(first, second, "the second round shows something else");
        assert_eq!(
            self.cost() - cold,
            0,
            "the second round cost something: {}",
            self.asked()
        );
        let strangers = self.github.requests();
        let mut strangers = strangers
            .iter()
            .filter_map(|seen| seen.header("user-agent"));
        assert_eq!(strangers.find(|agent| !agent.starts_with("ghswarm/")), None);
        first
    }

    /// What GitHub counted against a primary limit.
    fn cost(&self) -> u64 {
        let total = self.github.usage().total;
        total.counted + total.graphql_points
    }

    fn asked(&self) -> String {
        let requests = self.github.requests();
        let lines = requests
            .iter()
            .map(|seen| format!("\n  {} {}", seen.status, seen.path));
        lines.collect()
    }

    pub(super) async fn node(&self, script: &str, environment: &[(&str, &str)]) -> String {
        let mut node = self.command();
        // A script from stdin finds packages in the current directory.
        node.args(["--input-type=module", "-"])
            .envs(environment.iter().copied());
        node.current_dir(needs::clients().expect("the clients"));
        run(node, script).await
    }

    pub(super) async fn python(&self, script: &str) -> String {
        let mut python = self.command();
        python.arg("-").env("API_URL", self.url());
        run(python, script).await
    }

    /// Runs `gh`, which sends everything to `socket`.
    pub(super) async fn gh(&self, socket: impl AsRef<Path>, arguments: &[&str]) -> String {
        let socket = socket.as_ref();
        let config = self
            .room
            .path()
            .join("gh")
            .join(socket.file_stem().expect("a file"));
        if !config.exists() {
            let mut gh = self.command();
            gh.args(["config", "set", "http_unix_socket"]).arg(socket);
            gh.env("GH_CONFIG_DIR", &config);
            run(gh, "").await;
        }
        let mut gh = self.command();
        gh.env("GH_CONFIG_DIR", &config).args(arguments);
        run(gh, "").await
    }

    pub(super) async fn curl(&self, arguments: &[String]) -> String {
        let mut curl = self.command();
        let authorization = format!("Authorization: {}", self.token.authorization());
        curl.args(["--silent", "--show-error", "--header", &authorization])
            .args(arguments);
        run(curl, "").await
    }

    /// What GitHub sends to the daemon; for curl itself it would pretty-print.
    pub(super) async fn curl_github(&self, path: &str) -> String {
        let agent = ["--user-agent".into(), "a witness".into()];
        self.curl(&[&agent[..], &[format!("{}{path}", self.github.url())]].concat())
            .await
    }

    /// The client with an environment of its own, where every way out is closed.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("PATH", needs::path())
            .env("HOME", self.room.path())
            .env("GH_TOKEN", self.token.value())
            .env("GITHUB_TOKEN", self.token.value())
            .env("NO_PROXY", "127.0.0.1");
        for way_out in [
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "ALL_PROXY",
            "https_proxy",
            "http_proxy",
        ] {
            command.env(way_out, CLOSED);
        }
        command
    }

    /// What GitHub answers to this caller, asked past the daemon.
    pub(super) async fn github_says(&self, path: &str) -> Value {
        self.ask(&format!("{}{path}", self.github.url())).await
    }

    /// Asks any address as this caller.
    pub(super) async fn ask(&self, url: &str) -> Value {
        let client = reqwest::Client::builder()
            .no_proxy()
            .user_agent("a witness")
            .build();
        let request = client.expect("a client").get(url);
        let request = request.header("authorization", self.token.authorization());
        let answer = request.send().await.expect("an answer");
        serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
    }

    /// The members of a list over all its pages, asked past the daemon.
    pub(super) async fn all_pages(&self, path: &str, list: Option<&str>) -> Value {
        let mut all = Vec::new();
        for page in 1.. {
            let body = self.github_says(&format!("{path}&page={page}")).await;
            let members = list.map_or(&body, |list| &body[list]).as_array().cloned();
            let members = members.expect("a list");
            if members.is_empty() {
                assert!(page > 2, "{path} has only one page");
                break;
            }
            all.extend(members);
        }
        all.into()
    }

    /// Puts GitHub's addresses back where the daemon wrote its own.
    pub(super) fn as_github_wrote(&self, text: &str) -> String {
        text.replace(&self.url(), self.github.public_base())
    }
}

/// A list with each member made into something else.
pub(super) fn joined(list: &Value, make: impl Fn(&Value) -> Value) -> Value {
    list.as_array().expect("a list").iter().map(make).collect()
}

/// Runs a client to its end; what it printed.
async fn run(mut command: Command, input: &str) -> String {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("a client that starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let fed = async {
        // A client that does not read says why when it ends.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
    };
    let ended = async { tokio::join!(fed, child.wait_with_output()).1 };
    let ended = tokio::time::timeout(LONGEST, ended)
        .await
        .expect("a client that ends");
    let ended = ended.expect("a client that can be waited for");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (printed, complained) = (text(ended.stdout), text(ended.stderr));
    assert!(
        ended.status.success(),
        "{command:?}: {}\n{printed}{complained}",
        ended.status
    );
    printed
}
