//! The long parts of a record: packed where that pays, in files of their own where they are large.

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Fault, PART_MAX};
use crate::digest::Digest;

/// A part from this size on is in a file of its own.
const FILED: usize = 64 * 1024 + 1;
/// Smaller ones are hardly made smaller by packing.
const PACKED: usize = 1024;

/// The name of a file with one part: 16 random bytes, so that no file is ever written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::store) struct FileName(pub(in crate::store) [u8; 16]);

/// A part that is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Kept {
    pub(in crate::store) name: FileName,
    /// Bytes of the file.
    pub(in crate::store) stored: u32,
    packed: bool,
    digest: Digest,
    length: u32,
}

/// A part as the head names it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Part {
    digest: [u8; 32],
    /// Bytes of the part itself.
    length: u32,
    packed: bool,
    /// Bytes as they are stored.
    stored: u32,
    /// Its file; without one it follows the head, after the parts before it.
    file: Option<FileName>,
}

/// Collects the parts of one record.
pub(super) struct Packer<'a> {
    kept: &'a [Kept],
    name: &'a mut dyn FnMut() -> FileName,
    pub(super) inline: Vec<u8>,
    pub(super) files: Vec<Kept>,
    pub(super) fresh: Vec<(FileName, Vec<u8>)>,
}

impl<'a> Packer<'a> {
    pub(super) const fn new(kept: &'a [Kept], name: &'a mut dyn FnMut() -> FileName) -> Self {
        Self {
            kept,
            name,
            inline: Vec::new(),
            files: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// Adds a part. `None` when it is too long.
    pub(super) fn add(&mut self, bytes: &[u8], digest: Digest) -> Option<Part> {
        let length = u32::try_from(bytes.len()).ok()?;
        if bytes.len() > PART_MAX {
            return None;
        }
        if bytes.len() < FILED {
            let before = self.inline.len();
            let packed = pack(bytes);
            self.inline
                .extend_from_slice(packed.as_deref().unwrap_or(bytes));
            return Some(Part {
                digest: *digest.as_bytes(),
                length,
                packed: packed.is_some(),
                stored: u32::try_from(self.inline.len() - before).ok()?,
                file: None,
            });
        }
        let same = |kept: &&Kept| kept.digest == digest && kept.length == length;
        let kept = if let Some(kept) = self.kept.iter().find(same) {
            kept.clone()
        } else {
            let packed = pack(bytes);
            let is_packed = packed.is_some();
            let stored = packed.unwrap_or_else(|| bytes.to_vec());
            let kept = Kept {
                name: (self.name)(),
                stored: u32::try_from(stored.len()).ok()?,
                packed: is_packed,
                digest,
                length,
            };
            self.fresh.push((kept.name, stored));
            kept
        };
        let part = Part {
            digest: *digest.as_bytes(),
            length,
            packed: kept.packed,
            stored: kept.stored,
            file: Some(kept.name),
        };
        self.files.push(kept);
        Some(part)
    }
}

/// `bytes` packed, if that saves an eighth.
fn pack(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < PACKED {
        return None;
    }
    let packed = lz4_flex::block::compress(bytes);
    (packed.len() <= bytes.len() - bytes.len() / 8).then_some(packed)
}

/// Reads the parts of one record, in the order in which they were added.
pub(super) struct Loader<'a> {
    inline: &'a [u8],
    read: &'a dyn Fn(&FileName, usize) -> io::Result<Vec<u8>>,
    pub(super) files: Vec<Kept>,
    pub(super) lost: usize,
}

impl<'a> Loader<'a> {
    pub(super) const fn new(
        inline: &'a [u8],
        read: &'a dyn Fn(&FileName, usize) -> io::Result<Vec<u8>>,
    ) -> Self {
        Self {
            inline,
            read,
            files: Vec::new(),
            lost: 0,
        }
    }

    /// The next part; `None` when it is not what was written, which is counted.
    pub(super) fn next(&mut self, part: &Part) -> Result<Option<Bytes>, Fault> {
        let stored = usize::try_from(part.stored).map_err(|_| Fault::Record)?;
        let bytes = match &part.file {
            Some(name) => match (self.read)(name, stored) {
                Ok(bytes) => part.unpack(bytes),
                Err(error) => match error.kind() {
                    // Another process removed the record after we read it, or somebody the file.
                    io::ErrorKind::NotFound | io::ErrorKind::InvalidData => None,
                    _ => return Err(Fault::Io(error)),
                },
            },
            None => match self.inline.split_at_checked(stored) {
                Some((bytes, rest)) => {
                    self.inline = rest;
                    part.unpack(bytes)
                }
                None => None,
            },
        };
        match (&bytes, part.file) {
            (None, _) => self.lost += 1,
            (Some(_), Some(name)) => self.files.push(Kept {
                name,
                stored: part.stored,
                packed: part.packed,
                digest: part.digest(),
                length: part.length,
            }),
            (Some(_), None) => {}
        }
        Ok(bytes)
    }
}

impl Part {
    pub(super) fn digest(&self) -> Digest {
        self.digest.into()
    }

    /// The part itself, if it is what was written.
    fn unpack(&self, stored: impl Into<Vec<u8>> + AsRef<[u8]>) -> Option<Bytes> {
        let length = usize::try_from(self.length).ok()?;
        let bytes = if self.packed {
            if length > PART_MAX {
                return None;
            }
            lz4_flex::block::decompress(stored.as_ref(), length).ok()?
        } else {
            stored.into()
        };
        let right = bytes.len() == length && Digest::of([bytes.as_slice()]) == self.digest();
        right.then(|| bytes.into())
    }
}
