//! What is done with a message that came. Pure.

use libp2p::PeerId;
use libp2p::gossipsub::MessageAcceptance;

use super::message::{Word, decode};
use crate::swarm::conduct::Offence;
use crate::swarm::roster::Coverage;
use crate::swarm::wire::Malformed;
use crate::swarm::wire::seal::Opening;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// An admitted peer.
    Member(PeerId),
    /// Ourselves.
    Us,
    /// Somebody whom we have not admitted, or nobody.
    Stranger,
}

/// The judgement.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is passed on and takes effect.
    Accept(Word),
    /// Neither, and nobody is to blame.
    Ignore(&'static str),
    /// Neither. Its author signed it, and whoever passed it on could have seen what it is.
    Reject(Offence),
}

impl Verdict {
    pub(super) const fn acceptance(&self) -> MessageAcceptance {
        match self {
            Self::Accept(_) => MessageAcceptance::Accept,
            Self::Ignore(_) => MessageAcceptance::Ignore,
            Self::Reject(_) => MessageAcceptance::Reject,
        }
    }
}

/// Judges `bytes` by `author`, where everybody on the topic is covered by `coverage`.
pub(super) fn judge(
    author: Author,
    bytes: &[u8],
    coverage: Coverage,
    opening: &Opening<'_>,
) -> Verdict {
    match author {
        Author::Member(_) => {}
        Author::Us => return Verdict::Ignore("gossip-own"),
        // It may be admitted elsewhere: nobody is to blame for passing it on.
        Author::Stranger => return Verdict::Ignore("gossip-stranger"),
    }
    match decode(bytes, opening) {
        Ok(Word::Hot(_, offer)) if !coverage.covers(offer.audience) => {
            Verdict::Reject(Offence::WrongAudience)
        }
        Ok(word) => Verdict::Accept(word),
        Err(Malformed::Unknown) => Verdict::Ignore("gossip-unknown"),
        // Clocks differ, and the network may have kept it.
        Err(Malformed::Expired | Malformed::Ahead | Malformed::Expiry) => {
            Verdict::Ignore("gossip-expired")
        }
        Err(malformed) => Verdict::Reject(Offence::of(malformed).unwrap_or(Offence::BadGossip)),
    }
}
