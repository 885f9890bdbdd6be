//! What is done with a candidate from a peer: pure.

use std::time::Duration;

use super::reason::Reason;
use crate::http_cache::{CacheControl, Freshness, Validity, freshness};
use crate::secret::TokenKind;
use crate::store::{Scheme, Variant};
use crate::swarm::Audience;
use crate::tiered::Trust;
use crate::tiered::decide::{Known, POLL_INTERVAL};
use crate::tiered::epochs::Floor;
use crate::time::Timestamp;

/// What a peer said of a body that may be a candidate.
#[derive(Debug, Clone, Copy)]
pub(in crate::tiered) struct Told {
    /// Who may be given it.
    pub(in crate::tiered) audience: Audience,
    /// The token kinds that were shown it.
    pub(in crate::tiered) kinds: u8,
    /// Whether it came from a peer that knows the secret.
    pub(in crate::tiered) by_secret: bool,
}

/// What is held here for the same question.
#[derive(Debug, Clone, Copy)]
pub(in crate::tiered) struct Own {
    /// When GitHub last confirmed it.
    pub(in crate::tiered) validated_at: Timestamp,
    /// Whether this caller, or one of its kind, was shown it.
    pub(in crate::tiered) is_known_to_kind: bool,
}

/// Under which circumstances.
#[derive(Debug, Clone, Copy)]
pub(in crate::tiered) struct Circumstances<'a> {
    /// What is known about the question.
    pub(in crate::tiered) known: &'a Known,
    /// The last write that may show in the answer.
    pub(in crate::tiered) floor: Floor,
    /// What the request says of how old an answer may be.
    pub(in crate::tiered) wishes: &'a CacheControl,
    /// The caller's kind.
    pub(in crate::tiered) kind: TokenKind,
    /// Others may be writing without our hearing of it.
    pub(in crate::tiered) out_of_contact: bool,
    /// GitHub has refused this caller something there since the last write.
    pub(in crate::tiered) was_refused: bool,
    /// Whether GitHub has shown this caller something else instead of these very bytes.
    pub(in crate::tiered) refuted_before: bool,
    /// Whose word is enough.
    pub(in crate::tiered) trust: Trust,
    /// Now.
    pub(in crate::tiered) now: Timestamp,
}

/// What is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tiered) enum Use {
    /// It is shown without asking GitHub, and is fresh for so long.
    Show(Duration),
    /// GitHub is asked about it.
    Ask,
    /// It may well be outdated: unless somebody knows better, GitHub is asked about it, by one for all.
    AskForAll,
    /// It is left aside.
    Leave(Reason),
}

/// Decides what is done with `candidate`.
pub(in crate::tiered) fn judge(
    candidate: &Variant,
    told: Told,
    own: Option<Own>,
    at: &Circumstances<'_>,
) -> Use {
    if let Some(left) = may_be_shown(candidate, told, at) {
        return Use::Show(left);
    }
    if !(at.known.trusted && matches!(candidate.scheme, Scheme::Hashed(_))) {
        return Use::Leave(Reason::CandidateOpaque);
    }
    if at.refuted_before {
        return Use::Leave(Reason::CandidateRefutedBefore);
    }
    if let Some(own) = own {
        if own.validated_at >= candidate.validated_at {
            return Use::Leave(Reason::CandidateOlder);
        }
        let is_shown_to_kind = told.kinds & at.kind.bit() != 0;
        if own.is_known_to_kind && !is_shown_to_kind {
            return Use::Leave(Reason::CandidateOtherKind);
        }
    }
    let is_current = is_after_the_last_write(candidate, at.floor)
        && at.now.since(candidate.validated_at) < believed(candidate, at.known);
    if is_current { Use::Ask } else { Use::AskForAll }
}

/// How long a body is likely to be still what GitHub would answer.
fn believed(candidate: &Variant, known: &Known) -> Duration {
    if known.operation.is_polled() {
        return POLL_INTERVAL;
    }
    known.lifetime.unwrap_or(candidate.origin_lifetime)
}

fn is_after_the_last_write(candidate: &Variant, floor: Floor) -> bool {
    floor.event == 0 || candidate.validated_at > floor.at
}

/// Freshness left of a body that a member's word is enough for: it is public, was shown to callers of this kind, and
/// asked after every write that we know of.
fn may_be_shown(candidate: &Variant, told: Told, at: &Circumstances<'_>) -> Option<Duration> {
    let is_vouched_for = at.trust == Trust::Swarm
        && told.by_secret
        && told.audience == Audience::Public
        && told.kinds & at.kind.bit() != 0;
    let is_current = !at.out_of_contact
        && !at.was_refused
        && !at.floor.settling
        && candidate.validated_at <= at.now
        && is_after_the_last_write(candidate, at.floor);
    if !(is_vouched_for && is_current) {
        return None;
    }
    let lifetime = at.known.lifetime.unwrap_or(candidate.origin_lifetime);
    let lifetime = if at.known.operation.is_polled() {
        lifetime.min(POLL_INTERVAL)
    } else {
        lifetime
    };
    // No proof that something is public is good for longer than a grant.
    let told = Validity {
        validated_at: candidate.validated_at,
        lifetime: lifetime.min(at.known.grant_ttl),
    };
    match freshness::judge(told, at.wishes, at.now) {
        Freshness::Fresh(left) => Some(left),
        Freshness::Stale(_) => None,
    }
}

#[cfg(test)]
mod tests;
