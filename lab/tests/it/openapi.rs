//! The table of routes and its answers against GitHub's `OpenAPI` description.

mod schema;

use ghswarm_lab::routes::{Route, table};
use ghswarm_lab::{FakeGitHub, TokenSpec};
use serde_json::Value;

use crate::client::{fake, get};
use crate::outside;

/// Routes that the description doesn't have, and why.
const EXCEPTIONS: [(&str, &str, &str); 1] = [("POST", "/graphql", "GraphQL is not REST")];

/// Where the description itself is wrong, and how.
const MISTAKES: [(&str, &str, &str); 1] = [(
    "/app/installations",
    ".account: ",
    "allOf instead of anyOf: an account can't be a user and an enterprise at once",
)];

fn description() -> Option<Value> {
    let path = outside::path("GHSWARM_OPENAPI", "OpenAPI description")?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

#[test]
fn every_route_is_githubs() {
    let mut seen = std::collections::BTreeSet::new();
    for route in table() {
        assert!(
            seen.insert((route.method, route.pattern)),
            "{} twice",
            route.pattern
        );
    }
    let Some(github) = description() else { return };
    for Route {
        method, pattern, ..
    } in table()
    {
        let excused = EXCEPTIONS
            .iter()
            .any(|it| (it.0, it.1) == (*method, *pattern));
        let known = !github["paths"][*pattern][method.to_lowercase()].is_null();
        assert!(
            known != excused,
            "{method} {pattern}: known {known}, excused {excused}"
        );
    }
}

/// The pattern with values of things that the seed has.
fn sample(pattern: &str, github: &FakeGitHub) -> String {
    let values = github.change(|state| {
        let repo = state.repo("octo-org/hello").unwrap();
        let head = repo.resolve("main").unwrap();
        let blob = head.files["README.md"].clone();
        let first = |id: Option<&u64>| id.unwrap().to_string();
        let git = pattern.contains("/git/");
        let comment = repo.issues[&1].comments[0].id.to_string();
        [
            ("owner", "octo-org".to_owned()),
            ("repo", "hello".to_owned()),
            ("org", "octo-org".to_owned()),
            ("username", "octocat".to_owned()),
            ("issue_number", "1".to_owned()),
            ("pull_number", "3".to_owned()),
            ("comment_id", comment),
            ("name", "bug".to_owned()),
            (
                "ref",
                if git {
                    "heads/main".to_owned()
                } else {
                    "main".to_owned()
                },
            ),
            ("branch", "main".to_owned()),
            ("path", "README.md".to_owned()),
            ("tag", "v1.0.0".to_owned()),
            ("commit_sha", head.sha.clone()),
            ("tree_sha", head.tree.clone()),
            ("file_sha", blob),
            ("workflow_id", first(repo.workflows.keys().next())),
            ("run_id", first(repo.runs.keys().next())),
            ("job_id", first(repo.jobs.keys().next())),
            ("artifact_id", first(repo.artifacts.keys().next())),
            ("archive_format", "zip".to_owned()),
            ("runner_id", first(repo.runners.keys().next())),
            ("release_id", first(repo.releases.keys().next())),
            ("asset_id", first(repo.assets.keys().next())),
            ("installation_id", "1".to_owned()),
        ]
    });
    let mut path = pattern.to_owned();
    for (name, value) in values {
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    assert!(!path.contains('{'), "no sample for {pattern}");
    if path.starts_with("/search") {
        path + "?q=hello"
    } else {
        path
    }
}

#[tokio::test]
async fn answers_fit_their_schemas() {
    let Some(description) = description() else {
        return;
    };
    let github = fake().await;
    let user = github.token(TokenSpec::classic("octocat").everything());
    let app = github.app_token();
    let installed = github.token(TokenSpec::installation(1).write("octo-org/hello"));
    let mut wrong = Vec::new();
    let mut checked = 0;
    for route in table().iter().filter(|route| route.method == "GET") {
        let token = match route.pattern {
            pattern if pattern.starts_with("/app") => &app,
            pattern if pattern.starts_with("/installation/") => &installed,
            _ => &user,
        };
        let answer = get(&sample(route.pattern, &github))
            .by(token)
            .send(&github)
            .await;
        let documented = &description["paths"][route.pattern]["get"]["responses"];
        let status = answer.status.to_string();
        let response = schema::follow(&description, &documented[&status]);
        if response.is_null() {
            wrong.push(format!(
                "{}: status {status} is not documented",
                route.pattern
            ));
            continue;
        }
        let expected = &response["content"]["application/json"]["schema"];
        if expected.is_null() || answer.status != 200 {
            continue;
        }
        checked += 1;
        let mut errors = schema::check(&description, expected, &answer.json());
        errors.retain(|error| {
            MISTAKES
                .iter()
                .all(|it| it.0 != route.pattern || !error.contains(it.1))
        });
        wrong.extend(
            errors
                .iter()
                .take(4)
                .map(|error| format!("{}: {error}", route.pattern)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 50, "only {checked} answers were checked");
}
