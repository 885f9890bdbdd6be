//! Data from outside that a test may or may not find.

use std::path::PathBuf;

/// The path in the environment variable `name`. Without it the test is skipped, unless
/// `GHSWARM_REQUIRE_CLIENTS=1` says that it must be there.
pub(crate) fn path(name: &str, what: &str) -> Option<PathBuf> {
    let found = std::env::var_os(name).map(PathBuf::from);
    if found.is_none() {
        let required = std::env::var_os("GHSWARM_REQUIRE_CLIENTS").is_some_and(|it| it == "1");
        assert!(!required, "{name} is not set: no {what}");
        println!("skipped: no {what}");
    }
    found
}
