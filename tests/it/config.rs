//! What flags, variables and files say together, told by the binary itself.

mod daemon;
mod samples;
mod telling;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A home directory, and a checkout in which somebody works.
struct Desk {
    dir: TempDir,
    variables: Vec<(String, String)>,
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
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Holds stderr to lines that have these words.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "no {word:?} in: {}",
                self.stderr
            );
        }
    }
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let desk = Self {
            dir,
            variables: Vec::new(),
        };
        for folder in [
            "home",
            "tmp",
            "checkout/.github",
            "checkout/.git",
            "checkout/deep/er",
        ] {
            std::fs::create_dir_all(desk.path(folder)).unwrap();
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(self, name: &str, text: &str) -> Self {
        ghswarm::files::write_atomic(&self.path(name), text.as_bytes()).unwrap();
        self
    }

    /// The checkout's `cache-config.yml`.
    fn workspace(self, text: &str) -> Self {
        self.file("checkout/.github/cache-config.yml", text)
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As in a job whose checkout is ours, working somewhere else.
    fn job(self) -> Self {
        let (workspace, temporary) = (self.path("checkout"), self.path("tmp"));
        self.variable("GITHUB_ACTIONS", "true")
            .variable("GITHUB_WORKSPACE", workspace.to_str().unwrap())
            .variable("RUNNER_TEMP", temporary.to_str().unwrap())
            .variable("GHSWARM_ORIGIN", "http://127.0.0.1:1")
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_in("checkout/deep/er", arguments)
    }

    fn run_in(&self, folder: &str, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_ghswarm"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path(folder))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// `config show` as JSON, with paths that do not depend on the desk.
    #[track_caller]
    fn show(&self, flags: &[&str]) -> Value {
        let line = [&["config", "show", "--format", "json"], flags].concat();
        let shown = self.run(&line).ok();
        let text = shown.stdout.replace(self.dir.path().to_str().unwrap(), "");
        serde_json::from_str(&text).unwrap()
    }
}

/// Whatever a story left running ends with it.
impl Drop for Desk {
    fn drop(&mut self) {
        for folder in ["tmp/ghswarm", "home/.local/state/ghswarm"] {
            let Ok(text) = std::fs::read(self.path(folder).join("ready.json")) else {
                continue;
            };
            let ready: Value = serde_json::from_slice(&text).unwrap_or_default();
            for name in ["keeper_pid", "pid"] {
                if let Some(pid) = ready[name].as_i64() {
                    let pid = pid.to_string();
                    let _ = Command::new("kill").args(["-KILL", &pid]).output();
                }
            }
        }
    }
}

/// The value of a setting in what `show` says.
fn value<'a>(shown: &'a Value, setting: &str) -> &'a str {
    shown["settings"][setting]["value"]
        .as_str()
        .unwrap_or_else(|| panic!("no {setting} in {shown:#}"))
}

/// The arguments of a process.
fn arguments(pid: &Value) -> Vec<String> {
    let line = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap();
    let words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    words
        .map(String::from)
        .filter(|word| !word.is_empty())
        .collect()
}
