//! The commands: composition roots. Printing, exit codes and `anyhow` live here and nowhere else.

mod api;
mod cache;
mod completions;
mod config;
mod context;
mod doctor;
mod env;
mod exec;
mod gh_config;
mod job;
mod join;
mod keeper;
mod launch;
mod logging;
mod man;
mod peers;
mod print;
mod progress;
mod serve;
mod start;
mod stats;
mod stop;
mod table;
mod variables;

use std::future::Future;
use std::io;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{Cli, Command};
use crate::config::{Environment, Error};

use context::Context;

/// Runs a command and says what went wrong with it.
pub fn run(cli: Cli, environment: &Environment) -> ExitCode {
    let done = Context::new(environment).and_then(|context| dispatch(cli.command, &context));
    done.unwrap_or_else(|error| {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            // Whoever read our output has read enough, as `head` does.
            return ExitCode::SUCCESS;
        }
        print::complaint(&format!("{error:#}"));
        let usage = error.downcast_ref::<Error>().is_some();
        ExitCode::from(if usage { 2 } else { 1 })
    })
}

fn dispatch(command: Command, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => serve::run(*serve, context),
        Command::Start(start) => block_on(start::run(*start, context)),
        Command::Stop(stop) => block_on(stop::run(stop, context)),
        Command::Stats(stats) => block_on(stats::run(stats, context)),
        Command::Api(api) => block_on(api::run(*api, context)),
        Command::Exec(exec) => block_on(exec::run(exec, context)),
        Command::Env(env) => block_on(env::run(env, context)),
        Command::Cache(cache) => block_on(cache::run(cache, context)),
        Command::Peers(peers) => block_on(peers::run(*peers, context)),
        Command::Doctor(doctor) => block_on(doctor::run(*doctor, context)),
        Command::Job(job) => job::run(&job, context),
        Command::Config(config) => config::run(*config, context),
        Command::Completions(completions) => completions::run(&completions),
        Command::Man(man) => man::run(man),
        Command::Keeper(keeper) => keeper::run(*keeper, context),
    }
}

/// Runs `future` on this thread. What blocks in the background is left behind.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    done
}
