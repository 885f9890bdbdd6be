//! `Cache-Status` (RFC 9211): what the cache did, said to the client.

use std::fmt;

/// Where a hit came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Memory.
    Memory,
    /// Disk.
    Disk,
    /// A peer.
    Peer,
    /// No longer fresh, served because GitHub could not answer.
    Stale,
}

impl Tier {
    /// The `detail` of a hit.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Peer => "peer",
            Self::Stale => "stale",
        }
    }
}

/// Why a request that the cache could have answered went to GitHub (RFC 9211, section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Nothing is stored under its key.
    UriMiss,
    /// Something is stored, but nothing that may be offered to this caller.
    VaryMiss,
    /// The request's own `Cache-Control` asked for it.
    Request,
    /// What is stored is no longer fresh, or not yet granted to this caller.
    Stale,
}

/// The value of the `Cache-Status` header of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// Served without asking GitHub.
    Hit {
        /// Seconds of freshness left; negative once it is over.
        ttl: i64,
        /// Where from.
        tier: Tier,
    },
    /// GitHub answered.
    Forwarded {
        /// Why it was asked.
        why: Forward,
        /// Its status code.
        status: u16,
        /// Whether the answer was stored.
        stored: bool,
        /// Whether this request shared the call of another one.
        collapsed: bool,
    },
    /// The cache did not look: the request is not cacheable.
    Bypass {
        /// The named reason.
        reason: &'static str,
    },
    /// The cache did not look: the method is unsafe.
    Method {
        /// The named reason.
        reason: &'static str,
    },
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Hit { ttl, tier } => {
                write!(f, "ghswarm; hit; ttl={ttl}; detail={}", tier.name())
            }
            Self::Forwarded {
                why,
                status,
                stored,
                collapsed,
            } => {
                let why = match why {
                    Forward::UriMiss => "uri-miss",
                    Forward::VaryMiss => "vary-miss",
                    Forward::Request => "request",
                    Forward::Stale => "stale",
                };
                write!(f, "ghswarm; fwd={why}; fwd-status={status}")?;
                f.write_str(if stored { "; stored" } else { "" })?;
                f.write_str(if collapsed { "; collapsed" } else { "" })
            }
            Self::Bypass { reason } => write!(f, "ghswarm; fwd=bypass; detail={reason}"),
            Self::Method { reason } => write!(f, "ghswarm; fwd=method; detail={reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_reads_as_the_contract_says() {
        let hit = CacheStatus::Hit {
            ttl: 42,
            tier: Tier::Memory,
        };
        assert_eq!(hit.to_string(), "ghswarm; hit; ttl=42; detail=memory");
        let free = CacheStatus::Forwarded {
            why: Forward::Stale,
            status: 304,
            stored: false,
            collapsed: false,
        };
        assert_eq!(free.to_string(), "ghswarm; fwd=stale; fwd-status=304");
        let miss = CacheStatus::Forwarded {
            why: Forward::UriMiss,
            status: 200,
            stored: true,
            collapsed: true,
        };
        assert_eq!(
            miss.to_string(),
            "ghswarm; fwd=uri-miss; fwd-status=200; stored; collapsed"
        );
        let bypass = CacheStatus::Bypass { reason: "range" };
        assert_eq!(bypass.to_string(), "ghswarm; fwd=bypass; detail=range");
    }
}
