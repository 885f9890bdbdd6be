//! The three calls of the service, in Twirp's JSON: `POST
//! /twirp/github.actions.results.api.v1.CacheService/METHOD`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::store::{May, Reserved, Store};
use super::token::Bearer;

/// What the paths of all calls begin with.
pub(super) const PREFIX: &str = "/twirp/github.actions.results.api.v1.CacheService/";
/// The longest name.
const KEY_MAX: usize = 512;
/// The most names in one lookup: the key and its restore keys.
const KEYS_MAX: usize = 10;

/// What every refusal of a call looks like: `{"code": "…", "msg": "…"}`.
pub(super) fn error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    answer(status, &json!({"code": code, "msg": message}))
}

/// 429 with `Retry-After`.
pub(super) fn too_many(seconds: u64) -> Response<Bytes> {
    let mut response = error(429, "resource_exhausted", "rate limit exceeded");
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pub(super) fn answer(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A call that was read.
pub(super) struct Asked<'a> {
    /// Its name.
    pub(super) method: &'a str,
    /// The type of its body.
    pub(super) content_type: &'a str,
    /// The token, without `Bearer`.
    pub(super) token: &'a str,
    /// What signed URLs begin with: where the caller reached us.
    pub(super) base: &'a str,
    pub(super) body: &'a [u8],
}

/// Answers one call.
pub(super) fn call(store: &mut Store, asked: &Asked<'_>) -> Response<Bytes> {
    let Some(bearer) = Bearer::read(asked.token, store.now() / 1000) else {
        return error(401, "unauthenticated", "token is expired or invalid");
    };
    if !asked.content_type.starts_with("application/json") {
        let message = format!("unexpected Content-Type: {:?}", asked.content_type);
        return error(404, "bad_route", &message);
    }
    let Ok(body) = serde_json::from_slice::<Value>(asked.body) else {
        return error(400, "malformed", "the json request could not be decoded");
    };
    match asked.method {
        "CreateCacheEntry" => create(store, &bearer, &body, asked.base),
        "FinalizeCacheEntryUpload" => finalise(store, &bearer, &body),
        "GetCacheEntryDownloadURL" => download(store, &bearer, &body, asked.base),
        other => error(404, "bad_route", &format!("no handler for method {other}")),
    }
}

/// Fields in JSON have the names of the description or their camel case; what is absent is empty.
fn text<'a>(body: &'a Value, name: &str, camel: &str) -> &'a str {
    let value = body.get(name).or_else(|| body.get(camel));
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Why a name cannot be one.
fn wrong(key: &str, version: &str) -> Option<Response<Bytes>> {
    let message = if key.is_empty() || key.len() > KEY_MAX {
        "key must have 1 to 512 characters"
    } else if key.contains(',') {
        "key cannot contain commas"
    } else if version.len() != 64 || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        "version must be 64 hexadecimal digits"
    } else {
        return None;
    };
    Some(error(400, "invalid_argument", message))
}

fn denied() -> Response<Bytes> {
    let message = "cache write denied: token has no writable scopes";
    answer(
        200,
        &json!({"ok": false, "signed_upload_url": "", "message": message}),
    )
}

fn create(store: &mut Store, bearer: &Bearer, body: &Value, base: &str) -> Response<Bytes> {
    let (key, version) = (text(body, "key", "key"), text(body, "version", "version"));
    if let Some(refusal) = wrong(key, version) {
        return refusal;
    }
    let Some(scope) = bearer.writable() else {
        return denied();
    };
    match store.reserve(scope, key, version) {
        Reserved::New(id) => {
            let url = signed(store, base, id, May::Write);
            answer(
                200,
                &json!({"ok": true, "signed_upload_url": url, "message": ""}),
            )
        }
        Reserved::Taken => {
            let message = "cache entry with the same key, version, and scope already exists";
            error(409, "already_exists", message)
        }
        Reserved::Later(seconds) => too_many(seconds),
    }
}

fn finalise(store: &mut Store, bearer: &Bearer, body: &Value) -> Response<Bytes> {
    let (key, version) = (text(body, "key", "key"), text(body, "version", "version"));
    let size = body.get("size_bytes").or_else(|| body.get("sizeBytes"));
    // The canonical JSON of a 64-bit number is text; a number is taken, too.
    let size = size.and_then(|size| {
        size.as_str()
            .map_or(size.as_u64(), |text| text.parse().ok())
    });
    let Some(scope) = bearer.writable() else {
        return denied();
    };
    match store.finalise(&scope, (key, version), size.unwrap_or(0)) {
        Some(id) => answer(
            200,
            &json!({"ok": true, "entry_id": id.to_string(), "message": ""}),
        ),
        None => error(404, "not_found", "cache entry not found"),
    }
}

fn download(store: &Store, bearer: &Bearer, body: &Value, base: &str) -> Response<Bytes> {
    let (key, version) = (text(body, "key", "key"), text(body, "version", "version"));
    let starts = body
        .get("restore_keys")
        .or_else(|| body.get("restoreKeys"))
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let starts: Vec<_> = starts
        .iter()
        .filter_map(|start| start.as_str().map(str::to_owned))
        .collect();
    if starts.len() >= KEYS_MAX {
        return error(400, "invalid_argument", "too many restore keys");
    }
    for one in starts.iter().map(String::as_str).chain([key]) {
        if let Some(refusal) = wrong(one, version) {
            return refusal;
        }
    }
    let scopes = bearer.readable();
    if scopes.is_empty() {
        let message = "cache read denied: token has no readable scopes";
        return error(403, "permission_denied", message);
    }
    let (ok, url, matched) = match store.find(&scopes, key, &starts, version) {
        Some((id, name)) => (true, signed(store, base, id, May::Read), name),
        None => (false, String::new(), String::new()),
    };
    answer(
        200,
        &json!({"ok": ok, "signed_download_url": url, "matched_key": matched}),
    )
}

/// Account, container and blob are in the path, as Azure's client reads it where the host is an address.
fn signed(store: &Store, base: &str, id: u64, may: May) -> String {
    format!("{base}{}{id}?{}", super::blob::PREFIX, store.sign(id, may))
}
