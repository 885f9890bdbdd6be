//! Snapshots: what a store holds as one file that can leave the machine, for instance in the cache of
//! GitHub Actions.
//!
//! | kind | what is in it | who can read it | who could have written it |
//! |---|---|---|---|
//! | public | what anybody could read when GitHub last confirmed it | anybody | anybody who can write the file |
//! | sealed | every shareable answer, and named values | who has the secret | who has the secret |
//!
//! What never travels: grants, fields of an answer to one credential, what was made for one caller, answers to
//! GraphQL (they belong to one credential), and bodies whose validator we cannot compute, since nobody else
//! could ask about them.
//!
//! Answers arrive as *candidates*: nobody is shown one before GitHub has answered 304 to exactly these bytes for
//! this very caller. So a forged candidate costs a miss. What such a 304 does not cover is not taken from a public
//! snapshot at all: links to other pages (those answers stay behind), the lifetime, and any header but a JSON
//! content type and a version's date.
//!
//! ```text
//! header   "ghswsnap" | version u16 | kind u8 | 0 | sealed only: cost u32 | salt [16] | nonce prefix [7]
//! chunk    stored u32 | plain u32 | last u8 | `stored` bytes          (numbers are little-endian)
//! ```
//!
//! A chunk's bytes are whole records, compressed (LZ4), then sealed as a [`seal::Stream`] or followed by a
//! digest that covers everything before them. Header, lengths and `last` are bound to both. Nothing is read at
//! once but one chunk, and no length is believed: a buffer grows with the bytes that come.

mod frame;
mod record;

use std::io::{Read, Write};

use super::Slot;
use super::memory::Named;
use crate::api::Key;
use crate::seal::{self, SharedSecret};
use crate::store::Entry;
use crate::time::Timestamp;
use frame::{Frames, Protection};

pub use record::{LeftOut, Rejected, candidate, is_date, is_json};

/// The first bytes of every snapshot.
pub const MAGIC: &[u8; 8] = b"ghswsnap";
/// Records are gathered until they are this long, so that what is alike is compressed together.
const CHUNK: usize = 256 << 10;

/// Why a snapshot cannot be written or read on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or the stream failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It does not begin like a snapshot.
    #[error("this is no snapshot of ghswarm")]
    NotASnapshot,
    /// Another version of the format, or a kind that we do not know.
    #[error(
        "this snapshot has version {version}, kind {kind}, which this version of ghswarm cannot read"
    )]
    Unknown {
        /// The version.
        version: u16,
        /// The kind.
        kind: u8,
    },
    /// It is sealed, and no secret was given.
    #[error("this snapshot is sealed: give its secret with --secret-file or --secret-env")]
    NeedsSecret,
    /// It is not sealed, although a secret was given: who expects a sealed one must not be given what
    /// anybody could have written.
    #[error(
        "this snapshot is not sealed, although a secret was given; without one it is read as public"
    )]
    NotSealed,
    /// It does not open, or its cost is not acceptable.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// It ends in the middle.
    #[error("the snapshot is cut off")]
    CutOff,
    /// It is not what was written.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// It holds more than is allowed.
    #[error("the snapshot holds more than {0} bytes, which is the limit")]
    TooLarge(u64),
}

/// Random bytes for a sealed snapshot, never used for another.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    /// For the key.
    pub salt: [u8; seal::SALT],
    /// For the nonces.
    pub prefix: [u8; seal::PREFIX],
}

/// Writes a snapshot.
#[derive(Debug)]
pub struct Writer<W> {
    frames: Frames<W>,
    sealed: bool,
    chunk: Vec<u8>,
    /// Bytes of all records, before they were compressed.
    plain: u64,
}

impl<W: Write> Writer<W> {
    /// A snapshot that anybody may read.
    pub fn public(out: W) -> Result<Self, Error> {
        Ok(Self::of(Frames::write(out, Protection::public())?, false))
    }

    /// A snapshot for those who have `secret`. Slow: the key is derived.
    pub fn sealed(out: W, secret: &SharedSecret, fresh: Fresh) -> Result<Self, Error> {
        let protection = Protection::sealed(secret, seal::Cost::DEFAULT, fresh);
        Ok(Self::of(Frames::write(out, protection)?, true))
    }

    fn of(frames: Frames<W>, sealed: bool) -> Self {
        Self {
            frames,
            sealed,
            chunk: Vec::new(),
            plain: 0,
        }
    }

    /// Adds what may travel of `slot`, and says why if nothing may.
    pub fn add(
        &mut self,
        key: &Key,
        slot: &Slot,
        now: Timestamp,
    ) -> Result<Option<LeftOut>, Error> {
        let record = match record::of(key, slot, self.sealed, now) {
            Ok(record) => record,
            Err(why) => return Ok(Some(why)),
        };
        let length = u32::try_from(record.len()).unwrap_or(u32::MAX);
        if record.len() > record::MAX {
            return Ok(Some(LeftOut::TooLarge));
        }
        self.chunk.extend_from_slice(&length.to_le_bytes());
        self.chunk.extend_from_slice(&record);
        self.plain += record.len() as u64;
        if self.chunk.len() >= CHUNK {
            self.frames.put(&self.chunk, false)?;
            self.chunk.clear();
        }
        Ok(None)
    }

    /// Bytes added so far, before they were compressed.
    pub fn plain_bytes(&self) -> u64 {
        self.plain
    }

    /// Writes the end. Without it the snapshot counts as cut off.
    pub fn finish(mut self) -> Result<W, Error> {
        self.frames.put(&self.chunk, true)?;
        let mut out = self.frames.into_inner();
        out.flush()?;
        Ok(out)
    }
}

/// What a snapshot holds.
#[derive(Debug)]
pub enum Item {
    /// Answers to ask GitHub about.
    Candidate(Key, Entry),
    /// A value of the key-value interface, with what is left of its lifetime.
    Named(Key, Named),
    /// Something that must not be taken over.
    Rejected(Rejected),
}

/// Reads a snapshot, item by item.
#[derive(Debug)]
pub struct Reader<R> {
    frames: Frames<R>,
    sealed: bool,
    chunk: Vec<u8>,
    /// Where the next record of the chunk begins.
    at: usize,
    limit: u64,
    taken: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the header. `limit`: the most bytes of records that are taken. Slow with a secret.
    pub fn open(input: R, secret: Option<&SharedSecret>, limit: u64) -> Result<Self, Error> {
        let frames = Frames::read(input, secret)?;
        Ok(Self {
            frames,
            sealed: secret.is_some(),
            chunk: Vec::new(),
            at: 0,
            limit,
            taken: 0,
        })
    }

    /// The next item; `None` at the end, which was there and is authentic. After an error nothing more
    /// comes; what came before it was whole.
    pub fn next_item(&mut self, now: Timestamp) -> Result<Option<Item>, Error> {
        while self.at == self.chunk.len() {
            self.at = 0;
            match self.frames.take()? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(None),
            }
            self.taken += self.chunk.len() as u64;
            if self.taken > self.limit {
                return Err(Error::TooLarge(self.limit));
            }
        }
        let rest = &self.chunk[self.at..];
        let whole = rest.split_first_chunk::<4>().and_then(|(length, rest)| {
            rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)
        });
        let record = whole.ok_or(Error::Damaged("a record is longer than its chunk"))?;
        self.at += 4 + record.len();
        Ok(Some(
            record::read(record, self.sealed, now).unwrap_or_else(Item::Rejected),
        ))
    }
}

#[cfg(test)]
mod tests;
