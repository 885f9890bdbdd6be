//! One line of the log for each request, at the level of debugging, without what can be a secret.
//!
//! No field of a request is logged, nor its query: signed URLs and old clients carry secrets there.

use std::fmt;

use http::{Response, StatusCode};
use tracing::Level;

use crate::clock::Clock;
use crate::http_cache::CacheStatus;
use crate::time::Timestamp;

/// What GitHub's tokens begin with; some old endpoints have one in their path.
const TOKENS: [&str; 7] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "eyJ"];

/// Whether anybody reads these lines.
pub(super) fn is_wanted() -> bool {
    tracing::enabled!(Level::DEBUG)
}

/// A hit.
pub(super) fn hit(method: &str, target: &str, status: StatusCode, cache: &CacheStatus) {
    let status = status.as_u16();
    tracing::debug!(method, path = %Path(target), status, %cache, "answered");
}

/// A refusal. What was asked for was not understood, so it is not repeated.
pub(super) fn refusal(status: StatusCode) {
    tracing::debug!(status = status.as_u16(), "refused");
}

/// A request that is on its way.
pub(super) struct Line<'a> {
    method: String,
    target: &'a str,
    begun: Timestamp,
}

impl<'a> Line<'a> {
    /// `None`: nobody wants it.
    pub(super) fn begin(method: &http::Method, target: &'a str, clock: &Clock) -> Option<Self> {
        is_wanted().then(|| Self {
            method: method.to_string(),
            target,
            begun: clock.now(),
        })
    }

    /// The head of the answer is there.
    pub(super) fn end<B>(self, answer: &Response<B>, clock: &Clock) {
        let cache = answer.headers().get("cache-status");
        let cache = cache
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let took = clock.now().since(self.begun);
        let Self { method, target, .. } = self;
        let status = answer.status().as_u16();
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(method, path = %Path(target), status, cache, millis, "answered");
    }
}

/// A target without its query, and without what looks like a token.
struct Path<'a>(&'a str);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.split(['?', '#']).next().unwrap_or_default();
        let mut last = "";
        for (index, segment) in path.split('/').enumerate() {
            let secret = matches!(last, "token" | "tokens")
                || TOKENS.iter().any(|start| segment.contains(start));
            let slash = if index > 0 { "/" } else { "" };
            let shown = if secret { "***" } else { segment };
            write!(f, "{slash}{shown}")?;
            last = segment;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_secrets() {
        let shown = |target| Path(target).to_string();
        assert_eq!(shown("/repos/o/r/issues?page=2"), "/repos/o/r/issues");
        assert_eq!(shown("/user?access_token=abc#x"), "/user");
        assert_eq!(
            shown("/applications/1/tokens/0123abc"),
            "/applications/1/tokens/***"
        );
        assert_eq!(shown("/x/ghp_abcdef/y"), "/x/***/y");
        assert_eq!(shown(""), "");
    }
}
