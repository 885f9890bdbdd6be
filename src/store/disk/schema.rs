//! The database: its tables, and how connections to it are set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};

use super::trouble::Trouble;
use crate::store::record::MacKey;

/// "ghsw": whose database this is (<https://www.sqlite.org/pragma.html#pragma_application_id>).
const APPLICATION: i32 = 0x6768_7377;
/// The version of the tables and of the records in them.
const VERSION: i32 = 1;
/// A writer waits for another process's group commit, and for the checkpoint after it.
const WRITER_WAIT: Duration = Duration::from_secs(5);
/// A reader stands on the way of a request: then it is a miss.
const READER_WAIT: Duration = Duration::from_millis(20);

/// `item` is small and changes with every use; `record` is large and changes with its content. Both are
/// found by the first eight bytes of the key, which is a hash: one search, and no index of its own. The record
/// holds the whole key.
const TABLES: &str = "
    CREATE TABLE item (
        id INTEGER PRIMARY KEY,
        used INTEGER NOT NULL,
        size INTEGER NOT NULL,
        filed INTEGER NOT NULL,
        files BLOB
    );
    CREATE INDEX item_used ON item (used);
    CREATE INDEX item_filed ON item (id) WHERE files IS NOT NULL;
    CREATE TABLE record (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE total (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        entries INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        filed INTEGER NOT NULL,
        evictions INTEGER NOT NULL
    );
    INSERT INTO total VALUES (1, 0, 0, 0, 0);
    CREATE TABLE owner (mark BLOB NOT NULL);";

fn connect(path: &Path, wait: Duration) -> rusqlite::Result<Connection> {
    // Without CREATE: a database that is missing is made by `create` alone, under the lock. One thread at
    // a time has a connection, so SQLite need not lock it once more.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(wait)?;
    connection.set_prepared_statement_cache_capacity(32);
    // 2 MiB of cache hold the inner pages of a large store; leaves are in the system's cache.
    connection.pragma_update(None, "cache_size", -2048)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // The log is written through with each checkpoint: a crash of the machine may lose what came after
    // the last one, a crash of ours nothing.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    Ok(connection)
}

/// A connection to write with.
pub(super) fn writer(path: &Path) -> rusqlite::Result<Connection> {
    connect(path, WRITER_WAIT)
}

/// A connection to read with.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, READER_WAIT)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Makes the tables in the empty file at `path`.
pub(super) fn create(path: &Path, mac: &MacKey) -> Result<(), Trouble> {
    let mut connection = connect(path, WRITER_WAIT)?;
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute("INSERT INTO owner VALUES (?1)", [mark(mac)])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the database is ours, of this version, and written under this secret.
pub(super) fn check(connection: &Connection, mac: &MacKey) -> Result<(), Trouble> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    if number("application_id")? != APPLICATION {
        return Err(Trouble::Foreign);
    }
    let version = number("user_version")?;
    let found = connection
        .query_row("SELECT mark FROM owner", [], |row| row.get::<_, Vec<u8>>(0))
        .optional();
    // A newer version may have other tables.
    let is_ours = matches!(&found, Ok(Some(found)) if *found == mark(mac));
    match version {
        VERSION if is_ours => Ok(()),
        VERSION => Err(found.map_or_else(Trouble::from, |_| Trouble::Foreign)),
        // The mark is of this version: the number in the file's header is damaged.
        _ if is_ours => Err(Trouble::Foreign),
        ..VERSION => Err(Trouble::Older),
        _ => Err(Trouble::Newer),
    }
}

fn mark(mac: &MacKey) -> Vec<u8> {
    mac.mark(&format!("store/{VERSION}"))
}
