//! Log lines on stderr.

use std::io;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use super::context::Context;
use super::print;
use crate::config::Settings;
use crate::config::settings::LogFormat;

/// Sends log lines to stderr from now on.
pub(super) fn start(settings: &Settings, context: &Context<'_>) -> anyhow::Result<()> {
    let level = settings.log_level.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(level)
        .with_context(|| format!("--log-level={level}: write error, warn, info, debug or trace"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(print::colours_stderr(context));
    match settings.log_format.unwrap_or_default() {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
