//! The `ghswarm` binary: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use ghswarm::cli::Cli;
use ghswarm::commands;
use ghswarm::config::Environment;

fn main() -> ExitCode {
    commands::run(Cli::parse(), &Environment::of_process())
}
