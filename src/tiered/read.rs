//! A read that may be kept: a hit, a free question, or a fetch.

mod seek;
mod settle;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use seek::{Plan, Sought};
use settle::{failed, forwarded, not_cached, passed};

use super::ask::{Asked, Outgoing, Reply, ask_of, read_fields};
use super::decide::{self, Candidate, Validator, Verdict};
use super::flight::{Leader, Seat, Start, Waiter};
use super::serve::{Facts, computed_etag};
use super::{Answer, Inner, OnExhausted, Request, Served, request_control};
use crate::api::page::{self, Tail};
use crate::api::{Question, validator};
use crate::github::Body;
use crate::github::budget::{Cost, Pressure};
use crate::github::gate::Patience;
use crate::http_cache::{CacheControl, CacheStatus, Forward, Tier};
use crate::stats::Outcome;
use crate::store::{Scheme, Variant};
use crate::time::Timestamp;

/// A request that waited for this many leaders without luck asks on its own.
const WAITS_MAX: usize = 4;

/// Answers a read, and counts it.
pub(super) async fn answer(inner: &Arc<Inner>, request: Request, question: Question) -> Answer {
    let started = Instant::now();
    let (request, question) = (Arc::new(request), Arc::new(question));
    let read = Read {
        inner: Arc::clone(inner),
        request,
        question: Arc::clone(&question),
        leader: None,
    };
    let (answer, outcome) = read.run().await;
    let status = match &answer {
        Answer::Served(served) => served.status,
        Answer::Passed { response, .. } => response.status(),
        Answer::Failed(failure) => failure.status,
    };
    inner.finished(&question, outcome, status, started.elapsed());
    answer
}

#[derive(Clone)]
struct Read {
    inner: Arc<Inner>,
    request: Arc<Request>,
    question: Arc<Question>,
    /// Who waits for this one's answer; the flight lands when the last handle is dropped.
    leader: Option<Arc<Leader>>,
}

/// An answer, and the row it is counted in.
type Ended = (Answer, Outcome);

enum Step {
    Serve(Served, Outcome),
    Ask(Asking),
}

enum Asking {
    /// One conditional question: is this still what the caller would see?
    Confirm(Candidate, Forward),
    /// The body, please.
    Fetch(Forward),
}

impl Asking {
    const fn why(&self) -> Forward {
        match self {
            Self::Confirm(_, why) | Self::Fetch(why) => *why,
        }
    }
}

impl Read {
    async fn run(self) -> Ended {
        let control = request_control(&self.request.head().fields);
        let mut waited_since = None;
        let mut waits = 0;
        let mut tier = Tier::Memory;
        loop {
            let now = self.inner.clock.now();
            let mut facts = self.facts(now);
            facts.known.waited_since = waited_since;
            let asking = match self.step(&facts, &control, tier, now) {
                Step::Serve(served, outcome) => return (Answer::Served(served), outcome),
                Step::Ask(asking) => asking,
            };
            // Another daemon may have asked meanwhile, or this one before it was started anew.
            if tier == Tier::Memory {
                tier = Tier::Disk;
                if self.inner.promote(&self.question.key) {
                    continue;
                }
            }
            if control.only_if_cached {
                return not_cached(asking.why());
            }
            // A condition is free, and what is held has the head as well; a body would be for nothing.
            if self.question.head_only && matches!(asking, Asking::Fetch(_)) {
                return self.pass_head(asking.why()).await;
            }
            // Who wants no cached answer wants no shared one either.
            if control.no_cache || waits == WAITS_MAX {
                return self.ask(asking, None, false).await;
            }
            match self.seat(&asking, &facts, now) {
                Seat::Leader(leader) => {
                    // Who waited for a leader here knows what peers had to say.
                    let seeks = waited_since.is_none();
                    return self.ask(asking, Some(leader), seeks).await;
                }
                Seat::Waiter(waiter) => match self.wait(waiter).await {
                    Some(since) => waited_since = Some(since),
                    None => return self.ask(asking, None, false).await,
                },
            }
            waits += 1;
        }
    }

    fn facts(&self, now: Timestamp) -> Facts {
        let place = (&*self.request.host, &*self.request.target);
        self.inner
            .facts(place, &self.question, &self.request.caller, now)
    }

    fn step(&self, facts: &Facts, control: &CacheControl, tier: Tier, now: Timestamp) -> Step {
        let entry = self.inner.memory.entry(&self.question.key);
        let verdict = decide::decide(entry.as_deref(), facts.asker, &facts.known, control, now);
        let asking = match verdict {
            Verdict::Hit {
                variant,
                grant,
                ttl,
            } => {
                self.inner.count_hit(&self.question.key, &variant, now);
                let waited = facts.known.waited_since.is_some();
                let cache = if waited { shared() } else { hit(ttl, tier) };
                let (head, caller) = (self.request.head(), &self.request.caller);
                let served =
                    self.inner
                        .serve(&head, caller, &variant, grant.as_deref(), cache, now);
                let outcome = if waited {
                    Outcome::Coalesced
                } else {
                    outcome_of(tier)
                };
                return Step::Serve(served, outcome);
            }
            Verdict::Revalidate { candidate, why } => Asking::Confirm(candidate, why),
            Verdict::Fetch { why } => Asking::Fetch(why),
        };
        // Hardly any budget is left: what this caller has seen within the hour will do.
        let scarce = facts.pressure == Pressure::Aggressive && !control.no_cache;
        if scarce && let Some(served) = self.stale(facts, now) {
            return Step::Serve(served, Outcome::Stale);
        }
        Step::Ask(asking)
    }

    /// A body is the same question for everybody, a condition only for one credential.
    fn seat(&self, asking: &Asking, facts: &Facts, now: Timestamp) -> Seat {
        let credential = match asking {
            Asking::Confirm(..) => Some(self.request.caller.id),
            Asking::Fetch(_) => None,
        };
        let start = Start {
            event: self.inner.event(),
            at: now,
        };
        self.inner
            .flights
            .join((self.question.key, credential), facts.known.floor, start)
    }

    /// Waits for the leader: when its flight started. `None`: the leader waits for its budget, and this
    /// caller's has room; or its answer takes too long to be shared.
    async fn wait(&self, mut waiter: Waiter) -> Option<Timestamp> {
        let (caller, target) = (&self.request.caller, &self.request.target);
        while !waiter.departed().await {
            if self.inner.gate.has_room(ask_of(caller, target, Cost::Read)) {
                return None;
            }
        }
        waiter.landed(self.inner.config.hold_time).await
    }

    /// Asks the peers, if `seeks`, and GitHub, in a task of its own: a client that goes away wastes no call, since the answer is
    /// kept all the same.
    async fn ask(mut self, asking: Asking, leader: Option<Leader>, seeks: bool) -> Ended {
        let why = asking.why();
        self.leader = leader.map(Arc::new);
        let task = tokio::spawn(async move {
            let plan = if seeks {
                match self.seek(asking).await {
                    Sought::Shown(ended) => return ended,
                    Sought::Ask(plan) => plan,
                }
            } else {
                Plan::of(asking)
            };
            let ended = match &plan.asking {
                Asking::Confirm(candidate, why) => self.confirm(candidate.clone(), *why).await,
                Asking::Fetch(why) => self.fetch(*why, true).await,
            };
            self.tell(plan, &ended);
            ended
        });
        task.await.unwrap_or_else(|error| {
            // Only a defect of ours ends up here; the client deserves an answer all the same.
            tracing::error!(%error, "a request to GitHub ended without an answer");
            let message = "an internal error; the daemon's log has more".to_owned();
            failed(StatusCode::INTERNAL_SERVER_ERROR, message, None, why)
        })
    }

    /// Asks whether a candidate is what the caller would see.
    async fn confirm(&self, candidate: Candidate, why: Forward) -> Ended {
        let variant = &self.as_asked(&candidate.variant);
        let etag = match candidate.validator {
            Validator::Own(etag) => Some(etag),
            Validator::Computed => {
                let head = self.request.head();
                computed_etag(&head, &self.request.caller, variant)
            }
        };
        let (reply, asked) = self.put(&self.request.target, etag.as_deref()).await;
        match reply {
            Reply::Whole(whole) if whole.status == StatusCode::NOT_MODIFIED => {
                if self.may_hide_a_page(variant).await {
                    self.inner.stats.reason("list-page-refetched");
                    return self.fetch(why, false).await;
                }
                let (head, caller) = (self.request.head(), &self.request.caller);
                let kept = self.inner.confirm(
                    &head,
                    &self.question,
                    caller,
                    variant,
                    &whole.headers,
                    asked,
                );
                let cache = forwarded(confirmed(why), StatusCode::NOT_MODIFIED, false);
                (
                    Answer::Served(self.serve(&kept, cache)),
                    Outcome::Revalidated,
                )
            }
            reply => self.settle(reply, asked, why),
        }
    }

    /// `variant`, without what only its maker says of it. What nobody here received or proved was imported: its
    /// end may have been judged for another page size, and whether anybody may read it is GitHub's word.
    fn as_asked(&self, variant: &Arc<Variant>) -> Arc<Variant> {
        if variant.kinds != 0 && !variant.is_hearsay() {
            return Arc::clone(variant);
        }
        let has_next = variant.links.as_ref().is_some_and(|links| links.has_next());
        let tail = page::tail(&self.request.target, &variant.body, has_next);
        Arc::new(Variant {
            tail: Arc::new(tail),
            was_public: false,
            ..Variant::clone(variant)
        })
    }

    /// Whether a page may follow that the 304 did not tell us about: GitHub's validator does not cover
    /// `Link`, so a full last page looks the same when the list has grown.
    async fn may_hide_a_page(&self, variant: &Variant) -> bool {
        let probe = match &*variant.tail {
            Tail::NotAList | Tail::Partial | Tail::HasNext => return false,
            Tail::Full { probe: None } => return true,
            Tail::Full { probe: Some(probe) } => probe,
        };
        let Scheme::Hashed(vary) = variant.scheme else {
            return true;
        };
        let head = self.request.head();
        let accept = crate::api::key::sent_accept(head.fields.accept);
        let authorization = self.request.caller.authorization.expose();
        let empty = validator::computed(vary, accept, authorization, &probe.empty);
        let etag = validator::quoted(&empty);
        match self.put(&probe.target, Some(&etag)).await.0 {
            Reply::Whole(whole) if whole.status == StatusCode::NOT_MODIFIED => false,
            // An endpoint without pages gives the same list whatever page is asked for.
            Reply::Whole(whole) if whole.status == StatusCode::OK => {
                whole.body != probe.empty && whole.body != variant.body
            }
            _ => true,
        }
    }

    /// Asks for the body. The client's own conditions go along where nothing is held that they could
    /// be judged by.
    async fn fetch(&self, why: Forward, with_conditions: bool) -> Ended {
        let mut fields = read_fields(&self.request.headers);
        if with_conditions {
            for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
                if let Some(value) = self.request.headers.get(&name) {
                    fields.insert(name, value.clone());
                }
            }
        }
        let (reply, asked) = self.send(&self.request.target, fields).await;
        self.settle(reply, asked, why)
    }

    async fn put(&self, target: &str, etag: Option<&str>) -> (Reply, Asked) {
        let mut fields = read_fields(&self.request.headers);
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            fields.insert(IF_NONE_MATCH, etag);
        }
        self.send(target, fields).await
    }

    async fn send(&self, target: &str, headers: HeaderMap) -> (Reply, Asked) {
        self.inner
            .ask(self.outgoing(Method::GET, target, headers))
            .await
    }

    fn outgoing<'a>(&'a self, method: Method, target: &'a str, headers: HeaderMap) -> Outgoing<'a> {
        Outgoing {
            method,
            host: &self.request.host,
            target,
            headers,
            body: Body::default(),
            caller: &self.request.caller,
            cost: Cost::Read,
            patience: self.patience(),
            leader: self.leader.as_deref(),
        }
    }

    /// What is held and may be shown stale is shown at once, if so it was wanted.
    fn patience(&self) -> Patience {
        let now = self.inner.clock.now();
        let mut patience = self.inner.patience();
        if self.inner.config.on_exhausted == OnExhausted::Stale
            && self.stale(&self.facts(now), now).is_some()
        {
            patience.closed = Duration::ZERO;
        }
        patience
    }

    /// HEAD of something that is not held: GitHub's answer has no body to keep.
    async fn pass_head(&self, why: Forward) -> Ended {
        let mut fields = read_fields(&self.request.headers);
        for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE] {
            if let Some(value) = self.request.headers.get(&name) {
                fields.insert(name, value.clone());
            }
        }
        let outgoing = self.outgoing(Method::HEAD, &self.request.target, fields);
        match self.inner.send(outgoing).await {
            Ok((response, _)) => passed(response, why),
            Err((reply, asked)) => self.settle(reply, asked, why),
        }
    }
}

pub(super) fn hit(ttl: Duration, tier: Tier) -> CacheStatus {
    let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    CacheStatus::Hit { ttl, tier }
}

/// Why GitHub was asked about a body that it confirmed. A peer's counts as held by then: what was missing before it came
/// is said by the counters, and to the client it is what RFC 9211 calls stale.
const fn confirmed(why: Forward) -> Forward {
    match why {
        Forward::UriMiss | Forward::VaryMiss | Forward::Stale => Forward::Stale,
        Forward::Request => Forward::Request,
    }
}

/// The row in which a hit is counted.
pub(super) const fn outcome_of(tier: Tier) -> Outcome {
    match tier {
        Tier::Memory => Outcome::HitMemory,
        Tier::Disk => Outcome::HitDisk,
        Tier::Peer => Outcome::HitPeer,
        Tier::Stale => Outcome::Stale,
    }
}

/// Another request of the same moment asked for it.
const fn shared() -> CacheStatus {
    CacheStatus::Forwarded {
        why: Forward::UriMiss,
        status: 200,
        stored: true,
        collapsed: true,
    }
}
