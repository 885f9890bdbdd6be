//! Files of the older Python caches, as values: nothing is read or written here.
//!
//! | form | file | key |
//! |---|---|---|
//! | one entry | `{"cache_key", "data", "timestamp", "ttl", …}` | `cache_key` |
//! | one entry, older | the same without `cache_key` | the file's name, in which `/`, `:` and `*` became `_` |
//! | many entries | `cache.json`: `{KEY: {"key", "data", "timestamp", "ttl", …}}` | KEY |
//!
//! They carry no proof of anything. What is in them becomes values of the key-value interface; and what is an
//! answer of GitHub as it came (`gh_api:ENDPOINT:()`) a candidate too, which GitHub has to confirm.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{Fields, Head, Key, key};
use crate::store::memory::Named;
use crate::store::{Entry, snapshot};
use crate::time::Timestamp;

/// Where the older caches asked.
const HOST: &str = "api.github.com";
/// What the keys of raw answers begin with.
const RAW: &str = "gh_api";
/// How Python writes that there were no further arguments.
const NO_ARGUMENTS: &str = ":()";
/// What keys without an operation are stored under.
const DEFAULT_OPERATION: &str = "default";
const DAYS: f64 = 86_400.0;
/// Ten years; a longer lifetime is a mistake.
const TTL_MAX: f64 = 3650.0 * DAYS;

/// An entry of an older cache.
#[derive(Debug)]
pub(super) struct Older {
    /// Under which it was stored, `OPERATION:ARGUMENTS`.
    key: String,
    /// JSON, without white space that means nothing and without escapes that Python adds.
    data: Vec<u8>,
    stored_at: Timestamp,
    lifetime: Duration,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow)]
    cache_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
    timestamp: f64,
    ttl: f64,
}

/// The entries in a file called `stem`.json; and how many could not be read. `None`: no file of theirs.
pub(super) fn read(text: &[u8], stem: &str) -> Option<(Vec<Older>, u64)> {
    if let Ok(file) = serde_json::from_slice::<File<'_>>(text) {
        let key = file.cache_key.as_deref().unwrap_or(stem).to_owned();
        return Some(match older(key, &file) {
            Some(entry) => (vec![entry], 0),
            None => (Vec::new(), 1),
        });
    }
    let many: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(text).ok()?;
    let entries: Vec<_> = many
        .iter()
        .map(|(key, value)| {
            let file: File<'_> = serde_json::from_str(value.get()).ok()?;
            older(key.clone().into_owned(), &file)
        })
        .collect();
    let malformed = entries.iter().filter(|entry| entry.is_none()).count();
    let found = malformed < entries.len();
    found.then(|| (entries.into_iter().flatten().collect(), malformed as u64))
}

fn older(key: String, file: &File<'_>) -> Option<Older> {
    let seconds = |number: f64| Duration::try_from_secs_f64(number).ok();
    let lifetime = seconds(file.ttl).filter(|_| file.ttl <= TTL_MAX)?;
    // Year 10,000 is no time either.
    let stored_at = seconds(file.timestamp).filter(|_| file.timestamp < 2.5e11)?;
    Some(Older {
        key,
        data: compact(file.data.get())?,
        stored_at: Timestamp::EPOCH.plus(stored_at),
        lifetime,
    })
}

impl Older {
    /// The value of the key-value interface; `None` if its time is over.
    pub(super) fn value(&self, now: Timestamp) -> Option<(Key, Named)> {
        let (operation, rest) = self
            .key
            .split_once(':')
            .unwrap_or((DEFAULT_OPERATION, &self.key));
        let named = Named {
            operation: operation.into(),
            key: Bytes::copy_from_slice(rest.as_bytes()),
            value: Bytes::copy_from_slice(&self.data),
            // A clock that was ahead must not make it live longer.
            stored_at: self.stored_at.min(now),
            lifetime: self.lifetime,
        };
        let key = key::named(operation, rest.as_bytes());
        named.is_fresh(now).then_some((key, named))
    }

    /// The same as an answer of GitHub to be asked about, under the keys that our own `api` and a plain
    /// client ask for; none if it is not such an answer. Its age does not matter.
    pub(super) fn candidate(&self) -> Option<([Key; 2], Entry)> {
        let endpoint = self.key.strip_prefix(RAW)?.strip_prefix(':')?;
        let endpoint = endpoint.strip_suffix(NO_ARGUMENTS).unwrap_or(endpoint);
        let plain =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'(' | b'#');
        if endpoint.contains("://") || !endpoint.bytes().all(plain) {
            return None;
        }
        let target = format!("/{}", endpoint.trim_start_matches('/'));
        let entry = snapshot::candidate(HOST, &target, &self.data).ok()?;
        let asked = |api_version| {
            key::rest(&Head {
                method: &http::Method::GET,
                host: HOST,
                target: &target,
                fields: Fields {
                    api_version,
                    ..Fields::default()
                },
            })
        };
        Some(([asked(Some(b"2022-11-28")), asked(None)], entry))
    }
}

/// JSON as GitHub writes it: no white space between values, and characters where Python writes escapes. The
/// order of members stays. `None` for what is no JSON.
fn compact(json: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json.as_bytes();
    let mut inside = false;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' => inside = !inside,
            b' ' | b'\t' | b'\r' | b'\n' if !inside => {
                rest = after;
                continue;
            }
            b'\\' => {
                if let Some((letter, length)) =
                    escaped(rest).filter(|(letter, _)| !letter.is_ascii())
                {
                    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = &rest[length..];
                    continue;
                }
                // Together with what it escapes, which may be a quote.
                out.extend_from_slice(rest.get(..2)?);
                rest = &rest[2..];
                continue;
            }
            _ => {}
        }
        out.push(byte);
        rest = after;
    }
    (!inside).then_some(out)
}

/// The character that the escape at the start of `text` means (RFC 8259, 7), and its length.
fn escaped(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let first = unit(0)?;
    if let Ok(letter) = char::try_from(u32::from(first)) {
        return Some((letter, 6));
    }
    let pair = [first, unit(6)?];
    let letter = char::decode_utf16(pair).next()?.ok()?;
    Some((letter, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_100);

    /// As Python's json.dumps writes it.
    fn file(key: &str, data: &str) -> String {
        format!(
            r#"{{"cache_key": {key}, "data": {data}, "timestamp": 1700000000.25, "ttl": 300, "content_hash": null, "validation_fields": null}}"#
        )
    }

    fn one(text: &str, stem: &str) -> Older {
        let (mut entries, malformed) = read(text.as_bytes(), stem).unwrap();
        assert_eq!((entries.len(), malformed), (1, 0));
        entries.remove(0)
    }

    #[test]
    fn an_entry_keeps_its_key_and_what_is_left_of_its_time() {
        let text = file(
            r#""list_workflow_runs:branch=main:repo=o/r""#,
            r#"[{"a": 1}, null]"#,
        );
        let entry = one(&text, "stem");
        let (key, named) = entry.value(NOW).unwrap();
        assert_eq!(
            key,
            key::named("list_workflow_runs", b"branch=main:repo=o/r")
        );
        assert_eq!(named.value, r#"[{"a":1},null]"#);
        assert_eq!(
            (named.stored_at.as_millis(), named.lifetime.as_secs()),
            (1_700_000_000_250, 300)
        );
        assert!(
            entry.value(Timestamp::from_secs(1_700_000_301)).is_none(),
            "its time is over"
        );
        let early = entry.value(Timestamp::from_secs(1_600_000_000)).unwrap().1;
        assert_eq!(
            early.stored_at.as_secs(),
            1_600_000_000,
            "a clock that was ahead"
        );
        assert!(entry.candidate().is_none());
    }

    #[test]
    fn the_older_form_has_its_file_s_name_for_a_key() {
        let text = r#"{"data": null, "timestamp": 1700000000, "ttl": 300}"#;
        let (key, named) = one(text, "list_repos_owner=o").value(NOW).unwrap();
        assert_eq!(key, key::named("default", b"list_repos_owner=o"));
        assert_eq!(named.value, "null", "a stored null is a value");
        let (key, _) = one(text, "op:a").value(NOW).unwrap();
        assert_eq!(key, key::named("op", b"a"));
    }

    #[test]
    fn a_file_of_many_entries_is_read_as_far_as_it_can_be() {
        let text = r#"{"repo:a": {"key": "repo:a", "data": {"x": 1}, "timestamp": 1.7e9, "ttl": 300, "source_peer": null},
            "bad": {"data": 1}, "worse": 7, "old:b": {"data": 2, "timestamp": 0, "ttl": 1}}"#;
        let (entries, malformed) = read(text.as_bytes(), "cache").unwrap();
        assert_eq!((entries.len(), malformed), (2, 2));
        let fresh = entries.iter().filter(|entry| entry.value(NOW).is_some());
        assert_eq!(fresh.count(), 1);
    }

    #[test]
    fn what_is_not_theirs_is_not_read() {
        for text in [
            "",
            "null",
            "[]",
            "{}",
            "{\"a\": 1}",
            "{\"a\": {\"b\": 1}}",
            "not json",
            "\u{0}",
            "{\"data\": 1, \"timestamp\": \"now\", \"ttl\": 1}",
            "{\"created_at\": 1, \"expires_at\": 2, \"key\": \"k\", \"value\": {}}",
            "{\"data\": 1, \"timestamp\": 1, \"ttl\": 1",
        ] {
            assert!(read(text.as_bytes(), "stem").is_none(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let _ = read(deep.as_bytes(), "stem");
        let _ = read(file("\"k\"", &deep).as_bytes(), "stem");
        assert!(read(b"\xff\xfe", "stem").is_none());
    }

    #[test]
    fn odd_times_are_malformed() {
        for (timestamp, ttl) in [
            ("-1", "300"),
            ("1e300", "300"),
            ("1.7e9", "-5"),
            ("1.7e9", "1e30"),
            ("1e12", "3"),
        ] {
            let text = format!(r#"{{"data": 1, "timestamp": {timestamp}, "ttl": {ttl}}}"#);
            let (entries, malformed) = read(text.as_bytes(), "stem").unwrap();
            assert_eq!((entries.len(), malformed), (0, 1), "{timestamp} {ttl}");
        }
    }

    #[test]
    fn a_raw_answer_is_also_a_candidate_in_github_s_own_bytes() {
        let data = r#"{"full_name": "o/r", "n\u00e4me": "\ud83d\ude00 \" \\ \u003c x", "id": 1}"#;
        let (keys, entry) = one(&file(r#""gh_api:/repos/o/r:()""#, data), "")
            .candidate()
            .unwrap();
        let body =
            "{\"full_name\":\"o/r\",\"n\u{e4}me\":\"\u{1f600} \\\" \\\\ \\u003c x\",\"id\":1}";
        assert_eq!(entry.variants[0].body, body);
        assert_eq!(
            (&*entry.label, entry.operation),
            ("GET api.github.com/repos/o/r", "get_repo_info")
        );
        assert!(
            !entry.variants[0].was_public && entry.variants[0].kinds == 0 && keys[0] != keys[1]
        );
        let without_slash = one(&file(r#""gh_api:repos/o/r:()""#, data), "")
            .candidate()
            .unwrap();
        assert_eq!(without_slash.0, keys);
    }

    #[test]
    fn what_github_did_not_answer_like_this_is_no_candidate() {
        for key in [
            r#""gh_api:repos/o/r:('--jq', '.id')""#,
            r#""gh_api:repos/{owner}/{repo}:()""#,
            r#""gh_api:https://evil.example/x:()""#,
            r#""gh_api:graphql:()""#,
            r#""gh_api:rate_limit:()""#,
            r#""gh_api:../x:()""#,
            r#""gh_api_x:/user:()""#,
            r#""get_repo_info:repo=o/r""#,
        ] {
            assert!(one(&file(key, "{}"), "").candidate().is_none(), "{key}");
        }
        let token = file(
            r#""gh_api:/repos/o/r:()""#,
            r#"{"temp_clone_token": "AABB"}"#,
        );
        assert!(one(&token, "").candidate().is_none());
    }

    #[test]
    fn compact_changes_nothing_but_the_spelling() {
        for (json, same) in [
            (r#"{ "a" : [ 1 , 2.0 , "b c" ] }"#, r#"{"a":[1,2.0,"b c"]}"#),
            (r#""\ud83d""#, r#""\ud83d""#),
            (r#""\ud83d\u0041""#, r#""\ud83d\u0041""#),
            (r#""\\u00e4""#, r#""\\u00e4""#),
            (r#""\u00E4""#, "\"\u{e4}\""),
            (r#""\"\\""#, r#""\"\\""#),
        ] {
            assert_eq!(compact(json).unwrap(), same.as_bytes(), "{json}");
        }
        assert_eq!(compact("\"open"), None);
        assert_eq!(compact("\"\\"), None);
    }
}
