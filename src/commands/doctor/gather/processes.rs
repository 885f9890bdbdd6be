//! Facts about processes, as `/proc` shows them. Where there is no `/proc` they are unknown.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, getrlimit, test_kill_process};

use super::super::limits::{self, OpenFiles};

/// Whether a process with this id lives, whoever's it is. One that ended and that nobody has collected
/// yet does not.
pub(super) fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with(['Z', 'X']));
    if state == Some(true) {
        return false;
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
}

/// Whether somebody holds the lock on a file. Looked up and not tried: even for a moment the lock
/// would be in the way of a daemon that starts.
pub(super) fn is_locked(path: &Path) -> Option<bool> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let Ok(file) = fs::metadata(path) else {
        return Some(false);
    };
    let inode = format!(":{} ", file.ino());
    Some(
        locks
            .lines()
            .any(|line| line.contains(" FLOCK ") && line.contains(&inode)),
    )
}

/// The daemons of user `me` other than `own`.
pub(super) fn daemons(me: u32, own: Option<u32>) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let is_daemon = |path: &Path| {
        let serves = |line: Vec<u8>| line.split(|&byte| byte == 0).nth(1) == Some(b"serve");
        let named = fs::read(path.join("comm")).is_ok_and(|name| name.trim_ascii() == b"ghswarm");
        let ours = fs::metadata(path).is_ok_and(|found| found.uid() == me);
        named && ours && fs::read(path.join("cmdline")).is_ok_and(serves)
    };
    let mut pids: Vec<_> = processes
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            (Some(pid) != own && is_daemon(&entry.path())).then_some(pid)
        })
        .collect();
    pids.sort_unstable();
    pids
}

/// How many files this process may open, and so may what it starts.
pub(super) fn open_files() -> OpenFiles {
    let limit = getrlimit(Resource::Nofile);
    OpenFiles {
        soft: limit.current,
        hard: limit.maximum,
    }
}

pub(super) fn open_files_of(pid: u32) -> Option<OpenFiles> {
    limits::parse(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
}
