//! What in a body is a secret, or was made for one caller. Fast searches first: nearly every body has
//! none of it.

use super::{NotStored, Shareable};
use crate::api::json;

/// Names whose values are tokens wherever they stand.
const TOKENS: [&str; 3] = [
    "\"temp_download_token\"",
    "\"encoded_jit_config\"",
    "\"client_secret\"",
];

/// What a URL has in it that lets whoever holds it read something for a while: Amazon's, Google's and
/// Azure's signatures, and GitHub's own for pictures in private repositories.
const SIGNATURES: [&str; 5] = [
    "X-Amz-Signature=",
    "X-Goog-Signature=",
    "&sig=",
    "?sig=",
    "?jwt=",
];

/// Whether a body may be kept, and for whom.
pub(super) fn judge(body: &[u8]) -> Result<Shareable, NotStored> {
    // Only text can be searched fast, and JSON is text. What is not, is a raw file.
    let Ok(text) = std::str::from_utf8(body) else {
        return Ok(Shareable::Everyone);
    };
    if TOKENS.iter().any(|name| has_value(text, name)) || is_token(body) {
        return Err(NotStored::Token);
    }
    let is_personal = has_value(text, "\"temp_clone_token\"")
        || download_with_token(text)
        || SIGNATURES.iter().any(|sign| text.contains(sign));
    Ok(if is_personal {
        Shareable::OnlyReceiver
    } else {
        Shareable::Everyone
    })
}

/// Whether a member called `name` (with its quotes) has a value that is neither `null` nor empty.
fn has_value(text: &str, name: &str) -> bool {
    // `contains` is the fast search; nearly always it is the only one.
    text.contains(name)
        && text.split(name).skip(1).any(|after| {
            let after = after.trim_ascii_start();
            let value = after.strip_prefix(':').map(str::trim_ascii_start);
            value.is_some_and(|value| !value.starts_with("null") && !value.starts_with("\"\""))
        })
}

/// Contents of private repositories: `"download_url": "https://raw…?token=…"`.
fn download_with_token(text: &str) -> bool {
    const NAME: &str = "\"download_url\"";
    (text.contains("?token=") || text.contains("&token="))
        && text.split(NAME).skip(1).any(|after| {
            let value = after.trim_ascii_start().strip_prefix(':');
            let url = value.and_then(|value| value.trim_ascii_start().strip_prefix('"'));
            let url = url.and_then(|url| url.split('"').next());
            url.is_some_and(|url| url.contains("?token=") || url.contains("&token="))
        })
}

/// Whether the body is an object that has a token of its own, as the operations that mint one answer:
/// a net below the table of routes.
fn is_token(body: &[u8]) -> bool {
    json::members(body).any(|member| {
        matches!(member.name, b"token" | b"access_token")
            && member.value.starts_with(b"\"")
            && member.value.len() > 2
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_where_no_route_expects_them() {
        for body in [
            r#"{"token":"ghs_x","expires_at":"2026"}"#,
            r#"{"a":{}, "token" : "x"}"#,
            r#"[{"os":"linux","temp_download_token": "x"}]"#,
            r#"{"runner":{},"encoded_jit_config":"x"}"#,
        ] {
            assert_eq!(judge(body.as_bytes()), Err(NotStored::Token), "{body}");
        }
        for body in [
            r#"{"token":""}"#,
            r#"{"token":null}"#,
            r#"{"a":{"token":"x"}}"#,
            r#"[{"temp_download_token":null}]"#,
            r#"{"body":"the \"token\":\"x\""}"#,
        ] {
            assert_eq!(judge(body.as_bytes()), Ok(Shareable::Everyone), "{body}");
        }
    }

    #[test]
    fn what_was_made_for_one_caller_stays_with_it() {
        for body in [
            r#"{"temp_clone_token":"x"}"#,
            r#"[{"temp_clone_token":""},{"temp_clone_token" : "x"}]"#,
            r#"[{"download_url":"https://raw.example/o/r/main/a?token=x"}]"#,
            r#"{"download_url" : "https://raw.example/a?b=c&token=x"}"#,
            r#"{"bundle_url":"https://x.blob.core.windows.net/a?se=1&sig=x"}"#,
            r#"{"url":"https://x.example/a?X-Amz-Signature=x"}"#,
        ] {
            assert_eq!(
                judge(body.as_bytes()),
                Ok(Shareable::OnlyReceiver),
                "{body}"
            );
        }
        for body in [
            r#"{"temp_clone_token":""}"#,
            r#"{"temp_clone_token":null}"#,
            r#"{"download_url":"https://raw.example/a","html_url":"https://x.example/?token=x"}"#,
            r#"{"download_url":null,"body":"?token=x"}"#,
        ] {
            assert_eq!(judge(body.as_bytes()), Ok(Shareable::Everyone), "{body}");
        }
    }
}
