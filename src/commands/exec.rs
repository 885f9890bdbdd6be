//! `ghswarm exec`: a child that uses the cache, and whose exit code is ours.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use super::context::Context;
use super::{join, launch, print, variables};
use crate::cli::{Exec, Target};
use crate::daemon::{self, Living, Ready};

/// The program cannot be run.
const NOT_RUNNABLE: u8 = 126;
/// There is no such program.
const NOT_FOUND: u8 = 127;

pub(super) async fn run(exec: Exec, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let strict = context.settings_of(&exec.target).is_strict();
    let (variables, started) = match prepare(&exec.target, context).await {
        Ok(prepared) => prepared,
        Err(error) if strict => {
            print::complaint(&format!("{error:#}"));
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => {
            print::complaint(&format!("running without the cache: {error:#}"));
            (BTreeMap::new(), None)
        }
    };
    let code = child(&exec.command, &variables).await;
    if let Some(socket) = started.and_then(|ready| ready.socket)
        && let Err(error) = Living::at(socket).stop().await
    {
        print::complaint(&format!("cannot stop the daemon: {error:#}"));
    }
    code
}

/// The child's variables, and the daemon that was started for them.
async fn prepare(
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<(BTreeMap<&'static str, String>, Option<Ready>)> {
    let (ready, started) = match context.daemon(target)?.ready().await {
        Ok(ready) => {
            join::check(&ready, context)?;
            (ready, None)
        }
        Err(daemon::AskError::Nobody { .. }) => {
            let settings = context.settings(target.settings())?;
            let running = launch::running(&settings, context).await?;
            let started = running.started.then(|| running.ready.clone());
            (running.ready, started)
        }
        Err(error) => return Err(error.into()),
    };
    match variables::of(&ready, context.environment()) {
        Ok(variables) => Ok((variables, started)),
        Err(error) => {
            if let Some(socket) = started.and_then(|ready| ready.socket) {
                // The first error is the one to report.
                let _ = Living::at(socket).stop().await;
            }
            Err(error)
        }
    }
}

/// Runs the child to its end, handing signals on.
async fn child(
    command: &[OsString],
    variables: &BTreeMap<&'static str, String>,
) -> anyhow::Result<ExitCode> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(ExitCode::from(2));
    };
    // Before the child exists: a signal in between must not leave it behind.
    let (mut interrupt, mut terminate) = daemon::ended_by_signal()?;
    let mut child = match Command::new(program)
        .args(arguments)
        .envs(variables)
        .spawn()
    {
        Ok(child) => child,
        Err(error) => return Ok(cannot_run(program, &error)),
    };
    // A terminal sends its SIGINT to the child as well; twice would be one too many.
    let alone = !io::stdin().is_terminal();
    loop {
        tokio::select! {
            status = child.wait() => return Ok(code_of(status?)),
            _ = interrupt.recv() => if alone { hand_on(&child, Signal::INT) },
            _ = terminate.recv() => hand_on(&child, Signal::TERM),
        }
    }
}

fn cannot_run(program: &OsStr, error: &io::Error) -> ExitCode {
    print::complaint(&format!("cannot run {}: {error}", program.display()));
    match error.kind() {
        io::ErrorKind::NotFound => ExitCode::from(NOT_FOUND),
        _ => ExitCode::from(NOT_RUNNABLE),
    }
}

/// The child's exit code, or 128 + n after signal n, as a shell has it.
fn code_of(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn hand_on(child: &Child, signal: Signal) {
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // Fails only for a child that is gone already.
        let _ = kill_process(pid, signal);
    }
}
