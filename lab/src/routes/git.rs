//! The git database: refs, commits, trees, blobs.

use serde_json::{Value, json};

use super::{Route, Scope};
use crate::answer::{Answer, Caching, Refusal, Reply};
use crate::render::{api, git};
use crate::request::Call;
use crate::state::git::{folder, tree_id};
use crate::state::{Commit, Repo};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/repos/{owner}/{repo}/git/ref/{ref}",
            "rest/git/refs",
            show_ref,
        ),
        Route::get(
            "/repos/{owner}/{repo}/git/matching-refs/{ref}",
            "rest/git/refs",
            matching,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/git/refs",
            "rest/git/refs",
            create_ref,
        ),
        Route::new(
            "PATCH",
            "/repos/{owner}/{repo}/git/refs/{ref}",
            "rest/git/refs",
            move_ref,
        ),
        Route::new(
            "DELETE",
            "/repos/{owner}/{repo}/git/refs/{ref}",
            "rest/git/refs",
            delete_ref,
        ),
        Route::get(
            "/repos/{owner}/{repo}/git/commits/{commit_sha}",
            "rest/git/commits",
            commit,
        ),
        Route::get(
            "/repos/{owner}/{repo}/git/trees/{tree_sha}",
            "rest/git/trees",
            tree,
        ),
        Route::get(
            "/repos/{owner}/{repo}/git/blobs/{file_sha}",
            "rest/git/blobs",
            blob,
        ),
    ]
}

fn show_ref(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let name = format!("refs/{}", call.param("ref"));
    let sha = repo.refs.get(&name).ok_or_else(Refusal::not_found)?;
    let answer = Answer::json(git::git_ref(scope.state, repo, &name, sha));
    Ok(answer
        .modified(repo.pushed_at)
        .header("x-poll-interval", "300"))
}

fn matching(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let prefix = format!("refs/{}", call.param("ref"));
    let found = repo
        .refs
        .iter()
        .filter(|(name, _)| name.starts_with(&prefix));
    let refs: Vec<Value> = found
        .map(|(name, sha)| git::git_ref(scope.state, repo, name, sha))
        .collect();
    Ok(Answer::json(Value::Array(refs)).header("x-poll-interval", "300"))
}

fn create_ref(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let wish = call.json();
    let (name, sha) = (wish["ref"].as_str(), wish["sha"].as_str());
    let name = name.filter(|name| name.starts_with("refs/"));
    let (Some(name), Some(sha)) = (name, sha) else {
        return Err(Refusal::new(422, "Reference name must start with 'refs/'."));
    };
    if scope.repo(call)?.refs.contains_key(name) {
        return Err(Refusal::new(422, "Reference already exists"));
    }
    set(scope, call, (&full, name, sha), 201)
}

fn move_ref(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let name = format!("refs/{}", call.param("ref"));
    if !scope.repo(call)?.refs.contains_key(&name) {
        return Err(Refusal::new(422, "Reference does not exist"));
    }
    let wish = call.json();
    set(
        scope,
        call,
        (&full, &name, wish["sha"].as_str().unwrap_or_default()),
        200,
    )
}

fn set(
    scope: &mut Scope<'_>,
    call: &Call,
    (full, name, sha): (&str, &str, &str),
    status: u16,
) -> Reply {
    let set = scope.state.create_ref(full, name, sha);
    set.map_err(|_| Refusal::new(422, "Object does not exist"))?;
    let repo = scope.repo(call)?;
    let mut answer = Answer::created(git::git_ref(scope.state, repo, name, sha));
    answer.status = status;
    Ok(answer)
}

fn delete_ref(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let removed = scope
        .state
        .delete_ref(&full, &format!("refs/{}", call.param("ref")));
    removed.map_err(|_| Refusal::new(422, "Reference does not exist"))?;
    Ok(Answer::no_content())
}

fn commit(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let commit = repo
        .commits
        .get(call.param("commit_sha"))
        .ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(git::git_commit(scope.state, repo, commit)).modified(commit.date))
}

/// The commit and folder that a tree's id (or a ref) means.
fn locate<'r>(repo: &'r Repo, name: &str) -> Option<(&'r Commit, String)> {
    if let Some(commit) = repo.resolve(name) {
        return Some((commit, String::new()));
    }
    repo.commits.values().find_map(|commit| {
        if commit.tree == name {
            return Some((commit, String::new()));
        }
        let folders = commit.files.keys().flat_map(|path| {
            path.match_indices('/')
                .map(|(at, _)| path[..=at].to_owned())
        });
        let mut folders = folders;
        folders
            .find(|at| tree_id(&commit.files, at) == name)
            .map(|at| (commit, at))
    })
}

fn tree(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let found = locate(repo, call.param("tree_sha"));
    let (commit, prefix) = found.ok_or_else(Refusal::not_found)?;
    let deep = call.query("recursive").is_some();
    let mut entries = Vec::new();
    let mut todo = vec![String::new()];
    while let Some(at) = todo.pop() {
        for entry in folder(&commit.files, &format!("{prefix}{at}")) {
            let path = format!("{at}{}", entry.path);
            let kind = if entry.is_tree { "tree" } else { "blob" };
            let mut row = json!({
                "path": path,
                "mode": if entry.is_tree { "040000" } else { "100644" },
                "type": kind,
                "sha": entry.sha,
                "url": api(state, repo, &format!("/git/{kind}s/{}", entry.sha)),
            });
            if let Some(bytes) = repo.blobs.get(&entry.sha) {
                row["size"] = bytes.len().into();
            }
            if entry.is_tree && deep {
                todo.push(format!("{path}/"));
            }
            entries.push(row);
        }
    }
    let sha = tree_id(&commit.files, &prefix);
    let by_id = call.param("tree_sha") == sha;
    let answer = Answer::json(json!({
        "sha": sha,
        "url": api(state, repo, &format!("/git/trees/{sha}")),
        "tree": entries,
        "truncated": false,
    }));
    Ok(if by_id {
        answer.caching(Caching::Day)
    } else {
        answer
    })
}

fn blob(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let sha = call.param("file_sha");
    let bytes = repo.blobs.get(sha).ok_or_else(Refusal::not_found)?;
    if call.accept().contains(".raw") {
        return Ok(Answer::raw(
            "application/vnd.github.raw; charset=utf-8",
            bytes.clone(),
        ));
    }
    Ok(Answer::json(git::blob(scope.state, repo, sha, bytes)))
}
