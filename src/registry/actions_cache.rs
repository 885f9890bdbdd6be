//! The cache of GitHub Actions as a store of records: our own client of its service, version 2.
//!
//! What a job's token lets it look up there was written by jobs that GitHub lets it read from, so whoever finds
//! a record may have its ticket. The service speaks Twirp's JSON; what is kept goes to and comes from signed
//! URLs. It has no list and no removal: a lookup gives the newest entry of a prefix, and entries end by
//! themselves after a week without use.
//!
//! The interface is not documented for others. Everything unexpected is a [`Failed`], never more:
//! <https://github.com/actions/toolkit/tree/main/packages/cache> is where its shape comes from.
//!
//! Bounds: 1 MiB of any answer, 8 s for a call. The token goes to the service alone, never to the host of a signed URL;
//! no error and no log has a signed URL or the token in it.

mod answer;
mod token;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use reqwest::redirect;
use serde_json::{Value, json};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::github::{BuildError, Proxies, USER_AGENT};

pub use answer::{Failed, Found};
pub use token::{Access, Claims};

/// What the paths of all calls begin with.
const SERVICE: &str = "/twirp/github.actions.results.api.v1.CacheService/";
/// The most bytes of an answer, and of an entry.
pub const ANSWER_MAX: usize = 1 << 20;
const CONNECT: Duration = Duration::from_secs(4);
/// For a call as a whole.
const CALL: Duration = Duration::from_secs(8);
/// How often, and after which pause, an upload is closed again that the service does not see yet.
const CLOSE: (u32, Duration) = (3, Duration::from_secs(1));

/// The token of a job for the services of Actions. It is sent to the cache service, and shown nowhere.
#[derive(Clone)]
pub struct RuntimeToken(Zeroizing<String>);

impl RuntimeToken {
    /// Takes a token as the runner gives it.
    pub fn new(token: &str) -> Self {
        Self(Zeroizing::new(token.trim().to_owned()))
    }

    /// What it says about itself; `None` if it is no JWT.
    pub fn claims(&self) -> Option<Claims> {
        token::claims(&self.0)
    }

    fn header(&self) -> Option<HeaderValue> {
        let text = Zeroizing::new(format!("Bearer {}", *self.0));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for RuntimeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where the service is, and who asks it.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ACTIONS_RESULTS_URL`.
    pub service: String,
    /// `ACTIONS_RUNTIME_TOKEN`, or another that says the same.
    pub token: RuntimeToken,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum NotUsable {
    /// Not a URL.
    #[error("the address of the cache service is no URL")]
    Address,
    /// The token would travel for everybody to read.
    #[error("the address of the cache service is neither https nor on a private network")]
    Insecure,
    /// A token cannot have these characters.
    #[error("the token for the cache service is not one")]
    Token,
    /// No HTTP client.
    #[error(transparent)]
    Client(#[from] BuildError),
}

/// A cheap handle.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    service: Url,
    token: RuntimeToken,
    authorization: HeaderValue,
}

impl Client {
    /// A client for `config`, through `proxies` where the network demands them.
    pub fn new(config: Config, proxies: &Proxies) -> Result<Self, NotUsable> {
        let Config { service, token } = config;
        let service = Url::parse(service.trim()).map_err(|_| NotUsable::Address)?;
        if !is_safe(&service) {
            return Err(NotUsable::Insecure);
        }
        let authorization = token.header().ok_or(NotUsable::Token)?;
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT)
            .timeout(CALL);
        let http = proxies.applied(builder)?;
        let http = http.build().map_err(BuildError::Client)?;
        Ok(Self(Arc::new(Inner {
            http,
            service,
            token,
            authorization,
        })))
    }

    /// What the token says about itself.
    pub fn claims(&self) -> Option<Claims> {
        self.0.token.claims()
    }

    /// Keeps `bytes` under `key` for good.
    pub async fn save(&self, key: &str, bytes: Bytes) -> Result<(), Failed> {
        let entry = json!({"key": key, "version": version()});
        let url = answer::reserved(&self.call("CreateCacheEntry", &entry).await?)?;
        let size = bytes.len();
        self.upload(&url, bytes).await?;
        // 64-bit numbers are text in the JSON of protocol buffers.
        let entry = json!({"key": key, "version": version(), "size_bytes": size.to_string()});
        let mut attempt = 1;
        loop {
            let closed = self.call("FinalizeCacheEntryUpload", &entry).await?;
            match answer::finalised(&closed) {
                // It was reserved a moment ago, and is not known everywhere yet.
                Err(Failed::NotFound) if attempt < CLOSE.0 => attempt += 1,
                done => return done,
            }
            tokio::time::sleep(CLOSE.1).await;
        }
    }

    /// The newest entry whose key begins with the first of `prefixes` that any begins with.
    pub async fn find(&self, prefixes: &[String]) -> Result<Option<Found>, Failed> {
        // The service looks for starts among the restore keys alone.
        let wanted = json!({
            "key": prefixes.first(),
            "restore_keys": prefixes,
            "version": version(),
        });
        answer::found(&self.call("GetCacheEntryDownloadURL", &wanted).await?)
    }

    /// What is kept in an entry that was found.
    pub async fn fetch(&self, found: &Found) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let url = self.signed(found.url())?;
        let request = self.0.http.request(Method::GET, url);
        let answer = receive(request).await?;
        match answer.status {
            StatusCode::OK => Ok(Zeroizing::new(answer.body)),
            status => Err(Failed::Blob(status.as_u16())),
        }
    }

    async fn upload(&self, url: &str, bytes: Bytes) -> Result<(), Failed> {
        let request = self
            .0
            .http
            .request(Method::PUT, self.signed(url)?)
            .header("x-ms-blob-type", "BlockBlob")
            .header("x-ms-version", "2020-04-08")
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(bytes);
        match receive(request).await?.status {
            status if status.is_success() => Ok(()),
            status => Err(Failed::Blob(status.as_u16())),
        }
    }

    async fn call(&self, method: &str, body: &Value) -> Result<answer::Answer, Failed> {
        let url = self.0.service.join(&format!("{SERVICE}{method}"));
        let url = url.map_err(|_| Failed::Unreachable)?;
        let request = self
            .0
            .http
            .request(Method::POST, url)
            .header(AUTHORIZATION, self.0.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        receive(request).await
    }

    /// A signed URL, if it may be asked: as safe as the service itself.
    fn signed(&self, url: &str) -> Result<Url, Failed> {
        let url = Url::parse(url).map_err(|_| Failed::Nonsense)?;
        let as_safe = url.scheme() == "https" || self.0.service.scheme() == "http";
        (as_safe && is_safe(&url))
            .then_some(url)
            .ok_or(Failed::Nonsense)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.service.host_str().unwrap_or_default();
        write!(f, "actions_cache::Client({host})")
    }
}

/// What sets our entries apart from those of others, in the form that the official client's have.
fn version() -> String {
    Digest::of([&b"ghswarm-registry-1"[..]]).hex()
}

/// Sends a request and reads its answer, up to the limit.
async fn receive(request: reqwest::RequestBuilder) -> Result<answer::Answer, Failed> {
    // What goes wrong is told without the URL, which can be a signed one.
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            Failed::Slow
        } else {
            Failed::Unreachable
        }
    };
    let mut response = request.send().await.map_err(failed)?;
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err(Failed::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(answer::Answer {
        status: response.status(),
        retry_after,
        body,
    })
}

/// Whether a secret may be sent there: over TLS, or to an address of this machine or its own network, where
/// runners have proxies of their own.
fn is_safe(url: &Url) -> bool {
    let near = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        None => return false,
    };
    match url.scheme() {
        "https" => true,
        "http" => near,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(service: &str) -> Config {
        Config {
            service: service.to_owned(),
            token: RuntimeToken::new("aaa.SECRET.bbb\n"),
        }
    }

    #[test]
    fn the_token_goes_nowhere_where_others_could_read_it() {
        let usable = |url: &str| Client::new(config(url), &Proxies::default());
        for good in [
            "https://results-receiver.actions.githubusercontent.com/",
            "http://127.0.0.1:1/",
            "http://[::1]:1/",
            "http://10.1.2.3:8080/",
            "http://localhost:1/",
        ] {
            assert!(usable(good).is_ok(), "{good}");
        }
        for bad in ["http://example.org/", "http://1.2.3.4/", "ftp://10.0.0.1/"] {
            assert!(matches!(usable(bad), Err(NotUsable::Insecure)), "{bad}");
        }
        let client = usable("https://example.org/").unwrap();
        assert!(client.signed("http://127.0.0.1:1/x").is_err());
        assert!(client.signed("https://blob.example.net/x?sig=1").is_ok());
    }

    #[test]
    fn nothing_prints_the_token() {
        let config = config("https://example.org/?x=SECRET");
        let client = Client::new(config.clone(), &Proxies::default()).unwrap();
        let printed = format!("{:?} {client:?}", config.token);
        assert!(!printed.contains("SECRET"), "{printed}");
    }
}
