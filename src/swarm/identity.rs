//! Who this daemon is in the swarm: an Ed25519 key of its own, and the tickets that come from it.

use std::fmt;

use libp2p::PeerId;
use libp2p::identity::Keypair;
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::time::Timestamp;

/// A key pair. Its secret half goes to the state directory and nowhere else.
#[derive(Clone)]
pub struct Identity {
    keypair: Keypair,
    /// What this identity's tickets are made with.
    tickets: Zeroizing<[u8; 32]>,
}

/// The bytes are no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key of 32 bytes")]
pub struct NotAnIdentity;

/// What lets its holder in at the peer that made it, until it runs out. Nobody else can make one.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// When it runs out, in whole seconds.
    pub expires: Timestamp,
    /// What the holder proves to know.
    pub secret: Zeroizing<[u8; 32]>,
}

impl Identity {
    /// The identity with this secret seed.
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Result<Self, NotAnIdentity> {
        let tickets = Digest::keyed(seed, b"ghswarm/1/tickets");
        let keypair = Keypair::ed25519_from_bytes(**seed).map_err(|_| NotAnIdentity)?;
        Ok(Self {
            keypair,
            tickets: Zeroizing::new(*tickets.as_bytes()),
        })
    }

    /// The name under which peers know it.
    pub fn peer_id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    /// The key pair, for libp2p and for signing.
    pub fn keypair(&self) -> &Keypair {
        &self.keypair
    }

    /// The ticket that runs out at `expires`. It is computed, so a restart forgets none.
    pub fn ticket(&self, expires: Timestamp) -> Ticket {
        let seconds = expires.as_secs();
        let secret = Digest::keyed(&self.tickets, &seconds.to_be_bytes());
        Ticket {
            expires: Timestamp::from_secs(seconds),
            secret: Zeroizing::new(*secret.as_bytes()),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer_id())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket(*** until {})", self.expires.as_secs())
    }
}
