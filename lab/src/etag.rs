//! GitHub's ETag, as client authors found it to be.
//!
//! For `H` in Accept, Authorization, Cookie (this order), if the response's `Vary` lists `H`, each
//! value of `H` in the request plus `:`; then the identity body; lower-hex SHA-256 of all that.
//! Source: the README of `bored-engineer/github-conditional-http-transport`; checked here against
//! `PyGithub`'s recordings (`tests/it/recordings.rs`).

use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderName};
use sha2::{Digest, Sha256};

/// The headers that GitHub hashes, in its order.
pub const HASHED: [HeaderName; 3] = [ACCEPT, AUTHORIZATION, COOKIE];

/// The first `Vary` line for somebody who is signed in.
pub const VARY: &str = "Accept, Authorization, Cookie, X-GitHub-OTP";
/// The first `Vary` line for nobody, and for an App's JWT.
pub const VARY_ANONYMOUS: &str = "Accept";
/// The second `Vary` line of every answer.
pub const VARY_MORE: &str = "Accept-Encoding, Accept, X-Requested-With";

/// The ETag (without quotes) of an answer with this `vary` and identity `body`.
pub fn formula(vary: &str, request: &HeaderMap, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for header in HASHED {
        if !lists(vary, header.as_str()) {
            continue;
        }
        for value in request.get_all(&header) {
            hash.update(value.as_bytes());
            hash.update(b":");
        }
    }
    hash.update(body);
    hex(&hash.finalize())
}

/// Whether a `Vary` value lists `header`, or is `*`.
pub fn lists(vary: &str, header: &str) -> bool {
    vary.split(',')
        .map(str::trim)
        .any(|name| name == "*" || name.eq_ignore_ascii_case(header))
}

/// Weak comparison of every `If-None-Match` line with `etag` (RFC 9110 §13.1.2).
pub fn matches(request: &HeaderMap, etag: &str) -> bool {
    request
        .get_all(http::header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.trim_matches('"') == etag)
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn vary_decides_what_is_hashed() {
        let mut request = HeaderMap::new();
        request.insert(ACCEPT, HeaderValue::from_static("*/*"));
        request.insert(AUTHORIZATION, HeaderValue::from_static("token a"));
        let both = formula(
            "Accept, Authorization, Cookie, X-GitHub-OTP",
            &request,
            b"[]",
        );
        assert_eq!(both, hex(&Sha256::digest(b"*/*:token a:[]")));
        assert_eq!(
            formula("Accept", &request, b"[]"),
            hex(&Sha256::digest(b"*/*:[]"))
        );
    }

    #[test]
    fn tags_compare_weakly_in_lists() {
        let mut request = HeaderMap::new();
        request.insert(
            http::header::IF_NONE_MATCH,
            HeaderValue::from_static("\"x\", W/\"abc\""),
        );
        assert!(matches(&request, "abc"));
        assert!(!matches(&request, "abd"));
        request.insert(http::header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        assert!(matches(&request, "anything"));
    }
}
