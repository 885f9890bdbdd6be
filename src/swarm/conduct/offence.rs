//! Offences: what no honest peer does, or not often.

use std::time::Duration;

use tokio::time::Instant;

use crate::swarm::wire::Malformed;

/// What no honest peer does, or not often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offence {
    /// A message that is none.
    Malformed,
    /// A message, or something in it, longer than what is taken; a stream without an end.
    Oversize,
    /// A body that unpacks to something else than was said.
    Bomb,
    /// A link that leads away.
    HostileLink,
    /// An entry under another name.
    WrongKey,
    /// An entry for readers of a repository from a peer that was admitted for public ones alone. Said once or
    /// twice it is a pool whose members do not agree what a ticket covers.
    WrongAudience,
    /// An entry in the clear from somebody who has the secret.
    NotSealed,
    /// A seal that does not open.
    BadSeal,
    /// A seal for longer than anybody seals, by any clock.
    WrongExpiry,
    /// Entries said to be new that GitHub does not know.
    RefutedCandidates,
    /// A message to everybody that must not be passed on.
    BadGossip,
    /// More questions than are answered.
    QuestionFlood,
    /// More bytes than are taken.
    ByteFlood,
    /// More entries to hold than are taken.
    StoreFlood,
    /// More writes told than anybody makes.
    InvalidationFlood,
    /// More announcements than are taken.
    AnnouncementFlood,
}

impl Offence {
    /// The reason in `peers list` and among the counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Oversize => "oversize",
            Self::Bomb => "bomb",
            Self::HostileLink => "hostile-link",
            Self::WrongKey => "wrong-key",
            Self::WrongAudience => "wrong-audience",
            Self::NotSealed => "not-sealed",
            Self::BadSeal => "bad-seal",
            Self::WrongExpiry => "wrong-expiry",
            Self::RefutedCandidates => "refuted-candidates",
            Self::BadGossip => "bad-gossip",
            Self::QuestionFlood => "question-flood",
            Self::ByteFlood => "byte-flood",
            Self::StoreFlood => "store-flood",
            Self::InvalidationFlood => "invalidation-flood",
            Self::AnnouncementFlood => "announcement-flood",
        }
    }

    /// What a message that was not taken says of its sender. Nothing, if it is only newer than we are, or if our clocks differ:
    /// when the clock of a machine is set, all its peers would drop one another for what they had on its way.
    pub const fn of(malformed: Malformed) -> Option<Self> {
        Some(match malformed {
            Malformed::Unknown | Malformed::Expired | Malformed::Ahead => return None,
            Malformed::Syntax
            | Malformed::OutOfRange
            | Malformed::Name
            | Malformed::Field
            | Malformed::Unasked => Self::Malformed,
            Malformed::TooLong => Self::Oversize,
            Malformed::Bomb => Self::Bomb,
            Malformed::Link => Self::HostileLink,
            Malformed::OtherKey => Self::WrongKey,
            Malformed::NotSealed => Self::NotSealed,
            Malformed::NotOurs => Self::BadSeal,
            Malformed::Expiry => Self::WrongExpiry,
        })
    }

    /// How much it counts of [`ENOUGH`]. One fault is forgiven, because software has faults; three of the
    /// same in a row are none. What an overload or a wrong setting explains counts little.
    const fn weight(self) -> f64 {
        match self {
            Self::Malformed
            | Self::Oversize
            | Self::Bomb
            | Self::HostileLink
            | Self::WrongKey
            | Self::NotSealed
            | Self::BadSeal
            | Self::WrongExpiry => 40.0,
            Self::BadGossip => 10.0,
            Self::WrongAudience => 2.0,
            Self::QuestionFlood | Self::ByteFlood | Self::StoreFlood => 0.1,
            Self::AnnouncementFlood => 0.05,
            // These were judged over many already. A write that is not heard makes us wrong, so that there is
            // nothing between hearing all and not listening.
            Self::RefutedCandidates | Self::InvalidationFlood => ENOUGH,
        }
    }
}

/// At this score a peer is dropped.
const ENOUGH: f64 = 100.0;
/// After so long an offence counts half.
const HALF: Duration = Duration::from_mins(1);

/// What a peer's offences amount to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score {
    points: f64,
    at: Instant,
}

impl Score {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            points: 0.0,
            at: now,
        }
    }

    /// Adds an offence; whether it is enough now.
    pub(super) fn add(&mut self, offence: Offence, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.points = self.points * (-passed / HALF.as_secs_f64()).exp2() + offence.weight();
        // What is added up in halves of halves may lack the last of its bits.
        self.points >= ENOUGH - 1e-6
    }
}
