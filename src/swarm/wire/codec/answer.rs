//! Answers.

use super::bounds::{GREETED_MAX, HIT, RECORD_MAX, RECORDS_BYTES, RECORDS_MAX};
use super::question::{duration, millis};
use super::{begin, open, stale};
use crate::swarm::wire::Malformed;
use crate::swarm::wire::cbor::{Fields, Reader, Writer};
use crate::swarm::wire::message::{Answer, Question};
use crate::swarm::wire::seal::{self, Opening, Sealing, Wrapped};

const OFFER: u64 = HIT as u64;
const SAME: u64 = 2;
const GRANTED: u64 = 3;
const HELD: u64 = 4;
const UNKNOWN: u64 = 5;
const ACK: u64 = 6;
const GREETED: u64 = 7;
const PULSE: u64 = 8;
const PEERS: u64 = 9;
const BUSY: u64 = 10;
const LONG: u64 = 11;

/// Writes `answer`. An error means that the other end would not take it: then [`Answer::Unknown`] is the answer.
pub fn encode_answer(answer: &Answer, sealing: &Sealing<'_>) -> Result<Vec<u8>, Malformed> {
    if let Answer::Hit(offer) = answer {
        let inner = seal::encode_offer(offer, sealing)?;
        let mut writer = begin(OFFER);
        writer.fields(|fields| fields.field(1).bytes(&inner));
        return Ok(writer.finish());
    }
    let mut writer = begin(kind(answer));
    writer.fields(|fields| write(fields, answer));
    Ok(writer.finish())
}

const fn kind(answer: &Answer) -> u64 {
    match answer {
        Answer::Hit(_) => OFFER,
        Answer::Same => SAME,
        Answer::Granted(_) => GRANTED,
        Answer::Held(_) => HELD,
        Answer::Unknown => UNKNOWN,
        Answer::Ack => ACK,
        Answer::Greeted { .. } => GREETED,
        Answer::Pulse { .. } => PULSE,
        Answer::Peers(_) => PEERS,
        Answer::Busy => BUSY,
        Answer::Long { .. } => LONG,
    }
}

fn write(fields: &mut Fields<'_>, answer: &Answer) {
    match answer {
        Answer::Granted(time) | Answer::Held(time) => fields.field(1).number(millis(*time)),
        Answer::Long { bytes } => fields.field(1).number(*bytes),
        Answer::Greeted { position, missed } => {
            stale::write_position(fields, 1, *position);
            // More than this is everything, which is said by saying nothing.
            let missed = missed.as_ref().filter(|missed| missed.len() <= GREETED_MAX);
            if let Some(missed) = missed {
                stale::write(fields.field(3), missed, GREETED_MAX);
            }
        }
        Answer::Pulse { position } => stale::write_position(fields, 1, *position),
        Answer::Peers(records) => write_records(fields.field(1), records),
        // What can fail is written where it is read; the others say all by their type.
        Answer::Hit(_) | Answer::Same | Answer::Unknown | Answer::Ack | Answer::Busy => {}
    }
}

/// As many of the first records as one message takes.
fn write_records(writer: &mut Writer, records: &[Vec<u8>]) {
    let fitting = || {
        let mut room = RECORDS_BYTES;
        let fits = records.iter().filter(|record| record.len() <= RECORD_MAX);
        fits.take(RECORDS_MAX).take_while(move |record| {
            // Three bytes say how long each is.
            let left = room.checked_sub(record.len() + 3);
            room = left.unwrap_or(0);
            left.is_some()
        })
    };
    writer.count(fitting().count());
    for record in fitting() {
        writer.bytes(record);
    }
}

/// Reads a peer's answer to `question`. What does not answer it is [`Malformed::Unasked`].
pub fn decode_answer(
    bytes: &[u8],
    question: &Question,
    opening: &Opening<'_>,
) -> Result<Answer, Malformed> {
    let (kind, mut reader) = open(bytes)?;
    if (OFFER..=LONG).contains(&kind) && !answers(kind, question) {
        return Err(Malformed::Unasked);
    }
    let answer = match kind {
        OFFER => hit(&mut reader, question, opening),
        GRANTED | HELD => lease(&mut reader, kind),
        GREETED | PULSE => greeted(&mut reader, kind),
        PEERS => peers(&mut reader),
        LONG => long(&mut reader),
        SAME => bare(&mut reader, Answer::Same),
        UNKNOWN => bare(&mut reader, Answer::Unknown),
        ACK => bare(&mut reader, Answer::Ack),
        BUSY => bare(&mut reader, Answer::Busy),
        _ => return Err(Malformed::Unknown),
    }?;
    reader.end()?;
    Ok(answer)
}

/// Whether an answer of this type is one to `question`. Anybody may be busy.
const fn answers(kind: u64, question: &Question) -> bool {
    match question {
        Question::Lookup { .. } | Question::Await { .. } => {
            matches!(kind, OFFER | LONG | SAME | GRANTED | HELD | UNKNOWN | BUSY)
        }
        Question::Fetch { .. } => matches!(kind, OFFER | UNKNOWN | BUSY),
        Question::Renew { .. } => matches!(kind, GRANTED | HELD | UNKNOWN | ACK | BUSY),
        Question::Release { .. } | Question::Store { .. } => matches!(kind, UNKNOWN | ACK | BUSY),
        Question::Invalidate { .. } => matches!(kind, ACK | BUSY),
        Question::Greet { .. } => matches!(kind, GREETED | BUSY),
        Question::Pulse { .. } => matches!(kind, PULSE | BUSY),
        Question::Peers { .. } => matches!(kind, PEERS | BUSY),
    }
}

fn hit(
    reader: &mut Reader<'_>,
    question: &Question,
    opening: &Opening<'_>,
) -> Result<Answer, Malformed> {
    let (Question::Lookup { key, .. } | Question::Await { key, .. } | Question::Fetch { key, .. }) =
        question
    else {
        return Err(Malformed::Unasked);
    };
    let mut inner = None;
    reader.fields(|number, value| {
        match number {
            1 => inner = Some(value.bytes(Wrapped::longest(opening))?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    // Nothing is unpacked before the whole message is known to be one.
    reader.end()?;
    let offer = seal::decode_offer(inner.ok_or(Malformed::Syntax)?, key, opening)?;
    Ok(Answer::Hit(offer))
}

fn long(reader: &mut Reader<'_>) -> Result<Answer, Malformed> {
    let mut bytes = None;
    reader.fields(|number, value| {
        match number {
            1 => bytes = Some(value.number(u64::MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let bytes = bytes.ok_or(Malformed::Syntax)?;
    Ok(Answer::Long { bytes })
}

fn lease(reader: &mut Reader<'_>, kind: u64) -> Result<Answer, Malformed> {
    let mut time = None;
    reader.fields(|number, value| {
        match number {
            1 => time = Some(duration(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let time = time.ok_or(Malformed::Syntax)?;
    Ok(if kind == GRANTED {
        Answer::Granted(time)
    } else {
        Answer::Held(time)
    })
}

fn greeted(reader: &mut Reader<'_>, kind: u64) -> Result<Answer, Malformed> {
    let (mut epoch, mut sequence, mut missed) = (None, None, None);
    reader.fields(|number, value| {
        match number {
            1 => epoch = Some(value.number(u64::MAX)?),
            2 => sequence = Some(value.number(u64::MAX)?),
            3 if kind == GREETED => missed = Some(stale::read(value, GREETED_MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let position = stale::position(epoch, sequence)?.ok_or(Malformed::Syntax)?;
    Ok(if kind == GREETED {
        Answer::Greeted { position, missed }
    } else {
        Answer::Pulse { position }
    })
}

fn peers(reader: &mut Reader<'_>) -> Result<Answer, Malformed> {
    let mut records = None;
    reader.fields(|number, value| {
        match number {
            1 => {
                let count = value.count(RECORDS_MAX)?;
                let read = (0..count).map(|_| Ok(value.bytes(RECORD_MAX)?.to_vec()));
                records = Some(read.collect::<Result<_, Malformed>>()?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Answer::Peers(records.ok_or(Malformed::Syntax)?))
}

/// An answer that says all by its type; a later version may say more.
fn bare(reader: &mut Reader<'_>, answer: Answer) -> Result<Answer, Malformed> {
    reader.fields(|_, _| Ok(false))?;
    Ok(answer)
}
