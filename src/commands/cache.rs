//! `ghswarm cache`: what is asked of a daemon, and what is done with the directory itself.

mod export;
mod hook;
mod import;
mod list;
mod older;
mod secret;
mod stale;
mod store;
mod upkeep;
mod values;

use std::process::ExitCode;

use bytes::Bytes;
use http::Method;
use url::form_urlencoded;

use super::api;
use super::context::{Context, NO_DAEMON};
use crate::cli::{Cache, CacheCommand, Target};
use crate::daemon::AskError;

pub(super) use export::public as leave_snapshot;
pub(super) use import::snapshot as take_snapshot;

pub(super) async fn run(cache: Cache, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    match cache.command {
        CacheCommand::Get { key } => values::get(&key, context).await,
        CacheCommand::Put { key, value, ttl } => values::put(key, value, ttl, context).await,
        CacheCommand::Delete { key } => values::delete(&key, context).await,
        CacheCommand::List {
            limit,
            format,
            target,
        } => list::run(limit, format, &target, context).await,
        CacheCommand::Clear { target } => list::clear(&target, context).await,
        CacheCommand::Stale(stale) => stale::run(&stale, context).await,
        CacheCommand::Prune(prune) => upkeep::prune(&prune, context),
        CacheCommand::Verify(verify) => upkeep::verify(&verify, context),
        CacheCommand::Warm(warm) => api::warm::run(&warm, context).await,
        CacheCommand::Export(export) => export::run(&export, context),
        CacheCommand::Import(import) => import::run(&import, context).await,
    }
}

/// Asks the daemon; without one there is nothing to be done.
async fn ask(
    target: &Target,
    context: &Context<'_>,
    (method, path): (Method, &str),
    body: Bytes,
) -> anyhow::Result<Result<Bytes, AskError>> {
    let daemon = context.daemon(target)?;
    Ok(daemon.ask(method, path, body).await)
}

/// The same, with an explanation.
async fn told(
    target: &Target,
    context: &Context<'_>,
    request: (Method, &str),
    body: Bytes,
) -> anyhow::Result<Bytes> {
    ask(target, context, request, body)
        .await?
        .map_err(|error| match error {
            AskError::Nobody { .. } => anyhow::anyhow!(NO_DAEMON),
            error => error.into(),
        })
}

fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("{path}?{pairs}")
}
