//! A herd: many runners that begin at the same moment and ask the same things.
//!
//! ```text
//! cargo run --release --example herd
//! cargo run --release --example herd -- --runners 20 --urls 100
//! cargo run --release --example herd -- --runners 48 --urls 200 --pace 5
//! ```
//!
//! Every runner has a `ghswarm serve` of its own: a process, on loopback, with a state and a cache directory of its
//! own. All have the pool's secret, and one address to begin with. Each of them has a client with a token of its own,
//! and all clients ask for the same issues of a private and of a public repository, which nobody has seen before. The
//! fake GitHub takes a tenth of a second for an answer, and counts.
//!
//! The same is asked for again, as other URLs, while a member is killed, and while one is stopped and says nothing more.
//! Both are members like any other: they own a share of the names, and are asking GitHub for everybody at that moment.
//! No request of any other runner may fail, and none may wait for longer than a lease.
//!
//! All processes share this machine, which the runners of a fleet do not. So there is a row of daemons that share nothing,
//! for what the machine alone takes, and a small herd before the large one. `--pace 5` lets five URLs begin in a second,
//! each asked for by all runners at once, where a machine cannot do everything in the same moment.
//!
//! * [`herd`] is what happens, [`member`] a daemon and its client, [`round`] one burst of questions,
//! * [`github`] is the fake on a thread of its own, [`report`] prints and judges.

mod github;
mod herd;
mod member;
mod report;
mod round;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::ensure;
use clap::Parser;
use ghswarm::cli::Cli;
use ghswarm::config::Environment;
use ghswarm::{commands, daemon};
use indicatif::{ProgressBar, ProgressStyle};

use herd::Size;

/// The herd before the one that was asked for: what a small machine can do without being busy.
const SMALL: Size = Size {
    runners: 10,
    urls: 50,
    pace: 0,
};
/// Files that are open for other reasons than a connection.
const OTHER_FILES: u64 = 500;

/// Has many runners ask the same at the same moment, and counts what it costs at a fake GitHub.
#[derive(Debug, Parser)]
struct Arguments {
    /// Runners, each with a process of its own.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(4..=100))]
    runners: u64,
    /// What each of them asks, half of it of a private repository.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(4..=500))]
    urls: u64,
    /// URLs that begin in a second, each with all runners at once; 0: all in the same moment.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pace: u32,
}

impl Arguments {
    fn sizes(&self) -> Vec<Size> {
        let wanted = Size {
            runners: self.runners,
            urls: self.urls,
            pace: self.pace,
        };
        let small = SMALL.questions() < wanted.questions();
        let sizes = small.then_some(SMALL).into_iter().chain([wanted]);
        sizes.collect()
    }
}

fn main() -> anyhow::Result<ExitCode> {
    // The daemons are this program, too: so they are always of the same code.
    if std::env::args().nth(1).as_deref() == Some(member::SERVE) {
        return Ok(commands::run(Cli::parse(), &Environment::of_process()));
    }
    let sizes = Arguments::parse().sizes();
    let files = daemon::raise_descriptor_limit();
    let needed = sizes.iter().map(Size::questions).max().unwrap_or(0) * 2 + OTHER_FILES;
    ensure!(
        files >= needed,
        "this needs {needed} open files and may have {files}: raise `ulimit -n`, or lower --runners or --urls"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}")?;
    let bar = ProgressBar::new_spinner().with_style(style);
    let mut out = std::io::stdout();
    let mut problems = Vec::new();
    for size in sizes {
        let rounds = runtime.block_on(herd::live(size, &bar))?;
        bar.suspend(|| report::print(&mut out, size, &rounds))?;
        problems.extend(report::judge(size, &rounds));
    }
    bar.finish_and_clear();
    report::verdict(&mut out, &problems)?;
    out.flush()?;
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
