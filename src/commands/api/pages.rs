//! One page after the other.

use std::process::ExitCode;

use http::header;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use super::output::{Page, Printer};
use super::transport::Transport;
use super::{Payload, Plan};
use crate::github::Body;

/// GitHub ends its lists long before; a server that links in circles does not.
const MOST_PAGES: usize = 100_000;

/// Asks, prints, and follows the pages if that is wanted.
pub(super) async fn run(
    mut plan: Plan,
    transport: &Transport,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let mut endpoint = plan.endpoint.clone();
    for number in 0..MOST_PAGES {
        let response = transport.send(plan.call(&endpoint)).await?;
        let next = next_link(&response).filter(|_| plan.paginate && !endpoint.is_graphql());
        let next = next.map(|link| endpoint.follow(&link)).transpose()?;
        let page = Page {
            first: number == 0,
            last: next.is_none(),
            graphql: endpoint.is_graphql(),
        };
        let said = printer.print(response, &page).await?;
        if said.failed {
            printer.finish()?;
            return Ok(ExitCode::FAILURE);
        }
        match (next, said.cursor) {
            (Some(next), _) => endpoint = next,
            (None, Some(cursor)) => plan.set_cursor(cursor),
            (None, None) => break,
        }
        printer.between_pages()?;
    }
    printer.finish()?;
    Ok(ExitCode::SUCCESS)
}

impl Plan {
    /// Makes the query ask for what comes after `cursor`.
    fn set_cursor(&mut self, cursor: String) {
        if let Payload::Json(request) = &mut self.body
            && let Some(Value::Object(variables)) = Some(
                request
                    .entry("variables")
                    .or_insert_with(|| Value::Object(Map::new())),
            )
        {
            variables.insert("endCursor".to_owned(), Value::from(cursor));
        }
    }
}

/// A GraphQL request: `query` and `operationName`, and all other fields as variables.
pub(super) fn graphql_request(fields: Map<String, Value>) -> Map<String, Value> {
    let (mut request, mut variables) = (Map::new(), Map::new());
    for (name, value) in fields {
        match name.as_str() {
            "query" | "operationName" => request.insert(name, value),
            _ => variables.insert(name, value),
        };
    }
    if !variables.is_empty() {
        request.insert("variables".to_owned(), Value::Object(variables));
    }
    request
}

/// The cursor of the page after the one that `answer` shows, if it says that there is one.
pub(super) fn end_cursor(answer: &Value) -> Option<String> {
    match answer {
        Value::Object(members) => {
            if let (Some(Value::Bool(true)), Some(Value::String(cursor))) =
                (members.get("hasNextPage"), members.get("endCursor"))
            {
                return Some(cursor.clone());
            }
            members.values().find_map(end_cursor)
        }
        Value::Array(elements) => elements.iter().find_map(end_cursor),
        _ => None,
    }
}

/// The target of `rel="next"` (RFC 8288).
pub(super) fn next_link(response: &Response<Body>) -> Option<String> {
    if response.status() != StatusCode::OK {
        return None;
    }
    let links = response.headers().get_all(header::LINK).iter();
    links
        .filter_map(|link| link.to_str().ok())
        .find_map(next_of)
}

fn next_of(links: &str) -> Option<String> {
    let mut rest = links;
    while let Some((_, after)) = rest.split_once('<') {
        let (target, parameters) = after.split_once('>')?;
        let end = parameters.find('<').unwrap_or(parameters.len());
        let is_next = parameters[..end].split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
            name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation == "next")
        });
        if is_next {
            return Some(target.to_owned());
        }
        rest = &parameters[end..];
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_next_page_is_the_one_with_that_relation() {
        let links = "<https://api.github.com/x?page=1,2>; rel=\"prev\", \
                     <https://api.github.com/x?page=3>; rel=\"next\", <y>; rel=\"last\"";
        assert_eq!(
            next_of(links).as_deref(),
            Some("https://api.github.com/x?page=3")
        );
        assert_eq!(next_of("<a>; rel=\"prev\""), None);
        assert_eq!(next_of("<a>; title=\"next\"; rel=last"), None);
        assert_eq!(next_of("<a"), None);
    }

    #[test]
    fn a_cursor_counts_only_when_there_is_a_next_page() {
        let page = |more: bool| json!({"data": {"r": {"nodes": [1], "pageInfo": {"hasNextPage": more, "endCursor": "c"}}}});
        assert_eq!(end_cursor(&page(true)).as_deref(), Some("c"));
        assert_eq!(end_cursor(&page(false)), None);
    }

    #[test]
    fn fields_that_are_not_the_query_are_its_variables() {
        let fields = json!({"query": "q", "operationName": "o", "a": 1, "b": [2]});
        let Value::Object(fields) = fields else {
            unreachable!()
        };
        assert_eq!(
            Value::Object(graphql_request(fields)),
            json!({"query": "q", "operationName": "o", "variables": {"a": 1, "b": [2]}})
        );
    }
}
