//! Search: words and the qualifiers `repo:`, `is:`, `state:`, `org:`, `user:`.

use serde_json::{Value, json};

use super::{Route, Scope};
use crate::answer::{Answer, Caching, Refusal, Reply};
use crate::page;
use crate::render::{extend, issue, repo};
use crate::request::Call;
use crate::state::{Issue, Repo};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/search/issues",
            "rest/search/search#search-issues-and-pull-requests",
            issues,
        )
        .of("search"),
        Route::get(
            "/search/repositories",
            "rest/search/search#search-repositories",
            repositories,
        )
        .of("search"),
    ]
}

fn words(call: &Call) -> Result<Vec<String>, Refusal> {
    let text = call.query("q").filter(|text| !text.trim().is_empty());
    let text = text.ok_or_else(|| Refusal::invalid("Search", "q", "missing"))?;
    Ok(text
        .to_lowercase()
        .split_whitespace()
        .map(str::to_owned)
        .collect())
}

fn in_scope(words: &[String], repo: &Repo) -> bool {
    let named: Vec<&str> = words
        .iter()
        .filter_map(|word| word.strip_prefix("repo:"))
        .collect();
    let owned = words.iter().filter_map(|word| {
        word.strip_prefix("org:")
            .or_else(|| word.strip_prefix("user:"))
    });
    (named.is_empty() || named.contains(&repo.full_name().to_lowercase().as_str()))
        && owned
            .into_iter()
            .all(|owner| repo.owner.to_lowercase() == owner)
}

fn matches(words: &[String], issue: &Issue) -> bool {
    words.iter().all(|word| match word.as_str() {
        "is:issue" | "type:issue" => issue.pull.is_none(),
        "is:pr" | "type:pr" => issue.pull.is_some(),
        "is:open" | "state:open" => issue.open,
        "is:closed" | "state:closed" => !issue.open,
        word if word.contains(':') => true,
        word => issue.title.to_lowercase().contains(word),
    })
}

fn scored(mut body: Value) -> Value {
    body["score"] = json!(1.0);
    body
}

fn found(total: usize, items: Value) -> Value {
    json!({"total_count": total, "incomplete_results": false, "items": items})
}

fn issues(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, words) = (&*scope.state, words(call)?);
    let repos = super::repos::visible(state, scope.viewer, |repo| in_scope(&words, repo));
    let all = repos
        .into_iter()
        .flat_map(|repo| repo.issues.values().map(move |it| (repo, it)));
    let hits: Vec<_> = all.filter(|(_, issue)| matches(&words, issue)).collect();
    let url = format!("{}/search/issues", state.base);
    let render = |(repo, it)| scored(issue::issue(state, repo, it));
    let answer = page::wrapped(call, &url, hits, render, |total, items| {
        let mut body = found(total, items);
        extend(&mut body, json!({"search_type": "lexical"}));
        body
    });
    Ok(answer.untagged().caching(Caching::NoCache))
}

fn repositories(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, viewer, words) = (&*scope.state, scope.viewer, words(call)?);
    let hits = super::repos::visible(state, viewer, |repo| {
        in_scope(&words, repo)
            && words
                .iter()
                .all(|word| word.contains(':') || repo.name.contains(word.as_str()))
    });
    let url = format!("{}/search/repositories", state.base);
    let render = |it| scored(repo::listed(state, it, viewer));
    let answer: Answer = page::wrapped(call, &url, hits, render, found);
    Ok(answer.untagged().caching(Caching::NoCache))
}
