//! How much is read, before anything is known of it.

use std::time::Duration;

use super::super::offer::coding;

/// Namespaces in one question. More become the whole host.
pub const STALE_MAX: usize = 64;
/// Namespaces in the answer to a greeting. More become "everything".
pub const GREETED_MAX: usize = 256;
/// Signed records in one answer.
pub const RECORDS_MAX: usize = 200;
/// Bytes of one signed record.
pub const RECORD_MAX: usize = 4 << 10;
/// The longest wait that anybody asks for or promises.
pub const WAIT_MAX: Duration = Duration::from_mins(1);

/// Bytes of a message without an entry.
const SMALL: usize = 64 << 10;
/// Bytes around an entry: its name, nonce, expiry and tag.
const AROUND: usize = 32 << 10;

/// All records of an answer together, so that the message stays below its bound.
pub(super) const RECORDS_BYTES: usize = SMALL - (2 << 10);

/// The type of a question that brings an entry.
pub(super) const STORE: u8 = 5;
/// The type of an answer that brings an entry.
pub(super) const HIT: u8 = 1;

/// How long a question may be that begins with these two bytes: 64 KiB, or 64 KiB more than a body if it
/// brings an entry. Fewer bytes are no question.
pub const fn question_limit(head: [u8; 2], body_limit: usize) -> usize {
    limit(head, STORE, body_limit)
}

/// How long an answer may be that begins with these two bytes.
pub const fn answer_limit(head: [u8; 2], body_limit: usize) -> usize {
    limit(head, HIT, body_limit)
}

/// `[type, …` in its one short form: a type below 24 is the second byte.
const fn limit(head: [u8; 2], with_entry: u8, body_limit: usize) -> usize {
    if head[0] == 0x82 && head[1] == with_entry {
        coding::longest(body_limit).saturating_add(AROUND)
    } else {
        SMALL
    }
}
