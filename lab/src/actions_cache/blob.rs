//! The blob store: as much of Azure's REST interface as `BlobClient` and plain clients use, behind signed URLs.
//! <https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-rest-api>

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED};
use http::{HeaderMap, Method, Response, StatusCode};

use super::store::{May, Store};
use crate::clock;

/// What the paths of all blobs begin with: an account and a container.
pub(super) const PREFIX: &str = "/store/actions-cache/";

/// A request for a blob.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    /// What follows [`PREFIX`].
    pub(super) name: &'a str,
    pub(super) query: &'a HashMap<String, String>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: Bytes,
}

pub(super) fn serve(store: &mut Store, asked: Asked<'_>) -> Response<Bytes> {
    let Asked {
        method,
        name,
        query,
        headers,
        body,
    } = asked;
    let value = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let may = if method == Method::PUT {
        May::Write
    } else {
        May::Read
    };
    let Ok(id) = name.parse() else {
        return refusal(404, "BlobNotFound");
    };
    if !store.allows(id, may, value("se"), value("sig")) {
        return refusal(403, "AuthenticationFailed");
    }
    let mut response = match (method.as_str(), value("comp")) {
        ("PUT", "") => {
            let kind = headers.get("x-ms-blob-type");
            if kind.is_none_or(|kind| kind != "BlockBlob") {
                return refusal(400, "MissingRequiredHeader");
            }
            created(store.upload(id, body))
        }
        ("PUT", "block") => created(store.upload_block(id, value("blockid"), body)),
        ("PUT", "blocklist") => {
            let order = blocks(&String::from_utf8_lossy(&body));
            created(store.commit(id, &order))
        }
        ("GET" | "HEAD", "") => match store.blob(id) {
            Some(bytes) => read(&bytes, headers),
            None => refusal(404, "BlobNotFound"),
        },
        _ => refusal(405, "UnsupportedHttpVerb"),
    };
    let modified = clock::http_date(store.now() / 1000);
    let fields = response.headers_mut();
    fields.insert("x-ms-request-id", HeaderValue::from(id));
    fields.insert("x-ms-version", HeaderValue::from_static("2025-11-05"));
    fields.insert(ETAG, HeaderValue::from_static("\"0x8D0000000000000\""));
    if let Ok(modified) = HeaderValue::from_str(&modified) {
        fields.insert(LAST_MODIFIED, modified);
    }
    response
}

fn created(kept: bool) -> Response<Bytes> {
    if !kept {
        return refusal(409, "BlobImmutableDueToPolicy");
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::CREATED;
    response
}

fn refusal(status: u16, code: &'static str) -> Response<Bytes> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    fields.insert("x-ms-error-code", HeaderValue::from_static(code));
    response
}

/// The whole blob, or the range of it that is wanted: Azure's own field wins over HTTP's.
fn read(bytes: &Bytes, headers: &HeaderMap) -> Response<Bytes> {
    let wanted = headers.get("x-ms-range").or_else(|| headers.get("range"));
    let wanted = wanted
        .and_then(|range| range.to_str().ok())
        .and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()))
        });
    let mut response = match wanted {
        None => Response::new(bytes.clone()),
        Some((from, _)) if from >= bytes.len() => return refusal(416, "InvalidRange"),
        Some((from, to)) => {
            let end = to.map_or(bytes.len(), |to| to.saturating_add(1).min(bytes.len()));
            let mut part = Response::new(bytes.slice(from..end.max(from)));
            *part.status_mut() = StatusCode::PARTIAL_CONTENT;
            let text = format!("bytes {from}-{}/{}", end.saturating_sub(1), bytes.len());
            if let Ok(text) = HeaderValue::from_str(&text) {
                part.headers_mut().insert(CONTENT_RANGE, text);
            }
            part
        }
    };
    let fields = response.headers_mut();
    fields.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    fields.insert("x-ms-blob-type", HeaderValue::from_static("BlockBlob"));
    response
}

/// The names in `<BlockList><Latest>…</Latest>…</BlockList>`, in their order.
fn blocks(xml: &str) -> Vec<String> {
    let mut names = Vec::new();
    for kind in ["Latest", "Uncommitted", "Committed"] {
        let (open, close) = (format!("<{kind}>"), format!("</{kind}>"));
        for part in xml.split(&open).skip(1) {
            if let Some((name, _)) = part.split_once(&close) {
                names.push(name.to_owned());
            }
        }
    }
    names
}
