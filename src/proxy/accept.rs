//! Listeners, the bound on connections, and the end.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::front::Connection;
use super::host::Door;
use super::parking::{Adopted, Entrance, Parked, Parking};
use super::wire::Wire;
use super::{Listeners, Shared};
use crate::time::Degraded;

/// Connections over the bound that are still told so; more are closed without a word.
const TURNED_AWAY: usize = 64;
/// Connections to the admin port, which stays reachable when the rest is full.
const ADMIN: usize = 64;
/// Pause after a failed accept: mostly there is no file descriptor left, and asking again at once
/// would only burn the processor.
const PAUSE: Duration = Duration::from_millis(50);

/// See [`super::Proxy::run`].
pub(super) async fn run(
    shared: Arc<Shared>,
    listeners: Listeners,
    orphans: Vec<Parked>,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let Sockets { tcp, unix, admin } = Sockets::register(listeners)?;
    let mut floor = Floor::new(shared.clone(), shutdown.clone());
    for parked in orphans {
        let place = None;
        floor.adopt(Adopted { parked, place });
    }
    if let Some(parking) = &shared.parking {
        parking.open();
    }
    loop {
        tokio::select! {
            accepted = tcp.accept() => match accepted {
                Ok((stream, _)) => floor.admit_tcp(stream, Door::Tcp),
                Err(error) => floor.pause(&error).await,
            },
            accepted = accept_unix(unix.as_ref()) => match accepted {
                Ok((stream, _)) => {
                    floor.accepted();
                    let door = door_of(&stream);
                    floor.admit(stream, door);
                }
                Err(error) => floor.pause(&error).await,
            },
            accepted = accept_tcp(admin.as_ref()) => match accepted {
                Ok((stream, _)) => floor.admit_tcp(stream, Door::Admin),
                Err(error) => floor.pause(&error).await,
            },
            orphan = next_orphan(shared.parking.as_ref()) => floor.adopt(orphan),
            () = stopped(&mut shutdown) => break,
        }
    }
    // Closed before the drain: whoever connects now is not ours to serve.
    drop((tcp, unix, admin));
    shared.draining.store(true, Relaxed);
    let drained = async { while floor.connections.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.config.drain_timeout, drained)
        .await
        .is_err()
    {
        tracing::warn!(open = floor.connections.len(), "connections broken off");
    }
    Ok(())
}

struct Sockets {
    tcp: TcpListener,
    unix: Option<UnixListener>,
    admin: Option<TcpListener>,
}

impl Sockets {
    fn register(listeners: Listeners) -> io::Result<Self> {
        let tcp = |listener: std::net::TcpListener| {
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let unix = |listener: std::os::unix::net::UnixListener| {
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        };
        Ok(Self {
            tcp: tcp(listeners.tcp)?,
            unix: listeners.unix.map(unix).transpose()?,
            admin: listeners.admin.map(tcp).transpose()?,
        })
    }
}

async fn accept_tcp(
    listener: Option<&TcpListener>,
) -> io::Result<(TcpStream, std::net::SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn accept_unix(
    listener: Option<&UnixListener>,
) -> io::Result<(UnixStream, tokio::net::unix::SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn next_orphan(parking: Option<&Parking>) -> Adopted {
    match parking {
        Some(parking) => parking.adopt().await,
        None => std::future::pending().await,
    }
}

/// Waits until `shutdown` is true, or nobody can make it true any more.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn gone(error: &io::Error) {
    tracing::debug!(%error, "a connection is gone already");
}

fn adopt_tcp(socket: OwnedFd) -> io::Result<(TcpStream, std::net::SocketAddr)> {
    let stream = std::net::TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    let own = stream.local_addr()?;
    Ok((TcpStream::from_std(stream)?, own))
}

fn adopt_unix(socket: OwnedFd) -> io::Result<UnixStream> {
    let stream = std::os::unix::net::UnixStream::from(socket);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// Who came in by the Unix socket. Who cannot be named is a guest.
fn door_of(stream: &UnixStream) -> Door {
    let me = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == me || peer.uid() == 0 => Door::Unix,
        Ok(_) | Err(_) => Door::Guest,
    }
}

/// The connections that are open.
struct Floor {
    shared: Arc<Shared>,
    shutdown: watch::Receiver<bool>,
    /// Dropping it ends them all.
    connections: JoinSet<()>,
    places: Arc<Semaphore>,
    admin_places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    /// Connections cannot be accepted.
    deaf: Degraded,
    /// There are as many connections as there may be.
    full: Degraded,
}

impl Floor {
    fn new(shared: Arc<Shared>, shutdown: watch::Receiver<bool>) -> Self {
        let places = Arc::new(Semaphore::new(shared.config.max_connections));
        Self {
            shared,
            shutdown,
            connections: JoinSet::new(),
            places,
            admin_places: Arc::new(Semaphore::new(ADMIN)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
            deaf: Degraded::default(),
            full: Degraded::default(),
        }
    }

    /// An accept failed. Whoever is not accepted waits in the backlog.
    async fn pause(&mut self, error: &io::Error) {
        if let Some(times) = self.deaf.fails(self.shared.clock.now()) {
            let open = self.connections.len();
            tracing::warn!(%error, times, open, "cannot accept connections: clients wait");
        }
        tokio::time::sleep(PAUSE).await;
    }

    fn accepted(&mut self) {
        if self.deaf.goes_on()
            && let Some(lasted) = self.deaf.works(self.shared.clock.now())
        {
            tracing::info!(seconds = lasted.as_secs(), "accepting connections again");
        }
    }

    fn admit_tcp(&mut self, stream: TcpStream, door: fn(std::net::SocketAddr) -> Door) {
        self.accepted();
        // Without it the kernel holds back the end of an answer for the client's next ACK.
        let prepared = stream.set_nodelay(true).and_then(|()| stream.local_addr());
        match prepared {
            Ok(own) => self.admit(stream, door(own)),
            Err(error) => gone(&error),
        }
    }

    fn admit(&mut self, wire: impl Wire, door: Door) {
        let connection = Connection::new(self.shared.clone(), door, wire);
        self.place(connection, door);
    }

    /// Goes on with a client that another daemon could not answer.
    fn adopt(&mut self, Adopted { parked, place }: Adopted) {
        let shared = self.shared.clone();
        match parked.entrance {
            Entrance::Tcp => match adopt_tcp(parked.socket) {
                Ok((wire, own)) => {
                    let connection = Connection::new(shared, Door::Tcp(own), wire);
                    self.place(connection.adopting(&parked.bytes, place), Door::Tcp(own));
                }
                Err(error) => gone(&error),
            },
            Entrance::Unix => match adopt_unix(parked.socket) {
                Ok(wire) => {
                    let door = door_of(&wire);
                    let connection = Connection::new(shared, door, wire);
                    self.place(connection.adopting(&parked.bytes, place), door);
                }
                Err(error) => gone(&error),
            },
        }
    }

    fn place<W: Wire>(&mut self, connection: Connection<W>, door: Door) {
        let places = if matches!(door, Door::Admin(_)) {
            &self.admin_places
        } else {
            &self.places
        };
        let free = places.clone().try_acquire_owned();
        self.watch(free.is_ok());
        if let Ok(place) = free {
            let stop = self.shutdown.clone();
            self.spawn(connection.holding(place).serve(stop));
        } else if let Ok(place) = self.turned_away.clone().try_acquire_owned() {
            self.spawn(connection.holding(place).turn_away());
        }
    }

    /// Tells when there are too many connections, and when there is room again.
    fn watch(&mut self, room: bool) {
        if room && !self.full.goes_on() {
            return;
        }
        let now = self.shared.clock.now();
        if room {
            if let Some(lasted) = self.full.works(now) {
                tracing::info!(
                    seconds = lasted.as_secs(),
                    "there is room for connections again"
                );
            }
        } else if let Some(times) = self.full.fails(now) {
            let limit = self.shared.config.max_connections;
            tracing::warn!(limit, times, "too many connections: more are answered 503");
        }
    }

    fn spawn(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        // Those that have ended are cleared away now and not one by one as they end: each would wake
        // the listeners, which costs a client with a connection for each request as much as its read.
        while self.connections.try_join_next().is_some() {}
        self.connections.spawn(connection);
    }
}
