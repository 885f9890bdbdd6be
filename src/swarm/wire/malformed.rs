//! Why a message is not taken.

/// Why a message is not taken; and, of ours, why it is not sent: what the other end would not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.name())]
pub enum Malformed {
    /// A type that we do not know: somebody is newer than we are. No offence.
    Unknown,
    /// Not the CBOR that we speak, a field that is missing or stands twice, or bytes after the end.
    Syntax,
    /// A number that means nothing.
    OutOfRange,
    /// More bytes, or more things, than are taken.
    TooLong,
    /// A body that does not unpack to exactly the length it was said to have.
    Bomb,
    /// A name that GitHub would not give.
    Name,
    /// A kind of body that the API does not speak, or a version that is no date.
    Field,
    /// A link that is none to a page on the same host.
    Link,
    /// An entry under the name of another one.
    OtherKey,
    /// An answer to something that was not asked.
    Unasked,
    /// An entry in the clear from somebody who has the secret.
    NotSealed,
    /// It does not open: sealed by somebody else, for another pool or key, or changed on the way.
    NotOurs,
    /// Sealed so long ago that it has run out: somebody's clock is wrong, or it was kept and sent again. No offence.
    Expired,
    /// Sealed for longer than anybody seals, unless our clocks differ. No offence.
    Ahead,
    /// Sealed for longer than anybody seals, whatever their clock says.
    Expiry,
}

impl Malformed {
    /// The name among the counters and reasons.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "wire-unknown",
            Self::Syntax => "wire-malformed",
            Self::OutOfRange => "wire-out-of-range",
            Self::TooLong => "wire-oversize",
            Self::Bomb => "wire-bomb",
            Self::Name => "wire-name",
            Self::Field => "wire-field",
            Self::Link => "wire-link",
            Self::OtherKey => "wire-other-key",
            Self::Unasked => "wire-unasked",
            Self::NotSealed => "wire-not-sealed",
            Self::NotOurs => "wire-bad-seal",
            Self::Expired => "wire-expired",
            Self::Ahead => "wire-clock-ahead",
            Self::Expiry => "wire-wrong-expiry",
        }
    }
}
