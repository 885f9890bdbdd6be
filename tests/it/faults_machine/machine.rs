//! A daemon in a process of its own, with what the system says about it, and clients that write bytes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// A repository that the fake GitHub has.
pub(super) const HELLO: &str = "/repos/octo-org/hello";
/// Generous: the machine that runs the stories is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A home directory, and a GitHub for the daemons in it.
pub(super) struct Machine {
    pub(super) dir: TempDir,
    pub(super) github: FakeGitHub,
    pub(super) token: Token,
    origin: String,
}

/// What a command left behind.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Machine {
    pub(super) async fn new() -> Self {
        let github = FakeGitHub::builder().start().await.unwrap();
        let origin = github.url();
        Self::before(github, origin.clone())
    }

    /// With another origin than the fake GitHub.
    pub(super) async fn asking(origin: String) -> Self {
        let github = FakeGitHub::builder().start().await.unwrap();
        Self::before(github, origin)
    }

    fn before(github: FakeGitHub, origin: String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let token = github.token(TokenSpec::classic("octocat").everything());
        Self {
            dir,
            github,
            token,
            origin,
        }
    }

    pub(super) fn home(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn state_dir(&self) -> PathBuf {
        self.home().join("state")
    }

    pub(super) fn cache_dir(&self) -> PathBuf {
        self.home().join("cache")
    }

    pub(super) fn log(&self) -> String {
        let log = std::fs::read(self.state_dir().join("daemon.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The binary with `arguments`, after `prepare` was run by a shell of its process.
    pub(super) fn command(&self, prepare: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        let script = format!("{prepare}\nexec \"$@\"");
        command
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_ghswarm")])
            .args(arguments);
        self.scrub(&mut command);
        command
    }

    /// As [`Machine::command`], where the shell may mount what only this process sees.
    pub(super) fn command_with_mounts(&self, prepare: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        let script = format!("{prepare}\nexec \"$@\"");
        command
            .args(["-rm", "/bin/sh", "-ec", &script, "sh"])
            .arg(env!("CARGO_BIN_EXE_ghswarm"))
            .args(arguments);
        self.scrub(&mut command);
        command
    }

    fn scrub(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.home())
            .env("TMPDIR", self.home().join("tmp"))
            .env("GH_TOKEN", self.token.value())
            .env("GHSWARM_ORIGIN", &self.origin)
            .env("GHSWARM_STATE_DIR", self.state_dir())
            .env("GHSWARM_CACHE_DIR", self.cache_dir())
            .current_dir(self.home())
            .stdin(Stdio::null())
            .kill_on_drop(true);
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.command("", arguments)).await
    }

    /// `ghswarm start`, and how to reach what it started.
    pub(super) async fn start(&self, arguments: &[&str]) -> Served {
        let ran = self.run(&[&["start"], arguments].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        Served {
            ready: serde_json::from_str(&ran.stdout).unwrap(),
            child: None,
            log: self.state_dir().join("daemon.log"),
        }
    }

    /// `ghswarm serve`, whose log goes to a file outside of its directories.
    pub(super) async fn serve(&self, prepare: &str, arguments: &[&str]) -> Served {
        self.up(self.command(prepare, &[&["serve"], arguments].concat()))
            .await
    }

    /// As [`Machine::serve`], in a world of mounts of its own.
    pub(super) async fn serve_with_mounts(&self, prepare: &str) -> Served {
        self.up(self.command_with_mounts(prepare, &["serve"])).await
    }

    async fn up(&self, mut command: Command) -> Served {
        let log = self.home().join("stderr");
        let file = std::fs::File::create(&log).unwrap();
        command.stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("in time").unwrap();
        let Some(line) = line else {
            panic!("{}", std::fs::read_to_string(&log).unwrap());
        };
        Served {
            ready: serde_json::from_str(&line).unwrap(),
            child: Some(child),
            log,
        }
    }
}

/// Whatever `start` left running ends with its story.
impl Drop for Machine {
    fn drop(&mut self) {
        let Ok(ready) = std::fs::read(self.state_dir().join("ready.json")) else {
            return;
        };
        let ready: Value = serde_json::from_slice(&ready).unwrap_or_default();
        for pid in ["keeper_pid", "pid"] {
            if let Some(pid) = ready[pid].as_i64() {
                // A story may have written the file itself.
                let ours = std::fs::read_link(format!("/proc/{pid}/exe"));
                if ours.is_ok_and(|program| program == Path::new(env!("CARGO_BIN_EXE_ghswarm"))) {
                    signal(pid, "-KILL");
                }
            }
        }
    }
}

pub(super) async fn ran(mut command: Command) -> Ran {
    let output = tokio::time::timeout(PATIENCE * 2, command.output());
    let output = output.await.expect("a command that ends").unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sends a signal to one process.
pub(super) fn signal(pid: i64, name: &str) -> bool {
    let kill = std::process::Command::new("kill")
        .args([name, &pid.to_string()])
        .output();
    kill.is_ok_and(|output| output.status.success())
}

/// Whether this user may mount things for processes of its own.
pub(super) fn can_mount() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    tried.is_ok_and(|output| output.status.success())
}

/// A daemon that serves.
pub(super) struct Served {
    pub(super) ready: Value,
    /// Absent when a keeper has it.
    pub(super) child: Option<Child>,
    pub(super) log: PathBuf,
}

/// A number of kilobytes, from `/proc`.
fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap().trim_start_matches(':').trim();
    number.trim_end_matches(" kB").parse().unwrap()
}

impl Served {
    pub(super) fn pid(&self) -> i64 {
        self.ready["pid"].as_i64().unwrap()
    }

    pub(super) fn address(&self) -> &str {
        let url = self.ready["api_url"].as_str().unwrap();
        url.strip_prefix("http://").unwrap()
    }

    /// The socket, also where the process alone sees it.
    pub(super) fn socket(&self) -> String {
        let path = self.ready["socket"].as_str().unwrap();
        format!("/proc/{}/root{path}", self.pid())
    }

    pub(super) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn status(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap()
    }

    /// Resident memory now, in KiB.
    pub(super) fn rss(&self) -> u64 {
        kilobytes(&self.status(), "VmRSS")
    }

    /// The most resident memory there ever was, in KiB.
    pub(super) fn peak(&self) -> u64 {
        kilobytes(&self.status(), "VmHWM")
    }

    /// Open descriptors.
    pub(super) fn descriptors(&self) -> usize {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", self.pid()));
        fds.unwrap().count()
    }

    /// Processor time so far, in clock ticks (10 ms).
    pub(super) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<_> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    pub(super) async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address()).await.unwrap();
        Client {
            stream: BufReader::new(stream),
            host: self.address().to_owned(),
        }
    }

    pub(super) async fn connect_unix(&self) -> Client<UnixStream> {
        let stream = UnixStream::connect(self.socket()).await.unwrap();
        Client {
            stream: BufReader::new(stream),
            host: "api.github.com".to_owned(),
        }
    }

    /// One request over a connection of its own.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.connect().await.get(path).await
    }

    /// The statistics.
    pub(super) async fn stats(&self) -> Value {
        let mut client = self.connect_unix().await;
        "ghswarm.internal".clone_into(&mut client.host);
        client.get("/stats").await.json()
    }

    /// Waits until `done` says so.
    pub(super) async fn until(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        // What `/proc` and files say makes no event.
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(
                Instant::now() < deadline,
                "not in time: {what}\n{}",
                self.said()
            );
            look.tick().await;
        }
    }

    /// Waits until it has said `what` so many times.
    pub(super) async fn says(&self, what: &str, times: usize) {
        self.until(what, |served| served.said().matches(what).count() >= times)
            .await;
    }

    /// SIGTERM, and its end.
    pub(super) async fn stop(mut self) {
        assert!(signal(self.pid(), "-TERM"));
        let child = self.child.as_mut().unwrap();
        let status = tokio::time::timeout(PATIENCE, child.wait()).await;
        assert!(
            status.expect("an end").unwrap().success(),
            "{}",
            self.said()
        );
    }
}

/// A client that writes bytes.
pub(super) struct Client<S> {
    pub(super) stream: BufReader<S>,
    pub(super) host: String,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn is_hit(&self) -> bool {
        self.field("cache-status")
            .is_some_and(|status| status.starts_with("ghswarm; hit"))
    }

    /// Holds it to being an error of ours in GitHub's shape, and returns what it says.
    #[track_caller]
    pub(super) fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status(), status, "{}", self.head);
        let json = self.json();
        assert!(json["documentation_url"].is_string(), "{json}");
        let message = json["message"].as_str().unwrap();
        message
            .strip_prefix("ghswarm: ")
            .expect("whose it is")
            .to_owned()
    }
}

impl<S: AsyncRead + tokio::io::AsyncWrite + Unpin> Client<S> {
    pub(super) fn request(&self, path: &str, token: Option<&Token>) -> String {
        let token = token.map(|token| format!("Authorization: {}\r\n", token.authorization()));
        let token = token.unwrap_or_default();
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{token}\r\n", self.host)
    }

    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // An answer may come, and the connection end, before all was sent.
        let _ = self.stream.get_mut().write_all(bytes.as_ref()).await;
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.write(self.request(path, None)).await;
        self.answer().await
    }

    /// The next answer, in time.
    pub(super) async fn answer(&mut self) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, self.read_answer()).await;
        answer.expect("an answer in time").expect("an answer")
    }

    /// The next answer, or `None` when the connection ends instead.
    pub(super) async fn read_answer(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let mut answer = Answer {
            head,
            body: Vec::new(),
        };
        if let Some(length) = answer.field("content-length") {
            answer.body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut answer.body).await.ok()?;
        } else if answer.field("transfer-encoding").is_some() {
            loop {
                let mut size = String::new();
                self.stream.read_line(&mut size).await.ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).await.ok()?;
                if size == 0 {
                    break;
                }
                answer.body.extend_from_slice(&chunk[..size]);
            }
        }
        Some(answer)
    }

    /// Whether the daemon has ended the connection, within the patience of a story.
    pub(super) async fn ends(&mut self) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest))
            .await
            .is_ok()
    }
}
