//! Whose a budget is, as far as tokens and headers tell.

use std::time::Duration;

use crate::api::limit::RateHeaders;
use crate::secret::TokenKind;
use crate::time::Timestamp;

/// What GitHub counts by, for a kind of token.
///
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-primary-rate-limits>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Anonymous calls: this machine's address.
    Address,
    /// All tokens of a user together.
    User,
    /// An installation; a `GITHUB_TOKEN` is counted by its repository.
    Installation,
    /// An app by its own key.
    App,
    /// Unknown.
    Other,
}

impl Class {
    pub(super) const fn of(kind: TokenKind) -> Self {
        match kind {
            TokenKind::Anonymous => Self::Address,
            TokenKind::Classic
            | TokenKind::FineGrained
            | TokenKind::OAuth
            | TokenKind::UserToServer => Self::User,
            TokenKind::Installation => Self::Installation,
            TokenKind::AppJwt => Self::App,
            TokenKind::Other => Self::Other,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::User => "user",
            Self::Installation => "installation",
            Self::App => "app",
            Self::Other => "other",
        }
    }
}

/// GitHub has no name for a budget. Its limit and the second of its reset are nearly one: the hour
/// begins with the first call, at another second for every owner.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub resource: Box<str>,
    pub limit: u64,
    pub remaining: u64,
    pub reset: Timestamp,
    /// When that was learnt, by our clock.
    learnt: Timestamp,
}

/// The longest that a budget stays used up without being asked about again: GitHub's hour, and a
/// clock that is a little off.
const LONGEST: Duration = Duration::from_mins(70);

/// The reset of one budget is not always told to the same second.
const JITTER_SECS: u64 = 1;

impl Identity {
    pub(super) fn new(rate: &RateHeaders, now: Timestamp) -> Self {
        Self {
            resource: rate.resource.clone(),
            limit: rate.limit,
            remaining: rate.remaining,
            reset: rate.reset,
            learnt: now,
        }
    }

    /// Whether `rate` can be about this budget.
    ///
    /// What is left only shrinks until the reset, but answers may overtake each other by as many
    /// calls as GitHub lets run at once. More than that means two owners who began at the same second.
    pub(super) fn fits(&self, rate: &RateHeaders, concurrency: u32) -> bool {
        let apart = self.reset.as_secs().abs_diff(rate.reset.as_secs());
        let slack = u64::from(concurrency).max(rate.limit / 20);
        self.resource == rate.resource
            && self.limit == rate.limit
            && apart <= JITTER_SECS
            && rate.remaining <= self.remaining.saturating_add(slack)
    }

    /// Learns from an answer that fits.
    pub(super) fn update(&mut self, rate: &RateHeaders, now: Timestamp) {
        self.remaining = self.remaining.min(rate.remaining);
        self.reset = self.reset.max(rate.reset);
        self.learnt = now;
    }

    /// Whether what was learnt counts no longer: the period is over, or the clock was set back since,
    /// and nobody knows for how long it lasts by the clock as it is now.
    pub(super) fn expired(&self, now: Timestamp) -> bool {
        self.reset <= now || now < self.learnt
    }

    pub(super) fn left_of(&self, now: Timestamp) -> Option<(u64, u64)> {
        (!self.expired(now)).then_some((self.limit, self.remaining))
    }

    pub(super) fn remaining(&self, now: Timestamp) -> Option<u64> {
        self.left_of(now).map(|(_, remaining)| remaining)
    }

    pub(super) fn exhausted_until(&self, now: Timestamp) -> Option<Timestamp> {
        // GitHub's periods are an hour at most: a reset that is later only shows that our clock is wrong.
        let until = self.reset.min(self.learnt.plus(LONGEST));
        (self.remaining(now) == Some(0) && until > now).then_some(until)
    }
}
