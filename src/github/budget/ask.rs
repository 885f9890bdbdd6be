//! The words in which calls ask and budgets answer.

use serde::Serialize;

use crate::secret::{CredentialId, TokenKind};
use crate::time::Timestamp;

/// Which of GitHub's counters a call is counted by.
///
/// <https://docs.github.com/en/rest/rate-limit/rate-limit>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// REST, but for what follows.
    Core,
    /// GraphQL.
    Graphql,
    /// Search, of code or of anything else.
    Search,
    /// Any other counter of its own.
    Other,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Core, Self::Graphql, Self::Search, Self::Other];

    /// The one that an answer's `X-RateLimit-Resource` means.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "core" => Self::Core,
            "graphql" => Self::Graphql,
            "search" | "code_search" => Self::Search,
            _ => Self::Other,
        }
    }

    /// The name in the statistics until GitHub tells a more exact one.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Graphql => "graphql",
            Self::Search => "search",
            Self::Other => "other",
        }
    }
}

/// What a call costs of the secondary limit.
///
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cost {
    /// GET, HEAD, OPTIONS: 1 point. A 304 costs it, too.
    Read,
    /// Any other REST call: 5 points.
    Write,
    /// A GraphQL query: 1 point.
    Query,
    /// A GraphQL mutation: 5 points.
    Mutation,
}

impl Cost {
    /// Points of the secondary limit.
    pub const fn points(self) -> u32 {
        match self {
            Self::Read | Self::Query => 1,
            Self::Write | Self::Mutation => 5,
        }
    }

    /// Whether it may create content, and so keeps its distance from the one before.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Mutation)
    }
}

/// Who goes first when calls wait. Within a priority, who came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Nobody waits for it: prefetch, probes.
    Low,
    /// A client waits for it.
    #[default]
    Normal,
    /// Ahead of all others.
    High,
}

/// A call that wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Whose call it is.
    pub credential: CredentialId,
    /// The kind of its token.
    pub kind: TokenKind,
    /// The counter that it is expected to be counted by.
    pub resource: Resource,
    /// What it costs.
    pub cost: Cost,
    /// Its place in the queue.
    pub priority: Priority,
}

/// A call cannot go as soon as it would have to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no call may go before {} s after the epoch", until.as_secs())]
pub struct Exhausted {
    /// When it could go, as far as can be told.
    pub until: Timestamp,
}

/// How scarce a budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// Plenty, or nothing known.
    None,
    /// At the warning threshold: let entries live longer.
    Warning,
    /// At the aggressive threshold: answer from the store where that is allowed.
    Aggressive,
    /// Used up, or refused by a limit.
    Exhausted {
        /// When calls may go again.
        until: Timestamp,
    },
}

/// A bucket in the statistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Tells rows of the same kind and counter apart; names nobody.
    pub bucket: String,
    /// Whose it is: `address`, `user`, `installation`, `app` or `other`.
    pub kind: &'static str,
    /// GitHub's name of the counter.
    pub resource: String,
    /// Calls (GraphQL: points) per period; absent until GitHub tells.
    pub limit: Option<u64>,
    /// What is left of them.
    pub remaining: Option<u64>,
    /// When they are all there again, in seconds since the Unix epoch.
    pub reset: Option<u64>,
    /// Points of the secondary limit spent in the last minute.
    pub points: u32,
    /// Calls that wait.
    pub waiting: usize,
}
