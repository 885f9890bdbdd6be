//! `ghswarm peers`: what is asked of a daemon about its peers.

mod directory;
mod list;
mod stores;
mod travel;

use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::context::{Context, NO_DAEMON};
use super::print;
use crate::cli::{Peers, PeersCommand, Target};
use crate::daemon::AskError;
use crate::swarm::Multiaddr;

/// How long a daemon may take until it listens for peers.
const LISTENING: Duration = Duration::from_secs(20);

pub(super) async fn run(peers: Peers, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    match peers.command {
        PeersCommand::List { format, target } => list::run(format, &target, context).await,
        PeersCommand::Add { addresses, target } => add(&addresses, &target, context).await,
        PeersCommand::Export { file, target } => {
            travel::export(file.as_deref(), &target, context).await
        }
        PeersCommand::Import {
            files,
            format,
            target,
        } => travel::import(&files, format, &target, context).await,
        PeersCommand::Register {
            directory,
            repository_id,
            target,
        } => match directory {
            Some(directory) => {
                directory::register(&directory, repository_id, &target, context).await
            }
            None => stores::register(&target, context).await,
        },
        PeersCommand::Discover { format, target } => {
            stores::discover(format, &target, context).await
        }
        PeersCommand::Cleanup { directory, format } => {
            directory::cleanup(&directory, format, context)
        }
    }
}

/// Asks the daemon; without one there is nothing to be done.
async fn told(
    target: &Target,
    context: &Context<'_>,
    (method, path): (Method, &str),
    body: Bytes,
) -> anyhow::Result<Bytes> {
    let answer = context.daemon(target)?.ask(method, path, body).await;
    answer.map_err(|error| match error {
        AskError::Nobody { .. } => anyhow::anyhow!(NO_DAEMON),
        error => error.into(),
    })
}

/// The same for what a daemon has only once peers can reach it: with a secret that takes as long as its keys
/// take to derive.
async fn told_in_time(target: &Target, context: &Context<'_>, path: &str) -> anyhow::Result<Bytes> {
    let end = tokio::time::Instant::now() + LISTENING;
    loop {
        let answer = told(target, context, (Method::GET, path), Bytes::new()).await;
        let too_early = answer.as_ref().is_err_and(|error| {
            let refused = error.downcast_ref::<AskError>();
            matches!(refused, Some(AskError::Refused { status, .. }) if status.as_u16() == 425)
        });
        // The daemon has waited before it says so.
        if !too_early || tokio::time::Instant::now() >= end {
            return answer;
        }
    }
}

async fn add(
    addresses: &[Multiaddr],
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    for address in addresses {
        let body = Bytes::from(address.to_string());
        told(target, context, (Method::POST, "/peers/add"), body).await?;
    }
    let what = match addresses.len() {
        1 => "the address".to_owned(),
        count => format!("{count} addresses"),
    };
    print::to_people(&format!(
        "dialling {what}; `ghswarm peers list` shows what comes of it"
    ));
    Ok(ExitCode::SUCCESS)
}
