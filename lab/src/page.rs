//! Pages and their `Link` header.
//!
//! <https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api>

use serde_json::Value;

use crate::answer::Answer;
use crate::request::Call;

/// The page that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) number: usize,
    pub(crate) size: usize,
}

impl Page {
    /// Reads `page` and `per_page`: 30 by default, 100 at most.
    pub(crate) fn of(call: &Call) -> Self {
        let read = |name: &str| call.query(name).and_then(|text| text.parse::<usize>().ok());
        Self {
            number: read("page").unwrap_or(1).max(1),
            size: read("per_page")
                .filter(|size| *size > 0)
                .unwrap_or(30)
                .min(100),
        }
    }

    /// The items of this page.
    pub(crate) fn cut<T>(self, items: Vec<T>) -> Vec<T> {
        items
            .into_iter()
            .skip((self.number - 1) * self.size)
            .take(self.size)
            .collect()
    }

    /// The `Link` of this page of `total` items at `url` (without query).
    pub(crate) fn link(self, total: usize, url: &str, call: &Call) -> Option<String> {
        let last = total.div_ceil(self.size).max(1);
        let target = |page: usize| {
            let kept = call
                .raw_query
                .split('&')
                .filter(|pair| !pair.is_empty() && *pair != "page" && !pair.starts_with("page="));
            let mut query: Vec<String> = kept.map(str::to_owned).collect();
            query.push(format!("page={page}"));
            format!("<{url}?{}>", query.join("&"))
        };
        let mut rels = Vec::new();
        if self.number > 1 {
            rels.push(format!("{}; rel=\"prev\"", target(self.number - 1)));
        }
        if self.number < last {
            rels.push(format!("{}; rel=\"next\"", target(self.number + 1)));
            rels.push(format!("{}; rel=\"last\"", target(last)));
        }
        if self.number > 1 {
            rels.push(format!("{}; rel=\"first\"", target(1)));
        }
        (!rels.is_empty()).then(|| rels.join(", "))
    }
}

/// A page of a list at `url`, with its `Link`.
pub(crate) fn list<T>(
    call: &Call,
    url: &str,
    items: Vec<T>,
    render: impl FnMut(T) -> Value,
) -> Answer {
    wrapped(call, url, items, render, |_, items| items)
}

/// A page of a list that stands in an object, such as `{"total_count", "workflow_runs"}`.
pub(crate) fn wrapped<T>(
    call: &Call,
    url: &str,
    items: Vec<T>,
    render: impl FnMut(T) -> Value,
    wrap: impl FnOnce(usize, Value) -> Value,
) -> Answer {
    let page = Page::of(call);
    let total = items.len();
    let shown: Vec<Value> = page.cut(items).into_iter().map(render).collect();
    let mut answer = Answer::json(wrap(total, Value::Array(shown)));
    answer
        .headers
        .extend(page.link(total, url, call).map(|link| ("link", link)));
    answer
}
