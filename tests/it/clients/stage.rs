//! A fake GitHub, the daemon before it, and a room for clients that leads nowhere else.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ghswarm::clock::Clock;
use ghswarm::github::{self, budget};
use ghswarm::tiered;
use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::program::Program;
use crate::front::Front;
use crate::needs;

/// The discard port: nobody listens, so a client that leaves the proxy fails.
const CLOSED: &str = "http://127.0.0.1:9";
/// The name of an Enterprise Server.
pub(super) const ENTERPRISE: &str = "ghe.example.org";
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
        let front = |github: &FakeGitHub| Front::before(&github.url());
        Self::set_up(program, FakeGitHub::builder(), front).await
    }

    /// GitHub is an Enterprise Server: the daemon's origin, or else a host that is mapped beside
    /// github.com, which nobody can reach.
    async fn before_enterprise(program: PathBuf, is_origin: bool) -> Self {
        let base = format!("https://{ENTERPRISE}/api/v3");
        let front = |github: &FakeGitHub| {
            let url = |text: &str| text.parse().expect("a URL");
            let origin = if is_origin {
                url(&format!("{}/api/v3", github.url()))
            } else {
                url(CLOSED)
            };
            let config = github::Config {
                origin_for: vec![(ENTERPRISE.to_owned(), url(&github.url()))],
                ..github::Config::new(origin)
            };
            let (tiered, budget) = (tiered::Config::default(), budget::Config::default());
            Front::reaching(config, tiered, budget, Clock::system())
        };
        let github = FakeGitHub::builder().public_base(&base);
        Self::set_up(program, github, front).await
    }

    async fn set_up(
        program: PathBuf,
        github: ghswarm_lab::Builder,
        front: impl Fn(&FakeGitHub) -> Front,
    ) -> Self {
        let room = tempfile::tempdir().expect("a folder");
        let github = github.socket(room.path().join("github.sock"));
        let github = github.start().await.expect("a fake GitHub");
        let token = github.token(TokenSpec::classic("octocat").write("octo-org/app"));
        let front = front(&github);
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

    /// For a program of the system, before an Enterprise Server that the operator mapped.
    pub(super) async fn with_enterprise(name: &str) -> Option<Self> {
        let Some(program) = needs::program(name) else {
            needs::skip(name);
            return None;
        };
        Some(Self::before_enterprise(program, false).await)
    }

    /// For scripts that use packages of `tests/clients/package.json`.
    pub(super) async fn with_node() -> Option<Self> {
        if needs::clients().is_none_or(|folder| !folder.join("node_modules").is_dir()) {
            needs::skip("node_modules of tests/clients (GHSWARM_CLIENTS)");
            return None;
        }
        Self::with_program("node").await
    }

    /// For scripts that use these packages of `tests/clients/package.json`.
    pub(super) async fn with_packages(names: &[&str]) -> Option<Self> {
        let modules = needs::clients().map(|folder| folder.join("node_modules"));
        let there = |name: &&str| modules.as_ref().is_some_and(|at| at.join(name).is_dir());
        if let Some(missing) = names.iter().find(|name| !there(name)) {
            needs::skip(&format!("{missing} (GHSWARM_CLIENTS)"));
            return None;
        }
        Self::with_program("node").await
    }

    /// For the program of `tests/clients/go`.
    pub(super) async fn with_go() -> Option<Self> {
        Some(Self::new(go_client()?).await)
    }

    /// The same where the daemon's origin is an Enterprise Server.
    pub(super) async fn with_go_before_enterprise() -> Option<Self> {
        Some(Self::before_enterprise(go_client()?, true).await)
    }

    /// For a client that is a library of ours.
    pub(super) async fn for_rust() -> Self {
        Self::new(PathBuf::new()).await
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

    /// What authorises its clients.
    pub(super) fn token(&self) -> String {
        self.token.value().to_owned()
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

    /// Runs the program of `tests/clients/go`.
    pub(super) async fn go(&self, environment: &[(&str, &str)]) -> String {
        let mut go = self.command();
        go.env("API_URL", self.url())
            .envs(environment.iter().copied());
        run(go, "").await
    }

    /// Runs `gh`, which sends everything to `socket`.
    pub(super) async fn gh(&self, socket: impl AsRef<Path>, arguments: &[&str]) -> String {
        self.gh_with(socket, &[], arguments).await
    }

    /// Runs `gh` with more variables; what it says on standard error follows what it prints.
    pub(super) async fn gh_with(
        &self,
        socket: impl AsRef<Path>,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> String {
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
        gh.env("GH_CONFIG_DIR", &config)
            .envs(environment.iter().copied())
            .args(arguments);
        let (printed, complained) = run_to_end(gh, "").await;
        printed + &complained
    }

    /// Runs `gh` inside of `ghswarm exec` for somebody whose configuration of `gh` is in `config`, and
    /// who has no token in the environment.
    pub(super) async fn exec_gh(
        &self,
        program: &Program,
        config: &Path,
        arguments: &[&str],
    ) -> String {
        let mut exec = self.command_of(Path::new(env!("CARGO_BIN_EXE_ghswarm")));
        for token in ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN"] {
            exec.env_remove(token);
        }
        exec.env("GHSWARM_STATE_DIR", program.state_dir())
            .env("GH_CONFIG_DIR", config)
            .current_dir(self.room.path())
            .args(["exec", "--", "gh"])
            .args(arguments);
        run(exec, "").await
    }

    /// A folder for what a story needs.
    pub(super) fn room(&self) -> &Path {
        self.room.path()
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
        self.command_of(&self.program)
    }

    fn command_of(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", needs::path())
            .env("HOME", self.room.path())
            .env("GH_TOKEN", self.token.value())
            .env("GH_ENTERPRISE_TOKEN", self.token.value())
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

fn go_client() -> Option<PathBuf> {
    let program = needs::clients().map(|folder| folder.join("bin/go-client"));
    let found = program.filter(|program| program.is_file());
    if found.is_none() {
        needs::skip("go-client (GHSWARM_CLIENTS)");
    }
    found
}

/// A list with each member made into something else.
pub(super) fn joined(list: &Value, make: impl Fn(&Value) -> Value) -> Value {
    list.as_array().expect("a list").iter().map(make).collect()
}

/// Runs a client to its end; what it printed.
async fn run(command: Command, input: &str) -> String {
    run_to_end(command, input).await.0
}

/// Runs a client to its end, which is a success; what it printed and what it complained about.
async fn run_to_end(mut command: Command, input: &str) -> (String, String) {
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
    (printed, complained)
}
