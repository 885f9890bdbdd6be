//! Connections, apart by what their names may resolve to and whether they go through a proxy.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect;
use url::Url;

use super::names::{Names, Resolver};
use super::origin::Place;
use super::proxies::Proxies;
use super::{BuildError, Refused, USER_AGENT};

/// How often an HTTP/2 connection with calls on it is asked whether it lives, and how soon it must say so.
const ALIVE_EVERY: Duration = Duration::from_secs(20);
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// How long sent bytes may go unacknowledged. After a suspend, or behind a gateway that forgot about
/// us, nobody says that a connection is dead; a safe call is then sent again while it still helps. Not
/// less: Linux counts an upload's peer that does not take any bytes, too.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// Header lines of an answer, and bytes of them over HTTP/2. hyper's own bounds are 100 lines and 16 KiB,
/// which a gateway that adds cookies and policies can reach; over HTTP/1 its bound is 400 KiB.
const HEADER_LINES: usize = 256;
const HEADER_BYTES: u32 = 256 << 10;

/// The three pools.
///
/// reqwest's own retries stay as they are: they repeat what HTTP/2 says was not looked at (RFC 9113,
/// section 8.7), whatever the method, and what was never written. [`retry`](super::retry) is about the
/// rest.
pub(super) struct Pools {
    kept: Kinds,
    /// The same without connections that are kept: whoever was let down by one takes none of them.
    fresh: OnceLock<Kinds>,
    matcher: Matcher,
    parts: Parts,
}

/// A client for each way out.
struct Kinds {
    /// To mapped hosts: their addresses are the operator's choice. No proxy.
    mapped: reqwest::Client,
    /// To public hosts: only public addresses. No proxy.
    guarded: reqwest::Client,
    /// Through a proxy, which resolves the names; absent when there is none.
    proxied: Option<reqwest::Client>,
}

/// What clients are made of.
struct Parts {
    connect_timeout: Duration,
    names: Names,
    /// For `https` and for `http`.
    proxies: [Option<Url>; 2],
}

impl Parts {
    fn builder(&self, keeps: bool) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            // The variables were read once, in the configuration.
            .no_proxy()
            .http1_max_headers(HEADER_LINES)
            // What a gateway folds is unfolded (RFC 9112, section 5.2).
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http2_max_header_list_size(HEADER_BYTES)
            // A connection that died without a word is found before the head's time limit.
            .http2_keep_alive_interval(ALIVE_EVERY)
            .http2_keep_alive_timeout(ALIVE_WITHIN)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .connect_timeout(self.connect_timeout);
        if keeps {
            builder
        } else {
            builder.pool_max_idle_per_host(0)
        }
    }

    fn build(&self, keeps: bool) -> Result<Kinds, reqwest::Error> {
        let [https, http] = &self.proxies;
        let mut builder = self.builder(keeps).dns_resolver(self.names.clone());
        if let Some(url) = https {
            builder = builder.proxy(reqwest::Proxy::https(url.clone())?);
        }
        if let Some(url) = http {
            builder = builder.proxy(reqwest::Proxy::http(url.clone())?);
        }
        let any = https.is_some() || http.is_some();
        Ok(Kinds {
            mapped: self
                .builder(keeps)
                .dns_resolver(self.names.clone())
                .build()?,
            guarded: self
                .builder(keeps)
                .dns_resolver(self.names.public_only())
                .build()?,
            proxied: any.then(|| builder.build()).transpose()?,
        })
    }
}

impl Pools {
    pub(super) fn new(
        connect_timeout: Duration,
        resolver: Resolver,
        proxies: &Proxies,
    ) -> Result<Self, BuildError> {
        let parts = Parts {
            connect_timeout,
            names: Names::new(resolver),
            proxies: proxies.urls()?,
        };
        Ok(Self {
            kept: parts.build(true).map_err(BuildError::Client)?,
            fresh: OnceLock::new(),
            matcher: proxies.matcher(),
            parts,
        })
    }

    /// The client for `place`; from the second `attempt` on, one that opens a new connection.
    pub(super) fn pick(&self, place: &Place, attempt: u32) -> Result<&reqwest::Client, Refused> {
        // What reqwest will send: a URL that HTTP cannot carry is found here, before any connection.
        let uri: Uri = place.url.as_str().parse().map_err(|_| Refused::Target)?;
        let kinds = if attempt == 1 {
            &self.kept
        } else {
            self.fresh().unwrap_or(&self.kept)
        };
        let proxied = !place.local && self.matcher.intercept(&uri).is_some();
        Ok(match (&kinds.proxied, place.mapped) {
            (Some(client), _) if proxied => client,
            (_, true) => &kinds.mapped,
            (_, false) => &kinds.guarded,
        })
    }

    /// Made when it is first needed, which is seldom: TLS takes its time.
    fn fresh(&self) -> Option<&Kinds> {
        if let Some(kinds) = self.fresh.get() {
            return Some(kinds);
        }
        match self.parts.build(false) {
            Ok(kinds) => Some(self.fresh.get_or_init(|| kinds)),
            Err(error) => {
                tracing::warn!(%error, "no client for new connections alone");
                None
            }
        }
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL of a proxy can hold a password.
        f.debug_struct("Pools")
            .field("proxied", &self.kept.proxied.is_some())
            .finish_non_exhaustive()
    }
}
