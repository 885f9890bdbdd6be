//! What is printed of an answer.

use std::io::{self, Write as _};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::filter::Filter;
use super::pages;
use crate::cli::Api;
use crate::commands::print;
use crate::github::Body;

/// Prints answers as the flags say.
pub(super) struct Printer {
    filter: Option<Filter>,
    include: bool,
    silent: bool,
    pages: Pages,
}

/// What becomes of pages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pages {
    /// There is only one.
    One,
    /// Those that are arrays become one array.
    Joined,
    /// They are the elements of an array.
    Slurped,
}

/// Which page an answer is.
pub(super) struct Page {
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) graphql: bool,
}

/// What an answer said, besides what was printed of it.
#[derive(Default)]
pub(super) struct Printed {
    /// It was an error.
    pub(super) failed: bool,
    /// A GraphQL query has more to show after this.
    pub(super) cursor: Option<String>,
}

impl Printer {
    pub(super) fn new(api: &Api, filter: Option<Filter>) -> Self {
        let pages = match (api.paginate, api.slurp) {
            (true, true) => Pages::Slurped,
            (true, false) => Pages::Joined,
            (false, _) => Pages::One,
        };
        Self {
            filter,
            include: api.include,
            silent: api.silent,
            pages,
        }
    }

    /// Prints one answer. Whole documents are held only where something is made of them; everything
    /// else streams through.
    pub(super) async fn print(
        &self,
        response: Response<Body>,
        page: &Page,
    ) -> anyhow::Result<Printed> {
        let (head, body) = response.into_parts();
        if self.include {
            print::bytes(&head_of(head.status, &head.headers))?;
        }
        let json = is_json(&head.headers);
        let refused = head.status.is_client_error() || head.status.is_server_error();
        if !json && self.filter.is_some() && !self.silent && !refused {
            return self.refuse_text(body).await;
        }
        let made_of = self.filter.is_some() || self.pages != Pages::One || page.graphql || refused;
        if !json || !made_of {
            self.stream(body).await?;
            return Ok(Printed {
                failed: self.complain(head.status, None),
                cursor: None,
            });
        }
        let document = body
            .collect()
            .await
            .context("GitHub's answer broke off")?
            .to_bytes();
        let error = if refused || page.graphql {
            error_in(&document, head.status)
        } else {
            None
        };
        let failed = error.is_some() || head.status.as_u16() > 299;
        self.print_document(&document, page, failed)?;
        self.complain(head.status, error);
        let more = page.graphql && self.pages != Pages::One && !failed;
        let cursor = more
            .then(|| serde_json::from_slice(&document).ok())
            .flatten();
        Ok(Printed {
            failed,
            cursor: cursor.as_ref().and_then(pages::end_cursor),
        })
    }

    /// A filter is for JSON. An answer without content leaves it nothing to do.
    async fn refuse_text(&self, mut body: Body) -> anyhow::Result<Printed> {
        while let Some(frame) = body.frame().await {
            let frame = frame.context("GitHub's answer broke off")?;
            if frame.data_ref().is_some_and(|data| !data.is_empty()) {
                bail!("--jq: the answer is not JSON");
            }
        }
        Ok(Printed::default())
    }

    fn print_document(&self, document: &Bytes, page: &Page, failed: bool) -> anyhow::Result<()> {
        if self.silent {
            return Ok(());
        }
        match &self.filter {
            Some(filter) if !failed => print::bytes(&filter.apply(document)?),
            _ if self.pages == Pages::Slurped => {
                print::bytes(if page.first { b"[" } else { b"," })?;
                print::bytes(document.trim_ascii_end())
            }
            _ if self.pages == Pages::Joined && !page.graphql && !self.include && !failed => {
                print::bytes(&joined(document, page))
            }
            _ => print::bytes(document),
        }
    }

    async fn stream(&self, mut body: Body) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        while let Some(frame) = body.frame().await {
            let frame = frame.context("GitHub's answer broke off")?;
            if let (Some(data), false) = (frame.data_ref(), self.silent) {
                out.write_all(data)?;
            }
        }
        out.flush()?;
        Ok(())
    }

    /// Says what GitHub refused, in the form of `gh`. True: it did.
    #[expect(clippy::unused_self, reason = "reads as what the printer does")]
    fn complain(&self, status: StatusCode, error: Option<String>) -> bool {
        let failed = error.is_some() || status.as_u16() > 299;
        if failed {
            let error = error.unwrap_or_else(|| format!("HTTP {}", status.as_u16()));
            // An error of our own daemon says so itself.
            print::complaint(error.strip_prefix("ghswarm: ").unwrap_or(&error));
        }
        failed
    }

    /// What stands between two pages.
    pub(super) fn between_pages(&self) -> anyhow::Result<()> {
        if self.include {
            print::bytes(b"\n")
        } else {
            Ok(())
        }
    }

    /// Ends the output.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        if self.pages == Pages::Slurped && !self.silent {
            print::bytes(b"]")
        } else {
            Ok(())
        }
    }
}

/// Pages that are arrays become one array: what comes out is a single document.
fn joined(document: &[u8], page: &Page) -> Vec<u8> {
    let trimmed = document.trim_ascii();
    let Some(elements) = trimmed
        .strip_prefix(b"[")
        .and_then(|rest| rest.strip_suffix(b"]"))
    else {
        return document.to_vec();
    };
    let mut joined = Vec::with_capacity(document.len());
    match (page.first, elements.trim_ascii().is_empty()) {
        (true, _) => joined.push(b'['),
        (false, true) => {}
        (false, false) => joined.push(b','),
    }
    joined.extend_from_slice(elements);
    if page.last {
        joined.push(b']');
    }
    joined
}

/// `[/+]json(;|$)`, as `gh` has it.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim_end();
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// Status line and fields in the order and form of `gh`.
fn head_of(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\n", status.as_u16()).into_bytes();
    let mut names: Vec<_> = headers.keys().collect();
    names.sort_by_key(|name| name.as_str());
    for name in names {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(http::HeaderValue::as_bytes)
            .collect();
        text.extend_from_slice(canonical(name.as_str()).as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(&values.join(b", ".as_slice()));
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// `content-type` as `Content-Type`.
fn canonical(name: &str) -> String {
    let mut upper = true;
    let letter = |letter: char| {
        let shown = if upper {
            letter.to_ascii_uppercase()
        } else {
            letter
        };
        upper = letter == '-';
        shown
    };
    name.chars().map(letter).collect()
}

/// The message of an error in a JSON answer, as `gh` words it.
fn error_in(document: &[u8], status: StatusCode) -> Option<String> {
    let answer: Value = serde_json::from_slice(document).ok()?;
    let errors = answer.get("errors").and_then(Value::as_array);
    let details = errors.into_iter().flatten().filter_map(|error| {
        error
            .as_str()
            .or_else(|| error.get("message")?.as_str())
            .map(str::to_owned)
    });
    let message = answer
        .get("message")
        .and_then(Value::as_str)
        .filter(|_| status.as_u16() >= 400);
    let message = message.map(|message| format!("{message} (HTTP {})", status.as_u16()));
    let lines: Vec<_> = message.into_iter().chain(details).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(pages: &[&str]) -> String {
        let page = |number| Page {
            first: number == 0,
            last: number + 1 == pages.len(),
            graphql: false,
        };
        let texts = pages
            .iter()
            .enumerate()
            .map(|(number, text)| joined(text.as_bytes(), &page(number)));
        String::from_utf8(texts.flatten().collect()).unwrap()
    }

    #[test]
    fn pages_of_a_list_are_one_list() {
        assert_eq!(join(&["[1,2]", "[3]\n", "[]"]), "[1,2,3]");
        assert_eq!(join(&["[]"]), "[]");
        assert_eq!(join(&["{\"a\":1}", "{\"a\":2}"]), "{\"a\":1}{\"a\":2}");
    }

    #[test]
    fn an_error_is_worded_as_gh_words_it() {
        let error = |text: &str, status: u16| {
            error_in(text.as_bytes(), StatusCode::from_u16(status).unwrap())
        };
        assert_eq!(
            error(r#"{"message":"Not Found"}"#, 404).as_deref(),
            Some("Not Found (HTTP 404)")
        );
        let invalid =
            r#"{"message":"Invalid","errors":["too long",{"message":"odd"},{"code":"x"}]}"#;
        assert_eq!(
            error(invalid, 422).as_deref(),
            Some("Invalid (HTTP 422)\ntoo long\nodd")
        );
        let query = r#"{"data":null,"errors":[{"message":"No such field"}]}"#;
        assert_eq!(error(query, 200).as_deref(), Some("No such field"));
        assert_eq!(error(r#"{"data":{"message":"x"}}"#, 200), None);
        assert_eq!(error("<html>", 502), None);
    }

    #[test]
    fn fields_look_as_in_gh() {
        let mut headers = HeaderMap::new();
        headers.insert("x-b", "2".parse().unwrap());
        headers.append("x-b", "3".parse().unwrap());
        headers.insert("etag", "\"a\"".parse().unwrap());
        let text = String::from_utf8(head_of(StatusCode::OK, &headers)).unwrap();
        assert_eq!(text, "HTTP/1.1 200 OK\nEtag: \"a\"\r\nX-B: 2, 3\r\n\r\n");
    }
}
