//! The tests' own binary once more, as a process that writes and can be killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use ghswarm::clock::Clock;
use ghswarm::store::disk::{Config, Disk};

use super::stage::{answers, count, key, noise, secret};
use crate::needs;

/// The directory that the child is to work in.
const DIRECTORY: &str = "GHSWARM_TEST_DISK_DIRECTORY";
/// The only test that the child runs.
const ENTRY: &str = "disk::child::writes_until_it_is_killed";
/// How many things it writes, and after how many it says so.
pub(super) const WRITES: u32 = 10_000;
const GROUP: u32 = 250;

/// The `n`th body: mostly small, sometimes in a file of its own.
pub(super) fn body(n: u32) -> bytes::Bytes {
    noise(n, if n.is_multiple_of(100) { 70_000 } else { 1500 })
}

/// What the child does; in all other runs nothing.
#[tokio::test]
async fn writes_until_it_is_killed() {
    let Some(directory) = needs::environment(DIRECTORY) else {
        return;
    };
    let config = Config {
        directory,
        limit: 1 << 30,
    };
    let disk = Disk::open(&config, &secret(), Clock::system()).unwrap();
    for n in 0..WRITES {
        disk.put(key(n), answers([(body(n), u64::from(n))]));
        if n % GROUP == GROUP - 1 {
            disk.flush().await;
            let full = count(&disk, "disk-full");
            writeln!(std::io::stdout(), "\nwritten {} full {full}", n + 1).unwrap();
        }
    }
}

/// A child at work.
pub(super) struct Writer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Writer {
    pub(super) fn start(directory: &Path) -> Self {
        Self::spawn(Command::new(Self::program()), directory)
    }

    /// The program to start, for those who start it through another one.
    pub(super) fn program() -> PathBuf {
        std::env::current_exe().unwrap()
    }

    /// Starts `command`, which ends in [`Writer::program`].
    pub(super) fn spawn(mut command: Command, directory: &Path) -> Self {
        let mut child = command
            .args(["--exact", ENTRY, "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next report: how many things are written, and how often the disk was full. `None` at the end.
    pub(super) fn report(&mut self) -> Option<(u32, u64)> {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            let words: Vec<_> = line.split(' ').collect();
            if let ["written", written, "full", full] = words[..] {
                return Some((written.parse().unwrap(), full.parse().unwrap()));
            }
        }
        None
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn wait(mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}
