//! Files and folders. Their ETag is the git object's id, whoever asks.

use base64::Engine;
use serde_json::{Value, json};

use super::{Route, Scope};
use crate::answer::{Answer, Refusal, Reply};
use crate::redirect;
use crate::render::{api, extend, git, repo as repository};
use crate::request::Call;
use crate::state::git::{folder, tree_id};
use crate::state::{Commit, Repo, State};
use crate::token::Viewer;

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/repos/contents#get-repository-content";
    vec![
        Route::get(
            "/repos/{owner}/{repo}/readme",
            "rest/repos/contents",
            readme,
        ),
        Route::get("/repos/{owner}/{repo}/contents/{path}", docs, show),
        Route::new("PUT", "/repos/{owner}/{repo}/contents/{path}", docs, write),
    ]
}

/// Where something is: the commit, and the branch's name for addresses.
struct Place<'s> {
    state: &'s State,
    repo: &'s Repo,
    viewer: &'s Viewer,
    commit: &'s Commit,
    branch: String,
}

fn place<'s>(scope: &'s Scope<'_>, call: &Call) -> Result<Place<'s>, Refusal> {
    let repo = scope.repo(call)?;
    let branch = call
        .query("ref")
        .unwrap_or_else(|| repo.default_branch.clone());
    let message = format!("No commit found for the ref {branch}");
    let commit = repo
        .resolve(&branch)
        .ok_or_else(|| Refusal::new(404, message))?;
    Ok(Place {
        state: scope.state,
        repo,
        viewer: scope.viewer,
        commit,
        branch,
    })
}

impl Place<'_> {
    /// An entry without content. Files of private repositories get an address with a token that
    /// is the viewer's own.
    fn entry(&self, path: &str, sha: &str) -> Value {
        let size = self.repo.blobs.get(sha).map(Vec::len);
        let secret = if self.repo.private {
            let token = repository::secret(self.viewer, self.repo, path);
            format!("?token={}", token.to_uppercase())
        } else {
            String::new()
        };
        let host = redirect::RAW;
        let full = self.repo.full_name();
        let url = format!("https://{host}/{full}/{}/{path}{secret}", self.branch);
        let download = size.map(|_| url.as_str());
        let sized = (sha, size.unwrap_or(0));
        git::entry(self.state, self.repo, (path, &self.branch), sized, download)
    }

    fn file(&self, path: &str, sha: &str, call: &Call) -> Reply {
        let bytes = self.repo.blobs.get(sha).ok_or_else(Refusal::not_found)?;
        let accept = call.accept();
        if accept.contains("vnd.github.raw") || accept.contains("v3.raw") {
            let answer = Answer::raw("application/vnd.github.raw; charset=utf-8", bytes.clone());
            return Ok(answer.git_object(sha).modified(self.commit.date));
        }
        if accept.contains("vnd.github.html") || accept.contains("v3.html") {
            let text = String::from_utf8_lossy(bytes)
                .replace('&', "&amp;")
                .replace('<', "&lt;");
            let html = format!(
                "<div id=\"file\" class=\"md\" data-path=\"{path}\"><article>{text}</article></div>"
            );
            let answer = Answer::raw("application/vnd.github.html; charset=utf-8", html);
            return Ok(answer.git_object(sha).modified(self.commit.date));
        }
        let mut body = self.entry(path, sha);
        extend(
            &mut body,
            json!({"content": git::base64_lines(bytes), "encoding": "base64"}),
        );
        Ok(Answer::json(body)
            .git_object(sha)
            .modified(self.commit.date))
    }
}

fn readme(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let place = place(scope, call)?;
    let sha = place
        .commit
        .files
        .get("README.md")
        .ok_or_else(Refusal::not_found)?;
    place.file("README.md", sha, call)
}

fn show(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let path = call.param("path").trim_end_matches('/').to_owned();
    if call.raw_path.ends_with("/contents/") {
        let repo = scope.repo(call)?;
        let url = format!("{}/repositories/{}/contents", scope.state.base, repo.id);
        return Ok(Answer::redirect(302, url));
    }
    let place = place(scope, call)?;
    if let Some(sha) = place.commit.files.get(&path) {
        return place.file(&path, sha, call);
    }
    let prefix = if path.is_empty() {
        String::new()
    } else {
        format!("{path}/")
    };
    let entries = folder(&place.commit.files, &prefix);
    if entries.is_empty() {
        return Err(Refusal::not_found());
    }
    let rows = entries
        .iter()
        .map(|it| place.entry(&format!("{prefix}{}", it.path), &it.sha));
    let rows: Vec<Value> = rows.collect();
    let sha = tree_id(&place.commit.files, &prefix);
    Ok(Answer::json(Value::Array(rows))
        .git_object(&sha)
        .modified(place.commit.date))
}

fn write(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let wish = call.json();
    let missing = |name: &str| Refusal::invalid("Commit", name, "missing_field");
    let message = wish["message"].as_str().ok_or_else(|| missing("message"))?;
    let content = wish["content"].as_str().ok_or_else(|| missing("content"))?;
    let content = content.replace('\n', "");
    let bytes = base64::engine::general_purpose::STANDARD.decode(content);
    let bytes = bytes.map_err(|_| Refusal::new(422, "content is not valid Base64"))?;
    let (path, repo) = (call.param("path"), scope.repo(call)?);
    let branch = wish["branch"]
        .as_str()
        .unwrap_or(&repo.default_branch)
        .to_owned();
    let known = repo
        .resolve(&branch)
        .and_then(|commit| commit.files.get(path));
    if let (Some(known), sha) = (known, wish["sha"].as_str())
        && sha != Some(known.as_str())
    {
        let text = format!("{path} does not match {}", sha.unwrap_or_default());
        return Err(if sha.is_none() {
            Refusal::new(422, "Invalid request.\n\n\"sha\" wasn't supplied.")
        } else {
            Refusal::new(409, text)
        });
    }
    let status = if known.is_some() { 200 } else { 201 };
    let sha = scope
        .state
        .push_commit(&full, &branch, message, &[(path, &bytes)])?;
    let repo = scope.repo(call)?;
    let commit = repo.commits.get(&sha).ok_or_else(Refusal::not_found)?;
    let place = Place {
        state: scope.state,
        repo,
        viewer: scope.viewer,
        commit,
        branch,
    };
    let blob = commit.files.get(path).ok_or_else(Refusal::not_found)?;
    let url = api(scope.state, repo, &format!("/contents/{path}"));
    let mut answer = Answer::json(json!({
        "content": place.entry(path, blob),
        "commit": git::git_commit(scope.state, repo, commit),
    }));
    answer.status = status;
    Ok(answer.header("location", url))
}
