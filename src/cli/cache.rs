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
  ghswarm cache stale octocat/hello-world        # something else wrote to it: ask again
  ghswarm cache warm repos/octocat/hello-world   # ask before it is needed
  ghswarm cache export snapshot && ghswarm cache import snapshot

get, put, delete, list, clear and warm ask the running daemon; export, import, prune, verify and
stale work on the cache directory itself, whether daemons run or not.")]
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
        #[arg(long, value_name = "N", value_parser = units::count, default_value = "100")]
        limit: u64,
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
A git hook does this after every push and fetch of a clone: what git reports as a change of a
remote's branches makes that remote's repository stale; a push of tags, or to a URL, does when it
begins and when it has ended. Nothing that the hook does can stop or fail git.

Examples:
  ghswarm cache stale octocat/hello-world
  ghswarm cache stale --all
  ghswarm cache stale --install-hook             # in the clone that this runs in
  ghswarm cache stale --install-hook ~/src/hello")]
    Stale(Stale),
    /// Remove what was not used for long, or the least used until the rest is small enough
    #[command(after_help = "\
Works on the cache directory itself, also while daemons use it.

Examples:
  ghswarm cache prune --older-than 7d
  ghswarm cache prune --down-to 200MiB --format json")]
    Prune(Prune),
    /// Check every digest, and drop what is damaged
    #[command(after_help = "\
Nothing damaged is ever served: a digest is checked whenever something is read. This looks at all
of it at once, drops what is damaged, and says what that was.

Exit codes: 0 all is sound now; with --check, 1 if anything was damaged.

Examples:
  ghswarm cache verify
  ghswarm cache verify --check --format json | jq .dropped")]
    Verify(Verify),
    /// Ask for API paths before they are needed
    #[command(after_help = "\
Asks through the running daemon with the token of `ghswarm api`, four paths at a time, and says what
that cost. What fails is named, and the rest goes on. Exit codes: 1 if anything failed, 4 without a
token.

Examples:
  ghswarm cache warm repos/octocat/hello-world repos/octocat/hello-world/labels
  ghswarm cache warm --paginate 'orgs/github/repos?per_page=100'
  ghswarm cache warm --from paths.txt            # one path a line, # begins a remark
  jq -r '.[].url' repos.json | ghswarm cache warm --from -")]
    Warm(Warm),
    /// Write what may leave this machine to one file
    #[command(after_help = "\
Without a secret, only what anybody could read when GitHub last confirmed it. With a secret (the
same on all machines, at least 16 bytes; a job's GITHUB_TOKEN is another one in every job and cannot
be it), every answer that may be shared, and the values of `cache put`. Never what belongs to one
token: who was shown what, GraphQL, signed URLs. The summary says what was left out, and why.

Examples:
  ghswarm cache export snapshot
  ghswarm cache export --secret-env CACHE_SECRET - | ssh runner ghswarm cache import -
  openssl rand -hex 32 > secret; ghswarm cache export snapshot --secret-file secret")]
    Export(Export),
    /// Read snapshots, and the files of older caches
    #[command(after_help = "\
A PATH is a snapshot of `cache export`, a JSON file of the older Python caches, a directory of such
files, or - for a snapshot on stdin. Answers come in as candidates: GitHub confirms each of them,
for each caller, by a free 304 before it is shown. Values keep what is left of their lifetime. What
cannot be read is named and skipped.

The keys of older files are OPERATION:ARGUMENTS, and become values of `cache get ARGUMENTS
--operation OPERATION`.

Examples:
  ghswarm cache import snapshot
  ghswarm cache import snapshot --secret-file secret
  ghswarm cache import ~/.cache/github_cli --dry-run")]
    Import(Import),
}

/// A store on disk, not a daemon.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreDir {
    /// The cache directory [default: as `start` chooses it]
    #[arg(long, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// How a summary is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SummaryFormat {
    /// For people, on stderr
    #[default]
    Text,
    /// One JSON object on stdout
    Json,
}

/// Where a shared secret comes from.
#[derive(Debug, Clone, Default, Args)]
pub struct SecretSource {
    /// The file with the secret that seals the snapshot
    #[arg(long, value_name = "PATH", conflicts_with = "secret_env")]
    pub secret_file: Option<PathBuf>,
    /// The environment variable with that secret
    #[arg(long, value_name = "NAME")]
    pub secret_env: Option<String>,
}

/// `ghswarm cache prune`
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true, args = ["older_than", "down_to"])]
pub struct Prune {
    /// Remove what was not used for this long
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub older_than: Option<Duration>,
    /// Remove the least recently used until the rest takes no more than this
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub down_to: Option<u64>,
    /// How the summary is shown
    #[arg(long, value_enum, default_value_t)]
    pub format: SummaryFormat,
    /// Which store
    #[command(flatten)]
    pub store: StoreDir,
}

/// `ghswarm cache verify`
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Exit with code 1 if anything was damaged
    #[arg(long)]
    pub check: bool,
    /// How the summary is shown
    #[arg(long, value_enum, default_value_t)]
    pub format: SummaryFormat,
    /// Which store
    #[command(flatten)]
    pub store: StoreDir,
}

/// `ghswarm cache warm`
#[derive(Debug, Clone, Args)]
pub struct Warm {
    /// Paths, as `ghswarm api` takes them
    #[arg(value_name = "PATH", required_unless_present = "from")]
    pub paths: Vec<String>,
    /// A file with paths, one a line; - for stdin
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Follow all pages
    #[arg(long)]
    pub paginate: bool,
    /// The GitHub host
    #[arg(long, value_name = "HOST", default_value = "github.com")]
    pub hostname: String,
    /// How the summary is shown
    #[arg(long, value_enum, default_value_t)]
    pub format: SummaryFormat,
    /// Which daemon
    #[command(flatten)]
    pub target: Target,
}

/// `ghswarm cache export`
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// The file to write, - for stdout
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Stop before more than this is in it, before it is compressed
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "1GiB")]
    pub limit: u64,
    /// The secret
    #[command(flatten)]
    pub secret: SecretSource,
    /// How the summary is shown; with FILE - it is always text
    #[arg(long, value_enum, default_value_t)]
    pub format: SummaryFormat,
    /// Which store
    #[command(flatten)]
    pub store: StoreDir,
}

/// `ghswarm cache import`
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// Snapshots, files and directories; - for a snapshot on stdin
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Take no more than this, before it was compressed
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "1GiB")]
    pub limit: u64,
    /// Only say what would be imported
    #[arg(long)]
    pub dry_run: bool,
    /// The secret
    #[command(flatten)]
    pub secret: SecretSource,
    /// How the summary is shown
    #[arg(long, value_enum, default_value_t)]
    pub format: SummaryFormat,
    /// Which store
    #[command(flatten)]
    pub store: StoreDir,
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
        required_unless_present_any = ["all", "install_hook", "from_git_hook"],
        conflicts_with = "all",
        value_parser = namespace
    )]
    pub namespace: Option<String>,
    /// Everything
    #[arg(long)]
    pub all: bool,
    /// Install the git hook in a clone [default: the one that this runs in]
    #[arg(
        long,
        value_name = "REPO_DIR",
        num_args = 0..=1,
        default_missing_value = ".",
        conflicts_with_all = ["all", "namespace"]
    )]
    pub install_hook: Option<PathBuf>,
    /// Called by the git hook of this name, with its arguments
    #[arg(
        long,
        hide = true,
        value_name = "HOOK",
        num_args = 1..=4,
        allow_hyphen_values = true,
        conflicts_with_all = ["all", "namespace", "install_hook"]
    )]
    pub from_git_hook: Vec<OsString>,
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
