//! Why a call has no answer.

use std::error::Error as StdError;
use std::fmt;

use super::{Refused, guard, names, retry};

/// Why a call has no answer. No message holds a target or a field: both can be secrets. Nor does one
/// hold the URL of a proxy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The host could not be reached.
    #[error("cannot connect to {}: {}", .0.host, .0.cause)]
    Connect(Fault),
    /// A time limit passed.
    #[error("{} did not {} in time", .0.host, .0.phase)]
    Timeout(Late),
    /// The exchange broke off before the answer's head.
    #[error("the exchange with {} broke off: {}", .0.host, .0.cause)]
    Broken(Fault),
    /// The host went over to another protocol, which nobody had asked for.
    #[error("{0} switched to another protocol instead of answering")]
    Switched(String),
}

/// What happened with which host.
#[derive(Debug, thiserror::Error)]
#[error("{host}")]
pub struct Fault {
    /// The host as the client named it.
    pub host: String,
    /// What happened, as far as can be told.
    pub cause: Cause,
    /// The error itself, without its URL.
    pub source: reqwest::Error,
}

/// What went wrong on the way, in words that say what to do where somebody can do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The name has no address, or nobody could be asked for it.
    #[error("its name has no address; is there a network, and does DNS work?")]
    Name,
    /// Nobody listens there.
    #[error("the connection was refused")]
    NobodyListens,
    /// No way leads there.
    #[error("there is no route to it; is there a network?")]
    NoRoute,
    /// The proxy cannot be reached, or breaks off.
    #[error("the proxy of HTTPS_PROXY cannot be reached or broke off")]
    ProxyGone,
    /// The proxy wants to know who asks.
    #[error(
        "the proxy of HTTPS_PROXY wants a user name and password (407); write them into its URL, \
         as in http://user:password@proxy.example:3128"
    )]
    ProxyCredentials,
    /// The proxy does not let this call through.
    #[error(
        "the proxy of HTTPS_PROXY refused; it may not allow this host, or NO_PROXY should name it"
    )]
    ProxyRefused,
    /// The certificate comes from an authority that this machine does not know.
    #[error(
        "its certificate is from an authority that is not trusted here; where the network has one of \
         its own, install it on this machine or name its file in SSL_CERT_FILE"
    )]
    Authority,
    /// The certificate is not valid now.
    #[error("its certificate has run out or is not valid yet; is this machine's clock right?")]
    Expired,
    /// The certificate is for another host.
    #[error("its certificate is for another host; does something stand between us and GitHub?")]
    OtherHost,
    /// No agreement on TLS, or no TLS at all.
    #[error("the TLS handshake failed; does something stand between us and GitHub?")]
    Tls,
    /// The connection ended.
    #[error("the connection ended before the answer")]
    Ended,
    /// The head of the answer is longer than is read.
    #[error("the head of its answer has over 256 lines or 256 KiB")]
    HeadTooLong,
    /// The answer is not HTTP, or contradicts itself.
    #[error("its answer is not valid HTTP")]
    NotHttp,
    /// Anything else.
    #[error("the request could not be completed")]
    Other,
}

impl Cause {
    /// Reads the causes of an error. Where a library keeps its types to itself there are only words;
    /// the stories hold both.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        if error.is_dns() || causes(error).any(<dyn StdError>::is::<names::NoAddress>) {
            return Self::Name;
        }
        if let Some(cause) = causes(error).find_map(Self::in_words) {
            return cause;
        }
        if let Some(cause) = causes(error).find_map(Self::in_io) {
            return cause;
        }
        let http = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
        match http {
            Some(error) if error.is_parse_too_large() => Self::HeadTooLong,
            Some(error) if error.is_parse() => Self::NotHttp,
            Some(error) if !error.is_user() => Self::Ended,
            _ => Self::Other,
        }
    }

    /// Of tunnels and TLS.
    fn in_words(cause: &(dyn StdError + 'static)) -> Option<Self> {
        let text = cause.to_string();
        if let Some(tunnel) = text.strip_prefix("tunnel error: ") {
            return Some(match tunnel {
                "proxy authorization required" => Self::ProxyCredentials,
                "unsuccessful" | "proxy response headers too long" => Self::ProxyRefused,
                _ => Self::ProxyGone,
            });
        }
        if let Some(certificate) = text.strip_prefix("invalid peer certificate: ") {
            return Some(match certificate {
                // A bad signature is that of another authority with the same name.
                "UnknownIssuer" | "BadSignature" => Self::Authority,
                told if told.contains("xpired") || told.contains("not valid yet") => Self::Expired,
                told if told.contains("not valid for name") => Self::OtherHost,
                _ => Self::Tls,
            });
        }
        let tls = ["received fatal alert", "received corrupt message"];
        (tls.iter().any(|begin| text.starts_with(begin)) || text == "tls handshake eof")
            .then_some(Self::Tls)
    }

    /// Whether it would be the same a moment later.
    const fn lasts(self) -> bool {
        matches!(
            self,
            Self::ProxyCredentials
                | Self::ProxyRefused
                | Self::Authority
                | Self::Expired
                | Self::OtherHost
                | Self::Tls
        )
    }

    fn in_io(cause: &(dyn StdError + 'static)) -> Option<Self> {
        use std::io::ErrorKind;

        match cause.downcast_ref::<std::io::Error>()?.kind() {
            ErrorKind::ConnectionRefused => Some(Self::NobodyListens),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Some(Self::NoRoute),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::TimedOut
            | ErrorKind::UnexpectedEof => Some(Self::Ended),
            _ => None,
        }
    }
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
pub(super) fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn not_public(cause: &(dyn StdError + 'static)) -> bool {
    cause.is::<guard::NotPublic>()
}

/// What kind of failure `error` is. It is from before any answer's head.
pub(super) fn classify(error: &reqwest::Error, cause: Cause) -> retry::Failure {
    // What hyper reports beside malformed answers and our own mistakes is a connection that ended.
    let reset = |cause: &(dyn StdError + 'static)| {
        let http = cause.downcast_ref::<hyper::Error>();
        http.is_some_and(|error| !error.is_parse() && !error.is_user())
    };
    match () {
        () if causes(error).any(not_public) => retry::Failure::Other,
        () if error.is_connect() && error.is_timeout() => retry::Failure::Timeout,
        () if error.is_connect() && cause.lasts() => retry::Failure::Other,
        () if error.is_connect() => retry::Failure::Connect,
        () if causes(error).any(reset) => retry::Failure::Reset,
        () => retry::Failure::Other,
    }
}

/// The error for who called.
pub(super) fn named(
    host: String,
    failure: retry::Failure,
    cause: Cause,
    source: reqwest::Error,
) -> Error {
    if causes(&source).any(not_public) {
        return Error::Refused(Refused::Private);
    }
    if failure == retry::Failure::Timeout {
        let phase = Phase::Connect;
        return Error::Timeout(Late { host, phase });
    }
    let connecting = source.is_connect();
    let fault = Fault {
        host,
        cause,
        source,
    };
    if connecting {
        Error::Connect(fault)
    } else {
        Error::Broken(fault)
    }
}
