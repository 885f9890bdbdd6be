//! Gathers facts: reads files, asks the daemon, looks at processes. Decides nothing.

mod asking;
mod files;
mod processes;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as _;
use url::Url;

use super::super::api::token::{self as tokens, Found};
use super::super::gh_config;
use super::daemon::{Announced, Answer};
use super::port::Bind;
use super::{
    budget, clients, clock, daemon, disk, environment, gh, limits, peers, permissions, port, proxy,
    socket, token,
};
use crate::clock::Clock;
use crate::config::{DISK_LIMIT, Directories, Environment, Settings, Sharing, env, sources};
use crate::daemon::{Living, Ready};
use crate::github;
use crate::stats::Snapshot;
use crate::time::Timestamp;

/// What all checks look at.
pub(super) struct Scene<'a> {
    pub(super) settings: Settings,
    pub(super) environment: &'a Environment,
    places: Option<Directories>,
    announced: Announced,
    answer: Answer,
    /// The statistics of the daemon that runs.
    pub(super) stats: Option<Snapshot>,
    /// What it says of its peers.
    peers: Option<peers::Seen>,
    /// Our user id.
    me: u32,
    now: Timestamp,
}

impl<'a> Scene<'a> {
    pub(super) async fn gather(
        settings: Settings,
        places: Option<Directories>,
        environment: &'a Environment,
    ) -> Self {
        let state = places.as_ref().map(|places| places.state.as_path());
        let announced = state.map_or(Announced::Absent, announced);
        let living = places
            .as_ref()
            .map(|places| match (&settings.socket, &announced) {
                (None, Announced::Says { ready, .. }) => Living::at(
                    ready
                        .socket
                        .clone()
                        .unwrap_or_else(|| places.socket.clone()),
                ),
                _ => Living::at(places.socket.clone()),
            });
        let answer = match &living {
            Some(living) => asking::answer(living).await,
            None => Answer::Nobody,
        };
        let counted = match (&living, &answer) {
            (Some(living), Answer::Living(_)) => asking::stats(living).await,
            _ => None,
        };
        let peers = match (&living, &answer) {
            (Some(living), Answer::Living(ready)) if !ready.passes_through() => {
                Some(asking::peers(living).await)
            }
            _ => None,
        };
        Self {
            settings,
            peers,
            environment,
            places,
            announced,
            answer,
            stats: counted,
            me: rustix::process::geteuid().as_raw(),
            now: Clock::system().now(),
        }
    }

    /// The daemon that answers.
    fn ready(&self) -> Option<&Ready> {
        match &self.answer {
            Answer::Living(ready) => Some(ready),
            Answer::Nobody | Answer::Wrong(_) => None,
        }
    }

    fn in_job(&self) -> bool {
        self.environment.get(env::GITHUB_ACTIONS) == Some("true")
    }

    fn owned(&self, variable: &str) -> Option<String> {
        self.environment.get(variable).map(str::to_owned)
    }

    pub(super) fn daemon(&self) -> Option<daemon::Facts> {
        let state_dir = self.places.as_ref()?.state.clone();
        let (complaints, deaths) = daemon::read_log(&files::tail(&state_dir.join("daemon.log")));
        let lives = matches!(
            &self.announced,
            Announced::Says {
                daemon_lives: true,
                ..
            }
        );
        Some(daemon::Facts {
            answer: self.answer.clone(),
            announced: self.announced.clone(),
            locked: processes::is_locked(&state_dir.join("lock")).unwrap_or(lives),
            keeper_lives: self
                .ready()
                .and_then(|ready| ready.keeper_pid)
                .is_some_and(processes::lives),
            uptime: self
                .stats
                .as_ref()
                .map(|stats| Duration::from_secs(stats.uptime_seconds)),
            complaints,
            deaths,
            others: processes::daemons(self.me, self.ready().and_then(|ready| ready.pid)),
            version: env!("CARGO_PKG_VERSION"),
            in_job: self.in_job(),
            state_dir,
        })
    }

    pub(super) async fn port(&self) -> port::Facts {
        let api = match self.ready() {
            Some(ready) => Some((ready.api_url.clone(), asking::door(&ready.api_url).await)),
            None => None,
        };
        let listen = self.settings.listen.filter(|address| address.port() != 0);
        let bind =
            listen.filter(|_| api.is_none()).map(|address| {
                match std::net::TcpListener::bind(address) {
                    Ok(_) => Bind::Free,
                    Err(error) => match error.kind() {
                        io::ErrorKind::AddrInUse => Bind::Taken,
                        io::ErrorKind::PermissionDenied => Bind::Forbidden,
                        _ => Bind::Impossible(error.to_string()),
                    },
                }
            });
        port::Facts { api, listen, bind }
    }

    pub(super) async fn socket(&self) -> Option<socket::Facts> {
        let path = match self.ready().and_then(|ready| ready.socket.clone()) {
            Some(path) => path,
            None => self.places.as_ref()?.socket.clone(),
        };
        Some(socket::Facts {
            there: files::at_socket(&path, asking::answers(&path).await),
            folder: path.parent().and_then(files::folder),
            path,
            me: self.me,
        })
    }

    pub(super) fn proxies(&self) -> proxy::Facts {
        let variables = |names: &mut dyn Iterator<Item = &'static str>| -> Vec<_> {
            names
                .filter_map(|name| {
                    let value = self.owned(name)?;
                    Some(proxy::Variable { name, value })
                })
                .collect()
        };
        let origin = self.settings.github().origin;
        proxy::Facts {
            proxies: variables(&mut env::PROXIES.into_iter().flatten()),
            exempt: variables(&mut [env::NO_PROXY, env::NO_PROXY_LOWER].into_iter()),
            api_url: self.ready().map(|ready| ready.api_url.clone()),
            origin: origin.host_str().unwrap_or_default().to_owned(),
            origin_is_local: proxy::is_local(&origin),
        }
    }

    pub(super) fn permissions(&self) -> Option<permissions::Facts> {
        let places = self.places.as_ref()?;
        let key_path = places.cache.join("hmac.key");
        Some(permissions::Facts {
            places: vec![
                files::place("state", &places.state, self.me),
                files::place("cache", &places.cache, self.me),
            ],
            key: files::key(&key_path),
            key_path,
            me: self.me,
        })
    }

    pub(super) fn disk(&self) -> Option<disk::Facts> {
        let places = self.places.as_ref()?;
        let room = |what, path| files::room(what, path);
        Some(disk::Facts {
            places: [room("state", &places.state), room("cache", &places.cache)]
                .into_iter()
                .flatten()
                .collect(),
            store: files::size(&places.cache.join("store")),
            limit: (self.settings.no_disk != Some(true))
                .then(|| self.settings.disk_limit.unwrap_or(DISK_LIMIT)),
        })
    }

    pub(super) fn clock(&self) -> clock::Facts {
        let places = self.places.iter();
        let dirs = places.flat_map(|places| [&places.state, &places.cache]);
        clock::Facts {
            now: self.now,
            youngest_file: dirs.filter_map(|dir| files::youngest(dir)).max(),
        }
    }

    pub(super) fn limits(&self) -> limits::Facts {
        limits::Facts {
            here: processes::open_files(),
            daemon: self
                .ready()
                .and_then(|ready| ready.pid)
                .and_then(processes::open_files_of),
        }
    }

    /// The token that `gh` and `ghswarm api` take for the origin.
    pub(super) fn token(&self) -> Option<Found> {
        tokens::look(&self.token_host(), self.environment)
    }

    fn token_host(&self) -> String {
        let server = self.environment.get(env::GITHUB_SERVER_URL);
        token_host(&self.settings.github().origin, server)
    }

    pub(super) fn tokens(&self, found: Option<&Found>) -> token::Facts {
        let differs = |variable: &&'static str| {
            let other = self.environment.get(variable);
            // Those of an enterprise server are meant for another host.
            found.is_some_and(|found| {
                let alike = found.variable.map(|own| own.contains("ENTERPRISE"));
                found.variable != Some(*variable)
                    && alike == Some(variable.contains("ENTERPRISE"))
                    && other.is_some_and(|other| other != *found.token)
            })
        };
        token::Facts {
            found: found.map(|found| token::Found::of(&found.token, found.variable)),
            others: env::TOKENS.into_iter().filter(differs).collect(),
            in_job: self.in_job(),
        }
    }

    pub(super) fn peers(&self) -> peers::Facts {
        let sharing = Sharing::find(&self.settings, self.environment);
        let pool = self.settings.pool.as_ref();
        peers::Facts {
            off: self.settings.no_p2p == Some(true),
            pool: pool.map(|pool| pool.name().to_owned()),
            notice: sharing
                .as_ref()
                .ok()
                .and_then(Sharing::notice)
                .map(str::to_owned),
            wrong: sharing.err().map(|error| error.to_string()),
            daemon: self.peers.clone(),
            hosted: self.environment.get(env::RUNNER_ENVIRONMENT) == Some("github-hosted"),
        }
    }

    pub(super) fn budget(&self, stats: &Snapshot) -> budget::Facts {
        let read = |row: &serde_json::Value| serde_json::from_value(row.clone()).ok();
        budget::Facts {
            rows: stats.budget.iter().filter_map(read).collect(),
            now: self.now,
        }
    }

    pub(super) async fn gh(&self, client: Option<&github::Client>) -> gh::Facts {
        let program = self.program("gh");
        let version = match &program {
            Some(program) => asking::version_of(program).await,
            None => None,
        };
        let folder = match gh_config::of_user(self.environment) {
            Some(path) => Some(self.gh_folder(path).await),
            None => None,
        };
        let host = self.owned(env::GH_HOST).map(|host| {
            let at = client.map(|client| client.destination(&host));
            (host, at)
        });
        gh::Facts {
            program,
            version,
            folder,
            daemon: self.ready().and_then(|ready| ready.socket.clone()),
            host,
        }
    }

    async fn gh_folder(&self, path: PathBuf) -> gh::Folder {
        let config = std::fs::read_to_string(path.join("config.yml")).unwrap_or_default();
        let socket = match gh::configured_socket(&config) {
            Some(socket) => {
                let alive = matches!(asking::answers(&socket).await, Ok(true));
                Some((socket, alive))
            }
            None => None,
        };
        let hosts = match std::fs::File::open(path.join("hosts.yml")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Some(error.to_string()),
            _ => None,
        };
        let state = self.places.as_ref().map(|places| places.state.as_path());
        gh::Folder {
            ours: path.parent().is_some_and(|parent| Some(parent) == state),
            path,
            socket,
            hosts,
        }
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        std::env::split_paths(self.environment.os(env::PATH)?)
            .map(|dir| dir.join(name))
            .find(|path| path.is_file())
    }

    pub(super) fn clients(&self) -> clients::Facts {
        clients::Facts {
            api_url: self.ready().map(|ready| ready.api_url.clone()),
            socket: self.ready().and_then(|ready| ready.socket.clone()),
            github_api_url: self.owned(env::GITHUB_API_URL),
            github_base_url: self.owned(env::GITHUB_BASE_URL),
            renovate_endpoint: self.owned(env::RENOVATE_ENDPOINT),
            in_job: self.in_job(),
        }
    }

    pub(super) fn surroundings(&self) -> environment::Facts {
        let ours = self.environment.names();
        // Names of the older documents: `config::table` gives them their meaning.
        let old = ["P2P_CACHE_DIR", "CACHE_DIR"];
        let is_set = |variable: &&'static str| self.environment.os(variable).is_some();
        environment::Facts {
            ours: ours
                .filter(|name| name.starts_with("GHSWARM_"))
                .map(str::to_owned)
                .collect(),
            known: known_variables(),
            old_cache: old
                .into_iter()
                .find(is_set)
                .filter(|_| self.settings.cache_dir.is_none()),
            in_job: self.in_job(),
            runner_temp: self
                .environment
                .absolute(env::RUNNER_TEMP)
                .is_some_and(|dir| dir.is_dir()),
            root: self.me == 0,
            sudo: self.me == 0 && self.environment.os(env::SUDO_USER).is_some(),
            container: ["/.dockerenv", "/run/.containerenv"]
                .iter()
                .any(|mark| Path::new(mark).exists()),
        }
    }
}

/// The host whose token belongs to `origin`. A stand-in on this machine, and GitHub's own API, take
/// that of github.com; another server its own. In a job of that very server the job's token is its own.
fn token_host(origin: &Url, server: Option<&str>) -> String {
    const GITHUB: &str = "github.com";
    let host = origin.host_str().unwrap_or(GITHUB);
    let server = server.and_then(|server| Url::parse(server).ok());
    let own = server.is_some_and(|server| server.host_str() == Some(host));
    if own || proxy::is_local(origin) || host == "api.github.com" {
        return GITHUB.to_owned();
    }
    host.to_owned()
}

/// Every variable of ours that means something: one for each flag, and what `env` tells programs.
fn known_variables() -> Vec<String> {
    let flags = Settings::augment_args(clap::Command::new("ghswarm"));
    let variable = |flag: &str| format!("GHSWARM_{}", flag.replace('-', "_").to_uppercase());
    let shown = flags.get_arguments().filter(|flag| !flag.is_hide_set());
    shown
        .filter_map(clap::Arg::get_long)
        .map(variable)
        .chain(sources::beside_settings().map(str::to_owned))
        .collect()
}

fn announced(state: &Path) -> Announced {
    match Ready::read(state) {
        Some(ready) => Announced::Says {
            daemon_lives: ready.pid.or(ready.keeper_pid).is_some_and(processes::lives),
            ready: Box::new(ready),
        },
        None if Ready::path(state).exists() => Announced::Unreadable,
        None => Announced::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_looked_up_for_the_host_that_will_see_it() {
        let host = |origin: &str, server| token_host(&origin.parse().unwrap(), server);
        assert_eq!(host("https://api.github.com", None), "github.com");
        assert_eq!(host("http://127.0.0.1:4000", None), "github.com");
        let enterprise = "https://ghe.example/api/v3";
        assert_eq!(host(enterprise, None), "ghe.example");
        assert_eq!(host(enterprise, Some("https://github.com")), "ghe.example");
        assert_eq!(host(enterprise, Some("https://ghe.example")), "github.com");
    }

    #[test]
    fn every_flag_has_a_known_variable() {
        let known = known_variables();
        for variable in [env::MAX_WAIT, env::ORIGIN_FOR, env::API_URL, env::CACHE_DIR] {
            assert!(known.iter().any(|name| name == variable), "{variable}");
        }
        // In a job they are all there.
        for variable in [
            "GHSWARM_MIRROR",
            "GHSWARM_PROGRAM",
            "GHSWARM_JOB_INDEX",
            "GHSWARM_INPUT_CACHE",
        ] {
            assert!(known.iter().any(|name| name == variable), "{variable}");
        }
        assert!(!known.iter().any(|name| name == "GHSWARM_KEEPER_PID"));
    }
}
