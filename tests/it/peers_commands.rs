//! `ghswarm peers`, told by real daemons that share with each other.

mod leaving;
mod meeting;
mod secrets;
mod stores;
mod telling;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Generous: the machine may be busy. Two daemons on one machine meet within a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// A machine: its home, and perhaps a daemon.
struct Runner {
    dir: TempDir,
    variables: Vec<(String, String)>,
    daemon: Option<Child>,
}

/// What a command left behind.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn fails(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self.says(words)
    }

    #[track_caller]
    fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?}: {}", self.stderr);
        }
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl Runner {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("work")).unwrap();
        Self {
            dir,
            variables: Vec::new(),
            daemon: None,
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a daemon of the pool `pool`, at a free port of this machine alone.
    fn in_pool(pool: &str) -> Self {
        let mut runner = Self::new();
        runner.serve(&["--pool", pool]);
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn state(&self) -> PathBuf {
        self.path("state")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ghswarm"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.dir.path())
            .env("GHSWARM_STATE_DIR", self.state())
            .env("GHSWARM_NO_MDNS", "true")
            .env("GHSWARM_P2P_LISTEN", "/ip4/127.0.0.1/tcp/0")
            .env("GHSWARM_ORIGIN", "http://127.0.0.1:1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        command
    }

    /// Starts a daemon whose log is in the file `log`.
    fn serve(&mut self, flags: &[&str]) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let mut command = self.command(&["serve", "--log-level=debug"]);
        let command = command.args(flags).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        assert!(line.starts_with('{'), "{}", self.log());
        self.daemon = Some(child);
    }

    fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who does not want it has closed it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What `peers list` says.
    fn list(&self) -> Value {
        self.run(&["peers", "list", "--format", "json"]).ok().json()
    }

    fn id(&self) -> String {
        self.list()["peer_id"].as_str().unwrap().to_owned()
    }

    /// The row of `other` in our list.
    fn row(&self, other: &str) -> Option<Value> {
        let listed = self.list();
        let mut rows = listed["peers"].as_array().unwrap().iter();
        rows.find(|row| row["peer_id"] == other).cloned()
    }

    /// Waits until `other` stands as `standing` in our list.
    #[track_caller]
    fn sees(&self, other: &str, standing: &str) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.row(other) {
                Some(row) if row["standing"] == standing => return row,
                row if Instant::now() > end => panic!("{row:?}\n{}", self.log()),
                // Nothing tells another process of it; to ask again takes a while by itself.
                _ => {}
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
