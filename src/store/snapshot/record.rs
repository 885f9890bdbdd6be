//! What of a stored thing travels, and what of a travelled thing is taken over.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize, Serializer};

use super::{Item, Named, Slot};
use crate::api::answer::{self, Shareable};
use crate::api::page::{self, Links, Tail};
use crate::api::path::Path;
use crate::api::validator::Vary;
use crate::api::{Key, Operation, key};
use crate::digest::Digest;
use crate::http_cache::FieldBlock;
use crate::store::entry::{Entry, Scheme, VARIANTS_MAX, Variant};
use crate::time::Timestamp;

/// The longest record. Bodies are 10 MiB at most, unless `--body-limit` says otherwise.
pub(super) const MAX: usize = 64 << 20;
/// Targets over 8 KiB are not cached; a host has at most 253 bytes.
const LABEL_MAX: usize = 9 << 10;
/// As long as the key-value interface keeps a value at most.
const LIFETIME_MAX: Duration = Duration::from_secs(10 * 365 * 86_400);
/// What GitHub gives answers that say nothing else, and what every imported body gets: a longer lifetime
/// is nothing that a 304 confirms.
const ORIGIN_LIFETIME: Duration = Duration::from_secs(60);
const API_VERSION: &str = "x-github-api-version-selected";

/// Why something is not in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// It belongs to one credential, or nobody else could ask GitHub about it.
    NotShareable,
    /// It is not known to be readable by anybody, and the snapshot is not sealed.
    NotPublic,
    /// A value that a script stored, and the snapshot is not sealed.
    Named,
    /// Its lifetime is over.
    Expired,
    /// It is longer than any record.
    TooLarge,
}

/// Why something in a snapshot is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejected {
    /// It cannot be read.
    Malformed,
    /// A body is not the one that its digest names.
    Digest,
    /// It is not about a read that may be kept for everybody.
    NotShareable,
    /// Its header fields are none that a snapshot of this kind may bring.
    Fields,
    /// Its links lead to another host, or are in a public snapshot.
    Links,
    /// A key that its content does not have, or a value where none may be.
    Key,
    /// Its lifetime is over.
    Expired,
}

impl Rejected {
    /// The name in a summary.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Digest => "wrong-digest",
            Self::NotShareable => "not-shareable",
            Self::Fields => "unexpected-fields",
            Self::Links => "unexpected-links",
            Self::Key => "wrong-key",
            Self::Expired => "expired",
        }
    }
}

#[derive(Serialize, Deserialize)]
enum Record<'a> {
    #[serde(borrow)]
    Answers(Answers<'a>),
    #[serde(borrow)]
    Named(Value<'a>),
}

#[derive(Serialize, Deserialize)]
struct Answers<'a> {
    key: [u8; 32],
    /// `GET host/target`.
    label: &'a str,
    #[serde(borrow)]
    bodies: Vec<Body<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    digest: [u8; 32],
    /// What GitHub hashes beside the body: 1 Accept, 2 Authorization, 4 Cookie.
    vary: u8,
    content_type: &'a str,
    api_version: Option<&'a str>,
    /// The value of a `Link` header with targets on the same host.
    links: Option<String>,
    was_public: bool,
    #[serde(serialize_with = "at_once")]
    bytes: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Value<'a> {
    operation: &'a str,
    key: &'a [u8],
    #[serde(serialize_with = "at_once")]
    bytes: &'a [u8],
    /// Milliseconds since the Unix epoch.
    stored_at: u64,
    /// Milliseconds.
    lifetime: u64,
}

/// The same bytes on the wire as the default, which writes them one by one.
fn at_once<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// What of `slot` may travel, as bytes.
pub(super) fn of(key: &Key, slot: &Slot, sealed: bool, now: Timestamp) -> Result<Vec<u8>, LeftOut> {
    let record = match slot {
        Slot::Answers(entry) => Record::Answers(answers(key, entry, sealed)?),
        Slot::Named(_) if !sealed => return Err(LeftOut::Named),
        Slot::Named(named) if !named.is_fresh(now) => return Err(LeftOut::Expired),
        Slot::Named(named) => Record::Named(Value {
            operation: &named.operation,
            key: &named.key,
            bytes: &named.value,
            stored_at: named.stored_at.as_millis(),
            lifetime: u64::try_from(named.lifetime.as_millis()).unwrap_or(u64::MAX),
        }),
    };
    // Fails for types that postcard cannot write, and ours are none.
    postcard::to_stdvec(&record).map_err(|_| LeftOut::NotShareable)
}

fn answers<'a>(key: &Key, entry: &'a Entry, sealed: bool) -> Result<Answers<'a>, LeftOut> {
    if place(&entry.label).is_none() || entry.operation == Operation::GraphqlQuery.name() {
        return Err(LeftOut::NotShareable);
    }
    let mut why = LeftOut::NotShareable;
    let bodies = entry.variants.iter().filter_map(|variant| {
        let body = body(variant)?;
        let public = variant.was_public && body.links.is_none() && is_json(body.content_type);
        if !sealed && !public {
            why = LeftOut::NotPublic;
            return None;
        }
        Some(body)
    });
    let bodies: Vec<_> = bodies.collect();
    if bodies.is_empty() {
        return Err(why);
    }
    Ok(Answers {
        key: *key.as_bytes(),
        label: &entry.label,
        bodies,
    })
}

fn body(variant: &Variant) -> Option<Body<'_>> {
    let Scheme::Hashed(vary) = variant.scheme else {
        return None;
    };
    if variant.shareable != Shareable::Everyone {
        return None;
    }
    let text = |name| std::str::from_utf8(variant.shared.get(name)?).ok();
    Some(Body {
        digest: *variant.digest.as_bytes(),
        vary: u8::from(vary.accept)
            | u8::from(vary.authorization) << 1
            | u8::from(vary.cookie) << 2,
        content_type: text(CONTENT_TYPE.as_str())?,
        api_version: text(API_VERSION),
        links: variant.links.as_ref().and_then(|links| links.write("")),
        was_public: variant.was_public,
        bytes: &variant.body,
    })
}

/// Reads a record that anybody may have written, unless it was `sealed`.
pub(super) fn read(bytes: &[u8], sealed: bool, now: Timestamp) -> Result<Item, Rejected> {
    let record = postcard::take_from_bytes::<Record<'_>>(bytes);
    let Ok((record, [])) = record else {
        return Err(Rejected::Malformed);
    };
    match record {
        Record::Answers(answers) => answered(&answers, sealed),
        Record::Named(_) if !sealed => Err(Rejected::Key),
        Record::Named(value) => named(&value, now),
    }
}

/// The candidate for a read of `target` (path and query) at `host` with a JSON `body` of unknown origin, as it
/// would come in a public snapshot.
pub fn candidate(host: &str, target: &str, body: &[u8]) -> Result<Entry, Rejected> {
    let body = Body {
        digest: *Digest::of([body]).as_bytes(),
        vary: 7,
        content_type: "application/json; charset=utf-8",
        api_version: None,
        links: None,
        // Which a public snapshot has to claim.
        was_public: true,
        bytes: body,
    };
    let answers = Answers {
        key: [0; 32],
        label: &format!("GET {host}{target}"),
        bodies: vec![body],
    };
    match answered(&answers, false)? {
        Item::Candidate(_, mut entry) => {
            for variant in &mut entry.variants {
                Arc::make_mut(variant).was_public = false;
            }
            Ok(entry)
        }
        _ => Err(Rejected::NotShareable),
    }
}

fn answered(answers: &Answers<'_>, sealed: bool) -> Result<Item, Rejected> {
    let (_, target) = place(answers.label).ok_or(Rejected::NotShareable)?;
    let operation = Operation::of(true, target);
    if operation.is_never_stored() || operation == Operation::GraphqlQuery {
        return Err(Rejected::NotShareable);
    }
    if answers.bodies.is_empty() || answers.bodies.len() > VARIANTS_MAX {
        return Err(Rejected::Malformed);
    }
    let variants = answers
        .bodies
        .iter()
        .map(|body| variant(body, target, operation, sealed).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    let entry = Entry {
        label: answers.label.into(),
        operation: operation.name(),
        variants,
        grants: Vec::new(),
    };
    Ok(Item::Candidate(Key::from_bytes(answers.key), entry))
}

fn variant(
    body: &Body<'_>,
    target: &str,
    operation: Operation,
    sealed: bool,
) -> Result<Variant, Rejected> {
    let digest = Digest::of([body.bytes]);
    if *digest.as_bytes() != body.digest {
        return Err(Rejected::Digest);
    }
    if body.vary > 7 || (!sealed && !body.was_public) {
        return Err(Rejected::NotShareable);
    }
    let known_version = body.api_version.is_none_or(is_date);
    if !known_version || (!sealed && !is_json(body.content_type)) {
        return Err(Rejected::Fields);
    }
    let kind = HeaderValue::from_str(body.content_type).map_err(|_| Rejected::Fields)?;
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
    let judged = answer::storable(operation, StatusCode::OK, &headers, body.bytes, MAX);
    if judged != Ok(Shareable::Everyone) {
        return Err(Rejected::NotShareable);
    }
    let links = match &body.links {
        None => None,
        Some(_) if !sealed => return Err(Rejected::Links),
        Some(links) => {
            let read = Links::parse([links.as_bytes()].into_iter());
            // They were written without a host: one that has a host is not ours.
            let pages = read.and_then(|links| links.relative(|_, _| None));
            Some(Arc::new(pages.ok_or(Rejected::Links)?))
        }
    };
    let has_next = links.as_ref().is_some_and(|links| links.has_next());
    let fields = [
        Some((CONTENT_TYPE.as_str(), body.content_type.as_bytes())),
        body.api_version
            .map(|version| (API_VERSION, version.as_bytes())),
    ];
    Ok(Variant {
        digest,
        body: Bytes::copy_from_slice(body.bytes),
        shared: FieldBlock::from_pairs(fields.into_iter().flatten()),
        links,
        tail: Arc::new(tail(target, body.bytes, has_next, sealed)),
        scheme: Scheme::Hashed(Vary {
            accept: body.vary & 1 != 0,
            authorization: body.vary & 2 != 0,
            cookie: body.vary & 4 != 0,
        }),
        shareable: Shareable::Everyone,
        origin_lifetime: ORIGIN_LIFETIME,
        validated_at: Timestamp::EPOCH,
        asked_at: 0,
        kinds: 0,
        public: None,
        was_public: body.was_public,
    })
}

/// Where a list ends. The label of a public snapshot may belong to another key, and with it the size of a
/// page: a list that could fill one then says nothing about the next, so that its 304 alone proves nothing.
fn tail(target: &str, body: &[u8], has_next: bool, sealed: bool) -> Tail {
    match page::tail(target, body, has_next) {
        Tail::Partial | Tail::Full { .. } if !sealed && !is_empty_list(body) => {
            Tail::Full { probe: None }
        }
        tail => tail,
    }
}

fn is_empty_list(body: &[u8]) -> bool {
    crate::api::json::count_items(body) == Some(0)
}

fn named(value: &Value<'_>, now: Timestamp) -> Result<Item, Rejected> {
    // A clock that is ahead must not make a value live longer, nor one from the future run out.
    let stored_at = Timestamp::from_millis(value.stored_at).min(now);
    let named = Named {
        operation: value.operation.into(),
        key: Bytes::copy_from_slice(value.key),
        value: Bytes::copy_from_slice(value.bytes),
        stored_at,
        lifetime: Duration::from_millis(value.lifetime).min(LIFETIME_MAX),
    };
    if !named.is_fresh(now) {
        return Err(Rejected::Expired);
    }
    Ok(Item::Named(key::named(value.operation, value.key), named))
}

/// Host and target of a label; `None` for whatever is not a plain read.
fn place(label: &str) -> Option<(&str, &str)> {
    let place = label
        .strip_prefix("GET ")
        .filter(|_| label.len() <= LABEL_MAX)?;
    let (host, target) = place.split_at(place.find('/')?);
    let is_host = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
    };
    let plain = !host.is_empty() && host.bytes().all(is_host);
    let graphic = target.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && graphic && Path::of(&key::canonical_target(target)).is_some())
        .then_some((host, target))
}

/// JSON, as GitHub's media types name it. Nothing else is a candidate when anybody could have written it:
/// a browser makes more of other kinds than a text.
pub fn is_json(kind: &str) -> bool {
    let (essence, parameter) = kind.split_once(';').unwrap_or((kind, ""));
    let parameter = parameter.trim();
    let json = essence == "application/json"
        || (essence.starts_with("application/vnd.github") && essence.ends_with("+json"));
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'+' | b'-');
    json && essence.bytes().all(plain)
        && (parameter.is_empty() || parameter.eq_ignore_ascii_case("charset=utf-8"))
}

/// `2022-11-28`, as GitHub names its versions.
pub fn is_date(version: &str) -> bool {
    version.len() == 10
        && version
            .bytes()
            .enumerate()
            .all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            })
}
