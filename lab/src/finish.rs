//! From a handler's answer to GitHub's HTTP response: ETag, conditions, headers, encodings.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde_json::Value;

use crate::answer::{Answer, Body, Caching, Tag};
use crate::clock::{http_date, parse_http_date};
use crate::desk::Context;
use crate::etag::{self, VARY, VARY_ANONYMOUS, VARY_MORE};
use crate::limits::Window;
use crate::token::Kind;

/// API versions, the default first.
/// <https://docs.github.com/rest/about-the-rest-api/api-versions>
pub(crate) const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// The version that a request selects.
pub(crate) fn version(call: &crate::request::Call) -> &'static str {
    let wish = call.header("x-github-api-version");
    VERSIONS
        .into_iter()
        .find(|version| wish == Some(version))
        .unwrap_or(VERSIONS[0])
}

/// Makes the response, without the limit's headers.
pub(crate) fn finish(context: &Context<'_>, answer: Answer) -> Response<Bytes> {
    let call = context.call;
    let (content_type, body) = match &answer.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(value) => (
            Some("application/json; charset=utf-8"),
            Bytes::from(value.to_string()),
        ),
        Body::Raw(content_type, bytes) => (Some(*content_type), bytes.clone()),
    };
    let vary = first_vary(context, answer.caching);
    let tag = match &answer.tag {
        Tag::OfBody => Some(etag::formula(
            vary.unwrap_or_default(),
            &call.headers,
            &body,
        )),
        Tag::GitObject(sha) => Some(sha.clone()),
        Tag::None => None,
    };
    let mut headers = HeaderMap::new();
    common(&mut headers, context, &answer, vary);
    if let Some(at) = answer.modified {
        put(&mut headers, "last-modified", &http_date(at));
    }
    if answer.status == 200 && call.is_safe() && not_modified(context, &answer, tag.as_deref()) {
        if let Some(tag) = tag {
            put(&mut headers, "etag", &format!("\"{tag}\""));
        }
        return respond(StatusCode::NOT_MODIFIED, headers, Bytes::new());
    }
    if let Some(content_type) = content_type {
        put(&mut headers, "content-type", content_type);
    }
    for (name, value) in &answer.headers {
        if !name.starts_with("x-lab-") {
            put(&mut headers, name, value);
        }
    }
    let body = pretty(call, &answer.body).unwrap_or(body);
    let gzips = call
        .header("accept-encoding")
        .is_some_and(|list| list.contains("gzip"));
    let zipped = if gzips && !body.is_empty() {
        gzip(&body)
    } else {
        None
    };
    if let Some(tag) = tag {
        let weak = if zipped.is_some() { "W/" } else { "" };
        put(&mut headers, "etag", &format!("{weak}\"{tag}\""));
    }
    if zipped.is_some() {
        put(&mut headers, "content-encoding", "gzip");
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    respond(status, headers, zipped.unwrap_or(body))
}

/// Adds `x-ratelimit-*`.
pub(crate) fn limit_headers(response: &mut Response<Bytes>, window: &Window, resource: &str) {
    let headers = response.headers_mut();
    put(headers, "x-ratelimit-limit", &window.limit.to_string());
    put(
        headers,
        "x-ratelimit-remaining",
        &window.remaining().to_string(),
    );
    put(headers, "x-ratelimit-used", &window.used.to_string());
    put(headers, "x-ratelimit-reset", &window.reset.to_string());
    put(headers, "x-ratelimit-resource", resource);
}

fn respond(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The `Vary` line that says what the ETag depends on; none on errors and `GraphQL`.
fn first_vary(context: &Context<'_>, caching: Caching) -> Option<&'static str> {
    match (caching, context.viewer.kind) {
        (Caching::Silent, _) => None,
        (_, Kind::Anonymous | Kind::App) => Some(VARY_ANONYMOUS),
        _ => Some(VARY),
    }
}

fn common(
    headers: &mut HeaderMap,
    context: &Context<'_>,
    answer: &Answer,
    vary: Option<&'static str>,
) {
    let viewer = context.viewer;
    put(headers, "server", "github.com");
    put(headers, "date", &http_date(context.now));
    let scope = match viewer.kind {
        Kind::Anonymous | Kind::App => "public",
        _ => "private",
    };
    match answer.caching {
        Caching::Minute => {
            put(
                headers,
                "cache-control",
                &format!("{scope}, max-age=60, s-maxage=60"),
            );
        }
        Caching::Day => {
            put(
                headers,
                "cache-control",
                &format!("{scope}, max-age=86400, s-maxage=86400"),
            );
        }
        Caching::NoCache => put(headers, "cache-control", "no-cache"),
        Caching::Revalidate => put(
            headers,
            "cache-control",
            "public, must-revalidate, max-age=0",
        ),
        Caching::Silent => {}
    }
    if let Some(vary) = vary {
        put(headers, "vary", vary);
    }
    put(headers, "vary", VARY_MORE);
    if let Some(scopes) = &viewer.scopes {
        put(headers, "x-oauth-scopes", scopes);
        put(headers, "x-accepted-oauth-scopes", "repo");
    }
    if let (Kind::FineGrained, Some(end)) = (viewer.kind, viewer.expires) {
        let end = crate::clock::iso(end)
            .replace('T', " ")
            .replace('Z', " UTC");
        put(headers, "github-authentication-token-expiration", &end);
    }
    put(headers, "x-github-media-type", &media_type(context));
    put(
        headers,
        "x-github-api-version-selected",
        version(context.call),
    );
    put(headers, "x-github-request-id", &request_id(context.serial));
    put(headers, "access-control-allow-origin", "*");
    put(headers, "x-content-type-options", "nosniff");
    put(headers, "x-frame-options", "deny");
}

fn request_id(serial: u64) -> String {
    let spread = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "{:04X}:{:05X}:{serial:X}:{:X}:{spread:08X}",
        spread >> 48,
        spread & 0xf_ffff,
        serial + 7
    )
}

/// `github.v3; format=json`, or what `Accept` asked for.
fn media_type(context: &Context<'_>) -> String {
    let accept = context.call.accept();
    let Some(start) = accept.find("application/vnd.github.") else {
        return "github.v3; format=json".into();
    };
    let rest = &accept[start + "application/vnd.github.".len()..];
    let rest = rest.split([',', ';', ' ']).next().unwrap_or_default();
    let (name, format) = rest.split_once('+').unwrap_or((rest, ""));
    let name = name.trim_start_matches("v3.");
    let format = if format.is_empty() {
        ""
    } else {
        "; format=json"
    };
    match name {
        "v3" => format!("github.v3{format}"),
        name if name.ends_with("-preview") => format!("github.{name}{format}"),
        name => format!("github.v3; param={name}{format}"),
    }
}

/// Whether the request's condition holds: `If-None-Match` first, else `If-Modified-Since`.
fn not_modified(context: &Context<'_>, answer: &Answer, tag: Option<&str>) -> bool {
    let request = &context.call.headers;
    if request.contains_key("if-none-match") {
        return tag.is_some_and(|tag| etag::matches(request, tag));
    }
    let since = context
        .call
        .header("if-modified-since")
        .and_then(parse_http_date);
    matches!((since, answer.modified), (Some(since), Some(at)) if at <= since)
}

/// GitHub prints JSON for people who look at it with a browser or curl.
fn pretty(call: &crate::request::Call, body: &Body) -> Option<Bytes> {
    let agent = call.header("user-agent")?;
    let person = ["curl", "Wget", "Safari", "Firefox"]
        .iter()
        .any(|name| agent.contains(name));
    let Body::Json(value) = body else { return None };
    person.then(|| pretty_bytes(value)).flatten()
}

fn pretty_bytes(value: &Value) -> Option<Bytes> {
    let mut text = serde_json::to_vec_pretty(value).ok()?;
    text.push(b'\n');
    Some(text.into())
}

fn gzip(body: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Appends a header; a value that isn't one is left out.
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::try_from(name);
    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
        headers.append(name, value);
    }
}
