//! `dist/install.sh` as a runner runs it: real shells and downloads, archives made by `dist/package.py`, a server on
//! loopback that gives them or fails, and a look at everything that is left behind.

mod faults;
mod found;
mod packaging;
mod places;
mod shelf;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use shelf::Shelf;
use tempfile::TempDir;
use tokio::process::Command;

use crate::needs;

/// Generous: the machine that runs the stories is busy.
const PATIENCE: Duration = Duration::from_secs(60);
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// A manifest before the first release.
const NO_RELEASES: &str = "{\n  \"version\": \"0.1.0\",\n  \"releases\": {}\n}\n";
const SYSTEM_PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";
const SAYS_ITS_VERSION: &str = concat!(
    "#!/bin/sh\necho 'ghswarm ",
    env!("CARGO_PKG_VERSION"),
    "'\n"
);

/// What the release for this machine is called.
fn target() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "aarch64") => "aarch64-apple-darwin",
        ("macos", _) => "x86_64-apple-darwin",
        (_, "aarch64") => "aarch64-unknown-linux-musl",
        _ => "x86_64-unknown-linux-musl",
    }
}

fn arch() -> &'static str {
    if std::env::consts::ARCH == "aarch64" {
        "arm64"
    } else {
        "x64"
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o755)
        .open(path)
        .unwrap();
    file.write_all(bytes.as_ref()).unwrap();
}

/// Whether archives can be made here; otherwise the story is skipped.
fn packages() -> bool {
    let packages = needs::program("python3").is_some();
    if !packages {
        needs::skip("python3");
    }
    packages
}

/// `dist/package.py` with these arguments.
fn package(arguments: &[&str]) -> std::process::Output {
    let python = needs::program("python3").expect("python3, which was looked for");
    let mut command = std::process::Command::new(python);
    // Without the byte code that Python would leave beside the script.
    command
        .arg("-B")
        .arg(repository().join("dist/package.py"))
        .args(arguments);
    command.output().unwrap()
}

/// A checkout of the action at a version that has been released, and a runner's directories.
struct Runner {
    dir: TempDir,
    shelf: Shelf,
    variables: Vec<(String, String)>,
    path: String,
    shell: PathBuf,
}

/// What a run of the installer left behind.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    /// The program that was installed, which says its version.
    #[track_caller]
    fn program(&self) -> PathBuf {
        assert_eq!(self.code, 0, "{}", self.stderr);
        let program = PathBuf::from(self.stdout.lines().last().unwrap());
        let said = std::process::Command::new(&program)
            .arg("--version")
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said.trim(), format!("ghswarm {VERSION}"));
        program
    }

    /// The one message of a failure, which has these words.
    #[track_caller]
    fn refusal(&self, words: &[&str]) -> &str {
        assert_eq!(self.code, 1, "{}", self.stderr);
        assert_eq!(self.stdout, "");
        let message = self.stderr.lines().last().unwrap();
        let message = message
            .strip_prefix("ghswarm is not installed: ")
            .expect(message);
        for word in words {
            assert!(message.contains(word), "no {word:?} in: {message}");
        }
        message
    }
}

impl Runner {
    /// With a stand-in for the program: what is installed does not matter to the installer. `None` where nothing can be
    /// packaged: the story is skipped.
    async fn new() -> Option<Self> {
        let runner = Self::with_program(SAYS_ITS_VERSION.as_bytes()).await?;
        assert!(runner.left().is_empty(), "{:?}", runner.left());
        Some(runner)
    }

    async fn with_program(program: &[u8]) -> Option<Self> {
        if !packages() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        for folder in ["action/dist", "home", "temp", "tools", "made"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let runner = Self {
            shelf: Shelf::start().await,
            variables: Vec::new(),
            path: SYSTEM_PATH.to_owned(),
            shell: PathBuf::from("/bin/sh"),
            dir,
        };
        fs::copy(
            repository().join("dist/install.sh"),
            runner.at("action/dist/install.sh"),
        )
        .unwrap();
        put(&runner.at("program"), program);
        runner.release(&format!("{}/release", runner.shelf.url()));
        Some(runner)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Packages the program, and puts the archive on the shelf.
    fn release(&self, url: &str) {
        let (out, program) = (self.at("made"), self.at("program"));
        let program = format!("{}={}", target(), program.display());
        let packaged = package(&["--out", out.to_str().unwrap(), "--url", url, &program]);
        assert!(
            packaged.status.success(),
            "{}",
            String::from_utf8_lossy(&packaged.stderr)
        );
        fs::copy(out.join("manifest.json"), self.manifest()).unwrap();
        self.shelf
            .put(&Self::archive_name(), fs::read(self.archive()).unwrap());
    }

    fn archive_name() -> String {
        format!("ghswarm-{VERSION}-{}.tar.gz", target())
    }

    fn archive(&self) -> PathBuf {
        self.at("made").join(Self::archive_name())
    }

    fn manifest(&self) -> PathBuf {
        self.at("action/dist/manifest.json")
    }

    /// Where the program belongs in the tool cache.
    fn in_tools(&self) -> PathBuf {
        self.at("tools")
            .join(format!("ghswarm/{VERSION}/{}/ghswarm", arch()))
    }

    fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// A machine that has nothing but these programs.
    fn only_with(&mut self, programs: &[&str]) -> &mut Self {
        let bin = self.at("bin");
        let _ = fs::remove_dir_all(&bin);
        fs::create_dir(&bin).unwrap();
        for name in programs {
            let program = needs::program(name).unwrap_or_else(|| panic!("no {name}"));
            symlink(program, bin.join(name)).unwrap();
        }
        bin.to_str().unwrap().clone_into(&mut self.path);
        self
    }

    /// A machine that has all programs but this one.
    fn without(&mut self, program: &str) {
        let bin = self.at("all");
        fs::create_dir(&bin).unwrap();
        for folder in ["/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name() != program {
                    // The first of a name is there already.
                    let _ = symlink(entry.path(), bin.join(entry.file_name()));
                }
            }
        }
        bin.to_str().unwrap().clone_into(&mut self.path);
    }

    fn command(&self) -> Command {
        self.dressed(Command::new(&self.shell), &[])
    }

    /// The same, where SIGINT does what it does by default: who runs the tests in the background of a script has it ignored, and no
    /// shell can take notice of it then.
    fn command_that_hears_sigint(&self) -> Command {
        let command = Command::new(needs::program("env").expect("env"));
        let shell = self.shell.to_str().unwrap();
        self.dressed(command, &["--default-signal=INT", shell])
    }

    /// In a world of its own (flags of unshare), after `prepare`: what was mounted there is listed in the file `left`.
    fn command_apart(&self, flags: &str, prepare: &str) -> Command {
        let list = "find tools temp home -mindepth 1 | sort >left";
        let script = format!("{prepare}\ncode=0\n\"$@\" || code=$?\n{list}\nexit $code");
        let command = Command::new(needs::program("unshare").expect("unshare"));
        let shell = self.shell.to_str().unwrap();
        self.dressed(command, &[flags, "/bin/sh", "-ec", &script, "sh", shell])
    }

    fn left_apart(&self) -> Vec<String> {
        let left = fs::read_to_string(self.at("left")).unwrap();
        left.lines().map(str::to_owned).collect()
    }

    fn dressed(&self, mut command: Command, before: &[&str]) -> Command {
        command
            .args(before)
            .arg(self.at("action/dist/install.sh"))
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.at("home"))
            .env("RUNNER_TEMP", self.at("temp"))
            .env("RUNNER_TOOL_CACHE", self.at("tools"))
            .env("GITHUB_OUTPUT", self.at("output"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self) -> Ran {
        ran(self.command()).await
    }

    /// Everything in the directories that the installer may write to.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let mut open = ["tools", "temp", "home"].map(|name| self.at(name)).to_vec();
        while let Some(folder) = open.pop() {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                let inside = path.strip_prefix(self.dir.path()).unwrap();
                left.push(inside.to_str().unwrap().to_owned());
                if path.is_dir() {
                    open.push(path);
                }
            }
        }
        left.sort();
        left
    }

    /// What is there after a release was put into the tool cache, and nothing else.
    #[track_caller]
    fn holds_one_release(&self) {
        let version = format!("tools/ghswarm/{VERSION}");
        let arch = arch();
        let expected = [
            "tools/ghswarm".to_owned(),
            version.clone(),
            format!("{version}/{arch}"),
            format!("{version}/{arch}.complete"),
            format!("{version}/{arch}/ghswarm"),
        ];
        assert_eq!(self.left(), expected);
    }
}

async fn ran(mut command: Command) -> Ran {
    let output = tokio::time::timeout(PATIENCE, command.output());
    let output = output.await.expect("an end").unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
