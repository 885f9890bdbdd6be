//! Labels of a repository and of an issue.

use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::page;
use crate::render::issue::label;
use crate::request::Call;

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/issues/labels";
    vec![
        Route::get("/repos/{owner}/{repo}/labels", docs, list),
        Route::new("POST", "/repos/{owner}/{repo}/labels", docs, create),
        Route::get("/repos/{owner}/{repo}/labels/{name}", docs, show),
        Route::new(
            "DELETE",
            "/repos/{owner}/{repo}/labels/{name}",
            docs,
            delete,
        ),
        Route::get(
            "/repos/{owner}/{repo}/issues/{issue_number}/labels",
            docs,
            of_issue,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/issues/{issue_number}/labels",
            docs,
            add,
        ),
        Route::new(
            "DELETE",
            "/repos/{owner}/{repo}/issues/{issue_number}/labels/{name}",
            docs,
            remove,
        ),
    ]
}

fn list(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let url = list_url(scope.state, repo, "/labels");
    let labels = repo.labels.values().collect();
    Ok(page::list(call, &url, labels, |it| {
        label(scope.state, repo, it)
    }))
}

fn show(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let known = repo
        .labels
        .get(call.param("name"))
        .ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(label(scope.state, repo, known)))
}

fn create(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let wish = call.json();
    let name = wish["name"]
        .as_str()
        .ok_or_else(|| Refusal::invalid("Label", "name", "missing"))?;
    if scope.repo(call)?.labels.contains_key(name) {
        return Err(Refusal::invalid("Label", "name", "already_exists"));
    }
    scope
        .state
        .create_label(&full, name, wish["color"].as_str().unwrap_or("ededed"))?;
    let repo = scope.repo(call)?;
    let made = repo.labels.get(name).ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(label(scope.state, repo, made)))
}

fn delete(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let repo = scope.state.repo_mut(&full)?;
    repo.labels
        .remove(call.param("name"))
        .ok_or_else(Refusal::not_found)?;
    for issue in repo.issues.values_mut() {
        issue.labels.retain(|name| name != call.param("name"));
    }
    Ok(Answer::no_content())
}

fn of_issue(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let issue = call
        .number("issue_number")
        .and_then(|number| repo.issues.get(&number));
    let names = &issue.ok_or_else(Refusal::not_found)?.labels;
    let labels = names
        .iter()
        .filter_map(|name| repo.labels.get(name))
        .collect();
    let rest = format!("/issues/{}/labels", call.param("issue_number"));
    let url = list_url(scope.state, repo, &rest);
    Ok(page::list(call, &url, labels, |it| {
        label(scope.state, repo, it)
    }))
}

fn add(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let number = call.number("issue_number").ok_or_else(Refusal::not_found)?;
    for name in names(&call.json()) {
        if !scope.state.repo(&full)?.labels.contains_key(&name) {
            scope.state.create_label(&full, &name, "ededed")?;
        }
        scope.state.edit_issue(&full, number, |issue| {
            if !issue.labels.contains(&name) {
                issue.labels.push(name);
            }
        })?;
    }
    of_issue(scope, call)
}

fn remove(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let number = call.number("issue_number").ok_or_else(Refusal::not_found)?;
    let name = call.param("name");
    let had = scope.state.edit_issue(&full, number, |issue| {
        let before = issue.labels.len();
        issue.labels.retain(|label| label != name);
        before > issue.labels.len()
    })?;
    if !had {
        return Err(Refusal::new(404, "Label does not exist"));
    }
    of_issue(scope, call)
}

/// Names of labels in a body: an array, or an object with `labels`.
pub(super) fn names(wish: &serde_json::Value) -> Vec<String> {
    let list = wish.as_array().or_else(|| wish["labels"].as_array());
    let texts = list.into_iter().flatten();
    texts
        .filter_map(|it| it.as_str().or_else(|| it["name"].as_str()))
        .map(str::to_owned)
        .collect()
}
