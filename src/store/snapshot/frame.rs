//! The outer form of a snapshot: a header, and chunks that cannot be changed, moved or left out unnoticed.

use std::io::{Read, Write};

use super::{Error, Fresh, MAGIC, record};
use crate::digest::Digest;
use crate::seal::{self, Cost, Purpose, SharedSecret, Stream};

const VERSION: u16 = 1;
const PUBLIC: u8 = 0;
const SEALED: u8 = 1;
/// The most bytes of a chunk, decompressed: the longest record, behind one that nearly filled it.
const CHUNK_MAX: usize = record::MAX + super::CHUNK + 8;
/// LZ4 cannot make 255 bytes of less than one, so who promises more has not got it.
const LZ4_RATIO: usize = 255;
const DIGEST: usize = 32;

/// How chunks are protected, and the header that says so.
#[derive(Debug)]
pub(super) struct Protection {
    header: Vec<u8>,
    by: By,
}

#[derive(Debug)]
enum By {
    /// The digest of everything so far. It finds damage, not forgery.
    Chain(Digest),
    Seal(Box<Stream>),
}

impl Protection {
    pub(super) fn public() -> Self {
        let header = header(PUBLIC);
        let start = Digest::of([&header[..]]);
        Self {
            header,
            by: By::Chain(start),
        }
    }

    pub(super) fn sealed(secret: &SharedSecret, cost: Cost, fresh: Fresh) -> Self {
        let mut header = header(SEALED);
        header.extend_from_slice(&cost.rounds().to_le_bytes());
        header.extend_from_slice(&fresh.salt);
        header.extend_from_slice(&fresh.prefix);
        let sealer = secret.sealer(&fresh.salt, cost, Purpose::Snapshot);
        Self {
            header,
            by: By::Seal(Box::new(Stream::new(sealer, fresh.prefix))),
        }
    }

    /// What a chunk is bound to beside its own bytes.
    fn bound(&self, plain: u32, last: bool) -> Vec<u8> {
        [&self.header[..], &plain.to_le_bytes(), &[u8::from(last)]].concat()
    }

    fn protect(&mut self, plain: u32, last: bool, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let bound = self.bound(plain, last);
        match &mut self.by {
            By::Chain(so_far) => {
                *so_far = Digest::of([so_far.as_bytes().as_slice(), &bound, bytes]);
                bytes.extend_from_slice(so_far.as_bytes());
            }
            By::Seal(stream) => stream.seal(last, &bound, bytes)?,
        }
        Ok(())
    }

    fn check(&mut self, plain: u32, last: bool, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let bound = self.bound(plain, last);
        match &mut self.by {
            By::Chain(so_far) => {
                let body = bytes.len().checked_sub(DIGEST).ok_or(Error::CutOff)?;
                *so_far = Digest::of([so_far.as_bytes().as_slice(), &bound, &bytes[..body]]);
                if bytes[body..] != so_far.as_bytes()[..] {
                    return Err(Error::Damaged("a digest is wrong"));
                }
                bytes.truncate(body);
            }
            By::Seal(stream) => stream.open(last, &bound, bytes)?,
        }
        Ok(())
    }
}

fn header(kind: u8) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&[kind, 0]);
    header
}

/// Chunks on their way out or in.
#[derive(Debug)]
pub(super) struct Frames<T> {
    inner: T,
    protection: Protection,
    over: bool,
}

impl<W: Write> Frames<W> {
    pub(super) fn write(mut out: W, protection: Protection) -> Result<Self, Error> {
        out.write_all(&protection.header)?;
        Ok(Self {
            inner: out,
            protection,
            over: false,
        })
    }

    pub(super) fn put(&mut self, chunk: &[u8], last: bool) -> Result<(), Error> {
        let mut bytes = lz4_flex::block::compress(chunk);
        let plain = length(chunk)?;
        self.protection.protect(plain, last, &mut bytes)?;
        self.inner.write_all(&length(&bytes)?.to_le_bytes())?;
        self.inner.write_all(&plain.to_le_bytes())?;
        self.inner.write_all(&[u8::from(last)])?;
        self.inner.write_all(&bytes)?;
        Ok(())
    }

    pub(super) fn into_inner(self) -> W {
        self.inner
    }
}

/// The writer bounds chunks far below this.
fn length(bytes: &[u8]) -> Result<u32, Error> {
    u32::try_from(bytes.len()).map_err(|_| Error::Damaged("a chunk is too long"))
}

impl<R: Read> Frames<R> {
    pub(super) fn read(mut input: R, secret: Option<&SharedSecret>) -> Result<Self, Error> {
        let start: [u8; 12] = exactly(&mut input).map_err(|error| match error {
            Error::CutOff => Error::NotASnapshot,
            error => error,
        })?;
        let [magic @ .., low, high, kind, zero] = start;
        let version = u16::from_le_bytes([low, high]);
        if magic != *MAGIC {
            return Err(Error::NotASnapshot);
        }
        if version != VERSION || zero != 0 {
            return Err(Error::Unknown { version, kind });
        }
        let protection = match (kind, secret) {
            (PUBLIC, None) => Protection::public(),
            (PUBLIC, Some(_)) => return Err(Error::NotSealed),
            (SEALED, None) => return Err(Error::NeedsSecret),
            (SEALED, Some(secret)) => {
                let cost = Cost::new(u32::from_le_bytes(exactly(&mut input)?))?;
                let fresh = Fresh {
                    salt: exactly::<{ seal::SALT }>(&mut input)?,
                    prefix: exactly::<{ seal::PREFIX }>(&mut input)?,
                };
                Protection::sealed(secret, cost, fresh)
            }
            (kind, _) => return Err(Error::Unknown { version, kind }),
        };
        Ok(Self {
            inner: input,
            protection,
            over: false,
        })
    }

    /// The next chunk, checked and decompressed; `None` after the last.
    pub(super) fn take(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.over {
            return Ok(None);
        }
        // Whatever goes wrong from here on, nothing more comes.
        self.over = true;
        let stored: [u8; 4] = exactly(&mut self.inner)?;
        let plain: [u8; 4] = exactly(&mut self.inner)?;
        let last = match exactly(&mut self.inner)? {
            [0] => false,
            [1] => true,
            _ => return Err(Error::Damaged("a mark is neither 0 nor 1")),
        };
        let (stored, plain_length) = (u32::from_le_bytes(stored), u32::from_le_bytes(plain));
        // LZ4 makes what cannot be compressed a little longer.
        if stored as usize > CHUNK_MAX + CHUNK_MAX / 128 || plain_length as usize > CHUNK_MAX {
            return Err(Error::Damaged("a chunk is too long"));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.inner)
            .take(u64::from(stored))
            .read_to_end(&mut bytes)?;
        if read != stored as usize {
            return Err(Error::CutOff);
        }
        self.protection.check(plain_length, last, &mut bytes)?;
        if plain_length as usize > bytes.len().saturating_mul(LZ4_RATIO) {
            return Err(Error::Damaged("a chunk promises more than it can hold"));
        }
        let chunk = lz4_flex::block::decompress(&bytes, plain_length as usize)
            .map_err(|_| Error::Damaged("a chunk cannot be decompressed"))?;
        if chunk.len() != plain_length as usize {
            return Err(Error::Damaged("a chunk has another length than it says"));
        }
        if last && (&mut self.inner).take(1).read_to_end(&mut Vec::new())? != 0 {
            return Err(Error::Damaged("it goes on after its end"));
        }
        self.over = last;
        Ok(Some(chunk))
    }
}

fn exactly<const N: usize>(input: &mut impl Read) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    input
        .read_exact(&mut bytes)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Error::CutOff,
            _ => Error::Io(error),
        })?;
    Ok(bytes)
}
