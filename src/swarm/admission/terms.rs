//! On which terms one side admits, and what comes of a step.

use super::frame::{Frame, NotAFrame};
use super::reason::Reason;
use crate::swarm::{Coverage, Pool, PoolSecret};

/// On which terms a side admits, and proves itself.
#[derive(Debug, Clone)]
pub struct Terms {
    /// With whom it shares.
    pub pool: Pool,
    /// What its members know, if there is a secret.
    pub secret: Option<PoolSecret>,
    /// Whether tickets are accepted and shown.
    pub tickets: bool,
    /// Whether a ticket covers what only readers of a repository may read.
    pub share_private: bool,
}

/// How somebody is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// The dialer holds a ticket of the listener.
    Ticket,
    /// Both know the pool's secret.
    Secret,
}

impl Method {
    /// What stands for it in a `Challenge` and in the transcript.
    pub const fn number(self) -> u8 {
        match self {
            Self::Ticket => 1,
            Self::Secret => 2,
        }
    }

    /// Its bit in a `Hello`.
    pub const fn bit(self) -> u32 {
        1 << (self.number() - 1)
    }

    /// The method with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Ticket, Self::Secret]
            .into_iter()
            .find(|method| u32::from(method.number()) == number)
    }

    /// As people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Secret => "secret",
        }
    }
}

/// What the other side is admitted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// By what.
    pub method: Method,
    /// What it may be given.
    pub coverage: Coverage,
}

impl Terms {
    /// What is granted to whoever proved by `method`.
    pub fn grant(&self, method: Method) -> Grant {
        let coverage = match method {
            Method::Secret => Coverage::Repository,
            Method::Ticket if self.share_private => Coverage::Repository,
            Method::Ticket => Coverage::Public,
        };
        Grant { method, coverage }
    }
}

/// What comes of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Say this, and listen.
    Say(Vec<u8>),
    /// The other side has proved what it had to. Say this as soon as the other side may speak.
    Proven {
        /// To what it is admitted.
        grant: Grant,
        /// The frame.
        say: Vec<u8>,
    },
    /// The other side is ready as well.
    Ready,
    /// We refuse. Say so if the reason has a code.
    Refuse(Reason),
    /// The other side refused us.
    Refused(Reason),
}

impl From<NotAFrame> for Step {
    fn from(not: NotAFrame) -> Self {
        Self::Refuse(match not {
            // A later version may have more of them.
            NotAFrame::Type(_) => Reason::Version,
            NotAFrame::Malformed => Reason::Malformed,
        })
    }
}

/// What a frame comes to that is not the one that is due.
pub(super) fn out_of_turn(frame: Frame) -> Step {
    match frame {
        Frame::Refuse { code } => Step::Refused(Reason::from_code(code)),
        _ => Step::Refuse(Reason::Malformed),
    }
}
