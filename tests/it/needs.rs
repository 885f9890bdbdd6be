//! What a story needs that a machine may lack: real clients and recorded traffic.
//!
//! `.ci/run` installs all of it under `target/ci`, where it is found; the environment can name other
//! places. A story that lacks something says `skipped: no …` and passes, unless
//! `GHSWARM_REQUIRE_CLIENTS` is set, as it is in CI.

use std::io::Write as _;
use std::path::{Path, PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "what .ci/run tells the tests, read here alone"
)]
pub(crate) fn environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn installed(variable: &str, default: &str) -> Option<PathBuf> {
    let default = || {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("target/ci")
            .join(default)
    };
    Some(environment(variable).unwrap_or_else(default)).filter(|folder| folder.is_dir())
}

/// The folder with `node_modules` and the Python environment `venv`.
pub(crate) fn clients() -> Option<PathBuf> {
    installed("GHSWARM_CLIENTS", "clients")
}

/// The folder of `PyGithub`'s recorded traffic.
pub(crate) fn recordings() -> Option<PathBuf> {
    installed("GHSWARM_REPLAY_DATA", "replay")
}

/// The program `act`, which runs workflows as a runner does.
pub(crate) fn act() -> Option<PathBuf> {
    let installed = installed("GHSWARM_TOOLS", "tools").map(|tools| tools.join("bin/act"));
    installed
        .filter(|program| program.is_file())
        .or_else(|| program("act"))
}

/// Where programs are looked for.
pub(crate) fn path() -> PathBuf {
    environment("PATH").unwrap_or_default()
}

/// The first program of this name on the `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = environment("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Whether long runs are wanted: `GHSWARM_SOAK=1`.
pub(crate) fn soak() -> bool {
    environment("GHSWARM_SOAK").is_some()
}

/// Ends a story for lack of `what`: to be followed by `return`.
pub(crate) fn skip(what: &str) {
    let required = environment("GHSWARM_REQUIRE_CLIENTS").is_some();
    assert!(!required, "no {what}, and GHSWARM_REQUIRE_CLIENTS is set");
    // Past the test harness, which swallows what a passing test prints.
    let _ = writeln!(std::io::stderr(), "skipped: no {what}");
}
