//! Why somebody is not admitted.

/// Why a connection was not admitted. The first eight are told to the other side; nobody tells the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The two speak different versions of the admission, or one of them none.
    Version,
    /// There is nothing that both sides accept as a proof.
    NoCommonMethod,
    /// The other side shares with another pool.
    OtherPool,
    /// The proof is not one of this secret or ticket in this conversation.
    WrongProof,
    /// The ticket has run out, or claims to last longer than any ticket does.
    TicketExpired,
    /// The keys cost the two a different number of rounds, or too few.
    KeyCost,
    /// What was said is no frame, or not the one that comes next.
    Malformed,
    /// The peer was dropped for what it did, or too many ask at once.
    NotNow,
    /// It was not done in time.
    TimedOut,
    /// The other side closed the connection without a word.
    HungUp,
    /// The other side named a reason that we do not know.
    Unknown,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Version,
        Self::NoCommonMethod,
        Self::OtherPool,
        Self::WrongProof,
        Self::TicketExpired,
        Self::KeyCost,
        Self::Malformed,
        Self::NotNow,
        Self::TimedOut,
        Self::HungUp,
        Self::Unknown,
    ];

    /// What it is counted and logged as. Stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "admission-version",
            Self::NoCommonMethod => "no-common-method",
            Self::OtherPool => "other-pool",
            Self::WrongProof => "wrong-proof",
            Self::TicketExpired => "ticket-expired",
            Self::KeyCost => "key-cost",
            Self::Malformed => "admission-malformed",
            Self::NotNow => "not-now",
            Self::TimedOut => "admission-timeout",
            Self::HungUp => "admission-hung-up",
            Self::Unknown => "unknown-refusal",
        }
    }

    /// What stands for it in a `Refuse`; `None` if it is not told.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Version => Some(1),
            Self::NoCommonMethod => Some(2),
            Self::OtherPool => Some(3),
            Self::WrongProof => Some(4),
            Self::TicketExpired => Some(5),
            Self::KeyCost => Some(6),
            Self::Malformed => Some(7),
            Self::NotNow => Some(8),
            Self::TimedOut | Self::HungUp | Self::Unknown => None,
        }
    }

    /// What the other side means by `code`.
    pub fn from_code(code: u32) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| reason.code() == Some(code))
            .unwrap_or(Self::Unknown)
    }

    /// What it means and what to do about it, for whoever reads the log of either side.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Version => {
                "the two do not speak the same version of the admission; run the same version of ghswarm everywhere"
            }
            Self::NoCommonMethod => {
                "there is no ticket or secret that both accept; give both the same secret, or import the other's record (`ghswarm peers export` there, `ghswarm peers import` here)"
            }
            Self::OtherPool => {
                "the two share with different pools; give both the same --pool (by default it is GITHUB_REPOSITORY)"
            }
            Self::WrongProof => {
                "the proof does not fit; give both the same secret, or import the other's record again, since the identity that made its ticket may be gone"
            }
            Self::TicketExpired => {
                "the ticket has run out; export the peer's record anew and import it, and compare the machines' clocks"
            }
            Self::KeyCost => {
                "the two derive keys with different costs, or one costs less than is safe; configure the same cost everywhere"
            }
            Self::Malformed => {
                "what was said is no admission; it is another program, or a broken one"
            }
            Self::NotNow => {
                "it was dropped a while ago or has too many peers knocking; it is asked again later"
            }
            Self::TimedOut => {
                "the admission was not done in time; the network or a machine is slow, or nobody there speaks it"
            }
            Self::HungUp => {
                "it closed the connection during the admission; it may be stopping, or have too many connections"
            }
            Self::Unknown => {
                "it refused for a reason that this version does not know; see its own log"
            }
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Reason {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_unique_and_codes_come_back() {
        let names: std::collections::BTreeSet<_> = Reason::ALL.map(Reason::name).into();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(!reason.advice().is_empty());
            if let Some(code) = reason.code() {
                assert_eq!(Reason::from_code(code), reason);
            }
        }
        assert_eq!(Reason::from_code(0), Reason::Unknown);
        assert_eq!(Reason::from_code(u32::MAX), Reason::Unknown);
    }
}
