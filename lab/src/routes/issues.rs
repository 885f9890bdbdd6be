//! Issues and their comments.

use super::labels::names;
use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::page;
use crate::render::issue;
use crate::request::Call;
use crate::state::Issue;

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/issues/issues";
    let comments = "rest/issues/comments";
    vec![
        Route::get("/repos/{owner}/{repo}/issues", docs, list),
        Route::new("POST", "/repos/{owner}/{repo}/issues", docs, create),
        Route::get(
            "/repos/{owner}/{repo}/issues/comments",
            comments,
            all_comments,
        ),
        Route::get(
            "/repos/{owner}/{repo}/issues/comments/{comment_id}",
            comments,
            comment,
        ),
        Route::new(
            "PATCH",
            "/repos/{owner}/{repo}/issues/comments/{comment_id}",
            comments,
            edit_comment,
        ),
        Route::get("/repos/{owner}/{repo}/issues/{issue_number}", docs, show),
        Route::new(
            "PATCH",
            "/repos/{owner}/{repo}/issues/{issue_number}",
            docs,
            edit,
        ),
        Route::get(
            "/repos/{owner}/{repo}/issues/{issue_number}/comments",
            comments,
            of_issue,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/issues/{issue_number}/comments",
            comments,
            add_comment,
        ),
    ]
}

/// Whether a list's `state` means this issue; without one, open issues are meant.
pub(super) fn in_state(call: &Call, issue: &Issue) -> bool {
    match call.query("state").as_deref() {
        Some("all") => true,
        Some("closed") => !issue.open,
        _ => issue.open,
    }
}

fn list(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let wanted = call.query("labels").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split(',').filter(|name| !name.is_empty()).collect();
    let labelled = |issue: &Issue| {
        wanted
            .iter()
            .all(|name| issue.labels.iter().any(|label| label == name))
    };
    let newest = repo.issues.values().rev();
    let mut issues: Vec<_> = newest
        .filter(|issue| in_state(call, issue) && labelled(issue))
        .collect();
    if call.query("sort").as_deref() == Some("updated") {
        issues.sort_by_key(|issue| std::cmp::Reverse(issue.updated_at));
    }
    if call.query("direction").as_deref() == Some("asc") {
        issues.reverse();
    }
    let url = list_url(scope.state, repo, "/issues");
    Ok(page::list(call, &url, issues, |it| {
        issue::issue(scope.state, repo, it)
    }))
}

fn number(scope: &Scope<'_>, call: &Call) -> Result<u64, Refusal> {
    let number = call.number("issue_number");
    let known = number.filter(|it| {
        scope
            .repo(call)
            .is_ok_and(|repo| repo.issues.contains_key(it))
    });
    known.ok_or_else(Refusal::not_found)
}

fn show(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (repo, number) = (scope.repo(call)?, number(scope, call)?);
    let it = repo.issues.get(&number).ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(issue::issue(scope.state, repo, it)).modified(it.updated_at))
}

fn create(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.signed_in(call)?;
    let wish = call.json();
    let title = wish["title"].as_str();
    let title = title.ok_or_else(|| Refusal::invalid("Issue", "title", "missing_field"))?;
    let body = wish["body"].as_str().unwrap_or_default();
    let number = scope.state.create_issue(&full, title, body)?;
    let login = scope.viewer.login.clone();
    scope.state.edit_issue(&full, number, |issue| {
        issue.author = login;
        issue.labels = names(&wish);
    })?;
    let repo = scope.repo(call)?;
    let it = repo.issues.get(&number).ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(issue::issue(scope.state, repo, it)))
}

fn edit(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (full, number) = (scope.writable(call)?, number(scope, call)?);
    let wish = call.json();
    scope.state.edit_issue(&full, number, |issue| {
        if let Some(title) = wish["title"].as_str() {
            issue.title = title.into();
        }
        if let Some(body) = wish["body"].as_str() {
            issue.body = body.into();
        }
        if let Some(state) = wish["state"].as_str() {
            issue.open = state == "open";
        }
        if wish["labels"].is_array() {
            issue.labels = names(&wish);
        }
    })?;
    let repo = scope.repo(call)?;
    let it = repo.issues.get(&number).ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(issue::issue(scope.state, repo, it)))
}

fn of_issue(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (repo, number) = (scope.repo(call)?, number(scope, call)?);
    let it = repo.issues.get(&number).ok_or_else(Refusal::not_found)?;
    let url = list_url(scope.state, repo, &format!("/issues/{number}/comments"));
    let comments = it.comments.iter().collect();
    Ok(page::list(call, &url, comments, |one| {
        issue::comment(scope.state, repo, it, one)
    }))
}

fn all_comments(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let pairs = repo
        .issues
        .values()
        .flat_map(|it| it.comments.iter().map(move |one| (it, one)));
    let url = list_url(scope.state, repo, "/issues/comments");
    let render = |(it, one)| issue::comment(scope.state, repo, it, one);
    Ok(page::list(call, &url, pairs.collect(), render))
}

fn comment(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (repo, id) = (scope.repo(call)?, call.number("comment_id"));
    let mut pairs = repo
        .issues
        .values()
        .flat_map(|it| it.comments.iter().map(move |c| (it, c)));
    let (it, one) = pairs
        .find(|(_, one)| Some(one.id) == id)
        .ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(issue::comment(scope.state, repo, it, one)).modified(one.updated_at))
}

fn add_comment(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (full, number) = (scope.signed_in(call)?, number(scope, call)?);
    let wish = call.json();
    let body = wish["body"].as_str();
    let body = body.ok_or_else(|| Refusal::invalid("IssueComment", "body", "missing_field"))?;
    scope
        .state
        .comment(&full, number, &scope.viewer.login.clone(), body)?;
    let repo = scope.repo(call)?;
    let it = repo.issues.get(&number).ok_or_else(Refusal::not_found)?;
    let made = it.comments.last().ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(issue::comment(scope.state, repo, it, made)))
}

fn edit_comment(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let (id, wish, now) = (call.number("comment_id"), call.json(), scope.state.now);
    let repo = scope.state.repo_mut(&full)?;
    let mut comments = repo
        .issues
        .values_mut()
        .flat_map(|it| it.comments.iter_mut());
    let found = comments
        .find(|one| Some(one.id) == id)
        .ok_or_else(Refusal::not_found)?;
    found.body = wish["body"].as_str().unwrap_or_default().into();
    found.updated_at = now;
    comment(scope, call)
}
