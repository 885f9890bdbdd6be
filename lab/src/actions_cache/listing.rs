//! The list of entries as GitHub's REST API has it: `GET /repos/{owner}/{repo}/actions/caches`.
//! <https://docs.github.com/en/rest/actions/cache#list-github-actions-caches-for-a-repository>

use std::collections::HashMap;

use bytes::Bytes;
use http::Response;
use serde_json::json;

use super::service::answer;
use super::store::{Listed, Store};
use crate::clock::iso;

/// Whether `path` is that of such a list.
pub(super) fn is(path: &str) -> bool {
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    matches!(parts[..], ["repos", _, _, "actions", "caches"])
}

/// The list for `token`, which is without its scheme.
pub(super) fn serve(
    store: &Store,
    token: &str,
    query: &HashMap<String, String>,
) -> Response<Bytes> {
    let Some(repository) = store.lister(token) else {
        let message = "Resource not accessible by integration";
        return answer(403, &json!({"message": message, "status": "403"}));
    };
    let start = query.get("key").map(String::as_str).unwrap_or_default();
    let mut listed = store.listed(Some(repository));
    listed.retain(|entry| entry.key.starts_with(start));
    listed.reverse();
    let total = listed.len();
    let page = query.get("per_page").and_then(|text| text.parse().ok());
    listed.truncate(page.unwrap_or(30).min(100));
    let rows: Vec<_> = listed.iter().map(row).collect();
    answer(200, &json!({"total_count": total, "actions_caches": rows}))
}

fn row(entry: &Listed) -> serde_json::Value {
    let created = iso(entry.created / 1000);
    json!({
        "id": entry.id,
        "ref": entry.scope,
        "key": entry.key,
        "version": entry.version,
        "last_accessed_at": created,
        "created_at": created,
        "size_in_bytes": entry.size,
    })
}
