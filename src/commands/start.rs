//! `ghswarm start`.

use std::process::ExitCode;

use super::context::Context;
use super::{launch, print};
use crate::cli::Start;

pub(super) async fn run(start: Start, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let settings = context.settings(start.settings)?;
    let running = launch::running(&settings, context).await?;
    if !running.started {
        print::complaint("a daemon is running already; this is how to reach it");
    }
    if running.ready.cache_dir.is_none() {
        print::complaint(
            "the cache directory cannot be used, so nothing is kept on disk; daemon.log says why",
        );
    }
    print::json(&running.ready)?;
    Ok(ExitCode::SUCCESS)
}
