//! What an App asks with its JWT, and the tokens that it mints.

use serde_json::{Value, json};

use super::{Route, Scope};
use crate::answer::{Answer, Caching, Refusal, Reply};
use crate::clock::iso;
use crate::page;
use crate::render::user;
use crate::request::Call;
use crate::state::State;
use crate::token::{Kind, TokenSpec};

/// When an installation's token ends.
const HOUR: u64 = 3600;

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/apps/apps";
    vec![
        Route::get("/app", docs, app),
        Route::get("/app/installations", docs, installations),
        Route::get("/app/installations/{installation_id}", docs, installation),
        Route::new(
            "POST",
            "/app/installations/{installation_id}/access_tokens",
            docs,
            mint,
        ),
        Route::get("/installation/repositories", docs, repositories),
    ]
}

fn only_app(scope: &Scope<'_>) -> Result<(), Refusal> {
    let message = "A JSON web token could not be decoded";
    (scope.viewer.kind == Kind::App)
        .then_some(())
        .ok_or_else(|| Refusal::new(401, message))
}

fn permissions() -> Value {
    json!({"contents": "read", "issues": "write", "metadata": "read"})
}

fn app(scope: &mut Scope<'_>, _: &Call) -> Reply {
    only_app(scope)?;
    let state = &scope.state;
    Ok(Answer::json(json!({
        "id": 1,
        "slug": "octo-app",
        "node_id": "MDM6QXBwMQ==",
        "client_id": "Iv1.ab1112223334445c",
        "owner": user(state, "octo-org"),
        "name": "Octo App",
        "description": "The App of the fake",
        "external_url": "https://octo.example",
        "html_url": "https://github.com/apps/octo-app",
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "permissions": permissions(),
        "events": ["push", "pull_request"],
        "installations_count": 1,
    })))
}

fn one(state: &State, id: u64) -> Value {
    json!({
        "id": id,
        "account": user(state, "octo-org"),
        "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", state.base),
        "repositories_url": format!("{}/installation/repositories", state.base),
        "html_url": format!("https://github.com/organizations/octo-org/settings/installations/{id}"),
        "app_id": 1,
        "app_slug": "octo-app",
        "target_id": 1001,
        "target_type": "Organization",
        "repository_selection": "all",
        "permissions": permissions(),
        "events": ["push", "pull_request"],
        "single_file_name": null,
        "suspended_by": null,
        "suspended_at": null,
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
    })
}

fn installations(scope: &mut Scope<'_>, call: &Call) -> Reply {
    only_app(scope)?;
    let url = format!("{}/app/installations", scope.state.base);
    Ok(page::list(call, &url, vec![1, 2], |id| {
        one(scope.state, id)
    }))
}

fn installation(scope: &mut Scope<'_>, call: &Call) -> Reply {
    only_app(scope)?;
    let id = call
        .number("installation_id")
        .ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(one(scope.state, id)))
}

fn mint(scope: &mut Scope<'_>, call: &Call) -> Reply {
    only_app(scope)?;
    let id = call
        .number("installation_id")
        .ok_or_else(Refusal::not_found)?;
    let end = scope.state.now + HOUR;
    let wish = call.json();
    let mut spec = TokenSpec::installation(id).expires(end);
    let chosen = wish["repositories"].as_array();
    for repo in scope
        .state
        .repos
        .values()
        .filter(|repo| repo.owner == "octo-org")
    {
        if chosen.is_none_or(|names| names.iter().any(|name| *name == repo.name.as_str())) {
            spec = spec.write(&repo.full_name());
        }
    }
    let token = scope.tokens.mint(spec, scope.state);
    let body = json!({
        "token": token.value(),
        "expires_at": iso(end),
        "permissions": if wish["permissions"].is_object() { wish["permissions"].clone() }
            else { permissions() },
        "repository_selection": if chosen.is_some() { "selected" } else { "all" },
    });
    // Even this answer is marked public, as recordings show.
    Ok(Answer::created(body).untagged().caching(Caching::Minute))
}

fn repositories(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, viewer) = (&*scope.state, scope.viewer);
    if viewer.kind != Kind::Installation {
        let message = "You must authenticate with an installation access token in order to list \
                       repositories for an installation.";
        return Err(Refusal::new(403, message));
    }
    let repos = super::repos::visible(state, viewer, |repo| repo.owner == "octo-org");
    let url = format!("{}/installation/repositories", state.base);
    let render = |repo| crate::render::repo::listed(state, repo, viewer);
    Ok(page::wrapped(
        call,
        &url,
        repos,
        render,
        |total, items| json!({"total_count": total, "repository_selection": "all", "repositories": items}),
    ))
}
