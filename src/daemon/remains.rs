//! What a daemon leaves in its state directory for who comes after it: the numbers, and the report of a job
//! that has finished.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tracing::warn;

use crate::config::Owner;
use crate::files;
use crate::stats::Counters;

/// The longest of these files that is read. Real ones have some kilobytes.
const LONGEST: u64 = 4 << 20;

/// The numbers, some seconds old at most.
pub(super) fn counters_file(state_dir: &Path) -> PathBuf {
    state_dir.join("counters.json")
}

/// What the job's summary was made of. While it is there everything passes through.
pub(super) fn report_file(state_dir: &Path) -> PathBuf {
    state_dir.join("finished.json")
}

/// The numbers that the last daemon of `state_dir` wrote down. It may be alive, or have been killed.
pub fn counters(state_dir: &Path) -> Option<Counters> {
    serde_json::from_slice(&files::read_small_private(&counters_file(state_dir), LONGEST).ok()?)
        .ok()
}

/// What a daemon of `state_dir` said when its job finished, if it did.
pub fn report(state_dir: &Path) -> Option<Value> {
    serde_json::from_slice(&files::read_small_private(&report_file(state_dir), LONGEST).ok()?).ok()
}

/// Nobody goes on with the numbers of earlier daemons.
pub fn forget_counters(state_dir: &Path) {
    let _ = fs::remove_file(counters_file(state_dir));
}

/// For a keeper that begins: nothing has finished here, and the numbers of earlier daemons are counted on only
/// within one job, whose summary says what all of them did. `program` is noted for a hook of the runner, which
/// knows no variable of the job.
pub fn begin(state_dir: &Path, owner: Owner, program: &Path) {
    // What is not there need not go; what cannot go is told by the first write.
    let _ = fs::remove_file(report_file(state_dir));
    if owner != Owner::Job {
        forget_counters(state_dir);
    }
    let program = program.as_os_str().as_bytes();
    if let Err(error) = files::write_atomic(&state_dir.join("program"), program) {
        let reason = files::Chain(&error);
        warn!(%reason, "a hook of the runner will not find this program");
    }
}
