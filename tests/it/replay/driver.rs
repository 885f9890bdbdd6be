//! Plays the client: asks what was asked, in order, and compares the answers.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use ghswarm_lab::replay::Exchange;
use http::{HeaderMap, HeaderName, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::tape::{Tape, field, spoken};

/// Fields of a request that belong to the connection, or are the driver's own.
const OWN: [&str; 4] = ["authorization", "connection", "content-length", "host"];

/// An answer that is not as GitHub's was.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) file: String,
    pub(super) path: String,
    what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.file, self.path, self.what)
    }
}

/// What a client sees of an answer.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    content_type: String,
    link: String,
    body: String,
}

/// Sends every recorded request to `address`, file by file; where the answers differ.
pub(super) async fn play(
    tape: &Tape,
    address: SocketAddr,
    between_files: impl Fn(),
) -> Vec<Difference> {
    let mut client = Client {
        address,
        connection: None,
    };
    let mut differences = Vec::new();
    for (token, recording) in tape.recordings() {
        between_files();
        for (position, exchange) in recording.exchanges.iter().enumerate() {
            recording.wind_to(position);
            let (answered, cache) = client.ask(exchange, token).await;
            let recorded = recorded(exchange);
            if answered != recorded {
                differences.push(Difference {
                    file: exchange.file.clone(),
                    path: exchange.path.clone(),
                    what: format!("{} ({cache})", compare(&recorded, &answered)),
                });
            }
        }
    }
    differences
}

fn recorded(exchange: &Exchange) -> Seen {
    let text = |name| {
        field(&exchange.response_headers, name)
            .unwrap_or_default()
            .to_owned()
    };
    Seen {
        status: exchange.status,
        content_type: text("content-type"),
        link: text("link"),
        body: exchange.response_body.clone(),
    }
}

/// The first thing that differs, cut short.
fn compare(recorded: &Seen, answered: &Seen) -> String {
    let status = (recorded.status.to_string(), answered.status.to_string());
    let pairs = [
        ("status", status.0.as_str(), status.1.as_str()),
        (
            "content-type",
            &recorded.content_type,
            &answered.content_type,
        ),
        ("link", &recorded.link, &answered.link),
        ("body", &recorded.body, &answered.body),
    ];
    let differs = pairs
        .iter()
        .find(|(_, recorded, answered)| recorded != answered);
    let Some((name, recorded, answered)) = differs else {
        return String::new();
    };
    let common = recorded
        .chars()
        .zip(answered.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let short = |text: &str| {
        text.chars()
            .skip(common.saturating_sub(40))
            .take(120)
            .collect()
    };
    let (recorded, answered): (String, String) = (short(recorded), short(answered));
    format!("{name} was {recorded:?}, is {answered:?}")
}

struct Client {
    address: SocketAddr,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// Asks what was asked; the answer, and what the daemon says of its cache.
    async fn ask(&mut self, exchange: &Exchange, token: &str) -> (Seen, String) {
        let body = Full::from(spoken(&exchange.request_body).to_owned());
        let mut request = Request::builder()
            .method(exchange.verb.as_str())
            .uri(&exchange.path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, token);
        for (name, value) in &exchange.request_headers {
            if !OWN.contains(&name.to_ascii_lowercase().as_str()) {
                request = request.header(name, value);
            }
        }
        let mut connection = self.connection().await;
        let request = request.body(body).expect("a recorded request");
        let answer = connection.send_request(request).await.expect("an answer");
        let cache = joined(answer.headers(), HeaderName::from_static("cache-status"));
        let seen = self.seen(answer).await;
        self.connection = Some(connection);
        (seen, cache)
    }

    /// The connection of the last request, or a new one if that was closed.
    async fn connection(&mut self) -> SendRequest<Full<Bytes>> {
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            return connection;
        }
        let stream = TcpStream::connect(self.address)
            .await
            .expect("somebody who listens");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        sender
    }

    async fn seen(&self, answer: Response<hyper::body::Incoming>) -> Seen {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        let text = |name| self.as_github_wrote(&joined(&head.headers, name));
        Seen {
            status: head.status.as_u16(),
            content_type: text(header::CONTENT_TYPE),
            link: text(header::LINK),
            body: self.as_github_wrote(&String::from_utf8_lossy(&body)),
        }
    }

    /// Puts GitHub's addresses back where the daemon wrote its own.
    fn as_github_wrote(&self, text: &str) -> String {
        let base = format!("http://{}/", self.address);
        text.replace(
            &format!("{base}api/uploads/"),
            "https://uploads.github.com/",
        )
        .replace(&base, "https://api.github.com/")
    }
}

fn joined(headers: &HeaderMap, name: HeaderName) -> String {
    let values = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    values.collect::<Vec<_>>().join(", ")
}
