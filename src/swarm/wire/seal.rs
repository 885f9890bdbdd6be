//! What an entry is wrapped in: nothing, or AES-256-GCM under the pool's key for entries.
//!
//! Between members with the secret the connection is encrypted already. The seal is for what comes after: what
//! is kept and sent on, by whoever, opens only in this pool, under this name and until it runs out.

use std::time::Duration;

use super::Malformed;
use super::cbor::{Reader, Writer};
use super::offer::{Offer, coding};
use crate::digest::Digest;
use crate::seal::{NONCE, TAG};
use crate::swarm::{Names, PoolSecret, WireKey};
use crate::time::Timestamp;

/// No seal is accepted for longer from now.
pub const LONGEST: Duration = Duration::from_hours(1);
/// A clock that is wrong by more than a day is no clock: GitHub's certificates would hardly be valid by it.
const CLOCKS: Duration = Duration::from_hours(24);
/// We seal for at least and at most so long: clocks may differ by five minutes in either direction before an
/// honest seal is refused.
const SHORTEST_OURS: Duration = Duration::from_mins(5);
const LONGEST_OURS: Duration = Duration::from_mins(55);
/// Never changed, and never given to anything else.
const LABEL: &[u8] = b"ghswarm/1/offer\0";

const PLAIN: u64 = 1;
const SEALED_NONCE: u64 = 2;
const SEALED_EXPIRES: u64 = 3;
const SEALED: u64 = 4;

/// What our entries are wrapped with, for one peer.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    /// What keys are called.
    pub names: &'a Names,
    /// The pool's tag.
    pub pool: &'a Digest,
    /// The secret, if the peer was admitted by it.
    pub secret: Option<&'a PoolSecret>,
    /// Random, and never used before: drawn for each message.
    pub nonce: [u8; NONCE],
    /// Now.
    pub now: Timestamp,
    /// The longest body that is sent.
    pub body_limit: usize,
}

/// What a peer's entries are opened with.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// What keys are called.
    pub names: &'a Names,
    /// The pool's tag.
    pub pool: &'a Digest,
    /// The secret, if the peer was admitted by it: then nothing is taken in the clear.
    pub secret: Option<&'a PoolSecret>,
    /// Now.
    pub now: Timestamp,
    /// The longest body that is taken.
    pub body_limit: usize,
}

/// Writes `offer`, sealed if there is a secret: one CBOR map.
pub fn encode_offer(offer: &Offer, sealing: &Sealing<'_>) -> Result<Vec<u8>, Malformed> {
    let inner = coding::encode(offer, sealing.body_limit)?;
    let mut writer = Writer::default();
    let Some(secret) = sealing.secret else {
        writer.fields(|fields| fields.field(PLAIN).bytes(&inner));
        return Ok(writer.finish());
    };
    let lifetime = offer.origin_lifetime.clamp(SHORTEST_OURS, LONGEST_OURS);
    let expires = sealing.now.plus(lifetime).as_secs();
    let bound = bound(sealing.pool, &sealing.names.name(&offer.key), expires);
    let mut sealed = inner;
    let done = secret.entries().seal(&sealing.nonce, &bound, &mut sealed);
    done.map_err(|_| Malformed::TooLong)?;
    writer.fields(|fields| {
        fields.field(SEALED_NONCE).bytes(&sealing.nonce);
        fields.field(SEALED_EXPIRES).number(expires);
        fields.field(SEALED).bytes(&sealed);
    });
    Ok(writer.finish())
}

/// Reads what [`encode_offer`] wrote. It must be the entry called `key`.
pub fn decode_offer(
    bytes: &[u8],
    key: &WireKey,
    opening: &Opening<'_>,
) -> Result<Offer, Malformed> {
    let mut reader = Reader::new(bytes);
    let offer = Wrapped::read(&mut reader, opening)?.open(key, opening)?;
    reader.end()?;
    Ok(offer)
}

/// An entry as it came, not opened yet.
#[derive(Debug)]
pub(super) enum Wrapped<'b> {
    Plain(&'b [u8]),
    Sealed {
        nonce: [u8; NONCE],
        expires: u64,
        sealed: &'b [u8],
    },
}

impl<'b> Wrapped<'b> {
    /// The longest that is taken.
    pub(super) const fn longest(opening: &Opening<'_>) -> usize {
        // Beside the offer: the nonce, the expiry, the tag, and what says how long they are.
        coding::longest(opening.body_limit).saturating_add(64 + TAG)
    }

    pub(super) fn read(reader: &mut Reader<'b>, opening: &Opening<'_>) -> Result<Self, Malformed> {
        let longest = coding::longest(opening.body_limit);
        let (mut plain, mut nonce, mut expires, mut sealed) = (None, None, None, None);
        reader.fields(|number, value| {
            match number {
                PLAIN => plain = Some(value.bytes(longest)?),
                SEALED_NONCE => nonce = Some(value.array()?),
                SEALED_EXPIRES => expires = Some(value.number(u64::MAX)?),
                SEALED => sealed = Some(value.bytes(longest + TAG)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        match (plain, nonce, expires, sealed) {
            (Some(plain), None, None, None) => Ok(Self::Plain(plain)),
            (None, Some(nonce), Some(expires), Some(sealed)) => Ok(Self::Sealed {
                nonce,
                expires,
                sealed,
            }),
            _ => Err(Malformed::Syntax),
        }
    }

    /// Opens it under the name `key`, and no other.
    pub(super) fn open(self, key: &WireKey, opening: &Opening<'_>) -> Result<Offer, Malformed> {
        let opened;
        let inner = match (self, opening.secret) {
            (Self::Plain(inner), None) => inner,
            (Self::Plain(_), Some(_)) => return Err(Malformed::NotSealed),
            (Self::Sealed { .. }, None) => return Err(Malformed::NotOurs),
            (
                Self::Sealed {
                    nonce,
                    expires,
                    sealed,
                },
                Some(secret),
            ) => {
                let mut message = sealed.to_vec();
                let bound = bound(opening.pool, key, expires);
                // Only what a member sealed is worth a look at its expiry.
                let done = secret.entries().open(&nonce, &bound, &mut message);
                done.map_err(|_| Malformed::NotOurs)?;
                judge_expiry(expires, opening.now)?;
                opened = message;
                &opened
            }
        };
        let offer = coding::decode(inner, opening.body_limit)?;
        if opening.names.name(&offer.key) != *key {
            return Err(Malformed::OtherKey);
        }
        Ok(offer)
    }
}

fn judge_expiry(expires: u64, now: Timestamp) -> Result<(), Malformed> {
    if expires > now.plus(LONGEST + CLOCKS).as_secs() {
        return Err(Malformed::Expiry);
    }
    if expires > now.plus(LONGEST).as_secs() {
        return Err(Malformed::Ahead);
    }
    if expires <= now.as_secs() {
        return Err(Malformed::Expired);
    }
    Ok(())
}

/// What a seal is bound to, beside its key and nonce. Every part has one length.
fn bound(pool: &Digest, key: &WireKey, expires: u64) -> Vec<u8> {
    [LABEL, pool.as_bytes(), &key.0, &expires.to_be_bytes()].concat()
}
