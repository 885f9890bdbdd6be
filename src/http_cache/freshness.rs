//! Freshness (RFC 9111, section 4.2) and the request's wishes about it (section 5.2.1).

use std::time::Duration;

use super::{CacheControl, Forward};
use crate::time::Timestamp;

/// What is known of a stored answer's freshness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When the origin last said that it is current.
    pub validated_at: Timestamp,
    /// How long it is fresh from then on.
    pub lifetime: Duration,
}

/// Whether a stored answer may be used without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It may, for so much longer.
    Fresh(Duration),
    /// The origin has to be asked, for this reason.
    Stale(Forward),
}

/// Judges a stored answer for a request.
///
/// `max-stale` is not honoured: whoever allows it would be shown the past of its own writes.
pub fn judge(stored: Validity, request: &CacheControl, now: Timestamp) -> Freshness {
    // Validated in the future: the clock went back, so the age is unknown.
    if stored.validated_at > now {
        return Freshness::Stale(Forward::Stale);
    }
    if request.no_cache {
        return Freshness::Stale(Forward::Request);
    }
    let age = now.since(stored.validated_at);
    if age >= stored.lifetime {
        return Freshness::Stale(Forward::Stale);
    }
    let ttl = stored.lifetime.saturating_sub(age);
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let too_old = request.max_age.is_some_and(|max| age > seconds(max));
    let too_short = request.min_fresh.is_some_and(|min| ttl < seconds(min));
    if too_old || too_short {
        return Freshness::Stale(Forward::Request);
    }
    Freshness::Fresh(ttl)
}

/// How long an answer is fresh by its own `Cache-Control`, in a cache that keeps what belongs to one
/// caller apart: `s-maxage` is not meant for it (section 5.2.2.10). `None` when it does not say.
pub fn lifetime(answer: &CacheControl) -> Option<Duration> {
    if answer.no_cache {
        return Some(Duration::ZERO);
    }
    answer
        .max_age
        .map(|seconds| Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn control(value: &str) -> CacheControl {
        CacheControl::parse([value.as_bytes()].into_iter())
    }

    fn judged(age: u64, lifetime: u64, request: &str) -> Freshness {
        let stored = Validity {
            validated_at: NOW.minus(Duration::from_secs(age)),
            lifetime: Duration::from_secs(lifetime),
        };
        judge(stored, &control(request), NOW)
    }

    #[test]
    fn it_is_fresh_until_its_lifetime_is_over() {
        assert_eq!(judged(59, 60, ""), Freshness::Fresh(Duration::from_secs(1)));
        assert_eq!(judged(60, 60, ""), Freshness::Stale(Forward::Stale));
        assert_eq!(judged(0, 0, ""), Freshness::Stale(Forward::Stale));
        let tomorrow = Validity {
            validated_at: NOW.plus(Duration::from_secs(1)),
            lifetime: Duration::from_secs(60),
        };
        let judged = judge(tomorrow, &CacheControl::default(), NOW);
        assert_eq!(
            judged,
            Freshness::Stale(Forward::Stale),
            "the clock went back"
        );
    }

    #[test]
    fn the_request_can_ask_for_less_but_not_for_more() {
        let asked = Freshness::Stale(Forward::Request);
        assert_eq!(
            judged(4, 60, "max-age=4"),
            Freshness::Fresh(Duration::from_secs(56))
        );
        assert_eq!(judged(4, 60, "max-age=3"), asked);
        assert_eq!(judged(4, 60, "no-cache"), asked);
        assert_eq!(judged(4, 60, "min-fresh=57"), asked);
        assert_eq!(
            judged(90, 60, "max-stale=3600"),
            Freshness::Stale(Forward::Stale)
        );
    }

    #[test]
    fn an_answer_says_how_long_and_a_private_cache_listens_to_max_age() {
        let lives = |value| lifetime(&control(value));
        assert_eq!(
            lives("private, max-age=60, s-maxage=90"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(lives("no-cache"), Some(Duration::ZERO));
        assert_eq!(lives("max-age=60, no-cache"), Some(Duration::ZERO));
        assert_eq!(lives("public"), None);
    }
}
