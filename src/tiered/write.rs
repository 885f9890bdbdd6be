//! What is handed through: writes, and reads that the cache keeps out of.

use std::sync::Arc;
use std::time::Instant;

use http::{Method, StatusCode};

use super::ask::{Outgoing, Reply};
use super::{Answer, Failure, Inner, Request};
use crate::api::{self, Effect, Namespace, Route};
use crate::github::Destination;
use crate::github::budget::Cost;
use crate::http_cache::CacheStatus;
use crate::stats::Outcome;

/// Hands a write through, and makes stale what it may have changed.
pub(super) async fn answer(inner: &Arc<Inner>, request: Request, effect: Effect) -> Answer {
    pass(
        inner,
        request,
        effect,
        CacheStatus::Method { reason: "write" },
    )
    .await
}

/// Hands a request to any other host through: an upload, which changes its repository, or bytes that
/// are not the API's and that nobody here knows the meaning of.
pub(super) async fn other_host(inner: &Arc<Inner>, request: Request) -> Answer {
    let effect = match api::route(&request.head()) {
        Route::Write(effect) if inner.github.takes_uploads(&request.host) => effect,
        _ => Effect::None,
    };
    let reason = "other-host";
    let cache = match effect {
        Effect::Writes(_) => CacheStatus::Method { reason },
        Effect::None => CacheStatus::Bypass { reason },
    };
    inner.stats.reason(reason);
    pass(inner, request, effect, cache).await
}

/// Hands a request through as it is, and counts it.
pub(super) async fn pass(
    inner: &Arc<Inner>,
    request: Request,
    effect: Effect,
    cache: CacheStatus,
) -> Answer {
    let started = Instant::now();
    let answer = hand_through(inner, request, effect, cache).await;
    let outcome = match answer {
        Answer::Failed(_) => Outcome::Failed,
        Answer::Served(_) | Answer::Passed { .. } => Outcome::PassedThrough,
    };
    inner.stats.request(outcome, usize::MAX, started.elapsed());
    answer
}

async fn hand_through(
    inner: &Arc<Inner>,
    request: Request,
    effect: Effect,
    cache: CacheStatus,
) -> Answer {
    let Request {
        method,
        host,
        target,
        headers,
        body,
        caller,
    } = request;
    let is_safe = matches!(method, Method::GET | Method::HEAD | Method::OPTIONS);
    let namespace = match effect {
        Effect::Writes(namespace) => Some(namespace),
        Effect::None => None,
    };
    let writing = namespace.map(|namespace| Writing::begin(inner, namespace));
    let patience = inner.patience();
    let cost = match (&*target, &writing) {
        ("/graphql", None) => Cost::Query,
        ("/graphql", Some(_)) => Cost::Mutation,
        _ if is_safe => Cost::Read,
        _ => Cost::Write,
    };
    let is_counted =
        inner.github.destination(&host) == Destination::Api && !target.starts_with("/rate_limit");
    let outgoing = Outgoing {
        method,
        host: &host,
        target: &target,
        headers,
        body,
        caller: &caller,
        cost,
        patience,
        leader: None,
    };
    let response = match inner.send(outgoing).await {
        Ok((response, _)) => response,
        Err((Reply::Limited(whole), _)) => whole.into_response(),
        Err((reply, _)) => {
            // Nothing is known of what a broken write did: it counts as done.
            if let Some(writing) = writing {
                writing.done().await;
            }
            return Answer::Failed(failure(inner, reply, cache));
        }
    };
    if let Some(writing) = writing {
        writing.answered(response.status()).await;
    }
    if is_counted && response.status() != StatusCode::NOT_MODIFIED {
        inner.stats.would_count();
    }
    Answer::Passed { response, cache }
}

/// The error that a request without an answer ends with.
pub(super) fn failure(inner: &Inner, reply: Reply, cache: CacheStatus) -> Failure {
    match reply {
        Reply::Exhausted(until) => {
            let wait = until.since(inner.clock.now());
            let message = format!(
                "the rate limit of this token is used up for another {} s; --max-wait allows waiting",
                wait.as_secs()
            );
            let status = StatusCode::TOO_MANY_REQUESTS;
            Failure {
                status,
                message,
                retry_after: Some(wait),
                cache,
            }
        }
        Reply::Unreachable(error) => {
            let message = format!("GitHub did not answer: {error}");
            Failure {
                status: error.status(),
                message,
                retry_after: None,
                cache,
            }
        }
        Reply::Whole(_) | Reply::Long(_) | Reply::Limited(_) => Failure {
            status: StatusCode::BAD_GATEWAY,
            message: "GitHub's answer could not be handed on".to_owned(),
            retry_after: None,
            cache,
        },
    }
}

/// A write under way. It stamps its namespace when it begins, so that what is asked before is stale,
/// and again when it is over, so that what was asked meanwhile is: GitHub may have answered it before
/// or after the change. A write that breaks off, or whose client goes away, counts as done. Peers are told
/// both times, and whoever is told of the answer by us knows that they know.
struct Writing {
    inner: Arc<Inner>,
    namespace: Namespace,
    is_over: bool,
}

impl Writing {
    fn begin(inner: &Arc<Inner>, namespace: Namespace) -> Self {
        let writing = Self {
            inner: Arc::clone(inner),
            namespace,
            is_over: false,
        };
        writing.stamp();
        writing.inner.tell_soon(&writing.namespace);
        writing
    }

    /// Only a definite refusal says that nothing was changed.
    async fn answered(mut self, status: StatusCode) {
        self.is_over = status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT;
        if !self.is_over {
            self.done().await;
        }
    }

    /// What it changed is stale everywhere when this returns.
    async fn done(mut self) {
        self.stamp();
        self.inner.tell(&self.namespace).await;
        self.is_over = true;
    }

    fn stamp(&self) {
        self.inner.written(&self.namespace);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.is_over {
            self.stamp();
            self.inner.tell_soon(&self.namespace);
        }
    }
}
