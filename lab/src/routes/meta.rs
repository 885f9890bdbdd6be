//! `/`, `/meta`, `/zen`, `/octocat`, `/rate_limit` and `/graphql`.

use serde_json::{Value, json};

use super::{Route, Scope};
use crate::answer::{Answer, Caching, Reply};
use crate::request::Call;

const ROOT: [(&str, &str); 31] = [
    ("current_user_url", "/user"),
    ("authorizations_url", "/authorizations"),
    (
        "code_search_url",
        "/search/code?q={query}{&page,per_page,sort,order}",
    ),
    (
        "commit_search_url",
        "/search/commits?q={query}{&page,per_page,sort,order}",
    ),
    ("emails_url", "/user/emails"),
    ("emojis_url", "/emojis"),
    ("events_url", "/events"),
    ("feeds_url", "/feeds"),
    ("followers_url", "/user/followers"),
    ("following_url", "/user/following{/target}"),
    ("gists_url", "/gists{/gist_id}"),
    ("hub_url", "/hub"),
    (
        "issue_search_url",
        "/search/issues?q={query}{&page,per_page,sort,order}",
    ),
    ("issues_url", "/issues"),
    ("keys_url", "/user/keys"),
    (
        "label_search_url",
        "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
    ),
    ("notifications_url", "/notifications"),
    ("organization_url", "/orgs/{org}"),
    (
        "organization_repositories_url",
        "/orgs/{org}/repos{?type,page,per_page,sort}",
    ),
    ("organization_teams_url", "/orgs/{org}/teams"),
    ("public_gists_url", "/gists/public"),
    ("rate_limit_url", "/rate_limit"),
    ("repository_url", "/repos/{owner}/{repo}"),
    (
        "repository_search_url",
        "/search/repositories?q={query}{&page,per_page,sort,order}",
    ),
    (
        "current_user_repositories_url",
        "/user/repos{?type,page,per_page,sort}",
    ),
    ("starred_url", "/user/starred{/owner}{/repo}"),
    ("starred_gists_url", "/gists/starred"),
    ("user_url", "/users/{user}"),
    ("user_organizations_url", "/user/orgs"),
    (
        "user_repositories_url",
        "/users/{user}/repos{?type,page,per_page,sort}",
    ),
    (
        "user_search_url",
        "/search/users?q={query}{&page,per_page,sort,order}",
    ),
];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", "rest/meta/meta#github-api-root", root),
        Route::get("/meta", "rest/meta/meta#get-github-meta-information", meta),
        Route::get("/zen", "rest/meta/meta#get-the-zen-of-github", zen),
        Route::get("/octocat", "rest/meta/meta#get-octocat", octocat),
        Route::get("/rate_limit", "rest/rate-limit/rate-limit", rate_limit).of("rate_limit"),
        Route::new("POST", "/graphql", "graphql", graphql).of("graphql"),
    ]
}

fn root(scope: &mut Scope<'_>, _: &Call) -> Reply {
    let base = &scope.state.base;
    let mut body = json!({
        "current_user_authorizations_html_url":
            "https://github.com/settings/connections/applications{/client_id}",
    });
    for (name, rest) in ROOT {
        body[name] = format!("{base}{rest}").into();
    }
    Ok(Answer::json(body))
}

fn meta(_: &mut Scope<'_>, _: &Call) -> Reply {
    Ok(Answer::json(json!({
        "verifiable_password_authentication": false,
        "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"],
        "hooks": ["192.30.252.0/22"],
        "web": ["192.30.252.0/22"],
        "api": ["192.30.252.0/22"],
        "git": ["192.30.252.0/22"],
        "actions": ["13.64.0.0/16"],
        "domains": {"website": ["*.github.com"], "actions": ["*.actions.githubusercontent.com"]},
    })))
}

fn zen(_: &mut Scope<'_>, _: &Call) -> Reply {
    Ok(Answer::raw(
        "text/plain;charset=utf-8",
        "Keep it logically awesome.",
    ))
}

fn octocat(_: &mut Scope<'_>, _: &Call) -> Reply {
    let art =
        "\n      MMM.           .MMM\n      MMMMMMMMMMMMMMMMMMM\n     MMMM::- -:::- -::MMMM\n";
    Ok(Answer::raw("application/octocat-stream", art))
}

/// <https://docs.github.com/rest/rate-limit/rate-limit>: free, and says so for every resource.
fn rate_limit(scope: &mut Scope<'_>, _: &Call) -> Reply {
    let now = scope.state.now;
    let mut resources = json!({});
    for name in [
        "core",
        "search",
        "graphql",
        "code_search",
        "actions_runner_registration",
    ] {
        let window = scope.limits.window(scope.viewer, name, now);
        resources[name] = json!({"limit": window.limit, "used": window.used,
            "remaining": window.remaining(), "reset": window.reset});
    }
    let rate: Value = resources["core"].clone();
    let body = json!({"resources": resources, "rate": rate});
    Ok(Answer::json(body).untagged().caching(Caching::NoCache))
}

fn graphql(scope: &mut Scope<'_>, call: &Call) -> Reply {
    Ok(crate::graphql::answer(scope, call))
}
