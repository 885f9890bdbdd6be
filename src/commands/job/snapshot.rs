//! The snapshot that a job takes from earlier ones and leaves for later ones, where answers are carried through the
//! Actions cache.
//!
//! Whether it is to be left is decided at the start, which alone knows the inputs of the action; the last step finds
//! the key that was noted there.

use std::path::Path;

use super::super::cache;
use super::super::context::Context;
use super::{Told, names};
use crate::daemon::Ready;
use crate::files;

/// The file with the key.
const NOTED: &str = "snapshot-key";
/// The longest key that the Actions cache takes.
const LONGEST: u64 = 512;
/// The most that is carried, before it is compressed. A repository has 10 GB in the Actions cache for all of its runs, and
/// each job makes an entry of its own.
const LIMIT: u64 = 256 << 20;

/// Notes that a snapshot is to be left under `key`.
pub(super) fn note(folder: &Path, key: &str) -> Result<(), files::Error> {
    files::private_dir(folder)?;
    files::write_atomic(&folder.join(NOTED), key.as_bytes())
}

/// Takes in what earlier jobs left, if it was restored. All of it is a guess until GitHub has confirmed it to a caller.
pub(super) async fn take_in(ready: &Ready, context: &Context<'_>, told: &mut Told) {
    let path = names::in_workspace(names::SNAPSHOT, context);
    let there = std::fs::symlink_metadata(&path).is_ok();
    let Some(cache_dir) = ready.cache_dir.as_ref().filter(|_| there) else {
        return;
    };
    match cache::take_snapshot(&path, cache_dir, LIMIT, context).await {
        Ok(said) => told.detail(format!("what earlier jobs left: {said}")),
        Err(error) => told.fault(format!("what earlier jobs left is of no use: {error:#}")),
    }
}

/// Writes the snapshot, if one was asked for, and says under which key it is to be saved.
pub(super) fn leave(folder: &Path, ready: &Ready, context: &Context<'_>, told: &mut Told) {
    let noted = files::read_small_private(&folder.join(NOTED), LONGEST).ok();
    let key = noted.and_then(|key| String::from_utf8(key).ok());
    let (Some(key), Some(cache_dir)) = (key, &ready.cache_dir) else {
        return;
    };
    let path = names::in_workspace(names::SNAPSHOT, context);
    let written = files::private_dir(&names::in_workspace(names::FOLDER, context))
        .map_err(anyhow::Error::from)
        .and_then(|()| cache::leave_snapshot(&path, cache_dir, LIMIT, context));
    // Once: an entry of the Actions cache never changes.
    let _ = std::fs::remove_file(folder.join(NOTED));
    match written {
        Ok((entries, said)) => {
            told.detail(said);
            told.output(&[
                ("snapshot-key", key),
                ("save-snapshot", (entries > 0).to_string()),
            ]);
        }
        Err(error) => told.fault(format!("nothing is carried to later jobs: {error:#}")),
    }
}
