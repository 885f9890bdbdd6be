//! State as GitHub's JSON. Field sets follow GitHub's OpenAPI description.

pub(crate) mod actions;
pub(crate) mod git;
pub(crate) mod issue;
pub(crate) mod release;
pub(crate) mod repo;

use serde_json::{Value, json};

use crate::clock::iso;
use crate::state::{Repo, State, User, node_id};

/// The address of something in a repository.
pub(crate) fn api(state: &State, repo: &Repo, rest: &str) -> String {
    format!("{}/repos/{}{rest}", state.base, repo.full_name())
}

/// The address of a page about something in a repository.
pub(crate) fn html(state: &State, repo: &Repo, rest: &str) -> String {
    format!("{}/{}{rest}", state.site(), repo.full_name())
}

/// A time, or null.
pub(crate) fn time(at: Option<u64>) -> Value {
    at.map_or(Value::Null, |at| iso(at).into())
}

/// `simple-user`.
pub(crate) fn user(state: &State, login: &str) -> Value {
    let (id, kind) = state
        .user(login)
        .map_or((10_137, "User"), |user| (user.id, user.kind));
    let base = format!("{}/users/{login}", state.base);
    json!({
        "login": login,
        "id": id,
        "node_id": node_id(kind, id),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": base,
        "html_url": format!("{}/{login}", state.site()),
        "followers_url": format!("{base}/followers"),
        "following_url": format!("{base}/following{{/other_user}}"),
        "gists_url": format!("{base}/gists{{/gist_id}}"),
        "starred_url": format!("{base}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{base}/subscriptions"),
        "organizations_url": format!("{base}/orgs"),
        "repos_url": format!("{base}/repos"),
        "events_url": format!("{base}/events{{/privacy}}"),
        "received_events_url": format!("{base}/received_events"),
        "type": kind,
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// `public-user`, or `private-user` for the viewer themselves.
pub(crate) fn profile(state: &State, who: &User, own: bool) -> Value {
    let owned = state.repos.values().filter(|repo| repo.owner == who.login);
    let (private, public): (Vec<_>, Vec<_>) = owned.partition(|repo| repo.private);
    let mut body = user(state, &who.login);
    extend(
        &mut body,
        json!({
            "name": who.name,
            "company": "@octo-org",
            "blog": "https://octo.example",
            "location": "Somewhere",
            "email": null,
            "hireable": null,
            "bio": "Known from tests",
            "twitter_username": null,
            "public_repos": public.len(),
            "public_gists": 0,
            "followers": 20,
            "following": 2,
            "created_at": iso(who.created_at),
            "updated_at": iso(who.updated_at),
        }),
    );
    if own {
        extend(
            &mut body,
            json!({
                "user_view_type": "private",
                "private_gists": 1,
                "total_private_repos": private.len(),
                "owned_private_repos": private.len(),
                "disk_usage": 10_000,
                "collaborators": 8,
                "two_factor_authentication": true,
                "plan": {"name": "pro", "space": 976_562_499, "collaborators": 0,
                    "private_repos": 9999},
            }),
        );
    }
    body
}

/// Adds the fields of one object to another.
pub(crate) fn extend(body: &mut Value, more: Value) {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
}

/// `reaction-rollup`.
pub(crate) fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0,
        "hooray": 0, "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
    })
}
