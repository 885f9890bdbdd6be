//! Repositories: the part that all see, and what depends on the viewer.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{api, extend, html, user};
use crate::clock::iso;
use crate::etag::hex;
use crate::state::{Repo, State, node_id};
use crate::token::{Access, Viewer};

/// Names of address fields and what follows the repository's address in them.
const ADDRESSES: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// `minimal-repository`: what stands inside of runs and notifications.
pub(crate) fn minimal(state: &State, repo: &Repo) -> Value {
    let mut body = json!({
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name(),
        "owner": user(state, &repo.owner),
        "private": repo.private,
        "html_url": html(state, repo, ""),
        "description": repo.description,
        "fork": false,
    });
    for (name, rest) in ADDRESSES {
        body[name] = api(state, repo, rest).into();
    }
    body
}

/// `repository`: what lists show; `permissions` are the viewer's.
pub(crate) fn listed(state: &State, repo: &Repo, viewer: &Viewer) -> Value {
    let mut body = bare(state, repo);
    if let (Some(access), false) = (viewer.access(repo), viewer.is_anonymous()) {
        body["permissions"] = json!({
            "admin": access >= Access::Admin,
            "maintain": access >= Access::Admin,
            "push": access >= Access::Write,
            "triage": access >= Access::Write,
            "pull": true,
        });
    }
    body
}

/// `repository` without anything that depends on the viewer.
pub(crate) fn bare(state: &State, repo: &Repo) -> Value {
    let full = repo.full_name();
    let mut body = minimal(state, repo);
    extend(
        &mut body,
        json!({
            "git_url": format!("git://github.com/{full}.git"),
            "ssh_url": format!("git@github.com:{full}.git"),
            "clone_url": format!("https://github.com/{full}.git"),
            "svn_url": html(state, repo, ""),
            "mirror_url": null,
            "homepage": "",
            "language": "Rust",
            "license": null,
            "forks": 0,
            "forks_count": 0,
            "open_issues": repo.open_issues(),
            "open_issues_count": repo.open_issues(),
            "size": 42 + repo.commits.len(),
            "stargazers_count": 80,
            "watchers": 80,
            "watchers_count": 80,
            "default_branch": repo.default_branch,
            "topics": ["octocat", "api"],
            "has_issues": true,
            "has_projects": true,
            "has_wiki": true,
            "has_pages": false,
            "has_downloads": true,
            "has_discussions": false,
            "archived": false,
            "disabled": false,
            "allow_forking": true,
            "is_template": false,
            "web_commit_signoff_required": false,
            "visibility": if repo.private { "private" } else { "public" },
            "created_at": iso(repo.created_at),
            "updated_at": iso(repo.updated_at),
            "pushed_at": iso(repo.pushed_at),
        }),
    );
    body
}

/// `full-repository`: what `GET /repos/{owner}/{repo}` shows.
pub(crate) fn full(state: &State, repo: &Repo, viewer: &Viewer) -> Value {
    let mut body = listed(state, repo, viewer);
    extend(
        &mut body,
        json!({
            "network_count": 0,
            "subscribers_count": 42,
            "custom_properties": {},
        }),
    );
    if state
        .user(&repo.owner)
        .is_ok_and(|owner| owner.kind == "Organization")
    {
        body["organization"] = user(state, &repo.owner);
    }
    let access = viewer.access(repo);
    if repo.private && access >= Some(Access::Write) {
        body["temp_clone_token"] = secret(viewer, repo, "clone").to_uppercase().into();
    }
    if access >= Some(Access::Admin) {
        extend(
            &mut body,
            json!({
                "allow_squash_merge": true,
                "allow_merge_commit": true,
                "allow_rebase_merge": true,
                "allow_auto_merge": false,
                "delete_branch_on_merge": true,
                "allow_update_branch": false,
            }),
        );
    }
    body
}

/// A short secret for one viewer and repository, such as the `?token=` of a download.
pub(crate) fn secret(viewer: &Viewer, repo: &Repo, what: &str) -> String {
    let text = format!("{what} {} {}", viewer.token, repo.id);
    hex(&Sha256::digest(text))[..29].to_owned()
}
