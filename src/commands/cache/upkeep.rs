//! `ghswarm cache prune` and `verify`.

use std::process::ExitCode;

use serde_json::json;

use super::super::context::Context;
use super::super::print;
use super::super::progress::Progress;
use super::store;
use crate::cli::{Prune, SummaryFormat, Verify};
use crate::stats::render;

pub(super) fn prune(prune: &Prune, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let opened = store::open(&prune.store, context)?;
    let progress = Progress::new("removing", "entries");
    let mut at = |done, total| progress.at(done, total);
    let pruned = opened
        .disk
        .prune(prune.older_than, prune.down_to, &mut at)?;
    drop(progress);
    let left = opened.disk.counts();
    match prune.format {
        SummaryFormat::Json => print::json(&json!({
            "removed": pruned.removed,
            "removed_bytes": pruned.bytes,
            "entries": left.entries,
            "bytes": left.bytes,
        }))?,
        SummaryFormat::Text => print::to_people(&format!(
            "removed {} entries, {}; {} entries, {} are left in {}",
            pruned.removed,
            render::bytes(pruned.bytes),
            left.entries,
            render::bytes(left.bytes),
            opened.directory.display(),
        )),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn verify(verify: &Verify, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let opened = store::open(&verify.store, context)?;
    let progress = Progress::new("checking", "entries");
    let mut at = |done, total| progress.at(done, total);
    let verified = opened.disk.verify(&mut at)?;
    drop(progress);
    match verify.format {
        SummaryFormat::Json => print::json(&json!({
            "sound": verified.sound,
            "dropped": verified.dropped,
            "orphans_removed": verified.orphans_removed,
        }))?,
        SummaryFormat::Text => {
            let found = match (verified.dropped, verified.orphans_removed) {
                (0, 0) => "nothing is damaged".to_owned(),
                (dropped, orphans) => format!(
                    "dropped {dropped} damaged entries and {orphans} files that nothing refers to; \
                     what was in them is asked for again"
                ),
            };
            let directory = opened.directory.display();
            print::to_people(&format!(
                "{} entries in {directory} are sound; {found}",
                verified.sound
            ));
        }
    }
    let failed = verify.check && verified.dropped > 0;
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
