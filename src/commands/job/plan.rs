//! `ghswarm job plan`.

use std::process::ExitCode;

use super::super::context::Context;
use super::{Inputs, Told, names, records};
use crate::runner::Job;

/// Says nothing of what is wrong: `job start` meets the same, and one annotation is enough.
pub(super) fn run(context: &Context<'_>) -> ExitCode {
    let mut told = Told::new(context);
    let inputs = Inputs::read(context, &mut told);
    let job = Job::of(|name| context.environment().get(name));
    let prefix = names::record_prefix(&inputs, &job);
    // What is there was checked out: its author could introduce us to anybody.
    let prefix = prefix.filter(|_| records::empty(context).is_ok());
    told.output(&[
        ("record-path", names::RECORDS.to_owned()),
        ("record-key-prefix", prefix.unwrap_or_default()),
        (
            "use-snapshot",
            names::uses_snapshot(&inputs, &job).to_string(),
        ),
        ("snapshot-path", names::SNAPSHOT.to_owned()),
        ("snapshot-key-prefix", names::snapshot_prefix(&inputs, &job)),
    ]);
    ExitCode::SUCCESS
}
