//! `ghswarm completions`.

use std::process::ExitCode;

use clap::CommandFactory as _;

use super::print;
use crate::cli::{Cli, Completions};

pub(super) fn run(completions: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Cli::command(),
        "ghswarm",
        &mut script,
    );
    print::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
