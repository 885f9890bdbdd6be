//! Fields that need arguments or the state; all others are properties of their object.

use serde_json::{Map, Value, json};

use super::connection::{list, page};
use super::{Resolved, Trouble, objects};
use crate::clock::iso;
use crate::routes::Scope;
use crate::state::{Issue, Repo, read_node_id};

type Args = Map<String, Value>;

fn text<'a>(args: &'a Args, name: &str) -> &'a str {
    args.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A property; lists are cut into the page that was asked.
pub(super) fn property(object: &Value, name: &str, args: &Args) -> Resolved {
    let value = object
        .get(name)
        .filter(|_| !name.starts_with("__"))
        .ok_or(Trouble::Unknown)?;
    Ok(page(value, args).unwrap_or_else(|| value.clone()))
}

/// A field of the query itself.
pub(super) fn root(scope: &mut Scope<'_>, name: &str, args: &Args) -> Resolved {
    match name {
        "viewer" => Ok(objects::user(scope.state, &scope.viewer.login)),
        "user" | "organization" | "repositoryOwner" => {
            let login = text(args, "login");
            let known = scope.state.user(login).is_ok();
            let missing = format!("Could not resolve to a User with the login of '{login}'.");
            known
                .then(|| objects::user(scope.state, login))
                .ok_or(Trouble::NotFound(missing))
        }
        "repository" => {
            let full = format!("{}/{}", text(args, "owner"), text(args, "name"));
            let repo = scope.state.repo(&full).ok();
            let repo = repo.filter(|repo| scope.viewer.access(repo).is_some());
            let missing = format!("Could not resolve to a Repository with the name '{full}'.");
            repo.map(|repo| objects::repository(scope.state, repo, scope.viewer))
                .ok_or(Trouble::NotFound(missing))
        }
        "rateLimit" => {
            let window = scope
                .limits
                .window(scope.viewer, "graphql", scope.state.now);
            Ok(json!({
                "__typename": "RateLimit",
                "cost": 1,
                "limit": window.limit,
                "nodeCount": 1,
                "remaining": window.remaining().saturating_sub(1),
                "used": window.used + 1,
                "resetAt": iso(window.reset),
            }))
        }
        "node" => node(scope, text(args, "id")),
        "search" => Ok(search(scope, args)),
        "__type" => Ok(described(text(args, "name"))),
        _ => Err(Trouble::Unknown),
    }
}

/// An issue, a pull or a repository by its node id.
fn node(scope: &Scope<'_>, id: &str) -> Resolved {
    let (state, viewer) = (&*scope.state, scope.viewer);
    let missing = format!("Could not resolve to a node with the global id of '{id}'");
    let visible = state
        .repos
        .values()
        .filter(|repo| viewer.access(repo).is_some());
    for repo in visible {
        if read_node_id("Repository", id) == Some(repo.id) {
            return Ok(objects::repository(state, repo, viewer));
        }
        let (issue, pull) = (read_node_id("Issue", id), read_node_id("PullRequest", id));
        let mut all = repo.issues.values();
        let found = all.find(|it| match &it.pull {
            Some(it) => Some(it.id) == pull,
            None => Some(it.id) == issue,
        });
        if let Some(found) = found {
            return Ok(objects::issue(state, repo, found));
        }
    }
    Err(Trouble::NotFound(missing))
}

/// The repositories of somebody that the viewer may know about.
pub(super) fn owned(scope: &Scope<'_>, object: &Value, args: &Args) -> Resolved {
    let (state, viewer) = (&*scope.state, scope.viewer);
    let mine = state
        .repos
        .values()
        .rev()
        .filter(|repo| object["login"] == repo.owner.as_str() && viewer.access(repo).is_some());
    let repos = mine
        .map(|repo| objects::repository(state, repo, viewer))
        .collect();
    Ok(page(&list("Repository", repos), args).unwrap_or_default())
}

/// `search(type: ISSUE)`: words in titles and `repo:`; enough for `gh search` and `gh pr status`.
fn search(scope: &Scope<'_>, args: &Args) -> Value {
    let query = text(args, "query").to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let (state, viewer) = (&*scope.state, scope.viewer);
    let repos = state
        .repos
        .values()
        .filter(|repo| viewer.access(repo).is_some());
    let repos = repos.filter(|repo| {
        let full = repo.full_name().to_lowercase();
        words
            .iter()
            .all(|word| word.strip_prefix("repo:").is_none_or(|name| name == full))
    });
    let matches = |issue: &Issue| {
        words.iter().all(|word| match *word {
            "is:issue" | "type:issue" => issue.pull.is_none(),
            "is:pr" | "type:pr" => issue.pull.is_some(),
            "is:open" | "state:open" => issue.open,
            word => word.contains(':') || issue.title.to_lowercase().contains(word),
        })
    };
    let hits = repos.flat_map(|repo| {
        let issues = repo.issues.values().filter(|issue| matches(issue));
        issues.map(move |issue| objects::issue(state, repo, issue))
    });
    let hits: Vec<Value> = hits.collect();
    let count = hits.len();
    let mut found = page(&list("SearchResultItem", hits), args).unwrap_or_default();
    found["issueCount"] = count.into();
    found
}

/// A field of a repository.
pub(super) fn repository(
    scope: &mut Scope<'_>,
    object: &Value,
    name: &str,
    args: &Args,
) -> Resolved {
    let state = &*scope.state;
    let full = object["nameWithOwner"].as_str().unwrap_or_default();
    let repo = state
        .repo(full)
        .map_err(|missing| Trouble::NotFound(missing.to_string()))?;
    let shown = |issue| objects::issue(state, repo, issue);
    let cut =
        |kind: &str, items: Vec<Value>| Ok(page(&list(kind, items), args).unwrap_or_default());
    match name {
        "issues" => cut(
            "Issue",
            chosen(repo, args, false).into_iter().map(shown).collect(),
        ),
        "pullRequests" => cut(
            "PullRequest",
            chosen(repo, args, true).into_iter().map(shown).collect(),
        ),
        "issue" | "pullRequest" | "issueOrPullRequest" => {
            let number = args.get("number").and_then(Value::as_u64);
            let found = number
                .and_then(|number| repo.issues.get(&number))
                .filter(|issue| {
                    name == "issueOrPullRequest" || issue.pull.is_some() == (name == "pullRequest")
                });
            let number = number.unwrap_or(0);
            let missing = format!(
                "Could not resolve to an issue or pull request with the number of {number}."
            );
            found.map(shown).ok_or(Trouble::NotFound(missing))
        }
        "labels" => cut("Label", repo.labels.values().map(objects::label).collect()),
        "releases" => {
            let newest = repo.releases.values().rev().enumerate();
            let render = |(at, it)| objects::release(state, repo, it, at == 0);
            cut("Release", newest.map(render).collect())
        }
        "latestRelease" => {
            let newest = repo.releases.values().next_back();
            Ok(newest.map_or(Value::Null, |it| objects::release(state, repo, it, true)))
        }
        _ => property(object, name, args),
    }
}

/// The issues or pulls that `states`, `labels`, `headRefName` and `baseRefName` choose.
fn chosen<'r>(repo: &'r Repo, args: &Args, pulls: bool) -> Vec<&'r Issue> {
    let texts = |name: &str| -> Option<Vec<String>> {
        let value = args.get(name).filter(|value| !value.is_null())?;
        let one = value.as_str().map(|text| vec![text.to_owned()]);
        let many = || {
            value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
        };
        Some(one.unwrap_or_else(|| many().map(str::to_owned).collect()))
    };
    let states = texts("states");
    let (labels, head, base) = (texts("labels"), texts("headRefName"), texts("baseRefName"));
    let is = |wish: &Option<Vec<String>>, value: Option<&String>| {
        wish.as_ref()
            .is_none_or(|wish| value.is_some_and(|value| wish.contains(value)))
    };
    let wanted = |issue: &&Issue| {
        let pull = issue.pull.as_ref();
        let standing = match (pull.and_then(|pull| pull.merged_at), issue.open) {
            (Some(_), _) => "MERGED",
            (None, true) => "OPEN",
            (None, false) => "CLOSED",
        };
        let in_state = states
            .as_ref()
            .is_none_or(|states| states.is_empty() || states.iter().any(|it| it == standing));
        let labelled = labels.as_ref().is_none_or(|labels| {
            labels.is_empty() || labels.iter().any(|label| issue.labels.contains(label))
        });
        pull.is_some() == pulls
            && in_state
            && labelled
            && is(&head, pull.map(|pull| &pull.head))
            && is(&base, pull.map(|pull| &pull.base))
    };
    let mut found: Vec<&Issue> = repo.issues.values().rev().filter(wanted).collect();
    let order = args.get("orderBy");
    if order.is_none_or(|order| order["direction"] == "ASC") {
        found.reverse();
    }
    found
}

/// `__type`, which clients ask to find out what a server can do.
fn described(name: &str) -> Value {
    let fields: &[&str] = match name {
        "PullRequest" => &["reviewDecision", "statusCheckRollup", "isInMergeQueue"],
        "Issue" => &["stateReason"],
        "Repository" => &["pullRequestTemplates", "visibility", "autoMergeAllowed"],
        _ => &[],
    };
    let fields = fields
        .iter()
        .map(|field| json!({"__typename": "__Field", "name": field}));
    json!({
        "__typename": "__Type",
        "name": name,
        "fields": fields.collect::<Vec<_>>(),
        "enumValues": [],
    })
}
