//! Our own failures, in GitHub's shape, so that clients show them as they show GitHub's.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use crate::http_cache::CacheStatus;
use crate::tiered::Failure;

/// Where a client's user may read on.
const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// A request that is answered here, with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    /// The methods that are served, for a 405.
    allow: &'static str,
    cache: CacheStatus,
}

/// GitHub's shape, in GitHub's order.
#[derive(Serialize)]
struct Shape<'a> {
    message: &'a str,
    documentation_url: &'a str,
}

impl Refusal {
    pub(super) const fn new(status: StatusCode, message: &'static str) -> Self {
        Self {
            status,
            message: Cow::Borrowed(message),
            retry_after: None,
            allow: "",
            cache: CacheStatus::Bypass { reason: "refused" },
        }
    }

    /// A method that is not among those in `allow`.
    pub(super) fn allowing(allow: &'static str, message: &'static str) -> Self {
        Self {
            allow,
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
        }
    }

    pub(super) fn owned(status: StatusCode, message: String) -> Self {
        Self {
            message: Cow::Owned(message),
            ..Self::new(status, "")
        }
    }

    /// The body: `{"message":"ghswarm: …","documentation_url":"…"}`.
    pub(super) fn body(&self) -> Vec<u8> {
        let shape = Shape {
            message: &format!("ghswarm: {}", self.message),
            documentation_url: DOCUMENTATION,
        };
        // Two texts are always JSON.
        serde_json::to_vec(&shape).unwrap_or_default()
    }

    /// The field lines of the answer, without framing.
    pub(super) fn fields(&self) -> String {
        let mut fields = String::from("content-type: application/json; charset=utf-8\r\n");
        // Writing to a string cannot fail.
        let _ = write!(fields, "cache-status: {}\r\n", self.cache);
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let _ = write!(fields, "retry-after: {seconds}\r\n");
        }
        if !self.allow.is_empty() {
            // RFC 9110, section 15.5.6: a 405 names what is allowed.
            let _ = write!(fields, "allow: {}\r\n", self.allow);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            fields.push_str("www-authenticate: Bearer\r\n");
        }
        fields
    }

    /// The whole answer, for the front.
    pub(super) fn write(&self, out: &mut Vec<u8>, date: &str, head_only: bool, close: bool) {
        let body = self.body();
        let reason = self.status.canonical_reason().unwrap_or_default();
        // Writing to a vector cannot fail.
        let _ = write!(
            out,
            "HTTP/1.1 {} {reason}\r\n{}date: {date}\r\n{}content-length: {}\r\n\r\n",
            self.status.as_u16(),
            self.fields(),
            if close { "connection: close\r\n" } else { "" },
            body.len(),
        );
        if !head_only {
            out.extend_from_slice(&body);
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self {
            status: failure.status,
            message: Cow::Owned(failure.message),
            retry_after: failure.retry_after,
            allow: "",
            cache: failure.cache,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_looks_like_githubs() {
        let mut out = Vec::new();
        Refusal::owned(StatusCode::FORBIDDEN, "no \"such\" host".to_owned()).write(
            &mut out,
            "Thu, 01 Jan 1970 00:00:00 GMT",
            false,
            true,
        );
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\ncontent-type: application/json;"));
        assert!(head.contains("\r\nconnection: close\r\n"));
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(json["message"], "ghswarm: no \"such\" host");
        assert!(body.starts_with(r#"{"message":"#), "{body}");
        assert!(json["documentation_url"].is_string());
    }

    #[test]
    fn a_wait_is_rounded_up() {
        let refusal = Refusal::from(Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: "busy".to_owned(),
            retry_after: Some(Duration::from_millis(1200)),
            cache: CacheStatus::Bypass {
                reason: "exhausted",
            },
        });
        assert!(refusal.fields().contains("retry-after: 2\r\n"));
    }
}
