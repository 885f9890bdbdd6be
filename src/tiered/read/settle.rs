//! What becomes of GitHub's answer to a read: kept and served, handed on, or stood in for.

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::{Ended, Read};
use crate::api::{Namespace, namespace};
use crate::github::Body;
use crate::http_cache::{CacheStatus, Forward};
use crate::stats::Outcome;
use crate::tiered::ask::{Asked, Reply, Whole};
use crate::tiered::keep::Kept;
use crate::tiered::serve::Facts;
use crate::tiered::{Answer, Failure, Served, decide};
use crate::time::Timestamp;

impl Read {
    /// Makes an answer of what came back.
    pub(super) fn settle(&self, reply: Reply, asked: Asked, why: Forward) -> Ended {
        match reply {
            Reply::Whole(whole) if whole.status == StatusCode::OK => self.keep(whole, asked, why),
            Reply::Whole(whole) if whole.status.is_server_error() => self
                .stale_now()
                .unwrap_or_else(|| passed(whole.into_response(), why)),
            Reply::Whole(whole) => {
                self.note(&whole);
                passed(whole.into_response(), why)
            }
            Reply::Long(response) => passed(response, why),
            Reply::Limited(whole) => self
                .stale_now()
                .unwrap_or_else(|| passed(whole.into_response(), why)),
            Reply::Unreachable(error) => self.stale_now().unwrap_or_else(|| {
                failed(
                    error.status(),
                    format!("GitHub did not answer: {error}"),
                    None,
                    why,
                )
            }),
            Reply::Exhausted(until) => self.stale_now().unwrap_or_else(|| {
                let wait = until.since(self.inner.clock.now());
                let message = format!(
                    "the rate limit of this token is used up for another {} s and nothing that it \
                     has seen is held; --on-exhausted and --max-wait say what to do then",
                    wait.as_secs()
                );
                failed(StatusCode::TOO_MANY_REQUESTS, message, Some(wait), why)
            }),
        }
    }

    fn keep(&self, whole: Whole, asked: Asked, why: Forward) -> Ended {
        let (head, caller) = (self.request.head(), &self.request.caller);
        match self
            .inner
            .keep(&head, &self.question, caller, &whole, asked)
        {
            Ok(kept) => {
                let cache = forwarded(why, StatusCode::OK, true);
                (Answer::Served(self.serve(&kept, cache)), Outcome::Miss)
            }
            Err(reason) => {
                self.inner.stats.reason(reason.name());
                passed(whole.into_response(), why)
            }
        }
    }

    /// What a redirect says: a repository's number.
    fn note(&self, whole: &Whole) {
        let namespace = &self.question.namespace;
        let moved = whole
            .status
            .is_redirection()
            .then(|| whole.headers.get(LOCATION))
            .flatten();
        if let (Namespace::Repo(name), Some(Ok(to))) = (namespace, moved.map(HeaderValue::to_str))
            && let Some(id) = path_of(to).and_then(namespace::id_of_link)
        {
            self.inner.epochs.learn(id, name);
        }
    }

    pub(super) fn serve(&self, (variant, grant): &Kept, cache: CacheStatus) -> Served {
        let now = self.inner.clock.now();
        let (head, caller) = (self.request.head(), &self.request.caller);
        self.inner
            .serve(&head, caller, variant, grant.as_deref(), cache, now)
    }

    /// What may be shown because GitHub cannot answer.
    pub(super) fn stale(&self, facts: &Facts, now: Timestamp) -> Option<Served> {
        let entry = self.inner.memory.entry(&self.question.key)?;
        let (variant, grant) = decide::stale_on_error(
            &entry,
            facts.asker,
            &facts.known,
            self.inner.config.stale_on_error,
            now,
        )?;
        let (head, caller) = (self.request.head(), &self.request.caller);
        Some(
            self.inner
                .serve_stale(&head, caller, (&variant, grant.as_deref()), now),
        )
    }

    fn stale_now(&self) -> Option<Ended> {
        let now = self.inner.clock.now();
        let served = self.stale(&self.facts(now), now)?;
        Some((Answer::Served(served), Outcome::Stale))
    }
}

pub(super) const fn forwarded(why: Forward, status: StatusCode, stored: bool) -> CacheStatus {
    CacheStatus::Forwarded {
        why,
        status: status.as_u16(),
        stored,
        collapsed: false,
    }
}

pub(super) fn passed(response: http::Response<Body>, why: Forward) -> Ended {
    let cache = forwarded(why, response.status(), false);
    (Answer::Passed { response, cache }, Outcome::Miss)
}

pub(super) fn failed(
    status: StatusCode,
    message: String,
    retry_after: Option<Duration>,
    why: Forward,
) -> Ended {
    let cache = forwarded(why, status, false);
    (
        Answer::Failed(Failure {
            status,
            message,
            retry_after,
            cache,
        }),
        Outcome::Failed,
    )
}

/// RFC 9111, section 5.2.1.7.
pub(super) fn not_cached(why: Forward) -> Ended {
    let message = "nothing that may be served is held, and only-if-cached was asked for".to_owned();
    failed(StatusCode::GATEWAY_TIMEOUT, message, None, why)
}

/// Path and query of an absolute URL.
fn path_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.find('/').map(|at| &rest[at..])
}
