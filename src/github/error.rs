//! Why a call has no answer.

use std::error::Error as StdError;
use std::fmt;

use super::{Refused, guard, retry};

/// Why a call has no answer. No message holds a target or a field: both can be secrets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The host could not be reached.
    #[error("cannot connect to {}", .0.host)]
    Connect(Fault),
    /// A time limit passed.
    #[error("{} did not {} in time", .0.host, .0.phase)]
    Timeout(Late),
    /// The exchange broke off before the answer's head.
    #[error("the exchange with {} broke off", .0.host)]
    Broken(Fault),
}

/// What happened with which host.
#[derive(Debug, thiserror::Error)]
#[error("{host}")]
pub struct Fault {
    /// The host as the client named it.
    pub host: String,
    /// The cause, without its URL.
    pub source: reqwest::Error,
}

/// Which time limit passed with which host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The host as the client named it.
    pub host: String,
    /// What was waited for.
    pub phase: Phase,
}

/// What a time limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// [`Config::connect_timeout`](super::Config::connect_timeout).
    Connect,
    /// [`Config::head_timeout`](super::Config::head_timeout).
    Head,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "accept a connection",
            Self::Head => "answer",
        })
    }
}

/// The causes of `error`, itself first.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn not_public(cause: &(dyn StdError + 'static)) -> bool {
    cause.is::<guard::NotPublic>()
}

/// What kind of failure `error` is. It is from before any answer's head.
pub(super) fn classify(error: &reqwest::Error) -> retry::Failure {
    // What hyper reports beside malformed answers and our own mistakes is a connection that ended.
    let reset = |cause: &(dyn StdError + 'static)| {
        let http = cause.downcast_ref::<hyper::Error>();
        http.is_some_and(|error| !error.is_parse() && !error.is_user())
    };
    match () {
        () if causes(error).any(not_public) => retry::Failure::Other,
        () if error.is_connect() && error.is_timeout() => retry::Failure::Timeout,
        () if error.is_connect() => retry::Failure::Connect,
        () if causes(error).any(reset) => retry::Failure::Reset,
        () => retry::Failure::Other,
    }
}

/// The error for who called.
pub(super) fn named(host: String, failure: retry::Failure, source: reqwest::Error) -> Error {
    if causes(&source).any(not_public) {
        return Error::Refused(Refused::Private);
    }
    match failure {
        retry::Failure::Timeout => Error::Timeout(Late {
            host,
            phase: Phase::Connect,
        }),
        retry::Failure::Connect => Error::Connect(Fault { host, source }),
        retry::Failure::Reset | retry::Failure::Other => Error::Broken(Fault { host, source }),
    }
}
