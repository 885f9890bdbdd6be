//! What is served without asking anybody.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::{Caller, Inner, Served, decide, read};
use crate::api::{Fields, Head, Question, Route};
use crate::http_cache::{CacheControl, Tier};
use crate::stats::Outcome;
use crate::store::{Grant, Variant};
use crate::time::Timestamp;

/// What is served without asking anybody.
#[derive(Debug)]
pub(super) struct Hit {
    pub variant: Arc<Variant>,
    /// The caller's grant; `None` when the body is public.
    pub grant: Option<Arc<Grant>>,
    /// Freshness left.
    pub ttl: Duration,
}

impl Inner {
    /// A hit in memory and nothing else, counted; `keep` makes of it what is wanted beside the answer.
    pub(super) fn peek<T>(
        &self,
        head: &Head<'_>,
        caller: &Caller,
        now: Timestamp,
        keep: impl FnOnce(Question, Hit, &Served) -> T,
    ) -> Option<(Served, T)> {
        let started = std::time::Instant::now();
        let Route::Cacheable(question) = crate::api::route(head) else {
            return None;
        };
        let control = request_control(&head.fields);
        let place = (head.host, head.target);
        let mut tier = Tier::Memory;
        let hit = match self.find(place, &question, &control, caller, now) {
            Some(hit) => hit,
            // Something held in memory may be asked about; then `answer` looks on disk first.
            None if self.memory.holds(&question.key) => return None,
            None => {
                tier = Tier::Disk;
                if !self.promote(&question.key) {
                    self.absent.note(&question.key);
                    return None;
                }
                self.find(place, &question, &control, caller, now)?
            }
        };
        let cache = read::hit(hit.ttl, tier);
        let served = self.serve(head, caller, &hit.variant, hit.grant.as_deref(), cache, now);
        let took = started.elapsed();
        self.finished(&question, read::outcome_of(tier), served.status, took);
        let kept = keep(question, hit, &served);
        Some((served, kept))
    }

    /// What memory holds for this caller, if it needs nobody's word.
    pub(super) fn find(
        &self,
        place: (&str, &str),
        question: &Question,
        control: &CacheControl,
        caller: &Caller,
        now: Timestamp,
    ) -> Option<Hit> {
        let entry = self.memory.entry(&question.key)?;
        let facts = self.facts(place, question, caller, now);
        match decide::decide(Some(&entry), facts.asker, &facts.known, control, now) {
            decide::Verdict::Hit {
                variant,
                grant,
                ttl,
            } => {
                self.count_hit(&question.key, &variant, now);
                Some(Hit {
                    variant,
                    grant,
                    ttl,
                })
            }
            decide::Verdict::Revalidate { .. } | decide::Verdict::Fetch { .. } => None,
        }
    }

    /// Counts the end of a cacheable request.
    pub(super) fn finished(
        &self,
        question: &Question,
        outcome: Outcome,
        status: StatusCode,
        took: Duration,
    ) {
        self.stats.cacheable();
        // A client that holds the current body would have had its 304 for free, and GitHub does not
        // count what it cannot answer.
        if status != StatusCode::NOT_MODIFIED && outcome != Outcome::Failed {
            self.stats.would_count();
        }
        self.stats
            .request(outcome, question.operation as usize, took);
    }
}

/// The request's own `Cache-Control`; `Pragma: no-cache` counts where there is none (RFC 9111, 5.4).
pub(super) fn request_control(fields: &Fields<'_>) -> CacheControl {
    let mut control = CacheControl::parse(fields.cache_control.into_iter());
    let pragma = fields.pragma.unwrap_or_default().to_ascii_lowercase();
    if fields.cache_control.is_none() && pragma.windows(8).any(|word| word == b"no-cache") {
        control.no_cache = true;
    }
    control
}
