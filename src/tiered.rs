//! The request path: memory, disk, GitHub; the one place that decides what a caller is shown.
//!
//! # Flow
//!
//! A read becomes a [`Question`](crate::api::Question); `decide` looks at what is held and says hit, revalidate or fetch.
//! Only GitHub's own answers are stored (`keep`), and only GitHub's word makes a grant. A write is
//! handed through and makes stale what it may have changed (`write`). GraphQL queries are kept for the
//! credential that asked (`query`).
//!
//! # Invariants
//!
//! * A body reaches a caller only if GitHub answered it, or a 304 to a validator computed over exactly
//!   these bytes, to this caller's own credential within `grant_ttl`, or if the body is proven public.
//! * Nothing asked before a write is shown as fresh after it.
//! * An error in the cache is a miss and a counter. Only GitHub can fail a request.
//!
//! # Not here
//!
//! Addresses, sockets and rewriting for clients: that is [`crate::proxy`]'s.

mod again;
mod ask;
mod collect;
mod decide;
mod epochs;
mod events;
mod flight;
mod hit;
mod keep;
mod lifetimes;
mod named;
mod peers;
mod prefixed;
mod promote;
mod query;
mod read;
mod revoked;
mod serve;
mod trust;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use tokio::time::Instant;

use crate::api::page::Links;
use crate::api::{Bypass, Effect, Fields, Head, RateHeaders, Route};
use crate::clock::Clock;
use crate::github::gate::Gate;
use crate::github::{self, Client, Destination};
use crate::http_cache::{CacheStatus, FieldBlock};
use crate::secret::{Authorization, CredentialId, LocalSecret, TokenKind};
use crate::stats::{Outcome, Snapshot, Stats};
use crate::store::{Disk, Memory};
use crate::swarm;
use crate::time::Timestamp;

use hit::request_control;

pub use again::Basis;
pub use lifetimes::{Lifetimes, TtlPolicy};
pub use named::{EntryRow, TooLarge};

/// What the request path may do.
#[derive(Debug, Clone)]
pub struct Config {
    /// The longest a grant is good for, whatever an entry's lifetime. Default 300 s.
    pub grant_ttl: Duration,
    /// Bytes held in memory. Default 64 MiB.
    pub memory_limit: u64,
    /// The longest body that is buffered and kept; longer ones stream through. Default 10 MiB.
    pub body_limit: usize,
    /// The longest that a body is buffered to be kept, and that others wait for it; a slower one is
    /// handed on as it comes. Default 30 s.
    pub hold_time: Duration,
    /// What happens when the budget is used up.
    pub on_exhausted: OnExhausted,
    /// The longest a request waits for budget. Default 30 s.
    pub max_wait: Duration,
    /// How long answers stay fresh.
    pub lifetimes: Lifetimes,
    /// How old a grant may be that stands in when GitHub cannot answer. Default one hour.
    pub stale_on_error: Duration,
    /// Whether GitHub's validators are computed; without, a new token starts cold.
    pub validators: bool,
    /// Whose word is enough for what a peer says of a public answer.
    pub trust: Trust,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grant_ttl: Duration::from_secs(300),
            memory_limit: 64 << 20,
            body_limit: 10 << 20,
            hold_time: Duration::from_secs(30),
            on_exhausted: OnExhausted::Wait,
            max_wait: Duration::from_secs(30),
            lifetimes: Lifetimes::default(),
            stale_on_error: Duration::from_secs(3600),
            validators: true,
            trust: Trust::Github,
        }
    }
}

/// What happens to a request for which there is no budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnExhausted {
    /// It waits, at most `max_wait`; then what is held is served stale where that is allowed.
    #[default]
    Wait,
    /// What is held is served stale at once where that is allowed; otherwise it waits.
    Stale,
    /// It fails at once.
    Fail,
}

/// Whose word is enough for an entry of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// GitHub's: each caller is shown it after GitHub has confirmed it to that caller, for free.
    #[default]
    Github,
    /// A peer's that knows the pool's secret, for what anybody may read and is still fresh.
    Swarm,
}

/// Everything the request path is made of.
#[derive(Debug)]
pub struct Parts {
    /// What it may do.
    pub config: Config,
    /// What credentials are identified with.
    pub secret: LocalSecret,
    /// The way to GitHub.
    pub github: Client,
    /// The budget in front of it.
    pub gate: Gate,
    /// The clock.
    pub clock: Clock,
    /// The counters, made with [`NAMES`](crate::api::Operation::NAMES).
    pub stats: Arc<Stats>,
    /// What all daemons of a user share: where they tell one another what they wrote. Without one, this
    /// daemon is alone.
    pub directory: Option<PathBuf>,
    /// The disk tier, if there is one.
    pub disk: Option<Disk>,
    /// The other runners, if there are any to share with.
    pub swarm: Option<swarm::Client>,
}

/// A cheap handle to the request path.
#[derive(Debug, Clone)]
pub struct Tiered(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    secret: LocalSecret,
    github: Client,
    gate: Gate,
    clock: Clock,
    stats: Arc<Stats>,
    memory: Memory,
    disk: Option<Disk>,
    peers: Option<peers::Peers>,
    absent: promote::Absent,
    events: events::Events,
    epochs: epochs::Epochs,
    revoked: revoked::Revoked,
    trust: trust::Trust,
    flights: flight::Flights,
    started: Instant,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The raw credential.
    pub authorization: Authorization,
    /// What it is called here.
    pub id: CredentialId,
    /// What kind of token it is.
    pub kind: TokenKind,
}

/// A client's request in the origin's terms.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The upstream host in lower case.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// All fields as the client sent them.
    pub headers: HeaderMap,
    /// The body, not yet read.
    pub body: github::Body,
    /// Who asks.
    pub caller: Caller,
}

impl Request {
    /// The head as decisions read it.
    fn head(&self) -> Head<'_> {
        Head {
            method: &self.method,
            host: &self.host,
            target: &self.target,
            fields: Fields::gather(
                self.headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_bytes())),
            ),
        }
    }
}

/// What a client gets.
#[derive(Debug)]
pub enum Answer {
    /// From the cache, or through it.
    Served(Served),
    /// GitHub's answer as it came, to be streamed.
    Passed {
        /// The answer; hop-by-hop fields are already gone.
        response: http::Response<github::Body>,
        /// What the cache did.
        cache: CacheStatus,
    },
    /// An error of our own.
    Failed(Failure),
}

/// An answer made of what is held.
#[derive(Debug, Clone)]
pub struct Served {
    /// 200, or 304 to the client's own condition.
    pub status: StatusCode,
    /// The stored fields, without validator, links, age, rate limits and framing.
    pub fields: FieldBlock,
    /// The caller's own validator, with its quotes.
    pub etag: Option<Arc<str>>,
    /// Pagination as targets on the same host.
    pub links: Option<Arc<Links>>,
    /// The identity body; empty for a 304.
    pub body: Bytes,
    /// How long ago GitHub said that this is current.
    pub age: Duration,
    /// What the cache did.
    pub cache: CacheStatus,
    /// What GitHub last told this caller about its budget.
    pub rate: Option<Arc<RateHeaders>>,
}

/// An error of our own, in words that say what to do.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The status.
    pub status: StatusCode,
    /// What happened.
    pub message: String,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// What the cache did.
    pub cache: CacheStatus,
}

impl Tiered {
    /// An empty cache in front of `parts.github`.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            config,
            secret,
            github,
            gate,
            clock,
            stats,
            directory,
            disk,
            swarm,
        } = parts;
        let limit = config.memory_limit;
        let (peers, limit) = match swarm.map(|client| peers::Peers::new(client, limit)) {
            Some((peers, own)) => (Some(peers), own),
            None => (None, limit),
        };
        Self(Arc::new(Inner {
            memory: match &disk {
                Some(_) => Memory::in_front_of_disk(limit),
                None => Memory::new(limit),
            },
            disk,
            peers,
            absent: promote::Absent::default(),
            config,
            secret,
            github,
            gate,
            clock,
            stats,
            events: events::Events::new(directory),
            epochs: epochs::Epochs::default(),
            revoked: revoked::Revoked::default(),
            trust: trust::Trust::default(),
            flights: flight::Flights::default(),
            started: Instant::now(),
        }))
    }

    /// Who sends this `Authorization` header.
    pub fn caller(&self, authorization: Option<&[u8]>) -> Caller {
        let authorization = Authorization::new(authorization);
        let id = self.0.secret.identify(&authorization);
        Caller {
            kind: authorization.kind(),
            authorization,
            id,
        }
    }

    /// The clock that ages are counted with.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// A hit in memory, without waiting for anything, counted as a request. `None`: use
    /// [`Tiered::answer`], which counts it.
    pub fn peek(&self, head: &Head<'_>, caller: &Caller, now: Timestamp) -> Option<Served> {
        let hit = self.0.peek(head, caller, now, |_, _, _| ());
        hit.map(|(served, ())| served)
    }

    /// Answers a request, and counts it.
    pub async fn answer(&self, request: Request) -> Answer {
        if self.0.github.destination(&request.host) != Destination::Api {
            return write::other_host(&self.0, request).await;
        }
        let route = match crate::api::route(&request.head()) {
            Route::Cacheable(_) if !request.body.is_end_stream() => Route::Bypass(Bypass::Body),
            route => route,
        };
        match route {
            Route::Cacheable(question) => read::answer(&self.0, request, question).await,
            Route::Query => query::answer(&self.0, request).await,
            Route::Write(effect) => write::answer(&self.0, request, effect).await,
            Route::Bypass(bypass) => {
                self.0.stats.reason(bypass.name());
                let cache = CacheStatus::Bypass {
                    reason: bypass.name(),
                };
                write::pass(&self.0, request, Effect::None, cache).await
            }
        }
    }

    /// Counts a request that was refused before it got here: for its host, its form, or as a web page's.
    pub fn refused(&self) {
        let stats = &self.0.stats;
        stats.reason("refused");
        stats.request(Outcome::Failed, usize::MAX, Duration::ZERO);
    }

    /// The statistics as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.0;
        let mut snapshot = inner.stats.snapshot();
        if let Some(peers) = &inner.peers {
            peers.describe(&mut snapshot);
        }
        let (entries, bytes) = inner.held();
        snapshot.set_gauges(entries, bytes);
        snapshot.evictions = inner.memory.evictions();
        if let Some(disk) = &inner.disk {
            // What memory lets go the disk still has.
            let counts = disk.counts();
            snapshot.evictions = counts.evictions;
            for (reason, count) in counts.reasons.into_iter().filter(|(_, count)| *count > 0) {
                // Beside what an earlier daemon of this job has counted.
                *snapshot.reasons.entry(reason.to_owned()).or_default() += count;
            }
        }
        snapshot.budget = inner
            .gate
            .rows(inner.clock.now())
            .into_iter()
            .filter_map(|row| serde_json::to_value(row).ok())
            .collect();
        snapshot.validators = inner.trust.rows(inner.clock.now());
        snapshot.uptime_seconds = inner.started.elapsed().as_secs();
        snapshot
    }
}
