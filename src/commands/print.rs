//! Output: for machines on stdout, for people on stderr.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::context::Context;

/// Says what went wrong, or what people should know.
pub(super) fn complaint(text: &str) {
    // Nobody is left to hear that stderr is closed.
    let _ = writeln!(io::stderr(), "ghswarm: {text}");
}

/// Writes text for people.
pub(super) fn to_people(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}

/// Writes `value` as indented JSON with a final line break.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec_pretty(value)?;
    json.push(b'\n');
    bytes(&json)
}

/// Writes bytes as they are.
pub(super) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// Whether stderr may be coloured.
pub(super) fn colours_stderr(context: &Context<'_>) -> bool {
    io::stderr().is_terminal() && !context.no_color()
}
