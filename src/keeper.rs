//! The keeper: a small process that owns the listening sockets, so that no client ever sees a closed
//! door while the daemon behind it dies and comes back.
//!
//! A dead daemon is started again at once; connections wait in the backlog meanwhile, and requests
//! that it had read and could repeat are parked here (`parked`) and handed to the next one. When it keeps
//! dying the keeper hands every request through to GitHub itself, without a cache, and tries a daemon
//! again later. It ends when a daemon ended on purpose (exit code 0), or when it is asked to.

mod parked;
mod restart;

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tracing::{error, info, warn};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::directories;
use crate::files::{self, Identity, Lock};
use crate::github;
use crate::proxy::admin::Admin;
use crate::proxy::parking::{Line, Parked};
use crate::proxy::{self, Listeners, Proxy, Service};
use crate::store::epoch_log::Teller;
use crate::time::Timestamp;

use parked::Lot;
use restart::forget_old;
pub use restart::{Next, after_crash};

/// A daemon that was asked to end drains for 10 seconds; then it is ended.
const DRAIN: Duration = Duration::from_secs(15);
/// The first descriptor of the `LISTEN_FDS` protocol (`sd_listen_fds(3)`).
const FIRST_FD: i32 = 3;

/// What a keeper holds and knows.
pub struct Keeper {
    /// The sockets, which outlive any daemon.
    pub listeners: Listeners,
    /// The lock of the state directory. Every daemon inherits it, so it is free only when keeper and
    /// daemon are both gone.
    pub lock: Lock,
    /// The program that is the daemon.
    pub program: PathBuf,
    /// Its arguments, without `--keeper-pid`.
    pub arguments: Vec<OsString>,
    /// The state directory.
    pub state_dir: PathBuf,
    /// Where `ready.json` is written.
    pub ready_files: Vec<PathBuf>,
    /// The bearer token of the administration port.
    pub admin_token: Zeroizing<String>,
    /// Whether to end rather than to go on without a cache.
    pub strict: bool,
    /// How GitHub is reached without a daemon.
    pub github: github::Config,
    /// How clients are served without a daemon.
    pub proxy: proxy::Config,
    /// The clock.
    pub clock: Clock,
}

/// Why a keeper gave up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The daemon cannot be started at all.
    #[error("cannot start {program}")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The very first daemon ended before clients could connect: starting it again would not help.
    #[error("the daemon ended before it was ready ({0})")]
    NeverReady(ExitStatus),
    /// The daemon keeps dying, and `--strict` forbids to go on without it.
    #[error("the daemon died {} times within a minute", restart::CRASHES)]
    KeepsDying,
    /// There is no HTTP client to hand requests through with.
    #[error(transparent)]
    Github(#[from] github::BuildError),
    /// The sockets cannot be used.
    #[error("cannot serve")]
    Serve(#[from] io::Error),
}

/// How one daemon ended.
enum End {
    /// On purpose: somebody asked it, or us, to end.
    Wanted,
    /// Some other way.
    Crashed(ExitStatus),
}

impl Keeper {
    /// Keeps daemons until one ends on purpose or `shutdown` becomes true. `announce` gets the first
    /// line of the first daemon: its `ready.json`.
    pub async fn run(
        self,
        announce: impl FnOnce(&str),
        shutdown: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let place = Identity::at(&self.state_dir);
        let kept = self.keep(announce, shutdown).await;
        // A daemon removes these itself when it ends on purpose; a dead one left them.
        let unix = self
            .listeners
            .unix
            .as_ref()
            .and_then(|unix| unix.local_addr().ok());
        let socket = unix.and_then(|address| address.as_pathname().map(PathBuf::from));
        // Unless the directory was removed meanwhile: what is there now is another daemon's.
        let ours = |path: &&PathBuf| {
            Identity::at(&self.state_dir) == place || !path.starts_with(&self.state_dir)
        };
        for path in self.ready_files.iter().chain(&socket).filter(ours) {
            let _ = std::fs::remove_file(path);
            if let Some(folder) = directories::folder_of_socket(path) {
                let _ = std::fs::remove_dir(folder);
            }
        }
        // `stop` takes us for ended as soon as it is free, and a job for left without a process of ours.
        self.lock.until_exit();
        kept
    }

    async fn keep(
        &self,
        announce: impl FnOnce(&str),
        mut shutdown: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let mut announce = Some(announce);
        let mut ready = None;
        let mut crashes = Vec::new();
        let mut lot = Lot::default();
        loop {
            let heard = |line: &str| {
                ready = serde_json::from_str(line).ok();
                if let Some(announce) = announce.take() {
                    announce(line);
                }
            };
            let status = match self.run_daemon(heard, &mut lot, &mut shutdown).await? {
                End::Wanted => return Ok(()),
                End::Crashed(status) => status,
            };
            let Some(ready) = &ready else {
                return Err(Error::NeverReady(status));
            };
            let now = self.clock.now();
            crashes.push(now);
            forget_old(&mut crashes, now);
            let next = after_crash(&crashes, now);
            warn!(%status, ?next, waiting = lot.orphan(), "the daemon died");
            match next {
                Next::Restart => info!("starting the daemon again"),
                Next::PassThrough { .. } if self.strict => {
                    // Said here, while we hold the lock: whoever waits for it then finds it said.
                    error!("the daemon keeps dying, and --strict forbids to go on without it");
                    return Err(Error::KeepsDying);
                }
                Next::PassThrough { until } => {
                    crashes.clear();
                    let orphans = lot.take();
                    if self
                        .pass_through(ready, orphans, until, &mut shutdown)
                        .await?
                    {
                        return Ok(());
                    }
                    info!("trying a daemon again");
                }
            }
        }
    }

    /// Runs one daemon to its end. `heard` gets each line of its output, `lot` who waits for it.
    async fn run_daemon(
        &self,
        mut heard: impl FnMut(&str),
        lot: &mut Lot,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<End, Error> {
        let (ours, theirs) = UnixDatagram::pair()?;
        let daemon = Line::new(ours)?;
        let mut child = self.spawn(&theirs).map_err(|source| Error::Spawn {
            program: self.program.display().to_string(),
            source,
        })?;
        drop(theirs);
        let output = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("no output"))?;
        let mut lines = BufReader::new(output).lines();
        let mut open = true;
        loop {
            tokio::select! {
                // In this order: what a daemon said before it died is heard first.
                biased;
                line = lines.next_line(), if open => match line {
                    Ok(Some(line)) => heard(&line),
                    Ok(None) | Err(_) => open = false,
                },
                never = lot.attend(&daemon) => match never {},
                status = child.wait() => {
                    let status = status?;
                    // What it managed to say is all there: nobody else has its end of the line.
                    lot.hear(&daemon);
                    return Ok(if status.success() { End::Wanted } else { End::Crashed(status) });
                }
                true = asked(shutdown) => {
                    end(&mut child).await?;
                    return Ok(End::Wanted);
                }
            }
        }
    }

    /// Starts a daemon that inherits the sockets, in the `LISTEN_FDS` protocol, and the lock.
    fn spawn(&self, line: &UnixDatagram) -> io::Result<Child> {
        match self.spawn_program(&self.program, line) {
            // The binary was replaced or removed since we started; the kernel still has ours.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.spawn_program("/proc/self/exe".as_ref(), line)
            }
            spawned => spawned,
        }
    }

    fn spawn_program(&self, program: &std::path::Path, line: &UnixDatagram) -> io::Result<Child> {
        let Listeners { tcp, unix, admin } = &self.listeners;
        let sockets = [Some(tcp.as_fd()), unix.as_ref().map(|unix| unix.as_fd())]
            .into_iter()
            .chain([admin.as_ref().map(TcpListener::as_fd), Some(line.as_fd())])
            .flatten()
            .collect::<Vec<_>>();
        let inherited = sockets.iter().copied().chain([self.lock.as_fd()]);
        let mappings = (FIRST_FD..)
            .zip(inherited)
            .map(|(child_fd, fd)| {
                let parent_fd: OwnedFd = fd.try_clone_to_owned()?;
                Ok(FdMapping {
                    parent_fd,
                    child_fd,
                })
            })
            .collect::<io::Result<_>>()?;
        let mut command = std::process::Command::new(program);
        command
            .args(&self.arguments)
            .arg(format!("--keeper-pid={}", std::process::id()))
            .env("LISTEN_FDS", sockets.len().to_string())
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDS_FIRST_FD")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        Command::from(command).spawn()
    }

    /// Serves the sockets, and whoever waits, without a cache. True: somebody asked for the end. False:
    /// it is time to try a daemon again.
    async fn pass_through(
        &self,
        ready: &Value,
        orphans: Vec<Parked>,
        until: Timestamp,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<bool, Error> {
        error!("the daemon keeps dying: requests go to GitHub uncached for now");
        let mut ready = ready.clone();
        ready["pid"] = Value::Null;
        let json = serde_json::to_vec_pretty(&ready).unwrap_or_default();
        for path in &self.ready_files {
            if let Err(error) = files::write_atomic(path, &json) {
                warn!(%error, "ready.json still names the dead daemon");
            }
        }
        let cache = ready["cache_dir"].as_str().map(PathBuf::from);
        let teller = cache.map(|cache| Teller::new(cache, self.clock.clone()));
        let stop = watch::Sender::new(false);
        let mut stopped = stop.subscribe();
        let admin = Admin {
            token: self.admin_token.clone(),
            ready,
            stop: stop.clone(),
            peers: None,
            finish: None,
        };
        let own = self.listeners.tcp.local_addr()?;
        let client = github::Client::new(self.github.clone().without_proxy(own))?;
        let service = Service::PassThrough(client.clone(), teller);
        let proxy = Proxy::new(self.proxy.clone(), service, client, Some(admin));
        let proxy = proxy.adopting(orphans);
        let mut serving = pin!(proxy.run(self.share_listeners()?, stop.subscribe()));
        let ended = tokio::select! {
            served = &mut serving => return Ok(served.map(|()| true)?),
            true = asked(shutdown) => true,
            true = asked(&mut stopped) => true,
            () = self.clock.sleep_until(until) => false,
        };
        // What is in flight ends well, also for a daemon's sake; connections wait in the backlog.
        stop.send_replace(true);
        serving.await?;
        Ok(ended)
    }

    fn share_listeners(&self) -> io::Result<Listeners> {
        let Listeners { tcp, unix, admin } = &self.listeners;
        Ok(Listeners {
            tcp: tcp.try_clone()?,
            unix: unix.as_ref().map(UnixListener::try_clone).transpose()?,
            admin: admin.as_ref().map(TcpListener::try_clone).transpose()?,
        })
    }
}

/// Waits until `wish` is true. False: its sender is gone, and it never will be.
async fn asked(wish: &mut watch::Receiver<bool>) -> bool {
    wish.wait_for(|wanted| *wanted).await.is_ok()
}

/// Asks a daemon to end, and ends it when it takes too long.
async fn end(child: &mut Child) -> io::Result<()> {
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // Fails only for a process that is gone already.
        let _ = kill_process(pid, Signal::TERM);
    }
    if let Ok(status) = tokio::time::timeout(DRAIN, child.wait()).await {
        info!(status = %status?, "the daemon ended");
        return Ok(());
    }
    warn!("the daemon did not end within {} s", DRAIN.as_secs());
    child.kill().await
}
