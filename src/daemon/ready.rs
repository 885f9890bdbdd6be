//! `ready.json`: how a daemon is reached. Its fields are a contract with scripts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::config::Owner;
use crate::files;

/// The longest `ready.json` that is read. What is longer was written by somebody else.
const LONGEST: u64 = 64 << 10;

/// How a daemon is reached. What is not there is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Base URL for clients that take one.
    pub api_url: String,
    /// The Unix socket, for `gh` and for administration.
    pub socket: Option<PathBuf>,
    /// Statistics and metrics over TCP, with the token of `admin_token_file`.
    pub admin_url: Option<String>,
    /// A file with the bearer token for `admin_url`.
    pub admin_token_file: Option<PathBuf>,
    /// Its name in the swarm.
    pub peer_id: Option<String>,
    /// Its addresses in the swarm.
    pub multiaddrs: Option<Vec<String>>,
    /// The daemon's process. `null` while there is none and the keeper passes requests through.
    pub pid: Option<u32>,
    /// The process that keeps the daemon.
    pub keeper_pid: Option<u32>,
    /// Who may join.
    pub owner: Owner,
    /// What belongs to this daemon alone.
    pub state_dir: PathBuf,
    /// What it shares with the other daemons of its user. `null` when it cannot be used: then nothing
    /// is kept on disk.
    pub cache_dir: Option<PathBuf>,
    /// The version of the binary.
    pub version: String,
}

impl Ready {
    /// Where a daemon with this state directory writes it.
    pub fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("ready.json")
    }

    /// What the last daemon of `state_dir` wrote. It may be dead.
    pub fn read(state_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&files::read_small(&Self::path(state_dir), LONGEST).ok()?).ok()
    }

    /// Writes it to `path`, so that a reader sees all of it or nothing.
    pub fn write(&self, path: &Path) -> Result<(), files::Error> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        files::write_atomic(path, &json)
    }

    /// Whether there is no daemon behind the sockets, only the keeper, which caches nothing.
    pub fn passes_through(&self) -> bool {
        self.pid.is_none()
    }
}
