//! The client of GitHub: sends calls to where they belong, unchanged and unbuffered.
//!
//! A call names a host and a target, as a client of ours wrote them. `origin` maps the host to a URL,
//! `guard` keeps what is not the public internet out of reach, `hygiene` drops the fields that belong
//! to one connection, `retry` decides whether a lost call is sent once more. [`gate`] and [`budget`]
//! decide *when* a call may go; who sends asks them first. Nothing here looks into a body, follows a
//! redirect, decompresses, or keeps a cookie.

pub mod budget;
pub mod gate;

mod body;
mod error;
mod guard;
mod hygiene;
mod names;
mod origin;
mod pools;
mod proxies;
mod reach;
mod retry;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};
use http_body::Body as _;
use tokio::sync::Semaphore;
use url::Url;

pub use body::fell_silent;
pub use error::{Cause, Error, Fault, Late, Phase};
pub use gate::Gate;
pub use names::Resolver;
pub use origin::Enterprise;
pub use proxies::{Proxies, Unusable};
pub use reqwest::Body;

use body::Progress;
use origin::Origins;
use pools::Pools;

/// Our name upstream. It must not hold `curl`, `Wget`, `Safari` or `Firefox`: GitHub pretty-prints
/// for those after it has computed the `ETag`, and no body would match its validator any more.
pub const USER_AGENT: &str = concat!("ghswarm/", env!("CARGO_PKG_VERSION"));

/// How the client reaches GitHub.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API is.
    pub origin: Url,
    /// Hosts (`name` or `name:port`) that are sent to a base URL instead of being looked up.
    pub origin_for: Vec<(String, Url)>,
    /// Calls that may wait for their answer's head at the same time; as many again to public hosts
    /// that are not mapped.
    pub concurrency: usize,
    /// For the name, the connection and TLS together.
    pub connect_timeout: Duration,
    /// From the last byte of the request to the answer's head.
    pub head_timeout: Duration,
    /// The longest pause inside an answer's body.
    pub idle_timeout: Duration,
    /// The proxies on the way to hosts that are not on this machine.
    pub proxies: Proxies,
    /// Who is asked for addresses.
    pub resolver: Resolver,
}

impl Config {
    /// The documented time limits and concurrency, with the API at `origin`.
    pub fn new(origin: Url) -> Self {
        Self {
            origin,
            origin_for: Vec::new(),
            // GitHub allows 100 concurrent requests, REST and GraphQL together.
            // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
            concurrency: 100,
            connect_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_mins(1),
            proxies: Proxies::default(),
            resolver: Resolver::System,
        }
    }

    /// Takes out the proxies that are `own`, the address of our own listener, and says so: a job that
    /// sends its clients through us has the same variables in our environment.
    #[must_use]
    pub fn without_proxy(mut self, own: SocketAddr) -> Self {
        let (proxies, named) = std::mem::take(&mut self.proxies).without_own(own);
        self.proxies = proxies;
        for variable in named {
            tracing::warn!(
                "{variable} is this daemon's own address {own}, so it is not used to reach GitHub; \
                 where a proxy is needed, set {variable} to it before the daemon starts"
            );
        }
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a literal; a test reads it")]
        Self::new(Url::parse("https://api.github.com").expect("a valid URL"))
    }
}

/// What is wrong with a [`Config`].
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An origin is not something that calls can be sent to.
    #[error("origin: {0}")]
    Origin(String),
    /// A proxy variable makes no sense.
    #[error(transparent)]
    Proxy(#[from] Unusable),
    /// TLS could not be set up: mostly there are no certificate authorities on this machine.
    #[error(
        "cannot set up the HTTP client; is there a package of CA certificates, or does SSL_CERT_FILE \
         name a file with them?"
    )]
    Client(#[source] reqwest::Error),
}

/// Where calls to a host go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// GitHub's API: the origin itself, or what `--origin-for` puts in the place of an API host.
    Api,
    /// What `--origin-for` puts in the place of another host.
    Mapped,
    /// Any other public host, over TLS.
    Public,
    /// Nowhere.
    Refused(Refused),
}

/// Why a call is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// Not the name of a host.
    #[error("the host is not valid")]
    Host,
    /// A host that is not on the public internet, and that no mapping allows.
    #[error("the host is not public; --origin-for can map it")]
    Private,
    /// A target that cannot be sent byte for byte: not an absolute path, with dot segments, with a
    /// backslash or a fragment.
    #[error("the request target cannot be sent unchanged")]
    Target,
}

/// A request on its way to GitHub.
#[derive(Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The host as the client named it.
    pub host: String,
    /// Path and query, sent byte for byte.
    pub target: String,
    /// The client's fields; what belongs to its own connection is removed here.
    pub headers: HeaderMap,
    /// The body; with an exact size hint it goes out with a `Content-Length`, else chunked.
    pub body: Body,
}

/// A cheap handle to the client and its connections.
#[derive(Debug, Clone)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    origins: Origins,
    pools: Pools,
    to_origins: Semaphore,
    to_public: Semaphore,
    head_timeout: Duration,
    idle_timeout: Duration,
}

impl Client {
    /// A client for `config`. Nothing is read from the environment but `SSL_CERT_FILE` and `SSL_CERT_DIR`,
    /// which name the certificate authorities in the place of the system's.
    pub fn new(config: Config) -> Result<Self, BuildError> {
        let Config {
            origin,
            origin_for,
            concurrency,
            resolver,
            proxies,
            ..
        } = config;
        Ok(Self(Arc::new(Shared {
            origins: Origins::new(&origin, &origin_for).map_err(BuildError::Origin)?,
            pools: Pools::new(config.connect_timeout, resolver, &proxies)?,
            to_origins: Semaphore::new(concurrency),
            to_public: Semaphore::new(concurrency),
            head_timeout: config.head_timeout,
            idle_timeout: config.idle_timeout,
        })))
    }

    /// Where calls to `host` go. A public name is judged again by its addresses when it is called.
    pub fn destination(&self, host: &str) -> Destination {
        self.0.origins.destination(host)
    }

    /// The names to use in the place of `host` for what it has under `/api/v3`, `/api/graphql` and
    /// `/api/uploads`, if it may be a GitHub Enterprise Server: a host that was mapped and is none of
    /// github.com's. Its other paths belong to the host itself.
    pub fn enterprise(&self, host: &str) -> Option<&Enterprise> {
        self.0.origins.names(host)
    }

    /// The target that an address in an answer of `host` has there, from the address's authority and
    /// the rest of it; `None` if it leads elsewhere. An Enterprise Server writes its API's addresses
    /// with the path that targets are without.
    pub fn target_at<'a>(&self, host: &str, authority: &str, rest: &'a str) -> Option<&'a str> {
        if authority.eq_ignore_ascii_case(host) {
            return Some(rest);
        }
        if let Some(names) = self.enterprise(authority) {
            let below = rest.strip_prefix(origin::ENTERPRISE)?;
            return (names.api == host && below.starts_with('/')).then_some(below);
        }
        let is_api = self.destination(authority) == Destination::Api;
        (is_api && !authority.starts_with("uploads.")).then_some(rest)
    }

    /// Whether `host` takes uploads, whose writes change their repository.
    pub fn takes_uploads(&self, host: &str) -> bool {
        host.starts_with("uploads.") || host.ends_with(origin::ENTERPRISE_UPLOADS)
    }

    /// Sends `call`. Returns with the answer's head, whatever its status; the body streams.
    ///
    /// Dropping the future, or later the body, ends the exchange.
    pub async fn send(&self, call: Call) -> Result<http::Response<Body>, Error> {
        let shared = &*self.0;
        let Call {
            method,
            host,
            target,
            mut headers,
            body,
        } = call;
        let place = shared.origins.place(&host, &target)?;
        shared.pools.pick(&place, 1)?;
        let seats = if place.mapped {
            &shared.to_origins
        } else {
            &shared.to_public
        };
        // Never closed, so there is always a seat in the end.
        let _seat = seats.acquire().await.ok();

        hygiene::request(&mut headers, body.size_hint().exact());
        let has_body = !body.is_end_stream();
        let progress = Progress::new();
        let mut body = has_body.then(|| body::marked(body, progress.clone()));
        let mut attempt = 1;
        loop {
            let client = shared.pools.pick(&place, attempt)?;
            let mut request = reqwest::Request::new(method.clone(), place.url.clone());
            *request.headers_mut() = headers.clone();
            *request.body_mut() = body.take();
            let answer = tokio::select! {
                answer = client.execute(request) => answer,
                () = progress.stalled(shared.head_timeout) => {
                    return Err(Error::Timeout(Late { host, phase: Phase::Head }));
                }
            };
            let error = match answer {
                Ok(answer) if answer.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    // We remove every wish for another protocol, so nobody asked for one.
                    return Err(Error::Switched(host));
                }
                Ok(answer) => return Ok(shared.hand_over(answer)),
                Err(error) => error.without_url(),
            };
            let cause = Cause::of(&error);
            let failure = error::classify(&error, cause);
            if !retry::again(&method, has_body, failure, attempt) {
                return Err(error::named(host, failure, cause, error));
            }
            tracing::debug!(%host, ?failure, ?cause, "sending the call once more");
            attempt += 1;
        }
    }
}

impl Shared {
    fn hand_over(&self, answer: reqwest::Response) -> http::Response<Body> {
        let mut answer = http::Response::<Body>::from(answer);
        if ends_with_connection(&answer) {
            answer.extensions_mut().insert(EndsWithConnection);
        }
        hygiene::response(answer.headers_mut());
        answer.map(|body| {
            if body.is_end_stream() {
                body
            } else {
                body::watched(body, self.idle_timeout)
            }
        })
    }
}

/// Marks an answer whose body ends when its connection does: nobody can tell whether it is all there.
#[derive(Debug, Clone, Copy)]
pub struct EndsWithConnection;

/// RFC 9112, section 6.3: neither a length nor chunks, in a version that needs one of them.
fn ends_with_connection(answer: &http::Response<Body>) -> bool {
    let framed = |name| answer.headers().contains_key(name);
    answer.version() <= Version::HTTP_11
        && !answer.body().is_end_stream()
        && !framed(CONTENT_LENGTH)
        && !framed(TRANSFER_ENCODING)
}
