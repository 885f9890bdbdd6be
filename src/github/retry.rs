//! Whether a call that failed is sent once more.

use http::Method;

/// How a call failed before any answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection came about.
    Connect,
    /// The connection ended after the request was written: most often one that the server had closed
    /// as idle at the same moment.
    Reset,
    /// A time limit passed. Trying again would double it.
    Timeout,
    /// Anything else: a malformed answer, a refused address, an upload that its client gave up.
    Other,
}

/// The longest a call is tried.
const ATTEMPTS: u32 = 2;

/// Decides after the `attempt`th try (from 1) of a call.
///
/// RFC 9110, section 9.2.2, allows a proxy to repeat idempotent methods. We repeat safe ones alone: the
/// second answer to a repeated DELETE would be a 404 that the client takes for a failure. An answer,
/// whatever its status, is never a reason: a 5xx may have had an effect and has cost a request.
pub(super) fn again(method: &Method, has_body: bool, failure: Failure, attempt: u32) -> bool {
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let harmless = matches!(failure, Failure::Connect | Failure::Reset);
    safe && !has_body && harmless && attempt < ATTEMPTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_more_and_only_where_nothing_can_have_happened() {
        for (method, has_body, failure, attempt, expected) in [
            (Method::GET, false, Failure::Reset, 1, true),
            (Method::HEAD, false, Failure::Connect, 1, true),
            (Method::GET, false, Failure::Reset, 2, false),
            (Method::GET, true, Failure::Reset, 1, false),
            (Method::GET, false, Failure::Timeout, 1, false),
            (Method::GET, false, Failure::Other, 1, false),
            (Method::DELETE, false, Failure::Reset, 1, false),
            (Method::PUT, false, Failure::Connect, 1, false),
            (Method::POST, false, Failure::Connect, 1, false),
        ] {
            let decided = again(&method, has_body, failure, attempt);
            assert_eq!(
                decided, expected,
                "{method} {has_body} {failure:?} {attempt}"
            );
        }
    }
}
