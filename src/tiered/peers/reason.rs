//! What came of the peers, by name: the counters of the third tier, in one place.

/// Why a peer's entry was of use or not, and what else happened between peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tiered) enum Reason {
    /// GitHub confirmed a peer's entry for the caller who asked.
    CandidateConfirmed,
    /// GitHub answered with something else.
    CandidateRefuted,
    /// Nobody can ask GitHub about it: its validator is not one that we compute.
    CandidateOpaque,
    /// Its header fields are none that a peer may bring.
    CandidateFields,
    /// Its links are not those of the list that was asked for.
    CandidateLinks,
    /// It is about something else than what was asked for.
    CandidateOtherKey,
    /// It is longer than what is kept here.
    CandidateTooLarge,
    /// It holds something made for one caller, or is nothing that is kept.
    CandidateNotShareable,
    /// What is held here is newer.
    CandidateOlder,
    /// GitHub has shown this caller something else in its place before.
    CandidateRefutedBefore,
    /// It was shown to callers of another kind only, and what is held here to this one's.
    CandidateOtherKind,
    /// We ask GitHub for everybody.
    Lease,
    /// Somebody asked GitHub while we waited.
    Waited,
    /// No owner answered in time.
    Silence,
    /// Whoever asked GitHub for everybody did not come back in time.
    WaitedInVain,
    /// The answer is not to be shared.
    NotShared,
    /// A peer asked for something and was given it.
    Given,
    /// An entry is held for peers.
    Held,
    /// An entry that a peer gave us is not held: it is nothing that peers share.
    NotHeld,
    /// A peer's client wrote.
    Wrote,
    /// An entry that is asked for often was given to everybody.
    Pushed,
    /// A peer said what is left of a budget.
    Budget,
}

impl Reason {
    /// Whether no honest peer of this version has such an entry.
    pub(in crate::tiered) const fn is_hostile(self) -> bool {
        matches!(
            self,
            Self::CandidateFields | Self::CandidateNotShareable | Self::CandidateOtherKey
        )
    }

    /// The name among the counters.
    pub(in crate::tiered) const fn name(self) -> &'static str {
        match self {
            Self::CandidateConfirmed => "peer-candidate-confirmed",
            Self::CandidateRefuted => "peer-candidate-refuted",
            Self::CandidateOpaque => "peer-candidate-opaque",
            Self::CandidateFields => "peer-candidate-fields",
            Self::CandidateLinks => "peer-candidate-links",
            Self::CandidateOtherKey => "peer-candidate-other-key",
            Self::CandidateTooLarge => "peer-candidate-too-large",
            Self::CandidateNotShareable => "peer-candidate-not-shareable",
            Self::CandidateOlder => "peer-candidate-older",
            Self::CandidateRefutedBefore => "peer-candidate-refuted-before",
            Self::CandidateOtherKind => "peer-candidate-other-kind",
            Self::Lease => "peer-lease",
            Self::Waited => "peer-waited",
            Self::Silence => "peer-silence",
            Self::WaitedInVain => "peer-waited-in-vain",
            Self::NotShared => "peer-not-shared",
            Self::Given => "peer-given",
            Self::Held => "peer-held",
            Self::NotHeld => "peer-not-held",
            Self::Wrote => "peer-wrote",
            Self::Pushed => "peer-pushed",
            Self::Budget => "peer-budget",
        }
    }
}
