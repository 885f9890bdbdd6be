//! Where a job keeps what it restores and saves, and under which keys the Actions cache has it.
//!
//! The paths are relative to the workspace: the cache's own version of an entry is a hash of the text of its path,
//! and absolute ones differ from runner to runner.

use std::path::{Path, PathBuf};

use super::super::context::Context;
use super::Inputs;
use crate::config::env;
use crate::registry::Name;
use crate::runner::Job;

/// What all of it is in.
pub(super) const FOLDER: &str = ".ghswarm";
/// The folder of peer records.
pub(super) const RECORDS: &str = ".ghswarm/peers";
/// The file of a snapshot of the disk tier.
pub(super) const SNAPSHOT: &str = ".ghswarm/snapshot";

/// The workspace, which is where the official cache action looks.
pub(super) fn workspace(context: &Context<'_>) -> PathBuf {
    let named = context.environment().absolute(env::GITHUB_WORKSPACE);
    named.unwrap_or_else(|| context.working_dir().to_owned())
}

/// What the keys of all records begin with that are of use to this job; none if none is.
pub(super) fn record_prefix(inputs: &Inputs, job: &Job) -> Option<String> {
    let pool = inputs.settings.pool.as_ref();
    let pool = pool.filter(|_| inputs.meets_peers())?;
    Some(Name::start(pool, job.repository_id))
}

/// What the keys of all snapshots begin with that are of use to this job. Those of another pool are not: what is
/// sealed in them cannot be opened.
pub(super) fn snapshot_prefix(inputs: &Inputs, job: &Job) -> String {
    let pool = inputs.settings.pool.as_ref();
    let records = pool.map(|pool| Name::start(pool, job.repository_id));
    let rest = records
        .as_deref()
        .and_then(|name| name.strip_prefix("ghswarm/"));
    format!("ghswarm-snapshot/{}", rest.unwrap_or("1/0/alone/"))
}

/// The key of this job's own snapshot: another one in each run, attempt and job, since an entry of the cache never
/// changes.
pub(super) fn snapshot_key(inputs: &Inputs, job: &Job) -> String {
    let letter = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let key = job.key.as_deref().unwrap_or_default();
    let key: String = key.chars().filter(letter).take(100).collect();
    format!(
        "{}{}-{}-{key}-{}",
        snapshot_prefix(inputs, job),
        job.run_id,
        job.run_attempt,
        job.strategy.index
    )
}

/// Whether answers are carried through the Actions cache. A machine that stays has them in its directory.
pub(super) fn uses_snapshot(inputs: &Inputs, job: &Job) -> bool {
    inputs.cache && job.hosted
}

/// The place of `name` in the workspace.
pub(super) fn in_workspace(name: &str, context: &Context<'_>) -> PathBuf {
    workspace(context).join(Path::new(name))
}
