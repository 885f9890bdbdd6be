//! An hour of a fleet's life against a fake GitHub, and what GitHub counted for it.
//!
//! ```text
//! cargo run --example fleet
//! cargo run --example fleet -- --runners 5 --workflows 10
//! cargo run --example fleet -- --runners 10 --swarm
//! cargo run --example fleet -- --swarm --curve
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
//! * with `--swarm`, the daemons of all runners share what they hold: [`mesh`] brings them together, and
//!   [`curve`] says what the hour costs by the size of the fleet,
//! * [`clients`] and [`daemons`] are the two ends of the wire, [`report`] prints.

mod autoscaler;
mod clients;
mod curve;
mod daemons;
mod hour;
mod mesh;
mod report;
mod scenario;
mod verdict;

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use ghswarm::daemon;
use indicatif::{ProgressBar, ProgressStyle};

use curve::Point;
use daemons::Between;
use scenario::Scenario;

/// Replays an hour of a fleet of runners against a fake GitHub, with and without a cache.
#[derive(Debug, Parser)]
struct Arguments {
    /// Runners, each with a daemon of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=50))]
    runners: u64,
    /// Workflows, one every six minutes, on every runner. With --curve 3, else 10.
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=10))]
    workflows: Option<u64>,
    /// The same with daemons that share what they hold, beside one runner alone.
    #[arg(long)]
    swarm: bool,
    /// The swarm for 1, 3, 10 and 50 runners. Takes minutes.
    #[arg(long, requires = "swarm")]
    curve: bool,
}

impl Arguments {
    fn scenario(&self, runners: u64) -> Scenario {
        let usual = if self.curve { 3 } else { 10 };
        Scenario {
            runners,
            workflows: self.workflows.unwrap_or(usual),
        }
    }

    /// The fleets whose daemons share.
    fn fleets(&self) -> Vec<Scenario> {
        let sizes = match (self.swarm, self.curve) {
            (false, _) => vec![],
            (true, true) => curve::SIZES.to_vec(),
            (true, false) if self.runners == 1 => vec![1],
            (true, false) => vec![1, self.runners],
        };
        sizes.into_iter().map(|size| self.scenario(size)).collect()
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let scenario = arguments.scenario(arguments.runners);
    let fleets = arguments.fleets();
    // Fifty daemons have a connection each with every other.
    daemon::raise_descriptor_limit();
    let bar = progress(&scenario, &fleets)?;
    bar.set_message("fleet");
    let rows = side_by_side(&Between::ALL, |between| {
        alone(hour::live(&scenario, between, &bar))
    })?;
    bar.set_message("autoscaler");
    let polls = side_by_side(&autoscaler::rows(), |(every, between)| {
        alone(autoscaler::live(every, between, &bar))
    })?;
    bar.set_message("swarm");
    let mut points = Vec::new();
    // One after the other: whoever waits for a processor waits for a peer in vain.
    for scenario in fleets {
        let lives = [Between::Nothing, Between::Swarm];
        let [truth, shared] = lives.map(|between| together(hour::live(&scenario, between, &bar)));
        points.push(Point {
            scenario,
            truth: truth?,
            shared: shared?,
        });
    }
    bar.finish_and_clear();

    let mut out = std::io::stdout().lock();
    report::fleet(&mut out, &scenario, &rows)?;
    report::autoscaler(&mut out, &polls)?;
    curve::report(&mut out, &points)?;
    let mut problems = verdict::fleet(&scenario, &rows);
    problems.extend(curve::judge(&points));
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
fn progress(scenario: &Scenario, fleets: &[Scenario]) -> anyhow::Result<ProgressBar> {
    let rows = Between::ALL.len() as u64;
    let shared: u64 = fleets.iter().map(|fleet| 2 * fleet.calls()).sum();
    let total = rows * scenario.calls() + autoscaler::calls() + shared;
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

/// The same with all processors, for a row with many daemons.
fn together<T>(row: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(row)
}

/// Runs one row on a runtime of its own, which takes everything down with it: sockets, daemons, fake.
fn alone<T>(row: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(row)
}
