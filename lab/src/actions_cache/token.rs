//! The runtime token: a JWT whose claims say what a job may do with the cache.
//!
//! Claim `ac` is text that holds JSON: `[{"Scope":"refs/heads/main","Permission":3}]`, where bit 1 of the
//! permission is reading and bit 2 writing. Nobody here checks a signature: a test may make tokens of its own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const READ: u64 = 1;
const WRITE: u64 = 2;
/// How long a token lasts, in seconds.
const LIFETIME: u64 = 6 * 3600;

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Claims {
    repository: u64,
    scopes: Vec<(String, u64)>,
    /// `ac` as it is, in the place of the scopes.
    raw: Option<Value>,
    /// Seconds since 1970.
    expires: Option<u64>,
}

impl Claims {
    /// A token of a job of this repository that can do nothing yet.
    pub fn new(repository: u64) -> Self {
        Self {
            repository,
            scopes: Vec::new(),
            raw: None,
            expires: None,
        }
    }

    /// A job of `main`: it reads and writes there.
    pub fn main(repository: u64) -> Self {
        Self::new(repository).scope("refs/heads/main", READ | WRITE)
    }

    /// One more scope: a full ref, and permission bits. The first with the bit for writing is written to.
    #[must_use]
    pub fn scope(mut self, name: &str, permission: u64) -> Self {
        self.scopes.push((name.to_owned(), permission));
        self
    }

    /// One more scope that is only read.
    #[must_use]
    pub fn reads(self, name: &str) -> Self {
        self.scope(name, READ)
    }

    /// The claim `ac` as this value, whatever it is.
    #[must_use]
    pub fn raw(mut self, ac: Value) -> Self {
        self.raw = Some(ac);
        self
    }

    /// The end of the token, in seconds since 1970; by default six hours from now.
    #[must_use]
    pub fn expires(mut self, at: u64) -> Self {
        self.expires = Some(at);
        self
    }

    /// The token, made at `now` (seconds since 1970).
    pub(super) fn sign(&self, now: u64, seed: u64) -> String {
        let scopes: Vec<_> = self
            .scopes
            .iter()
            .map(|(name, permission)| json!({"Scope": name, "Permission": permission}))
            .collect();
        let ac = Value::String(Value::Array(scopes).to_string());
        let payload = json!({
            "ac": self.raw.clone().unwrap_or(ac),
            "repository_id": self.repository.to_string(),
            "scp": "Actions.Results:11111111-2222-3333-4444-555555555555:job",
            "iss": "https://token.actions.githubusercontent.com",
            "iat": now,
            "exp": self.expires.unwrap_or(now + LIFETIME),
        });
        let head = BASE64.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
        let body = format!("{head}.{}", BASE64.encode(payload.to_string()));
        let seal = Sha256::new()
            .chain_update(seed.to_be_bytes())
            .chain_update(&body)
            .finalize();
        format!("{body}.{}", BASE64.encode(seal))
    }
}

/// What a token says, as the service reads it.
#[derive(Debug, Clone)]
pub(super) struct Bearer {
    pub(super) repository: u64,
    scopes: Vec<(String, u64)>,
}

impl Bearer {
    /// What `token` says at `now` (seconds since 1970); `None`: it is none, or has run out.
    pub(super) fn read(token: &str, now: u64) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let payload: Value = serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()?;
        if payload["exp"].as_u64().is_some_and(|end| end <= now) {
            return None;
        }
        let repository = match &payload["repository_id"] {
            Value::String(text) => text.parse().ok()?,
            number => number.as_u64().unwrap_or(0),
        };
        let listed: Vec<Value> = payload["ac"]
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let scope = |one: &Value| {
            let name = one["Scope"].as_str()?.to_owned();
            Some((name, one["Permission"].as_u64().unwrap_or(0)))
        };
        Some(Self {
            repository,
            scopes: listed.iter().filter_map(scope).collect(),
        })
    }

    /// The scopes that it reads, in its order.
    pub(super) fn readable(&self) -> Vec<(u64, String)> {
        self.with(READ).collect()
    }

    /// The scope that it writes to.
    pub(super) fn writable(&self) -> Option<(u64, String)> {
        self.with(WRITE).next()
    }

    fn with(&self, bit: u64) -> impl Iterator<Item = (u64, String)> {
        self.scopes
            .iter()
            .filter(move |(_, permission)| permission & bit != 0)
            .map(|(name, _)| (self.repository, name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_it_may_do_until_it_runs_out() {
        let claims = Claims::main(7).reads("refs/heads/next");
        let token = claims.sign(1000, 1);
        let bearer = Bearer::read(&token, 1000).unwrap();
        assert_eq!(bearer.writable(), Some((7, "refs/heads/main".to_owned())));
        assert_eq!(bearer.readable().len(), 2);
        assert!(Bearer::read(&token, 1000 + LIFETIME).is_none());
        assert_eq!(token, claims.sign(1000, 1), "the same seed, the same token");
    }

    #[test]
    fn what_is_no_list_of_scopes_gives_nothing() {
        let token = Claims::main(7).raw(json!([{"Scope": "x"}])).sign(1000, 1);
        let bearer = Bearer::read(&token, 1000).unwrap();
        assert!(bearer.readable().is_empty() && bearer.writable().is_none());
        assert!(Bearer::read("ghs_0123", 0).is_none());
    }
}
