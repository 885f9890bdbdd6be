//! Processes as the runner sees them at the end of a job: by what stands in their first environment.

use std::fs;
use std::os::fd::AsFd as _;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// The ids of all processes, in rising order.
pub fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let id = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut pids: Vec<u32> = entries.filter_map(id).collect();
    pids.sort_unstable();
    pids
}

/// The living processes that were started with `name` set to `value`.
pub fn with_variable(name: &str, value: &str) -> Vec<u32> {
    let wanted = format!("{name}={value}");
    let has = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environ.split(|&byte| byte == 0);
        variables.any(|variable| variable == wanted.as_bytes())
    };
    all()
        .into_iter()
        .filter(has)
        .filter(|&pid| lives(pid))
        .collect()
}

/// Whether `pid` is there, and not only waiting for somebody to collect it.
pub fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// Sends SIGKILL. False: there was nobody.
pub fn kill(pid: u32) -> bool {
    of(pid).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}

/// Waits until `pid` has ended; false if it has not within `most`.
pub fn ended(pid: u32, most: Duration) -> bool {
    let opened = of(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    let Some(Ok(process)) = opened else {
        return !lives(pid);
    };
    let mut fds = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
    let most = Timespec::try_from(most).ok();
    matches!(poll(&mut fds, most.as_ref()), Ok(1)) || !lives(pid)
}

fn of(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}
