//! Starting a keeper with its daemon and waiting until clients can connect.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};

use super::context::Context;
use super::{join, logging, print};
use crate::config::{Directories, Settings, Sharing, env};
use crate::daemon::{AskError, Living, Ready};
use crate::files;

/// The longest that somebody waits for a daemon that does not become ready.
const PATIENCE: Duration = Duration::from_secs(5);

/// A daemon that answers.
pub(super) struct Running {
    pub(super) ready: Ready,
    /// Whether it was started just now.
    pub(super) started: bool,
}

/// The daemon with these settings: the one that runs, in a job that of the host, or a new one.
pub(super) async fn running(settings: &Settings, context: &Context<'_>) -> anyhow::Result<Running> {
    let settings = &join::beside_the_host(settings, context);
    let directories = context.directories(settings)?;
    files::private_dir(&directories.state).with_context(|| unusable(&directories.state))?;
    // Two that start at the same time: the second waits, and finds the first one's daemon.
    let _turn = tokio::time::timeout(PATIENCE, turn(directories.state.join("start.lock")))
        .await
        .map_err(|_| {
            anyhow!(
                "another `ghswarm start` has been busy for {} s",
                PATIENCE.as_secs()
            )
        })??;
    let living = Living::of(&directories.state, directories.socket.clone());
    match living.ready().await {
        Ok(ready) => {
            join::check(&ready, context)?;
            return Ok(Running {
                ready,
                started: false,
            });
        }
        Err(AskError::Nobody { .. }) => {}
        Err(error) => return Err(error).context("a daemon is running, but it does not answer"),
    }
    if let Some(ready) = join::host(settings, context).await {
        return Ok(Running {
            ready,
            started: false,
        });
    }
    join::mark(&directories.state, context).with_context(|| unusable(&directories.state))?;
    // Here, where the job's token is known, and before there is a daemon.
    let sharing = Sharing::find(settings, context.environment())?;
    if let Some(notice) = sharing.notice() {
        print::complaint(notice);
    }
    let log = Log::open(&directories).with_context(|| unusable(&directories.state))?;
    let ready = match tokio::time::timeout(PATIENCE, keeper(settings, &log)).await {
        Ok(ready) => ready,
        Err(_) => Err(anyhow!(
            "the daemon was not ready within {} s",
            PATIENCE.as_secs()
        )),
    };
    let ready = ready.map_err(|error| log.explain(error))?;
    Ok(Running {
        ready,
        started: true,
    })
}

fn unusable(state: &Path) -> String {
    let state = state.display();
    format!("the state directory {state} cannot be used; --state-dir DIR takes another place")
}

async fn turn(path: PathBuf) -> anyhow::Result<std::fs::File> {
    let state = path.parent().unwrap_or(&path);
    let file = files::open_append_private(&path).with_context(|| unusable(state))?;
    tokio::task::spawn_blocking(move || {
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    })
    .await?
}

/// Starts a keeper and reads what its first daemon says about itself.
async fn keeper(settings: &Settings, log: &Log) -> anyhow::Result<Ready> {
    let program = std::env::current_exe().context("cannot find our own program")?;
    let mut command = Command::new(&program);
    command
        .arg("keeper")
        .args(settings.to_flags())
        // The working directory of a step is removed while we run.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.file.try_clone()?);
    for token in env::TOKENS {
        command.env_remove(token);
    }
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let output = child.stdout.take().context("the keeper has no output")?;
    let line = first_line(output).await?;
    if line.is_empty() {
        bail!("the daemon could not start ({})", child.wait().await?);
    }
    serde_json::from_str(&line).context("the daemon's first line makes no sense")
}

async fn first_line(output: ChildStdout) -> anyhow::Result<String> {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    Ok(line)
}

/// `daemon.log`, and where in it this start begins.
struct Log {
    path: PathBuf,
    file: std::fs::File,
    start: u64,
}

impl Log {
    fn open(directories: &Directories) -> anyhow::Result<Self> {
        let path = directories.state.join(logging::FILE);
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
        if length(&path) > logging::LIMIT {
            // Otherwise the log goes on growing, which hurts less than not starting.
            let _ = std::fs::rename(&path, path.with_extension("log.1"));
        }
        let file = files::open_append_private(&path)?;
        let start = length(&path);
        Ok(Self { path, file, start })
    }

    /// Adds to `error` what the keeper and the daemon said meanwhile.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let mut said = String::new();
        let read = std::fs::File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.start))?;
            file.take(logging::LIMIT).read_to_string(&mut said)
        });
        let complaints: Vec<_> = said
            .lines()
            .filter_map(|line| line.strip_prefix("ghswarm: "))
            .collect();
        match (read, complaints.first()) {
            (Ok(_), Some(first)) => anyhow!("{first}").context(error),
            _ => error.context(format!("see {}", self.path.display())),
        }
    }
}
