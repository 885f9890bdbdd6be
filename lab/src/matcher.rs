//! Which requests a fault or a gate means.

use crate::request::Call;

/// Chooses requests by method, host, path prefix, query and token, and for how many of them.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    method: Option<String>,
    host: Option<String>,
    prefix: Option<String>,
    exact: bool,
    query: Option<String>,
    token: Option<String>,
    times: Option<u32>,
}

impl Matcher {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Requests of this method whose path starts with `prefix`.
    pub fn new(method: &str, prefix: &str) -> Self {
        Self {
            method: Some(method.into()),
            prefix: Some(prefix.into()),
            ..Self::default()
        }
    }

    /// GET requests whose path starts with `prefix`.
    pub fn get(prefix: &str) -> Self {
        Self::new("GET", prefix)
    }

    /// Requests of any method whose path starts with `prefix`.
    pub fn path(prefix: &str) -> Self {
        Self {
            prefix: Some(prefix.into()),
            ..Self::default()
        }
    }

    /// The whole path must be equal, not only its start.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    /// Only requests for this host (without port).
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Only requests whose raw query contains `part`, such as `page=2`.
    #[must_use]
    pub fn query(mut self, part: &str) -> Self {
        self.query = Some(part.into());
        self
    }

    /// Only requests that carry this token.
    #[must_use]
    pub fn token(mut self, value: &str) -> Self {
        self.token = Some(value.into());
        self
    }

    /// Only the first `count` requests that match; without it, all.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    /// Only the first request that matches.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Whether the matcher has matched as often as it may.
    pub(crate) fn is_spent(&self) -> bool {
        self.times == Some(0)
    }

    /// Whether this request is meant; counts it if so.
    pub(crate) fn takes(&mut self, call: &Call) -> bool {
        let path = |prefix: &String| {
            if self.exact {
                call.path == *prefix
            } else {
                call.path.starts_with(prefix.as_str())
            }
        };
        let meant = !self.is_spent()
            && self
                .method
                .as_ref()
                .is_none_or(|method| call.method.as_str() == method)
            && self.host.as_ref().is_none_or(|host| call.host == *host)
            && self.prefix.as_ref().is_none_or(path)
            && self
                .query
                .as_ref()
                .is_none_or(|part| call.raw_query.contains(part.as_str()))
            && self
                .token
                .as_ref()
                .is_none_or(|token| call.token() == Some(token.as_str()));
        if meant && let Some(left) = &mut self.times {
            *left -= 1;
        }
        meant
    }
}
