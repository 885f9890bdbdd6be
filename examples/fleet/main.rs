//! An hour of a fleet's life against a fake GitHub, and what GitHub counted for it.
//!
//! ```text
//! cargo run --example fleet
//! cargo run --example fleet -- --runners 5 --workflows 10
//! ```
//!
//! Every row of the tables is the same hour, second by second on a clock that is moved by hand, with
//! the same tokens, the same requests and the same changes at GitHub; only what stands between the
//! clients and GitHub differs. All of it is real HTTP on loopback sockets. The numbers are those of the
//! fake, which counts as GitHub does, and every body that a client got is compared with the one that the
//! same client got from the fake without any cache. The example fails if one differs.
//!
//! * [`scenario`] says what a job asks and what happens at GitHub meanwhile,
//! * [`hour`] lives through it once, [`verdict`] judges the rows,
//! * [`autoscaler`] is the second scenario: one poller with one token,
//! * [`clients`] and [`daemons`] are the two ends of the wire, [`report`] prints.

mod autoscaler;
mod clients;
mod daemons;
mod hour;
mod report;
mod scenario;
mod verdict;

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use daemons::Between;
use scenario::Scenario;

/// Replays an hour of a fleet of runners against a fake GitHub, with and without a cache.
#[derive(Debug, Parser)]
struct Arguments {
    /// Runners, each with a daemon of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=20))]
    runners: u64,
    /// Workflows, one every six minutes, on every runner.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=10))]
    workflows: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let scenario = Scenario {
        runners: arguments.runners,
        workflows: arguments.workflows,
    };
    let bar = progress(&scenario)?;
    bar.set_message("fleet");
    let rows = side_by_side(&Between::ALL, |between| {
        alone(hour::live(&scenario, between, &bar))
    })?;
    bar.set_message("autoscaler");
    let polls = side_by_side(&autoscaler::rows(), |(every, between)| {
        alone(autoscaler::live(every, between, &bar))
    })?;
    bar.finish_and_clear();

    let mut out = std::io::stdout().lock();
    report::fleet(&mut out, &scenario, &rows)?;
    report::autoscaler(&mut out, &polls)?;
    let mut problems = verdict::fleet(&scenario, &rows);
    problems.extend(verdict::autoscaler(&polls));
    report::verdict(&mut out, &problems)?;
    out.flush()?;
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A bar on standard error, if that is a terminal.
fn progress(scenario: &Scenario) -> anyhow::Result<ProgressBar> {
    let rows = Between::ALL.len() as u64;
    let total = rows * scenario.calls() + autoscaler::calls();
    let style = ProgressStyle::with_template("{msg:10} {wide_bar} {human_pos}/{human_len} calls")?;
    Ok(ProgressBar::new(total).with_style(style))
}

/// Lives through all rows, which share nothing: as many at the same time as there are processors, so
/// that none is measured while it waits for another.
fn side_by_side<R: Copy + Sync, T: Send>(
    rows: &[R],
    live: impl Fn(R) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let live = &live;
    let at_once = std::thread::available_parallelism()?.get();
    let mut ended = Vec::new();
    for rows in rows.chunks(at_once) {
        std::thread::scope(|scope| {
            let lives = rows.iter().map(|row| scope.spawn(move || live(*row)));
            // All are started before the first is waited for.
            let lives: Vec<_> = lives.collect();
            ended.extend(lives.into_iter().map(|life| {
                let row = life.join();
                row.unwrap_or_else(|_| Err(anyhow::anyhow!("a row has panicked")))
            }));
        });
    }
    ended.into_iter().collect()
}

/// Runs one row on a runtime of its own, which takes everything down with it: sockets, daemons, fake.
fn alone<T>(row: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(row)
}
