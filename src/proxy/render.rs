//! What is served from memory, as bytes.
//!
//! One list of fields serves the front, which copies the bytes to the socket, and the slow path,
//! which reads them into a response for hyper.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use super::host::Base;
use crate::http_cache::{CacheStatus, FieldBlock, Tier};
use crate::tiered::Served;

/// How the head ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending<'a> {
    /// Bytes of the body, which HEAD does not send.
    pub(super) length: usize,
    /// Whether the connection ends with this answer.
    pub(super) close: bool,
    /// The time as a `Date`, for entries that came without.
    pub(super) date: &'a str,
}

/// Appends the whole head of `served`.
pub(super) fn head(out: &mut Vec<u8>, served: &Served, base: &Base<'_>, ending: Ending<'_>) {
    if served.status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        status_line(out, served.status);
    }
    fields(out, served, base, ending.date);
    if ending.close {
        out.extend_from_slice(b"connection: close\r\n");
    }
    if has_content(served.status) {
        out.extend_from_slice(b"content-length: ");
        number(out, ending.length as u64);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether an answer of this status has a length (RFC 9110, sections 15.3.5 and 15.4.5).
fn has_content(status: StatusCode) -> bool {
    status != StatusCode::NOT_MODIFIED && status != StatusCode::NO_CONTENT
}

fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    let reason = status.canonical_reason().unwrap_or_default();
    // Writing to a vector cannot fail, here and below.
    let _ = write!(out, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
}

/// Every field but those of the connection.
fn fields(out: &mut Vec<u8>, served: &Served, base: &Base<'_>, date: &str) {
    let stored = served.fields.as_bytes();
    let full = has_content(served.status);
    // RFC 9110, section 15.4.5: a 304 describes no content.
    let left_out = if full {
        None
    } else {
        find(stored, b"content-type")
    };
    match left_out {
        Some((start, end)) => {
            out.extend_from_slice(&stored[..start]);
            out.extend_from_slice(&stored[end..]);
        }
        None => out.extend_from_slice(stored),
    }
    if let Some(etag) = &served.etag {
        line(out, b"etag: ", etag.as_bytes());
    }
    if full
        && let Some(value) = served
            .links
            .as_ref()
            .and_then(|links| links.write(&base.api()))
    {
        line(out, b"link: ", value.as_bytes());
    }
    if let Some(rate) = &served.rate {
        for (name, value) in [
            ("limit", rate.limit),
            ("remaining", rate.remaining),
            ("used", rate.used),
            ("reset", rate.reset.as_secs()),
        ] {
            out.extend_from_slice(b"x-ratelimit-");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            number(out, value);
            out.extend_from_slice(b"\r\n");
        }
        line(out, b"x-ratelimit-resource: ", rate.resource.as_bytes());
    }
    if matches!(served.cache, CacheStatus::Hit { .. }) {
        // RFC 9111, section 5.1: Age says that the origin was not asked for this answer.
        out.extend_from_slice(b"age: ");
        number(out, served.age.as_secs());
        out.extend_from_slice(b"\r\n");
    }
    cache_status(out, served.cache);
    if find(stored, b"date").is_none() {
        line(out, b"date: ", date.as_bytes());
    }
}

fn cache_status(out: &mut Vec<u8>, cache: CacheStatus) {
    match cache {
        // What most answers say, without the machinery of `fmt`.
        CacheStatus::Hit {
            ttl: ttl @ 0..,
            tier: Tier::Memory,
        } => {
            out.extend_from_slice(b"cache-status: ghswarm; hit; ttl=");
            number(out, ttl.unsigned_abs());
            out.extend_from_slice(b"; detail=memory\r\n");
        }
        cache => {
            let _ = write!(out, "cache-status: {cache}\r\n");
        }
    }
}

fn line(out: &mut Vec<u8>, start: &[u8], value: &[u8]) {
    out.extend_from_slice(start);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Decimal digits without the machinery of `fmt`, which costs more than the rest of a line.
fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Where the line of the field `name` (lower case) begins and ends.
fn find(lines: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    let mut start = 0;
    while start < lines.len() {
        let end = lines[start..].iter().position(|&byte| byte == b'\n')? + start + 1;
        let line = &lines[start..end];
        if line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name) {
            return Some((start, end));
        }
        start = end;
    }
    None
}

/// `served` as a response for hyper. `body` may be a rewritten one.
pub(super) fn response(
    served: &Served,
    base: &Base<'_>,
    method: &Method,
    body: Bytes,
    date: &str,
) -> Response<Bytes> {
    let mut lines = Vec::with_capacity(2048);
    fields(&mut lines, served, base, date);
    let full = has_content(served.status);
    let length = body.len();
    let mut response = Response::new(if *method == Method::HEAD || !full {
        Bytes::new()
    } else {
        body
    });
    *response.status_mut() = served.status;
    let headers = response.headers_mut();
    append(headers, &lines);
    if full {
        headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// Reads `lines` into `headers`; what is no field is left out.
pub(super) fn append(headers: &mut http::HeaderMap, lines: &[u8]) {
    for (name, value) in FieldBlock::lines(lines) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
}
