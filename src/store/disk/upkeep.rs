//! Work on the whole store, for commands: in the thread of the caller, also while daemons use it.
//!
//! Each works in small transactions on a connection of its own, so nobody waits for it for long.

use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::rows::{self, Gone};
use super::shared::Shared;
use super::trouble::{Reason, Trouble};
use super::writer::{Size, checkpoint, vacuum};
use super::{Pruned, Verified};
use crate::api::Key;
use crate::store::Slot;
use crate::store::record::{self, Decoded, Fault};

/// Rows read, or deleted, at once.
const AT_ONCE: u32 = 64;
/// Pages given back at once.
const PAGES_AT_ONCE: u64 = 1024;
const VACUUM_MOST: Duration = Duration::from_secs(10);

/// Removes what was last used before `before` (seconds since the epoch), then the least recently used until
/// no more than `down_to` bytes are taken.
pub(super) fn prune(
    shared: &Shared,
    before: Option<u64>,
    down_to: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Pruned, Trouble> {
    let mut connection = shared.place.browse()?;
    let total = rows::totals(&connection)?.entries;
    let mut pruned = Pruned::default();
    progress(0, total);
    if let Some(before) = before {
        loop {
            let gone = change(shared, &mut connection, |transaction| {
                rows::evict(transaction, before, 0, AT_ONCE)
            })?;
            pruned.removed += gone.rows;
            pruned.bytes += gone.bytes;
            progress(pruned.removed, total);
            if gone.rows == 0 {
                break;
            }
        }
    }
    if let Some(goal) = down_to {
        loop {
            let size = Size::of(&connection)?;
            if size.taken <= goal || size.entries == 0 {
                break;
            }
            let gone = change(shared, &mut connection, |transaction| {
                rows::evict(transaction, 0, size.taken - goal, AT_ONCE)
            })?;
            pruned.removed += gone.rows;
            pruned.bytes += gone.bytes;
            progress(pruned.removed, total);
        }
    }
    // Everybody else writes between these steps.
    let end = Instant::now() + VACUUM_MOST;
    while Size::of(&connection)?.has_free() && Instant::now() < end {
        vacuum(&connection, PAGES_AT_ONCE)?;
    }
    checkpoint(&connection)?;
    Ok(pruned)
}

/// Reads and checks every record, drops what is unsound, and removes body files that no record names.
pub(super) fn verify(
    shared: &Shared,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verified, Trouble> {
    let mut connection = shared.place.browse()?;
    let total = rows::totals(&connection)?.entries;
    let mut verified = Verified::default();
    let mut done = 0;
    let mut after = None;
    loop {
        let batch = batch(shared, &connection, after)?;
        let Some(last) = batch.last() else { break };
        after = Some(last.id);
        for row in batch {
            match row.found {
                Ok((_, decoded)) if decoded.lost == 0 => {
                    verified.sound += 1;
                    continue;
                }
                Err((_, Some(Fault::Io(error)))) => return Err(error.into()),
                // It may have been replaced since it was read; whoever heals it looks again.
                Ok((key, _)) | Err((Some(key), _)) => heal(shared, &mut connection, key)?,
                Err((None, _)) => {
                    shared.tally.count(Reason::EntryUnsound);
                    change(shared, &mut connection, |transaction| {
                        rows::delete(transaction, row.id)
                    })?;
                }
            }
            verified.dropped += 1;
        }
        done += u64::from(AT_ONCE);
        progress(done.min(total), total);
    }
    progress(total, total);
    verified.orphans_removed = shared.place.remove_orphans(&connection, &shared.clock)?;
    Ok(verified)
}

/// Shows every sound thing to `see`, in no order, until it says `false`.
pub(super) fn each(shared: &Shared, see: &mut dyn FnMut(Key, Slot) -> bool) -> Result<(), Trouble> {
    let connection = shared.place.browse()?;
    let mut after = None;
    loop {
        let batch = batch(shared, &connection, after)?;
        let Some(last) = batch.last() else {
            return Ok(());
        };
        after = Some(last.id);
        for row in batch {
            if let Ok((key, decoded)) = row.found
                && !see(key, decoded.slot)
            {
                return Ok(());
            }
        }
    }
}

/// The keys of at most `limit` records, the last used first.
pub(super) fn keys(shared: &Shared, limit: usize) -> Result<Vec<Key>, Trouble> {
    let connection = shared.place.browse()?;
    let mut statement = connection.prepare(
        "SELECT substr(bytes, 1, ?2) FROM (SELECT id FROM item ORDER BY used DESC LIMIT ?1)
         JOIN record USING (id)",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let end = i64::try_from(record::KEY_END).unwrap_or(i64::MAX);
    let mut rows = statement.query([limit, end])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let start = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        keys.extend(record::key(start));
    }
    Ok(keys)
}

/// Shows at most `limit` of the things held to `see`, the largest first, one at a time: all of them together
/// may not fit in memory.
pub(super) fn largest(
    shared: &Shared,
    limit: usize,
    see: &mut dyn FnMut(Key, Slot),
) -> Result<(), Trouble> {
    let connection = shared.place.browse()?;
    let mut statement = connection.prepare(
        "SELECT id, bytes FROM (SELECT id, size FROM item ORDER BY size DESC LIMIT ?1)
         JOIN record USING (id) ORDER BY size DESC",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query([limit])?;
    while let Some(row) = rows.next()? {
        if let Ok((key, decoded)) = Found::read(shared, row)?.found {
            see(key, decoded.slot);
        }
    }
    Ok(())
}

/// A row as it was found: sound, or with the key that it might be of, and what is wrong with it.
struct Found {
    id: i64,
    found: Result<(Key, Decoded), (Option<Key>, Option<Fault>)>,
}

impl Found {
    fn read(shared: &Shared, row: &rusqlite::Row<'_>) -> Result<Self, Trouble> {
        let id = row.get(0)?;
        let bytes = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let read = |name: &_, length| shared.place.bodies.read(name, length);
        let found = match record::key(bytes).filter(|key| rows::id(key) == id) {
            None => Err((None, None)),
            Some(key) => match record::decode(&shared.place.mac, &key, bytes, &read) {
                Ok(decoded) => Ok((key, decoded)),
                Err(fault) => Err((Some(key), Some(fault))),
            },
        };
        Ok(Self { id, found })
    }
}

/// The next rows `after` an id.
fn batch(
    shared: &Shared,
    connection: &Connection,
    after: Option<i64>,
) -> Result<Vec<Found>, Trouble> {
    // An id that is the smallest possible is a hash of zeros: nothing is lost by leaving it out.
    let mut statement = connection
        .prepare_cached("SELECT id, bytes FROM record WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = statement.query([after.unwrap_or(i64::MIN), i64::from(AT_ONCE)])?;
    let mut batch = Vec::new();
    while let Some(row) = rows.next()? {
        batch.push(Found::read(shared, row)?);
    }
    Ok(batch)
}

fn heal(shared: &Shared, connection: &mut Connection, key: Key) -> Result<(), Trouble> {
    change(shared, connection, |transaction| {
        rows::heal(transaction, shared.terms(), &key)
    })
    .map(drop)
}

/// One transaction; the files that it names no more are removed after it.
fn change(
    shared: &Shared,
    connection: &mut Connection,
    change: impl FnOnce(&Transaction<'_>) -> Result<Gone, Trouble>,
) -> Result<Gone, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let gone = change(&transaction)?;
    transaction.commit()?;
    for name in &gone.files {
        shared.place.bodies.remove(name);
    }
    Ok(gone)
}
