//! The list of the Actions cache that GitHub's REST API gives: many keys at once, for a job whose token has
//! `actions: read`.
//!
//! A key says who is where and has no ticket in it, so whom it is about can only be dialled by who knows the pool's
//! secret. GitHub counts each list as a call of the repository's budget: without a secret nobody asks.
//! <https://docs.github.com/en/rest/actions/cache#list-github-actions-caches-for-a-repository>

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;

use super::name::Name;
use crate::github::{self, Body, Call};
use crate::secret::Authorization;
use crate::swarm::Pool;
use crate::time::Timestamp;

/// Rows of one list; GitHub gives no more.
const ROWS: usize = 100;
/// The most bytes of a list: a row has less than 2 KiB.
const ANSWER_MAX: usize = 1 << 20;

/// Whose caches are listed.
#[derive(Debug, Clone)]
pub struct Config {
    /// `OWNER/REPO`.
    pub repository: String,
    /// The field `Authorization`.
    pub token: Authorization,
}

/// Why there is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unlisted {
    /// The token must not: nothing changes that.
    #[error("the token may not list the caches; the job needs `permissions: actions: read`")]
    Denied,
    /// The rate limit is reached, or GitHub has trouble.
    #[error("GitHub did not give the list (HTTP {0})")]
    Refused(u16),
    /// No connection, or it broke.
    #[error("GitHub cannot be reached")]
    Unreachable,
    /// Not a list.
    #[error("the list makes no sense")]
    Nonsense,
}

impl Unlisted {
    /// The stable name, for counters and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "cache-list-denied",
            Self::Refused(_) => "cache-list-refused",
            Self::Unreachable => "cache-list-unreachable",
            Self::Nonsense => "cache-list-nonsense",
        }
    }
}

/// A cheap handle.
#[derive(Debug, Clone)]
pub struct Client {
    github: github::Client,
    config: Config,
}

#[derive(Deserialize)]
struct List {
    actions_caches: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
}

impl Client {
    /// Lists with `github`.
    pub fn new(github: github::Client, config: Config) -> Self {
        Self { github, config }
    }

    /// The peers of `pool` whose keys begin with `prefix`, newest first, that are there at `now`.
    pub async fn list(
        &self,
        prefix: &str,
        pool: &Pool,
        now: Timestamp,
    ) -> Result<Vec<Name>, Unlisted> {
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/vnd.github+json"),
        );
        if let Some(token) = self.config.token.expose() {
            let mut value = HeaderValue::from_bytes(token).map_err(|_| Unlisted::Denied)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let call = Call {
            method: Method::GET,
            host: "api.github.com".to_owned(),
            target: target(&self.config.repository, prefix),
            headers,
            body: Body::default(),
        };
        let answer = self.github.send(call).await;
        let (head, body) = answer.map_err(|_| Unlisted::Unreachable)?.into_parts();
        if let Some(unlisted) = judge(head.status, &head.headers) {
            return Err(unlisted);
        }
        let body = Limited::new(body, ANSWER_MAX).collect().await;
        names(&body.map_err(|_| Unlisted::Nonsense)?.to_bytes(), pool, now)
    }
}

/// A prefix has letters, digits and `/` alone, and a repository's name nothing that a path cannot have.
fn target(repository: &str, prefix: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("key", prefix)
        .append_pair("sort", "created_at")
        .append_pair("direction", "desc")
        .append_pair("per_page", &ROWS.to_string())
        .finish();
    format!("/repos/{repository}/actions/caches?{query}")
}

/// Why an answer has no list. A 403 is a rate limit only if it says so.
fn judge(status: StatusCode, headers: &HeaderMap) -> Option<Unlisted> {
    let is_zero = |value: &HeaderValue| value.as_bytes() == b"0";
    let limited = headers.contains_key("retry-after")
        || headers.get("x-ratelimit-remaining").is_some_and(is_zero);
    match status {
        StatusCode::OK => None,
        StatusCode::FORBIDDEN if limited => Some(Unlisted::Refused(403)),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
            Some(Unlisted::Denied)
        }
        status => Some(Unlisted::Refused(status.as_u16())),
    }
}

fn names(body: &[u8], pool: &Pool, now: Timestamp) -> Result<Vec<Name>, Unlisted> {
    let list: List = serde_json::from_slice(body).map_err(|_| Unlisted::Nonsense)?;
    let rows = list.actions_caches.iter().take(ROWS);
    let names = rows.filter_map(|row| Name::read(&row.key).ok());
    Ok(names
        .filter(|name| name.is_of(pool) && name.expires > now)
        .collect())
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::registry::Signed;
    use crate::swarm::Identity;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn key(seed: u8, pool: &str, at: Timestamp) -> String {
        let identity = Identity::from_seed(&Zeroizing::new([seed; 32])).unwrap();
        let pool = Pool::new(pool).unwrap();
        let address = "/ip4/10.0.0.1/tcp/9000".parse().unwrap();
        let signed = Signed::own(&identity, &pool, &[address], at, true).unwrap();
        Name::of(&signed.record, &pool, 1).sign(&identity).unwrap()
    }

    #[test]
    fn of_a_list_those_are_taken_who_are_of_the_pool_and_there() {
        let old = NOW.minus(std::time::Duration::from_hours(3));
        let rows = [
            key(1, "a/b", NOW),
            key(2, "c/d", NOW),
            key(3, "a/b", old),
            "npm-cache-1".to_owned(),
        ];
        let rows: Vec<_> = rows
            .iter()
            .map(|key| serde_json::json!({"id": 1, "key": key}))
            .collect();
        let body = serde_json::json!({"total_count": 4, "actions_caches": rows}).to_string();
        let pool = Pool::new("a/b").unwrap();
        let listed = names(body.as_bytes(), &pool, NOW).unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].addresses.len(), 1);
        assert_eq!(names(b"[]", &pool, NOW), Err(Unlisted::Nonsense));
    }

    #[test]
    fn a_token_that_may_not_is_told_from_a_limit_that_passes() {
        let mut headers = HeaderMap::new();
        assert_eq!(judge(StatusCode::OK, &headers), None);
        assert_eq!(
            judge(StatusCode::FORBIDDEN, &headers),
            Some(Unlisted::Denied)
        );
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
        assert_eq!(
            judge(StatusCode::FORBIDDEN, &headers),
            Some(Unlisted::Refused(403))
        );
        assert_eq!(
            judge(StatusCode::BAD_GATEWAY, &headers),
            Some(Unlisted::Refused(502))
        );
    }

    #[test]
    fn the_call_is_one_page_of_the_newest() {
        assert_eq!(
            target("o/r", "ghswarm/1/7/00/"),
            "/repos/o/r/actions/caches?key=ghswarm%2F1%2F7%2F00%2F&sort=created_at&direction=desc&per_page=100"
        );
    }
}
