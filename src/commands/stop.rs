//! `ghswarm stop`.

use std::process::ExitCode;

use anyhow::Context as _;

use super::context::Context;
use super::{print, stats};
use crate::cli::{Stop, StopFormat};
use crate::daemon::AskError;
use crate::stats::Snapshot;

pub(super) async fn run(stop: Stop, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let last = match context.daemon(&stop.target)?.stop().await {
        Ok(last) => last,
        Err(AskError::Nobody { .. }) => {
            print::complaint("no daemon is running");
            return Ok(ExitCode::SUCCESS);
        }
        Err(error) => return Err(error).context("cannot stop the daemon"),
    };
    let last: Snapshot = serde_json::from_slice(&last).context("the last statistics")?;
    match stop.format {
        StopFormat::Text => print::to_people(&stats::summary(&last)),
        StopFormat::Json => print::json(&last)?,
    }
    Ok(ExitCode::SUCCESS)
}
