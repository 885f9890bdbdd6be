//! `ghswarm config`.

use clap::{Args, Subcommand, ValueEnum};

use crate::config::Settings;

/// `ghswarm config`
#[derive(Debug, Args)]
#[command(after_help = "\
Flags win over the environment, the environment over --env-file, that over files: the one that
--config names, or else .github/cache-config.yml and .github/p2p-config.yml of the workspace.
Since a pull request can change these two, only lifetimes, sizes, what is kept and the log level
are taken from them, within bounds.

Examples:
  ghswarm config show
  ghswarm config check --config ./cache-config.yml
  ghswarm config schema > cache-config.schema.json")]
pub struct Config {
    /// What to do with it
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// The commands of `ghswarm config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting with where it comes from
    #[command(after_help = "\
Examples:
  ghswarm config show
  ghswarm config show --config ./cache-config.yml --memory-limit 1GiB
  ghswarm config show --format json | jq '.settings.memory_limit'")]
    Show {
        /// The form of the settings
        #[arg(long, value_enum, default_value_t = ConfigFormat::Table)]
        format: ConfigFormat,
        /// As for a daemon
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Say everything that is wrong; exit code 1 if anything is
    #[command(after_help = "\
Examples:
  ghswarm config check
  ghswarm config check --config ./cache-config.yml --env-file .env.cache")]
    Check {
        /// As for a daemon
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Print the JSON schema of the files
    #[command(after_help = "\
The first line of a file tells editors with a YAML language server where the schema is:
  # yaml-language-server: $schema=./cache-config.schema.json

Examples:
  ghswarm config schema > .github/cache-config.schema.json")]
    Schema,
}

/// `ghswarm config show --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigFormat {
    /// For a terminal
    Table,
    /// Every setting, directory, notice and problem
    Json,
}
