//! A daemon that lives, as other processes see it: HTTP over its Unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{Ready, state};
use crate::files::place::{self, Doubt};
use crate::github::Body;

/// The host that is us. Never asked at GitHub, and served on the Unix socket alone.
const INTERNAL: HeaderValue = HeaderValue::from_static("ghswarm.internal");
/// The longest wait for an answer of administration. A keeper restarts a daemon within a second.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait for the end of a daemon: it drains for 10 seconds, its keeper allows 15.
const END: Duration = Duration::from_secs(20);
/// The longest wait for the last numbers of a job: 3 s for requests in flight, 2 s for the disk, 1 s for the peers, and
/// a machine that is busy.
const FINISH: Duration = Duration::from_secs(15);

/// The socket of a daemon.
#[derive(Debug, Clone)]
pub struct Living {
    socket: PathBuf,
    /// Where it would listen by default, should nobody answer at what `ready.json` says: that file can
    /// be old, or broken.
    otherwise: Option<PathBuf>,
}

/// Why a daemon did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is none.
    #[error("no daemon listens at {socket}")]
    Nobody {
        /// Where it would.
        socket: String,
    },
    /// The connection failed.
    #[error("cannot connect to {socket}")]
    Connect {
        /// Where.
        socket: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another user listens there, and others still could put a socket of their own in its place.
    #[error("user {user} listens at {socket}, and the way there is not safe")]
    Unsafe {
        /// Where.
        socket: String,
        /// Who listens.
        user: u32,
        /// Why not.
        #[source]
        doubt: Doubt,
    },
    /// The exchange broke off.
    #[error("the daemon broke the exchange off")]
    Broken(#[from] hyper::Error),
    /// It took too long.
    #[error("the daemon has not answered for {} s", .0.as_secs())]
    Slow(Duration),
    /// It refused.
    #[error("{message} (HTTP {})", status.as_u16())]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// What it said is not what we expected: another version, or another program.
    #[error("the daemon's answer makes no sense")]
    Nonsense(#[source] serde_json::Error),
}

impl Living {
    /// The daemon that listens at `socket`.
    pub fn at(socket: PathBuf) -> Self {
        Self {
            socket,
            otherwise: None,
        }
    }

    /// The daemon of `state_dir`: where its `ready.json` says, else where it would listen.
    pub fn of(state_dir: &Path, default_socket: PathBuf) -> Self {
        match Ready::read(state_dir).and_then(|ready| ready.socket) {
            Some(socket) => Self {
                otherwise: (socket != default_socket).then_some(default_socket),
                socket,
            },
            None => Self::at(default_socket),
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Connects, if there is somebody to connect to, and if it is somebody to send a token to.
    pub async fn connect(&self) -> Result<UnixStream, AskError> {
        match (enter(&self.socket).await, &self.otherwise) {
            (Err(error), Some(otherwise)) => enter(otherwise).await.map_err(|_| error),
            (entered, _) => entered,
        }
    }

    /// Sends a request as it is, over a connection of its own as `gh` does: there is no state between
    /// two requests that the death of a daemon could break.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, AskError> {
        let stream = TokioIo::new(self.connect().await?);
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .title_case_headers(true)
            .handshake(stream)
            .await?;
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }

    /// Asks the administration; any answer but a success is an error.
    pub async fn ask(
        &self,
        method: Method,
        target: &str,
        body: impl Into<Body>,
    ) -> Result<Bytes, AskError> {
        self.ask_within(PATIENCE, method, target, body).await
    }

    async fn ask_within(
        &self,
        patience: Duration,
        method: Method,
        target: &str,
        body: impl Into<Body>,
    ) -> Result<Bytes, AskError> {
        let mut request = Request::new(body.into());
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap_or_default();
        request.headers_mut().insert(header::HOST, INTERNAL);
        let exchange = async {
            let response = self.send(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            Err(AskError::Refused {
                status,
                message: message(&body),
            })
        };
        tokio::time::timeout(patience, exchange)
            .await
            .unwrap_or(Err(AskError::Slow(patience)))
    }

    /// Asks it for its last numbers. From then on it hands everything through.
    pub async fn finish(&self) -> Result<Bytes, AskError> {
        let nothing = Bytes::new();
        self.ask_within(FINISH, Method::POST, "/finish", nothing)
            .await
    }

    /// How it is reached, in its own words.
    pub async fn ready(&self) -> Result<Ready, AskError> {
        let json = self.ask(Method::GET, "/ready", Bytes::new()).await?;
        serde_json::from_slice(&json).map_err(AskError::Nonsense)
    }

    /// Asks it to end and waits until it and its keeper are gone: they hold the lock of the state
    /// directory while they live, and a process id may be another process's by then.
    pub async fn stop(&self) -> Result<Bytes, AskError> {
        let state_dir = self.ready().await?.state_dir;
        let last = self.ask(Method::POST, "/stop", Bytes::new()).await?;
        let gone = tokio::task::spawn_blocking(move || {
            std::fs::File::open(state::lock_file(&state_dir))?.lock()
        });
        tokio::time::timeout(END, gone)
            .await
            .map_err(|_| AskError::Slow(END))?
            .ok();
        Ok(last)
    }
}

/// Connects to `socket`. Whoever listens there is ourselves, or has a place that only they and root can change.
async fn enter(socket: &Path) -> Result<UnixStream, AskError> {
    let name = || socket.display().to_string();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::ConnectionRefused => AskError::Nobody { socket: name() },
        _ => AskError::Connect {
            socket: name(),
            source,
        },
    };
    let stream = UnixStream::connect(socket).await.map_err(failed)?;
    let user = stream.peer_cred().map_err(failed)?.uid();
    let me = rustix::process::geteuid().as_raw();
    if user != me {
        let directory = socket.parent().unwrap_or(socket);
        place::check(directory, &[user, me]).map_err(|doubt| AskError::Unsafe {
            socket: name(),
            user,
            doubt,
        })?;
    }
    Ok(stream)
}

/// The `message` of an error in GitHub's shape, or the text as it is.
fn message(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match value.get("message").and_then(serde_json::Value::as_str) {
        // Whoever prints it says whose it is.
        Some(message) => message
            .strip_prefix("ghswarm: ")
            .unwrap_or(message)
            .to_owned(),
        None => String::from_utf8_lossy(body).trim().to_owned(),
    }
}
