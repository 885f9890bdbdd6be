//! State as objects of GitHub's `GraphQL` schema.

use serde_json::{Value, json};

use super::connection::list;
use crate::clock::iso;
use crate::render::{html, time};
use crate::state::{Comment, Issue, Label, Pull, Release, Repo, State, node_id};
use crate::token::{Access, Viewer};

/// An actor.
pub(super) fn user(state: &State, login: &str) -> Value {
    let (id, kind, name) = state.user(login).map_or((10_137, "User", login), |user| {
        (user.id, user.kind, user.name.as_str())
    });
    json!({
        "__typename": kind,
        "id": node_id(kind, id),
        "databaseId": id,
        "login": login,
        "name": name,
        "email": "",
        "url": format!("{}/{login}", state.site()),
        "avatarUrl": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
    })
}

/// A repository without its lists.
pub(super) fn repository(state: &State, repo: &Repo, viewer: &Viewer) -> Value {
    let permission = match viewer.access(repo) {
        Some(Access::Admin) => "ADMIN",
        Some(Access::Write) => "WRITE",
        _ => "READ",
    };
    let branch = json!({
        "__typename": "Ref",
        "name": repo.default_branch,
        "prefix": "refs/heads/",
        "target": {
            "__typename": "Commit",
            "oid": repo.resolve("HEAD").map(|commit| commit.sha.as_str()),
        },
    });
    json!({
        "__typename": "Repository",
        "id": node_id("Repository", repo.id),
        "databaseId": repo.id,
        "name": repo.name,
        "nameWithOwner": repo.full_name(),
        "owner": user(state, &repo.owner),
        "description": repo.description,
        "url": html(state, repo, ""),
        "sshUrl": format!("git@github.com:{}.git", repo.full_name()),
        "homepageUrl": "",
        "isPrivate": repo.private,
        "isFork": false,
        "isArchived": false,
        "isEmpty": repo.commits.is_empty(),
        "isTemplate": false,
        "visibility": if repo.private { "PRIVATE" } else { "PUBLIC" },
        "hasIssuesEnabled": true,
        "hasWikiEnabled": true,
        "hasProjectsEnabled": true,
        "hasDiscussionsEnabled": false,
        "mergeCommitAllowed": true,
        "rebaseMergeAllowed": true,
        "squashMergeAllowed": true,
        "deleteBranchOnMerge": true,
        "autoMergeAllowed": false,
        "viewerPermission": permission,
        "viewerCanAdminister": permission == "ADMIN",
        "viewerDefaultMergeMethod": "MERGE",
        "defaultBranchRef": branch,
        "primaryLanguage": {"__typename": "Language", "name": "Rust"},
        "licenseInfo": null,
        "parent": null,
        "stargazerCount": 80,
        "forkCount": 0,
        "createdAt": iso(repo.created_at),
        "updatedAt": iso(repo.updated_at),
        "pushedAt": iso(repo.pushed_at),
    })
}

/// A label.
pub(super) fn label(label: &Label) -> Value {
    json!({
        "__typename": "Label",
        "id": node_id("Label", label.id),
        "name": label.name,
        "color": label.color,
        "description": label.description,
    })
}

fn comment(state: &State, repo: &Repo, issue: &Issue, comment: &Comment) -> Value {
    let page = format!("/issues/{}#issuecomment-{}", issue.number, comment.id);
    json!({
        "__typename": "IssueComment",
        "id": node_id("IssueComment", comment.id),
        "databaseId": comment.id,
        "author": user(state, &comment.author),
        "authorAssociation": "MEMBER",
        "body": comment.body,
        "createdAt": iso(comment.created_at),
        "updatedAt": iso(comment.updated_at),
        "includesCreatedEdit": false,
        "isMinimized": false,
        "minimizedReason": null,
        "viewerDidAuthor": false,
        "reactionGroups": [],
        "url": html(state, repo, &page),
    })
}

/// An issue, or a pull as the `PullRequest` that it is.
pub(super) fn issue(state: &State, repo: &Repo, issue: &Issue) -> Value {
    let labels = issue
        .labels
        .iter()
        .filter_map(|name| repo.labels.get(name))
        .map(label);
    let comments = issue
        .comments
        .iter()
        .map(|it| comment(state, repo, issue, it));
    let page = if issue.pull.is_some() {
        "pull"
    } else {
        "issues"
    };
    let mut body = json!({
        "__typename": "Issue",
        "id": node_id("Issue", issue.id),
        "databaseId": issue.id,
        "number": issue.number,
        "title": issue.title,
        "body": issue.body,
        "state": if issue.open { "OPEN" } else { "CLOSED" },
        "stateReason": if issue.open { Value::Null } else { "COMPLETED".into() },
        "closed": !issue.open,
        "locked": false,
        "author": user(state, &issue.author),
        "url": html(state, repo, &format!("/{page}/{}", issue.number)),
        "createdAt": iso(issue.created_at),
        "updatedAt": iso(issue.updated_at),
        "closedAt": time(issue.closed_at),
        "labels": list("Label", labels.collect()),
        "comments": list("IssueComment", comments.collect()),
        "assignees": list("User", Vec::new()),
        "projectCards": list("ProjectCard", Vec::new()),
        "projectItems": list("ProjectV2Item", Vec::new()),
        "milestone": null,
        "reactionGroups": [],
        "isPinned": false,
        "repository": {"__typename": "Repository", "name": repo.name,
            "nameWithOwner": repo.full_name(), "owner": user(state, &repo.owner)},
    });
    if let Some(pull) = &issue.pull {
        crate::render::extend(&mut body, pull_fields(state, repo, issue, pull));
    }
    body
}

fn pull_fields(state: &State, repo: &Repo, issue: &Issue, pull: &Pull) -> Value {
    let status = match (pull.merged_at, issue.open) {
        (Some(_), _) => "MERGED",
        (None, true) => "OPEN",
        (None, false) => "CLOSED",
    };
    json!({
        "__typename": "PullRequest",
        "id": node_id("PullRequest", pull.id),
        "databaseId": pull.id,
        "state": status,
        "isDraft": pull.draft,
        "isCrossRepository": false,
        "headRefName": pull.head,
        "headRefOid": pull.head_sha,
        "baseRefName": pull.base,
        "baseRefOid": pull.base_sha,
        "headRepository": {"__typename": "Repository", "id": node_id("Repository", repo.id),
            "name": repo.name, "nameWithOwner": repo.full_name()},
        "headRepositoryOwner": user(state, &repo.owner),
        "mergedAt": time(pull.merged_at),
        "mergedBy": null,
        "mergeCommit": null,
        "mergeable": "MERGEABLE",
        "mergeStateStatus": "CLEAN",
        "maintainerCanModify": false,
        "additions": 10,
        "deletions": 3,
        "changedFiles": 1,
        "reviewDecision": "",
        "autoMergeRequest": null,
        "reviewRequests": list("ReviewRequest", Vec::new()),
        "reviews": list("PullRequestReview", Vec::new()),
        "latestReviews": list("PullRequestReview", Vec::new()),
        "files": list("PullRequestChangedFile", Vec::new()),
        "commits": list("PullRequestCommit", vec![json!({
            "__typename": "PullRequestCommit",
            "commit": {"__typename": "Commit", "oid": pull.head_sha, "statusCheckRollup": null},
        })]),
    })
}

/// A release.
pub(super) fn release(state: &State, repo: &Repo, release: &Release, latest: bool) -> Value {
    json!({
        "__typename": "Release",
        "id": node_id("Release", release.id),
        "databaseId": release.id,
        "name": release.name,
        "tagName": release.tag,
        "isDraft": false,
        "isPrerelease": false,
        "isLatest": latest,
        "createdAt": iso(release.created_at),
        "publishedAt": iso(release.created_at),
        "url": html(state, repo, &format!("/releases/tag/{}", release.tag)),
    })
}
