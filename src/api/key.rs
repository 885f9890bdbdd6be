//! Keys: the names under which answers are stored.
//!
//! Two requests have one key exactly if GitHub would answer them with the same representation to the
//! same viewer. The credential is not in the key of a REST answer: who may see it is another
//! question. It is in the key of a GraphQL answer, because no free question tells whether another
//! caller may see that.

use std::borrow::Cow;
use std::fmt;

use crate::api::graphql;
use crate::api::head::Head;
use crate::digest::Digest;
use crate::secret::CredentialId;

/// The name of an answer: SHA-256 over length-prefixed parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// A key that was written down with [`Key::as_bytes`].
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Digest::from(self.0), f)
    }
}

/// The key of a REST read. GET and HEAD have the same one.
///
/// `X-GitHub-Api-Version`, `Time-Zone` and the two feature headers change bodies although GitHub's
/// `Vary` does not name them, so they are in the key whatever `Vary` says.
pub fn rest(head: &Head<'_>) -> Key {
    rest_canonical(head, &canonical_target(head.target))
}

/// As [`rest`], when the canonical target is already at hand.
pub(super) fn rest_canonical(head: &Head<'_>, target: &str) -> Key {
    of([
        Some(b"rest/1"),
        Some(head.host.as_bytes()),
        Some(target.as_bytes()),
        Some(sent_accept(head.fields.accept)),
        head.fields.api_version,
        head.fields.next_global_id,
        head.fields.graphql_features,
        head.fields.time_zone,
    ])
}

/// The key of a GraphQL query, which belongs to one credential.
pub fn graphql(credential: &CredentialId, head: &Head<'_>, normal: &graphql::Query) -> Key {
    of([
        Some(b"graphql/1"),
        Some(credential.as_bytes()),
        Some(head.host.as_bytes()),
        Some(normal.normal.as_bytes()),
        normal.operation_name.as_deref().map(str::as_bytes),
        Some(normal.variables.as_bytes()),
        Some(sent_accept(head.fields.accept)),
        head.fields.api_version,
        head.fields.next_global_id,
        head.fields.graphql_features,
        head.fields.time_zone,
    ])
}

/// The key of an entry of the key-value interface.
pub fn named(operation: &str, key: &[u8]) -> Key {
    of([Some(b"named/1"), Some(operation.as_bytes()), Some(key)])
}

/// Hashes `parts`, each after its length, so that no two lists of parts make the same bytes.
/// An absent part has a length that no part can have.
fn of<const N: usize>(parts: [Option<&[u8]>; N]) -> Key {
    let lengths = parts.map(|part| {
        part.map_or(u32::MAX, |part| {
            u32::try_from(part.len()).unwrap_or(u32::MAX - 1)
        })
        .to_le_bytes()
    });
    let bytes = parts
        .iter()
        .zip(&lengths)
        .flat_map(|(part, length)| [length.as_slice(), part.unwrap_or_default()]);
    Key(*Digest::of(bytes).as_bytes())
}

/// The `Accept` that goes upstream and into the `ETag` formula. Absent, empty and `*/*` mean the same
/// to GitHub and become `*/*`; any other value stays as it is, byte for byte.
pub fn sent_accept(accept: Option<&[u8]>) -> &[u8] {
    match accept.map(<[u8]>::trim_ascii) {
        None | Some(b"" | b"*/*") => b"*/*",
        Some(_) => accept.unwrap_or_default(),
    }
}

/// One spelling for equal targets: escapes in upper case (RFC 3986, 6.2.2.1), unreserved characters
/// unescaped (6.2.2.2), no fragment, no empty query. Never reorders the query: its order may matter.
///
/// A target with a broken escape only loses its fragment: unescaping beside a stray `%` could make
/// a new escape out of what was none.
pub fn canonical_target(target: &str) -> Cow<'_, str> {
    let target = target.split_once('#').map_or(target, |(before, _)| before);
    let target = match target.split_once('?') {
        Some((path, "")) => path,
        _ => target,
    };
    if !target.as_bytes().contains(&b'%') {
        return Cow::Borrowed(target);
    }
    canonical_escapes(target).map_or(Cow::Borrowed(target), Cow::Owned)
}

/// `None` when an escape is broken.
fn canonical_escapes(target: &str) -> Option<String> {
    let mut pieces = target.split('%');
    let mut out = String::with_capacity(target.len());
    out.push_str(pieces.next()?);
    for piece in pieces {
        let digits = piece.get(..2)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if is_unreserved(byte) => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.extend(digits.chars().map(|digit| digit.to_ascii_uppercase()));
            }
        }
        out.push_str(&piece[2..]);
    }
    Some(out)
}

/// RFC 3986, 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::head::Fields;
    use http::Method;
    use proptest::prelude::*;

    fn head<'a>(target: &'a str, fields: &[(&'a str, &'a str)]) -> Head<'a> {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        Head {
            method: &Method::GET,
            host: "api.github.com",
            target,
            fields: Fields::gather(fields),
        }
    }

    #[test]
    fn equal_questions_have_one_key() {
        let key = rest(&head("/repos/o/r?a=b", &[]));
        for (target, fields) in [
            ("/repos/o/r?a=b", [("Accept", "*/*")]),
            ("/repos/o/r?a=b", [("accept", "")]),
            ("/repos/%6f/r?a=%62", [("User-Agent", "x")]),
            ("/repos/o/r?a=b#c", [("Authorization", "token x")]),
        ] {
            assert_eq!(rest(&head(target, &fields)), key, "{target} {fields:?}");
        }
    }

    #[test]
    fn whatever_changes_a_body_changes_the_key() {
        let mut keys = vec![
            rest(&head("/a", &[])),
            rest(&head("/A", &[])),
            rest(&head("/a/", &[])),
            rest(&head("/a?b=1&c=2", &[])),
            rest(&head("/a?c=2&b=1", &[])),
            rest(&head("/a?b=1%26c=2", &[])),
            rest(&Head {
                host: "ghe.example",
                ..head("/a", &[])
            }),
        ];
        for field in [
            "Accept",
            "X-GitHub-Api-Version",
            "X-GitHub-Next-Global-ID",
            "GraphQL-Features",
            "Time-Zone",
        ] {
            keys.push(rest(&head("/a", &[(field, "1")])));
            keys.push(rest(&head("/a", &[(field, "2")])));
        }
        // Absent and empty are two, except for `Accept`.
        keys.push(rest(&head("/a", &[("Time-Zone", "")])));
        keys.push(named("/a", b""));
        keys.push(named("", b"/a"));
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn a_graphql_key_belongs_to_one_credential_and_all_of_the_query() {
        let query = |normal: &str, name: Option<&str>, variables: &str| graphql::Query {
            normal: normal.to_owned(),
            operation_name: name.map(str::to_owned),
            variables: variables.to_owned(),
            asks_rate_limit: false,
        };
        let secret = crate::secret::LocalSecret::new([7; 32]);
        let someone = secret.identify(&crate::secret::Authorization::new(Some(b"token ghp_1")));
        let head = head("/graphql", &[]);
        let nobody = CredentialId::ANONYMOUS;
        let mut keys = vec![
            graphql(&nobody, &head, &query("{a}", None, "{}")),
            graphql(&someone, &head, &query("{a}", None, "{}")),
            graphql(&nobody, &head, &query("{a}", Some(""), "{}")),
            graphql(&nobody, &head, &query("{a}{}", None, "")),
            graphql(&nobody, &head, &query("{b}", None, "{}")),
        ];
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 5);
    }

    #[test]
    fn only_spellings_that_mean_the_same_are_changed() {
        for (target, canonical) in [
            ("/a%2fb%c3%a9", "/a%2Fb%C3%A9"),
            ("/%61%7E%5f?%62=%26", "/a~_?b=%26"),
            ("/a?", "/a"),
            ("/a?#x", "/a"),
            ("/a??", "/a??"),
            ("/a?b=c+d", "/a?b=c+d"),
            ("/a%2", "/a%2"),
            ("/%61%zz", "/%61%zz"),
            ("/%%341", "/%%341"),
            ("/a%é1", "/a%é1"),
            ("", ""),
        ] {
            assert_eq!(canonical_target(target), canonical);
        }
    }

    #[test]
    fn a_key_prints_short_and_survives_being_written_down() {
        let key = named("x", b"y");
        assert_eq!(Key::from_bytes(*key.as_bytes()), key);
        assert_eq!(format!("{key:?}").len(), 12);
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent(target in "/[ab%0-9A-Fa-f?#&=/.é]{0,24}") {
            let once = canonical_target(&target).into_owned();
            prop_assert_eq!(canonical_target(&once), once.as_str());
        }
    }
}
