//! `ghswarm doctor`.

use clap::{Args, ValueEnum};

use crate::config::Settings;

/// `ghswarm doctor`
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at the daemon, its port and socket, its directories, disk space, the clock, proxy variables,
the token, budgets, gh, and what each client needs. Every finding says what to do. Nothing leaves
this machine without --probe, which asks GitHub (or --origin) three questions with your token: at
most two count against its rate limit. No token is ever printed, only its kind.

The flags are those of `start`: they say which daemon is meant, or how one is going to be started.
Exit codes: 0 no problem (there may be warnings), 1 at least one problem.

Examples:
  ghswarm doctor
  ghswarm doctor --probe
  ghswarm doctor --listen 127.0.0.1:8080 --cache-dir /mnt/cache      # before `start` with these
  ghswarm doctor --format json | jq '.findings[] | select(.level == \"problem\")'")]
pub struct Doctor {
    /// Ask the real GitHub too, with your token
    #[arg(long)]
    pub probe: bool,
    /// The form of the findings
    #[arg(long, value_enum, default_value_t = DoctorFormat::Table)]
    pub format: DoctorFormat,
    /// The settings
    #[command(flatten)]
    pub settings: Settings,
}

/// `ghswarm doctor --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people: a line for each finding, what to do below it
    Table,
    /// One JSON object: `findings` and `summary`
    Json,
}
