//! Plays GitHub: answers as it did at the exchange where the driver stands.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use ghswarm_lab::replay::{Exchange, folder};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The one host whose exchanges are played.
const API: &str = "api.github.com";
/// Fields about the connection or the length of a message, and the one that says when it was sent.
const OF_THE_MESSAGE: [&str; 7] = [
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "keep-alive",
    "trailer",
    "transfer-encoding",
];

/// All recordings, inserted into an origin. Dropping it ends the origin.
pub(super) struct Tape {
    recordings: Arc<BTreeMap<String, Recording>>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// The exchanges of one file; a token of its own tells whose turn it is.
pub(super) struct Recording {
    pub(super) exchanges: Vec<Exchange>,
    position: AtomicUsize,
    /// Validators that prove nothing: they stand over more than one body. Most were copied by hand with
    /// a new body under them, some are from years when avatars moved between hosts.
    worthless: Arc<BTreeSet<String>>,
}

impl Tape {
    pub(super) async fn insert(recordings: &Path) -> io::Result<Self> {
        let exchanges = folder(recordings)?
            .into_iter()
            .filter(|exchange| exchange.host == API);
        let exchanges: Vec<_> = exchanges.collect();
        let worthless = Arc::new(worthless(&exchanges));
        let mut by_file: BTreeMap<String, Vec<Exchange>> = BTreeMap::new();
        for exchange in exchanges {
            by_file
                .entry(exchange.file.clone())
                .or_default()
                .push(exchange);
        }
        let numbered = by_file
            .into_values()
            .enumerate()
            .map(|(number, exchanges)| {
                let (position, worthless) = (AtomicUsize::new(0), worthless.clone());
                let recording = Recording {
                    exchanges,
                    position,
                    worthless,
                };
                (format!("token ghp_recording{number:025}"), recording)
            });
        let recordings: Arc<BTreeMap<_, _>> = Arc::new(numbered.collect());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, recordings.clone()));
        Ok(Self {
            recordings,
            address,
            task,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn len(&self) -> usize {
        self.recordings
            .values()
            .map(|recording| recording.exchanges.len())
            .sum()
    }

    /// The recordings with the value of `Authorization` that each answers to.
    pub(super) fn recordings(&self) -> impl Iterator<Item = (&str, &Recording)> {
        self.recordings
            .iter()
            .map(|(token, recording)| (token.as_str(), recording))
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recording {
    /// Winds to an exchange: from now on it is the time when this one was recorded.
    pub(super) fn wind_to(&self, exchange: usize) {
        self.position.store(exchange, Ordering::SeqCst);
    }

    /// What GitHub answered last to this question, by the time where the tape stands.
    fn answer(&self, question: &Question) -> Response<Full<Bytes>> {
        let position = self.position.load(Ordering::SeqCst);
        let so_far = || self.exchanges.iter().take(position + 1).rev();
        let Some(exchange) = so_far().find(|exchange| question.is_of(exchange)) else {
            return failure("this was not asked");
        };
        let is_now = std::ptr::eq(exchange, &raw const self.exchanges[position]);
        if !(is_now || question.is_read()) {
            return failure("this was written once");
        }
        if is_now && !question.says(&exchange.request_body) {
            return failure("the body is not as it was recorded");
        }
        if exchange.status != 304 {
            return replayed(exchange, question.holds(exchange, &self.worthless));
        }
        if question.is_conditional() {
            return replayed(exchange, true);
        }
        // Asked without the recorded condition: the answer that the condition came from.
        let full = so_far().find(|exchange| question.is_of(exchange) && exchange.status == 200);
        full.map_or_else(
            || failure("only the 304 was recorded"),
            |full| replayed(full, false),
        )
    }
}

/// A request as the tape sees it.
struct Question {
    method: String,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Question {
    fn is_of(&self, exchange: &Exchange) -> bool {
        let recorded = exchange.request_headers.iter();
        let accept = recorded
            .clone()
            .find(|(name, _)| name.eq_ignore_ascii_case("accept"));
        let accept = accept.map_or("*/*", |(_, value)| value);
        self.method == exchange.verb
            && as_the_origin(&self.target) == as_the_origin(&exchange.path)
            && self.header(header::ACCEPT).unwrap_or("*/*") == accept
    }

    fn is_read(&self) -> bool {
        self.method == "GET" || self.method == "HEAD"
    }

    fn is_conditional(&self) -> bool {
        self.headers.contains_key(header::IF_NONE_MATCH)
            || self.headers.contains_key(header::IF_MODIFIED_SINCE)
    }

    /// Whether the condition holds: the validator is the recorded one.
    fn holds(&self, exchange: &Exchange, worthless: &BTreeSet<String>) -> bool {
        let Some(recorded) = validator(exchange).filter(|it| !worthless.contains(*it)) else {
            return false;
        };
        let asked = self.header(header::IF_NONE_MATCH).unwrap_or_default();
        exchange.status == 200 && asked.split(',').any(|tag| opaque(tag) == recorded)
    }

    fn says(&self, recorded: &str) -> bool {
        self.is_read() || self.body == spoken(recorded).as_bytes()
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A target as the daemon sends it on: clients of GitHub Enterprise put `/api/v3` before it.
fn as_the_origin(target: &str) -> &str {
    target.strip_prefix("/api/v3").unwrap_or(target)
}

/// An entity tag without its mark of weakness, which this comparison ignores (RFC 9110, 13.1.2).
fn opaque(tag: &str) -> &str {
    tag.trim().trim_start_matches("W/")
}

fn validator(exchange: &Exchange) -> Option<&str> {
    field(&exchange.response_headers, "etag").map(opaque)
}

fn worthless(exchanges: &[Exchange]) -> BTreeSet<String> {
    let mut bodies: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for exchange in exchanges.iter().filter(|exchange| exchange.status == 200) {
        if let Some(validator) = validator(exchange) {
            bodies
                .entry(validator)
                .or_default()
                .insert(&exchange.response_body);
        }
    }
    let shared = bodies.into_iter().filter(|(_, bodies)| bodies.len() > 1);
    shared.map(|(validator, _)| validator.to_owned()).collect()
}

/// The body of a request; Python wrote `None` where there was none.
pub(super) fn spoken(recorded: &str) -> &str {
    if recorded == "None" { "" } else { recorded }
}

/// The first value of a recorded field.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = fields
        .iter()
        .filter(|(field, _)| field.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value.as_str())
}

/// The recorded answer, or the 304 that GitHub gives in its place if the condition `holds`.
fn replayed(exchange: &Exchange, holds: bool) -> Response<Full<Bytes>> {
    let (status, body) = if holds {
        (304, "")
    } else {
        (exchange.status, &*exchange.response_body)
    };
    let body = Bytes::from(body.to_owned());
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a recorded status");
    for (name, value) in &exchange.response_headers {
        if !OF_THE_MESSAGE.contains(&name.to_ascii_lowercase().as_str()) {
            let name = HeaderName::try_from(name).expect("a recorded field name");
            let value = HeaderValue::try_from(value).expect("a recorded field value");
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// An answer that nobody recorded, and that no comparison takes for one.
fn failure(reason: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{{\"message\":\"tape: {reason}\"}}")));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}

async fn serve(listener: TcpListener, recordings: Arc<BTreeMap<String, Recording>>) {
    while let Ok((connection, _)) = listener.accept().await {
        let recordings = recordings.clone();
        let service = service_fn(move |request| respond(recordings.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(connection), service);
        tokio::spawn(connection);
    }
}

async fn respond(
    recordings: Arc<BTreeMap<String, Recording>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(failure("the request broke off"));
    };
    let question = Question {
        method: head.method.to_string(),
        target: head
            .uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: head.headers,
        body: body.to_bytes(),
    };
    let token = question.header(header::AUTHORIZATION).unwrap_or_default();
    let recording = recordings.get(token);
    Ok(recording.map_or_else(|| failure("no such token"), |it| it.answer(&question)))
}
