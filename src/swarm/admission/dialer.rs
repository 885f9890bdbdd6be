//! The side that opened the connection.

use std::sync::Arc;

use libp2p::PeerId;

use super::frame::{Frame, Nonce};
use super::listener::pool_under;
use super::reason::Reason;
use super::terms::{Method, Step, Terms, out_of_turn};
use super::transcript::{Role, Transcript};
use super::verify::{Verdict, verify_secret, verify_ticket};
use crate::digest::Digest;
use crate::seal::Cost;
use crate::swarm::Ticket;

/// An admission as the dialer goes through it.
#[derive(Debug)]
pub struct Dialer {
    terms: Arc<Terms>,
    ticket: Option<Ticket>,
    pool: Digest,
    us: Vec<u8>,
    them: Vec<u8>,
    nonce: Nonce,
    awaits: Awaits,
}

#[derive(Debug, Clone, Copy)]
enum Awaits {
    Challenge,
    Welcome {
        method: Method,
        nonce: Nonce,
        cost: u32,
    },
    Nothing,
}

impl Dialer {
    /// Begins with a Hello. `ticket`: one of the listener's, if we have it; it is shown even if it looks expired, because
    /// only the listener's clock counts.
    pub fn begin(
        terms: Arc<Terms>,
        ticket: Option<Ticket>,
        us: &PeerId,
        listener: &PeerId,
        nonce: Nonce,
    ) -> (Self, Vec<u8>) {
        let ticket = ticket.filter(|_| terms.tickets);
        let pool = terms.pool.tag();
        let dialer = Self {
            terms,
            ticket,
            pool,
            us: us.to_bytes(),
            them: listener.to_bytes(),
            nonce,
            awaits: Awaits::Challenge,
        };
        let hello = Frame::Hello {
            methods: dialer.methods(),
            nonce,
            pool: pool_under(&nonce, &pool),
        };
        (dialer, hello.encode())
    }

    fn methods(&self) -> u32 {
        let ticket = self.ticket.as_ref().map_or(0, |_| Method::Ticket.bit());
        let secret = self.terms.secret.as_ref();
        ticket | secret.map_or(0, |_| Method::Secret.bit())
    }

    /// Takes the frame that came.
    pub fn step(&mut self, frame: &[u8]) -> Step {
        let frame = match Frame::decode(frame) {
            Ok(frame) => frame,
            Err(not) => return not.into(),
        };
        let awaits = std::mem::replace(&mut self.awaits, Awaits::Nothing);
        match (awaits, frame) {
            (
                Awaits::Challenge,
                Frame::Challenge {
                    method,
                    nonce,
                    cost,
                },
            ) => self.prove(method, nonce, cost).unwrap_or_else(Step::Refuse),
            (
                Awaits::Welcome {
                    method,
                    nonce,
                    cost,
                },
                Frame::Welcome { mac },
            ) => self.verify(method, &nonce, cost, &mac),
            (_, frame) => out_of_turn(frame),
        }
    }

    fn prove(&mut self, method: u32, nonce: Nonce, cost: u32) -> Result<Step, Reason> {
        let method = Method::from_number(method)
            .filter(|method| self.methods() & method.bit() != 0)
            .ok_or(Reason::NoCommonMethod)?;
        // Nobody draws our nonce by chance: it is our own Hello that comes back.
        if nonce == self.nonce {
            return Err(Reason::Malformed);
        }
        let key = match method {
            Method::Ticket if cost != 0 => return Err(Reason::Malformed),
            Method::Ticket => {
                let ticket = self.ticket.as_ref().ok_or(Reason::NoCommonMethod)?;
                &ticket.secret
            }
            Method::Secret => {
                let secret = self.terms.secret.as_ref().ok_or(Reason::NoCommonMethod)?;
                // Before anything is proved: a lower cost is not worth a guess.
                if cost != secret.cost().rounds() || cost < Cost::MIN.rounds() {
                    return Err(Reason::KeyCost);
                }
                secret.admission()
            }
        };
        let transcript = self.transcript(method, &nonce, cost);
        let proof = Frame::Proof {
            expires: transcript.expires,
            mac: transcript.mac(Role::Dialer, key),
        };
        let said = proof.encode();
        self.awaits = Awaits::Welcome {
            method,
            nonce,
            cost,
        };
        Ok(Step::Say(said))
    }

    fn verify(&self, method: Method, nonce: &Nonce, cost: u32, mac: &[u8; 32]) -> Step {
        let transcript = self.transcript(method, nonce, cost);
        let terms = &*self.terms;
        let verdict = match (method, &self.ticket, &terms.secret) {
            (Method::Ticket, Some(ticket), _) => verify_ticket(
                &transcript,
                Role::Listener,
                mac,
                |_| ticket.clone(),
                terms,
                None,
            ),
            (Method::Secret, _, Some(secret)) => {
                verify_secret(&transcript, Role::Listener, mac, secret, terms)
            }
            _ => Verdict::Refused(Reason::NoCommonMethod),
        };
        match verdict {
            Verdict::Admitted(grant) => Step::Proven {
                grant,
                say: Frame::Ready.encode(),
            },
            Verdict::Refused(reason) => Step::Refuse(reason),
        }
    }

    fn transcript<'a>(&'a self, method: Method, nonce: &'a Nonce, cost: u32) -> Transcript<'a> {
        let ticket = self.ticket.as_ref();
        let expires = match method {
            Method::Ticket => ticket.map_or(0, |ticket| ticket.expires.as_secs()),
            Method::Secret => 0,
        };
        Transcript {
            method,
            pool: &self.pool,
            dialer: &self.us,
            listener: &self.them,
            nonce_dialer: &self.nonce,
            nonce_listener: nonce,
            expires,
            cost,
        }
    }
}
