//! `ghswarm cache`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::Target;
use crate::api::Namespace;
use crate::config::units;

/// `ghswarm cache`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ghswarm cache list
  printf %s \"$report\" | ghswarm cache put lint-report - --ttl 1h
  ghswarm cache get lint-report || ./lint        # exit code 3: not there
  ghswarm cache stale octocat/hello-world        # something else wrote to it: ask again")]
pub struct Cache {
    /// What to do with it
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// The commands of `ghswarm cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Print a stored value; exit code 3 and no output if there is none
    #[command(after_help = "Examples:\n  ghswarm cache get lint-report > report.json")]
    #[command(mut_arg("key", only_key))]
    Get {
        /// Of which value
        #[command(flatten)]
        key: Key,
    },
    /// Store a value: any bytes, also none
    #[command(after_help = "\
Examples:
  ghswarm cache put lint-report '{\"errors\":0}' --ttl 1h
  ghswarm cache put tree - < tree.tar")]
    Put {
        /// Under which key
        #[command(flatten)]
        key: Key,
        /// The value; `-` or nothing reads stdin
        // With the key in a file, the first argument is the value and there is no second.
        #[arg(conflicts_with = "key_file")]
        value: Option<OsString>,
        /// How long it is kept [default: as long as the operation says, else 300]
        #[arg(
            long,
            value_name = "TIME",
            value_parser = units::time,
            allow_negative_numbers = true
        )]
        ttl: Option<Duration>,
    },
    /// List what is stored
    #[command(after_help = "Examples:\n  ghswarm cache list --limit 20 --format json")]
    List {
        /// The most rows
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// The form of the list
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Forget a stored value
    #[command(after_help = "Examples:\n  ghswarm cache delete lint-report")]
    #[command(mut_arg("key", only_key))]
    Delete {
        /// Which value
        #[command(flatten)]
        key: Key,
    },
    /// Forget everything
    #[command(after_help = "Examples:\n  ghswarm cache clear")]
    Clear {
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Ask GitHub again before anything of a repository or organisation is served
    #[command(after_help = "\
Examples:
  ghswarm cache stale octocat/hello-world
  ghswarm cache stale --all")]
    Stale(Stale),
}

/// `ghswarm cache list --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For a terminal
    Table,
    /// One JSON array
    Json,
}

/// A key of the key-value interface.
#[derive(Debug, Clone, Args)]
pub struct Key {
    /// The key: any bytes, any length
    #[arg(value_name = "KEY", required_unless_present = "key_file")]
    pub key: Option<OsString>,
    /// Read the key from a file instead
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// What kind of value it is; keys of different operations are different
    #[arg(long, value_name = "OP", default_value = "default")]
    pub operation: String,
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
}

/// `ghswarm cache stale`
#[derive(Debug, Clone, Args)]
pub struct Stale {
    /// The repository, organisation or user
    #[arg(
        value_name = "OWNER[/REPO]",
        required_unless_present = "all",
        conflicts_with = "all",
        value_parser = namespace
    )]
    pub namespace: Option<String>,
    /// Everything
    #[arg(long)]
    pub all: bool,
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
}

/// Where a value has an argument of its own, a key on the line and one in a file exclude each other.
fn only_key(key: clap::Arg) -> clap::Arg {
    key.conflicts_with("key_file")
}

/// `OWNER/REPO` or `OWNER`, with or without a slash around it.
fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim_matches('/');
    match Namespace::named(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err("write OWNER/REPO or OWNER, as in octocat/hello-world".to_owned()),
    }
}
