//! Refusals that don't come from a route: the front end's, the limits', and those of faults.

use serde_json::json;

use crate::answer::{Answer, Body, Caching, Refusal, Tag};
use crate::fault::Fault;
use crate::finish;
use crate::request::Call;
use crate::token::Viewer;

/// Refusals that GitHub's front end makes before it looks at anything.
pub(crate) fn gatekeeper(call: &Call) -> Option<Answer> {
    if call.header("user-agent").is_none_or(str::is_empty) {
        let text = "Request forbidden by administrative rules. Please make sure your request has a \
                    User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-\
                    rest-api#user-agent-required). Check https://developer.github.com for other \
                    possible causes.\n";
        let mut answer = Answer::raw("text/html; charset=utf-8", text);
        answer.status = 403;
        return Some(answer.untagged().caching(Caching::NoCache));
    }
    let version = call.header("x-github-api-version")?;
    if finish::VERSIONS.contains(&version) {
        return None;
    }
    let text = format!("Unsupported API version: \"{version}\".");
    Some(Refusal::new(400, text).answer("rest/about-the-rest-api/api-versions"))
}

/// The answer that a fault stands in for.
pub(crate) fn faulty(fault: &Fault) -> Option<Answer> {
    match fault {
        Fault::Status(status) => Some(Refusal::new(*status, "Server Error").answer("rest")),
        Fault::BadGateway => {
            let page = "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head>\
                        \n<body><p><strong>We had issues producing the response to your request.\
                        </strong></p></body></html>\n";
            let mut answer = Answer::raw("text/html; charset=utf-8", page);
            answer.status = 502;
            answer.tag = Tag::None;
            Some(answer.caching(Caching::NoCache))
        }
        Fault::Limited {
            status,
            retry_after,
        } => Some(secondary(*status, *retry_after)),
        _ => None,
    }
}

pub(crate) fn is_limit(fault: &Fault) -> bool {
    matches!(fault, Fault::Limited { .. })
}

/// GitHub's refusal of a request over a secondary limit.
pub(crate) fn secondary(status: u16, retry_after: Option<u64>) -> Answer {
    let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you \
                   try again.";
    let docs = "free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-\
                rate-limits";
    let mut answer = Refusal::new(status, message)
        .answer(docs)
        .header("x-lab-over", "secondary");
    if let Body::Json(body) = &mut answer.body
        && let Some(object) = body.as_object_mut()
    {
        object.remove("status");
    }
    answer
        .headers
        .extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
    answer
}

/// GitHub's refusal of a request over its primary limit; `GraphQL` says it with status 200.
pub(crate) fn primary(viewer: &Viewer, resource: &str, peer: &str) -> Answer {
    if resource == "graphql" && !viewer.is_anonymous() {
        let text = format!("API rate limit exceeded for {}.", viewer.bucket);
        let body = json!({"errors": [{"type": "RATE_LIMITED", "message": text}]});
        let mut answer = Answer::json(body).untagged().caching(Caching::Silent);
        answer.points = 0;
        return answer;
    }
    let message = if viewer.is_anonymous() {
        format!(
            "API rate limit exceeded for {peer}. (But here's the good news: Authenticated requests \
                 get a higher rate limit. Check out the documentation for more details.)"
        )
    } else {
        format!(
            "API rate limit exceeded for {}.",
            viewer.bucket.replacen(':', " ID ", 1)
        )
    };
    let docs = "rest/using-the-rest-api/rate-limits-for-the-rest-api";
    Refusal::new(403, message)
        .answer(docs)
        .header("x-lab-over", "primary")
}
