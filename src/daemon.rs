//! The daemon: sockets, tiers and proxy put together, and what it leaves on disk for others to find.

mod books;
mod first_line;
mod job_end;
mod limits;
mod living;
mod ready;
mod remains;
mod sharing;
mod signals;
mod sockets;
mod state;

use std::convert::Infallible;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{info, warn};

use crate::api::Operation;
use crate::files;
use crate::github::{self, Gate};
use crate::proxy::finish::Finish;
use crate::proxy::parking::{Line, Parking};
use crate::proxy::{Listeners, Proxy, Service};
use crate::stats::{Counters, Snapshot, Stats};
use crate::store::{Disk, disk};
use crate::tiered::{self, Tiered};

use books::Books;
use first_line::FirstLine;
use sharing::Sharing;

pub use crate::config::Config;
pub use job_end::JobEnd;
pub use limits::{connections, raise_descriptor_limit};
pub use living::{AskError, Living};
pub use ready::Ready;
pub use remains::{
    begin as begin_in, counters as counters_of, forget_counters, report as report_of,
};
pub use signals::{end_asked_for, ended_by_signal};
pub use sockets::{Inherited, bind as bind_sockets, inherited as inherited_sockets};
pub use state::{StateDir, admin_token, lock};

/// A daemon whose sockets listen. Connections wait until [`Daemon::run`].
pub struct Daemon {
    ready: Ready,
    proxy: Proxy,
    listeners: Listeners,
    tiered: Tiered,
    counters: Arc<Stats>,
    stop: watch::Sender<bool>,
    state: StateDir,
    announced: bool,
    /// Whether the sockets are a service manager's, who keeps them for the next daemon.
    lent: bool,
    sharing: Option<Sharing>,
}

/// Why a daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state directory cannot be used.
    #[error("the state directory {path} cannot be used; --state-dir DIR takes another place")]
    StateDir {
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: files::Error,
    },
    /// The cache directory cannot be used, and `--strict` forbids to go on without it.
    #[error("the cache directory {path} cannot be used; --cache-dir DIR takes another place")]
    CacheDir {
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: files::Error,
    },
    /// `ready.json` cannot be written.
    #[error("nobody can be told how to reach the daemon")]
    Announce(#[source] files::Error),
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// Another process has the state directory.
    #[error(
        "a daemon is running already in {state_dir}; `ghswarm stop` ends it, --state-dir takes another place"
    )]
    Running {
        /// Where.
        state_dir: String,
    },
    /// A socket could not be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A socket that others can reach.
    #[error("refusing to listen on {0}: not a loopback address, and the proxy speaks plain HTTP")]
    NotLoopback(std::net::SocketAddr),
    /// The sockets that were passed on are not those a daemon needs.
    #[error("the inherited sockets (LISTEN_FDS) cannot be used: {0}")]
    Inherited(String),
    /// The key in the state directory is none.
    #[error("the file `identity` of the state directory holds no key; remove it to get a new one")]
    Identity,
    /// No HTTP client.
    #[error(transparent)]
    Github(#[from] github::BuildError),
    /// The sockets could not be served.
    #[error("cannot serve")]
    Serve(#[source] std::io::Error),
}

impl Daemon {
    /// Takes the state directory, binds the sockets (or uses those that a keeper or systemd bound),
    /// puts the parts together and announces itself in `ready.json`.
    pub fn bind(config: Config, listeners: Option<Listeners>) -> Result<Self, Error> {
        let state = StateDir::open(&config)?;
        let first_line = FirstLine::of(&config);
        let lent = listeners.is_some() && config.keeper_pid.is_none();
        let listeners = match listeners {
            Some(listeners) => listeners,
            None => sockets::bind(config.listen, state.socket())?,
        };
        sockets::check(&listeners)?;
        let mut ready = state.describe(&config, &listeners)?;

        let secret = state.secret();
        let disk = disk_of(&config, &state);
        let own = listeners.tcp.local_addr().map_err(Error::Serve)?;
        let reaching = config.github.without_proxy(own);
        let proxies = reaching.proxies.clone();
        let github = github::Client::new(reaching)?;
        let finish = state.finish(&ready, &config.clock);
        // Who has left the swarm does not come back.
        let is_over = finish.as_ref().is_some_and(Finish::is_over);
        let sharing = config
            .swarm
            .filter(|_| !is_over)
            .map(|swarm| Sharing::new(&state, swarm, config.stores, (&github, &proxies)))
            .transpose()?;
        let me = |sharing: &Sharing| sharing.client().identity().peer_id().to_string();
        ready.peer_id = sharing.as_ref().map(me);
        let counters = Arc::new(counters_in(&state, &ready));
        let tiered = Tiered::new(tiered::Parts {
            config: config.tiered,
            secret,
            github: github.clone(),
            gate: Gate::new(config.budget, config.clock.clone()),
            clock: config.clock,
            stats: counters.clone(),
            directory: state.cache().map(Path::to_owned),
            disk,
            swarm: sharing.as_ref().map(Sharing::client),
        });
        let stop = watch::Sender::new(false);
        let peers = sharing.as_ref().map(|sharing| sharing.discovery().clone());
        let admin = state.admin(&ready, stop.clone(), peers, finish)?;
        let service = Service::Tiered(tiered.clone());
        let proxy = Proxy::new(config.proxy, service, github, Some(admin));

        let announced = announce(&state, &ready)?;
        first_line.tell(&ready);
        Ok(Self {
            ready,
            proxy,
            listeners,
            tiered,
            counters,
            stop,
            state,
            announced,
            lent,
            sharing,
        })
    }

    /// Parks requests in flight with the keeper at the other end of `line`, which hands them to
    /// whoever comes after us.
    pub fn kept_by(mut self, line: UnixDatagram) -> Result<Self, Error> {
        let line = Line::new(line).map_err(Error::Serve)?;
        let parking = Parking::new(line, self.counters.clone());
        self.proxy = self.proxy.parking(parking);
        Ok(self)
    }

    /// How it is reached.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Its part in the swarm, for who makes daemons known to each other by hand.
    pub fn swarm(&self) -> Option<crate::swarm::Client> {
        self.sharing.as_ref().map(Sharing::client)
    }

    /// Serves until `shutdown` becomes true or a client of the administration asks for the end, lets
    /// requests in flight finish, and returns the final numbers. A `shutdown` whose sender is gone
    /// never becomes true.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> Result<Snapshot, Error> {
        let Self {
            ready,
            proxy,
            listeners,
            tiered,
            stop,
            state,
            announced,
            lent,
            sharing,
            counters,
        } = self;
        let swarm = sharing.as_ref().map(Sharing::client);
        let mut books = Books::new(&tiered, &counters, &state, (!announced).then_some(&ready));
        let stopping = stop.subscribe();
        let served = tokio::select! {
            served = proxy.run(listeners, stopping) => served,
            never = pass_on(shutdown, stop) => match never {},
            never = books.keep() => match never {},
            never = share(sharing, &tiered, &state, &ready) => match never {},
        };
        // After the last request, whose write the others are to hear of.
        if let Some(swarm) = swarm {
            swarm.leave().await;
        }
        let last = tiered.snapshot();
        let counters = Counters {
            shown: last.clone(),
            carried: counters.carried(),
        };
        if let Err(error) = state.write_counters(&counters) {
            warn!(reason = %files::Chain(&error), "the last counters are not on disk");
        }
        let socket = ready.socket.as_deref().filter(|_| !lent);
        state.withdraw(socket);
        served.map_err(Error::Serve)?;
        info!(
            requests = last.requests,
            saved_calls = last.saved_calls,
            failed = last.failed,
            hit_rate = last.hit_rate,
            uptime_seconds = last.uptime_seconds,
            "stopped"
        );
        Ok(last)
    }
}

/// The disk tier, if there is to be one and it can be used.
fn disk_of(config: &Config, state: &StateDir) -> Option<Disk> {
    let (limit, cache) = config.disk_limit.zip(state.cache())?;
    let place = disk::Config {
        directory: cache.join("store"),
        limit,
    };
    Disk::open(&place, &state.secret(), config.clock.clone())
        .inspect_err(|error| warn!(%error, "nothing is kept on disk"))
        .ok()
}

/// The counters, from where an earlier daemon of the same keeper has stopped.
fn counters_in(state: &StateDir, ready: &Ready) -> Stats {
    let counters = Stats::new(&Operation::NAMES);
    if let Some(earlier) = state.earlier(ready) {
        counters.resume(&earlier);
    }
    if state.cache().is_none() {
        counters.reason("cache-dir-unusable");
    }
    counters
}

/// Writes `ready.json`, and says whether it could. Our keeper's sockets are known already, and a full disk must not
/// look like a crash.
fn announce(state: &StateDir, ready: &Ready) -> Result<bool, Error> {
    match state.announce(ready) {
        Err(error) if ready.keeper_pid.is_some() => {
            warn!(%error, "ready.json still names the last daemon");
            Ok(false)
        }
        announced => announced.map(|()| true).map_err(Error::Announce),
    }
}

/// Speaks with the peers, if there are any to be.
async fn share(
    sharing: Option<Sharing>,
    tiered: &Tiered,
    state: &StateDir,
    ready: &Ready,
) -> Infallible {
    if let Some(sharing) = sharing {
        sharing.run(tiered.clone(), state, ready).await;
    }
    std::future::pending().await
}

/// Turns the caller's wish for an end into the daemon's.
async fn pass_on(mut shutdown: watch::Receiver<bool>, stop: watch::Sender<bool>) -> Infallible {
    if shutdown.wait_for(|wanted| *wanted).await.is_ok() {
        info!("draining");
        stop.send_replace(true);
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[tokio::test]
    async fn a_daemon_for_a_test_takes_a_place_of_its_own_and_leaves_nothing() {
        let daemon = Daemon::bind(Config::default(), None).unwrap();
        let ready = daemon.ready().clone();
        assert!(Ready::path(&ready.state_dir).exists());
        let (shutdown, wish) = watch::channel(false);
        let running = tokio::spawn(daemon.run(wish));
        let address = ready.api_url.strip_prefix("http://").unwrap().to_owned();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
                .unwrap();
            let mut start = [0; 12];
            stream.read_exact(&mut start).unwrap();
            start
        });
        assert_eq!(&answer.await.unwrap(), b"HTTP/1.1 403");
        shutdown.send_replace(true);
        running.await.unwrap().unwrap();
        assert!(!ready.state_dir.exists());
    }

    #[tokio::test]
    async fn a_state_directory_has_one_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config {
            state_dir: Some(dir.path().into()),
            ..Config::default()
        };
        let first = Daemon::bind(config.clone(), None).unwrap();
        assert!(matches!(
            Daemon::bind(config.clone(), None),
            Err(Error::Running { .. })
        ));
        drop(first);
        Daemon::bind(config, None).unwrap();
    }
}
