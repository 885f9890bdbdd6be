//! `ghswarm job`.

use clap::{Args, Subcommand, ValueEnum};

/// `ghswarm job`
#[derive(Debug, Args)]
#[command(after_help = "\
What the actions do, step by step; a step of your own can do the same. The actions' inputs are
variables: enable-p2p is GHSWARM_INPUT_ENABLE_P2P, an empty one is not given. Outputs go to
GITHUB_OUTPUT, variables to GITHUB_ENV, and to stdout where the runner named no such file.

Nothing that goes wrong here fails the job: one notice, exit code 0, and clients go to GitHub as if
nothing had been there. With GHSWARM_INPUT_STRICT=true it is an error, exit code 1.

Examples:
  ghswarm job plan                # what to restore from the Actions cache, and under which keys
  ghswarm job start               # take it in, start or join the daemon, export the variables
  ghswarm job finish              # in the last step, with if: always()
  ghswarm job report              # in the hook ACTIONS_RUNNER_HOOK_JOB_COMPLETED of a runner")]
pub struct Job {
    /// What to do
    #[command(subcommand)]
    pub command: JobCommand,
}

/// The commands of `ghswarm job`.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Say what is to be restored before the start, and under which keys
    #[command(after_help = "\
Outputs: record-path and record-key-prefix (the newest peer record; an empty prefix: none wanted),
use-snapshot (true or false), snapshot-path and snapshot-key-prefix. Paths are those of the
workspace. Empties record-path, so that what is found there later is what was restored.

Examples:
  ghswarm job plan
  GHSWARM_INPUT_CACHE=true ghswarm job plan")]
    Plan,
    /// Start the daemon of this job, or join the one that is there, and export what clients need
    #[command(after_help = "\
Outputs: api-url (GitHub's own if there is no daemon), socket, cache-dir, program, peer-count (peers
known), cache-status (success; fallback: there is no daemon; disabled: it shares with nobody, as
enable-p2p: false says), save-record and record-key (whether record-path is to be saved, and under
which key). GHSWARM_JOB_INDEX and GHSWARM_JOB_TOTAL are strategy.job-index and strategy.job-total:
of a large matrix 24 jobs save their record.

Later steps get GH_CONFIG_DIR, GHSWARM_API_URL, GHSWARM_SOCKET, GHSWARM_STATE_DIR, NO_PROXY and
others; what these were before is noted for `job finish`.

Examples:
  ghswarm job start
  GHSWARM_INPUT_SHARE_PRIVATE=true ghswarm job start")]
    Start,
    /// Sum up, take leave of the peers, put the variables back, and pass requests through from then on
    #[command(after_help = "\
The summary goes to GITHUB_STEP_SUMMARY. Outputs: save-snapshot, snapshot-key. Again, or without a
daemon, it does nothing.

Examples:
  ghswarm job finish
  ghswarm job finish --format json | jq .saved_calls")]
    Finish {
        /// What goes to stdout: nothing but log lines without it
        #[arg(long, value_enum)]
        format: Option<JobFormat>,
    },
    /// Print the summary of a job whose daemon nobody finished, and end it
    #[command(after_help = "\
For the hook that a self-hosted runner runs when a job is over. Counts on what the daemon left on
disk if it is gone already.

Examples:
  ghswarm job report
  ghswarm job report --format json")]
    Report {
        /// What goes to stdout: nothing but log lines without it
        #[arg(long, value_enum)]
        format: Option<JobFormat>,
    },
}

/// `ghswarm job finish --format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JobFormat {
    /// The summary as it stands on the page of the run
    Markdown,
    /// The same facts as JSON
    Json,
}
