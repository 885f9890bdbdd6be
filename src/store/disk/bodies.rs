//! Large bodies: a file each, written whole before the record that names it, removed after it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;
use crate::files;
use crate::store::record::FileName;
use crate::time::Timestamp;

/// A file that no record names may belong to a transaction that is under way, but not for this long.
const ORPHANED_AFTER: Duration = Duration::from_secs(3600);

/// The directory of the bodies.
#[derive(Debug)]
pub(super) struct Bodies(PathBuf);

impl Bodies {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    fn path(&self, name: &FileName) -> PathBuf {
        let text = hex(name);
        self.0.join(&text[..2]).join(text)
    }

    pub(super) fn write(&self, name: &FileName, bytes: &[u8]) -> Result<(), files::Error> {
        let path = self.path(name);
        if let Some(folder) = path.parent() {
            files::private_dir(&self.0)?;
            files::private_dir(folder)?;
        }
        files::write_atomic(&path, bytes)
    }

    /// Reads a file of `length` bytes; another length is `InvalidData`.
    pub(super) fn read(&self, name: &FileName, length: usize) -> io::Result<Vec<u8>> {
        let file = File::open(self.path(name))?;
        let mut bytes = Vec::with_capacity(length.min(64 << 20) + 1);
        file.take(length as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() == length {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    /// Removes a file; one that cannot be removed is an orphan, and goes later.
    pub(super) fn remove(&self, name: &FileName) {
        let _ = fs::remove_file(self.path(name));
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).map_or(true, |mut entries| entries.next().is_none())
    }

    /// Removes what is not among `named` and old enough, and says how many files that were.
    pub(super) fn remove_orphans(&self, named: &HashSet<FileName>, clock: &Clock) -> u64 {
        let now = clock.now();
        let folders = fs::read_dir(&self.0).into_iter().flatten();
        let entries = folders
            .filter_map(Result::ok)
            .filter_map(|folder| fs::read_dir(folder.path()).ok())
            .flatten()
            .filter_map(Result::ok);
        let mut removed = 0;
        for entry in entries {
            let is_named = entry
                .file_name()
                .to_str()
                .and_then(parse)
                .is_some_and(|name| named.contains(&name));
            if is_named || !entry.metadata().is_ok_and(|found| is_old(&found, now)) {
                continue;
            }
            removed += u64::from(fs::remove_file(entry.path()).is_ok());
        }
        removed
    }
}

fn is_old(found: &fs::Metadata, now: Timestamp) -> bool {
    let modified = std::os::unix::fs::MetadataExt::mtime(found);
    let modified = Timestamp::from_secs(modified.try_into().unwrap_or(0));
    now.since(modified) >= ORPHANED_AFTER
}

fn hex(name: &FileName) -> String {
    format!("{:032x}", u128::from_be_bytes(name.0))
}

fn parse(text: &str) -> Option<FileName> {
    let number = u128::from_str_radix(text, 16).ok()?;
    (text.len() == 32).then(|| FileName(number.to_be_bytes()))
}
