//! HTTP in: listeners, connections, and what is done with each request.
//!
//! A connection begins on the *front*: heads are read and judged here, and what memory holds is
//! answered with one write. Everything else is handed, one message at a time, to hyper (*slow*),
//! which hands the connection back when that message is answered. So every head is judged by the
//! same strict reader, whoever answers it.
//!
//! What is absent: TLS, HTTP/2 and CONNECT. Clients on this machine need none of them.

pub mod admin;
pub mod finish;
pub mod parking;

mod accept;
mod chunked;
mod date;
mod failure;
mod forward;
mod front;
mod head;
mod host;
mod inbox;
mod log;
mod message;
mod render;
mod rewrite;
mod sealed;
mod slow;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::github;
use crate::store::epoch_log::Teller;
use crate::tiered::Tiered;

use admin::Admin;
use parking::{Parked, Parking};

/// When URLs inside JSON bodies are rewritten to the address that the client used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RewriteBodies {
    /// For clients that are known to check the hosts in bodies.
    #[default]
    Auto,
    /// For every client on TCP.
    Always,
    /// For none.
    Never,
}

/// The bounds of the proxy.
#[derive(Debug, Clone)]
pub struct Config {
    /// When URLs inside JSON bodies are rewritten.
    pub rewrite_bodies: RewriteBodies,
    /// Bytes of a body that is held to be rewritten; longer ones pass unchanged.
    pub rewrite_limit: usize,
    /// Connections served at once over all listeners; more are answered 503.
    pub max_connections: usize,
    /// Bytes of a request's head; longer ones are answered 431.
    pub head_limit: usize,
    /// Time from the first byte of a head to its last.
    pub head_timeout: Duration,
    /// Time that a connection may rest between requests.
    pub idle_timeout: Duration,
    /// Time that a client may pause inside a request's body.
    pub body_timeout: Duration,
    /// Time that a client may take nothing of a response.
    pub write_timeout: Duration,
    /// Time that requests in flight get when the daemon stops.
    pub drain_timeout: Duration,
    /// Bytes of a body sent to the admin interface.
    pub admin_body_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rewrite_bodies: RewriteBodies::Auto,
            rewrite_limit: 10 << 20,
            max_connections: 10_240,
            head_limit: 32 << 10,
            head_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(2),
            body_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(10),
            admin_body_limit: 32 << 20,
        }
    }
}

/// Sockets that are bound already, by the keeper or by a test.
#[derive(Debug)]
pub struct Listeners {
    /// Where clients with a base URL connect.
    pub tcp: std::net::TcpListener,
    /// Where `gh` connects.
    pub unix: Option<std::os::unix::net::UnixListener>,
    /// Where statistics are asked with a bearer token.
    pub admin: Option<std::net::TcpListener>,
}

/// What answers the requests.
#[derive(Clone)]
pub enum Service {
    /// The cache.
    Tiered(Tiered),
    /// Nothing is cached; the keeper's last resort. The daemons that share a cache directory are told of
    /// writes, as is the one that comes back after this.
    PassThrough(github::Client, Option<Teller>),
}

/// What all connections share.
struct Shared {
    config: Config,
    service: Service,
    /// What answers instead since the job has finished.
    passing: OnceLock<Service>,
    asking: finish::Asking,
    client: github::Client,
    admin: Option<Admin>,
    clock: Clock,
    draining: AtomicBool,
    parking: Option<Parking>,
    files: sealed::SealedFiles,
    rewritten: rewrite::Alive,
}

impl Shared {
    /// What answers now.
    fn service(&self) -> &Service {
        self.passing.get().unwrap_or(&self.service)
    }

    /// Whether connections end with the answer they are giving.
    fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }
}

/// The proxy, ready to run.
pub struct Proxy {
    shared: Shared,
    orphans: Vec<Parked>,
}

impl Proxy {
    /// `client` says which hosts may be reached. Without `admin` there is no admin interface.
    pub fn new(
        config: Config,
        service: Service,
        client: github::Client,
        admin: Option<Admin>,
    ) -> Self {
        let clock = match &service {
            Service::Tiered(tiered) => tiered.clock().clone(),
            Service::PassThrough(..) => Clock::system(),
        };
        let draining = AtomicBool::new(false);
        let finish = admin.as_ref().and_then(|admin| admin.finish.as_ref());
        let passing = match finish.filter(|finish| finish.is_over()) {
            Some(finish) => finish.service(client.clone()).into(),
            None => OnceLock::new(),
        };
        Self {
            shared: Shared {
                config,
                service,
                passing,
                asking: finish::Asking::default(),
                client,
                admin,
                clock,
                draining,
                parking: None,
                files: sealed::SealedFiles::default(),
                rewritten: rewrite::Alive::default(),
            },
            orphans: Vec::new(),
        }
    }

    /// Parks requests in flight with a keeper, and adopts those that it has.
    #[must_use]
    pub fn parking(mut self, parking: Parking) -> Self {
        self.shared.parking = Some(parking);
        self
    }

    /// Serves these clients first: a daemon has died on them.
    #[must_use]
    pub fn adopting(mut self, orphans: Vec<Parked>) -> Self {
        self.orphans = orphans;
        self
    }

    /// Serves until `shutdown` turns true (or its sender goes away), then accepts nothing more and
    /// gives the requests in flight [`Config::drain_timeout`] to end.
    ///
    /// # Errors
    /// When a listener cannot be registered with the runtime.
    pub async fn run(
        self,
        listeners: Listeners,
        shutdown: watch::Receiver<bool>,
    ) -> std::io::Result<()> {
        accept::run(Arc::new(self.shared), listeners, self.orphans, shutdown).await
    }
}
