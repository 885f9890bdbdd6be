//! The head of a request: what kind of request it is and, for a read, under which key its answer is
//! kept. Decided without looking at a body, in well under a microsecond.

mod fields;

use http::Method;

use crate::api::key::{self, Key};
use crate::api::namespace::{Effect, Namespace};
use crate::api::operation::{Operation, Refused};
use crate::api::path::Path;

pub use fields::Fields;

/// Targets over this many bytes are handed through: GitHub refuses longer ones itself.
const MAX_TARGET: usize = 8 * 1024;

/// What a decision needs to know of a request.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The upstream host in lower case, for instance `api.github.com`.
    pub host: &'a str,
    /// Path and query in the origin's terms: prefixes such as `/api/v3` are already removed.
    pub target: &'a str,
    /// The header fields that matter.
    pub fields: Fields<'a>,
}

/// What is done with a request.
#[derive(Debug, Clone)]
pub enum Route {
    /// A read whose answer may be kept.
    Cacheable(Question),
    /// `POST /graphql`: its body decides ([`graphql::parse`](crate::api::graphql::parse)), and for a
    /// query its fields ([`refused`]) too.
    Query,
    /// An unsafe method: handed through, and what it may have changed becomes stale.
    Write(Effect),
    /// A read that the cache keeps out of.
    Bypass(Bypass),
}

/// A read whose answer may be kept.
#[derive(Debug, Clone)]
pub struct Question {
    /// The name of its answer.
    pub key: Key,
    /// Its class.
    pub operation: Operation,
    /// Whose writes make its answer stale.
    pub namespace: Namespace,
    /// The client asked with HEAD and wants no body.
    pub head_only: bool,
}

/// Why the cache keeps out of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bypass {
    /// Neither a read nor a write that we know: OPTIONS, TRACE, CONNECT.
    Method,
    /// A header field that may change the answer in a way we do not know.
    UnknownHeader,
    /// A header field that has one value came with two.
    RepeatedHeader,
    /// A browser's session: not a way to use the API.
    Cookie,
    /// A part of a body.
    Range,
    /// A precondition that is not about caching.
    Precondition,
    /// A read that hands out a token, or has one in its target, which is kept with the answer.
    Token,
    /// An archive, a log or an asset: GitHub redirects to a URL that soon expires.
    Stream,
    /// An OAuth app's or a user's name and password.
    Basic,
    /// A target that two readers could read differently.
    Path,
    /// A target longer than GitHub takes.
    TooLong,
    /// A read with a body, which may be part of the question.
    Body,
}

impl Bypass {
    /// The name in `Cache-Status` and among the counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::UnknownHeader => "unknown-header",
            Self::RepeatedHeader => "repeated-header",
            Self::Cookie => "cookie",
            Self::Range => "range",
            Self::Precondition => "precondition",
            Self::Token => "token",
            Self::Stream => "stream",
            Self::Basic => "basic",
            Self::Path => "path",
            Self::TooLong => "too-long",
            Self::Body => "body",
        }
    }
}

/// Decides what is done with a request.
pub fn route(head: &Head<'_>) -> Route {
    match *head.method {
        Method::GET | Method::HEAD => match question(head) {
            Ok(question) => Route::Cacheable(question),
            Err(bypass) => Route::Bypass(bypass),
        },
        Method::POST if head.target == "/graphql" => Route::Query,
        // Safe, or no request for a resource at all (RFC 9110, 9.2.1 and 9.3.6 to 9.3.8).
        Method::OPTIONS | Method::TRACE | Method::CONNECT => Route::Bypass(Bypass::Method),
        // With another method in its fields it is another write.
        Method::POST if head.fields.unknown => Route::Write(Effect::Writes(Namespace::Host)),
        // A method whose safety is not known counts as unsafe (RFC 9111, 4.4).
        _ => Route::Write(Effect::of(head.method, head.target)),
    }
}

fn question(head: &Head<'_>) -> Result<Question, Bypass> {
    if let Some(bypass) = refused(&head.fields) {
        return Err(bypass);
    }
    if head.target.len() > MAX_TARGET {
        return Err(Bypass::TooLong);
    }
    if names_secret(head.target) {
        return Err(Bypass::Token);
    }
    let target = key::canonical_target(head.target);
    let path = Path::of(&target).ok_or(Bypass::Path)?;
    let operation = Operation::of_read(&path, &target).map_err(|refused| match refused {
        Refused::Token => Bypass::Token,
        Refused::Stream => Bypass::Stream,
    })?;
    if wants_bytes(operation, &head.fields) {
        return Err(Bypass::Stream);
    }
    Ok(Question {
        key: key::rest_canonical(head, &target),
        operation,
        namespace: Namespace::of_path(&path),
        head_only: head.method == Method::HEAD,
    })
}

/// Why a read with these fields is not for the cache, if it is not.
pub fn refused(fields: &Fields<'_>) -> Option<Bypass> {
    let scheme = fields.authorization.and_then(|value| value.get(..5));
    let reasons = [
        (fields.repeated, Bypass::RepeatedHeader),
        (fields.unknown, Bypass::UnknownHeader),
        (fields.cookie.is_some(), Bypass::Cookie),
        (fields.range.is_some(), Bypass::Range),
        (fields.if_other, Bypass::Precondition),
        (
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic")),
            Bypass::Basic,
        ),
    ];
    reasons
        .into_iter()
        .find_map(|(applies, bypass)| applies.then_some(bypass))
}

/// Whether a parameter is a credential, as old servers take it.
fn names_secret(target: &str) -> bool {
    let Some((_, query)) = target.split_once('?') else {
        return false;
    };
    query.split('&').any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        ["access_token", "client_secret"]
            .iter()
            .any(|secret| name.eq_ignore_ascii_case(secret))
    })
}

/// Whether the client asks for the bytes of an asset or a database instead of its description, by
/// `Accept: application/octet-stream` or `application/zip`: GitHub then redirects.
fn wants_bytes(operation: Operation, fields: &Fields<'_>) -> bool {
    let Some(accept) = fields.accept else {
        return false;
    };
    let has = |needle: &[u8]| {
        accept
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle))
    };
    matches!(operation, Operation::Releases | Operation::Alerts)
        && (has(b"octet-stream") || has(b"application/zip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: &Method, target: &str, fields: &[(&str, &str)]) -> Route {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        route(&Head {
            method,
            host: "api.github.com",
            target,
            fields: Fields::gather(fields),
        })
    }

    fn bypass(target: &str, fields: &[(&str, &str)]) -> Option<Bypass> {
        match ask(&Method::GET, target, fields) {
            Route::Bypass(bypass) => Some(bypass),
            _ => None,
        }
    }

    #[test]
    fn a_target_with_a_secret_in_it_is_not_kept() {
        for target in [
            "/repos/o/r?access_token=ghp_x",
            "/user?per_page=5&Access_Token=ghp_x",
            "/users/o?client_id=a&client_secret=b",
        ] {
            assert_eq!(bypass(target, &[]), Some(Bypass::Token), "{target}");
        }
        assert_eq!(bypass("/repos/o/r?q=access_token", &[]), None);
    }

    #[test]
    fn fields_that_could_change_the_answer_keep_the_cache_out() {
        for (fields, why) in [
            (&[("X-GitHub-OTP", "1")][..], Bypass::UnknownHeader),
            (&[("x-github-media-type", "x")], Bypass::UnknownHeader),
            (&[("X-HTTP-Method-Override", "PUT")], Bypass::UnknownHeader),
            (&[("Accept", "a"), ("aCCEPT", "a")], Bypass::RepeatedHeader),
            (&[("Connection", "close, ACCEPT")], Bypass::UnknownHeader),
            (&[("Cookie", "a=b")], Bypass::Cookie),
            (&[("Range", "bytes=0-1")], Bypass::Range),
            (&[("If-Match", "*")], Bypass::Precondition),
            (&[("If-Unmodified-Since", "x")], Bypass::Precondition),
            (&[("If-Range", "x")], Bypass::Precondition),
            (&[("Authorization", "BASIC eDp5")], Bypass::Basic),
        ] {
            assert_eq!(bypass("/repos/o/r", fields), Some(why), "{fields:?}");
        }
        for fields in [
            &[("X-GitHub-Api-Version", "2022-11-28")][..],
            &[("If-None-Match", "\"a\""), ("If-Modified-Since", "x")],
            &[
                ("X-GitHu", "x"),
                ("X-Githubé", "x"),
                ("Accept-Encoding", "gzip"),
            ],
            &[("Authorization", "Bearer x"), ("Cache-Control", "no-cache")],
            &[("Connection", "Upgrade, HTTP2-Settings, connection, ,")],
        ] {
            assert_eq!(bypass("/repos/o/r", fields), None, "{fields:?}");
        }
    }

    #[test]
    fn a_write_under_another_method_may_have_changed_anything() {
        let fields = [("X-HTTP-Method-Override", "DELETE")];
        let route = ask(&Method::POST, "/orgs/o", &fields);
        assert!(
            matches!(route, Route::Write(Effect::Writes(Namespace::Host))),
            "{route:?}"
        );
    }

    #[test]
    fn targets_that_are_not_ours_to_keep() {
        for (target, why) in [
            ("/repos/o/r/actions/runs/1/logs", Bypass::Stream),
            ("/repos/o/r/actions/jobs/1/logs", Bypass::Stream),
            ("/repos/o/r/actions/runs/1/attempts/2/logs", Bypass::Stream),
            ("/repos/o/r/actions/artifacts/1/zip", Bypass::Stream),
            ("/repos/o/r/zipball/main", Bypass::Stream),
            ("/repositories/1/tarball", Bypass::Stream),
            ("/repos/o/r/actions/runners/downloads", Bypass::Token),
            ("/orgs/o/actions/runners/downloads", Bypass::Token),
            ("/%66eeds", Bypass::Token),
            ("/repos/o/../r", Bypass::Path),
            ("/repos/o/%2e%2E/r", Bypass::Path),
            ("/repos/o/r%2", Bypass::Path),
            ("repos/o/r", Bypass::Path),
            ("*", Bypass::Path),
        ] {
            assert_eq!(bypass(target, &[]), Some(why), "{target}");
        }
        let long = "/".to_owned() + &"x".repeat(MAX_TARGET);
        assert_eq!(bypass(&long, &[]), Some(Bypass::TooLong));
    }

    #[test]
    fn an_asset_is_described_or_streamed_as_the_client_accepts() {
        let asset = "/repos/o/r/releases/assets/1";
        let octets = [("Accept", "Application/Octet-Stream")];
        assert_eq!(bypass(asset, &octets), Some(Bypass::Stream));
        assert_eq!(bypass(asset, &[]), None);
        assert_eq!(bypass("/repos/o/r/contents/a", &octets), None);
        let database = "/repos/o/r/code-scanning/codeql/databases/java";
        assert_eq!(
            bypass(database, &[("Accept", "application/zip")]),
            Some(Bypass::Stream)
        );
    }

    #[test]
    fn methods_are_told_apart() {
        let Route::Cacheable(get) = ask(&Method::GET, "/repos/O/r", &[]) else {
            panic!()
        };
        let Route::Cacheable(head) = ask(&Method::HEAD, "/repos/O/r", &[]) else {
            panic!()
        };
        assert!(get.key == head.key && head.head_only && !get.head_only);
        assert_eq!(get.operation, Operation::GetRepoInfo);
        assert_eq!(get.namespace, Namespace::Repo("o/r".into()));
        assert!(matches!(ask(&Method::POST, "/graphql", &[]), Route::Query));
        for (method, target) in [
            (Method::POST, "/graphql?x"),
            (Method::PUT, "/graphql"),
            (Method::from_bytes(b"PURGE").unwrap(), "/repos/o"),
        ] {
            let found = ask(&method, target, &[]);
            let Route::Write(Effect::Writes(Namespace::Host)) = found else {
                panic!("{method} {target}: {found:?}");
            };
        }
        for method in [Method::OPTIONS, Method::TRACE, Method::CONNECT] {
            let found = ask(&method, "/repos/o/r", &[]);
            assert!(matches!(found, Route::Bypass(Bypass::Method)), "{method}");
        }
    }
}
