//! What goes wrong between the daemon and GitHub: each fault by name, what the client got, that memory
//! stayed bounded, and that the next request works.
//!
//! The origin here is raw TCP: every byte of an answer, every pause and every reset is the story's.

mod addresses;
mod clocks;
mod heads;
mod lengths;
mod origin;
mod process;
mod proxies;
mod resets;
mod streams;
mod tls;
mod trickles;

use std::net::SocketAddr;
use std::time::Duration;

use ghswarm::daemon::{Config, Daemon, Ready};
use ghswarm::github::{self, budget};
use ghswarm::stats::Snapshot;
use ghswarm::tiered;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use url::Url;

/// The longest that a story waits for anything: this machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Something that is cached, and something that is not.
const READ: &str = "/repos/octo-org/app/issues/1";
const BYTES: &str = "/repos/octo-org/app/zipball/main";

/// A daemon of this process in front of an origin.
struct Front {
    ready: Ready,
    /// The daemon ends with it.
    _running: watch::Sender<bool>,
}

impl Front {
    /// With time limits of a second or two, and no pause between writes.
    fn of(origin: Url) -> Self {
        Self::with(quick(origin))
    }

    fn with(github: github::Config) -> Self {
        Self::configured(Config {
            github,
            ..Config::default()
        })
    }

    fn configured(config: Config) -> Self {
        let config = Config {
            budget: budget::Config {
                write_gap: Duration::ZERO,
                ..config.budget
            },
            ..config
        };
        Self::paced(config)
    }

    /// With the pauses that `config` says.
    fn paced(config: Config) -> Self {
        let daemon = Daemon::bind(config, None).unwrap();
        let ready = daemon.ready().clone();
        let running = watch::Sender::new(false);
        tokio::spawn(daemon.run(running.subscribe()));
        Self {
            ready,
            _running: running,
        }
    }

    fn address(&self) -> SocketAddr {
        self.ready.api_url[7..].parse().unwrap()
    }

    async fn get(&self, path: &str) -> Reply {
        get(self.address(), path).await
    }

    async fn post(&self, path: &str, body: &str) -> Reply {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        ask(self.address(), &head, body.as_bytes()).await
    }

    /// What the daemon counted.
    async fn stats(&self) -> Snapshot {
        let token = std::fs::read_to_string(self.ready.admin_token_file.as_ref().unwrap()).unwrap();
        let url: Url = self.ready.admin_url.as_ref().unwrap().parse().unwrap();
        let address = url.socket_addrs(|| None).unwrap()[0];
        let head = format!(
            "GET /stats HTTP/1.1\r\nAuthorization: Bearer {}\r\n",
            token.trim()
        );
        let reply = ask_as(address, &address.to_string(), &head, b"").await;
        serde_json::from_slice(&reply.body).unwrap()
    }

    async fn reason(&self, name: &str) -> u64 {
        self.stats().await.reasons.get(name).copied().unwrap_or(0)
    }
}

/// The limits of a story.
fn quick(origin: Url) -> github::Config {
    github::Config {
        connect_timeout: Duration::from_millis(1500),
        head_timeout: Duration::from_secs(2),
        idle_timeout: Duration::from_secs(1),
        ..github::Config::new(origin)
    }
}

/// A daemon that buffers a body for no longer than `hold_time`.
fn holding(origin: Url, hold_time: Duration) -> Config {
    Config {
        github: quick(origin),
        tiered: tiered::Config {
            hold_time,
            ..tiered::Config::default()
        },
        ..Config::default()
    }
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// Whether the framing says that this was all: the last chunk, or as many bytes as announced.
    whole: bool,
}

impl Reply {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn cache(&self) -> &str {
        self.field("cache-status").unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Holds an answer to an error of our own, and gives its message.
    #[track_caller]
    fn failure(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.whole, "{self:?}");
        let json: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        let message = json["message"].as_str().unwrap();
        assert!(message.starts_with("ghswarm: "), "{message}");
        assert!(json["documentation_url"].is_string(), "{json}");
        message.to_owned()
    }

    #[track_caller]
    fn good(&self) -> String {
        assert!(self.status == 200 && self.whole, "{self:?}");
        self.text()
    }
}

async fn get(address: SocketAddr, path: &str) -> Reply {
    ask(address, &format!("GET {path} HTTP/1.1\r\n"), b"").await
}

/// One request on a connection of its own, and everything that comes back.
async fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Reply {
    let head = format!("{head}Authorization: token ghp_story\r\n");
    ask_as(address, &address.to_string(), &head, body).await
}

async fn ask_as(address: SocketAddr, host: &str, head: &str, body: &[u8]) -> Reply {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("{head}Host: {host}\r\nConnection: close\r\n\r\n");
        stream
            .write_all(&[head.as_bytes(), body].concat())
            .await
            .unwrap();
        let head_only = head.starts_with("HEAD ");
        read_reply(&mut BufReader::new(stream), head_only).await
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .expect("an answer in time")
}

/// Reads one answer by its own framing.
async fn read_reply(stream: &mut BufReader<TcpStream>, head_only: bool) -> Reply {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        assert!(
            stream.read_until(b'\n', &mut head).await.unwrap() > 0,
            "the head of an answer"
        );
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut reply = Reply {
        status: head[9..12].parse().unwrap(),
        head,
        body: Vec::new(),
        whole: true,
    };
    if head_only || reply.status == 204 || reply.status == 304 {
        return reply;
    }
    let chunked = reply.field("transfer-encoding").is_some();
    if let Some(length) = reply.field("content-length") {
        assert!(!chunked, "{reply:?}");
        let length: u64 = length.parse().unwrap();
        // A reset is an end as well.
        let _ = stream.take(length).read_to_end(&mut reply.body).await;
        reply.whole = reply.body.len() as u64 == length;
    } else if chunked {
        reply.whole = read_chunks(stream, &mut reply.body).await.is_some();
    } else {
        reply.whole = stream.read_to_end(&mut reply.body).await.is_ok();
    }
    reply
}

/// `None`: the last chunk never came.
async fn read_chunks(stream: &mut BufReader<TcpStream>, into: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let size = usize::from_str_radix(line.strip_suffix("\r\n")?, 16).ok()?;
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).await.ok()?;
        into.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Some(());
        }
    }
}

/// Ends a story for lack of something that a machine may do without: to be followed by `return`.
fn absent(what: &str) {
    use std::io::Write as _;

    // Past the test harness, which swallows what a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped: no {what}");
}
