//! A proxy, what stands behind it, and a client that writes raw bytes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ghswarm::clock::Clock;
use ghswarm::github::{self, Client};
use ghswarm::proxy::admin::Admin;
use ghswarm::proxy::parking::{Line, Parking};
use ghswarm::proxy::{Config, Listeners, Proxy, Service};
use ghswarm::secret::LocalSecret;
use ghswarm::stats::Stats;
use ghswarm::tiered::{self, Tiered};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::origin::Origin;

pub(crate) const TOKEN: &str = "admin-token";

/// The whole play. Dropping it ends everything.
pub(crate) struct Stage {
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) origin: Origin,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) run: JoinHandle<std::io::Result<()>>,
    _dir: tempfile::TempDir,
}

impl Stage {
    /// With the cache.
    pub(crate) async fn cached() -> Self {
        Self::set(Config::default(), true).await
    }

    /// Without.
    pub(crate) async fn passing() -> Self {
        Self::set(Config::default(), false).await
    }

    /// With the cache, and with a keeper's end of the line.
    pub(crate) async fn kept() -> (Self, Line) {
        let (daemon, keeper) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let stats = Arc::new(Stats::new(&ghswarm::api::Operation::NAMES));
        let parking = Parking::new(Line::new(daemon).unwrap(), stats);
        let stage = Self::build(Config::default(), true, Some(parking)).await;
        (stage, Line::new(keeper).unwrap())
    }

    pub(crate) async fn set(config: Config, cached: bool) -> Self {
        Self::build(config, cached, None).await
    }

    async fn build(config: Config, cached: bool, parking: Option<Parking>) -> Self {
        let origin = Origin::start().await;
        let base = url::Url::parse(&format!("http://{}", origin.address)).unwrap();
        let client = Client::new(github::Config {
            origin: base.clone(),
            origin_for: vec![("uploads.github.com".to_owned(), base)],
            ..github::Config::default()
        })
        .unwrap();
        let service = if cached {
            Service::Tiered(tiered(client.clone()))
        } else {
            Service::PassThrough(client.clone(), None)
        };
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let loopback = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (tcp, admin) = (loopback(), loopback());
        let (address, admin_address) = (tcp.local_addr().unwrap(), admin.local_addr().unwrap());
        let listeners = Listeners {
            tcp,
            unix: Some(std::os::unix::net::UnixListener::bind(&socket).unwrap()),
            admin: Some(admin),
        };
        let (stop, stopped) = watch::channel(false);
        let admin = Admin {
            token: TOKEN.to_owned().into(),
            ready: serde_json::json!({"pid": 1}),
            stop: stop.clone(),
            peers: None,
            finish: None,
        };
        let mut proxy = Proxy::new(config, service, client, Some(admin));
        if let Some(parking) = parking {
            proxy = proxy.parking(parking);
        }
        let run = tokio::spawn(proxy.run(listeners, stopped));
        Self {
            proxy: address,
            admin: admin_address,
            socket,
            origin,
            stop,
            run,
            _dir: dir,
        }
    }

    pub(crate) async fn connect(&self) -> Peer<TcpStream> {
        Peer::new(
            TcpStream::connect(self.proxy).await.unwrap(),
            self.proxy.to_string(),
        )
    }

    pub(crate) async fn connect_unix(&self, host: &str) -> Peer<UnixStream> {
        Peer::new(
            UnixStream::connect(&self.socket).await.unwrap(),
            host.to_owned(),
        )
    }

    pub(crate) async fn connect_admin(&self) -> Peer<TcpStream> {
        Peer::new(
            TcpStream::connect(self.admin).await.unwrap(),
            self.admin.to_string(),
        )
    }
}

fn tiered(client: Client) -> Tiered {
    let clock = Clock::system();
    // The pause between writes is the budget's story, not this one.
    let write_gap = std::time::Duration::ZERO;
    let budget = github::budget::Config {
        write_gap,
        ..Default::default()
    };
    Tiered::new(tiered::Parts {
        config: tiered::Config::default(),
        secret: LocalSecret::new([7; 32]),
        github: client,
        gate: github::Gate::new(budget, clock.clone()),
        clock,
        stats: Arc::new(Stats::new(&ghswarm::api::Operation::NAMES)),
        directory: None,
        disk: None,
        swarm: None,
    })
}

/// A client's end of a connection.
pub(crate) struct Peer<S> {
    pub(crate) stream: BufReader<S>,
    pub(crate) host: String,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn cache(&self) -> &str {
        self.field("cache-status").unwrap_or_default()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    fn new(stream: S, host: String) -> Self {
        Self {
            stream: BufReader::new(stream),
            host,
        }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .await
            .unwrap();
    }

    pub(crate) fn get_text(&self, target: &str) -> String {
        format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: token ghp_x\r\n\r\n",
            self.host
        )
    }

    /// Sends a GET and reads its answer.
    pub(crate) async fn get(&mut self, target: &str) -> Reply {
        self.write(self.get_text(target)).await;
        self.reply().await
    }

    /// Sends a request with more fields, which end in a line break each.
    pub(crate) async fn ask(&mut self, line: &str, fields: &str, body: &[u8]) -> Reply {
        let head = format!("{line} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", self.host);
        self.write([head.as_bytes(), body].concat()).await;
        if line.starts_with("HEAD ") {
            self.head_only().await
        } else {
            self.reply().await
        }
    }

    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.expect("the head of an answer"));
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) async fn head_only(&mut self) -> Reply {
        Reply {
            head: self.head().await,
            body: Vec::new(),
        }
    }

    /// Reads a whole answer: by its length, or its chunks, and no byte more.
    pub(crate) async fn reply(&mut self) -> Reply {
        let mut reply = self.head_only().await;
        if let Some(length) = reply.field("content-length") {
            reply.body = vec![0; length.parse().unwrap()];
            self.stream
                .read_exact(&mut reply.body)
                .await
                .expect("the whole body");
        } else if reply.field("transfer-encoding").is_some() {
            loop {
                let mut size = Vec::new();
                while !size.ends_with(b"\r\n") {
                    size.push(self.stream.read_u8().await.expect("a chunk"));
                }
                let size = std::str::from_utf8(&size).unwrap().trim();
                let size = usize::from_str_radix(size, 16).unwrap();
                let mut chunk = vec![0; size + 2];
                self.stream
                    .read_exact(&mut chunk)
                    .await
                    .expect("a whole chunk");
                if size == 0 {
                    break;
                }
                reply.body.extend_from_slice(&chunk[..size]);
            }
        }
        reply
    }

    /// What comes until the end; an error counts as `None`.
    pub(crate) async fn rest(&mut self) -> Option<Vec<u8>> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.ok().map(|_| rest)
    }
}
