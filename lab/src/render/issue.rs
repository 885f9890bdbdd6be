//! Issues, pulls, comments, labels.

use serde_json::{Value, json};

use super::{api, extend, html, reactions, repo, time, user};
use crate::clock::iso;
use crate::state::{Comment, Issue, Label, Pull, Repo, State, node_id};

/// `label`.
pub(crate) fn label(state: &State, repo: &Repo, label: &Label) -> Value {
    json!({
        "id": label.id,
        "node_id": node_id("Label", label.id),
        "url": api(state, repo, &format!("/labels/{}", label.name)),
        "name": label.name,
        "color": label.color,
        "default": label.name == "bug",
        "description": label.description,
    })
}

/// The labels of an issue.
fn labels(state: &State, repo: &Repo, issue: &Issue) -> Vec<Value> {
    let known = issue.labels.iter().filter_map(|name| repo.labels.get(name));
    known.map(|known| label(state, repo, known)).collect()
}

/// `issue`.
pub(crate) fn issue(state: &State, repo: &Repo, issue: &Issue) -> Value {
    let number = issue.number;
    let url = api(state, repo, &format!("/issues/{number}"));
    let page = if issue.pull.is_some() {
        "pull"
    } else {
        "issues"
    };
    let mut body = json!({
        "id": issue.id,
        "node_id": node_id("Issue", issue.id),
        "url": url,
        "repository_url": api(state, repo, ""),
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "timeline_url": format!("{url}/timeline"),
        "html_url": html(state, repo, &format!("/{page}/{number}")),
        "number": number,
        "title": issue.title,
        "body": issue.body,
        "user": user(state, &issue.author),
        "labels": labels(state, repo, issue),
        "state": if issue.open { "open" } else { "closed" },
        "state_reason": if issue.open { Value::Null } else { "completed".into() },
        "locked": false,
        "active_lock_reason": null,
        "assignee": null,
        "assignees": [],
        "milestone": null,
        "comments": issue.comments.len(),
        "created_at": iso(issue.created_at),
        "updated_at": iso(issue.updated_at),
        "closed_at": time(issue.closed_at),
        "author_association": "MEMBER",
        "performed_via_github_app": null,
        "reactions": reactions(&url),
    });
    if let Some(pull) = &issue.pull {
        body["draft"] = pull.draft.into();
        body["pull_request"] = json!({
            "url": api(state, repo, &format!("/pulls/{number}")),
            "html_url": html(state, repo, &format!("/pull/{number}")),
            "diff_url": html(state, repo, &format!("/pull/{number}.diff")),
            "patch_url": html(state, repo, &format!("/pull/{number}.patch")),
            "merged_at": time(pull.merged_at),
        });
    }
    body
}

/// `issue-comment`.
pub(crate) fn comment(state: &State, repo: &Repo, issue: &Issue, comment: &Comment) -> Value {
    let url = api(state, repo, &format!("/issues/comments/{}", comment.id));
    let page = format!("/issues/{}#issuecomment-{}", issue.number, comment.id);
    json!({
        "id": comment.id,
        "node_id": node_id("IssueComment", comment.id),
        "url": url,
        "html_url": html(state, repo, &page),
        "issue_url": api(state, repo, &format!("/issues/{}", issue.number)),
        "body": comment.body,
        "user": user(state, &comment.author),
        "created_at": iso(comment.created_at),
        "updated_at": iso(comment.updated_at),
        "author_association": "MEMBER",
        "performed_via_github_app": null,
        "reactions": reactions(&url),
    })
}

/// `pull-request-simple`.
pub(crate) fn pull(state: &State, repo: &Repo, issue: &Issue, pull: &Pull) -> Value {
    let number = issue.number;
    let url = api(state, repo, &format!("/pulls/{number}"));
    let page = html(state, repo, &format!("/pull/{number}"));
    let issue_url = api(state, repo, &format!("/issues/{number}"));
    let statuses = api(state, repo, &format!("/statuses/{}", pull.head_sha));
    let link = |href: &str| json!({"href": href});
    json!({
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "url": url,
        "html_url": page,
        "diff_url": format!("{page}.diff"),
        "patch_url": format!("{page}.patch"),
        "issue_url": issue_url,
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": api(state, repo, "/pulls/comments{/number}"),
        "comments_url": format!("{issue_url}/comments"),
        "statuses_url": statuses,
        "number": number,
        "state": if issue.open { "open" } else { "closed" },
        "locked": false,
        "active_lock_reason": null,
        "title": issue.title,
        "user": user(state, &issue.author),
        "body": issue.body,
        "labels": labels(state, repo, issue),
        "milestone": null,
        "created_at": iso(issue.created_at),
        "updated_at": iso(issue.updated_at),
        "closed_at": time(issue.closed_at),
        "merged_at": time(pull.merged_at),
        "merge_commit_sha": pull.head_sha,
        "assignee": null,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": side(state, repo, &pull.head, &pull.head_sha),
        "base": side(state, repo, &pull.base, &pull.base_sha),
        "_links": {
            "self": link(&url),
            "html": link(&page),
            "issue": link(&issue_url),
            "comments": link(&format!("{issue_url}/comments")),
            "review_comments": link(&format!("{url}/comments")),
            "review_comment": link(&api(state, repo, "/pulls/comments{/number}")),
            "commits": link(&format!("{url}/commits")),
            "statuses": link(&statuses),
        },
        "author_association": "MEMBER",
        "auto_merge": null,
        "draft": pull.draft,
    })
}

/// `pull-request`: one pull with its numbers.
pub(crate) fn full_pull(state: &State, repo: &Repo, issue: &Issue, details: &Pull) -> Value {
    let mut body = pull(state, repo, issue, details);
    let merged = details.merged_at.is_some();
    extend(
        &mut body,
        json!({
            "merged": merged,
            "mergeable": if merged { Value::Null } else { true.into() },
            "rebaseable": if merged { Value::Null } else { true.into() },
            "mergeable_state": if merged { "unknown" } else { "clean" },
            "merged_by": if merged { user(state, "octocat") } else { Value::Null },
            "comments": issue.comments.len(),
            "review_comments": 0,
            "maintainer_can_modify": false,
            "commits": 1,
            "additions": 10,
            "deletions": 3,
            "changed_files": 1,
        }),
    );
    body
}

/// One side of a pull.
fn side(state: &State, repo: &Repo, branch: &str, sha: &str) -> Value {
    json!({
        "label": format!("{}:{branch}", repo.owner),
        "ref": branch,
        "sha": sha,
        "user": user(state, &repo.owner),
        "repo": repo::bare(state, repo),
    })
}
