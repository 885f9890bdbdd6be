//! Rate limits: what GitHub's headers say, and which refusals are limits.
//!
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};

use crate::api::json;
use crate::time::Timestamp;

/// How long to wait after a secondary limit that does not say: "at least one minute".
const MINUTE: Duration = Duration::from_mins(1);
/// Nothing that a server says makes us wait longer than this.
const LONGEST: Duration = Duration::from_hours(2);
/// A message stands at the beginning of a body.
const START: usize = 4096;

/// The `X-RateLimit-*` headers of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateHeaders {
    /// Requests (or GraphQL points) per hour; per minute for some resources.
    pub limit: u64,
    /// What is left of them.
    pub remaining: u64,
    /// What is used.
    pub used: u64,
    /// When they are all there again.
    pub reset: Timestamp,
    /// The bucket: `core`, `search`, `graphql`, …; `core` if the server does not say.
    pub resource: Box<str>,
}

impl RateHeaders {
    /// `None` when the server does not say how many, how many are left, or until when.
    pub fn parse(headers: &HeaderMap) -> Option<Self> {
        let limit = number(headers, "x-ratelimit-limit")?;
        let remaining = number(headers, "x-ratelimit-remaining")?;
        Some(Self {
            limit,
            remaining,
            used: number(headers, "x-ratelimit-used").unwrap_or(limit.saturating_sub(remaining)),
            reset: Timestamp::from_secs(number(headers, "x-ratelimit-reset")?),
            resource: text(headers, "x-ratelimit-resource")
                .unwrap_or("core")
                .into(),
        })
    }
}

/// A refusal that is a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The budget of a bucket is used up.
    Primary {
        /// When to ask again.
        until: Timestamp,
    },
    /// Too much at once; every bucket of the caller should rest.
    Secondary {
        /// When to ask again.
        until: Timestamp,
    },
}

/// Whether an answer is a rate limit. `body_start` is the body or its beginning.
///
/// A refusal counts as one if it says so: by its message, by `Retry-After`, by status 429, or by
/// `X-RateLimit-Remaining: 0` when no message gives another reason. A 403 that only happens to be the
/// last request of the hour is about permissions, and must stay so: it takes rights away.
pub fn refusal(
    status: StatusCode,
    headers: &HeaderMap,
    body_start: &[u8],
    now: Timestamp,
) -> Option<Refusal> {
    let body = &body_start[..body_start.len().min(START)];
    let said = match status {
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => Said::in_message(body),
        StatusCode::OK => Some(Said::in_graphql_errors(body)?),
        _ => return None,
    };
    let rate = RateHeaders::parse(headers);
    let retry_after = text(headers, header::RETRY_AFTER.as_str())
        .and_then(|value| wait(value, now))
        .map(|wait| now.plus(wait.min(LONGEST)));
    let used_up = rate.as_ref().is_some_and(|rate| rate.remaining == 0);
    let reset = rate
        .filter(|rate| rate.remaining == 0 && rate.reset > now)
        .map(|rate| rate.reset.min(now.plus(LONGEST)));

    let primary = Refusal::Primary {
        until: reset.or(retry_after).unwrap_or(now.plus(MINUTE)),
    };
    let secondary = Refusal::Secondary {
        until: retry_after.unwrap_or(now.plus(MINUTE)),
    };
    match said {
        Some(Said::Primary) => Some(primary),
        Some(Said::Secondary) => Some(secondary),
        _ if retry_after.is_some() => Some(secondary),
        None if used_up => Some(primary),
        _ if status == StatusCode::TOO_MANY_REQUESTS => {
            Some(if used_up { primary } else { secondary })
        }
        _ => None,
    }
}

/// What a body says about limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Primary,
    Secondary,
    /// There is a message, about something else.
    Other,
}

impl Said {
    /// The `message` of an error; `None` if there is none.
    fn in_message(body: &[u8]) -> Option<Self> {
        let message = json::members(body).find(|member| member.name == b"message")?;
        Some(Self::of(message.value))
    }

    /// The errors of GraphQL, which come with status 200; `None` if they are not about limits.
    fn in_graphql_errors(body: &[u8]) -> Option<Self> {
        let errors = json::members(body).find(|member| member.name == b"errors")?;
        match Self::of(errors.value) {
            Self::Other if contains(errors.value, b"\"RATE_LIMITED\"") => Some(Self::Primary),
            Self::Other => None,
            said => Some(said),
        }
    }

    fn of(text: &[u8]) -> Self {
        if contains(text, b"secondary rate limit") || contains(text, b"abuse detection") {
            Self::Secondary
        } else if contains(text, b"rate limit exceeded") {
            Self::Primary
        } else {
            Self::Other
        }
    }
}

/// Whether `text` contains `words`, in any case.
fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len())
        .any(|window| window.eq_ignore_ascii_case(words))
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds or a date.
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since_epoch = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::EPOCH.plus(since_epoch).since(now))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const NOW: Timestamp = Timestamp::from_secs(1000);
    const RESET: &str = "x-ratelimit-limit: 60\nx-ratelimit-remaining: 0\nx-ratelimit-reset: 1600";
    const EXCEEDED: &str = r#"{"message":"API rate limit exceeded for user ID 1."}"#;
    const ABUSE: &str =
        r#"{"documentation_url":"x","message":"You have exceeded a Secondary rate limit."}"#;
    const DENIED: &str = r#"{"message":"Resource not accessible by integration"}"#;

    fn map(headers: &str) -> HeaderMap {
        let lines = headers.lines().map(|line| line.split_once(": ").unwrap());
        lines
            .map(|(name, value)| {
                let name: header::HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    fn judge(status: u16, headers: &str, body: &str) -> Option<Refusal> {
        let status = StatusCode::from_u16(status).unwrap();
        refusal(status, &map(headers), body.as_bytes(), NOW)
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with a judgement")]
    fn primary(until: u64) -> Option<Refusal> {
        let until = Timestamp::from_secs(until);
        Some(Refusal::Primary { until })
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with a judgement")]
    fn secondary(until: u64) -> Option<Refusal> {
        let until = Timestamp::from_secs(until);
        Some(Refusal::Secondary { until })
    }

    #[test]
    fn a_plain_refusal_is_no_limit() {
        assert_eq!(judge(403, "", DENIED), None);
        assert_eq!(judge(403, "", ""), None);
        assert_eq!(judge(404, RESET, EXCEEDED), None);
        assert_eq!(judge(503, "retry-after: 5", ""), None);
        // The last request of the hour was one that is not allowed.
        assert_eq!(judge(403, RESET, DENIED), None);
        assert_eq!(judge(200, RESET, "[]"), None);
        assert_eq!(
            judge(200, RESET, r#"{"message":"rate limit exceeded"}"#),
            None
        );
    }

    #[test]
    fn a_used_up_budget_rests_until_its_reset() {
        assert_eq!(judge(403, RESET, EXCEEDED), primary(1600));
        assert_eq!(judge(429, RESET, ""), primary(1600));
        assert_eq!(judge(403, RESET, "<html>"), primary(1600));
        assert_eq!(judge(403, "", EXCEEDED), primary(1060));
        let far = RESET.replace("1600", "99999999999");
        assert_eq!(judge(403, &far, EXCEEDED), primary(1000 + 7200));
        let past = RESET.replace("1600", "1");
        assert_eq!(judge(403, &past, EXCEEDED), primary(1060));
    }

    #[test]
    fn too_much_at_once_rests_as_long_as_it_says() {
        assert_eq!(judge(403, "", ABUSE), secondary(1060));
        assert_eq!(judge(403, "retry-after: 5", ABUSE), secondary(1005));
        assert_eq!(judge(403, "retry-after: 5", DENIED), secondary(1005));
        assert_eq!(judge(429, "", ""), secondary(1060));
        assert_eq!(judge(429, "retry-after: soon", ""), secondary(1060));
        let date = "retry-after: Thu, 01 Jan 1970 00:16:50 GMT";
        assert_eq!(judge(429, date, ""), secondary(1010));
        let huge = "retry-after: 18446744073709551615";
        assert_eq!(judge(429, huge, ""), secondary(1000 + 7200));
    }

    #[test]
    fn graphql_hides_its_limits_in_a_200() {
        let limited = r#"{"errors":[{"type":"RATE_LIMITED","message":"API limit"}]}"#;
        assert_eq!(judge(200, RESET, limited), primary(1600));
        let cut_off =
            r#"{"data":null,"errors":[{"message":"x","type":"RATE_LIMITED"#.to_owned() + "\"";
        assert_eq!(judge(200, "", &cut_off), primary(1060));
        let abuse = r#"{"errors":[{"message":"You have exceeded a secondary rate limit"}]}"#;
        assert_eq!(judge(200, "", abuse), secondary(1060));
        for other in [
            r#"{"data":{"a":"rate limit exceeded","type":"RATE_LIMITED"}}"#,
            r#"{"errors":[{"type":"NOT_FOUND"}]}"#,
        ] {
            assert_eq!(judge(200, RESET, other), None, "{other}");
        }
    }

    #[test]
    fn headers_are_read_or_not_at_all() {
        let read = |headers: &str| RateHeaders::parse(&map(headers));
        let rate = read(RESET).unwrap();
        assert_eq!((rate.used, &*rate.resource), (60, "core"));
        assert_eq!(rate.reset, Timestamp::from_secs(1600));
        assert_eq!(read(""), None);
        assert_eq!(read(&RESET.replace("60\n", "-60\n")), None);
        assert_eq!(read(&RESET.replace("1600", "soon")), None);
        assert_eq!(
            read("x-ratelimit-limit: 60\nx-ratelimit-remaining: 1"),
            None
        );
    }
}
