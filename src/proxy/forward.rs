//! A request on its way to whoever answers it, and the answer on its way to hyper.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};

use super::date::DateText;
use super::failure::Refusal;
use super::host::Base;
use super::message::Progress;
use super::parking::Repeatable;
use super::rewrite::{self, Held, Rewriter};
use super::{Service, Shared, log, render};
use crate::github::{self, Body};
use crate::http_cache::CacheStatus;
use crate::store::epoch_log::Teller;
use crate::tiered::{self, Answer, Caller, Failure};

/// The body of an answer, for hyper.
pub(super) type Outgoing = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// What the keeper says when it passes everything through.
const PASS_THROUGH: CacheStatus = CacheStatus::Bypass {
    reason: "pass-through",
};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// What the front has found out about a request.
pub(super) struct Job {
    pub(super) host: String,
    pub(super) target: String,
    pub(super) base: Base<'static>,
    /// Whether this client wants the addresses in bodies rewritten.
    pub(super) rewrites_body: bool,
    pub(super) repeatable: Repeatable,
    /// Absent where nothing is cached.
    pub(super) caller: Option<Caller>,
}

/// Answers one request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    job: Arc<Job>,
    request: Request<Incoming>,
    progress: Arc<Progress>,
) -> Response<Outgoing> {
    let line = log::Line::begin(request.method(), &job.target, &shared.clock);
    let answer = respond(&shared, &job, request, &progress).await;
    if let Some(line) = line {
        line.end(&answer, &shared.clock);
    }
    answer
}

async fn respond(
    shared: &Shared,
    job: &Job,
    request: Request<Incoming>,
    progress: &Progress,
) -> Response<Outgoing> {
    let (head, body) = request.into_parts();
    let method = head.method.clone();
    let headers = outbound(head.headers, job);
    // Counted before it is seen who answers: who waits for the last one misses none.
    let asked = shared.asking.one();
    let answer = match (shared.service(), job.caller.clone()) {
        (Service::Tiered(tiered), Some(caller)) => {
            let request = tiered::Request {
                method: head.method,
                host: job.host.clone(),
                target: job.target.clone(),
                headers,
                body: inbound(body),
                caller,
            };
            tiered.answer(request).await
        }
        (Service::PassThrough(client, teller), _) => {
            // Until the head of the answer is there, or the client is gone.
            let _writing = teller
                .as_ref()
                .filter(|_| !head.method.is_safe())
                .map(Teller::writing);
            pass(client, head.method, job, headers, body).await
        }
        (Service::Tiered(_), None) => {
            return refuse(&Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the caller got lost",
            ));
        }
    };
    drop(asked);
    let mut rewriter = Rewriter::new(&shared.client, &job.base);
    match answer {
        Answer::Served(served) => {
            let body = Some(&served.body)
                .filter(|_| job.rewrites_body && is_json(&served))
                .and_then(|body| {
                    let make = || rewriter.body(body);
                    shared.rewritten.of(body, job.base.api(), make)
                })
                .unwrap_or_else(|| served.body.clone());
            let mut date = DateText::default();
            let date = date.at(shared.clock.now());
            render::response(&served, &job.base, &method, body, date).map(whole)
        }
        Answer::Passed { response, cache } => {
            passed(shared, job, &method, response, cache, &mut rewriter).await
        }
        Answer::Failed(failure) => {
            refuse(&progress.fault().unwrap_or_else(|| Refusal::from(failure)))
        }
    }
}

/// Whether what is served is JSON.
pub(super) fn is_json(served: &tiered::Served) -> bool {
    served
        .fields
        .get("content-type")
        .is_some_and(rewrite::is_json)
}

/// The fields that go on. Those of the connection are the client's of [`github`] to remove.
fn outbound(mut headers: HeaderMap, job: &Job) -> HeaderMap {
    if job.rewrites_body {
        // What is compressed cannot be rewritten.
        headers.remove(header::ACCEPT_ENCODING);
    }
    // hyper has answered it already (RFC 9110, section 10.1.1).
    headers.remove(header::EXPECT);
    headers
}

/// A request's body as the origin's client takes it. No body stays no body: it must not become an
/// empty chunked one.
fn inbound(body: Incoming) -> Body {
    if body.is_end_stream() {
        Body::from(Bytes::new())
    } else {
        Body::wrap(body)
    }
}

async fn pass(
    client: &github::Client,
    method: Method,
    job: &Job,
    headers: HeaderMap,
    body: Incoming,
) -> Answer {
    let call = github::Call {
        method,
        host: job.host.clone(),
        target: job.target.clone(),
        headers,
        body: inbound(body),
    };
    match client.send(call).await {
        Ok(response) => Answer::Passed {
            response,
            cache: PASS_THROUGH,
        },
        Err(error) => Answer::Failed(Failure {
            status: match &error {
                github::Error::Refused(_) => StatusCode::FORBIDDEN,
                github::Error::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
                github::Error::Connect(_)
                | github::Error::Broken(_)
                | github::Error::Switched(_) => StatusCode::BAD_GATEWAY,
            },
            message: error.to_string(),
            retry_after: None,
            cache: PASS_THROUGH,
        }),
    }
}

async fn passed(
    shared: &Shared,
    job: &Job,
    method: &Method,
    mut response: Response<Body>,
    cache: CacheStatus,
    rewriter: &mut Rewriter<'_>,
) -> Response<Outgoing> {
    let held = job.rewrites_body && is_rewritable(&response, shared.config.rewrite_limit);
    let (status, headers) = (response.status(), response.headers_mut());
    rewriter.headers(headers);
    if let Ok(value) = HeaderValue::try_from(cache.to_string()) {
        headers.insert(CACHE_STATUS, value);
    }
    if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        headers.remove(header::CONTENT_LENGTH);
    }
    if !held {
        return response.map(|body| Flushed::new(body).boxed_unsync());
    }
    if *method == Method::HEAD {
        // The length of the rewritten body is not known; none is better than a wrong one.
        response.headers_mut().remove(header::CONTENT_LENGTH);
        return response.map(|_| whole(Bytes::new()));
    }
    let (mut parts, body) = response.into_parts();
    match rewrite::hold(body, shared.config.rewrite_limit).await {
        Ok(Held::Whole(bytes)) => {
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, whole(rewriter.body(&bytes).unwrap_or(bytes)))
        }
        Ok(Held::Longer(start, rest)) => Response::from_parts(parts, rewrite::rejoin(start, rest)),
        Err(_) => refuse(&Refusal::new(
            StatusCode::BAD_GATEWAY,
            "GitHub's answer broke off",
        )),
    }
}

/// A body that breaks off one step later than its source: hyper throws away what it has not written
/// yet when a body fails, also a head, and the client would not even know the status.
struct Flushed {
    inner: Body,
    failed: Option<reqwest::Error>,
}

impl Flushed {
    const fn new(inner: Body) -> Self {
        Self {
            inner,
            failed: None,
        }
    }
}

impl hyper::body::Body for Flushed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error.into())));
        }
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Err(error)) => {
                self.failed = Some(error);
                // hyper flushes before it waits.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            frame => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn is_rewritable(response: &Response<Body>, limit: usize) -> bool {
    let headers = response.headers();
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| rewrite::is_json(kind.as_bytes()));
    let plain = !headers.contains_key(header::CONTENT_ENCODING);
    let fits = response.body().size_hint().lower() <= limit as u64;
    json && plain && fits && response.status() != StatusCode::PARTIAL_CONTENT
}

/// An error of ours as a response.
pub(super) fn refuse(refusal: &Refusal) -> Response<Outgoing> {
    let mut response = Response::new(whole(refusal.body().into()));
    *response.status_mut() = refusal.status;
    render::append(response.headers_mut(), refusal.fields().as_bytes());
    response
}

/// A body that is all there.
pub(super) fn whole(body: Bytes) -> Outgoing {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}
