//! `ghswarm serve`: a daemon in the foreground, or under a keeper.

use std::process::ExitCode;

use tracing::warn;

use super::context::Context;
use super::{block_on, logging, print};
use crate::cli::Serve;
use crate::config::{Settings, Sharing, Stores};
use crate::daemon::{self, Config, Daemon, JobEnd};
use crate::swarm;

/// How to share with peers. `start` has looked at this once, so under a keeper it was right: what has become
/// wrong since, as a secret's file that was removed, must not end the cache.
fn sharing(settings: &Settings, context: &Context<'_>) -> anyhow::Result<Option<swarm::Config>> {
    match Sharing::find(settings, context.environment()) {
        Ok(sharing) => {
            if let Some(notice) = sharing.notice() {
                warn!("{notice}");
            }
            Ok(sharing.into_config())
        }
        Err(error) if settings.keeper_pid.is_some() && !settings.is_strict() => {
            warn!(%error, "nothing is shared with peers");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn run(serve: Serve, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let settings = context.settings(serve.settings)?;
    logging::start(&settings, context)?;
    let directories = context.directories(&settings)?;
    // Before the runtime: it clears variables, which is sound only while there is one thread.
    let inherited = daemon::inherited_sockets()?;
    let mut config = Config::compose(&settings, &directories, context.owner(&settings));
    config.swarm = sharing(&settings, context)?;
    config.stores = Stores::find(context.environment());
    config.proxy.max_connections = daemon::connections(
        config.proxy.max_connections,
        daemon::raise_descriptor_limit(),
    );
    let job_end = context.job_end(config.owner, &directories.state, config.keeper_pid);
    if config.keeper_pid.is_some() && job_end.as_ref().is_some_and(JobEnd::is_over) {
        return Ok(ExitCode::SUCCESS);
    }
    block_on(async {
        let shutdown = daemon::end_asked_for(job_end)?;
        let mut daemon = Daemon::bind(config, inherited.listeners)?;
        if let Some(line) = inherited.keeper {
            daemon = daemon.kept_by(line)?;
        }
        // One line, which a keeper waits for. It may have stopped listening since.
        let mut line = serde_json::to_vec(daemon.ready())?;
        line.push(b'\n');
        let _ = print::bytes(&line);
        daemon.run(shutdown).await?;
        Ok(ExitCode::SUCCESS)
    })
}
