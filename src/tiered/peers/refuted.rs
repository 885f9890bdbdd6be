//! Candidates that GitHub did not confirm, so that nobody pays for the same one twice.

use quick_cache::sync::Cache;

use super::Who;
use crate::digest::Digest;

/// Questions of which a refuted body is remembered.
const QUESTIONS_MAX: usize = 8192;

/// The last body that was refuted for a caller, by question. What each viewer sees differently is refuted for one and
/// confirmed for the next, and a peer that lies says the same again.
#[derive(Debug)]
pub(super) struct Refuted {
    bodies: Cache<Who, Digest>,
}

impl Default for Refuted {
    fn default() -> Self {
        Self {
            bodies: Cache::new(QUESTIONS_MAX),
        }
    }
}

impl Refuted {
    /// GitHub answered with something else.
    pub(super) fn note(&self, who: Who, digest: Digest) {
        self.bodies.insert(who, digest);
    }

    /// Whether it did so when it was last asked about a peer's body.
    pub(super) fn is(&self, who: Who, digest: Digest) -> bool {
        self.bodies.get(&who) == Some(digest)
    }
}
