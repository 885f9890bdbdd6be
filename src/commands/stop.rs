//! `ghswarm stop`.

use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;

use super::context::Context;
use super::{join, print, stats};
use crate::cli::{Stop, StopFormat};
use crate::daemon::{AskError, Living};
use crate::stats::Snapshot;

pub(super) async fn run(stop: Stop, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let last = match end(&context.daemon(&stop.target)?, context).await {
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

/// Ends the daemon, or asks one that goes on for its numbers.
async fn end(living: &Living, context: &Context<'_>) -> Result<Bytes, AskError> {
    if let Some(reason) = join::outlives_us(&living.ready().await?, context) {
        print::complaint(reason);
        return living.ask(Method::GET, "/stats", Bytes::new()).await;
    }
    living.stop().await
}
