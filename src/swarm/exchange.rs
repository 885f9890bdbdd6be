//! Questions and answers, to bytes and back, with what is drawn and read for it: a nonce, the clock, the keys.

use super::pool::PoolSecret;
use super::roster::Peer;
use super::shared::{AskError, Keys, Shared};
use super::wire::Malformed;
use super::wire::codec;
use super::wire::message::{Answer, Question};
use super::wire::seal::{Opening, Sealing};
use crate::seal::NONCE;

/// A question for `peer`.
pub(super) fn encode_question(
    shared: &Shared,
    peer: &Peer,
    question: &Question,
) -> Result<Vec<u8>, AskError> {
    let sealing = sealing(shared, peer).ok_or(AskError::NotConnected)?;
    codec::encode_question(question, &sealing).map_err(|why| {
        shared.count(why.name());
        AskError::Unsendable
    })
}

/// The answer of `peer` to `question`.
pub(super) fn decode_answer(
    shared: &Shared,
    peer: &Peer,
    question: &Question,
    bytes: &[u8],
) -> Result<Answer, Malformed> {
    let opening = opening(shared, peer).ok_or(Malformed::NotOurs)?;
    codec::decode_answer(bytes, question, &opening)
}

/// A question of `peer`.
pub(super) fn decode_question(
    shared: &Shared,
    peer: &Peer,
    bytes: &[u8],
) -> Result<Question, Malformed> {
    let opening = opening(shared, peer).ok_or(Malformed::NotOurs)?;
    codec::decode_question(bytes, &opening)
}

/// Our answer to `peer`; `None` if it cannot be said: then there is none.
pub(super) fn encode_answer(shared: &Shared, peer: &Peer, answer: &Answer) -> Option<Vec<u8>> {
    let encoded = codec::encode_answer(answer, &sealing(shared, peer)?);
    encoded.map_err(|why| shared.count(why.name())).ok()
}

fn sealing<'a>(shared: &'a Shared, peer: &Peer) -> Option<Sealing<'a>> {
    let keys = shared.keys.get()?;
    let mut nonce = [0; NONCE];
    // 96 random bits for each message. Without random bytes nothing is sealed, so nothing is sent.
    getrandom::fill(&mut nonce).ok()?;
    Some(Sealing {
        names: &keys.names,
        pool: &keys.pool,
        secret: keys.secret_with(peer),
        nonce,
        now: shared.config.clock.now(),
        body_limit: shared.config.body_limit,
    })
}

fn opening<'a>(shared: &'a Shared, peer: &Peer) -> Option<Opening<'a>> {
    let keys = shared.keys.get()?;
    Some(Opening {
        names: &keys.names,
        pool: &keys.pool,
        secret: keys.secret_with(peer),
        now: shared.config.clock.now(),
        body_limit: shared.config.body_limit,
    })
}

impl Keys {
    /// What entries to and from `peer` are sealed with.
    fn secret_with(&self, peer: &Peer) -> Option<&PoolSecret> {
        self.secret.as_ref().filter(|_| peer.by_secret)
    }
}
