//! Connections, apart by what their names may resolve to and whether they go through a proxy.

use std::fmt;
use std::time::Duration;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect;

use super::origin::Place;
use super::{Refused, USER_AGENT, guard};

/// How often an HTTP/2 connection with calls on it is asked whether it lives, and how soon it must say so.
const ALIVE_EVERY: Duration = Duration::from_secs(20);
const ALIVE_WITHIN: Duration = Duration::from_secs(10);

/// The three pools.
///
/// reqwest's own retries stay as they are: they repeat what HTTP/2 says was not looked at (RFC 9113,
/// section 8.7), whatever the method. [`retry`](super::retry) is about the rest.
pub(super) struct Pools {
    /// To mapped hosts: their addresses are the operator's choice. No proxy.
    mapped: reqwest::Client,
    /// To public hosts: only public addresses. No proxy.
    guarded: reqwest::Client,
    /// Through the proxy of the environment, which resolves the names; absent when there is none.
    proxied: Option<reqwest::Client>,
    matcher: Matcher,
}

impl Pools {
    pub(super) fn new(connect_timeout: Duration) -> Result<Self, reqwest::Error> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(redirect::Policy::none())
                .referer(false)
                // A connection that died without a word is found before the head's time limit.
                .http2_keep_alive_interval(ALIVE_EVERY)
                .http2_keep_alive_timeout(ALIVE_WITHIN)
                .no_gzip()
                .no_brotli()
                .no_deflate()
                .no_zstd()
                .connect_timeout(connect_timeout)
        };
        let matcher = Matcher::from_system();
        // Any public name shows whether there is a proxy at all: NO_PROXY does not name this one.
        let any = matcher
            .intercept(&Uri::from_static("https://ghswarm.invalid"))
            .is_some()
            || matcher
                .intercept(&Uri::from_static("http://ghswarm.invalid"))
                .is_some();
        Ok(Self {
            mapped: builder().no_proxy().build()?,
            guarded: builder()
                .no_proxy()
                .dns_resolver(guard::PublicOnly)
                .build()?,
            proxied: any.then(|| builder().build()).transpose()?,
            matcher,
        })
    }

    pub(super) fn pick(&self, place: &Place) -> Result<&reqwest::Client, Refused> {
        // What reqwest will send: a URL that HTTP cannot carry is found here, before any connection.
        let uri: Uri = place.url.as_str().parse().map_err(|_| Refused::Target)?;
        let direct = if place.mapped {
            &self.mapped
        } else {
            &self.guarded
        };
        let proxied = match &self.proxied {
            Some(client) if !place.local && self.matcher.intercept(&uri).is_some() => Some(client),
            _ => None,
        };
        Ok(proxied.unwrap_or(direct))
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL of a proxy can hold a password.
        f.debug_struct("Pools")
            .field("proxied", &self.proxied.is_some())
            .finish_non_exhaustive()
    }
}
