//! One request as the fake's handlers see it.

use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use serde_json::Value;

/// A request with its body read.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The `Host` without port, lower case.
    pub host: String,
    /// The path, percent-decoded; `/repositories/{id}` is already translated when routed.
    pub path: String,
    /// The path as it was sent.
    pub raw_path: String,
    /// The query as it was sent.
    pub raw_query: String,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's body.
    pub body: Bytes,
    /// The sender's address, for the anonymous limit.
    pub peer: String,
    /// Whether the path began with `/repositories/{id}`.
    pub by_id: bool,
    /// Values of the route's `{placeholders}`.
    pub params: Vec<(&'static str, String)>,
}

impl Call {
    /// Reads the head of a request; `body` was read before.
    pub fn new(parts: Parts, body: Bytes, peer: String) -> Self {
        let header = parts
            .headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(http::uri::Authority::as_str);
        let host = authority.or(header).unwrap_or_default();
        let host = host
            .rsplit_once(':')
            .map_or(host, |(name, _)| name)
            .to_ascii_lowercase();
        let raw_path = parts.uri.path().to_owned();
        Self {
            method: parts.method,
            host,
            path: decode(&raw_path),
            raw_path,
            raw_query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
            peer,
            by_id: false,
            params: Vec::new(),
        }
    }

    /// The value of a placeholder; empty if the route has none of that name.
    pub fn param(&self, name: &str) -> &str {
        let found = self.params.iter().find(|(key, _)| *key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A placeholder that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.param(name).parse().ok()
    }

    /// A query parameter, percent-decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.raw_query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| decode(&value.replace('+', " ")))
        })
    }

    /// A header's first value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Accept` header; empty if absent.
    pub fn accept(&self) -> &str {
        self.header("accept").unwrap_or_default()
    }

    /// The token in `Authorization: token X` or `Bearer X`.
    pub fn token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.trim().split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("token") || scheme.eq_ignore_ascii_case("bearer");
        known.then(|| token.trim())
    }

    /// The JSON body; `null` if there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether the method changes nothing.
    pub fn is_safe(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS)
    }
}

/// Percent-decoding; bytes that don't decode stay as they are.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten();
        if let Some(byte) = digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            out.push(byte);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
