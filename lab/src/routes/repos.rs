//! Repositories, their owners' lists, collaborators, environments.

use serde_json::{Value, json};

use super::users::only_user;
use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::clock::iso;
use crate::finish;
use crate::page;
use crate::redirect;
use crate::render::{api, extend, html, repo, user};
use crate::request::Call;
use crate::state::{Repo, State, node_id};
use crate::token::{Access, Viewer};

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/repos/repos";
    vec![
        Route::get(
            "/repos/{owner}/{repo}",
            "rest/repos/repos#get-a-repository",
            show,
        ),
        Route::new("PATCH", "/repos/{owner}/{repo}", docs, edit),
        Route::new("DELETE", "/repos/{owner}/{repo}", docs, delete),
        Route::get("/orgs/{org}/repos", docs, of_org),
        Route::new("POST", "/orgs/{org}/repos", docs, create_in_org),
        Route::get("/user/repos", docs, mine),
        Route::new("POST", "/user/repos", docs, create),
        Route::get("/users/{username}/repos", docs, of_user),
        Route::get(
            "/repos/{owner}/{repo}/tarball/{ref}",
            "rest/repos/contents",
            tarball,
        ),
        Route::get(
            "/repos/{owner}/{repo}/zipball/{ref}",
            "rest/repos/contents",
            zipball,
        ),
        Route::get(
            "/repos/{owner}/{repo}/collaborators",
            "rest/collaborators",
            collaborators,
        ),
        Route::get(
            "/repos/{owner}/{repo}/environments",
            "rest/deployments",
            environments,
        ),
        Route::new("POST", "/repos/{owner}/{repo}/dispatches", docs, dispatch),
    ]
}

/// Repositories that the viewer may know about.
pub(super) fn visible<'s>(
    state: &'s State,
    viewer: &Viewer,
    wanted: impl Fn(&Repo) -> bool,
) -> Vec<&'s Repo> {
    let all = state.repos.values();
    all.filter(|repo| viewer.access(repo).is_some() && wanted(repo))
        .collect()
}

fn show(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repository = scope.repo(call)?;
    let mut body = repo::full(scope.state, repository, scope.viewer);
    if finish::version(call) != finish::VERSIONS[0]
        && let Some(fields) = body.as_object_mut()
    {
        // The field that differs between versions here.
        fields.remove("has_downloads");
    }
    Ok(Answer::json(body).modified(repository.updated_at))
}

fn edit(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let wish = call.json();
    if let Some(private) = wish["private"].as_bool() {
        scope.state.set_private(&full, private)?;
    }
    if let Some(text) = wish["description"].as_str() {
        scope.state.repo_mut(&full)?.description = text.into();
    }
    let mut name = full.clone();
    if let Some(new) = wish["name"].as_str() {
        name = format!("{}/{new}", call.param("owner"));
        if name != full {
            scope.state.rename_repo(&full, &name)?;
        }
    }
    let repository = scope.state.repo(&name)?;
    Ok(Answer::json(repo::full(
        scope.state,
        repository,
        scope.viewer,
    )))
}

fn delete(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    if scope.viewer.access(scope.repo(call)?) < Some(Access::Admin) {
        return Err(Refusal::new(403, "Must have admin rights to Repository."));
    }
    scope.state.delete_repo(&full)?;
    Ok(Answer::no_content())
}

fn listed(scope: &Scope<'_>, call: &Call, url: &str, repos: Vec<&Repo>) -> Answer {
    page::list(call, url, repos, |it| {
        repo::listed(scope.state, it, scope.viewer)
    })
}

fn of_org(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let org = scope.state.user(call.param("org"))?;
    let url = format!("{}/organizations/{}/repos", scope.state.base, org.id);
    let repos = visible(scope.state, scope.viewer, |repo| repo.owner == org.login);
    Ok(listed(scope, call, &url, repos))
}

fn of_user(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let who = scope.state.user(call.param("username"))?;
    let url = format!("{}/user/{}/repos", scope.state.base, who.id);
    let repos = visible(scope.state, scope.viewer, |repo| {
        repo.owner == who.login && !repo.private
    });
    Ok(listed(scope, call, &url, repos))
}

fn mine(scope: &mut Scope<'_>, call: &Call) -> Reply {
    only_user(scope)?;
    let url = format!("{}/user/repos", scope.state.base);
    let viewer = scope.viewer;
    let repos = visible(scope.state, viewer, |repo| {
        repo.owner == viewer.login || viewer.access(repo) > Some(Access::Read) || repo.private
    });
    Ok(listed(scope, call, &url, repos))
}

fn create(scope: &mut Scope<'_>, call: &Call) -> Reply {
    only_user(scope)?;
    let owner = scope.viewer.login.clone();
    made(scope, call, &owner)
}

fn create_in_org(scope: &mut Scope<'_>, call: &Call) -> Reply {
    if scope.viewer.is_anonymous() {
        return Err(Refusal::new(401, "Requires authentication"));
    }
    let owner = scope.state.user(call.param("org"))?.login.clone();
    made(scope, call, &owner)
}

/// Makes a repository; the token that made it may do everything there.
fn made(scope: &mut Scope<'_>, call: &Call, owner: &str) -> Reply {
    let wish = call.json();
    let name = wish["name"].as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::invalid("Repository", "name", "missing"))?;
    let full = format!("{owner}/{name}");
    if scope
        .state
        .repo(&full)
        .is_ok_and(|repo| repo.full_name() == full)
    {
        return Err(Refusal::invalid("Repository", "name", "already_exists"));
    }
    let id = scope
        .state
        .create_repo(&full, wish["private"].as_bool().unwrap_or(false))?;
    scope
        .tokens
        .set_access(&scope.viewer.token, id, Some(Access::Admin));
    let viewer = scope.tokens.viewer(&scope.viewer.token, scope.state.now);
    let viewer = viewer.as_ref().unwrap_or(scope.viewer);
    Ok(Answer::created(repo::full(
        scope.state,
        scope.state.repo(&full)?,
        viewer,
    )))
}

fn archive(scope: &Scope<'_>, call: &Call, kind: &str) -> Reply {
    let repo = scope.repo(call)?;
    let name = if call.param("ref").is_empty() {
        "HEAD"
    } else {
        call.param("ref")
    };
    repo.resolve(name).ok_or_else(Refusal::not_found)?;
    let path = format!("/{}/legacy.{kind}/{name}", repo.full_name());
    Ok(redirect::found(
        redirect::CODELOAD,
        &path,
        scope.state.now,
        300,
    ))
}

fn tarball(scope: &mut Scope<'_>, call: &Call) -> Reply {
    archive(scope, call, "tar.gz")
}

fn zipball(scope: &mut Scope<'_>, call: &Call) -> Reply {
    archive(scope, call, "zip")
}

fn collaborators(scope: &mut Scope<'_>, call: &Call) -> Reply {
    scope.writable(call)?;
    let repo = scope.repo(call)?;
    let url = list_url(scope.state, repo, "/collaborators");
    Ok(page::list(
        call,
        &url,
        repo.collaborators.iter().collect(),
        |login| {
            let mut body = user(scope.state, login);
            extend(
                &mut body,
                json!({"role_name": "admin", "permissions": {"admin": true,
            "maintain": true, "push": true, "triage": true, "pull": true}}),
            );
            body
        },
    ))
}

fn environments(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let url = list_url(state, repo, "/environments");
    let names = repo.environments.iter().enumerate().collect();
    let render = |(at, name): (usize, &String)| -> Value {
        let id = repo.id * 100 + at as u64;
        json!({
            "id": id,
            "node_id": node_id("Environment", id),
            "name": name,
            "url": api(state, repo, &format!("/environments/{name}")),
            "html_url": html(state, repo, &format!("/deployments/activity_log?environments_filter={name}")),
            "created_at": iso(repo.created_at),
            "updated_at": iso(repo.created_at),
            "protection_rules": [],
            "deployment_branch_policy": null,
        })
    };
    Ok(page::wrapped(
        call,
        &url,
        names,
        render,
        |total, items| json!({"total_count": total, "environments": items}),
    ))
}

/// `repository_dispatch`: starts a run on the default branch.
fn dispatch(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    if call.json()["event_type"].as_str().is_none() {
        return Err(Refusal::invalid(
            "RepositoryDispatch",
            "event_type",
            "missing",
        ));
    }
    scope
        .state
        .create_run(&full, "ci.yml", "main", "repository_dispatch")?;
    Ok(Answer::no_content())
}
