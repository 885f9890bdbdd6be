//! Mutations: `addComment`, `createIssue`, `closeIssue`.

use serde_json::{Map, Value, json};

use super::{Resolved, Trouble, objects};
use crate::routes::Scope;
use crate::state::read_node_id;
use crate::token::Access;

/// Runs one mutation.
pub(super) fn run(scope: &mut Scope<'_>, name: &str, args: &Map<String, Value>) -> Resolved {
    let input = args.get("input").cloned().unwrap_or_default();
    let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
    match name {
        "addComment" => {
            let (full, number) = subject(scope, &text("subjectId"), Access::Read)?;
            let login = scope.viewer.login.clone();
            scope
                .state
                .comment(&full, number, &login, &text("body"))
                .map_err(missing)?;
            let subject = shown(scope, &full, number)?;
            let node = subject["comments"]["__list"]
                .as_array()
                .and_then(|all| all.last().cloned());
            let edge = json!({"__typename": "IssueCommentEdge", "node": node});
            Ok(
                json!({"__typename": "AddCommentPayload", "commentEdge": edge, "subject": subject,
                "clientMutationId": input["clientMutationId"]}),
            )
        }
        "createIssue" => {
            let id = read_node_id("Repository", &text("repositoryId"));
            let repo = id.and_then(|id| scope.state.repos.get(&id));
            let repo = repo.filter(|repo| scope.viewer.access(repo).is_some());
            let full = repo
                .ok_or_else(|| unresolved(&text("repositoryId")))?
                .full_name();
            let made = scope
                .state
                .create_issue(&full, &text("title"), &text("body"));
            let number = made.map_err(missing)?;
            let login = scope.viewer.login.clone();
            let edit = scope
                .state
                .edit_issue(&full, number, |issue| issue.author = login);
            edit.map_err(missing)?;
            payload("CreateIssuePayload", scope, &full, number)
        }
        "closeIssue" => {
            let (full, number) = subject(scope, &text("issueId"), Access::Write)?;
            scope.state.close_issue(&full, number).map_err(missing)?;
            payload("CloseIssuePayload", scope, &full, number)
        }
        _ => Err(Trouble::Unknown),
    }
}

fn payload(kind: &str, scope: &Scope<'_>, full: &str, number: u64) -> Resolved {
    let issue = shown(scope, full, number)?;
    Ok(json!({"__typename": kind, "issue": issue, "clientMutationId": null}))
}

fn shown(scope: &Scope<'_>, full: &str, number: u64) -> Resolved {
    let repo = scope.state.repo(full).map_err(missing)?;
    let issue = repo.issues.get(&number).ok_or_else(|| unresolved(full))?;
    Ok(objects::issue(scope.state, repo, issue))
}

/// The issue or pull that a node id means, if the viewer may do this to it.
fn subject(scope: &Scope<'_>, node: &str, needs: Access) -> Result<(String, u64), Trouble> {
    let issue = read_node_id("Issue", node);
    let pull = read_node_id("PullRequest", node);
    let repos = scope.state.repos.values();
    let mut repos = repos.filter(|repo| scope.viewer.access(repo) >= Some(needs));
    let found = repos.find_map(|repo| {
        let mut all = repo.issues.values();
        let it = all.find(|it| {
            Some(it.id) == issue || it.pull.as_ref().is_some_and(|it| Some(it.id) == pull)
        })?;
        Some((repo.full_name(), it.number))
    });
    found.ok_or_else(|| unresolved(node))
}

fn unresolved(node: &str) -> Trouble {
    Trouble::NotFound(format!(
        "Could not resolve to a node with the global id of '{node}'"
    ))
}

fn missing(missing: crate::state::Missing) -> Trouble {
    Trouble::NotFound(missing.to_string())
}
