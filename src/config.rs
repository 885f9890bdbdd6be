//! What a daemon is told, composed of what its modules want to know.
//!
//! Flags win over the environment, the environment over files, files over the defaults. Everything is
//! read once and becomes a [`Config`]; nothing below this row looks at a flag, a variable or a file.

pub mod directories;
mod document;
pub mod env;
mod env_file;
mod near;
mod origin;
pub mod schema;
mod setting;
pub mod settings;
mod sharing;
pub mod sources;
mod stores;
pub mod table;
pub mod units;
mod workspace;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::github::{self, budget};
use crate::{proxy, swarm, tiered};

pub use directories::Directories;
pub use env::Environment;
pub use origin::{Origin, Problem, Slot};
pub use setting::Setting;
pub use settings::Settings;
pub use sharing::Sharing;
pub use sources::{Read, Reading};
pub use stores::Stores;

/// Bytes that the disk tier may take by default.
pub const DISK_LIMIT: u64 = 1 << 30;

/// Everything a daemon is told. The default is one for tests and examples: a free port, and a
/// temporary directory that goes with the daemon.
#[derive(Debug, Clone)]
pub struct Config {
    /// The clock that everything lives by.
    pub clock: Clock,
    /// Where TCP clients connect; port 0 takes a free one. Always a loopback address.
    pub listen: SocketAddr,
    /// The Unix socket; without one, `ghswarm.sock` in the state directory.
    pub socket: Option<PathBuf>,
    /// What belongs to this daemon alone; without one, a temporary directory.
    pub state_dir: Option<PathBuf>,
    /// What all daemons of this user share; without one, a folder of the state directory.
    pub cache_dir: Option<PathBuf>,
    /// Bytes that the disk tier may take; without one, nothing is kept on disk.
    pub disk_limit: Option<u64>,
    /// Where `ready.json` is written besides the state directory.
    pub ready_file: Option<PathBuf>,
    /// Who may join this daemon.
    pub owner: Owner,
    /// The process that keeps this daemon alive, holds its lock and owns its sockets.
    pub keeper_pid: Option<u32>,
    /// Whether to fail where a daemon would otherwise go on with less.
    pub strict: bool,
    /// How GitHub is reached.
    pub github: github::Config,
    /// How much may be asked of GitHub.
    pub budget: budget::Config,
    /// How requests are answered.
    pub tiered: tiered::Config,
    /// How clients are served.
    pub proxy: proxy::Config,
    /// With whom entries are shared; without it this daemon is alone.
    pub swarm: Option<swarm::Config>,
    /// Where they find each other besides.
    pub stores: Stores,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            socket: None,
            state_dir: None,
            cache_dir: None,
            disk_limit: None,
            ready_file: None,
            owner: Owner::User,
            keeper_pid: None,
            strict: false,
            github: github::Config::default(),
            budget: budget::Config::default(),
            tiered: tiered::Config::default(),
            proxy: proxy::Config::default(),
            swarm: None,
            stores: Stores::default(),
        }
    }
}

impl Config {
    /// What `settings` and `directories` say, and the defaults for the rest.
    pub fn compose(settings: &Settings, directories: &Directories, owner: Owner) -> Self {
        let mut config = Self {
            socket: Some(directories.socket.clone()),
            state_dir: Some(directories.state.clone()),
            cache_dir: Some(directories.cache.clone()),
            ready_file: settings.ready_file.clone(),
            owner,
            keeper_pid: settings.keeper_pid,
            strict: settings.is_strict(),
            ..Self::default()
        };
        settings.apply(&mut config);
        config
    }
}

/// For whom a daemon was started. A job joins only its own daemon and that of the host: another job's may
/// hold what this one must not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// One job of GitHub Actions; it ends with the job
    Job,
    /// Whoever started it
    User,
    /// The machine, as a system service: all jobs may join it
    Host,
}

impl Owner {
    /// Who starts a daemon in this environment, unless `--owner` says it. That a service manager has a hand in it
    /// says nothing: a runner is a service itself, and so are the terminals of many desktops.
    pub fn of(environment: &Environment) -> Self {
        if environment.get(env::GITHUB_ACTIONS) == Some("true") {
            Self::Job
        } else {
            Self::User
        }
    }
}

/// What is wrong with the settings or a directory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Variables or files say what cannot be done. All of it, so that it can be put right at once.
    #[error("{}", origin::listed(.0))]
    Problems(Vec<Problem>),
    /// Nothing says where the files go.
    #[error("no place for the {what}: HOME is not set; give {flag} DIR")]
    NoHome {
        /// What the directory is for.
        what: &'static str,
        /// The flag that names one.
        flag: &'static str,
    },
    /// A socket's path is longer than the kernel takes.
    #[error("--socket: {path:?} has {length} bytes, and a Unix socket's path at most {limit}")]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The most that the kernel takes.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_becomes_the_host_by_accident() {
        let of = |pairs: &[(&str, &str)]| Owner::of(&Environment::from_pairs(pairs));
        assert_eq!(of(&[]), Owner::User);
        assert_eq!(of(&[("INVOCATION_ID", "x")]), Owner::User);
        assert_eq!(
            of(&[("INVOCATION_ID", "x"), ("GITHUB_ACTIONS", "true")]),
            Owner::Job
        );
    }
}
