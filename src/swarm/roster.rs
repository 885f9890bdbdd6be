//! Who is there: the admitted peers as everybody else sees them.

use std::sync::Arc;

use libp2p::{Multiaddr, PeerId};

use super::wire::offer::Audience;

/// What a peer may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coverage {
    /// What anybody may read.
    Public,
    /// What everybody who can read a repository may read, too.
    Repository,
}

impl Coverage {
    /// Whether entries for `audience` may go to such a peer.
    pub const fn covers(self, audience: Audience) -> bool {
        match audience {
            Audience::Public => true,
            Audience::Repository => matches!(self, Self::Repository),
        }
    }
}

/// An admitted, connected peer.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Who it is.
    pub id: PeerId,
    /// What it may be given, and by whose admission.
    pub coverage: Coverage,
    /// Whether it was admitted by the secret: entries to and from it are sealed.
    pub by_secret: bool,
    /// It did not answer in time lately: others are asked first.
    pub suspect: bool,
}

/// The admitted peers, in one consistent state.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// Each once, in the order of their ids.
    pub peers: Arc<[Peer]>,
}

impl Roster {
    /// Whether the peer with this id is one of them.
    pub fn has(&self, id: &PeerId) -> bool {
        self.peers.binary_search_by(|peer| peer.id.cmp(id)).is_ok()
    }
}

/// A peer for people to look at.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct PeerRow {
    /// Who it is.
    pub peer_id: String,
    /// How we stand with it.
    pub standing: Standing,
    /// Where it is, as far as is known.
    pub addresses: Vec<Multiaddr>,
    /// How it was admitted: `ticket` or `secret`.
    pub admission: Option<String>,
    /// Why it was refused or dropped, by name.
    pub reason: Option<String>,
    /// Round trip of the last pulse, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Entries of it that GitHub confirmed.
    pub confirmed: u64,
    /// Entries of it that GitHub did not confirm.
    pub refuted: u64,
}

/// How we stand with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Admitted and connected.
    Connected,
    /// Known, not connected.
    Known,
    /// It refused us, or we refused it.
    Refused,
    /// It was dropped for what it did, and is not spoken with for a while.
    Dropped,
}
