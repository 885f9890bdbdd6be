//! What must hold for every input. The fuzz targets look for inputs that break it; the test
//! `fuzz_corpus` replays those that were worth keeping.
//!
//! Second parsers here are naive on purpose: written from the standards, without the shortcuts of the
//! code they judge.

use ghswarm::api::graphql::lexer::Lexer;
use ghswarm::api::graphql::{self, Document};
use ghswarm::api::key::canonical_target;
use ghswarm::api::{Links, Namespace, json};
use ghswarm::http_cache::control::{CacheControl, FOREVER};

/// A canonical target is its own canonical form, equals what a naive reader makes of it, and names the
/// same thing as before.
pub fn key(data: &[u8]) {
    let Ok(target) = std::str::from_utf8(data) else {
        return;
    };
    let once = canonical_target(target).into_owned();
    assert_eq!(canonical_target(&once), once, "not idempotent");
    assert_eq!(once, naive_canonical(target), "another reader disagrees");
    assert_eq!(Namespace::of(target), Namespace::of(&once));
}

/// RFC 3986, 6.2.2, character by character.
fn naive_canonical(target: &str) -> String {
    let mut text: Vec<char> = target.chars().take_while(|&char| char != '#').collect();
    if text.iter().position(|&char| char == '?') == Some(text.len().wrapping_sub(1)) {
        text.pop();
    }
    let mut out = String::new();
    let mut at = 0;
    while at < text.len() {
        if text[at] != '%' {
            out.push(text[at]);
            at += 1;
            continue;
        }
        let digits: String = text[at + 1..].iter().take(2).collect();
        if digits.len() != 2 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            // A broken escape anywhere leaves all of them alone.
            return text.into_iter().collect();
        }
        match u8::from_str_radix(&digits, 16).map(char::from) {
            Ok(char) if char.is_ascii_alphanumeric() || "-._~".contains(char) => out.push(char),
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        at += 3;
    }
    out
}

/// Links survive being written and read; a link that counts as the same host is on that host for a
/// URL parser too.
pub fn link(data: &[u8]) {
    const HOST: &str = "api.github.com";
    if data.len() > 4096 {
        return;
    }
    let Some(links) = Links::parse(data.split(|&byte| byte == b'\n')) else {
        return;
    };
    let read = |text: Option<String>| {
        Links::parse(text.iter().map(String::as_bytes)).expect("what we write can be read")
    };
    assert_eq!(read(links.write("")), links, "links changed on the way");

    let Some(relative) = links.relative(|authority, rest| (authority == HOST).then_some(rest))
    else {
        return;
    };
    for link in relative.links() {
        let url = url::Url::parse(&format!("https://{HOST}{}", link.target)).expect("a URL");
        assert_eq!((url.host_str(), url.port()), (Some(HOST), None), "{link:?}");
        assert!(link.target.starts_with('/') && !link.target.starts_with("//"));
    }
    for link in links.links() {
        let is_page = |rel: &String| ["next", "prev", "first", "last"].contains(&rel.as_str());
        if link.rel.iter().any(is_page)
            && link.target.contains("://")
            && !link.target.starts_with('/')
        {
            let url = url::Url::parse(&link.target).expect("a URL");
            assert_eq!(url.host_str(), Some(HOST), "{link:?}");
        }
    }
    let base = "http://127.0.0.1:9/api/v3";
    let back = read(relative.write(base))
        .relative(|authority, rest| (authority == "127.0.0.1:9").then_some(rest));
    let back = back.expect("our own address is ours");
    for (back, link) in back.links().iter().zip(relative.links()) {
        assert_eq!(back.target, "/api/v3".to_owned() + &link.target);
    }
}

/// The directives are those that a naive reader finds.
pub fn cache_control(data: &[u8]) {
    let parsed = CacheControl::parse(data.split(|&byte| byte == b'\n'));
    let mut naive = CacheControl::default();
    for line in data.split(|&byte| byte == b'\n') {
        for directive in naive_elements(line) {
            naive_directive(&mut naive, &directive);
        }
    }
    assert_eq!(parsed, naive);
}

/// Splits at commas outside quotes; a quote without an end is no quote.
fn naive_elements(line: &[u8]) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    let mut rest = line.to_vec();
    'elements: while !rest.is_empty() {
        let mut commas = Vec::new();
        let mut at = 0;
        while at < rest.len() {
            match rest[at] {
                b',' => break,
                b'"' => {
                    at += 1;
                    while at < rest.len() && rest[at] != b'"' {
                        if rest[at] == b',' {
                            commas.push(at);
                        }
                        at += if rest[at] == b'\\' { 2 } else { 1 };
                    }
                    if at >= rest.len() {
                        let end = commas.first().copied().unwrap_or(rest.len());
                        elements.push(rest[..end].to_vec());
                        rest.drain(..(end + 1).min(rest.len()));
                        continue 'elements;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        elements.push(rest[..at].to_vec());
        rest.drain(..(at + 1).min(rest.len()));
    }
    elements
}

fn naive_directive(control: &mut CacheControl, directive: &[u8]) {
    let text: String = directive.iter().map(|&byte| char::from(byte)).collect();
    let space = |char: char| char.is_ascii_whitespace();
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.trim_matches(space))),
        None => (text.as_str(), None),
    };
    let name = name.trim_matches(space).to_ascii_lowercase();
    let seconds = value.and_then(|value| {
        let inner = value
            .strip_prefix('"')
            .map_or(Some(value), |inner| inner.strip_suffix('"'))?;
        let digits = !inner.is_empty() && inner.chars().all(|char| char.is_ascii_digit());
        let number = || inner.parse::<u128>().unwrap_or(u128::MAX);
        digits.then(|| u32::try_from(number().min(FOREVER.into())).expect("small"))
    });
    let least = |slot: &mut Option<u32>, value: u32| {
        *slot = Some(slot.unwrap_or(u32::MAX).min(value));
    };
    match name.as_str() {
        "no-store" => control.no_store = true,
        "no-cache" => control.no_cache = true,
        "private" => control.private = true,
        "public" => control.public = true,
        "must-revalidate" | "proxy-revalidate" => control.must_revalidate = true,
        "only-if-cached" => control.only_if_cached = true,
        "max-age" => least(&mut control.max_age, seconds.unwrap_or(0)),
        "s-maxage" => least(&mut control.s_maxage, seconds.unwrap_or(0)),
        "stale-if-error" => least(&mut control.stale_if_error, seconds.unwrap_or(0)),
        "stale-while-revalidate" => {
            least(&mut control.stale_while_revalidate, seconds.unwrap_or(0));
        }
        "max-stale" if value.is_none() => least(&mut control.max_stale, FOREVER),
        "max-stale" => least(&mut control.max_stale, seconds.unwrap_or(0)),
        "min-fresh" => {
            let value = seconds.unwrap_or(FOREVER);
            control.min_fresh = Some(control.min_fresh.unwrap_or(0).max(value));
        }
        _ => {}
    }
}

/// A normal form is its own normal form and has the same tokens; what counts as a query runs nothing
/// but a query for a naive reader; JSON in canonical form means what it meant.
pub fn graphql(data: &[u8]) {
    let _ = graphql::parse(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(normal) = graphql::normal(text) {
        assert_eq!(
            graphql::normal(&normal).as_ref(),
            Ok(&normal),
            "not idempotent"
        );
        let tokens = |document| Lexer::new(document).collect::<Vec<_>>();
        assert_eq!(tokens(text), tokens(&normal), "tokens changed");
        assert_eq!(naive_squeeze(text).0, naive_squeeze(&normal).0);
    }
    let body = serde_json::json!({ "query": text }).to_string();
    if let Ok(Document::Query(_)) = graphql::parse(body.as_bytes()) {
        let words = naive_squeeze(text).1;
        let operations = words.iter().filter(|word| *word != "fragment");
        let operations: Vec<_> = operations.collect();
        assert!(matches!(operations[..], [word] if word.is_empty() || word == "query"));
    }
    if let Some(canonical) = json::canonical(text, 16) {
        assert_eq!(json::canonical(&canonical, 16).as_ref(), Some(&canonical));
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        assert_eq!(value(text), value(&canonical));
    }
}

/// The characters of a document that are not insignificant, and the words that begin its definitions
/// (nothing for the short form).
fn naive_squeeze(document: &str) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut words = Vec::new();
    let mut word = None;
    let mut depth = 0_i32;
    let mut rest = document;
    while let Some(char) = rest.chars().next() {
        let len = match char {
            '#' => rest.find(['\n', '\r']).unwrap_or(rest.len()),
            '"' => naive_string(rest),
            _ => char.len_utf8(),
        };
        let (taken, after) = rest.split_at(len);
        rest = after;
        let is_word = char.is_ascii_alphanumeric() || char == '_';
        if !is_word && let Some(done) = word.take_if(|word: &mut String| !word.is_empty()) {
            words.push(done);
        }
        match char {
            '#' | ' ' | '\t' | '\n' | '\r' | ',' | '\u{feff}' => continue,
            '{' | '(' | '[' => {
                if depth == 0 && words.len() == naive_definitions(&out) {
                    words.push(String::new());
                }
                depth += 1;
            }
            '}' | ')' | ']' => depth -= 1,
            _ if depth == 0 && is_word && words.len() == naive_definitions(&out) => {
                word.get_or_insert_with(String::new).push(char);
            }
            _ => {}
        }
        out.push_str(taken);
    }
    (out, words)
}

/// How many definitions are complete: selection sets that were closed at depth 0.
fn naive_definitions(squeezed: &str) -> usize {
    let mut depth = 0_i32;
    let mut complete = 0;
    let mut rest = squeezed;
    while let Some(char) = rest.chars().next() {
        let len = if char == '"' {
            naive_string(rest)
        } else {
            char.len_utf8()
        };
        rest = &rest[len..];
        match char {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth -= 1;
                complete += usize::from(depth == 0 && char == '}');
            }
            _ => {}
        }
    }
    complete
}

/// The length of the string at the start of `text`, or of all of it if it has no end.
fn naive_string(text: &str) -> usize {
    let (quote, escape) = if text.starts_with("\"\"\"") {
        ("\"\"\"", "\\\"\"\"")
    } else {
        ("\"", "\\")
    };
    let mut at = quote.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(escape) {
            at += escape.len();
            if escape == "\\" {
                at += text[at..].chars().next().map_or(0, char::len_utf8);
            }
        } else if rest.starts_with(quote) {
            return at + quote.len();
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}
