//! `ghswarm cache stale`.

use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;

use super::super::context::Context;
use super::{hook, told};
use crate::api::Namespace;
use crate::cli::{Stale, Target};
use crate::clock::Clock;
use crate::store::EpochLog;
use crate::store::epoch_log::Event;

pub(super) async fn run(stale: &Stale, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    if !stale.from_git_hook.is_empty() {
        hook::called(&stale.from_git_hook, &stale.target, context).await;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(directory) = &stale.install_hook {
        hook::install(&context.working_dir().join(directory)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    // The parser holds the line to one of the two.
    let namespace = stale.namespace.as_deref().unwrap_or("*");
    mark(namespace, &stale.target, context).await?;
    Ok(ExitCode::SUCCESS)
}

/// Makes stale what is held of `namespace` (`OWNER/REPO`, `OWNER`, or `*`): tells the daemon that is meant,
/// and writes it down for all that share the cache directory, those that start later included.
pub(super) async fn mark(
    namespace: &str,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<()> {
    let body = Bytes::copy_from_slice(namespace.as_bytes());
    let told = told(target, context, (Method::POST, "/cache/stale"), body).await;
    let settings = context.settings_of(target);
    let cache = context.directories(&settings)?.cache;
    if !cache.is_dir() {
        // Nothing is stored; a daemon without a place to store may run.
        return told.map(drop);
    }
    let namespace = match namespace {
        "*" => Namespace::Host,
        name => Namespace::named(name).context("neither OWNER/REPO nor OWNER")?,
    };
    let now = Clock::system().now();
    let event = Event::Written {
        namespace,
        id: None,
        at: now,
    };
    let written = EpochLog::open(&cache, 0, now).and_then(|mut log| log.append(&event, now));
    // One of the two is enough for the daemon that is meant.
    written
        .map_err(Into::into)
        .or_else(|error| told.map(drop).map_err(|_| error))
}
