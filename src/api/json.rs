//! A scanner that looks at JSON (RFC 8259) without building a tree.
//!
//! Bodies come from GitHub and are only looked at, so the scanner finds where values begin and end
//! and leaves the rest of the grammar alone: broken JSON gives a short or an empty answer, never a
//! panic. Where bytes become part of a key, [`canonical`] is strict.

/// The members of the object that `body` is; nothing if it is not an object.
pub fn members(body: &[u8]) -> Members<'_> {
    let start = space(body, 0);
    let whole = body.get(start) == Some(&b'{');
    Members {
        body,
        at: if whole { start + 1 } else { body.len() },
        whole,
    }
}

/// The number of items of the array that `body` is; `None` if it is no whole array.
pub fn count_items(body: &[u8]) -> Option<usize> {
    let start = space(body, 0);
    if body.get(start) != Some(&b'[') {
        return None;
    }
    let mut at = space(body, start + 1);
    if body.get(at) == Some(&b']') {
        return Some(0);
    }
    let mut items = 0;
    loop {
        at = space(body, end_of_value(body, at)?);
        items += 1;
        match body.get(at)? {
            b',' => at = space(body, at + 1),
            b']' => return Some(items),
            _ => return None,
        }
    }
}

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The name between its quotes, escapes as they are.
    pub name: &'a [u8],
    /// The value without white space around it. If the body ends within it, what is there of it.
    pub value: &'a [u8],
}

/// Iterates over the members of an object.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    body: &'a [u8],
    at: usize,
    whole: bool,
}

impl Members<'_> {
    /// After the iteration: whether there was an object and its end was seen.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    fn stop<T>(&mut self) -> Option<T> {
        self.whole = false;
        self.at = self.body.len();
        None
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.body;
        if self.at >= body.len() {
            // A body that ends inside its object was cut off.
            self.whole &= self.at > body.len();
            return None;
        }
        let quote = space(body, self.at);
        match body.get(quote) {
            Some(b'}') => {
                self.at = body.len() + 1;
                return None;
            }
            Some(b'"') => {}
            _ => return self.stop(),
        }
        let Some(name_end) = end_of_string(body, quote) else {
            return self.stop();
        };
        let colon = space(body, name_end);
        if body.get(colon) != Some(&b':') {
            return self.stop();
        }
        let start = space(body, colon + 1);
        let end = end_of_value(body, start);
        let member = Member {
            name: &body[quote + 1..name_end - 1],
            value: &body[start.min(body.len())..end.unwrap_or(body.len())],
        };
        let after = space(body, end.unwrap_or(body.len()));
        match body.get(after) {
            Some(b',') => self.at = after + 1,
            Some(b'}') => self.at = body.len() + 1,
            _ => {
                let _: Option<()> = self.stop();
            }
        }
        Some(member)
    }
}

/// The first place at or after `at` that is not white space.
fn space(body: &[u8], at: usize) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .count()
}

/// The place after the string that begins with the quote at `quote`.
fn end_of_string(body: &[u8], quote: usize) -> Option<usize> {
    let mut at = quote + 1;
    loop {
        let rest = body.get(at..)?;
        let found = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\'))?;
        at += found + 1;
        if rest[found] == b'"' {
            return Some(at);
        }
        at += 1;
    }
}

/// The place after the value that begins at `at`. Brackets are counted, not matched by kind.
fn end_of_value(body: &[u8], start: usize) -> Option<usize> {
    match body.get(start)? {
        b'"' => end_of_string(body, start),
        b'{' | b'[' => {
            let mut depth = 0_usize;
            let mut at = start;
            loop {
                let rest = body.get(at..)?;
                let found = rest
                    .iter()
                    .position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))?;
                at += found;
                match rest[found] {
                    b'"' => at = end_of_string(body, at)?,
                    b'{' | b'[' => {
                        depth += 1;
                        at += 1;
                    }
                    _ => {
                        depth -= 1;
                        at += 1;
                        if depth == 0 {
                            return Some(at);
                        }
                    }
                }
            }
        }
        b',' | b':' | b'}' | b']' => None,
        _ => {
            let rest = &body[start..];
            let ends =
                |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            Some(start + rest.iter().position(ends).unwrap_or(rest.len()))
        }
    }
}

/// One spelling for equal values: no white space, names sorted, strings escaped in one way.
///
/// Numbers stay as they were written, so that large ones, which a tree would round, stay different.
/// `None` when `text` is not JSON, names something twice, or is nested deeper than `depth`.
pub fn canonical(text: &str, depth: usize) -> Option<String> {
    // The standard parser judges the grammar; after it, finding the ends of values is enough.
    let value: &serde_json::value::RawValue = serde_json::from_str(text).ok()?;
    canonical_value(value.get().as_bytes(), depth)
}

fn canonical_value(value: &[u8], depth: usize) -> Option<String> {
    let deeper = || depth.checked_sub(1);
    match value.first()? {
        b'"' => canonical_string(value),
        b'{' => {
            let depth = deeper()?;
            let mut sorted = Vec::new();
            let mut members = members(value);
            for member in &mut members {
                let name = [b"\"", member.name, b"\""].concat();
                sorted.push((
                    canonical_string(&name)?,
                    canonical_value(member.value, depth)?,
                ));
            }
            if !members.is_whole() {
                return None;
            }
            sorted.sort_unstable();
            if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return None;
            }
            let sorted = sorted.into_iter().map(|(name, value)| name + ":" + &value);
            Some(["{", &sorted.collect::<Vec<_>>().join(","), "}"].concat())
        }
        b'[' => {
            let depth = deeper()?;
            let mut items = Vec::new();
            let mut at = space(value, 1);
            while value.get(at)? != &b']' {
                let end = end_of_value(value, at)?;
                items.push(canonical_value(&value[at..end], depth)?);
                at = space(value, end);
                if value.get(at)? == &b',' {
                    at = space(value, at + 1);
                }
            }
            Some(["[", &items.join(","), "]"].concat())
        }
        _ => Some(std::str::from_utf8(value).ok()?.to_owned()),
    }
}

fn canonical_string(quoted: &[u8]) -> Option<String> {
    let text: String = serde_json::from_slice(quoted).ok()?;
    serde_json::to_string(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            r#"[a"\\{},:\[\] \u{e9}]{0,6}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            let name = r#"[ab"\\}]{0,3}"#;
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..5).prop_map(Value::from_iter),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_scanner_sees_what_a_parser_sees(value in any_json(), pretty: bool) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            prop_assert_eq!(count_items(text.as_bytes()), value.as_array().map(Vec::len));
            let mut scanner = members(text.as_bytes());
            let mut seen = serde_json::Map::new();
            for member in &mut scanner {
                let name = [b"\"", member.name, b"\""].concat();
                seen.insert(
                    serde_json::from_slice(&name).unwrap(),
                    serde_json::from_slice(member.value).unwrap(),
                );
            }
            prop_assert_eq!(scanner.is_whole(), value.is_object());
            prop_assert_eq!(seen, value.as_object().cloned().unwrap_or_default());
        }
    }

    #[test]
    fn broken_arrays_have_no_count() {
        for body in ["", "{}", "[", "[1", "[1,", "[,]", "[1 2]", "[\"a]", "[{]"] {
            assert_eq!(count_items(body.as_bytes()), None, "{body}");
        }
        assert_eq!(count_items(b" [ ] "), Some(0));
        assert_eq!(count_items(br#"[1,{"a":[1,2]},"],\"",null]"#), Some(4));
    }

    #[test]
    fn a_cut_off_object_shows_what_is_there_and_is_not_whole() {
        let mut seen = members(br#"{"a":1, "errors" : [{"type":"X"#);
        assert_eq!(seen.next().unwrap().value, b"1");
        let cut = seen.next().unwrap();
        assert_eq!(
            (cut.name, cut.value),
            (&b"errors"[..], &br#"[{"type":"X"#[..])
        );
        assert!(seen.next().is_none() && !seen.is_whole());
    }

    #[test]
    fn wholeness_is_told_after_the_last_member() {
        for (body, whole) in [
            ("{}", true),
            (" { } ", true),
            (r#"{"a":{},"b":"}"}"#, true),
            (r#"{"a":1"#, false),
            (r#"{"a""#, false),
            ("{", false),
            ("[]", false),
            ("", false),
        ] {
            let mut seen = members(body.as_bytes());
            let _ = (&mut seen).count();
            assert_eq!(seen.is_whole(), whole, "{body}");
        }
    }

    #[test]
    fn equal_values_have_one_spelling() {
        let canonical = |text| canonical(text, 8);
        assert_eq!(
            canonical(r#" {"b" : [1, "\u0061\n"], "a":{"d":null,"c":1.0} } "#).unwrap(),
            r#"{"a":{"c":1.0,"d":null},"b":[1,"a\n"]}"#
        );
        // A tree would make one number of these two.
        assert_ne!(
            canonical("123456789012345678901234"),
            canonical("123456789012345678901235")
        );
    }

    #[test]
    fn what_is_not_clear_has_no_spelling() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":1,}"#,
            "[1 2]",
            "[[[[[[[[[]]]]]]]]]",
            "{} {}",
            r#""\ud800""#,
            "nul",
            "",
        ] {
            assert_eq!(canonical(text, 8), None, "{text}");
        }
    }
}
