//! `ghswarm job report`.

use std::process::ExitCode;

use super::super::context::Context;
use super::super::join;
use super::gathered::gather;
use super::{Told, exported, page};
use crate::cli::JobFormat;
use crate::daemon::Ready;
use crate::runner::summary::Report;
use crate::runner::{FileCommands, Job};

/// For a hook of the runner: whatever there is to say is said, and nothing fails the job.
pub(super) async fn run(
    format: Option<JobFormat>,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let mut told = Told::new(context);
    if format.is_some() {
        told.keep_off_stdout();
    }
    let gathered = match gather(context).await {
        Ok(Some(gathered)) => gathered,
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Err(error) => {
            told.fault(format!("there is no summary: {error:#}"));
            return Ok(told.end("what it did"));
        }
    };
    let job = Job::of(|name| context.environment().get(name));
    let folder = exported::folder(&job, &gathered.state_dir);
    if format.is_some() || !page::is_written(&folder) {
        let files = FileCommands::of(|name| context.environment().get(name));
        let report = Report::of(&gathered.facts);
        if let Err(error) = page::show(&report, format, &files, &folder, &mut told) {
            told.fault(format!("the summary is not shown: {error:#}"));
        }
    }
    let is_ours = |ready: &Ready| join::outlives_us(ready, context).is_none();
    if gathered.ready.as_ref().is_some_and(is_ours) {
        // The runner kills what is left of the job in a moment; so it can end well before.
        let _ = gathered.living.stop().await;
    }
    Ok(told.end("what it did"))
}
