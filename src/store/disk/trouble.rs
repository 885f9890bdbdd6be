//! What goes wrong with a disk, by name, and how often it did.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rusqlite::ErrorCode;

use crate::files;
use crate::store::record::Fault;

/// Names of everything that makes a miss, loses something, or is otherwise worth a number.
const NAMES: [&str; 15] = [
    "disk-entry-unsound",
    "disk-body-unsound",
    "disk-write-dropped",
    "disk-too-large",
    "disk-slow",
    "disk-busy",
    "disk-full",
    "disk-io",
    "disk-readonly",
    "disk-corrupt",
    "disk-gone",
    "disk-foreign",
    "disk-newer",
    "disk-unavailable",
    "disk-renewed",
];

/// A name of [`NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A record is not what was written: dropped.
    EntryUnsound,
    /// A body is not what was written, or is missing: dropped.
    BodyUnsound,
    /// More waits to be written than may wait.
    WriteDropped,
    /// One thing larger than the whole store, or than any body.
    TooLarge,
    /// Not read, because the disk was slow just now.
    Slow,
    /// Another process holds the database for longer than a reader waits.
    Busy,
    /// No room on the device, or the quota is used up.
    Full,
    /// The device or the system failed.
    Io,
    /// It cannot be written to.
    ReadOnly,
    /// The database is damaged.
    Corrupt,
    /// Somebody removed the directory or a file in it, or another process began a new database.
    Gone,
    /// The database was written under another local secret, or is none of ours.
    Foreign,
    /// A newer version has taken over.
    Newer,
    /// It cannot be opened; for instance there are too many open files.
    Unavailable,
    /// A new database was begun in place of one that cannot be used.
    Renewed,
}

/// Counts by [`Reason`].
#[derive(Debug, Default)]
pub(super) struct Tally([AtomicU64; NAMES.len()]);

impl Tally {
    pub(super) fn count(&self, reason: Reason) {
        self.add(reason, 1);
    }

    pub(super) fn add(&self, reason: Reason, times: u64) {
        self.0[reason as usize].fetch_add(times, Relaxed);
    }

    /// Every name with its number, those that never happened too.
    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.iter().map(|count| count.load(Relaxed));
        NAMES.into_iter().zip(counts).collect()
    }
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Files(#[from] files::Error),
    #[error("the database belongs to a newer version")]
    Newer,
    #[error("the database belongs to an older version")]
    Older,
    #[error("the database was written under another secret")]
    Foreign,
    #[error("the database is gone")]
    Gone,
    #[error("the database is damaged")]
    Damaged,
}

impl Trouble {
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Sqlite(error) => of_sqlite(error),
            Self::Io(error) | Self::Files(files::Error::Io { source: error, .. }) => of_io(error),
            Self::Files(files::Error::Locked(_)) => Reason::Busy,
            Self::Files(_) => Reason::Unavailable,
            Self::Newer => Reason::Newer,
            Self::Older | Self::Foreign => Reason::Foreign,
            Self::Gone => Reason::Gone,
            Self::Damaged => Reason::Corrupt,
        }
    }

    /// Whether a new database has to take the place of this one.
    pub(super) fn is_final(&self) -> bool {
        matches!(
            self.reason(),
            Reason::Corrupt | Reason::Foreign | Reason::Gone
        )
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) => Self::Io(error),
            // Whoever asks about one record handles these; as an answer to more it is a damaged store.
            Fault::Record | Fault::Body => Self::Io(ErrorKind::InvalidData.into()),
        }
    }
}

fn of_sqlite(error: &rusqlite::Error) -> Reason {
    use rusqlite::Error as E;
    // A file that ends before its last page is damaged; the device is fine.
    if error.sqlite_extended_error_code() == Some(rusqlite::ffi::SQLITE_IOERR_SHORT_READ) {
        return Reason::Corrupt;
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Reason::Busy,
        Some(ErrorCode::DiskFull) => Reason::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Reason::ReadOnly,
        Some(ErrorCode::CannotOpen | ErrorCode::OutOfMemory) => Reason::Unavailable,
        // Our own statements are right, so what contradicts them is damaged: a table that is missing, a
        // constraint that was broken before.
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::Unknown
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::SchemaChanged
            | ErrorCode::InternalMalfunction
            | ErrorCode::TooBig,
        ) => Reason::Corrupt,
        Some(_) => Reason::Io,
        None => match error {
            E::QueryReturnedNoRows
            | E::InvalidColumnType(..)
            | E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::SqlInputError { .. } => Reason::Corrupt,
            _ => Reason::Io,
        },
    }
}

fn of_io(error: &io::Error) -> Reason {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Reason::Full,
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Reason::ReadOnly,
        ErrorKind::NotFound => Reason::Gone,
        _ => Reason::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let tally = Tally::default();
        tally.count(Reason::EntryUnsound);
        tally.add(Reason::Renewed, 2);
        let counted = tally.all();
        assert_eq!(counted[0], ("disk-entry-unsound", 1));
        assert_eq!(counted[NAMES.len() - 1], ("disk-renewed", 2));
        let names: std::collections::BTreeSet<_> = NAMES.into();
        assert_eq!(names.len(), NAMES.len());
    }

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let io = |kind: ErrorKind| Trouble::from(io::Error::from(kind)).reason();
        assert_eq!(io(ErrorKind::StorageFull), Reason::Full);
        assert_eq!(io(ErrorKind::QuotaExceeded), Reason::Full);
        assert_eq!(io(ErrorKind::ReadOnlyFilesystem), Reason::ReadOnly);
        assert_eq!(io(ErrorKind::Other), Reason::Io);
        let sqlite = |code| {
            Trouble::from(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(code),
                None,
            ))
            .reason()
        };
        assert_eq!(sqlite(rusqlite::ffi::SQLITE_FULL), Reason::Full);
        assert_eq!(sqlite(rusqlite::ffi::SQLITE_NOTADB), Reason::Corrupt);
        assert_eq!(sqlite(rusqlite::ffi::SQLITE_IOERR_WRITE), Reason::Io);
        let cut = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
        assert_eq!(sqlite(cut), Reason::Corrupt);
    }
}
