//! The admin interface: statistics, metrics, the key-value store, peers, finishing and stopping.
//!
//! On the Unix socket it has the host `ghswarm.internal`, and the kernel says who is at the other end: our own user and
//! root may do everything there, another user little (the host's daemon has a socket that its jobs can
//! reach). On its loopback port it asks for the bearer token.

mod peers;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::failure::Refusal;
use super::finish::{self, Finish};
use super::forward::{self, Outgoing};
use super::{Service, Shared};
use crate::api::{Key, Namespace};
use crate::discovery::Discovery;
use crate::stats::prometheus;
use crate::tiered::Tiered;

/// What the admin interface needs besides the service itself.
pub struct Admin {
    /// The bearer token of the admin port.
    pub token: Zeroizing<String>,
    /// The ready file's content, answered as it is but for the addresses of `peers`.
    pub ready: serde_json::Value,
    /// Set to true by `POST /stop`.
    pub stop: watch::Sender<bool>,
    /// Whom we share with, if with anybody.
    pub peers: Option<Discovery>,
    /// What `POST /finish` needs. Absent for a daemon that is nobody's job's.
    pub finish: Option<Finish>,
}

/// Who asks, as far as the socket tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Our own user, or root.
    Owner,
    /// Another user of this machine, whom the mode of the Unix socket lets connect: a job beside the daemon
    /// of its host.
    Guest,
    /// Whoever can connect to a port.
    Stranger,
}

impl Access {
    /// What may be asked without the token. A guest learns how the daemon is reached and what it counted, and may
    /// say that something was written, as each of its own writes does. The rest shows what others
    /// stored, changes it, or ends the daemon.
    fn permits(self, method: &Method, path: &str) -> bool {
        match self {
            Self::Owner => true,
            Self::Guest => match path {
                "/ready" | "/stats" | "/metrics" => matches!(*method, Method::GET | Method::HEAD),
                "/cache/stale" => *method == Method::POST,
                _ => false,
            },
            Self::Stranger => false,
        }
    }

    fn refusal(self) -> Refusal {
        match self {
            Self::Owner | Self::Guest => Refusal::new(
                StatusCode::FORBIDDEN,
                "the daemon belongs to another user, who alone may do this",
            ),
            Self::Stranger => Refusal::new(
                StatusCode::UNAUTHORIZED,
                "the admin token is missing or wrong",
            ),
        }
    }
}

/// Entries listed when no limit is asked for, and at most.
const LISTED: (usize, usize) = (100, 10_000);

/// Answers one request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    access: Access,
    request: Request<Incoming>,
) -> Response<Outgoing> {
    match decide(&shared, access, request).await {
        Ok(mut response) => {
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response.map(forward::whole)
        }
        Err(refusal) => forward::refuse(&refusal),
    }
}

async fn decide(
    shared: &Shared,
    access: Access,
    request: Request<Incoming>,
) -> Result<Response<Bytes>, Refusal> {
    let admin = shared
        .admin
        .as_ref()
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "there is no admin interface here"))?;
    let path = request.uri().path().to_owned();
    if !access.permits(request.method(), &path)
        && !shows_token(request.headers().get(AUTHORIZATION), &admin.token)
    {
        return Err(access.refusal());
    }
    // What asks with HEAD gets no body: that is the connection's business.
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && path == "/ready" {
        return json(&peers::ready(&admin.ready, admin.peers.as_ref()));
    }
    if (request.method(), path.as_str()) == (&Method::POST, "/stop") {
        // The last numbers are those of this moment: what is still in flight counts in the log.
        let snapshot = tiered(shared)
            .ok()
            .map(Tiered::snapshot)
            .unwrap_or_default();
        admin.stop.send_replace(true);
        return json(&snapshot);
    }
    let tiered = tiered(shared)?;
    if (request.method(), path.as_str()) == (&Method::POST, "/finish") {
        let finish = admin.finish.as_ref().ok_or_else(|| {
            Refusal::new(
                StatusCode::CONFLICT,
                "this daemon is the host's: it goes on for the jobs that come",
            )
        })?;
        let report = finish::run(shared, finish, tiered, admin.peers.as_ref()).await;
        return Ok(typed("application/json; charset=utf-8", report));
    }
    let query = Query::read(request.uri().query().unwrap_or_default());
    if reads && path.starts_with(peers::PREFIX) {
        return peers::read(peers::or_none(admin.peers.as_ref())?, &path, &query).await;
    }
    if reads {
        // So that what was stored a moment ago is in it.
        tiered.settle().await;
        return read(tiered, &path, &query).await;
    }
    if request.method() != Method::POST {
        return Err(Refusal::allowing(
            "GET, HEAD, POST",
            "only GET, HEAD and POST are served here",
        ));
    }
    let body = Limited::new(request.into_body(), shared.config.admin_body_limit)
        .collect()
        .await;
    let body = body
        .map_err(|_| {
            Refusal::owned(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body has more than {} bytes, or broke off",
                    shared.config.admin_body_limit
                ),
            )
        })?
        .to_bytes();
    if path.starts_with(peers::PREFIX) {
        return peers::write(peers::or_none(admin.peers.as_ref())?, &path, &body).await;
    }
    write(tiered, &path, &query, &body).await
}

fn tiered(shared: &Shared) -> Result<&Tiered, Refusal> {
    match &shared.service {
        Service::Tiered(tiered) => Ok(tiered),
        Service::PassThrough(..) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "nothing is cached: everything passes through",
        )),
    }
}

/// Compares in constant time: a local program could otherwise guess byte by byte.
fn shows_token(authorization: Option<&HeaderValue>, token: &str) -> bool {
    let shown = authorization.and_then(|value| value.as_bytes().split_at_checked(7));
    !token.is_empty()
        && shown.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(shown.ct_eq(token.as_bytes()))
        })
}

async fn read(tiered: &Tiered, path: &str, query: &Query) -> Result<Response<Bytes>, Refusal> {
    match path {
        "/stats" => json(&tiered.snapshot()),
        "/metrics" => {
            let text = prometheus::text(&tiered.snapshot());
            Ok(typed(prometheus::CONTENT_TYPE, text.into()))
        }
        "/cache" => {
            let limit = query.number("limit")?.unwrap_or(LISTED.0);
            json(&tiered.list(limit.min(LISTED.1)).await)
        }
        _ => Err(not_found()),
    }
}

async fn write(
    tiered: &Tiered,
    path: &str,
    query: &Query,
    body: &Bytes,
) -> Result<Response<Bytes>, Refusal> {
    match path {
        "/kv/get" => match tiered.get(query.text("operation")?, body).await {
            Some(value) => Ok(typed("application/octet-stream", value)),
            None => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "nothing is stored under this key",
            )),
        },
        "/kv/put" => {
            let key_length = query
                .number("key_length")?
                .ok_or_else(|| missing("key_length"))?;
            let (key, _) = body.split_at_checked(key_length).ok_or_else(|| {
                Refusal::new(StatusCode::BAD_REQUEST, "key_length is more than the body")
            })?;
            let ttl = query.seconds("ttl")?;
            tiered
                .put(query.text("operation")?, key, body.slice(key_length..), ttl)
                .await
                .map_err(|why| {
                    Refusal::owned(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        format!("not stored: {why}"),
                    )
                })?;
            Ok(nothing())
        }
        "/kv/delete" => deleted(tiered.delete(query.text("operation")?, body).await),
        "/cache/clear" => json(&serde_json::json!({ "removed": tiered.clear().await })),
        "/cache/stale" => {
            tiered.mark_stale(&namespace(body)?).await;
            Ok(nothing())
        }
        "/cache/delete" => deleted(tiered.delete_entry(&query.key("id")?).await),
        _ => Err(not_found()),
    }
}

/// `OWNER/REPO`, `OWNER`, or `*` for everything.
fn namespace(body: &[u8]) -> Result<Namespace, Refusal> {
    let malformed = || {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "the body is neither OWNER/REPO nor OWNER nor *",
        )
    };
    let name = std::str::from_utf8(body).map_err(|_| malformed())?.trim();
    if name == "*" {
        return Ok(Namespace::Host);
    }
    Namespace::named(name).ok_or_else(malformed)
}

fn deleted(deleted: bool) -> Result<Response<Bytes>, Refusal> {
    json(&serde_json::json!({ "deleted": deleted }))
}

fn json(value: &impl Serialize) -> Result<Response<Bytes>, Refusal> {
    let text = serde_json::to_vec(value).map_err(|error| {
        Refusal::owned(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("cannot write JSON: {error}"),
        )
    })?;
    Ok(typed("application/json; charset=utf-8", text.into()))
}

fn typed(kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn nothing() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no such admin resource")
}

fn missing(name: &str) -> Refusal {
    Refusal::owned(
        StatusCode::BAD_REQUEST,
        format!("{name} is missing or malformed"),
    )
}

/// The parameters of a request.
struct Query(HashMap<String, String>);

impl Query {
    fn read(query: &str) -> Self {
        Self(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    fn text(&self, name: &str) -> Result<&str, Refusal> {
        self.0
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| missing(name))
    }

    /// 64 hexadecimal digits, as rows of the list have them.
    fn key(&self, name: &str) -> Result<Key, Refusal> {
        let text = self.text(name)?;
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(missing(name));
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = &text[index * 2..index * 2 + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| missing(name))?;
        }
        Ok(Key::from_bytes(bytes))
    }

    /// A time in seconds, with a fraction or without.
    fn seconds(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        let read = |text: &String| {
            let seconds = text.parse().ok()?;
            Duration::try_from_secs_f64(seconds).ok()
        };
        self.0
            .get(name)
            .map(|text| read(text).ok_or_else(|| missing(name)))
            .transpose()
    }

    fn number(&self, name: &str) -> Result<Option<usize>, Refusal> {
        self.0
            .get(name)
            .map(|text| text.parse().map_err(|_| missing(name)))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens() {
        let shows = |value: &'static str, token: &str| {
            shows_token(Some(&HeaderValue::from_static(value)), token)
        };
        assert!(shows("Bearer abc", "abc") && shows("bearer abc", "abc"));
        assert!(!shows("Bearer ab", "abc") && !shows("Bearer abcd", "abc"));
        assert!(!shows("abc", "abc") && !shows("token abc", "abc") && !shows("Bearer ", ""));
        assert!(!shows_token(None, "abc"));
    }

    #[test]
    fn a_guest_learns_what_concerns_a_guest() {
        let may = |access: Access, method: Method, path: &str| access.permits(&method, path);
        for path in ["/ready", "/stats", "/metrics"] {
            assert!(may(Access::Guest, Method::GET, path), "{path}");
            assert!(!may(Access::Stranger, Method::GET, path), "{path}");
        }
        assert!(may(Access::Guest, Method::POST, "/cache/stale"));
        for path in ["/cache", "/peers", "/peers/record", "/stop/", "/ready/"] {
            assert!(!may(Access::Guest, Method::GET, path), "{path}");
            assert!(may(Access::Owner, Method::GET, path), "{path}");
        }
        for path in [
            "/stop",
            "/stats",
            "/kv/get",
            "/kv/put",
            "/cache/clear",
            "/cache/delete",
        ] {
            assert!(!may(Access::Guest, Method::POST, path), "{path}");
        }
    }

    #[test]
    fn a_namespace_is_a_repository_an_owner_or_everything() {
        assert_eq!(
            namespace(b"Octo/Cat.js\n").unwrap(),
            Namespace::Repo("octo/cat.js".into())
        );
        assert_eq!(
            namespace(b"a/.github").unwrap(),
            Namespace::Repo("a/.github".into())
        );
        assert_eq!(namespace(b"Octo").unwrap(), Namespace::Owner("octo".into()));
        assert_eq!(namespace(b"*").unwrap(), Namespace::Host);
        for broken in ["", "/", "a/", "/a", "a/b/c", "a b", "a/..", "**"] {
            assert!(namespace(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}
