//! How questions and answers are written down: `[type, {number: value}]`.
//!
//! A stream is read to its end, as far as [`question_limit`] and [`answer_limit`] go, and given to
//! [`decode_question`] or [`decode_answer`]. Opening and unpacking a long body takes milliseconds: on the task
//! that wants it, not on the one that moves bytes for everybody.

mod answer;
mod bounds;
mod question;
mod stale;

pub use answer::{decode_answer, encode_answer};
pub use bounds::{
    GREETED_MAX, RECORD_MAX, RECORDS_MAX, STALE_MAX, WAIT_MAX, answer_limit, question_limit,
};
pub use question::{decode_question, encode_question};

use super::Malformed;
use super::cbor::{Reader, Writer};

/// Bytes of a key's name.
const KEY: usize = 32;

/// A message's type, and a reader that stands before its fields.
fn open(bytes: &[u8]) -> Result<(u64, Reader<'_>), Malformed> {
    let mut reader = Reader::new(bytes);
    reader.pair()?;
    let kind = reader.number(u64::MAX)?;
    Ok((kind, reader))
}

/// The head of a message of this type.
fn begin(kind: u64) -> Writer {
    let mut writer = Writer::default();
    writer.count(2);
    writer.number(kind);
    writer
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
