//! A machine with a `/run` of its own and with several users, of whom one is the service.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ghswarm_lab::{FakeGitHub, TokenSpec};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::job::Job;
use crate::needs;

/// The service's user and group.
pub(super) const SERVICE: u32 = 64_101;
/// A user whom nobody trusts.
pub(super) const STRANGER: u32 = 64_109;
/// Where jobs look.
pub(super) const PLACE: &str = "/run/ghswarm";
const MANAGER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/service/manager.py");

/// The machine. It goes with the process that holds its mounts.
pub(super) struct Machine {
    mounts: Child,
    dir: tempfile::TempDir,
    pub(super) github: FakeGitHub,
}

/// Who listens where jobs look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Whose the directory is, and its mode.
    pub(super) owner: u32,
    pub(super) mode: u32,
    /// The mode of the socket, whose group is the service's.
    pub(super) socket: &'static str,
    /// Who makes the socket, and who runs behind it.
    pub(super) listener: u32,
    pub(super) user: u32,
}

impl Place {
    /// As the units have it.
    pub(super) const OF_UNITS: Self = Self {
        owner: 0,
        mode: 0o755,
        socket: "0660",
        listener: 0,
        user: SERVICE,
    };
}

impl Machine {
    /// `None`, after saying so, where this process may not have one.
    pub(super) async fn new() -> Option<Self> {
        let programs = ["unshare", "nsenter", "setpriv", "python3"].map(needs::program);
        let mounted = programs.iter().all(Option::is_some).then(mounts).flatten();
        let Some(mounts) = mounted else {
            needs::skip("mount namespaces");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        open_to_all(dir.path());
        // Where other users can read it, whatever the checkout's folder lets them do.
        let binary = Path::new(env!("CARGO_BIN_EXE_ghswarm"));
        let copy = dir.path().join("bin/ghswarm");
        fs::create_dir(copy.parent().unwrap()).unwrap();
        open_to_all(copy.parent().unwrap());
        fs::hard_link(binary, &copy)
            .or_else(|_| fs::copy(binary, &copy).map(drop))
            .unwrap();
        let github = FakeGitHub::builder().start().await.unwrap();
        Some(Self {
            mounts,
            dir,
            github,
        })
    }

    fn binary(&self) -> String {
        self.dir.path().join("bin/ghswarm").display().to_string()
    }

    /// What stands before a program that runs on this machine.
    fn inside(&self) -> Vec<String> {
        let mounts = format!("--mount=/proc/{}/ns/mnt", self.mounts.id());
        ["nsenter", &mounts, "--"].map(str::to_owned).to_vec()
    }

    /// A directory of this user's.
    fn folder(&self, name: &str, user: u32) -> PathBuf {
        let folder = self.dir.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        chown(&folder, Some(user), Some(user)).unwrap();
        folder
    }

    /// The service's own directory.
    pub(super) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Starts a daemon behind the socket where jobs look.
    pub(super) fn serve(&self, place: Place) -> Service {
        let inside = self.inside();
        let script = format!(
            "rm -rf {PLACE} && mkdir {PLACE} && chmod {:o} {PLACE} && chown {} {PLACE}",
            place.mode, place.owner
        );
        let mut prepare = Command::new(&inside[0]);
        prepare.args(&inside[1..]).args(["sh", "-c", &script]);
        assert!(prepare.status().unwrap().success());
        let (state, cache) = (
            self.folder("state", place.user),
            self.folder("cache", place.user),
        );
        let words = [place.listener, place.user].map(|user| user.to_string());
        let mut manager = Command::new(&inside[0]);
        manager
            .args(&inside[1..])
            .args(["python3", MANAGER])
            .args([&format!("{PLACE}/ghswarm.sock"), place.socket])
            .arg(SERVICE.to_string())
            .args(words)
            .args([&self.binary(), "serve", "--owner", "host", "--no-p2p"])
            .args(["--origin", &self.github.url()])
            .arg("--state-dir")
            .arg(state)
            .arg("--cache-dir")
            .arg(cache)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut manager = manager.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(manager.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut log = String::new();
            let _ = manager.kill();
            let _ = manager.stderr.take().unwrap().read_to_string(&mut log);
            panic!("{error}: {line}\n{log}")
        });
        Service { manager, ready }
    }

    /// A job whose runner is this user, in the group of the service or not.
    pub(super) fn job(&self, user: u32, in_group: bool) -> Job {
        let token = self.github.token(TokenSpec::job("octo-org/hello"));
        let host = self.folder(&format!("user-{user}"), user);
        self.folder(&format!("user-{user}/home"), user);
        let job = Job::on(&host, "runner", &token);
        chown(job.temp(), Some(user), Some(user)).unwrap();
        let mut inside = self.inside();
        inside.push("setpriv".to_owned());
        inside.extend(["--reuid", "--regid"].map(|flag| format!("{flag}={user}")));
        inside.push(if in_group {
            format!("--groups={SERVICE}")
        } else {
            "--clear-groups".to_owned()
        });
        let mut job = job.inside(inside);
        let folder = self.dir.path().join("bin");
        job.set("PATH", &format!("{}:/usr/bin:/bin", folder.display()));
        job
    }
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A process with mounts of its own, where `/run` is empty.
fn mounts() -> Option<Child> {
    let script = "mount -t tmpfs -o mode=755 none /run && echo mounted && exec sleep 600";
    let mut child = Command::new("unshare")
        .args([
            "--mount",
            "--propagation",
            "private",
            "--",
            "sh",
            "-c",
            script,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take()?);
    if output.read_line(&mut line).is_ok() && line == "mounted\n" {
        return Some(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.mounts.kill();
        let _ = self.mounts.wait();
    }
}

/// The daemon of the machine, and who starts it again.
pub(super) struct Service {
    manager: Child,
    pub(super) ready: Value,
}

impl Service {
    /// Ends the daemon without warning; its manager stays.
    pub(super) fn kill(&self) {
        let pid = i32::try_from(self.ready["pid"].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    /// Ends both as a service manager does; what the daemon logged.
    pub(super) fn stop(mut self) -> String {
        let pid = i32::try_from(self.manager.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
        let mut log = String::new();
        let mut output = self.manager.stderr.take().unwrap();
        output.read_to_string(&mut log).unwrap();
        assert!(self.manager.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.manager.try_wait(), Ok(Some(_))) {
            return;
        }
        // A manager that is killed cannot end its daemon, which may be another one than the first.
        let pid = i32::try_from(self.manager.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.manager.wait();
    }
}
