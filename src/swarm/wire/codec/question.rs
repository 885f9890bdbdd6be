//! Questions.

use std::time::Duration;

use super::bounds::{RECORD_MAX, STALE_MAX, STORE, WAIT_MAX};
use super::{KEY, begin, open, stale};
use crate::digest::Digest;
use crate::swarm::WireKey;
use crate::swarm::wire::Malformed;
use crate::swarm::wire::cbor::{Fields, Reader};
use crate::swarm::wire::message::{Ended, Question};
use crate::swarm::wire::seal::{self, Opening, Sealing, Wrapped};

const LOOKUP: u64 = 1;
const AWAIT: u64 = 2;
const RENEW: u64 = 3;
const RELEASE: u64 = 4;
const STORED: u64 = STORE as u64;
const INVALIDATE: u64 = 6;
const GREET: u64 = 7;
const PULSE: u64 = 8;
const PEERS: u64 = 9;
const FETCH: u64 = 10;

const UNCHANGED: u64 = 1;
const NOT_SHARED: u64 = 2;
const FAILED: u64 = 3;

/// Writes `question`. An error means that the other end would not take it.
pub fn encode_question(question: &Question, sealing: &Sealing<'_>) -> Result<Vec<u8>, Malformed> {
    if let Question::Store { key, offer } = question {
        if sealing.names.name(&offer.key) != *key {
            return Err(Malformed::OtherKey);
        }
        let mut writer = begin(STORED);
        let inner = seal::encode_offer(offer, sealing)?;
        writer.fields(|fields| {
            fields.field(1).bytes(&key.0);
            fields.field(2).bytes(&inner);
        });
        return Ok(writer.finish());
    }
    let mut writer = begin(kind(question));
    writer.fields(|fields| write(fields, question));
    Ok(writer.finish())
}

const fn kind(question: &Question) -> u64 {
    match question {
        Question::Lookup { .. } => LOOKUP,
        Question::Await { .. } => AWAIT,
        Question::Renew { .. } => RENEW,
        Question::Release { .. } => RELEASE,
        Question::Store { .. } => STORED,
        Question::Invalidate { .. } => INVALIDATE,
        Question::Greet { .. } => GREET,
        Question::Pulse { .. } => PULSE,
        Question::Peers { .. } => PEERS,
        Question::Fetch { .. } => FETCH,
    }
}

fn write(fields: &mut Fields<'_>, question: &Question) {
    match question {
        Question::Lookup { key, held, lease } => {
            fields.field(1).bytes(&key.0);
            write_digest(fields, 2, *held);
            fields.field(3).truth(*lease);
        }
        Question::Await { key, held, wait } => {
            fields.field(1).bytes(&key.0);
            write_digest(fields, 2, *held);
            fields.field(3).number(millis(*wait));
        }
        Question::Fetch { key, held } => {
            fields.field(1).bytes(&key.0);
            write_digest(fields, 2, *held);
        }
        Question::Renew { key } => fields.field(1).bytes(&key.0),
        Question::Release { key, ended } => {
            fields.field(1).bytes(&key.0);
            let (how, digest) = match ended {
                Ended::Unchanged(digest) => (UNCHANGED, Some(*digest)),
                Ended::NotShared => (NOT_SHARED, None),
                Ended::Failed => (FAILED, None),
            };
            fields.field(2).number(how);
            write_digest(fields, 3, digest);
        }
        Question::Invalidate { position, stale } => {
            stale::write_position(fields, 1, *position);
            stale::write(fields.field(3), stale, STALE_MAX);
        }
        Question::Greet { position, heard } => {
            stale::write_position(fields, 1, *position);
            if let Some(heard) = heard {
                stale::write_position(fields, 3, *heard);
            }
        }
        Question::Pulse { position } => stale::write_position(fields, 1, *position),
        Question::Peers { own } => {
            // A record that nobody takes is left out: the question stands without it.
            if let Some(own) = own.as_ref().filter(|own| own.len() <= RECORD_MAX) {
                fields.field(1).bytes(own);
            }
        }
        // It can fail, so it is written where it is read.
        Question::Store { .. } => {}
    }
}

/// Reads a question of a peer.
pub fn decode_question(bytes: &[u8], opening: &Opening<'_>) -> Result<Question, Malformed> {
    let (kind, mut reader) = open(bytes)?;
    let question = match kind {
        LOOKUP => lookup(&mut reader),
        AWAIT => wait(&mut reader),
        RENEW => renew(&mut reader),
        RELEASE => release(&mut reader),
        STORED => store(&mut reader, opening),
        INVALIDATE => invalidate(&mut reader),
        GREET | PULSE => greet(&mut reader, kind),
        PEERS => peers(&mut reader),
        FETCH => fetch(&mut reader),
        _ => return Err(Malformed::Unknown),
    }?;
    reader.end()?;
    Ok(question)
}

fn lookup(reader: &mut Reader<'_>) -> Result<Question, Malformed> {
    let (mut key, mut held, mut lease) = (None, None, None);
    reader.fields(|number, value| {
        match number {
            1 => key = Some(WireKey(value.array::<KEY>()?)),
            2 => held = Some(digest(value)?),
            3 => lease = Some(value.truth()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Question::Lookup {
        key: key.ok_or(Malformed::Syntax)?,
        held,
        lease: lease.ok_or(Malformed::Syntax)?,
    })
}

fn wait(reader: &mut Reader<'_>) -> Result<Question, Malformed> {
    let (mut key, mut held, mut wait) = (None, None, None);
    reader.fields(|number, value| {
        match number {
            1 => key = Some(WireKey(value.array::<KEY>()?)),
            2 => held = Some(digest(value)?),
            3 => wait = Some(duration(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Question::Await {
        key: key.ok_or(Malformed::Syntax)?,
        held,
        wait: wait.ok_or(Malformed::Syntax)?,
    })
}

fn fetch(reader: &mut Reader<'_>) -> Result<Question, Malformed> {
    let (mut key, mut held) = (None, None);
    reader.fields(|number, value| {
        match number {
            1 => key = Some(WireKey(value.array::<KEY>()?)),
            2 => held = Some(digest(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let key = key.ok_or(Malformed::Syntax)?;
    Ok(Question::Fetch { key, held })
}

fn renew(reader: &mut Reader<'_>) -> Result<Question, Malformed> {
    let mut key = None;
    reader.fields(|number, value| {
        match number {
            1 => key = Some(WireKey(value.array::<KEY>()?)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let key = key.ok_or(Malformed::Syntax)?;
    Ok(Question::Renew { key })
}

fn release(reader: &mut Reader<'_>) -> Result<Question, Malformed> {
    let (mut key, mut how, mut body) = (None, None, None);
    reader.fields(|number, value| {
        match number {
            1 => key = Some(WireKey(value.array::<KEY>()?)),
            2 => how = Some(value.number(FAILED)?),
            3 => body = Some(digest(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let ended = match (how, body) {
        (Some(UNCHANGED), Some(body)) => Ended::Unchanged(body),
        (Some(NOT_SHARED), None) => Ended::NotShared,
        (Some(FAILED), None) => Ended::Failed,
        _ => return Err(Malformed::Syntax),
    };
    let key = key.ok_or(Malformed::Syntax)?;
    Ok(Question::Release { key, ended })
}

fn store(reader: &mut Reader<'_>, opening: &Opening<'_>) -> Result<Question, Malformed> {
    let (mut key, mut inner) = (None, None);
    reader.fields(|number, value| {
        match number {
            1 => key = Some(WireKey(value.array::<KEY>()?)),
            2 => inner = Some(value.bytes(Wrapped::longest(opening))?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    // Nothing is unpacked before the whole message is known to be one.
    reader.end()?;
    let key = key.ok_or(Malformed::Syntax)?;
    let offer = seal::decode_offer(inner.ok_or(Malformed::Syntax)?, &key, opening)?;
    Ok(Question::Store { key, offer })
}

fn invalidate(reader: &mut Reader<'_>) -> Result<Question, Malformed> {
    let (mut epoch, mut sequence, mut what) = (None, None, None);
    reader.fields(|number, value| {
        match number {
            1 => epoch = Some(value.number(u64::MAX)?),
            2 => sequence = Some(value.number(u64::MAX)?),
            3 => what = Some(stale::read(value, STALE_MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Question::Invalidate {
        position: stale::position(epoch, sequence)?.ok_or(Malformed::Syntax)?,
        stale: what.ok_or(Malformed::Syntax)?,
    })
}

/// A greeting, or a pulse, which has half of its fields.
fn greet(reader: &mut Reader<'_>, kind: u64) -> Result<Question, Malformed> {
    let mut numbers = [None; 4];
    let known = if kind == GREET { 4 } else { 2 };
    reader.fields(|number, value| {
        let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
        let Some(slot) = numbers[..known].get_mut(index) else {
            return Ok(false);
        };
        *slot = Some(value.number(u64::MAX)?);
        Ok(true)
    })?;
    let [epoch, sequence, heard_epoch, heard_sequence] = numbers;
    let position = stale::position(epoch, sequence)?.ok_or(Malformed::Syntax)?;
    if kind == PULSE {
        return Ok(Question::Pulse { position });
    }
    let heard = stale::position(heard_epoch, heard_sequence)?;
    Ok(Question::Greet { position, heard })
}

fn peers(reader: &mut Reader<'_>) -> Result<Question, Malformed> {
    let mut own = None;
    reader.fields(|number, value| {
        match number {
            1 => own = Some(value.bytes(RECORD_MAX)?.to_vec()),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Question::Peers { own })
}

fn write_digest(fields: &mut Fields<'_>, number: u64, digest: Option<Digest>) {
    if let Some(digest) = digest {
        fields.field(number).bytes(digest.as_bytes());
    }
}

fn digest(value: &mut Reader<'_>) -> Result<Digest, Malformed> {
    Ok(Digest::from(value.array::<32>()?))
}

/// Milliseconds, of at most the longest wait.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.min(WAIT_MAX).as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn duration(value: &mut Reader<'_>) -> Result<Duration, Malformed> {
    Ok(Duration::from_millis(value.number(millis(WAIT_MAX))?))
}
