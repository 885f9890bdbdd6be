//! GraphQL: queries are kept for the credential that asked, for a short time; nobody can prove them for
//! another one. Mutations are writes that may change anything on the host.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method};

use super::ask::{Outgoing, Reply, read_fields};
use super::collect::{Collected, collect};
use super::decide::{self, Verdict};
use super::flight::{Seat, Start};
use super::read::{hit, outcome_of};
use super::{Answer, Failure, Inner, Request, request_control, write};
use crate::api::graphql::{self, Document};
use crate::api::{Effect, Namespace, Operation, Question, key};
use crate::github::Body;
use crate::github::budget::Cost;
use crate::http_cache::{CacheStatus, Forward, Tier};
use crate::stats::Outcome;

/// Longer ones are handed through unread: mutations that carry files.
const QUERY_BYTES: usize = 1 << 20;

/// Answers `POST /graphql`, and counts it.
pub(super) async fn answer(inner: &Arc<Inner>, mut request: Request) -> Answer {
    let coded = request.headers.contains_key(http::header::CONTENT_ENCODING);
    // What may change the answer in a way that the key does not know must not be kept under it.
    let refused = crate::api::refused(&request.head().fields);
    // How long a client may take is the proxy's to say.
    let collected = collect(
        std::mem::take(&mut request.body),
        QUERY_BYTES,
        Duration::MAX,
    );
    let body = match collected.await {
        Collected::Whole(body) if !coded => body,
        Collected::Whole(body) => return hand_through(inner, request, body, "coded-query").await,
        Collected::Long(body) | Collected::Slow(body) => {
            return hand_through(inner, request, body, "long-query").await;
        }
        Collected::Broken(_) => return broken_off(inner),
    };
    let query = match graphql::parse(&body) {
        Ok(Document::Query(query)) => query,
        Ok(Document::Mutation) => return hand_through(inner, request, body, "mutation").await,
        Ok(Document::Subscription) => {
            return hand_through(inner, request, body, "subscription").await;
        }
        Err(_) => return hand_through(inner, request, body, "unreadable-query").await,
    };
    let bypass = match refused {
        Some(bypass) => Some(bypass.name()),
        // It asks for what changes with every call.
        None => query.asks_rate_limit.then_some("rate-limit-query"),
    };
    if let Some(reason) = bypass {
        inner.stats.reason(reason);
        let cache = CacheStatus::Bypass { reason };
        request.body = body.into();
        return write::pass(inner, request, Effect::None, cache).await;
    }
    let question = Question {
        key: key::graphql(&request.caller.id, &request.head(), &query),
        operation: Operation::GraphqlQuery,
        // A write through us to anything on the host may show in it.
        namespace: Namespace::Host,
        head_only: false,
    };
    keepable(inner, request, body, question).await
}

async fn keepable(inner: &Arc<Inner>, request: Request, body: Bytes, question: Question) -> Answer {
    let started = std::time::Instant::now();
    let (answer, outcome) = run(inner, &request, body, &question).await;
    let status = match &answer {
        Answer::Served(served) => served.status,
        Answer::Passed { response, .. } => response.status(),
        Answer::Failed(failure) => failure.status,
    };
    inner.finished(&question, outcome, status, started.elapsed());
    answer
}

async fn run(
    inner: &Arc<Inner>,
    request: &Request,
    body: Bytes,
    question: &Question,
) -> (Answer, Outcome) {
    let control = request_control(&request.head().fields);
    let mut waited_since = None;
    let mut tier = Tier::Memory;
    loop {
        let now = inner.clock.now();
        let mut facts = inner.facts(
            (&request.host, &request.target),
            question,
            &request.caller,
            now,
        );
        facts.known.waited_since = waited_since;
        let entry = inner.memory.entry(&question.key);
        let verdict = decide::decide(entry.as_deref(), facts.asker, &facts.known, &control, now);
        let why = match verdict {
            Verdict::Hit {
                variant,
                grant,
                ttl,
            } => {
                let (cache, outcome) = match waited_since {
                    None => (hit(ttl, tier), outcome_of(tier)),
                    Some(_) => (collapsed(), Outcome::Coalesced),
                };
                let (head, caller) = (request.head(), &request.caller);
                let served = inner.serve(&head, caller, &variant, grant.as_deref(), cache, now);
                return (Answer::Served(served), outcome);
            }
            // Answers to a query have no validator.
            Verdict::Revalidate { why, .. } | Verdict::Fetch { why } => why,
        };
        if tier == Tier::Memory {
            tier = Tier::Disk;
            if inner.promote(&question.key) {
                continue;
            }
        }
        if waited_since.is_some() || control.no_cache {
            return fetch(inner, request, body, question, why).await;
        }
        let start = Start {
            event: inner.event(),
            at: now,
        };
        let seat = (question.key, Some(request.caller.id));
        match inner.flights.join(seat, facts.known.floor, start) {
            Seat::Leader(_until_landed) => {
                return fetch(inner, request, body, question, why).await;
            }
            Seat::Waiter(waiter) => match waiter.landed(inner.config.hold_time).await {
                Some(since) => waited_since = Some(since),
                None => return fetch(inner, request, body, question, why).await,
            },
        }
    }
}

async fn fetch(
    inner: &Arc<Inner>,
    request: &Request,
    body: Bytes,
    question: &Question,
    why: Forward,
) -> (Answer, Outcome) {
    let mut headers = read_fields(&request.headers);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let patience = inner.patience();
    let outgoing = Outgoing {
        method: Method::POST,
        host: &request.host,
        target: &request.target,
        headers,
        body: Body::from(body),
        caller: &request.caller,
        cost: Cost::Query,
        patience,
        leader: None,
    };
    let (reply, asked) = inner.ask(outgoing).await;
    let (head, caller) = (request.head(), &request.caller);
    let status = |status: http::StatusCode, stored| CacheStatus::Forwarded {
        why,
        status: status.as_u16(),
        stored,
        collapsed: false,
    };
    match reply {
        Reply::Whole(whole) => match inner.keep(&head, question, caller, &whole, asked) {
            Ok((variant, grant)) => {
                let cache = status(whole.status, true);
                let now = inner.clock.now();
                let served = inner.serve(&head, caller, &variant, grant.as_deref(), cache, now);
                (Answer::Served(served), Outcome::Miss)
            }
            Err(reason) => {
                inner.stats.reason(reason.name());
                let cache = status(whole.status, false);
                (
                    Answer::Passed {
                        response: whole.into_response(),
                        cache,
                    },
                    Outcome::Miss,
                )
            }
        },
        Reply::Long(response) => {
            let cache = status(response.status(), false);
            (Answer::Passed { response, cache }, Outcome::Miss)
        }
        Reply::Limited(whole) => {
            let cache = status(whole.status, false);
            (
                Answer::Passed {
                    response: whole.into_response(),
                    cache,
                },
                Outcome::Miss,
            )
        }
        reply => {
            let cache = status(http::StatusCode::BAD_GATEWAY, false);
            (
                Answer::Failed(write::failure(inner, reply, cache)),
                Outcome::Failed,
            )
        }
    }
}

const fn collapsed() -> CacheStatus {
    CacheStatus::Forwarded {
        why: Forward::UriMiss,
        status: 200,
        stored: true,
        collapsed: true,
    }
}

/// A mutation, or something that may be one.
async fn hand_through(
    inner: &Arc<Inner>,
    mut request: Request,
    body: impl Into<Body>,
    reason: &'static str,
) -> Answer {
    inner.stats.reason(reason);
    let cache = CacheStatus::Method { reason };
    let effect = Effect::Writes(Namespace::Host);
    request.body = body.into();
    write::pass(inner, request, effect, cache).await
}

fn broken_off(inner: &Inner) -> Answer {
    let took = Duration::ZERO;
    inner.stats.request(Outcome::Failed, usize::MAX, took);
    Answer::Failed(Failure {
        status: http::StatusCode::BAD_REQUEST,
        message: "the GraphQL query broke off".to_owned(),
        retry_after: None,
        cache: CacheStatus::Bypass {
            reason: "unreadable-query",
        },
    })
}
