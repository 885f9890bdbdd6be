//! What came of asking the stores, for people and programs.

use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};

use crate::registry::Name;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// The cache of GitHub Actions.
    ActionsCache,
    /// The list of its keys by the REST API.
    CacheList,
}

/// What one store knew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Which.
    pub store: Store,
    /// Whom it knew.
    pub found: Vec<PeerFound>,
    /// Why nobody; `None` if it knew somebody.
    pub reason: Option<String>,
}

/// A peer of whom a store knew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerFound {
    /// Who.
    pub peer_id: String,
    /// Where, as its key says.
    pub addresses: Vec<Multiaddr>,
    /// Until when, in seconds since 1970.
    pub expires: u64,
    /// What became of it.
    pub how: Met,
}

/// What became of a peer that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    /// It is dialled.
    New,
    /// We knew it as well already.
    Known,
    /// It is us.
    Ourselves,
    /// It is gone by now.
    Expired,
    /// Its entry had no record of it that we could take.
    Refused,
}

/// Why a store knew nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nobody {
    /// There is nothing of the pool in it.
    #[error("nobody of the pool has registered in this hour or the last")]
    Empty,
    /// We do not have it.
    #[error("this daemon was started without it")]
    NoStore,
    /// It takes longer than anybody waits.
    #[error("it has not answered yet; ask again")]
    Busy,
    /// Something went wrong.
    #[error("{0}")]
    Failed(String),
}

/// What came of putting our record into the Actions cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is there.
    Done {
        /// Under this key.
        key: String,
    },
    /// The daemon was started without the variables of the service.
    NoStore,
    /// Nobody could reach us.
    NoAddress,
    /// It takes longer than anybody waits.
    Busy,
    /// Something went wrong.
    Failed {
        /// What.
        reason: String,
    },
}

impl Looked {
    pub(super) fn nobody(store: Store, why: &Nobody) -> Self {
        Self {
            store,
            found: Vec::new(),
            reason: Some(why.to_string()),
        }
    }

    pub(super) fn one(store: Store, met: PeerFound) -> Self {
        Self::some(store, vec![met])
    }

    pub(super) fn some(store: Store, found: Vec<PeerFound>) -> Self {
        if found.is_empty() {
            return Self::nobody(store, &Nobody::Empty);
        }
        Self {
            store,
            found,
            reason: None,
        }
    }
}

impl PeerFound {
    pub(super) fn new(name: &Name, how: Met) -> Self {
        Self {
            peer_id: name.peer.to_string(),
            addresses: name.addresses.clone(),
            expires: name.expires.as_secs(),
            how,
        }
    }
}
