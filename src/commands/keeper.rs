//! The hidden command that `start` leaves behind.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;

use super::context::Context;
use super::{block_on, logging, print};
use crate::cli::Start;
use crate::daemon::{self, Config, Ready};
use crate::keeper::Keeper;

pub(super) fn run(start: Start, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let settings = context.settings(start.settings)?;
    logging::start(&settings, context)?;
    // A session of its own: neither the end of the step nor a closed terminal reaches us.
    let _ = rustix::process::setsid();
    let directories = context.directories(&settings)?;
    let lock = daemon::lock(&directories.state)?;
    let owner = context.owner(&settings);
    let program = std::env::current_exe().context("cannot find our own program")?;
    daemon::begin_in(&directories.state, owner, &program);
    let mut config = Config::compose(&settings, &directories, owner);
    // The daemon inherits the limit.
    config.proxy.max_connections = daemon::connections(
        config.proxy.max_connections,
        daemon::raise_descriptor_limit(),
    );
    let job_end = context.job_end(config.owner, &directories.state, None);
    let mut ready_files = vec![Ready::path(&directories.state)];
    ready_files.extend(config.ready_file);
    let mut arguments = vec![OsString::from("serve")];
    arguments.extend(settings.to_flags());
    let keeper = Keeper {
        listeners: daemon::bind_sockets(config.listen, &directories.socket)?,
        lock,
        program,
        arguments,
        state_dir: directories.state.clone(),
        ready_files,
        admin_token: daemon::admin_token(&directories.state)?,
        strict: settings.is_strict(),
        github: config.github,
        proxy: config.proxy,
        clock: config.clock,
    };
    block_on(async {
        let shutdown = daemon::end_asked_for(job_end)?;
        // `start` may have given up waiting.
        let announce = |line: &str| drop(print::bytes(format!("{line}\n").as_bytes()));
        keeper.run(announce, shutdown).await?;
        Ok(ExitCode::SUCCESS)
    })
}
