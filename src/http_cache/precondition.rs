//! Preconditions of a client's GET or HEAD (RFC 9110, 13.2.2), evaluated against what we would serve.

/// What the preconditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Answer 304.
    NotModified,
    /// Answer with the body.
    Proceed,
}

/// Evaluates `If-None-Match` and `If-Modified-Since` against the `ETag` and `Last-Modified` of what we
/// would serve.
///
/// `If-Modified-Since` is ignored when `If-None-Match` is there, when its date is invalid, and when
/// there is no valid date to compare it with (13.1.3).
pub fn evaluate(
    if_none_match: Option<&[u8]>,
    if_modified_since: Option<&[u8]>,
    etag: Option<&[u8]>,
    last_modified: Option<&[u8]>,
) -> Precondition {
    let not_modified = match (if_none_match, if_modified_since, last_modified) {
        (Some(list), _, _) => names(list, etag),
        (None, Some(since), Some(modified)) => match (date(since), date(modified)) {
            (Some(since), Some(modified)) => modified <= since,
            _ => false,
        },
        _ => false,
    };
    if not_modified {
        Precondition::NotModified
    } else {
        Precondition::Proceed
    }
}

fn date(value: &[u8]) -> Option<httpdate::HttpDate> {
    std::str::from_utf8(value).ok()?.trim_ascii().parse().ok()
}

/// Whether a list of entity tags names `etag` by weak comparison (13.1.2, 8.8.3.2). `*` names whatever
/// there is. A list that breaks the grammar names nothing from the break on: the client gets a body.
fn names(list: &[u8], etag: Option<&[u8]>) -> bool {
    if list.trim_ascii() == b"*" {
        return true;
    }
    let Some((etag, b"")) = etag.and_then(|etag| opaque_tag(etag.trim_ascii())) else {
        return false;
    };
    let mut rest = list;
    loop {
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after;
            continue;
        }
        let Some((tag, after)) = opaque_tag(rest) else {
            return false;
        };
        rest = after.trim_ascii_start();
        if !rest.is_empty() && rest[0] != b',' {
            return false;
        }
        if tag == etag {
            return true;
        }
    }
}

/// The opaque part of the entity tag at the start of `text`, without its weakness, and what follows.
fn opaque_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text
        .strip_prefix(b"W/")
        .unwrap_or(text)
        .strip_prefix(b"\"")?;
    let end = inner.iter().position(|&byte| byte == b'"')?;
    Some((&inner[..end], &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &[u8] = b"Sun, 06 Nov 1994 08:49:38 GMT";

    fn by_tag(list: &str, etag: Option<&str>) -> bool {
        let etag = etag.map(str::as_bytes);
        evaluate(Some(list.as_bytes()), None, etag, None) == Precondition::NotModified
    }

    fn by_date(since: &[u8], modified: Option<&[u8]>) -> bool {
        evaluate(None, Some(since), None, modified) == Precondition::NotModified
    }

    #[test]
    fn tags_are_compared_weakly_in_a_list() {
        for list in [
            "\"a\"",
            "W/\"a\"",
            ", \"x,y\" ,\"a\"",
            "*",
            " * ",
            "\"a\", garbage",
        ] {
            assert!(by_tag(list, Some("\"a\"")), "{list}");
            assert!(by_tag(list, Some("W/\"a\"")), "{list}");
        }
        for list in [
            "",
            ",",
            "a",
            "\"b\"",
            "\"a",
            "\"a\"b",
            "garbage, \"a\"",
            "**",
            "w/\"a\"",
        ] {
            assert!(!by_tag(list, Some("\"a\"")), "{list}");
        }
        assert!(by_tag("*", None));
        assert!(!by_tag("\"a\"", None));
        assert!(!by_tag("a", Some("a")));
    }

    #[test]
    fn dates_count_only_when_both_are_valid() {
        assert!(by_date(THEN, Some(THEN)));
        assert!(by_date(LATER, Some(THEN)));
        assert!(by_date(b"Sunday, 06-Nov-94 08:49:37 GMT", Some(THEN)));
        assert!(!by_date(THEN, Some(LATER)));
        assert!(!by_date(b"yesterday", Some(THEN)));
        assert!(!by_date(LATER, Some(b"\xff")));
        assert!(!by_date(LATER, None));
    }

    #[test]
    fn a_tag_that_does_not_match_is_not_outvoted_by_a_date() {
        let answer = evaluate(Some(b"\"b\""), Some(LATER), Some(b"\"a\""), Some(THEN));
        assert_eq!(answer, Precondition::Proceed);
        let answer = evaluate(Some(b"\"a\""), Some(THEN), Some(b"\"a\""), Some(LATER));
        assert_eq!(answer, Precondition::NotModified);
        assert_eq!(
            evaluate(None, None, Some(b"\"a\""), None),
            Precondition::Proceed
        );
    }
}
