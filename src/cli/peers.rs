//! `ghswarm peers`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ListFormat, SummaryFormat, Target};
use crate::config::units;
use crate::swarm::Multiaddr;

/// `ghswarm peers`
#[derive(Debug, Args)]
#[command(after_help = "\
Daemons of one pool give each other what they hold. They find each other by multicast on the local
network, by --bootstrap, by the Actions cache, and by peer records: what one daemon exports lets
another one in. A record holds a ticket for 90 minutes, so keep it as a password.

Examples:
  ghswarm peers list
  ghswarm peers export > here.peers              # on one machine
  ghswarm peers import here.peers                # on another: these two are enough for a fleet
  ghswarm peers export | ssh runner-2 ghswarm peers import -
  ghswarm peers add /dns4/runner-1/tcp/9000      # with a secret an address is enough")]
pub struct Peers {
    /// What to do
    #[command(subcommand)]
    pub command: PeersCommand,
}

/// The commands of `ghswarm peers`.
#[derive(Debug, Subcommand)]
pub enum PeersCommand {
    /// Show whom the daemon knows, and how it stands with each
    #[command(after_help = "\
connected: admitted, and sharing. known: not connected now. refused: one of the two did not let the
other in, for the reason shown. dropped: it broke the rules, and is not spoken with for a while.

Examples:
  ghswarm peers list
  ghswarm peers list --format json | jq -r '.multiaddrs[]'
  ghswarm peers list --format json | jq '[.peers[] | select(.standing == \"connected\")] | length'")]
    List {
        /// The form of the list
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Dial addresses
    #[command(after_help = "\
For pools with a secret: without one, nobody gets in without the ticket of a record.

Examples:
  ghswarm peers add /ip4/10.0.0.1/tcp/9000
  ghswarm peers add /dns4/runner-1/udp/9000/quic-v1 /dns4/runner-2/tcp/9000")]
    Add {
        /// Where, as in /ip4/10.0.0.1/tcp/9000
        #[arg(value_name = "MULTIADDR", required = true, value_parser = units::dialable)]
        addresses: Vec<Multiaddr>,
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Write our record and the address book to a file
    #[command(after_help = "\
The file lets whoever has it into the pool for as long as the records hold, at most 90 minutes.

Examples:
  ghswarm peers export here.peers
  ghswarm peers export | ssh runner-2 ghswarm peers import -")]
    Export {
        /// The file to write, for its owner alone [default: stdout]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Take the records of files, and dial whom they are about
    #[command(after_help = "\
Each record is checked: signed by its own peer, of our pool, not expired. What is not taken is named
with the reason. Exit code 1 if a file had nobody for us.

Examples:
  ghswarm peers import there.peers
  ghswarm peers import /mnt/fleet                # all that `peers register` put there
  ssh runner-1 ghswarm peers export | ghswarm peers import -")]
    Import {
        /// Files of `peers export`, directories of `peers register`; - for stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// How the summary is shown
        #[arg(long, value_enum, default_value_t)]
        format: SummaryFormat,
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Ask the stores of the job for others, now
    #[command(after_help = "\
The stores are the Actions cache, which a daemon has if it was started with ACTIONS_RESULTS_URL and
ACTIONS_RUNTIME_TOKEN (actions have them, `run:` steps have not), and the list of its keys, if
GHSWARM_CACHE_LIST_TOKEN has a token with `actions: read`. The daemon asks by itself at its start,
three times more while it is alone, and every five minutes. A key says who is where and lets nobody
in, so the list is for pools with a secret; each list is one call of the repository's budget.

Examples:
  ghswarm peers discover
  ghswarm peers discover --format json | jq '.[].found[].peer_id'")]
    Discover {
        /// The form of the list
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Put our record where the runners find it: the Actions cache, or a directory
    #[command(after_help = "\
Without --directory it goes to the Actions cache, if the daemon has one: `peers discover --help`.
The daemon does that by itself, and again every 20 minutes. Prints the key.

In a directory, the name of the file says who is where until when; the ticket is in the file alone.
It takes the place of what this daemon registered there before. Prints the path.

Examples:
  ghswarm peers register
  ghswarm peers register --directory /mnt/fleet
  ghswarm peers import /mnt/fleet                # on every other machine")]
    Register {
        /// The directory [default: the Actions cache]
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
        /// The number of the repository in the name [default: GITHUB_REPOSITORY_ID, else 0]
        #[arg(long, value_name = "ID", requires = "directory")]
        repository_id: Option<u64>,
        /// Which daemon
        #[command(flatten)]
        target: Target,
    },
    /// Remove records from such a directory that have expired or are broken
    #[command(after_help = "\
Looks at DIR/ghswarm/1 alone. Needs no daemon. In the Actions cache there is nothing to clean up:
records are small, and GitHub removes what nobody has used for 7 days.

Examples:
  ghswarm peers cleanup --directory /mnt/fleet
  ghswarm peers cleanup --directory /mnt/fleet --format json | jq .kept")]
    Cleanup {
        /// The directory
        #[arg(long, value_name = "DIR")]
        directory: PathBuf,
        /// How the summary is shown
        #[arg(long, value_enum, default_value_t)]
        format: SummaryFormat,
    },
}
