//! What is done to the rows of the database, each step within a transaction of the caller's.
//!
//! The totals are kept in the same transaction, so opening a store never counts it.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::place::Place;
use super::trouble::{Reason, Tally, Trouble};
use crate::api::Key;
use crate::store::record::{self, Decoded, Fault, FileName, Kept};
use crate::store::{Entry, Slot};

/// What a row takes beside its record: keys, pages that are not full, the index.
const ROW_BYTES: u64 = 200;
/// A use is written down when the last one written down is older, in seconds.
const USED_COARSELY: u64 = 60;

/// What holds for every row that is written.
#[derive(Clone, Copy)]
pub(super) struct Terms<'a> {
    pub(super) place: &'a Place,
    pub(super) tally: &'a Tally,
    /// Bytes that one row may take: those of the whole store.
    pub(super) limit: u64,
    /// When it counts as used, in seconds.
    pub(super) now: u64,
}

/// The totals of the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// Of those, in body files.
    pub(super) filed: u64,
    pub(super) evictions: u64,
}

/// A row that is gone, or will be with the transaction.
#[derive(Debug, Default)]
pub(super) struct Gone {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// To be removed after the commit.
    pub(super) files: Vec<FileName>,
}

/// Where the row of `key` is: a collision of half a hash makes two keys drive one another out, no more, since
/// the record holds the whole key.
pub(super) fn id(key: &Key) -> i64 {
    let mut half = [0; 8];
    half.copy_from_slice(&key.as_bytes()[..8]);
    i64::from_be_bytes(half)
}

/// Reads and checks the record of `key`.
pub(super) fn load(
    connection: &Connection,
    place: &Place,
    key: &Key,
) -> Result<Option<Result<Decoded, Fault>>, Trouble> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM record WHERE id = ?1")?;
    let mut rows = statement.query([id(key)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    let read = |name: &FileName, length| place.bodies.read(name, length);
    Ok(Some(record::decode(&place.mac, key, bytes, &read)))
}

/// Writes `slot` under `key`, merged with what is held, and says which body files are named no more.
pub(super) fn save(
    connection: &Connection,
    terms: Terms<'_>,
    key: &Key,
    slot: &Slot,
    fresh: &mut Vec<FileName>,
) -> Result<Vec<FileName>, Trouble> {
    let (held, unsound) = match load(connection, terms.place, key)? {
        None => (None, None),
        Some(Ok(held)) => (Some(held), None),
        Some(Err(Fault::Io(error))) => return Err(error.into()),
        Some(Err(Fault::Record)) => (None, Some(Reason::EntryUnsound)),
        Some(Err(Fault::Body)) => (None, Some(Reason::BodyUnsound)),
    };
    if let Some(reason) = unsound {
        terms.tally.count(reason);
    }
    let kept: &[Kept] = held.as_ref().map_or(&[], |held| &held.files);
    let merged = match (held.as_ref().map(|held| &held.slot), slot) {
        (Some(Slot::Answers(held)), Slot::Answers(new)) => {
            Slot::Answers(Entry::clone(held).merge(Entry::clone(new)).into())
        }
        (Some(Slot::Named(held)), Slot::Named(new)) if held.stored_at > new.stored_at => {
            Slot::Named(Arc::clone(held))
        }
        _ => slot.clone(),
    };
    put(connection, terms, key, &merged, kept, fresh)
}

/// Writes what was read from another database, its files as they are.
pub(super) fn copy(
    connection: &Connection,
    terms: Terms<'_>,
    key: &Key,
    decoded: &Decoded,
) -> Result<(), Trouble> {
    let fresh = &mut Vec::new();
    if load(connection, terms.place, key)?.is_some() {
        // Another process wrote it to the new one already.
        save(connection, terms, key, &decoded.slot, fresh)?;
    } else {
        put(connection, terms, key, &decoded.slot, &decoded.files, fresh)?;
    }
    Ok(())
}

/// Writes `slot` in place of what is held.
fn put(
    connection: &Connection,
    terms: Terms<'_>,
    key: &Key,
    slot: &Slot,
    kept: &[Kept],
    fresh: &mut Vec<FileName>,
) -> Result<Vec<FileName>, Trouble> {
    let Some(encoded) = record::encode(&terms.place.mac, key, slot, kept, &mut random_name) else {
        return Ok(Vec::new());
    };
    let size = encoded.record.len() as u64 + encoded.filed() + ROW_BYTES;
    if size > terms.limit {
        terms.tally.count(Reason::TooLarge);
        return Ok(Vec::new());
    }
    for (name, bytes) in &encoded.fresh {
        fresh.push(*name);
        terms.place.bodies.write(name, bytes)?;
    }
    let gone = forget(connection, id(key))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO record (id, bytes) VALUES (?1, ?2)")?
        .execute(params![id(key), encoded.record])?;
    let names: Vec<u8> = encoded.files.iter().flat_map(|file| file.name.0).collect();
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO item (id, used, size, filed, files) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id(key),
            integer(terms.now),
            integer(size),
            integer(encoded.filed()),
            (!names.is_empty()).then_some(names),
        ])?;
    connection
        .prepare_cached(
            "UPDATE total SET entries = entries + 1, bytes = bytes + ?1, filed = filed + ?2",
        )?
        .execute([integer(size), integer(encoded.filed())])?;
    let still = |name: &FileName| encoded.files.iter().any(|file| file.name == *name);
    Ok(gone.files.into_iter().filter(|name| !still(name)).collect())
}

/// Takes the item of a row out of the accounts, and its place in the table with it.
fn forget(connection: &Connection, id: i64) -> Result<Gone, Trouble> {
    let item = connection
        .prepare_cached("DELETE FROM item WHERE id = ?1 RETURNING size, filed, files")?
        .query_row([id], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, Option<Vec<u8>>>(2)?,
            ))
        })
        .optional()?;
    let Some((size, filed, named)) = item else {
        return Ok(Gone::default());
    };
    connection
        .prepare_cached(
            "UPDATE total SET entries = entries - 1, bytes = bytes - ?1, filed = filed - ?2",
        )?
        .execute([size, filed])?;
    Ok(Gone {
        rows: 1,
        bytes: size.try_into().unwrap_or(0),
        files: names(named.as_deref()),
    })
}

/// Deletes the row `id`.
pub(super) fn delete(connection: &Connection, id: i64) -> Result<Gone, Trouble> {
    let mut gone = forget(connection, id)?;
    let rows = connection
        .prepare_cached("DELETE FROM record WHERE id = ?1")?
        .execute([id])?;
    gone.rows = rows as u64;
    Ok(gone)
}

/// Deletes all rows.
pub(super) fn clear(connection: &Connection) -> Result<Gone, Trouble> {
    let before = totals(connection)?;
    let files = named_files(connection)?;
    connection.execute_batch(
        "DELETE FROM record; DELETE FROM item; UPDATE total SET entries = 0, bytes = 0, filed = 0;",
    )?;
    Ok(Gone {
        rows: before.entries,
        bytes: before.bytes,
        files: files.into_iter().collect(),
    })
}

/// Deletes the least recently used rows: those last used before `before`, and enough to free `bytes`,
/// but no more than `most` rows.
pub(super) fn evict(
    connection: &Connection,
    before: u64,
    bytes: u64,
    most: u32,
) -> Result<Gone, Trouble> {
    let mut gone = Gone::default();
    let oldest: Vec<(i64, u64)> = connection
        .prepare_cached("SELECT id, used FROM item ORDER BY used LIMIT ?1")?
        .query_map([most], |row| Ok((row.get(0)?, unsigned(row, 1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, used) in oldest {
        if used >= before && gone.bytes >= bytes {
            break;
        }
        let one = delete(connection, id)?;
        gone.rows += 1;
        gone.bytes += one.bytes;
        gone.files.extend(one.files);
    }
    Ok(gone)
}

/// Counts rows that had to make room.
pub(super) fn count_evictions(connection: &Connection, rows: u64) -> Result<(), Trouble> {
    connection
        .prepare_cached("UPDATE total SET evictions = evictions + ?1")?
        .execute([integer(rows)])?;
    Ok(())
}

/// Writes down that `key` was used `now`, in seconds.
pub(super) fn touch(connection: &Connection, key: &Key, now: u64) -> Result<(), Trouble> {
    // A time in the future is that of a clock which was wrong.
    connection
        .prepare_cached("UPDATE item SET used = ?2 WHERE id = ?1 AND (used < ?3 OR used > ?4)")?
        .execute([
            id(key),
            integer(now),
            integer(now.saturating_sub(USED_COARSELY)),
            integer(now.saturating_add(USED_COARSELY)),
        ])?;
    Ok(())
}

/// Looks at the row of `key` once more: drops it if it is unsound, and writes it anew without the bodies that
/// are.
pub(super) fn heal(connection: &Connection, terms: Terms<'_>, key: &Key) -> Result<Gone, Trouble> {
    let reason = match load(connection, terms.place, key)? {
        None => return Ok(Gone::default()),
        Some(Ok(decoded)) if decoded.lost == 0 => return Ok(Gone::default()),
        Some(Ok(decoded)) => {
            terms.tally.count(Reason::BodyUnsound);
            let Decoded { slot, files, .. } = &decoded;
            // All that is sound stays in the files where it is, so there are no fresh ones.
            let files = put(connection, terms, key, slot, files, &mut Vec::new())?;
            return Ok(Gone {
                files,
                ..Gone::default()
            });
        }
        Some(Err(Fault::Io(error))) => return Err(error.into()),
        Some(Err(Fault::Record)) => Reason::EntryUnsound,
        Some(Err(Fault::Body)) => Reason::BodyUnsound,
    };
    terms.tally.count(reason);
    delete(connection, id(key))
}

/// The totals.
pub(super) fn totals(connection: &Connection) -> Result<Totals, Trouble> {
    let mut statement =
        connection.prepare_cached("SELECT entries, bytes, filed, evictions FROM total")?;
    Ok(statement.query_row([], |row| {
        Ok(Totals {
            entries: unsigned(row, 0)?,
            bytes: unsigned(row, 1)?,
            filed: unsigned(row, 2)?,
            evictions: unsigned(row, 3)?,
        })
    })?)
}

/// The names of all body files.
pub(super) fn named_files(connection: &Connection) -> Result<HashSet<FileName>, Trouble> {
    let mut statement = connection.prepare("SELECT files FROM item WHERE files IS NOT NULL")?;
    let mut rows = statement.query([])?;
    let mut all = HashSet::new();
    while let Some(row) = rows.next()? {
        all.extend(names(row.get::<_, Option<Vec<u8>>>(0)?.as_deref()));
    }
    Ok(all)
}

fn names(files: Option<&[u8]>) -> Vec<FileName> {
    let (names, _) = files.unwrap_or_default().as_chunks::<16>();
    names.iter().copied().map(FileName).collect()
}

fn random_name() -> FileName {
    let mut name = [0; 16];
    // Without random bytes the name is one that exists or does not: a file that is overwritten makes the
    // other record's body unsound, which is a miss.
    let _ = getrandom::fill(&mut name);
    FileName(name)
}

/// SQLite's integers are signed; ours stay far below that.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.try_into().unwrap_or(0))
}
