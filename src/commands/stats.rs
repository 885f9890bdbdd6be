//! `ghswarm stats`.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::Method;

use super::context::{Context, NO_DAEMON};
use super::print;
use crate::cli::{Stats, StatsFormat};
use crate::daemon::AskError;
use crate::stats::{Snapshot, render};

pub(super) use crate::stats::render::summary;

pub(super) async fn run(stats: Stats, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let daemon = context.daemon(&stats.target)?;
    let target = match stats.format {
        StatsFormat::Prometheus => "/metrics",
        StatsFormat::Table | StatsFormat::Json | StatsFormat::Markdown => "/stats",
    };
    let answer = match daemon.ask(Method::GET, target, Bytes::new()).await {
        Ok(answer) => answer,
        Err(AskError::Nobody { .. }) => bail!(NO_DAEMON),
        Err(error) => return Err(error.into()),
    };
    let snapshot = || serde_json::from_slice::<Snapshot>(&answer).context("the statistics");
    match stats.format {
        StatsFormat::Prometheus => print::bytes(&answer)?,
        StatsFormat::Json => print::json(&snapshot()?)?,
        StatsFormat::Table => print::bytes(render::table(&snapshot()?).as_bytes())?,
        StatsFormat::Markdown => print::bytes(render::markdown(&snapshot()?).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
