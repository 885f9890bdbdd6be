//! The `ETag` that GitHub would give *this* caller for *these* bytes.
//!
//! GitHub's validator of a JSON body is not documented, but it can be computed:
//!
//! ```text
//! lower_hex(SHA-256( for H in [Accept, Authorization, Cookie] if H in Vary: value + ":"  ||  body ))
//! ```
//!
//! So a body from anywhere becomes a question to GitHub: a 304 to the computed validator says that the
//! body is authentic, current and visible to this caller. [`Health`] watches whether that still holds.

mod health;

use crate::digest::Digest;

pub use health::Health;

/// Which request headers enter the formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vary {
    /// `Accept`.
    pub accept: bool,
    /// `Authorization`.
    pub authorization: bool,
    /// `Cookie`.
    pub cookie: bool,
}

impl Vary {
    /// Reads all `Vary` lines of an answer; GitHub sends two. `None` when there is none or one says
    /// `*`: then nothing is known about what was hashed. Other names do not enter the formula.
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut vary = None;
        for name in values.flat_map(|value| value.split(|&byte| byte == b',')) {
            let name = name.trim_ascii();
            if name == b"*" {
                return None;
            }
            let vary = vary.get_or_insert(Self {
                accept: false,
                authorization: false,
                cookie: false,
            });
            vary.accept |= name.eq_ignore_ascii_case(b"accept");
            vary.authorization |= name.eq_ignore_ascii_case(b"authorization");
            vary.cookie |= name.eq_ignore_ascii_case(b"cookie");
        }
        vary
    }
}

/// The validator that GitHub computes for `body` sent to a caller with these headers.
///
/// `accept` is the value that was sent upstream, `authorization` the whole value with its scheme.
/// Requests with cookies are never cached, so there is no cookie to hash.
pub fn computed(vary: Vary, accept: &[u8], authorization: Option<&[u8]>, body: &[u8]) -> Digest {
    let accept = vary.accept.then_some(accept);
    let authorization = authorization.filter(|_| vary.authorization);
    let prefixes = [accept, authorization].into_iter().flatten();
    Digest::of(prefixes.flat_map(|value| [value, b":"]).chain([body]))
}

/// The forms of an `ETag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Etag {
    /// 64 lower-case hexadecimal digits: a hash by the formula.
    Hashed(Digest),
    /// Anything else: 40 digits are a git object, the same for every caller.
    Opaque,
}

impl Etag {
    /// Reads a header value, weak or strong: GitHub weakens it when it compresses the body.
    /// `None` when it is not an entity tag (RFC 9110, 8.8.3).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (tag, rest) = entity_tag(value.trim_ascii())?;
        if !rest.is_empty() {
            return None;
        }
        Some(from_hex(tag).map_or(Self::Opaque, Self::Hashed))
    }
}

/// A digest as the value of `ETag` or `If-None-Match`.
pub fn quoted(digest: &Digest) -> String {
    ["\"", &digest.hex(), "\""].concat()
}

fn from_hex(text: &[u8]) -> Option<Digest> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let pairs: &[[u8; 2]; 32] = pairs.try_into().ok()?;
    let mut bytes = [0_u8; 32];
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = hex_digit(high)? << 4 | hex_digit(low)?;
    }
    Some(bytes.into())
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The opaque part of the entity tag at the start of `text`, and what follows it.
fn entity_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let quoted = text.strip_prefix(b"W/").unwrap_or(text);
    let inner = quoted.strip_prefix(b"\"")?;
    let end = inner.iter().position(|&byte| byte == b'"')?;
    let (tag, rest) = inner.split_at(end);
    let is_etagc = |&byte: &u8| byte == 0x21 || (byte >= 0x23 && byte != 0x7f);
    tag.iter().all(is_etagc).then_some((tag, &rest[1..]))
}

/// Whether `if_none_match` names `etag`, by weak comparison (RFC 9110, 13.1.2 and 8.8.3.2): a list of
/// entity tags, or `*`. Garbage in the list names nothing and does not hide what comes after it.
pub fn matches_none(if_none_match: &[u8], etag: &[u8]) -> bool {
    let list = if_none_match.trim_ascii();
    if list == b"*" {
        return true;
    }
    let Some((etag, b"")) = entity_tag(etag.trim_ascii()) else {
        return false;
    };
    let mut rest = list;
    while !rest.is_empty() {
        rest = rest.trim_ascii_start();
        let named = entity_tag(rest);
        rest = named.map_or(rest, |(_, after)| after);
        let comma = rest.iter().position(|&byte| byte == b',');
        let end = comma.unwrap_or(rest.len());
        // A tag counts only if nothing but a comma or the end follows it.
        let alone = rest[..end].trim_ascii().is_empty();
        if alone && named.is_some_and(|(tag, _)| tag == etag) {
            return true;
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary(lines: &[&str]) -> Option<Vary> {
        Vary::parse(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn nothing_is_known_without_vary_or_with_a_star() {
        assert_eq!(vary(&[]), None);
        assert_eq!(vary(&["*"]), None);
        assert_eq!(vary(&["Accept", "Accept-Encoding, *"]), None);
        let two = vary(&[
            "Accept, authorization, Cookie, X-GitHub-OTP",
            "Accept-Encoding, Accept, X-Requested-With",
        ]);
        let all = Vary {
            accept: true,
            authorization: true,
            cookie: true,
        };
        assert_eq!(two, Some(all));
        let other = vary(&["Accept-Encoding"]).unwrap();
        assert!(!other.accept && !other.authorization && !other.cookie);
    }

    #[test]
    fn the_formula_hashes_what_vary_names_and_the_caller_sent() {
        let hex = |vary: &str, authorization: Option<&[u8]>| {
            let vary = self::vary(&[vary]).unwrap();
            computed(vary, b"*/*", authorization, b"[]").hex()
        };
        let sha = |text: &str| Digest::of([text.as_bytes()]).hex();
        let token = Some(&b"token ghp_1"[..]);
        assert_eq!(
            hex("Accept, Authorization, Cookie", token),
            sha("*/*:token ghp_1:[]")
        );
        assert_eq!(hex("Accept, Authorization", None), sha("*/*:[]"));
        // Answers to an App's own JSON Web Token vary by Accept alone.
        assert_eq!(hex("Accept", token), sha("*/*:[]"));
        assert_eq!(hex("Accept-Encoding", token), sha("[]"));
    }

    #[test]
    fn recorded_answers_of_github_have_the_computed_validator() {
        let recorded = include_str!("../../tests/data/api/etags.json");
        let recorded: serde_json::Value = serde_json::from_str(recorded).unwrap();
        let answers = recorded["answers"].as_array().unwrap();
        assert!(answers.len() >= 4);
        for answer in answers {
            let text = |name: &str| answer[name].as_str().unwrap().as_bytes();
            let lines = answer["vary"].as_array().unwrap();
            let vary = Vary::parse(lines.iter().map(|line| line.as_str().unwrap().as_bytes()));
            // These came for an App's own token and do not vary by `Authorization`.
            let digest = computed(
                vary.unwrap(),
                text("accept"),
                Some(b"Bearer x"),
                text("body"),
            );
            assert_eq!(Etag::parse(text("etag")), Some(Etag::Hashed(digest)));
        }
    }

    #[test]
    fn only_whole_lower_case_hashes_are_hashed() {
        let hash = "0123456789abcdef".repeat(4);
        let digest = Digest::from(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef");
        assert_eq!(
            Etag::parse(quoted(&digest).as_bytes()),
            Some(Etag::Hashed(digest))
        );
        assert_eq!(
            Etag::parse(format!("W/\"{hash}\"").as_bytes()),
            Some(Etag::Hashed(digest))
        );
        for opaque in [&hash[..40], &hash[..63], &hash.to_uppercase(), "", "x"] {
            let value = format!("\"{opaque}\"");
            assert_eq!(Etag::parse(value.as_bytes()), Some(Etag::Opaque), "{value}");
        }
        for none in [
            "",
            "x",
            "\"x",
            "w/\"x\"",
            "\"x\"y",
            "\"x\",\"y\"",
            "W/",
            "\"a b\"",
        ] {
            assert_eq!(Etag::parse(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn the_comparison_is_weak_and_garbage_hides_nothing() {
        let matches = |list: &str| matches_none(list.as_bytes(), b"\"a\"");
        for list in [
            "\"a\"",
            "W/\"a\"",
            " * ",
            "\"b\", \"a\"",
            "garbage,\"a\"",
            ",,\"b\" ,W/\"a\",",
            "\"x,y\",\"a\"",
            "\"b\"c,\"a\"",
            "W/\"\",\"a\"",
        ] {
            assert!(matches(list), "{list}");
        }
        for list in [
            "",
            "a",
            "\"b\"",
            "\"aa\"",
            "\"a",
            "*, \"b\"",
            "\"x,\"a\",y\"",
            "w/\"a\"",
            "W/ \"a\"",
            "\"a\"x",
            "'a'",
            "\"A\"",
            ",",
        ] {
            assert!(!matches(list), "{list}");
        }
        assert!(matches_none(b"\"a\"", b"W/\"a\""));
        assert!(!matches_none(b"a", b"a"));
    }
}
