//! `ghswarm job finish`.

use std::process::ExitCode;

use super::super::context::Context;
use super::super::join;
use super::gathered::{Gathered, gather};
use super::{Told, exported, page, put_back, snapshot};
use crate::cli::JobFormat;
use crate::config::{Reading, Settings};
use crate::daemon::Ready;
use crate::runner::summary::Report;
use crate::runner::{FileCommands, Job};

pub(super) async fn run(
    format: Option<JobFormat>,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let mut told = Told::new(context);
    if format.is_some() {
        told.keep_off_stdout();
    }
    // Of everything that may be set wrongly `job start` has told.
    if context
        .read(Settings::default(), Reading::Everything)
        .settings
        .is_strict()
    {
        told.be_strict();
    }
    match gather(context).await {
        Ok(Some(gathered)) => {
            if let Err(error) = finished(&gathered, format, context, &mut told) {
                told.fault(format!("the summary is not shown: {error:#}"));
            }
        }
        // Why there is none was said when it did not start.
        Ok(None) => told.say("ghswarm: there is no daemon to sum up: the job went without one"),
        Err(error) => told.fault(format!("there is no summary: {error:#}")),
    }
    Ok(told.end("what it did"))
}

fn finished(
    gathered: &Gathered,
    format: Option<JobFormat>,
    context: &Context<'_>,
    told: &mut Told,
) -> anyhow::Result<()> {
    let job = Job::of(|name| context.environment().get(name));
    let folder = exported::folder(&job, &gathered.state_dir);
    put_back::variables(&folder, context.environment(), told);
    let is_ours = |ready: &&Ready| join::outlives_us(ready, context).is_none();
    if let Some(ready) = gathered.ready.as_ref().filter(is_ours) {
        snapshot::leave(&folder, ready, context, told);
    }
    let files = FileCommands::of(|name| context.environment().get(name));
    let report = Report::of(&gathered.facts);
    page::show(&report, format, &files, &folder, told)
}
