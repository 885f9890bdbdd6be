//! A plain HTTP client: one connection per request, nothing followed, nothing decoded.

use bytes::Bytes;
use ghswarm_lab::{Clock, FakeGitHub, Token};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// When the tests' clocks start.
pub(crate) const START: u64 = 1_800_000_000;

/// A fake with a clock that stands still.
pub(crate) async fn fake() -> FakeGitHub {
    FakeGitHub::builder()
        .clock(Clock::manual(START))
        .start()
        .await
        .unwrap()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        self.header(name).parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A request to be sent.
pub(crate) struct Ask {
    request: http::request::Builder,
    body: String,
}

/// GET without a token.
pub(crate) fn get(path: &str) -> Ask {
    ask("GET", path)
}

/// Any method without a token.
pub(crate) fn ask(method: &str, path: &str) -> Ask {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "api.github.com")
        .header("user-agent", "lab-test")
        .header("accept", "*/*");
    Ask {
        request,
        body: String::new(),
    }
}

impl Ask {
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let headers = self.request.headers_mut().unwrap();
        headers.insert(
            http::HeaderName::try_from(name).unwrap(),
            value.parse().unwrap(),
        );
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.request.headers_mut().unwrap().remove(name);
        self
    }

    pub(crate) fn by(self, token: &Token) -> Self {
        self.with("authorization", &token.authorization())
    }

    pub(crate) fn body(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(self, github: &FakeGitHub) -> Reply {
        self.attempt(github).await.unwrap()
    }

    /// Sends it; an error if head or body don't arrive in full.
    pub(crate) async fn attempt(self, github: &FakeGitHub) -> Result<Reply, hyper::Error> {
        let (parts, body) = self.head(github).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }

    /// Sends it and waits for the head.
    pub(crate) async fn head(
        self,
        github: &FakeGitHub,
    ) -> Result<http::Response<hyper::body::Incoming>, hyper::Error> {
        let stream = TcpStream::connect(github.addr()).await.unwrap();
        let io = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        sender
            .send_request(
                self.request
                    .body(Full::new(Bytes::from(self.body)))
                    .unwrap(),
            )
            .await
    }
}
