//! HTTP/1.1 for the service, its blobs, its list, and people with curl.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::seen::{Log, Request as Seen};
use super::store::Store;
use super::token::Claims;
use super::{Trouble, blob, listing, service};

/// The largest body: the official client sends up to 128 MiB at once.
const BODY_MAX: usize = 160 << 20;
/// The most connections at a time.
const CONNECTIONS: usize = 512;
/// Where a token is made for people: `?repository=1&scope=refs/heads/main&permission=3`.
const BY_HAND: &str = "/_lab/token";

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    store: Mutex<Store>,
    trouble: Mutex<Option<Trouble>>,
    log: Log,
}

impl Shared {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store: Mutex::new(store),
            trouble: Mutex::new(None),
            log: Log::new(),
        }
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_trouble(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.log.all()
    }

    pub(super) async fn asked(&self, part: &str, count: usize) {
        self.log.wait(part, count).await;
    }
}

/// Accepts connections until it is dropped.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        // An accept fails for one connection only (or for lack of descriptors): go on.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(stream, Arc::clone(&shared)));
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Without it, small answers in two writes wait for a delayed ACK.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    // A client that breaks off is its own business.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let (name, response) = match Limited::new(body, BODY_MAX).collect().await {
        Err(_) => (path, service::error(413, "out_of_range", "too large")),
        Ok(body) => {
            let body = body.to_bytes();
            let call = path.strip_prefix(service::PREFIX);
            match (call, shared.trouble()) {
                (Some(call), Some(trouble)) => {
                    (call.to_owned(), broken(&shared, call, trouble).await)
                }
                _ => route(&shared, &parts, &path, body),
            }
        }
    };
    shared.log.note(name, response.status().as_u16());
    let (mut head, bytes) = response.into_parts();
    head.headers.insert(CONTENT_LENGTH, bytes.len().into());
    let bytes = if parts.method == Method::HEAD {
        Bytes::new()
    } else {
        bytes
    };
    Ok(Response::from_parts(head, Full::new(bytes)))
}

async fn broken(shared: &Shared, call: &str, trouble: Trouble) -> Response<Bytes> {
    match trouble {
        Trouble::Unavailable => service::error(503, "unavailable", "service unavailable"),
        Trouble::RateLimited(seconds) => service::too_many(seconds),
        Trouble::Expired => service::error(401, "unauthenticated", "token is expired"),
        Trouble::Nonsense => Response::new(Bytes::from_static(b"<html>It works!</html>")),
        Trouble::Huge(size) => Response::new(Bytes::from(vec![b' '; size])),
        Trouble::Silent => {
            shared.log.note(call.to_owned(), 0);
            pending().await
        }
    }
}

fn route(
    shared: &Shared,
    parts: &http::request::Parts,
    path: &str,
    body: Bytes,
) -> (String, Response<Bytes>) {
    let query = read(parts.uri.query().unwrap_or_default());
    let mut store = shared.store();
    let field = |name| text(&parts.headers, name);
    if let Some(method) = path.strip_prefix(service::PREFIX) {
        let base = format!("http://{}", field(HOST));
        let asked = service::Asked {
            method,
            content_type: field(CONTENT_TYPE),
            token: bearer(field(AUTHORIZATION)),
            base: &base,
            body: &body,
        };
        let response = if parts.method == Method::POST {
            service::call(&mut store, &asked)
        } else {
            service::error(404, "bad_route", "unsupported method; only POST is allowed")
        };
        (method.to_owned(), response)
    } else if let Some(name) = path.strip_prefix(blob::PREFIX) {
        let asked = blob::Asked {
            method: &parts.method,
            name,
            query: &query,
            headers: &parts.headers,
            body,
        };
        let name = format!("blob {}", parts.method);
        (name, blob::serve(&mut store, asked))
    } else if listing::is(path) {
        let token = bearer(field(AUTHORIZATION));
        ("list".to_owned(), listing::serve(&store, token, &query))
    } else if path == BY_HAND {
        (path.to_owned(), by_hand(&store, &query))
    } else {
        let mut response = Response::new(Bytes::from_static(b"404 page not found\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        (path.to_owned(), response)
    }
}

/// A token for somebody with curl.
fn by_hand(store: &Store, query: &HashMap<String, String>) -> Response<Bytes> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse().ok());
    let scope = query.get("scope").map_or("refs/heads/main", String::as_str);
    let claims = Claims::new(number("repository").unwrap_or(1));
    let claims = claims.scope(scope, number("permission").unwrap_or(3));
    let token = claims.sign(store.now() / 1000, store.seed());
    service::answer(200, &json!({ "token": token }))
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> &str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

fn bearer(authorization: &str) -> &str {
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token,
        _ => "",
    }
}

fn read(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), crate::request::decode(value)))
        .collect()
}
