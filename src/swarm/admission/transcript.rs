//! What a proof is made over.

use super::frame::Nonce;
use super::terms::Method;
use crate::digest::Digest;

/// Begins every transcript, so that the keys' other uses can never be mistaken for it.
const DOMAIN: &[u8] = b"ghswarm/1/admission\0";

/// Who proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Who opened the connection.
    Dialer,
    /// Who accepted it.
    Listener,
}

/// Everything that makes a conversation different from all others.
#[derive(Debug, Clone, Copy)]
pub struct Transcript<'a> {
    /// By what is proved.
    pub method: Method,
    /// [`Pool::tag`](crate::swarm::Pool::tag).
    pub pool: &'a Digest,
    /// `PeerId::to_bytes` of the dialer.
    pub dialer: &'a [u8],
    /// `PeerId::to_bytes` of the listener.
    pub listener: &'a [u8],
    /// The dialer's nonce.
    pub nonce_dialer: &'a Nonce,
    /// The listener's nonce.
    pub nonce_listener: &'a Nonce,
    /// When the ticket runs out, in seconds; 0 for a secret.
    pub expires: u64,
    /// Rounds that the key cost; 0 for a ticket.
    pub cost: u32,
}

impl Transcript<'_> {
    /// The proof of `role` under `key`.
    pub fn mac(&self, role: Role, key: &[u8; 32]) -> [u8; 32] {
        *Digest::keyed(key, &self.bytes(role)).as_bytes()
    }

    fn bytes(&self, role: Role) -> Vec<u8> {
        let role: &[u8] = match role {
            Role::Dialer => b"dialer",
            Role::Listener => b"listener",
        };
        // Peer ids have at most 66 bytes.
        let length = |id: &[u8]| [u8::try_from(id.len()).unwrap_or(u8::MAX)];
        [
            DOMAIN,
            role,
            &[0, self.method.number()],
            self.pool.as_bytes(),
            &length(self.dialer),
            self.dialer,
            &length(self.listener),
            self.listener,
            self.nonce_dialer,
            self.nonce_listener,
            &self.expires.to_be_bytes(),
            &self.cost.to_be_bytes(),
        ]
        .concat()
    }
}
