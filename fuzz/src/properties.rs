//! What must hold for every input. The fuzz targets look for inputs that break it; the test
//! `fuzz_corpus` replays those that were worth keeping.
//!
//! Second parsers here are naive on purpose: written from the standards, without the shortcuts of the
//! code they judge.

use std::sync::LazyLock;

use ghswarm::api::graphql::lexer::Lexer;
use ghswarm::api::graphql::{self, Document};
use ghswarm::api::key::canonical_target;
use ghswarm::api::{Key, Links, Namespace, json};
use ghswarm::digest::Digest;
use ghswarm::http_cache::control::{CacheControl, FOREVER};
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::admission::frame::{FRAME_MAX, Frame, length, with_length};
use ghswarm::swarm::wire::codec::{decode_answer, decode_question, encode_answer, encode_question};
use ghswarm::swarm::wire::message::{Answer, Position, Question, Stale};
use ghswarm::swarm::wire::offer::Offer;
use ghswarm::swarm::wire::seal::{Opening, Sealing};
use ghswarm::swarm::{Names, Pool, PoolSecret};
use ghswarm::time::Timestamp;

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

/// Two ends of a connection: without the secret, and with it.
struct Ends {
    pool: Digest,
    secret: Option<PoolSecret>,
    names: Names,
}

static ENDS: LazyLock<[Ends; 2]> = LazyLock::new(|| {
    let pool = Pool::new("octo/hello").expect("a name");
    let secret = SharedSecret::new(b"correct horse battery staple").expect("a secret");
    let secret = PoolSecret::derive(&secret, &pool, Cost::MIN);
    [None, Some(secret)].map(|secret| Ends {
        pool: pool.tag(),
        names: Names::of(&pool, secret.as_ref()),
        secret,
    })
});

/// A message that is taken is whole CBOR for a naive reader, comes back as itself when it is said again, and
/// has nothing in it that GitHub would not say. The first byte tells what the others are read as.
pub fn wire(data: &[u8]) {
    const BODY_MAX: usize = 1 << 20;
    /// The entry that an answer is about, as in the seeds: 0, 1, 2, …
    const FUZZED_KEY: [u8; 32] = *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f";
    let Some((&first, bytes)) = data.split_first() else {
        return;
    };
    let ends = &ENDS[usize::from(first & 1)];
    let now = Timestamp::from_secs(1_800_000_000);
    let opening = Opening {
        names: &ends.names,
        pool: &ends.pool,
        secret: ends.secret.as_ref(),
        now,
        body_limit: BODY_MAX,
    };
    let sealing = Sealing {
        names: &ends.names,
        pool: &ends.pool,
        secret: ends.secret.as_ref(),
        nonce: [7; 12],
        now,
        body_limit: BODY_MAX,
    };
    let position = Position {
        epoch: 1,
        sequence: 1,
    };
    let asked = match first / 2 {
        1 => Question::Lookup {
            key: ends.names.name(&Key::from_bytes(FUZZED_KEY)),
            held: None,
            lease: true,
        },
        2 => Question::Invalidate {
            position,
            stale: Vec::new(),
        },
        3 => Question::Greet {
            position,
            heard: None,
        },
        4 => Question::Pulse { position },
        5 => Question::Peers { own: None },
        _ => return question(bytes, &opening, &sealing),
    };
    let Ok(answer) = decode_answer(bytes, &asked, &opening) else {
        return;
    };
    assert_eq!(naive_cbor(bytes, 0), Some(bytes.len()), "{answer:?}");
    let again = encode_answer(&answer, &sealing).expect("what was taken can be said");
    assert_eq!(
        decode_answer(&again, &asked, &opening).as_ref(),
        Ok(&answer)
    );
    match &answer {
        Answer::Hit(offer) => judge_offer(offer, BODY_MAX),
        Answer::Greeted {
            missed: Some(missed),
            ..
        } => judge_names(missed),
        _ => {}
    }
}

fn question(bytes: &[u8], opening: &Opening<'_>, sealing: &Sealing<'_>) {
    let Ok(question) = decode_question(bytes, opening) else {
        return;
    };
    assert_eq!(naive_cbor(bytes, 0), Some(bytes.len()), "{question:?}");
    let again = encode_question(&question, sealing).expect("what was taken can be said");
    assert_eq!(decode_question(&again, opening).as_ref(), Ok(&question));
    match &question {
        Question::Store { offer, .. } => judge_offer(offer, opening.body_limit),
        Question::Invalidate { stale, .. } => judge_names(stale),
        _ => {}
    }
}

fn judge_offer(offer: &Offer, body_max: usize) {
    assert!(offer.body.len() <= body_max);
    for link in offer.links.iter().flat_map(Links::links) {
        let url = url::Url::parse("https://api.github.com/a/b").expect("a URL");
        let url = url.join(&link.target).expect("a link");
        let place = (url.scheme(), url.host_str(), url.port());
        assert_eq!(place, ("https", Some("api.github.com"), None), "{link:?}");
        assert_eq!(url.fragment(), None, "{link:?}");
        let header = Links::from(vec![link.clone()]).write("").expect("a header");
        http::HeaderValue::from_str(&header).expect("a header");
    }
    for text in [&offer.content_type, &offer.api_version]
        .into_iter()
        .flatten()
    {
        http::HeaderValue::from_str(text).expect("a header");
    }
}

fn judge_names(stale: &[Stale]) {
    for stale in stale {
        if let Namespace::Owner(name) | Namespace::Repo(name) = &stale.namespace {
            assert_eq!(Namespace::named(name).as_ref(), Some(&stale.namespace));
        }
    }
}

/// The length of the well-formed item at the start of `bytes` (RFC 8949, appendix C).
fn naive_cbor(bytes: &[u8], depth: usize) -> Option<usize> {
    let (&first, rest) = bytes.split_first()?;
    let (major, low) = (first >> 5, first & 31);
    let width = match low {
        0..24 => 0,
        24..28 => 1 << (low - 24),
        _ => return None,
    };
    let number = rest.get(..width)?.iter();
    let number = number.fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    let value = if width == 0 { u64::from(low) } else { number };
    let mut at = 1 + width;
    let items = match major {
        0 | 1 | 7 => 0,
        2 | 3 => {
            let length = usize::try_from(value).ok()?;
            bytes.get(at..at.checked_add(length)?)?;
            at += length;
            0
        }
        4 => value,
        5 => value.checked_mul(2)?,
        _ => 1,
    };
    for _ in 0..items {
        // Deeper than anything that is taken: the stack of a test has an end.
        at += naive_cbor(&bytes[at..], depth + 1).filter(|_| depth < 2000)?;
    }
    Some(at)
}

/// A frame behind its length is what a naive reader of RFC 8949 makes of it, and is written as it came.
pub fn admission(data: &[u8]) {
    let Some((&prefix, rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let Ok(len) = length(prefix) else {
        let len = u16::from_be_bytes(prefix);
        assert!(len == 0 || usize::from(len) > FRAME_MAX);
        return;
    };
    let Some(bytes) = rest.get(..len) else {
        return;
    };
    let read = Frame::decode(bytes).ok();
    assert_eq!(read, naive_frame(bytes), "another reader disagrees");
    if let Some(frame) = read {
        assert_eq!(with_length(&frame.encode()), data[..2 + len]);
    }
}

/// A flat array of unsigned numbers and byte strings, each in its shortest form, and nothing after it.
fn naive_frame(bytes: &[u8]) -> Option<Frame> {
    enum Item {
        Number(u64),
        Bytes(Vec<u8>),
    }
    use Item::{Bytes, Number};

    let mut rest = bytes.to_vec();
    let head = |rest: &mut Vec<u8>| {
        let first = *rest.first()?;
        let more = match first & 31 {
            small @ 0..24 => {
                rest.remove(0);
                return Some((first >> 5, u64::from(small)));
            }
            width @ 24..28 => 1_usize << (width - 24),
            _ => return None,
        };
        let mut value = 0;
        for &byte in rest.get(1..=more)? {
            value = value << 8 | u64::from(byte);
        }
        rest.drain(..=more);
        let least = [24, 1 << 8, 1 << 16, 1 << 32][more.ilog2() as usize];
        (value >= least).then_some((first >> 5, value))
    };
    let (major, count) = head(&mut rest)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let (kind, value) = head(&mut rest)?;
        items.push(match kind {
            0 => Number(value),
            2 if value <= rest.len() as u64 => {
                Bytes(rest.drain(..usize::try_from(value).ok()?).collect())
            }
            _ => return None,
        });
    }
    if major != 4 || !rest.is_empty() {
        return None;
    }
    let small = |number: &u64| u32::try_from(*number).ok();
    Some(match items.as_slice() {
        [Number(0), Number(code)] => Frame::Refuse { code: small(code)? },
        [Number(1), Number(methods), Bytes(nonce), Bytes(pool)] => Frame::Hello {
            methods: small(methods)?,
            nonce: nonce.as_slice().try_into().ok()?,
            pool: pool.as_slice().try_into().ok()?,
        },
        [Number(2), Number(method), Bytes(nonce), Number(cost)] => Frame::Challenge {
            method: small(method)?,
            nonce: nonce.as_slice().try_into().ok()?,
            cost: small(cost)?,
        },
        [Number(3), Number(expires), Bytes(mac)] => Frame::Proof {
            expires: *expires,
            mac: mac.as_slice().try_into().ok()?,
        },
        [Number(4), Bytes(mac)] => Frame::Welcome {
            mac: mac.as_slice().try_into().ok()?,
        },
        [Number(5)] => Frame::Ready,
        _ => return None,
    })
}
