//! `ghswarm job`: the steps of the actions.
//!
//! Whatever goes wrong, the job goes on as if nothing had been there: [`Told`] gathers it and ends each step
//! with at most one annotation and exit code 0, or 1 where the input `strict` says so.

mod exported;
mod finish;
mod gathered;
mod inputs;
mod names;
mod outside;
mod page;
mod plan;
mod put_back;
mod records;
mod report;
mod snapshot;
mod start;
mod told;

use std::process::ExitCode;

use super::block_on;
use super::context::Context;
use crate::cli::{Job, JobCommand};

use inputs::Inputs;
use told::Told;

pub(super) fn run(job: &Job, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    match job.command {
        JobCommand::Plan => Ok(plan::run(context)),
        JobCommand::Start => block_on(async { Ok(start::run(context).await) }),
        JobCommand::Finish { format } => block_on(finish::run(format, context)),
        JobCommand::Report { format } => block_on(report::run(format, context)),
    }
}
