//! What can be typed. No behaviour: `commands` has that.

#![expect(clippy::doc_markdown, reason = "what --help prints is plain text")]

mod api;
mod cache;
mod config;
mod doctor;
mod job;
mod peers;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Settings;

pub use api::Api;
pub use cache::{
    Cache, CacheCommand, Export, Import, Key, ListFormat, Prune, SecretSource, Stale, StoreDir,
    SummaryFormat, Verify, Warm,
};
pub use config::{Config, ConfigCommand, ConfigFormat};
pub use doctor::{Doctor, DoctorFormat};
pub use job::{Job, JobCommand, JobFormat};
pub use peers::{Peers, PeersCommand};

/// One GitHub API budget for a whole fleet of runners.
#[derive(Debug, Parser)]
#[command(name = "ghswarm", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ghswarm start                       start the proxy for this job or user
  ghswarm exec -- gh pr list          run a program through the cache
  eval \"$(ghswarm env --start)\"       use it in this shell
  ghswarm stats                       what it saved
  ghswarm stop

Every flag of `serve` has a variable: --max-wait is GHSWARM_MAX_WAIT. Flags win over variables,
those over .github/cache-config.yml and .github/p2p-config.yml: see `ghswarm config --help`.
Exit codes: 0 success, 1 failure, 2 usage; `exec` and `api` have their own, see their help.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the proxy in the foreground
    Serve(Box<Serve>),
    /// Start the proxy in the background and print how to reach it, as JSON
    Start(Box<Start>),
    /// End the proxy that runs in the background
    Stop(Stop),
    /// Show what the proxy did and saved
    Stats(Stats),
    /// Ask GitHub's API through the cache, like `gh api`
    Api(Box<Api>),
    /// Run a program that uses the cache
    Exec(Exec),
    /// Print the variables that make programs use the cache
    Env(Env),
    /// Read and write the cache
    Cache(Cache),
    /// Show, find and introduce the daemons that share with this one
    Peers(Box<Peers>),
    /// What the GitHub Actions of this project do in a job, step by step
    Job(Job),
    /// Find what is wrong with the daemon, this machine and this shell, and say what to do
    Doctor(Box<Doctor>),
    /// Show, check and describe the configuration
    Config(Box<Config>),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man(Man),
    /// Keep a daemon alive; `start` leaves this behind
    #[command(hide = true)]
    Keeper(Box<Start>),
}

/// `ghswarm serve`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints one line of JSON when clients can connect, then serves until SIGINT or SIGTERM, which let
requests in flight finish. Logs go to stderr. Sockets of systemd (LISTEN_FDS) are used as they come:
the first TCP socket for clients, the first Unix socket, a second TCP socket for administration.

With --owner host it is for all jobs of this machine: see dist/systemd. Jobs look for it at
/run/ghswarm/ghswarm.sock, and use it if root alone can put something there. They cannot end it.

With a pool (--pool, or GITHUB_REPOSITORY) what it holds is shared with the pool's other daemons:
see `ghswarm peers --help`. Peers are reached at port 9000, or the next free one.

Examples:
  ghswarm serve
  ghswarm serve --listen 127.0.0.1:8080 --memory-limit 256MiB
  ghswarm serve --pool octo-org/app --secret-file ~/pool-secret --bootstrap /dns4/runner-1/tcp/9000
  ghswarm serve --origin https://ghe.example.org/api/v3 --grant-ttl 1m --on-exhausted stale
  ghswarm serve --owner host --state-dir /var/lib/ghswarm
  ghswarm serve --origin-for ghe.example.org=https://ghe.example.org   # gh's second host, too
  curl http://127.0.0.1:8080/repos/octocat/hello-world")]
pub struct Serve {
    /// The settings
    #[command(flatten)]
    pub settings: Settings,
}

/// `ghswarm start`
#[derive(Debug, Args)]
#[command(after_help = "\
Leaves a keeper behind, which holds the sockets and starts the daemon again should it die. With a
daemon running already, prints how to reach that one. Logs go to daemon.log in the state directory.
A job uses its own daemon, or that of its host (see `ghswarm serve --help`); never another job's.

Examples:
  ghswarm start
  url=$(ghswarm start | jq -r .api_url)
  ghswarm start --state-dir /run/user/1000/ghswarm --max-wait 2m")]
pub struct Start {
    /// The settings
    #[command(flatten)]
    pub settings: Settings,
}

/// Which daemon is meant.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// The state directory of the daemon [default: as `start` chooses it]
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// The socket of the daemon [default: the one in its ready.json]
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
}

impl Target {
    /// The settings that say the same.
    pub fn settings(&self) -> Settings {
        Settings {
            state_dir: self.state_dir.clone(),
            socket: self.socket.clone(),
            ..Settings::default()
        }
    }
}

/// `ghswarm stop`
#[derive(Debug, Args)]
#[command(after_help = "\
Requests in flight finish first. Without a daemon there is nothing to do: a notice, exit code 0.
In a job the daemon of the host, or of another job, goes on: its numbers, a notice, exit code 0.

Examples:
  ghswarm stop
  ghswarm stop --format json | jq .saved_calls")]
pub struct Stop {
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
    /// How the final statistics are shown: for people on stderr, or as JSON on stdout
    #[arg(long, value_enum, default_value_t = StopFormat::Text)]
    pub format: StopFormat,
}

/// `ghswarm stop --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StopFormat {
    /// A summary on stderr
    Text,
    /// The statistics as JSON on stdout
    Json,
}

/// `ghswarm stats`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ghswarm stats
  ghswarm stats --format json | jq .hit_rate
  ghswarm stats --format markdown >> \"$GITHUB_STEP_SUMMARY\"")]
pub struct Stats {
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
    /// The form of the statistics
    #[arg(long, value_enum, default_value_t = StatsFormat::Table)]
    pub format: StatsFormat,
}

/// `ghswarm stats --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatsFormat {
    /// For a terminal
    Table,
    /// Every number
    Json,
    /// For a step summary
    Markdown,
    /// What a Prometheus server scrapes
    Prometheus,
}

/// `ghswarm exec`
#[derive(Debug, Args)]
#[command(after_help = "\
Starts a daemon if none runs, and stops what it started. The exit code is the program's: 128+n after
signal n, 126 if it cannot be run, 127 if there is no such program. If no daemon can be started the
program runs without the cache, after one notice (with GHSWARM_STRICT=true: not at all, exit
code 1).

Examples:
  ghswarm exec -- gh run list
  ghswarm exec -- ./scripts/release.sh --dry-run")]
pub struct Exec {
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `ghswarm env`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eval \"$(ghswarm env --start)\"                  # sh, bash, dash, zsh
  ghswarm env --start | source                    # fish
  ghswarm env --format github >> \"$GITHUB_ENV\"
  ghswarm env --format json | jq -r .GITHUB_API_URL

The runner sets GITHUB_API_URL and GITHUB_GRAPHQL_URL anew at every step, so GITHUB_ENV cannot carry
those two; use `eval` or `ghswarm exec` in the step itself. gh follows GH_CONFIG_DIR everywhere.")]
pub struct Env {
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
    /// The form of the variables
    #[arg(long, value_enum, default_value_t = EnvFormat::Shell)]
    pub format: EnvFormat,
    /// Start a daemon first if none runs
    #[arg(long)]
    pub start: bool,
}

/// `ghswarm env --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnvFormat {
    /// `export` lines for a POSIX shell
    Shell,
    /// Lines for the file that GITHUB_ENV names
    Github,
    /// One JSON object
    Json,
}

/// `ghswarm completions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ghswarm completions bash > ~/.local/share/bash-completion/completions/ghswarm
  ghswarm completions zsh > \"${fpath[1]}/_ghswarm\"
  ghswarm completions fish > ~/.config/fish/completions/ghswarm.fish")]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// `ghswarm man`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ghswarm man | man -l -
  ghswarm man --dir ~/.local/share/man/man1")]
pub struct Man {
    /// Write a page for every command into this directory instead
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_shows_an_example() {
        Cli::command().debug_assert();
        for command in Cli::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
        {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Examples:\n  "), "{}", command.get_name());
            let widest = help.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{} wraps", command.get_name());
        }
    }
}
