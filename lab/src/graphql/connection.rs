//! Lists with cursors.

use base64::Engine;
use serde_json::{Map, Value, json};

/// A list that is cut into pages when somebody asks for it.
pub(super) fn list(kind: &str, items: Vec<Value>) -> Value {
    json!({"__list": items, "__kind": kind})
}

fn cursor(at: usize) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("cursor:{at}"))
}

fn read(cursor: &str) -> Option<usize> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(cursor)
        .ok()?;
    String::from_utf8(bytes)
        .ok()?
        .strip_prefix("cursor:")?
        .parse()
        .ok()
}

/// The page that `first`/`after` or `last`/`before` mean.
pub(super) fn page(list: &Value, args: &Map<String, Value>) -> Option<Value> {
    let items = list["__list"].as_array()?;
    let kind = list["__kind"].as_str().unwrap_or_default();
    let total = items.len();
    let number = |name: &str| args.get(name).and_then(Value::as_u64);
    let place = |name: &str| args.get(name).and_then(Value::as_str).and_then(read);
    let mut start = place("after").map_or(0, |after| after + 1).min(total);
    let mut end = place("before").unwrap_or(total).clamp(start, total);
    let limit = |count: u64| usize::try_from(count.min(100)).unwrap_or(100);
    if let Some(first) = number("first") {
        end = end.min(start + limit(first));
    } else if let Some(last) = number("last") {
        start = start.max(end.saturating_sub(limit(last)));
    }
    let nodes: Vec<Value> = items[start..end].to_vec();
    let edges = nodes.iter().enumerate().map(|(at, node)| {
        json!({"__typename": format!("{kind}Edge"), "cursor": cursor(start + at), "node": node})
    });
    Some(json!({
        "__typename": format!("{kind}Connection"),
        "totalCount": total,
        "edges": edges.collect::<Vec<_>>(),
        "nodes": nodes,
        "pageInfo": {
            "__typename": "PageInfo",
            "hasNextPage": end < total,
            "hasPreviousPage": start > 0,
            "startCursor": (start < end).then(|| cursor(start)),
            "endCursor": (start < end).then(|| cursor(end - 1)),
        },
    }))
}
