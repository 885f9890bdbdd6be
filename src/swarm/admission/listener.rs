//! The side that accepted the connection.

use std::sync::Arc;

use libp2p::PeerId;
use subtle::ConstantTimeEq as _;

use super::frame::{Frame, Nonce};
use super::reason::Reason;
use super::terms::{Method, Step, Terms, out_of_turn};
use super::transcript::{Role, Transcript};
use super::verify::{Verdict, verify_secret, verify_ticket};
use crate::digest::Digest;
use crate::swarm::Identity;
use crate::time::Timestamp;

/// An admission as the listener goes through it.
#[derive(Debug)]
pub struct Listener {
    terms: Arc<Terms>,
    identity: Identity,
    pool: Digest,
    us: Vec<u8>,
    them: Vec<u8>,
    nonce: Nonce,
    awaits: Awaits,
}

#[derive(Debug, Clone, Copy)]
enum Awaits {
    Hello,
    Proof { method: Method, nonce: Nonce },
    Ready,
    Nothing,
}

impl Listener {
    /// Waits for a Hello. `identity`: our own, which made the tickets.
    pub fn begin(terms: Arc<Terms>, identity: Identity, dialer: &PeerId, nonce: Nonce) -> Self {
        Self {
            pool: terms.pool.tag(),
            terms,
            them: dialer.to_bytes(),
            us: identity.peer_id().to_bytes(),
            identity,
            nonce,
            awaits: Awaits::Hello,
        }
    }

    /// Takes the frame that came.
    pub fn step(&mut self, frame: &[u8], now: Timestamp) -> Step {
        let frame = match Frame::decode(frame) {
            Ok(frame) => frame,
            Err(not) => return not.into(),
        };
        let awaits = std::mem::replace(&mut self.awaits, Awaits::Nothing);
        match (awaits, frame) {
            (
                Awaits::Hello,
                Frame::Hello {
                    methods,
                    nonce,
                    pool,
                },
            ) => self
                .challenge(methods, nonce, pool)
                .unwrap_or_else(Step::Refuse),
            (Awaits::Proof { method, nonce }, Frame::Proof { expires, mac }) => self
                .welcome(method, nonce, expires, mac, now)
                .unwrap_or_else(Step::Refuse),
            (Awaits::Ready, Frame::Ready) => Step::Ready,
            (_, frame) => out_of_turn(frame),
        }
    }

    fn challenge(&mut self, methods: u32, nonce: Nonce, pool: [u8; 16]) -> Result<Step, Reason> {
        let offered = |method: Method| methods & method.bit() != 0;
        // The method first: whoever could not prove anything is not told whether it guessed our pool.
        let method = if self.terms.secret.is_some() && offered(Method::Secret) {
            Method::Secret
        } else if self.terms.tickets && offered(Method::Ticket) {
            Method::Ticket
        } else {
            return Err(Reason::NoCommonMethod);
        };
        if !bool::from(pool_under(&nonce, &self.pool).ct_eq(&pool)) {
            return Err(Reason::OtherPool);
        }
        if nonce == self.nonce {
            return Err(Reason::Malformed);
        }
        let challenge = Frame::Challenge {
            method: u32::from(method.number()),
            nonce: self.nonce,
            cost: self.cost(method),
        };
        self.awaits = Awaits::Proof { method, nonce };
        Ok(Step::Say(challenge.encode()))
    }

    fn welcome(
        &mut self,
        method: Method,
        nonce: Nonce,
        expires: u64,
        mac: [u8; 32],
        now: Timestamp,
    ) -> Result<Step, Reason> {
        let transcript = Transcript {
            method,
            pool: &self.pool,
            dialer: &self.them,
            listener: &self.us,
            nonce_dialer: &nonce,
            nonce_listener: &self.nonce,
            expires,
            cost: self.cost(method),
        };
        let ticket = |expires| self.identity.ticket(expires);
        let terms = &*self.terms;
        let verdict = match (method, &terms.secret) {
            (Method::Ticket, _) => {
                verify_ticket(&transcript, Role::Dialer, &mac, ticket, terms, Some(now))
            }
            (Method::Secret, Some(secret)) => {
                verify_secret(&transcript, Role::Dialer, &mac, secret, terms)
            }
            (Method::Secret, None) => Verdict::Refused(Reason::NoCommonMethod),
        };
        let grant = match verdict {
            Verdict::Admitted(grant) => grant,
            Verdict::Refused(reason) => return Err(reason),
        };
        let mac = if let (Method::Secret, Some(secret)) = (method, &terms.secret) {
            transcript.mac(Role::Listener, secret.admission())
        } else {
            let ticket = ticket(Timestamp::from_secs(expires));
            transcript.mac(Role::Listener, &ticket.secret)
        };
        self.awaits = Awaits::Ready;
        Ok(Step::Proven {
            grant,
            say: Frame::Welcome { mac }.encode(),
        })
    }

    fn cost(&self, method: Method) -> u32 {
        match (method, &self.terms.secret) {
            (Method::Secret, Some(secret)) => secret.cost().rounds(),
            _ => 0,
        }
    }
}

/// What a pool is called in a Hello with this nonce.
pub(super) fn pool_under(nonce: &Nonce, pool: &Digest) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Digest::keyed(nonce, pool.as_bytes()).as_bytes()[..16]);
    short
}
