//! The same request once more: what has to hold for the same answer.
//!
//! Most of a hit's time goes into reading a request and writing an answer's head, and a client that
//! asks often asks the same. Nothing that decides about the answer is skipped: what is held is looked
//! up, judged and counted as for any other request. Only when that comes to the very same body, grant,
//! age and budget as before, the bytes that were made of them then are good again.

use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use http::StatusCode;

use super::hit::Hit;
use super::{Caller, Inner, Served, Tiered, request_control};
use crate::api::{Head, Question, RateHeaders};
use crate::http_cache::CacheControl;
use crate::secret::CredentialId;
use crate::stats::Outcome;
use crate::store::{Grant, Variant};
use crate::time::Timestamp;

/// A hit in memory, and why it was one.
#[derive(Debug)]
pub struct Basis {
    caller: CredentialId,
    host: Box<str>,
    target: Box<str>,
    question: Question,
    control: CacheControl,
    status: StatusCode,
    grounds: Grounds,
}

/// What the bytes of an answer were made of, beside the request.
#[derive(Debug)]
struct Grounds {
    // Weak: a connection at rest keeps no body alive. The place in memory is not given away while
    // somebody points to it, so the same place means the same thing.
    variant: Weak<Variant>,
    grant: Option<Weak<Grant>>,
    rate: Option<Arc<RateHeaders>>,
    /// Seconds of freshness left.
    ttl: u64,
    /// Seconds since GitHub said that this is current.
    age: u64,
    /// The second of the `Date`.
    at: u64,
}

impl Grounds {
    fn of(hit: &Hit, rate: Option<Arc<RateHeaders>>, now: Timestamp) -> Self {
        Self {
            variant: Arc::downgrade(&hit.variant),
            grant: hit.grant.as_ref().map(Arc::downgrade),
            rate,
            ttl: hit.ttl.as_secs(),
            age: now.since(hit.variant.validated_at).as_secs(),
            at: now.as_secs(),
        }
    }

    fn hold(&self, hit: &Hit, rate: Option<&Arc<RateHeaders>>, now: Timestamp) -> bool {
        let same_rate = match (&self.rate, rate) {
            (Some(then), Some(now)) => Arc::ptr_eq(then, now),
            (None, None) => true,
            _ => false,
        };
        let same_grant = match (&self.grant, &hit.grant) {
            (Some(then), Some(now)) => std::ptr::eq(then.as_ptr(), Arc::as_ptr(now)),
            (None, None) => true,
            _ => false,
        };
        same_rate
            && same_grant
            && std::ptr::eq(self.variant.as_ptr(), Arc::as_ptr(&hit.variant))
            && self.at == now.as_secs()
            && self.ttl == hit.ttl.as_secs()
            && self.age == now.since(hit.variant.validated_at).as_secs()
    }
}

impl Tiered {
    /// As [`Tiered::peek`], with what [`Tiered::again`] needs to know.
    pub fn peek_with_basis(
        &self,
        head: &Head<'_>,
        caller: &Caller,
        now: Timestamp,
    ) -> Option<(Served, Basis)> {
        self.0
            .peek(head, caller, now, |question, hit, served| Basis {
                caller: caller.id,
                host: head.host.into(),
                target: head.target.into(),
                control: request_control(&head.fields),
                status: served.status,
                grounds: Grounds::of(&hit, served.rate.clone(), now),
                question,
            })
    }

    /// Whether the same request of the same caller has the same answer as when `last` was made: its
    /// body then, and the request is counted. `None`: ask anew, nothing was counted.
    pub fn again(&self, last: &Basis, caller: &Caller, now: Timestamp) -> Option<Bytes> {
        let started = Instant::now();
        let inner: &Inner = &self.0;
        if caller.id != last.caller {
            return None;
        }
        let place = (&*last.host, &*last.target);
        let hit = inner.find(place, &last.question, &last.control, caller, now)?;
        let rate = inner.rate(caller, &last.target);
        if !last.grounds.hold(&hit, rate.as_ref(), now) {
            return None;
        }
        let took = started.elapsed();
        inner.finished(&last.question, Outcome::HitMemory, last.status, took);
        Some(hit.variant.body.clone())
    }
}
