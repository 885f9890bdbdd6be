//! Bodies on their way: LZ4 where it helps.

use bytes::Bytes;

use crate::swarm::wire::Malformed;

/// Shorter ones are not worth trying.
const PACKED_MIN: usize = 256;
/// One byte of LZ4 says at most this many: a length continues in bytes of 255 (LZ4 Block Format, "Literals").
const RATIO_MAX: usize = 255;

/// `body` packed, if that saves a tenth.
pub(super) fn pack(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < PACKED_MIN {
        return None;
    }
    let packed = lz4_flex::block::compress(body);
    (packed.len() <= body.len() - body.len() / 10).then_some(packed)
}

/// The body of `length` bytes that was packed, and of not one byte more or less. Nothing is allocated for a length
/// that so few bytes cannot have.
pub(super) fn unpack(packed: &[u8], length: usize, limit: usize) -> Result<Bytes, Malformed> {
    if length > limit {
        return Err(Malformed::TooLong);
    }
    if length > packed.len().saturating_mul(RATIO_MAX) {
        return Err(Malformed::Bomb);
    }
    let mut body = vec![0; length];
    match lz4_flex::block::decompress_into(packed, &mut body) {
        Ok(written) if written == length => Ok(body.into()),
        _ => Err(Malformed::Bomb),
    }
}
