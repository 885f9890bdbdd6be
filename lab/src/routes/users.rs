//! `/user`, `/users/{username}` and `/notifications`.

use serde_json::json;

use super::{Route, Scope};
use crate::answer::{Answer, Refusal, Reply};
use crate::clock::iso;
use crate::page;
use crate::render::{profile, repo};
use crate::request::Call;
use crate::token::Kind;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/user",
            "rest/users/users#get-the-authenticated-user",
            viewer,
        ),
        Route::get("/users/{username}", "rest/users/users#get-a-user", user),
        Route::get(
            "/notifications",
            "rest/activity/notifications",
            notifications,
        ),
    ]
}

/// Refuses requests that need a user behind them.
pub(super) fn only_user(scope: &Scope<'_>) -> Result<(), Refusal> {
    match scope.viewer.kind {
        Kind::Anonymous => Err(Refusal::new(401, "Requires authentication")),
        Kind::Job | Kind::Installation | Kind::App => {
            Err(Refusal::new(403, "Resource not accessible by integration"))
        }
        Kind::Classic | Kind::FineGrained => Ok(()),
    }
}

fn viewer(scope: &mut Scope<'_>, _: &Call) -> Reply {
    only_user(scope)?;
    let who = scope.state.user(&scope.viewer.login)?;
    Ok(Answer::json(profile(scope.state, who, true)).modified(who.updated_at))
}

fn user(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let who = scope.state.user(call.param("username"))?;
    Ok(Answer::json(profile(scope.state, who, false)).modified(who.updated_at))
}

fn notifications(scope: &mut Scope<'_>, call: &Call) -> Reply {
    only_user(scope)?;
    let (state, viewer) = (&*scope.state, scope.viewer);
    let mine = state
        .repos
        .values()
        .filter(|repo| viewer.access(repo).is_some());
    let newest = mine.filter_map(|repo| repo.issues.values().next_back().map(|last| (repo, last)));
    let items: Vec<_> = newest.collect();
    let modified = items
        .iter()
        .map(|(_, issue)| issue.updated_at)
        .max()
        .unwrap_or(0);
    let url = format!("{}/notifications", state.base);
    let answer = page::list(call, &url, items, |(repository, issue)| {
        let thread = format!("{url}/threads/{}", issue.id);
        json!({
            "id": issue.id.to_string(),
            "repository": repo::minimal(state, repository),
            "subject": {
                "title": issue.title,
                "url": crate::render::api(state, repository, &format!("/issues/{}", issue.number)),
                "latest_comment_url": "",
                "type": "Issue",
            },
            "reason": "subscribed",
            "unread": true,
            "updated_at": iso(issue.updated_at),
            "last_read_at": null,
            "url": thread,
            "subscription_url": format!("{thread}/subscription"),
        })
    });
    Ok(answer.modified(modified).header("x-poll-interval", "60"))
}
