//! One question to GitHub: through the budget, out, and back as a value that says what it means.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, PRAGMA,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::collect::{Collected, collect, decoded};
use super::flight::Leader;
use super::{Caller, Inner, OnExhausted};
use crate::api::{self, Namespace, RateHeaders, key};
use crate::github::budget::{Ask, Cost, Priority, Resource};
use crate::github::gate::Patience;
use crate::github::{self, Body, Call, Destination, EndsWithConnection, Error};
use crate::stats::OriginCost;
use crate::time::Timestamp;

/// As much of a refusal's body as says why.
const REFUSAL_BYTES: usize = 64 << 10;

/// A question, ready to be sent.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    /// The method.
    pub method: Method,
    /// The upstream host.
    pub host: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// All fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// Whose credential it carries.
    pub caller: &'a Caller,
    /// What it costs.
    pub cost: Cost,
    /// The longest it waits for budget.
    pub patience: Patience,
    /// The flight that others wait for.
    pub leader: Option<&'a Leader>,
}

/// When a question was put, by the counter and by the clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// The event number.
    pub event: u64,
    /// The time.
    pub at: Timestamp,
}

/// Why nobody answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// No head of an answer came.
    #[error(transparent)]
    NoHead(#[from] Error),
    /// The body broke off.
    #[error("the answer broke off")]
    BrokeOff(#[source] reqwest::Error),
    /// The body fell silent.
    #[error("the answer fell silent before its end")]
    FellSilent(#[source] reqwest::Error),
}

impl Unanswered {
    /// How a body ended.
    fn body(error: reqwest::Error) -> Self {
        if github::fell_silent(&error) {
            Self::FellSilent(error)
        } else {
            Self::BrokeOff(error)
        }
    }

    /// The status that says this to the client.
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::NoHead(Error::Timeout(_)) | Self::FellSilent(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::NoHead(Error::Refused(_)) => StatusCode::FORBIDDEN,
            Self::NoHead(_) | Self::BrokeOff(_) => StatusCode::BAD_GATEWAY,
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(super) enum Reply {
    /// The whole answer, its body decoded and within the limit. A 304 is one without a body.
    Whole(Whole),
    /// The head of an answer whose body is too long to be held, or not meant to be.
    Long(http::Response<Body>),
    /// A rate limit; GitHub's own words.
    Limited(Whole),
    /// Nobody answered.
    Unreachable(Unanswered),
    /// There is no budget before this moment.
    Exhausted(Timestamp),
}

/// An answer held in memory.
#[derive(Debug)]
pub(super) struct Whole {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether `body` is what GitHub hashed: identity bytes.
    pub identity: bool,
}

impl Whole {
    /// The same as a response to be handed on.
    pub(super) fn into_response(self) -> http::Response<Body> {
        let mut response = http::Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The fields that go upstream for a read that may be kept: the client's, without its own conditions
/// and cache wishes, which are looked after here.
pub(super) fn read_fields(client: &HeaderMap) -> HeaderMap {
    let mut fields = client.clone();
    for own in [
        IF_NONE_MATCH,
        IF_MODIFIED_SINCE,
        CACHE_CONTROL,
        PRAGMA,
        CONTENT_LENGTH,
    ] {
        fields.remove(own);
    }
    // Absent, empty and `*/*` share a key, so they are asked for in the same words: GitHub hashes them.
    let accept = key::sent_accept(client.get(ACCEPT).map(HeaderValue::as_bytes)).to_vec();
    if let Ok(accept) = HeaderValue::from_bytes(&accept) {
        fields.insert(ACCEPT, accept);
    }
    // What is kept is decoded, but what is handed on is not: ask only for what the client can read.
    let gzip = client.get_all(ACCEPT_ENCODING).iter().any(|value| {
        value
            .as_bytes()
            .windows(4)
            .any(|word| word.eq_ignore_ascii_case(b"gzip"))
    });
    let coding = HeaderValue::from_static(if gzip { "gzip" } else { "identity" });
    fields.insert(ACCEPT_ENCODING, coding);
    fields
}

impl Inner {
    /// How long calls wait. Where GitHub forbids them, as the configuration says; where only our pacing
    /// holds them up, always: it must not fail what would have succeeded.
    pub(super) fn patience(&self) -> Patience {
        let paced = self.config.max_wait;
        Patience {
            closed: match self.config.on_exhausted {
                OnExhausted::Fail => Duration::ZERO,
                OnExhausted::Wait | OnExhausted::Stale => paced,
            },
            paced,
        }
    }

    /// Puts a question whose answer is wanted whole, if it is no longer than the body limit.
    pub(super) async fn ask(&self, outgoing: Outgoing<'_>) -> (Reply, Asked) {
        let (response, asked) = match self.send(outgoing).await {
            Ok(sent) => sent,
            Err(unsent) => return unsent,
        };
        (self.take_in(response, asked).await, asked)
    }

    /// Puts a question and returns as soon as the head of the answer is there.
    pub(super) async fn send(
        &self,
        outgoing: Outgoing<'_>,
    ) -> Result<(http::Response<Body>, Asked), (Reply, Asked)> {
        let Outgoing {
            method,
            host,
            target,
            headers,
            body,
            caller,
            cost,
            patience,
            leader,
        } = outgoing;
        let ask = ask_of(caller, target, cost);
        let is_api = self.github.destination(host) == Destination::Api;
        let now = || self.asked();
        let pass = if is_api {
            match self.gate.pass(ask, patience).await {
                Ok(pass) => Some(pass),
                Err(exhausted) => return Err((Reply::Exhausted(exhausted.until), now())),
            }
        } else {
            None
        };
        // After the wait for budget: only what is asked from here on counts as asked.
        let asked = now();
        if let Some(leader) = leader {
            leader.depart();
        }
        let call = Call {
            method,
            host: host.to_owned(),
            target: target.to_owned(),
            headers,
            body,
        };
        let sent = self.github.send(call).await;
        drop(pass);
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                self.stats.reason("origin-unreachable");
                return Err((Reply::Unreachable(error.into()), asked));
            }
        };
        if !is_api {
            return Ok((response, asked));
        }
        let free = response.status() == StatusCode::NOT_MODIFIED && !caller.id.is_anonymous();
        self.stats.origin(OriginCost {
            counted: !free && !target.starts_with("/rate_limit"),
            free_304: free,
            points: points(cost),
        });
        let answered = self.look_at_limits(response, ask, asked).await;
        if let Ok((response, _)) = &answered
            && response.status().is_client_error()
        {
            // Whatever was asked for, and how: a refusal is one.
            self.refused(host, &Namespace::of(target), caller, response.status());
        }
        answered
    }

    /// Tells the budget what GitHub said about it, and finds out whether a refusal is a limit.
    async fn look_at_limits(
        &self,
        response: http::Response<Body>,
        ask: Ask,
        asked: Asked,
    ) -> Result<(http::Response<Body>, Asked), (Reply, Asked)> {
        let rate = RateHeaders::parse(response.headers());
        let now = self.clock.now();
        if let Some(rate) = &rate {
            self.share_budget(rate, now);
        }
        let may_be_limit = matches!(
            response.status(),
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        );
        if !may_be_limit {
            self.gate.answered(&ask, rate.as_ref(), None, now);
            return Ok((response, asked));
        }
        let (parts, body) = response.into_parts();
        let start = match collect(body, REFUSAL_BYTES, self.config.hold_time).await {
            Collected::Whole(start) => start,
            Collected::Long(body) | Collected::Slow(body) => {
                self.gate.answered(&ask, rate.as_ref(), None, now);
                return Ok((http::Response::from_parts(parts, body), asked));
            }
            Collected::Broken(error) => {
                return Err((Reply::Unreachable(Unanswered::body(error)), asked));
            }
        };
        let readable = decoded(&parts.headers, &start, REFUSAL_BYTES).unwrap_or(start.clone());
        let refusal = api::refusal(parts.status, &parts.headers, &readable, now);
        self.gate
            .answered(&ask, rate.as_ref(), refusal.as_ref(), now);
        if refusal.is_none() {
            Ok((http::Response::from_parts(parts, Body::from(start)), asked))
        } else {
            self.stats.reason("rate-limited");
            let (status, headers) = (parts.status, parts.headers);
            let whole = Whole {
                status,
                headers,
                body: start,
                identity: false,
            };
            Err((Reply::Limited(whole), asked))
        }
    }

    /// Reads a body to its end, if it is not too long, and decodes it.
    async fn take_in(&self, response: http::Response<Body>, _: Asked) -> Reply {
        let limit = self.config.body_limit;
        let (mut parts, body) = response.into_parts();
        if parts.status == StatusCode::NOT_MODIFIED {
            let (status, headers) = (parts.status, parts.headers);
            return Reply::Whole(Whole {
                status,
                headers,
                body: Bytes::new(),
                identity: true,
            });
        }
        let announced = parts
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        let long = |body, reason| {
            self.stats.reason(reason);
            Reply::Long(http::Response::from_parts(parts.clone(), body))
        };
        if announced.is_some_and(|length| length > limit) {
            return long(body, "not-stored-too-large");
        }
        if parts.extensions.get::<EndsWithConnection>().is_some() {
            return long(body, "not-stored-no-length");
        }
        let body = match collect(body, limit, self.config.hold_time).await {
            Collected::Whole(body) => body,
            Collected::Long(body) => return long(body, "not-stored-too-large"),
            Collected::Slow(body) => return long(body, "not-stored-too-slow"),
            Collected::Broken(error) => return Reply::Unreachable(Unanswered::body(error)),
        };
        let coded = parts.headers.contains_key(CONTENT_ENCODING);
        let (body, identity) = match decoded(&parts.headers, &body, limit) {
            Some(plain) if coded => {
                parts.headers.remove(CONTENT_ENCODING);
                parts
                    .headers
                    .insert(CONTENT_LENGTH, HeaderValue::from(plain.len()));
                (plain, true)
            }
            Some(plain) => (plain, true),
            None => (body, false),
        };
        Reply::Whole(Whole {
            status: parts.status,
            headers: parts.headers,
            body,
            identity,
        })
    }
}

/// What a call asks of the caller's budget.
pub(super) fn ask_of(caller: &Caller, target: &str, cost: Cost) -> Ask {
    Ask {
        credential: caller.id,
        kind: caller.kind,
        resource: resource_of(target),
        cost,
        priority: Priority::Normal,
    }
}

/// Which counter of GitHub's a target falls under.
pub(super) fn resource_of(target: &str) -> Resource {
    match target.split(['/', '?']).nth(1) {
        Some("graphql") => Resource::Graphql,
        Some("search") => Resource::Search,
        _ => Resource::Core,
    }
}

/// Points of the secondary limits.
///
/// <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit>
const fn points(cost: Cost) -> u64 {
    match cost {
        Cost::Read | Cost::Query => 1,
        Cost::Write | Cost::Mutation => 5,
    }
}
