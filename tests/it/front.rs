//! The daemon without its files: request path and proxy, put together as `ghswarm serve` does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ghswarm::api::Operation;
use ghswarm::clock::Clock;
use ghswarm::github::{self, Client, Gate, budget};
use ghswarm::proxy::{self, Listeners, Proxy, Service};
use ghswarm::secret::LocalSecret;
use ghswarm::stats::{Snapshot, Stats};
use ghswarm::tiered::{self, Tiered};
use tokio::sync::watch;

/// A running proxy on TCP and on a Unix socket; dropping it ends it.
pub(crate) struct Front {
    address: SocketAddr,
    socket: PathBuf,
    tiered: Tiered,
    _stop: watch::Sender<bool>,
    _folder: tempfile::TempDir,
}

impl Front {
    /// Stands before `origin` with everything as it is by default.
    pub(crate) fn before(origin: &str) -> Self {
        let (config, budget) = (tiered::Config::default(), budget::Config::default());
        Self::set_up(origin, config, budget, Clock::system())
    }

    pub(crate) fn set_up(
        origin: &str,
        config: tiered::Config,
        budget: budget::Config,
        clock: Clock,
    ) -> Self {
        let origin = origin.parse().expect("the URL of an origin");
        Self::reaching(github::Config::new(origin), config, budget, clock)
    }

    /// Reaches GitHub as `github` says.
    pub(crate) fn reaching(
        github: github::Config,
        config: tiered::Config,
        budget: budget::Config,
        clock: Clock,
    ) -> Self {
        let client = Client::new(github).expect("a client");
        let tiered = Tiered::new(tiered::Parts {
            config,
            secret: LocalSecret::new([7; 32]),
            github: client.clone(),
            gate: Gate::new(budget, clock.clone()),
            clock,
            stats: Arc::new(Stats::new(&Operation::NAMES)),
            directory: None,
            disk: None,
            swarm: None,
        });
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("proxy.sock");
        let listeners = Listeners {
            tcp: std::net::TcpListener::bind("127.0.0.1:0").expect("a port"),
            unix: Some(std::os::unix::net::UnixListener::bind(&socket).expect("a socket")),
            admin: None,
        };
        let address = listeners.tcp.local_addr().expect("an address");
        let (stop, stopped) = watch::channel(false);
        let service = Service::Tiered(tiered.clone());
        let proxy = Proxy::new(proxy::Config::default(), service, client, None);
        tokio::spawn(proxy.run(listeners, stopped));
        Self {
            address,
            socket,
            tiered,
            _stop: stop,
            _folder: folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.tiered.snapshot()
    }
}
