//! Questions and answers, as values.

use std::time::Duration;

use super::offer::Offer;
use crate::api::Namespace;
use crate::digest::Digest;
use crate::swarm::WireKey;

/// Something that a write may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// What.
    pub namespace: Namespace,
    /// The repository's number, if whoever wrote knew it.
    pub id: Option<u64>,
}

/// Where a peer stands in the order of its own writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// A random number of this start of the daemon.
    pub epoch: u64,
    /// Writes told since.
    pub sequence: u64,
}

/// How the holder of a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// GitHub confirmed the body with this digest.
    Unchanged(Digest),
    /// There is an answer that may not be shared.
    NotShared,
    /// There is no answer.
    Failed,
}

/// What one peer asks another.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Is there an entry, other than the one with digest `held`? `lease`: if not, may we ask GitHub for all?
    Lookup {
        /// What for.
        key: WireKey,
        /// What the asker has.
        held: Option<Digest>,
        /// Whether the asker would ask GitHub.
        lease: bool,
    },
    /// The same, when the holder of the lease is done, or after `wait`.
    Await {
        /// What for.
        key: WireKey,
        /// What the asker has.
        held: Option<Digest>,
        /// The longest wait.
        wait: Duration,
    },
    /// After [`Answer::Long`]: the entry itself, other than the one with digest `held`.
    Fetch {
        /// What for.
        key: WireKey,
        /// What the asker has.
        held: Option<Digest>,
    },
    /// The asker's lease, for longer.
    Renew {
        /// What for.
        key: WireKey,
    },
    /// The asker's lease is over.
    Release {
        /// What for.
        key: WireKey,
        /// How it ended.
        ended: Ended,
    },
    /// An entry for its owner to hold. Ends the asker's lease, if it has one.
    Store {
        /// Its name.
        key: WireKey,
        /// The entry.
        offer: Offer,
    },
    /// These may have changed. Answered when it has taken effect.
    Invalidate {
        /// After this one.
        position: Position,
        /// What.
        stale: Vec<Stale>,
    },
    /// The first words after admission: where the asker stands, and where it last knew the other.
    Greet {
        /// The asker's position.
        position: Position,
        /// The last position of the other that the asker heard of.
        heard: Option<Position>,
    },
    /// Are you there?
    Pulse {
        /// The asker's position.
        position: Position,
    },
    /// Whom do you know? Signed records, ours to begin with.
    Peers {
        /// The asker's own record.
        own: Option<Vec<u8>>,
    },
}

/// What the other answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The entry.
    Hit(Offer),
    /// There is an entry, but its body takes a while: [`Question::Fetch`] brings it. Said at once, so that a body
    /// on its way is not taken for silence.
    Long {
        /// The length of the body.
        bytes: u64,
    },
    /// The body that you have was confirmed while you waited.
    Same,
    /// Ask GitHub; others wait for you for so long.
    Granted(Duration),
    /// Somebody asks GitHub already, for at most so long.
    Held(Duration),
    /// Nothing is known, and nobody waits.
    Unknown,
    /// Done.
    Ack,
    /// To [`Question::Greet`]: where we stand, and what the asker missed.
    Greeted {
        /// Our position.
        position: Position,
        /// The writes since the position that the asker had heard of; `None` if they are more than we keep.
        missed: Option<Vec<Stale>>,
    },
    /// To [`Question::Pulse`].
    Pulse {
        /// Our position.
        position: Position,
    },
    /// To [`Question::Peers`]: signed records.
    Peers(Vec<Vec<u8>>),
    /// Too many questions at once; ask somebody else.
    Busy,
}
