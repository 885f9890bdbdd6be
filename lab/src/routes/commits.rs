//! Commits, branches, tags, statuses, check runs.

use serde_json::{Value, json};

use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::page;
use crate::render::{api, extend, git, repo as repository};
use crate::request::Call;
use crate::state::{Commit, Repo, Status};

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/commits/commits";
    vec![
        Route::get("/repos/{owner}/{repo}/commits", docs, list),
        Route::get("/repos/{owner}/{repo}/commits/{ref}", docs, show),
        Route::get("/repos/{owner}/{repo}/commits/{ref}/status", docs, combined),
        Route::get(
            "/repos/{owner}/{repo}/commits/{ref}/statuses",
            docs,
            statuses,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/statuses/{sha}",
            docs,
            set_status,
        ),
        Route::get(
            "/repos/{owner}/{repo}/commits/{ref}/check-runs",
            "rest/checks/runs",
            checks,
        ),
        Route::get(
            "/repos/{owner}/{repo}/branches",
            "rest/branches/branches",
            branches,
        ),
        Route::get(
            "/repos/{owner}/{repo}/branches/{branch}",
            "rest/branches/branches",
            branch,
        ),
        Route::get(
            "/repos/{owner}/{repo}/tags",
            "rest/repos/repos#list-repository-tags",
            tags,
        ),
    ]
}

fn resolve<'r>(repo: &'r Repo, name: &str) -> Result<&'r Commit, Refusal> {
    let message = format!("No commit found for SHA: {name}");
    repo.resolve(name).ok_or_else(|| Refusal::new(422, message))
}

fn list(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let start = call.query("sha").unwrap_or_else(|| "HEAD".into());
    resolve(repo, &start).map_err(|_| Refusal::not_found())?;
    let mut commits = repo.history(&start);
    if let Some(path) = call.query("path") {
        commits.retain(|commit| {
            let parent = commit.parent.as_ref().and_then(|sha| repo.commits.get(sha));
            parent.and_then(|parent| parent.files.get(&path)) != commit.files.get(&path)
        });
    }
    let modified = commits.first().map_or(repo.pushed_at, |commit| commit.date);
    let url = list_url(scope.state, repo, "/commits");
    let answer = page::list(call, &url, commits, |it| git::commit(scope.state, repo, it));
    Ok(answer.modified(modified))
}

fn show(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let commit = resolve(repo, call.param("ref"))?;
    if call.accept().contains("application/vnd.github.sha") {
        let answer = Answer::raw(
            "application/vnd.github.sha; charset=utf-8",
            commit.sha.clone(),
        );
        return Ok(answer.git_object(&commit.sha));
    }
    let mut body = git::commit(scope.state, repo, commit);
    extend(
        &mut body,
        json!({"stats": {"additions": 10, "deletions": 3, "total": 13}, "files": []}),
    );
    Ok(Answer::json(body).modified(commit.date))
}

/// The newest status of each context of a commit.
fn latest<'r>(repo: &'r Repo, sha: &str) -> Vec<&'r Status> {
    let mut newest: Vec<&Status> = Vec::new();
    for status in repo
        .statuses
        .iter()
        .rev()
        .filter(|status| status.sha == sha)
    {
        if newest.iter().all(|known| known.context != status.context) {
            newest.push(status);
        }
    }
    newest
}

fn combined(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let sha = &resolve(repo, call.param("ref"))?.sha;
    let statuses = latest(repo, sha);
    let any = |wanted: &str| statuses.iter().any(|status| status.state == wanted);
    let verdict = if any("failure") || any("error") {
        "failure"
    } else if any("pending") || statuses.is_empty() {
        "pending"
    } else {
        "success"
    };
    let url = list_url(state, repo, &format!("/commits/{sha}/status"));
    let render = |it| git::status(state, repo, it);
    Ok(page::wrapped(
        call,
        &url,
        statuses,
        render,
        |total, items| {
            json!({
                "state": verdict,
                "statuses": items,
                "sha": sha,
                "total_count": total,
                "repository": repository::minimal(state, repo),
                "commit_url": api(state, repo, &format!("/commits/{sha}")),
                "url": api(state, repo, &format!("/commits/{sha}/status")),
            })
        },
    ))
}

fn statuses(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let sha = &resolve(repo, call.param("ref"))?.sha;
    let found = repo
        .statuses
        .iter()
        .rev()
        .filter(|status| status.sha == *sha)
        .collect();
    let url = list_url(scope.state, repo, &format!("/commits/{sha}/statuses"));
    Ok(page::list(call, &url, found, |it| {
        git::status(scope.state, repo, it)
    }))
}

fn set_status(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let wish = call.json();
    let state = wish["state"].as_str();
    let state = state.ok_or_else(|| Refusal::invalid("Status", "state", "missing_field"))?;
    let sha = resolve(scope.repo(call)?, call.param("sha"))?.sha.clone();
    let context = wish["context"].as_str().unwrap_or("default");
    scope.state.set_status(&full, &sha, context, state)?;
    let repo = scope.repo(call)?;
    let made = repo.statuses.last().ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(git::status(scope.state, repo, made)))
}

fn checks(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let sha = &resolve(repo, call.param("ref"))?.sha;
    let runs = repo.runs.values().filter(|run| run.sha == *sha);
    let pairs = runs.flat_map(|run| {
        let jobs = repo.jobs.values().filter(|job| job.run == run.id);
        jobs.map(move |job| (run, job))
    });
    let url = list_url(state, repo, &format!("/commits/{sha}/check-runs"));
    let render = |(run, job)| git::check_run(state, repo, run, job);
    Ok(page::wrapped(
        call,
        &url,
        pairs.collect(),
        render,
        |total, items| json!({"total_count": total, "check_runs": items}),
    ))
}

/// Names and commits of the refs under a prefix.
fn under<'r>(repo: &'r Repo, prefix: &str) -> Vec<(&'r str, &'r str)> {
    let all = repo.refs.iter();
    all.filter_map(|(name, sha)| Some((name.strip_prefix(prefix)?, sha.as_str())))
        .collect()
}

fn branches(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let url = list_url(state, repo, "/branches");
    let render = |(name, sha): (&str, &str)| -> Value { git::branch(state, repo, name, sha) };
    Ok(page::list(call, &url, under(repo, "refs/heads/"), render))
}

fn branch(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let name = call.param("branch");
    let missing = || Refusal::new(404, "Branch not found");
    let sha = repo
        .refs
        .get(&format!("refs/heads/{name}"))
        .ok_or_else(missing)?;
    let tip = repo.commits.get(sha).ok_or_else(missing)?;
    Ok(Answer::json(git::full_branch(scope.state, repo, name, tip)))
}

fn tags(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let mut tags = under(repo, "refs/tags/");
    tags.reverse();
    let url = list_url(state, repo, "/tags");
    Ok(page::list(call, &url, tags, |(name, sha)| {
        git::tag(state, repo, name, sha)
    }))
}
