//! Copies what can still be read, and is sound, out of a damaged database.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::place::Generation;
use super::rows;
use super::schema;
use super::shared::Shared;
use super::trouble::Trouble;
use crate::store::record;

/// Meanwhile nothing is written, and what waits to be is bounded.
const MOST: Duration = Duration::from_secs(10);
/// The ids are hashes: so many ranges of equal width hold about as many rows each, and damage to one page
/// costs what comes after it in one range.
const RANGES: i64 = 256;

/// Copies the sound records of `old` to `new`, and says how many.
pub(super) fn salvage(
    shared: &Shared,
    new: &mut Connection,
    old: &Generation,
) -> Result<u64, Trouble> {
    let Ok(damaged) = schema::reader(&shared.place.database(old)) else {
        return Ok(0);
    };
    let end = Instant::now() + MOST;
    let width = (i64::MAX / RANGES) * 2;
    let mut saved = 0;
    for range in 0..RANGES {
        let from = i64::MIN.saturating_add(width.saturating_mul(range));
        let to = if range == RANGES - 1 {
            i64::MAX
        } else {
            from.saturating_add(width - 1)
        };
        let transaction = new.transaction_with_behavior(TransactionBehavior::Immediate)?;
        saved += copy(shared, &damaged, &transaction, (from, to), end)?;
        transaction.commit()?;
        if Instant::now() >= end {
            break;
        }
    }
    Ok(saved)
}

/// Copies one range, up to the first row that cannot be read.
fn copy(
    shared: &Shared,
    damaged: &Connection,
    new: &Connection,
    (from, to): (i64, i64),
    end: Instant,
) -> Result<u64, Trouble> {
    let statement = "SELECT id, bytes FROM record WHERE id BETWEEN ?1 AND ?2";
    let Ok(mut statement) = damaged.prepare_cached(statement) else {
        return Ok(0);
    };
    let Ok(mut rows) = statement.query([from, to]) else {
        return Ok(0);
    };
    let mut saved = 0;
    while let Ok(Some(row)) = rows.next() {
        if Instant::now() >= end {
            break;
        }
        let (Ok(id), Ok(bytes)) = (row.get::<_, i64>(0), row.get_ref(1)) else {
            continue;
        };
        let Ok(bytes) = bytes.as_blob() else { continue };
        let Some(key) = record::key(bytes).filter(|key| rows::id(key) == id) else {
            continue;
        };
        let read = |name: &_, length| shared.place.bodies.read(name, length);
        let Ok(decoded) = record::decode(&shared.place.mac, &key, bytes, &read) else {
            continue;
        };
        let used = damaged
            .prepare_cached("SELECT used FROM item WHERE id = ?1")
            .and_then(|mut item| item.query_row([id], |row| row.get::<_, i64>(0)).optional())
            .ok()
            .flatten()
            .and_then(|used| u64::try_from(used).ok())
            .unwrap_or_else(|| shared.clock.now().as_secs());
        let mut terms = shared.terms();
        terms.now = used;
        rows::copy(new, terms, &key, &decoded)?;
        saved += 1;
    }
    Ok(saved)
}
