//! Releases and the download of their assets.

use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::page;
use crate::redirect;
use crate::render::release;
use crate::request::Call;
use crate::state::{Release, Repo};

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/releases/releases";
    let assets = "rest/releases/assets";
    vec![
        Route::get("/repos/{owner}/{repo}/releases", docs, list),
        Route::new("POST", "/repos/{owner}/{repo}/releases", docs, create),
        Route::get("/repos/{owner}/{repo}/releases/latest", docs, latest),
        Route::get("/repos/{owner}/{repo}/releases/tags/{tag}", docs, by_tag),
        Route::get(
            "/repos/{owner}/{repo}/releases/assets/{asset_id}",
            assets,
            asset,
        ),
        Route::get("/repos/{owner}/{repo}/releases/{release_id}", docs, show),
        Route::get(
            "/repos/{owner}/{repo}/releases/{release_id}/assets",
            assets,
            assets_of,
        ),
    ]
}

fn list(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let url = list_url(scope.state, repo, "/releases");
    let newest = repo.releases.values().rev().collect();
    Ok(page::list(call, &url, newest, |it| {
        release::release(scope.state, repo, it)
    }))
}

fn one(scope: &Scope<'_>, repo: &Repo, found: Option<&Release>) -> Reply {
    let found = found.ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(release::release(scope.state, repo, found)).modified(found.created_at))
}

fn latest(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    one(scope, repo, repo.releases.values().next_back())
}

fn by_tag(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    one(
        scope,
        repo,
        repo.releases
            .values()
            .find(|it| it.tag == call.param("tag")),
    )
}

fn show(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    one(
        scope,
        repo,
        call.number("release_id")
            .and_then(|id| repo.releases.get(&id)),
    )
}

fn create(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let wish = call.json();
    let tag = wish["tag_name"].as_str();
    let tag = tag.ok_or_else(|| Refusal::invalid("Release", "tag_name", "missing_field"))?;
    if scope.repo(call)?.releases.values().any(|it| it.tag == tag) {
        return Err(Refusal::invalid("Release", "tag_name", "already_exists"));
    }
    let id = scope
        .state
        .create_release(&full, tag, wish["name"].as_str().unwrap_or(tag))?;
    let repo = scope.repo(call)?;
    let made = repo.releases.get(&id).ok_or_else(Refusal::not_found)?;
    Ok(Answer::created(release::release(scope.state, repo, made)))
}

/// An asset's description, or 302 to its bytes for `Accept: application/octet-stream`.
fn asset(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let found = call.number("asset_id").and_then(|id| repo.assets.get(&id));
    let found = found.ok_or_else(Refusal::not_found)?;
    if call.accept().contains("application/octet-stream") {
        let path = format!("/github-production-release-asset/{}/{}", repo.id, found.id);
        return Ok(redirect::found(
            redirect::ASSETS,
            &path,
            scope.state.now,
            300,
        ));
    }
    let of = repo
        .releases
        .get(&found.release)
        .ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(release::asset(scope.state, repo, of, found)).modified(found.created_at))
}

fn assets_of(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let of = call
        .number("release_id")
        .and_then(|id| repo.releases.get(&id));
    let of = of.ok_or_else(Refusal::not_found)?;
    let assets = repo
        .assets
        .values()
        .filter(|asset| asset.release == of.id)
        .collect();
    let url = list_url(scope.state, repo, &format!("/releases/{}/assets", of.id));
    Ok(page::list(call, &url, assets, |it| {
        release::asset(scope.state, repo, of, it)
    }))
}
