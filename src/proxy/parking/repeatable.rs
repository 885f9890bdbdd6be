//! Which requests may be sent to GitHub once more: a decision over what was read, nothing else.

use crate::api::graphql::{self, Document};
use crate::proxy::head::Framing;

/// Whether a request may be repeated after the process that sent it died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Repeatable {
    /// It may have changed something already.
    Never,
    /// It only reads (RFC 9110, section 9.2.1).
    Always,
    /// It only reads if its body is a query.
    IfQuery,
}

impl Repeatable {
    /// Judges a head. `target` is in the origin's terms.
    pub(in crate::proxy) fn of(method: &str, target: &str, framing: Framing) -> Self {
        match (method, framing) {
            ("GET" | "HEAD", Framing::Empty) => Self::Always,
            // A chunked body would have to be decoded to be read.
            ("POST", Framing::Length(_)) if target == "/graphql" => Self::IfQuery,
            _ => Self::Never,
        }
    }

    /// Judges the whole request, now that its body is here.
    pub(super) fn holds(self, body: &[u8]) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::IfQuery => matches!(graphql::parse(body), Ok(Document::Query(_))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_repeated() {
        for method in ["GET", "HEAD"] {
            let repeatable = Repeatable::of(method, "/repos/octo-org/app", Framing::Empty);
            assert_eq!(repeatable, Repeatable::Always);
            assert!(repeatable.holds(b""));
        }
    }

    #[test]
    fn a_write_is_not() {
        for method in [
            "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "Get",
        ] {
            for framing in [Framing::Empty, Framing::Length(2), Framing::Chunked] {
                let repeatable = Repeatable::of(method, "/repos/octo-org/app/issues", framing);
                assert_eq!(repeatable, Repeatable::Never, "{method}");
                assert!(!repeatable.holds(b"{}"));
            }
        }
    }

    #[test]
    fn a_read_with_a_body_is_not() {
        assert_eq!(
            Repeatable::of("GET", "/", Framing::Length(1)),
            Repeatable::Never
        );
        assert_eq!(
            Repeatable::of("GET", "/", Framing::Chunked),
            Repeatable::Never
        );
    }

    #[test]
    fn of_graphql_a_query_alone_is_repeated() {
        let repeatable = Repeatable::of("POST", "/graphql", Framing::Length(1));
        assert_eq!(repeatable, Repeatable::IfQuery);
        assert!(repeatable.holds(br#"{"query":"query { viewer { login } }"}"#));
        for body in [
            r#"{"query":"mutation { addStar(input: {}) { clientMutationId } }"}"#,
            r#"{"query":"query a { a } mutation b { b }","operationName":"b"}"#,
            r#"{"query":"subscription { a }"}"#,
            r#"{"query":"{"}"#,
            r#"[{"query":"{ a }"}]"#,
            "",
        ] {
            assert!(!repeatable.holds(body.as_bytes()), "{body}");
        }
        for (target, framing) in [
            ("/graphql", Framing::Chunked),
            ("/graphql", Framing::Empty),
            ("/graphql/", Framing::Length(1)),
            ("/graphql?a", Framing::Length(1)),
            ("/repos", Framing::Length(1)),
        ] {
            assert_eq!(Repeatable::of("POST", target, framing), Repeatable::Never);
        }
    }
}
