//! GraphQL over HTTP: is this body a query, and what is its normal form.
//!
//! Grammar: <https://spec.graphql.org/October2021/>. Only as much of it is checked as decides what runs.

mod document;
pub mod lexer;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::json;
use document::{Scan, Verb};

pub use document::normal;

/// A query, in a form that is the same for equal queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The document's tokens without insignificant white space, commas and comments; strings as they were.
    pub normal: String,
    /// Which of the document's operations is run.
    pub operation_name: Option<String>,
    /// The variables as JSON with sorted keys and no white space.
    pub variables: String,
    /// It asks for `rateLimit`, which is about the caller and changes with every call.
    pub asks_rate_limit: bool,
}

/// What a GraphQL body asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A query: reads only.
    Query(Query),
    /// A mutation: may change anything on the host.
    Mutation,
    /// A subscription.
    Subscription,
}

/// Why a GraphQL body could not be understood. Treat it as a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unreadable {
    /// Over the limit.
    #[error("the body is too long")]
    TooLong,
    /// Not a JSON object with a `query`, or with members that we do not know.
    #[error("the body is not a GraphQL request")]
    Body,
    /// It names a document that the server should already have.
    #[error("the document is only named")]
    Persisted,
    /// It has extensions that we do not know.
    #[error("unknown extensions")]
    Extensions,
    /// The document breaks GraphQL's grammar.
    #[error("the document breaks the grammar")]
    Syntax,
    /// Brackets are nested too deeply.
    #[error("the document is nested too deeply")]
    TooDeep,
    /// The operation to run is not there, or not told.
    #[error("which operation to run is not clear")]
    Operation,
    /// The variables are not an object, or say something twice.
    #[error("the variables are not clear")]
    Variables,
}

/// The longest body that is looked at, in bytes.
const MAX_BODY: usize = 512 * 1024;
/// The deepest nesting of brackets, in the document and in the variables.
const MAX_DEPTH: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    query: Option<String>,
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
}

/// Reads the body of a `POST /graphql`: a JSON object with `query` and, if wanted, `operationName`,
/// `variables` and `extensions`.
///
/// Strict on purpose. GraphQL servers agree on well-formed requests; on others they may not, and
/// then we must not believe that something is a query.
pub fn parse(body: &[u8]) -> Result<Document, Unreadable> {
    if body.len() > MAX_BODY {
        return Err(Unreadable::TooLong);
    }
    // The parser refuses members that come twice.
    let body: Body<'_> = serde_json::from_slice(body).map_err(|_| Unreadable::Body)?;
    let document = body.query.ok_or(Unreadable::Persisted)?;
    let is_empty = |value: &RawValue| matches!(value.get(), "null" | "{}");
    if body.extensions.is_some_and(|value| !is_empty(value)) {
        return Err(Unreadable::Extensions);
    }
    let scanned = Scan::document(&document)?;
    match scanned.selected(body.operation_name.as_deref())? {
        Verb::Mutation => Ok(Document::Mutation),
        Verb::Subscription => Ok(Document::Subscription),
        Verb::Query => Ok(Document::Query(Query {
            variables: variables(body.variables)?,
            operation_name: body.operation_name,
            asks_rate_limit: scanned.asks_rate_limit,
            normal: scanned.normal,
        })),
    }
}

/// Absent, `null` and `{}` are one.
fn variables(value: Option<&RawValue>) -> Result<String, Unreadable> {
    let text = value.map_or("null", RawValue::get);
    let canonical = json::canonical(text, MAX_DEPTH).ok_or(Unreadable::Variables)?;
    match canonical.as_str() {
        "null" => Ok("{}".to_owned()),
        object if object.starts_with('{') => Ok(canonical),
        _ => Err(Unreadable::Variables),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str, rest: &str) -> Vec<u8> {
        let query = serde_json::to_string(query).unwrap();
        format!(r#"{{"query":{query}{rest}}}"#).into_bytes()
    }

    fn query(document: &str, rest: &str) -> Query {
        match parse(&request(document, rest)) {
            Ok(Document::Query(query)) => query,
            other => panic!("{document}: {other:?}"),
        }
    }

    #[test]
    fn what_servers_could_read_differently_is_unreadable() {
        for (body, why) in [
            ("", Unreadable::Body),
            ("[]", Unreadable::Body),
            (r#"[{"query":"{a}"}]"#, Unreadable::Body),
            (r#"{"query":"{a}","query":"mutation{a}"}"#, Unreadable::Body),
            (r#"{"query":"{a}","id":"abc"}"#, Unreadable::Body),
            (r#"{"query":{}}"#, Unreadable::Body),
            (r#"{"operationName":"A"}"#, Unreadable::Persisted),
            (r#"{"query":null}"#, Unreadable::Persisted),
            (
                r#"{"query":"{a}","extensions":{"persistedQuery":{}}}"#,
                Unreadable::Extensions,
            ),
            (r#"{"query":"{a}","variables":"{}"}"#, Unreadable::Variables),
            (
                r#"{"query":"{a}","variables":{"a":1,"a":2}}"#,
                Unreadable::Variables,
            ),
            (r#"{"query":""}"#, Unreadable::Operation),
            (
                r#"{"query":"{a}","operationName":""}"#,
                Unreadable::Operation,
            ),
            (
                r#"{"query":"query A{a}","operationName":"B"}"#,
                Unreadable::Operation,
            ),
            (
                r#"{"query":"query A{a} query B{b}"}"#,
                Unreadable::Operation,
            ),
            (r#"{"query":"{a} {b}"}"#, Unreadable::Operation),
            (
                r#"{"query":"query A{a} mutation A{b}","operationName":"A"}"#,
                Unreadable::Operation,
            ),
            (r#"{"query":"fragment F on X{a}"}"#, Unreadable::Operation),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(why), "{body}");
        }
        let long = request(&format!("{{a}} #{}", "x".repeat(MAX_BODY)), "");
        assert_eq!(parse(&long), Err(Unreadable::TooLong));
    }

    #[test]
    fn documents_that_break_the_grammar_are_no_queries() {
        for document in [
            "{a",
            "a}",
            "{a(}",
            "{a)}",
            "{a]}",
            "query",
            "query A",
            "query A(",
            "query @x",
            "fragment on on X{a}",
            "fragment F{a}",
            "type X{a:Int}",
            "{a} }",
            "\"doc\" {a}",
            "extend type X{a:Int}",
            "schema{query:Q}",
            "querymutation{a}",
            "query A B{a}",
        ] {
            assert_eq!(
                parse(&request(document, "")),
                Err(Unreadable::Syntax),
                "{document}"
            );
        }
        let deep = "{a".repeat(65) + &"}".repeat(65);
        assert_eq!(parse(&request(&deep, "")), Err(Unreadable::TooDeep));
    }

    #[test]
    fn a_mutation_is_one_however_it_is_dressed() {
        for document in [
            "mutation{a}",
            "#query\n mutation M($a:Int=1)@d(x:{y:1}){a}",
            "fragment query on Q{a} mutation{...query}",
            ",,\u{feff}mutation\n{a}",
        ] {
            assert_eq!(
                parse(&request(document, "")),
                Ok(Document::Mutation),
                "{document}"
            );
        }
        let two = request("query A{a} mutation B{b}", r#","operationName":"B""#);
        assert_eq!(parse(&two), Ok(Document::Mutation));
        let one = query("query A{a} mutation B{b}", r#","operationName":"A""#);
        assert_eq!(one.operation_name.as_deref(), Some("A"));
        assert_eq!(
            parse(&request("subscription{a}", "")),
            Ok(Document::Subscription)
        );
    }

    #[test]
    fn equal_queries_have_one_normal_form() {
        let wide = query(
            "query A ( $b : [ Int ! ] = [ 1 , 2 ] ) { # comment\n  c ( d : \"x  # y\" ) , ... on E { f } }",
            r#","variables":{"z":1, "b":[1]},"extensions":{}"#,
        );
        let narrow = query(
            r#"query A($b:[Int!]=[1 2]){c(d:"x  # y")...on E{f}}"#,
            r#","variables":{"b":[1],"z":1}"#,
        );
        assert_eq!(wide, narrow);
        assert_eq!(
            narrow.normal,
            r#"query A($b:[Int!]=[1 2]){c(d:"x  # y")...on E{f}}"#
        );
    }

    #[test]
    fn asking_for_the_limit_is_seen_under_any_alias() {
        assert!(query("{x:rateLimit{remaining}}", "").asks_rate_limit);
        assert!(!query("{a(b:\"rateLimit\")}", "").asks_rate_limit);
    }
}
