//! Which answers may be stored, and for whom.

mod body;

use http::{HeaderMap, StatusCode, header};

use crate::api::json;
use crate::api::operation::Operation;

/// Why an answer is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotStored {
    /// Its status is not 200.
    Status,
    /// `Cache-Control: no-store`.
    NoStore,
    /// The body is over the limit.
    TooLarge,
    /// The body is still content-coded, so its bytes are not those that GitHub hashed.
    NotIdentity,
    /// Not a kind of text that the API speaks, or no kind at all.
    ContentType,
    /// It sets a cookie.
    SetCookie,
    /// The operation hands out a token, or a token is in the body.
    Token,
    /// The operation is about the caller's own limits.
    RateLimit,
    /// GraphQL answered with errors.
    GraphqlErrors,
    /// GraphQL answered with the caller's rate limit among the data.
    RateLimitInside,
    /// `Vary: *`.
    VaryAll,
    /// GraphQL answered with something that is not a JSON object.
    Malformed,
}

impl NotStored {
    /// The name among the counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "not-stored-status",
            Self::NoStore => "not-stored-no-store",
            Self::TooLarge => "not-stored-too-large",
            Self::NotIdentity => "not-stored-not-identity",
            Self::ContentType => "not-stored-content-type",
            Self::SetCookie => "not-stored-set-cookie",
            Self::Token => "not-stored-token",
            Self::RateLimit => "not-stored-rate-limit",
            Self::GraphqlErrors => "not-stored-graphql-errors",
            Self::RateLimitInside => "not-stored-rate-limit-inside",
            Self::VaryAll => "not-stored-vary-all",
            Self::Malformed => "not-stored-malformed",
        }
    }
}

/// For whom a body may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shareable {
    /// It may be offered to other credentials as a candidate.
    Everyone,
    /// It holds something made for one caller (`temp_clone_token`, a `download_url` with a token, a
    /// signed URL). Kept for the credential that got it, and only as long as it is fresh: what is in it
    /// expires, so a 304 must not prolong it.
    OnlyReceiver,
}

/// Whether an answer may be stored, and for whom. `limit` is the longest body in bytes; `body` is
/// what the headers describe.
pub fn storable(
    operation: Operation,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    limit: usize,
) -> Result<Shareable, NotStored> {
    if status != StatusCode::OK {
        return Err(NotStored::Status);
    }
    match operation {
        Operation::RateLimit => return Err(NotStored::RateLimit),
        operation if operation.is_never_stored() => return Err(NotStored::Token),
        _ => {}
    }
    if body.len() > limit {
        return Err(NotStored::TooLarge);
    }
    judge_headers(headers)?;
    if operation == Operation::GraphqlQuery {
        judge_graphql(body)?;
    }
    body::judge(body)
}

fn judge_headers(headers: &HeaderMap) -> Result<(), NotStored> {
    if has_element(headers, header::CACHE_CONTROL, b"no-store") {
        return Err(NotStored::NoStore);
    }
    if headers.contains_key(header::SET_COOKIE) {
        return Err(NotStored::SetCookie);
    }
    if has_element(headers, header::VARY, b"*") {
        return Err(NotStored::VaryAll);
    }
    let codings = headers.get_all(header::CONTENT_ENCODING);
    if codings
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(NotStored::NotIdentity);
    }
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) if is_api_kind(kind.as_bytes()) => Ok(()),
        _ => Err(NotStored::ContentType),
    }
}

/// Whether a list-valued header has this element; what follows a `=` does not count.
fn has_element(headers: &HeaderMap, name: header::HeaderName, element: &[u8]) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .filter_map(|item| item.split(|&byte| byte == b'=').next())
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(element))
}

/// The kinds of bodies that the API speaks: JSON, its own media types, and text. Archives, images and
/// streams of events are somebody else's.
pub fn is_api_kind(kind: &[u8]) -> bool {
    let essence = kind.split(|&byte| byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == b"application/json"
        || essence.starts_with(b"application/vnd.github")
        || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
        || (essence.starts_with(b"text/") && essence != b"text/event-stream")
}

/// GraphQL answers 200 to nearly everything; only `data` without `errors` is an answer.
fn judge_graphql(body: &[u8]) -> Result<(), NotStored> {
    let mut has_data = false;
    let mut members = json::members(body);
    for member in &mut members {
        match member.name {
            b"errors" => return Err(NotStored::GraphqlErrors),
            b"data" => {
                has_data = member.value.starts_with(b"{");
                if json::members(member.value).any(|inner| inner.name == b"rateLimit") {
                    return Err(NotStored::RateLimitInside);
                }
            }
            _ => {}
        }
    }
    if has_data && members.is_whole() {
        Ok(())
    } else {
        Err(NotStored::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const LIMIT: usize = 1000;

    fn judge(operation: Operation, headers: &str, body: &str) -> Result<Shareable, NotStored> {
        let mut map = HeaderMap::new();
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").unwrap();
            let name: header::HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        storable(operation, StatusCode::OK, &map, body.as_bytes(), LIMIT)
    }

    fn json(operation: Operation, body: &str) -> Result<Shareable, NotStored> {
        judge(
            operation,
            "content-type: application/json; charset=utf-8",
            body,
        )
    }

    #[test]
    fn headers_that_forbid_storing_are_obeyed() {
        let kind = "content-type: application/json";
        for (line, why) in [
            ("cache-control: private, No-Store", NotStored::NoStore),
            (
                "cache-control: private\ncache-control: no-store",
                NotStored::NoStore,
            ),
            ("cache-control: no-store=\"x\"", NotStored::NoStore),
            ("set-cookie: a=b", NotStored::SetCookie),
            ("vary: Accept, *", NotStored::VaryAll),
            ("content-encoding: gzip", NotStored::NotIdentity),
            ("content-encoding: identity, br", NotStored::NotIdentity),
            ("content-type: text/html", NotStored::ContentType),
        ] {
            let headers = format!("{kind}\n{line}");
            assert_eq!(judge(Operation::Other, &headers, "{}"), Err(why), "{line}");
        }
        assert_eq!(
            judge(Operation::Other, "vary: a", "{}"),
            Err(NotStored::ContentType)
        );
        let fine =
            format!("{kind}\ncache-control: private, max-age=60\ncontent-encoding: identity");
        assert_eq!(
            judge(Operation::Other, &fine, "{}"),
            Ok(Shareable::Everyone)
        );
    }

    #[test]
    fn only_kinds_of_the_api_are_kept() {
        for kind in [
            "application/zip",
            "application/octet-stream",
            "text/event-stream",
            "image/png",
            "json",
            "application/x-gzip",
            "multipart/mixed",
        ] {
            let found = judge(Operation::Other, &format!("content-type: {kind}"), "{}");
            assert_eq!(found, Err(NotStored::ContentType), "{kind}");
        }
        for kind in [
            "Application/JSON;charset=utf-8",
            "application/vnd.github.raw",
            "text/plain",
            "application/sarif+json",
            "application/vnd.github.v3.diff; charset=utf-8",
        ] {
            let found = judge(Operation::Other, &format!("content-type: {kind}"), "{}");
            assert_eq!(found, Ok(Shareable::Everyone), "{kind}");
        }
    }

    #[test]
    fn only_a_200_within_the_limit_is_kept() {
        let headers = HeaderMap::new();
        for status in [201, 202, 203, 204, 206, 301, 302, 304, 404, 500] {
            let status = StatusCode::from_u16(status).unwrap();
            let found = storable(Operation::Other, status, &headers, b"{}", LIMIT);
            assert_eq!(found, Err(NotStored::Status));
        }
        let body = "x".repeat(LIMIT + 1);
        assert_eq!(json(Operation::Other, &body), Err(NotStored::TooLarge));
        assert_eq!(json(Operation::RateLimit, "{}"), Err(NotStored::RateLimit));
        assert_eq!(json(Operation::Token, "{}"), Err(NotStored::Token));
    }

    #[test]
    fn graphql_is_kept_only_as_data_without_errors() {
        for (body, why) in [
            (r#"{"data":{"a":1},"errors":[]}"#, NotStored::GraphqlErrors),
            (
                r#"{"errors":null,"data":{"a":1}}"#,
                NotStored::GraphqlErrors,
            ),
            (r#"{"data":{"rateLimit":{}}}"#, NotStored::RateLimitInside),
            (r#"{"data":null}"#, NotStored::Malformed),
            (r#"{"message":"Bad"}"#, NotStored::Malformed),
            (r#"{"data":{"a":1}"#, NotStored::Malformed),
            ("", NotStored::Malformed),
        ] {
            assert_eq!(json(Operation::GraphqlQuery, body), Err(why), "{body}");
        }
        let fine = r#"{"data":{"a":{"rateLimit":1}},"extensions":{}}"#;
        assert_eq!(json(Operation::GraphqlQuery, fine), Ok(Shareable::Everyone));
    }
}
