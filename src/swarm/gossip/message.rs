//! What is said to everybody: CBOR in a map with numbered fields, sealed in a pool with a secret. Pure.

use std::time::Duration;

use crate::digest::Digest;
use crate::seal::{NONCE, TAG};
use crate::swarm::pool::WireKey;
use crate::swarm::roster::Coverage;
use crate::swarm::wire::Malformed;
use crate::swarm::wire::cbor::{Reader, Writer};
use crate::swarm::wire::codec::{decode_question, encode_question};
use crate::swarm::wire::message::{Position, Question, Stale};
use crate::swarm::wire::offer::Offer;
use crate::swarm::wire::seal::{Opening, Sealing, decode_offer, encode_offer};
use crate::time::Timestamp;

/// The longest entry that is given to everybody, as it travels.
pub(super) const HOT_MAX: usize = 64 << 10;
/// The longest message: such an entry, and what is around it.
pub(super) const MESSAGE_MAX: usize = HOT_MAX + (4 << 10);
/// Announcements in one message.
pub(super) const ANNOUNCED_MAX: usize = 64;
/// The longest that a budget's window lasts. GitHub's longest is an hour.
const RESET_MAX: Duration = Duration::from_hours(24);
/// A message says when it runs out, so that nobody can repeat it for ever. Clocks may differ by this.
const LIFETIME: Duration = Duration::from_mins(10);
/// Bound to every sealed message, so that it opens as nothing else.
const LABEL: &[u8] = b"ghswarm/1/gossip\0";

const EXPIRES: u64 = 1;
const KIND: u64 = 2;
const FIRST: u64 = 3;
const SECOND: u64 = 4;
const THIRD: u64 = 5;
const FOURTH: u64 = 6;

const ANNOUNCED: u64 = 1;
const WROTE: u64 = 2;
const BUDGET: u64 = 3;
const HOT: u64 = 4;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// The sender holds these.
    Announced(Vec<(WireKey, Digest)>),
    /// The sender wrote: what it also tells each peer itself.
    Wrote {
        position: Position,
        stale: Vec<Stale>,
    },
    /// So much of a budget is left.
    Budget {
        name: [u8; 16],
        remaining: u32,
        limit: u32,
        reset_in: Duration,
    },
    /// An entry that is asked for often.
    Hot(WireKey, Box<Offer>),
}

/// Writes `word`. Sealed if there is a secret.
pub(super) fn encode(word: &Word, sealing: &Sealing<'_>) -> Result<Vec<u8>, Malformed> {
    let expires = sealing.now.plus(LIFETIME).as_secs();
    let mut plain = Writer::default();
    // A question's encoding is bounded there.
    let (kind, inner) = match word {
        Word::Wrote { position, stale } => {
            let question = Question::Invalidate {
                position: *position,
                stale: stale.clone(),
            };
            (WROTE, encode_question(&question, sealing)?)
        }
        // The seal is around all of it.
        Word::Hot(_, offer) => {
            let bare = Sealing {
                secret: None,
                ..*sealing
            };
            let offer = encode_offer(offer, &bare)?;
            if offer.len() > HOT_MAX {
                return Err(Malformed::TooLong);
            }
            (HOT, offer)
        }
        Word::Announced(_) => (ANNOUNCED, Vec::new()),
        Word::Budget { .. } => (BUDGET, Vec::new()),
    };
    plain.fields(|fields| {
        fields.field(EXPIRES).number(expires);
        fields.field(KIND).number(kind);
        match word {
            Word::Announced(held) => {
                let list = fields.field(FIRST);
                list.count(held.len() * 2);
                for (key, digest) in held {
                    list.bytes(&key.0);
                    list.bytes(digest.as_bytes());
                }
            }
            Word::Wrote { .. } => fields.field(FIRST).bytes(&inner),
            Word::Budget {
                name,
                remaining,
                limit,
                reset_in,
            } => {
                fields.field(FIRST).bytes(name);
                fields.field(SECOND).number((*remaining).into());
                fields.field(THIRD).number((*limit).into());
                fields.field(FOURTH).number(reset_in.as_secs());
            }
            Word::Hot(key, _) => {
                fields.field(FIRST).bytes(&key.0);
                fields.field(SECOND).bytes(&inner);
            }
        }
    });
    seal(plain.finish(), sealing)
}

fn seal(mut message: Vec<u8>, sealing: &Sealing<'_>) -> Result<Vec<u8>, Malformed> {
    let Some(secret) = sealing.secret else {
        return Ok(message);
    };
    let done = secret
        .entries()
        .seal(&sealing.nonce, &bound(sealing.pool), &mut message);
    done.map_err(|_| Malformed::TooLong)?;
    message.extend_from_slice(&sealing.nonce);
    Ok(message)
}

/// Reads what [`encode`] wrote.
pub(super) fn decode(bytes: &[u8], opening: &Opening<'_>) -> Result<Word, Malformed> {
    if bytes.len() > MESSAGE_MAX {
        return Err(Malformed::TooLong);
    }
    let Some(secret) = opening.secret else {
        return plain(bytes, opening);
    };
    let (sealed, nonce) = bytes
        .split_last_chunk::<NONCE>()
        .filter(|(sealed, _)| sealed.len() >= TAG)
        .ok_or(Malformed::NotSealed)?;
    let mut message = sealed.to_vec();
    let opened = secret
        .entries()
        .open(nonce, &bound(opening.pool), &mut message);
    opened.map_err(|_| Malformed::NotOurs)?;
    plain(&message, opening)
}

/// What came under each number; which of them a kind needs, it says itself.
#[derive(Default)]
struct Read<'b> {
    expires: Option<u64>,
    kind: Option<u64>,
    held: Option<Vec<(WireKey, Digest)>>,
    name: Option<[u8; 16]>,
    key: Option<[u8; 32]>,
    inner: Option<&'b [u8]>,
    numbers: [Option<u64>; 3],
}

fn plain(bytes: &[u8], opening: &Opening<'_>) -> Result<Word, Malformed> {
    let mut read = Read::default();
    let mut reader = Reader::new(bytes);
    reader.fields(|number, value| {
        // Fields rise, so the kind is known before what depends on it.
        match (number, read.kind) {
            (EXPIRES, _) => read.expires = Some(value.number(u64::MAX)?),
            (KIND, _) => read.kind = Some(value.number(u64::MAX)?),
            (FIRST, Some(ANNOUNCED)) => read.held = Some(held(value)?),
            (FIRST, Some(WROTE)) | (SECOND, Some(HOT)) => {
                read.inner = Some(value.bytes(HOT_MAX)?);
            }
            (FIRST, Some(BUDGET)) => read.name = Some(value.array()?),
            (FIRST, Some(HOT)) => read.key = Some(value.array()?),
            (SECOND, Some(BUDGET)) => read.numbers[0] = Some(value.number(u32::MAX.into())?),
            (THIRD, Some(BUDGET)) => read.numbers[1] = Some(value.number(u32::MAX.into())?),
            (FOURTH, Some(BUDGET)) => {
                read.numbers[2] = Some(value.number(RESET_MAX.as_secs())?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    reader.end()?;
    within(read.expires.ok_or(Malformed::Syntax)?, opening.now)?;
    read.word(opening)
}

impl Read<'_> {
    fn word(self, opening: &Opening<'_>) -> Result<Word, Malformed> {
        let missing = Malformed::Syntax;
        match self.kind.ok_or(missing)? {
            ANNOUNCED => Ok(Word::Announced(self.held.ok_or(missing)?)),
            WROTE => match decode_question(self.inner.ok_or(missing)?, opening)? {
                Question::Invalidate { position, stale } => Ok(Word::Wrote { position, stale }),
                _ => Err(Malformed::Unasked),
            },
            BUDGET => {
                let [remaining, limit, reset_in] = self.numbers;
                let small = |number: Option<u64>| {
                    let number = number.ok_or(missing)?;
                    u32::try_from(number).map_err(|_| Malformed::OutOfRange)
                };
                let (remaining, limit) = (small(remaining)?, small(limit)?);
                if remaining > limit {
                    return Err(Malformed::OutOfRange);
                }
                Ok(Word::Budget {
                    name: self.name.ok_or(missing)?,
                    remaining,
                    limit,
                    reset_in: Duration::from_secs(reset_in.ok_or(missing)?),
                })
            }
            HOT => {
                let key = WireKey(self.key.ok_or(missing)?);
                let bare = Opening {
                    secret: None,
                    ..*opening
                };
                let offer = decode_offer(self.inner.ok_or(missing)?, &key, &bare)?;
                Ok(Word::Hot(key, Box::new(offer)))
            }
            _ => Err(Malformed::Unknown),
        }
    }
}

fn held(value: &mut Reader<'_>) -> Result<Vec<(WireKey, Digest)>, Malformed> {
    let count = value.count(ANNOUNCED_MAX * 2)?;
    if count % 2 != 0 {
        return Err(Malformed::Syntax);
    }
    let one = |_| Ok((WireKey(value.array()?), Digest::from(value.array::<32>()?)));
    (0..count / 2).map(one).collect()
}

/// Neither over nor longer than anybody says, when clocks differ by no more than they may.
fn within(expires: u64, now: Timestamp) -> Result<(), Malformed> {
    if expires < now.as_secs() {
        return Err(Malformed::Expired);
    }
    if expires > now.plus(2 * LIFETIME).as_secs() {
        return Err(Malformed::Expiry);
    }
    Ok(())
}

fn bound(pool: &Digest) -> Vec<u8> {
    [LABEL, pool.as_bytes()].concat()
}

/// What everybody who hears our messages may be told: with a secret, all of them have it.
pub(super) const fn coverage(secret: bool) -> Coverage {
    if secret {
        Coverage::Repository
    } else {
        Coverage::Public
    }
}
