//! What is held under a key, as bytes: one record with a code that nobody else can make.
//!
//! ```text
//! 1 version | 16 code | 32 key | 4 length of the head | head | parts …
//! ```
//!
//! The code is HMAC-SHA-256 over key and head, cut to 16 bytes, under a key made of the local secret. The head
//! (postcard) says who was shown what, and has the SHA-256 of every part: a bit that flips anywhere is found,
//! and only the part that it is in is lost. Parts are bodies and values, packed (LZ4) where that pays; large
//! ones are in files of their own, which the record names.
//!
//! What a record never holds: bodies made for one caller (they carry tokens), and validators that GitHub made
//! by hashing a credential.

mod part;
mod wire;

use bytes::Bytes;

use super::Slot;
use crate::api::Key;
use crate::digest::Digest;
use crate::secret::LocalSecret;

pub(super) use part::{FileName, Kept};
use part::{Loader, Packer};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const CODE: usize = 16;
const KEY_AT: usize = 1 + CODE;
const LENGTH_AT: usize = KEY_AT + 32;
/// As much of a record as says its key.
pub(super) const KEY_END: usize = LENGTH_AT;
/// Where the head starts.
const HEAD_AT: usize = LENGTH_AT + 4;
/// The longest body, value or key; more is not written, and no record makes us ask for more memory.
const PART_MAX: usize = 128 << 20;

/// The key of the codes.
#[derive(Clone)]
pub(super) struct MacKey(Zeroizing<[u8; 32]>);

impl MacKey {
    pub(super) fn new(secret: &LocalSecret) -> Self {
        Self(secret.derive("ghswarm store record"))
    }

    fn code(&self, signed: &[u8]) -> [u8; CODE] {
        let mut code = [0; CODE];
        code.copy_from_slice(&Digest::keyed(&self.0, signed).as_bytes()[..CODE]);
        code
    }

    /// A value that only the holder of the same secret can make, to tell whose a database is.
    pub(super) fn mark(&self, of: &str) -> Vec<u8> {
        self.code(of.as_bytes()).to_vec()
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Why a record is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The record itself is not what was written, or was written under another secret.
    #[error("the record is unsound")]
    Record,
    /// No body of it is what was written.
    #[error("the body is unsound")]
    Body,
    /// A file of it cannot be read now.
    #[error(transparent)]
    Io(std::io::Error),
}

/// A slot made into bytes.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) record: Vec<u8>,
    /// The parts in files of their own: all that the record names.
    pub(super) files: Vec<Kept>,
    /// Those of them that have to be written first.
    pub(super) fresh: Vec<(FileName, Vec<u8>)>,
}

impl Encoded {
    /// Bytes in files.
    pub(super) fn filed(&self) -> u64 {
        self.files.iter().map(|file| u64::from(file.stored)).sum()
    }
}

/// A record made into a slot.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) slot: Slot,
    /// The parts in files, sound ones only.
    pub(super) files: Vec<Kept>,
    /// Bodies that were unsound, and are not in the slot.
    pub(super) lost: usize,
}

/// Writes `slot`. Parts whose digest is among `kept` stay in the files where they are; `name` makes names for
/// new ones. `None` when nothing of it may be written, or a part is longer than any body.
pub(super) fn encode(
    mac: &MacKey,
    key: &Key,
    slot: &Slot,
    kept: &[Kept],
    name: &mut dyn FnMut() -> FileName,
) -> Option<Encoded> {
    let mut packer = Packer::new(kept, name);
    let mut record = Vec::with_capacity(1024);
    record.push(VERSION);
    record.extend_from_slice(&[0; CODE]);
    record.extend_from_slice(key.as_bytes());
    record.extend_from_slice(&[0; 4]);
    let head = match slot {
        Slot::Answers(entry) => wire::entry(entry, &mut packer)?,
        Slot::Named(named) => wire::named(named, &mut packer)?,
    };
    // A `Vec` takes whatever is written to it.
    record = postcard::to_extend(&head, record).ok()?;
    let length = u32::try_from(record.len() - HEAD_AT).ok()?;
    record[LENGTH_AT..HEAD_AT].copy_from_slice(&length.to_le_bytes());
    let code = mac.code(&record[KEY_AT..]);
    record[1..KEY_AT].copy_from_slice(&code);
    record.extend_from_slice(&packer.inline);
    Some(Encoded {
        record,
        files: packer.files,
        fresh: packer.fresh,
    })
}

/// The key under which a record was written, without a look at its code.
pub(super) fn key(record: &[u8]) -> Option<Key> {
    let key = record.get(KEY_AT..LENGTH_AT)?;
    Some(Key::from_bytes(key.try_into().ok()?))
}

/// Reads what [`encode`] wrote under `key`, and checks all of it. `read` reads a file of the given size.
pub(super) fn decode(
    mac: &MacKey,
    key: &Key,
    record: &[u8],
    read: &dyn Fn(&FileName, usize) -> std::io::Result<Vec<u8>>,
) -> Result<Decoded, Fault> {
    let start = record.first_chunk::<HEAD_AT>().ok_or(Fault::Record)?;
    let length = u32::from_le_bytes([
        start[LENGTH_AT],
        start[LENGTH_AT + 1],
        start[LENGTH_AT + 2],
        start[LENGTH_AT + 3],
    ]);
    let end = usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_add(HEAD_AT))
        .filter(|&end| end <= record.len())
        .ok_or(Fault::Record)?;
    let right = start[0] == VERSION
        && start[KEY_AT..LENGTH_AT] == key.as_bytes()[..]
        && start[1..KEY_AT] == mac.code(&record[KEY_AT..end]);
    if !right {
        return Err(Fault::Record);
    }
    // The fields of all grants are slices of this one copy.
    let head = Bytes::copy_from_slice(&record[HEAD_AT..end]);
    let wire: wire::Slot<'_> = postcard::from_bytes(&head).map_err(|_| Fault::Record)?;
    let mut loader = Loader::new(&record[end..], read);
    let slot = wire.rebuild(&head, &mut loader)?;
    Ok(Decoded {
        slot,
        files: loader.files,
        lost: loader.lost,
    })
}

#[cfg(test)]
mod tests;
