//! Redirects to signed, short-lived addresses on other hosts, and those hosts.
//!
//! Downloads answer 302 with an address that needs no token: archives on `codeload.github.com`,
//! logs on a results host, release assets and artifacts on their stores.

use bytes::Bytes;
use http::{Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::answer::{Answer, Caching};
use crate::etag::hex;
use crate::request::Call;

/// Archives.
pub(crate) const CODELOAD: &str = "codeload.github.com";
/// Logs of jobs and runs.
pub(crate) const RESULTS: &str = "results-receiver.actions.githubusercontent.com";
/// Assets of releases.
pub(crate) const ASSETS: &str = "release-assets.githubusercontent.com";
/// Artifacts.
pub(crate) const ARTIFACTS: &str = "productionresultssa0.blob.core.windows.net";
/// Raw files.
pub(crate) const RAW: &str = "raw.githubusercontent.com";

/// An address on another host that is good for `seconds`.
pub(crate) fn signed(host: &str, path: &str, now: u64, seconds: u64) -> String {
    let end = now + seconds;
    format!(
        "https://{host}{path}?se={end}&sig={}",
        signature(host, path, end)
    )
}

/// 302 to a signed address.
pub(crate) fn found(host: &str, path: &str, now: u64, seconds: u64) -> Answer {
    let answer = Answer::redirect(302, signed(host, path, now, seconds));
    if host == CODELOAD {
        answer.caching(Caching::Revalidate)
    } else {
        answer
    }
}

fn signature(host: &str, path: &str, end: u64) -> String {
    hex(&Sha256::digest(format!(
        "the fake signs {host}{path} until {end}"
    )))[..40]
        .to_owned()
}

/// The answer if the request is for one of the other hosts.
pub(crate) fn serve(call: &Call, now: u64) -> Option<Response<Bytes>> {
    let content_type = match call.host.as_str() {
        CODELOAD => "application/x-gzip",
        RESULTS | RAW => "text/plain; charset=utf-8",
        ASSETS => "application/octet-stream",
        ARTIFACTS => "application/zip",
        _ => return None,
    };
    let end = call
        .query("se")
        .and_then(|end| end.parse().ok())
        .unwrap_or(0);
    let good = call.query("sig") == Some(signature(&call.host, &call.raw_path, end));
    let (status, body) = if !good {
        (StatusCode::FORBIDDEN, "Signature did not match.".into())
    } else if now >= end {
        (
            StatusCode::FORBIDDEN,
            "Signature not valid in the specified time frame.".into(),
        )
    } else {
        (StatusCode::OK, content(&call.host, &call.path))
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let kind = if status == StatusCode::OK {
        content_type
    } else {
        "text/plain"
    };
    response
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static(kind));
    Some(response)
}

/// The bytes that an address stands for: the same for the same address.
fn content(host: &str, path: &str) -> String {
    let mut text = format!("{host}{path}\n");
    for line in 0..40 {
        let digest = hex(&Sha256::digest(format!("{path} {line}")));
        text.push_str(&digest);
        text.push('\n');
    }
    text
}
