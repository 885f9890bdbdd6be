//! How an offer is written down: a map of numbered fields.

use std::time::Duration;

use super::{Audience, Offer, body, pages};
use crate::api::answer::is_api_kind;
use crate::api::{Key, Vary};
use crate::swarm::wire::Malformed;
use crate::swarm::wire::cbor::{Reader, Writer};

/// Bytes of everything but the body, at most.
const REST_MAX: usize = 32 << 10;
/// The longest `Content-Type`; GitHub's have some forty bytes.
const KIND_MAX: usize = 128;
/// What is older than this, nobody can know of.
const AGE_MAX: Duration = Duration::from_secs(365 * 86_400);
/// The longest lifetime that means anything (RFC 9111 has none; a year is what servers call for ever).
const LIFETIME_MAX: Duration = AGE_MAX;

const KEY: u64 = 1;
const BODY: u64 = 2;
const PACKED: u64 = 3;
const LENGTH: u64 = 4;
const KIND: u64 = 5;
const VERSION: u64 = 6;
const PAGES: u64 = 7;
const VARY: u64 = 8;
const AUDIENCE: u64 = 9;
const AGE: u64 = 10;
const LIFETIME: u64 = 11;
const TOKENS: u64 = 12;

/// The longest offer with a body of at most `body_limit` bytes.
pub(crate) const fn longest(body_limit: usize) -> usize {
    body_limit.saturating_add(REST_MAX)
}

/// Writes `offer`, unless the other end would not take it.
pub(crate) fn encode(offer: &Offer, body_limit: usize) -> Result<Vec<u8>, Malformed> {
    if offer.body.len() > body_limit {
        return Err(Malformed::TooLong);
    }
    if offer.age > AGE_MAX {
        return Err(Malformed::OutOfRange);
    }
    judge_kind(offer.content_type.as_deref())?;
    judge_version(offer.api_version.as_deref())?;
    let pages = pages::of(offer.links.as_ref())?;
    let packed = body::pack(&offer.body);

    let mut writer = Writer::default();
    writer.fields(|fields| {
        fields.field(KEY).bytes(offer.key.as_bytes());
        match &packed {
            None => fields.field(BODY).bytes(&offer.body),
            Some(packed) => {
                fields.field(PACKED).bytes(packed);
                fields.field(LENGTH).number(offer.body.len() as u64);
            }
        }
        if let Some(kind) = &offer.content_type {
            fields.field(KIND).text(kind);
        }
        if let Some(version) = &offer.api_version {
            fields.field(VERSION).text(version);
        }
        if !pages.is_empty() {
            pages::write(fields.field(PAGES), &pages);
        }
        if let Some(vary) = offer.vary {
            fields.field(VARY).number(vary_bits(vary).into());
        }
        let audience = match offer.audience {
            Audience::Public => 1,
            Audience::Repository => 2,
        };
        fields.field(AUDIENCE).number(audience);
        // Rounded up: nothing grows younger on its way.
        let age = offer.age.as_nanos().div_ceil(1_000_000);
        fields
            .field(AGE)
            .number(u64::try_from(age).unwrap_or(u64::MAX));
        let lifetime = offer.origin_lifetime.min(LIFETIME_MAX);
        fields.field(LIFETIME).number(lifetime.as_secs());
        fields.field(TOKENS).number(offer.kinds.into());
    });
    Ok(writer.finish())
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8], body_limit: usize) -> Result<Offer, Malformed> {
    let mut read = Read::default();
    let mut reader = Reader::new(bytes);
    reader.fields(|number, value| read.take(number, value, body_limit))?;
    reader.end()?;
    read.offer(body_limit)
}

/// The fields that were there.
#[derive(Default)]
struct Read<'b> {
    key: Option<[u8; 32]>,
    body: Option<&'b [u8]>,
    packed: Option<&'b [u8]>,
    length: Option<usize>,
    content_type: Option<&'b str>,
    api_version: Option<&'b str>,
    links: Option<crate::api::Links>,
    vary: Option<Vary>,
    audience: Option<Audience>,
    age: Option<Duration>,
    lifetime: Option<Duration>,
    kinds: Option<u8>,
}

impl<'b> Read<'b> {
    fn take(
        &mut self,
        number: u64,
        value: &mut Reader<'b>,
        body_limit: usize,
    ) -> Result<bool, Malformed> {
        match number {
            KEY => self.key = Some(value.array()?),
            BODY => self.body = Some(value.bytes(body_limit)?),
            PACKED => self.packed = Some(value.bytes(body_limit)?),
            LENGTH => {
                let length = value.number(body_limit as u64)?;
                self.length = usize::try_from(length).ok();
            }
            KIND => self.content_type = Some(value.text(KIND_MAX)?),
            VERSION => self.api_version = Some(value.text(KIND_MAX)?),
            PAGES => self.links = Some(pages::read(value)?),
            VARY => self.vary = Some(vary_of(value.small(7)?)),
            AUDIENCE => {
                self.audience = match value.number(2)? {
                    1 => Some(Audience::Public),
                    2 => Some(Audience::Repository),
                    _ => return Err(Malformed::OutOfRange),
                }
            }
            AGE => {
                let longest = u64::try_from(AGE_MAX.as_millis()).unwrap_or(u64::MAX);
                self.age = Some(Duration::from_millis(value.number(longest)?));
            }
            LIFETIME => {
                let seconds = value.number(LIFETIME_MAX.as_secs())?;
                self.lifetime = Some(Duration::from_secs(seconds));
            }
            // Each of the eight bits stands for a kind.
            TOKENS => self.kinds = Some(value.small(u8::MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn offer(self, body_limit: usize) -> Result<Offer, Malformed> {
        let missing = Malformed::Syntax;
        judge_kind(self.content_type)?;
        judge_version(self.api_version)?;
        let body = match (self.body, self.packed, self.length) {
            (Some(body), None, None) => bytes::Bytes::copy_from_slice(body),
            (None, Some(packed), Some(length)) => body::unpack(packed, length, body_limit)?,
            _ => return Err(missing),
        };
        Ok(Offer {
            key: Key::from_bytes(self.key.ok_or(missing)?),
            body,
            content_type: self.content_type.map(str::to_owned),
            api_version: self.api_version.map(str::to_owned),
            links: self.links,
            vary: self.vary,
            audience: self.audience.ok_or(missing)?,
            age: self.age.ok_or(missing)?,
            origin_lifetime: self.lifetime.ok_or(missing)?,
            kinds: self.kinds.ok_or(missing)?,
        })
    }
}

/// Only what would be stored if GitHub said it, and only what can stand in a header.
fn judge_kind(kind: Option<&str>) -> Result<(), Malformed> {
    let fine = |kind: &str| {
        let visible = |byte: u8| (b' '..0x7f).contains(&byte);
        kind.len() <= KIND_MAX && kind.bytes().all(visible) && is_api_kind(kind.as_bytes())
    };
    if kind.is_none_or(fine) {
        Ok(())
    } else {
        Err(Malformed::Field)
    }
}

/// GitHub's versions are days: `2022-11-28`.
fn judge_version(version: Option<&str>) -> Result<(), Malformed> {
    let fine = |version: &str| {
        let bytes = version.as_bytes();
        let number = |range: std::ops::Range<usize>| {
            let digits = bytes.get(range)?;
            let plain = digits.iter().all(u8::is_ascii_digit);
            plain.then(|| {
                digits
                    .iter()
                    .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
            })
        };
        bytes.len() == 10
            && bytes[4] == b'-'
            && bytes[7] == b'-'
            && number(0..4).is_some()
            && number(5..7).is_some_and(|month| (1..=12).contains(&month))
            && number(8..10).is_some_and(|day| (1..=31).contains(&day))
    };
    if version.is_none_or(fine) {
        Ok(())
    } else {
        Err(Malformed::Field)
    }
}

const fn vary_bits(vary: Vary) -> u8 {
    vary.accept as u8 | (vary.authorization as u8) << 1 | (vary.cookie as u8) << 2
}

const fn vary_of(bits: u8) -> Vary {
    Vary {
        accept: bits & 1 != 0,
        authorization: bits & 2 != 0,
        cookie: bits & 4 != 0,
    }
}
