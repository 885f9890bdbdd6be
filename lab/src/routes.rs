//! The table of routes, and what a handler gets.

mod actions;
mod app;
mod commits;
mod contents;
mod git;
mod issues;
mod labels;
mod meta;
mod pulls;
mod releases;
mod repos;
mod runs;
mod search;
mod security;
mod users;

use std::sync::LazyLock;

use http::Method;
use serde_json::json;

use crate::answer::{Answer, Refusal, Reply};
use crate::limits::Limits;
use crate::request::{Call, decode};
use crate::state::{Repo, State};
use crate::token::{Access, Kind, Tokens, Viewer};

/// Answers one route.
pub type Handler = fn(&mut Scope<'_>, &Call) -> Reply;

/// One operation.
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path with `{placeholders}`, as GitHub's OpenAPI description writes it.
    pub pattern: &'static str,
    /// The path of its documentation.
    pub docs: &'static str,
    /// The primary limit's resource.
    pub resource: &'static str,
    pub(crate) handler: Handler,
}

impl Route {
    const fn new(
        method: &'static str,
        pattern: &'static str,
        docs: &'static str,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            pattern,
            docs,
            resource: "core",
            handler,
        }
    }

    const fn get(pattern: &'static str, docs: &'static str, handler: Handler) -> Self {
        Self::new("GET", pattern, docs, handler)
    }

    const fn of(mut self, resource: &'static str) -> Self {
        self.resource = resource;
        self
    }
}

/// What a handler works with.
pub struct Scope<'a> {
    /// The fake's state.
    pub state: &'a mut State,
    /// Who asks.
    pub viewer: &'a Viewer,
    pub(crate) tokens: &'a mut Tokens,
    pub(crate) limits: &'a mut Limits,
}

type Found = Option<(&'static Route, Vec<(&'static str, String)>)>;

static TABLE: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let groups = [
        meta::routes(),
        app::routes(),
        users::routes(),
        search::routes(),
        repos::routes(),
        labels::routes(),
        issues::routes(),
        pulls::routes(),
        commits::routes(),
        git::routes(),
        contents::routes(),
        runs::routes(),
        actions::routes(),
        releases::routes(),
        security::routes(),
    ];
    groups.into_iter().flatten().collect()
});

/// All routes; the first that fits a request answers it.
pub fn table() -> &'static [Route] {
    &TABLE
}

/// The route of a request and its placeholders' values.
pub(crate) fn find(call: &Call) -> Found {
    let method = if call.method == Method::HEAD {
        "GET"
    } else {
        call.method.as_str()
    };
    let route_of = |route: &'static Route| {
        let params = params(route.pattern, &call.raw_path)?;
        (route.method == method).then_some((route, params))
    };
    table().iter().find_map(route_of)
}

/// The name under which a request is counted.
pub(crate) fn operation(call: &Call) -> String {
    let pattern = find(call).map_or("(unknown)", |(route, _)| route.pattern);
    format!("{} {pattern}", call.method)
}

/// The placeholders' values if the path fits. A last `{path}`, and a last `{ref}` of git refs and
/// archives, takes the rest of the path.
fn params(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut params = Vec::new();
    let mut rest = path;
    let mut parts = pattern.split('/').skip(1).peekable();
    while let Some(part) = parts.next() {
        let name = part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'));
        let long = name == Some("path")
            || (name == Some("ref") && (pattern.contains("/git/") || pattern.contains("ball/")));
        if let (Some(name), true, true) = (name, long, parts.peek().is_none()) {
            params.push((name, decode(rest.trim_start_matches('/'))));
            return Some(params);
        }
        rest = rest.strip_prefix('/')?;
        let (segment, after) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        match name {
            Some(_) if segment.is_empty() => return None,
            Some(name) => params.push((name, decode(segment))),
            None if segment != part => return None,
            None => {}
        }
        rest = after;
    }
    rest.is_empty().then_some(params)
}

/// The request with the path that the table knows: without `/api/v3`, and with
/// `/repos/{owner}/{repo}` for `/repositories/{id}`.
pub(crate) fn canonical(call: &Call, state: &State) -> Call {
    let mut call = call.clone();
    if let Some(rest) = call.raw_path.strip_prefix("/api/v3") {
        call.raw_path = if rest.is_empty() {
            "/".into()
        } else {
            rest.to_owned()
        };
    } else if call.raw_path == "/api/graphql" {
        call.raw_path = "/graphql".into();
    }
    if let Some(rest) = call.raw_path.strip_prefix("/repositories/") {
        let (id, rest) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let repo = id.parse().ok().and_then(|id: u64| state.repos.get(&id));
        if let Some(repo) = repo {
            call.raw_path = format!("/repos/{}{rest}", repo.full_name());
            call.by_id = true;
        }
    }
    call.path = decode(&call.raw_path);
    call
}

impl Scope<'_> {
    /// The repository of `{owner}/{repo}`, if the viewer may know about it.
    pub(crate) fn repo(&self, call: &Call) -> Result<&Repo, Refusal> {
        let full = format!("{}/{}", call.param("owner"), call.param("repo"));
        let repo = self.state.repo(&full)?;
        self.viewer
            .access(repo)
            .map(|_| repo)
            .ok_or_else(Refusal::not_found)
    }

    /// The full name of the repository, if the viewer is signed in and may know about it.
    pub(crate) fn signed_in(&self, call: &Call) -> Result<String, Refusal> {
        let full = self.repo(call)?.full_name();
        if self.viewer.is_anonymous() {
            return Err(Refusal::new(401, "Requires authentication"));
        }
        Ok(full)
    }

    /// The full name of the repository, if the viewer may push to it.
    pub(crate) fn writable(&self, call: &Call) -> Result<String, Refusal> {
        let full = self.signed_in(call)?;
        if self.viewer.access(self.repo(call)?) < Some(Access::Write) {
            let by = match self.viewer.kind {
                Kind::Job | Kind::Installation => "integration",
                _ => "personal access token",
            };
            return Err(Refusal::new(
                403,
                format!("Resource not accessible by {by}"),
            ));
        }
        Ok(full)
    }

    /// The redirect for a repository that was renamed: 301, or 307 for what isn't a GET.
    pub(crate) fn moved(&self, call: &Call) -> Option<Answer> {
        let asked = format!("{}/{}", call.param("owner"), call.param("repo"));
        let repo = self.repo(call).ok()?;
        if repo.full_name().eq_ignore_ascii_case(&asked) {
            return None;
        }
        let rest = call
            .raw_path
            .splitn(5, '/')
            .nth(4)
            .map(|rest| format!("/{rest}"));
        let query = if call.raw_query.is_empty() { "" } else { "?" };
        let url = format!(
            "{}/repositories/{}{}{query}{}",
            self.state.base,
            repo.id,
            rest.unwrap_or_default(),
            call.raw_query
        );
        let (status, message) = if call.is_safe() {
            (301, "Moved Permanently")
        } else {
            (307, "Temporary Redirect")
        };
        let docs = "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api";
        let body = json!({"message": message, "url": url, "documentation_url": docs});
        let mut answer = Refusal::new(status, message)
            .answer("rest")
            .header("location", url);
        answer.body = crate::answer::Body::Json(body);
        Some(answer)
    }
}

/// The address of a list of a repository, as `Link` writes it: by the repository's id.
pub(crate) fn list_url(state: &State, repo: &Repo, rest: &str) -> String {
    format!("{}/repositories/{}{rest}", state.base, repo.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_paths() {
        let one = params("/repos/{owner}/{repo}/issues", "/repos/o/r/issues");
        assert_eq!(one, Some(vec![("owner", "o".into()), ("repo", "r".into())]));
        let path = params(
            "/repos/{owner}/{repo}/contents/{path}",
            "/repos/o/r/contents/a/b%20c",
        );
        assert_eq!(
            path.and_then(|mut params| params.pop()),
            Some(("path", "a/b c".into()))
        );
        assert_eq!(params("/repos/{owner}/{repo}", "/repos/o/r/issues"), None);
        assert_eq!(params("/user", "/user/repos"), None);
        assert!(params("/", "/").is_some());
    }
}
