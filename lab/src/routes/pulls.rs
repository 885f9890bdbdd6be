//! Pulls, also as `.diff` and `.patch`.

use super::issues::in_state;
use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::page;
use crate::render::issue;
use crate::request::Call;
use crate::state::{Issue, Pull, Repo};

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/pulls/pulls";
    vec![
        Route::get("/repos/{owner}/{repo}/pulls", docs, list),
        Route::new("POST", "/repos/{owner}/{repo}/pulls", docs, create),
        Route::get("/repos/{owner}/{repo}/pulls/{pull_number}", docs, show),
        Route::new(
            "PATCH",
            "/repos/{owner}/{repo}/pulls/{pull_number}",
            docs,
            edit,
        ),
        Route::new(
            "PUT",
            "/repos/{owner}/{repo}/pulls/{pull_number}/merge",
            docs,
            merge,
        ),
    ]
}

fn list(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let side = |name: &str, branch: &str| {
        let wish = call.query(name);
        wish.is_none_or(|wish| wish.rsplit(':').next() == Some(branch))
    };
    let pairs = repo
        .issues
        .values()
        .rev()
        .filter_map(|it| it.pull.as_ref().map(|pull| (it, pull)));
    let pulls = pairs.filter(|(it, pull)| {
        in_state(call, it) && side("head", &pull.head) && side("base", &pull.base)
    });
    let url = list_url(scope.state, repo, "/pulls");
    let render = |(it, pull)| issue::pull(scope.state, repo, it, pull);
    Ok(page::list(call, &url, pulls.collect(), render))
}

fn find<'s>(repo: &'s Repo, call: &Call) -> Result<(&'s Issue, &'s Pull), Refusal> {
    let it = call
        .number("pull_number")
        .and_then(|number| repo.issues.get(&number));
    let pair = it.and_then(|it| it.pull.as_ref().map(|pull| (it, pull)));
    pair.ok_or_else(Refusal::not_found)
}

fn show(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let (it, pull) = find(repo, call)?;
    let accept = call.accept();
    if accept.contains("diff") {
        return Ok(Answer::raw(
            "application/vnd.github.diff; charset=utf-8",
            diff(pull),
        ));
    }
    if accept.contains("patch") {
        let text = format!(
            "From {} Mon Sep 17 00:00:00 2001\nFrom: {} <{}@users.noreply.github.com>\n\
             Subject: [PATCH] {}\n\n---\n{}-- \n2.47.0\n",
            pull.head_sha,
            it.author,
            it.author,
            it.title,
            diff(pull)
        );
        return Ok(Answer::raw(
            "application/vnd.github.patch; charset=utf-8",
            text,
        ));
    }
    Ok(Answer::json(issue::full_pull(scope.state, repo, it, pull)).modified(it.updated_at))
}

fn diff(pull: &Pull) -> String {
    let (from, to) = (&pull.base_sha[..7], &pull.head_sha[..7]);
    format!(
        "diff --git a/try.txt b/try.txt\nindex {from}..{to} 100644\n--- a/try.txt\n+++ b/try.txt\n\
         @@ -1 +1 @@\n-{from}\n+{to}\n"
    )
}

fn create(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let wish = call.json();
    let text = |name: &str| {
        let value = wish[name].as_str().map(str::to_owned);
        value.ok_or_else(|| Refusal::invalid("PullRequest", name, "missing_field"))
    };
    let (title, head, base) = (text("title")?, text("head")?, text("base")?);
    let made = scope.state.create_pull(&full, &title, &head, &base);
    let number = made.map_err(|_| Refusal::invalid("PullRequest", "head", "invalid"))?;
    let repo = scope.repo(call)?;
    let it = repo.issues.get(&number).ok_or_else(Refusal::not_found)?;
    let pull = it.pull.as_ref().ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(issue::full_pull(
        scope.state,
        repo,
        it,
        pull,
    )))
}

fn edit(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let number = find(scope.repo(call)?, call)?.0.number;
    let wish = call.json();
    scope.state.edit_issue(&full, number, |it| {
        if let Some(title) = wish["title"].as_str() {
            it.title = title.into();
        }
        if let Some(state) = wish["state"].as_str() {
            it.open = state == "open";
        }
    })?;
    let repo = scope.repo(call)?;
    let (it, pull) = find(repo, call)?;
    Ok(Answer::json(issue::full_pull(scope.state, repo, it, pull)))
}

fn merge(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let (it, pull) = find(scope.repo(call)?, call)?;
    let (number, sha, open) = (it.number, pull.head_sha.clone(), it.open);
    if !open {
        return Err(Refusal::new(405, "Pull Request is not mergeable"));
    }
    scope.state.merge_pull(&full, number)?;
    let body = serde_json::json!({"sha": sha, "merged": true,
        "message": "Pull Request successfully merged"});
    Ok(Answer::json(body))
}
