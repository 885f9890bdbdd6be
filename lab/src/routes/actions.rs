//! Self-hosted runners and the permissions of Actions.

use serde_json::json;

use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::clock::iso;
use crate::page;
use crate::render::actions;
use crate::request::Call;
use crate::state::git::object_id;
use crate::token::Access;

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/actions/self-hosted-runners";
    vec![
        Route::get("/repos/{owner}/{repo}/actions/runners", docs, runners),
        Route::get(
            "/repos/{owner}/{repo}/actions/runners/{runner_id}",
            docs,
            runner,
        ),
        Route::new(
            "DELETE",
            "/repos/{owner}/{repo}/actions/runners/{runner_id}",
            docs,
            remove,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/actions/runners/registration-token",
            docs,
            registration,
        )
        .of("actions_runner_registration"),
        Route::get(
            "/repos/{owner}/{repo}/actions/permissions",
            "rest/actions/permissions",
            allowed,
        ),
    ]
}

/// Runners are shown to administrators and to Apps that may write.
fn trusted(scope: &Scope<'_>, call: &Call) -> Result<String, Refusal> {
    let full = scope.writable(call)?;
    let access = scope.viewer.access(scope.repo(call)?);
    let app = scope.viewer.kind == crate::token::Kind::Installation;
    if access < Some(Access::Admin) && !app {
        return Err(Refusal::new(403, "Must have admin rights to Repository."));
    }
    Ok(full)
}

fn runners(scope: &mut Scope<'_>, call: &Call) -> Reply {
    trusted(scope, call)?;
    let repo = scope.repo(call)?;
    let url = list_url(scope.state, repo, "/actions/runners");
    let all = repo.runners.values().collect();
    Ok(page::wrapped(
        call,
        &url,
        all,
        actions::runner,
        |total, items| json!({"total_count": total, "runners": items}),
    ))
}

fn runner(scope: &mut Scope<'_>, call: &Call) -> Reply {
    trusted(scope, call)?;
    let repo = scope.repo(call)?;
    let found = call
        .number("runner_id")
        .and_then(|id| repo.runners.get(&id));
    Ok(Answer::json(actions::runner(
        found.ok_or_else(Refusal::not_found)?,
    )))
}

fn remove(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = trusted(scope, call)?;
    let id = call.number("runner_id").ok_or_else(Refusal::not_found)?;
    let removed = scope.state.repo_mut(&full)?.runners.remove(&id);
    removed
        .map(|_| Answer::no_content())
        .ok_or_else(Refusal::not_found)
}

fn registration(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = trusted(scope, call)?;
    let now = scope.state.now;
    let token = object_id("registration", format!("{full} {now}").as_bytes());
    let body = json!({"token": token[..29].to_uppercase(), "expires_at": iso(now + 3600)});
    Ok(Answer::created(body))
}

fn allowed(scope: &mut Scope<'_>, call: &Call) -> Reply {
    trusted(scope, call)?;
    Ok(Answer::json(
        json!({"enabled": true, "allowed_actions": "all"}),
    ))
}
