//! Commits, branches, tags, refs, contents, statuses, check runs.

use base64::Engine;
use serde_json::{Value, json};

use super::{api, html, user};
use crate::clock::iso;
use crate::state::git::object_id;
use crate::state::{Commit, Job, Repo, Run, State, Status, node_id};

/// Base64 as GitHub sends it: lines of 60.
pub(crate) fn base64_lines(bytes: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / 60 + 1);
    for (at, letter) in text.chars().enumerate() {
        lines.push(letter);
        if at % 60 == 59 {
            lines.push('\n');
        }
    }
    if !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}

fn git_node(kind: &str, sha: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("0{}:{kind}:{sha}", kind.len()))
}

fn git_user(commit: &Commit) -> Value {
    let login = &commit.author;
    json!({"name": login, "email": format!("{login}@users.noreply.github.com"),
        "date": iso(commit.date)})
}

fn unsigned() -> Value {
    json!({"verified": false, "reason": "unsigned", "signature": null, "payload": null,
        "verified_at": null})
}

fn parents(state: &State, repo: &Repo, commit: &Commit) -> Vec<Value> {
    let parent = commit.parent.iter();
    parent
        .map(|sha| {
            json!({
                "sha": sha,
                "url": api(state, repo, &format!("/commits/{sha}")),
                "html_url": html(state, repo, &format!("/commit/{sha}")),
            })
        })
        .collect()
}

/// `commit`.
pub(crate) fn commit(state: &State, repo: &Repo, commit: &Commit) -> Value {
    let sha = &commit.sha;
    json!({
        "sha": sha,
        "node_id": git_node("Commit", sha),
        "commit": {
            "author": git_user(commit),
            "committer": git_user(commit),
            "message": commit.message,
            "tree": {
                "sha": commit.tree,
                "url": api(state, repo, &format!("/git/trees/{}", commit.tree)),
            },
            "url": api(state, repo, &format!("/git/commits/{sha}")),
            "comment_count": 0,
            "verification": unsigned(),
        },
        "url": api(state, repo, &format!("/commits/{sha}")),
        "html_url": html(state, repo, &format!("/commit/{sha}")),
        "comments_url": api(state, repo, &format!("/commits/{sha}/comments")),
        "author": user(state, &commit.author),
        "committer": user(state, &commit.author),
        "parents": parents(state, repo, commit),
    })
}

/// `git-commit`.
pub(crate) fn git_commit(state: &State, repo: &Repo, commit: &Commit) -> Value {
    let sha = &commit.sha;
    json!({
        "sha": sha,
        "node_id": git_node("Commit", sha),
        "url": api(state, repo, &format!("/git/commits/{sha}")),
        "html_url": html(state, repo, &format!("/commit/{sha}")),
        "author": git_user(commit),
        "committer": git_user(commit),
        "message": commit.message,
        "tree": {
            "sha": commit.tree,
            "url": api(state, repo, &format!("/git/trees/{}", commit.tree)),
        },
        "parents": parents(state, repo, commit),
        "verification": unsigned(),
    })
}

/// `short-branch`.
pub(crate) fn branch(state: &State, repo: &Repo, name: &str, sha: &str) -> Value {
    json!({
        "name": name,
        "commit": {"sha": sha, "url": api(state, repo, &format!("/commits/{sha}"))},
        "protected": false,
    })
}

/// `branch-with-protection`.
pub(crate) fn full_branch(state: &State, repo: &Repo, name: &str, tip: &Commit) -> Value {
    json!({
        "name": name,
        "commit": commit(state, repo, tip),
        "_links": {
            "self": api(state, repo, &format!("/branches/{name}")),
            "html": html(state, repo, &format!("/tree/{name}")),
        },
        "protected": false,
        "protection": {"enabled": false, "required_status_checks": {
            "enforcement_level": "off", "contexts": [], "checks": []}},
        "protection_url": api(state, repo, &format!("/branches/{name}/protection")),
    })
}

/// `tag`.
pub(crate) fn tag(state: &State, repo: &Repo, name: &str, sha: &str) -> Value {
    json!({
        "name": name,
        "commit": {"sha": sha, "url": api(state, repo, &format!("/commits/{sha}"))},
        "zipball_url": api(state, repo, &format!("/zipball/refs/tags/{name}")),
        "tarball_url": api(state, repo, &format!("/tarball/refs/tags/{name}")),
        "node_id": git_node("Ref", name),
    })
}

/// `git-ref`.
pub(crate) fn git_ref(state: &State, repo: &Repo, name: &str, sha: &str) -> Value {
    json!({
        "ref": name,
        "node_id": git_node("Ref", name),
        "url": api(state, repo, &format!("/git/{name}")),
        "object": {
            "sha": sha,
            "type": "commit",
            "url": api(state, repo, &format!("/git/commits/{sha}")),
        },
    })
}

/// `blob`.
pub(crate) fn blob(state: &State, repo: &Repo, sha: &str, bytes: &[u8]) -> Value {
    json!({
        "sha": sha,
        "node_id": git_node("Blob", sha),
        "size": bytes.len(),
        "url": api(state, repo, &format!("/git/blobs/{sha}")),
        "content": base64_lines(bytes),
        "encoding": "base64",
    })
}

/// What `content-file` and the entries of `content-directory` share.
pub(crate) fn entry(
    state: &State,
    repo: &Repo,
    (path, branch): (&str, &str),
    (sha, size): (&str, usize),
    download: Option<&str>,
) -> Value {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (kind, page) = if download.is_some() {
        ("file", "blob")
    } else {
        ("dir", "tree")
    };
    let object = if download.is_some() { "blobs" } else { "trees" };
    let url = api(state, repo, &format!("/contents/{path}?ref={branch}"));
    let git = api(state, repo, &format!("/git/{object}/{sha}"));
    let html = html(state, repo, &format!("/{page}/{branch}/{path}"));
    json!({
        "name": name,
        "path": path,
        "sha": sha,
        "size": size,
        "url": url,
        "html_url": html,
        "git_url": git,
        "download_url": download,
        "type": kind,
        "_links": {"self": url, "git": git, "html": html},
    })
}

/// `status`.
pub(crate) fn status(state: &State, repo: &Repo, status: &Status) -> Value {
    json!({
        "id": status.id,
        "node_id": node_id("StatusContext", status.id),
        "url": api(state, repo, &format!("/statuses/{}", status.sha)),
        "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
        "state": status.state,
        "description": "What came of it",
        "target_url": "https://ci.example/build",
        "context": status.context,
        "created_at": iso(status.created_at),
        "updated_at": iso(status.created_at),
        "creator": user(state, "octocat"),
    })
}

/// `check-run` of a job.
pub(crate) fn check_run(state: &State, repo: &Repo, run: &Run, job: &Job) -> Value {
    let url = api(state, repo, &format!("/check-runs/{}", job.id));
    let page = html(
        state,
        repo,
        &format!("/actions/runs/{}/job/{}", run.id, job.id),
    );
    json!({
        "id": job.id,
        "node_id": node_id("CheckRun", job.id),
        "name": job.name,
        "head_sha": run.sha,
        "external_id": object_id("blob", job.id.to_string().as_bytes()),
        "url": url,
        "html_url": page,
        "details_url": page,
        "status": job.status,
        "conclusion": job.conclusion,
        "started_at": iso(job.started_at),
        "completed_at": super::time(job.completed_at),
        "output": {"title": null, "summary": null, "text": null, "annotations_count": 0,
            "annotations_url": format!("{url}/annotations")},
        "check_suite": {"id": run.id + 1_000_000},
        "app": null,
        "pull_requests": [],
    })
}
