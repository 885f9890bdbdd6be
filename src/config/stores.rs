//! What a job's environment says about the stores that its runners have in common.
//!
//! The runner gives the variables of the cache service to actions, and not to `run:` steps. A step that may ask for an OIDC
//! token (`permissions: id-token: write`) has the same token under another name, which is nobody's promise: it is taken
//! only if it says itself what it may do in the cache.

use super::{Environment, env};
use crate::registry::actions_cache::{self, Access, RuntimeToken};
use crate::registry::rest;
use crate::secret::Authorization;

/// Where the service is for github.com, whose runners do not tell `run:` steps.
const RESULTS: &str = "https://results-receiver.actions.githubusercontent.com/";

/// Which stores there are; the default is none.
#[derive(Debug, Clone, Default)]
pub struct Stores {
    /// The number of the job's repository; 0 if nobody says.
    pub repository: u64,
    /// The cache of GitHub Actions.
    pub cache: Option<actions_cache::Config>,
    /// The list of its keys.
    pub list: Option<rest::Config>,
    /// How many jobs the matrix of this one has.
    pub jobs: u32,
}

impl Stores {
    /// What `environment` says.
    pub fn find(environment: &Environment) -> Self {
        let number = |name| environment.get(name)?.trim().parse().ok();
        Self {
            repository: number(env::GITHUB_REPOSITORY_ID).unwrap_or(0),
            cache: service(environment),
            list: list(environment),
            jobs: environment
                .get(env::JOB_TOTAL)
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(1),
        }
    }
}

fn service(environment: &Environment) -> Option<actions_cache::Config> {
    let named = environment.get(env::ACTIONS_RESULTS_URL);
    if let (Some(token), Some(service)) = (environment.get(env::ACTIONS_RUNTIME_TOKEN), named) {
        return Some(actions_cache::Config {
            service: service.to_owned(),
            token: RuntimeToken::new(token),
        });
    }
    let token = RuntimeToken::new(environment.get(env::ACTIONS_ID_TOKEN_REQUEST_TOKEN)?);
    let knows = |claims: actions_cache::Claims| matches!(claims.access, Access::Scopes { .. });
    if !token.claims().is_some_and(knows) {
        return None;
    }
    let server = environment.get(env::GITHUB_SERVER_URL);
    let of_github = || (server == Some("https://github.com")).then_some(RESULTS);
    Some(actions_cache::Config {
        service: named.or_else(of_github)?.to_owned(),
        token,
    })
}

fn list(environment: &Environment) -> Option<rest::Config> {
    let repository = environment.get(env::GITHUB_REPOSITORY)?;
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    let named = repository.split('/').count() == 2 && repository.chars().all(safe);
    let token = environment.get(env::CACHE_LIST_TOKEN)?.trim();
    let header = zeroize::Zeroizing::new(format!("Bearer {token}"));
    named.then(|| rest::Config {
        repository: repository.to_owned(),
        token: Authorization::new(Some(header.as_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token with scopes, and one without.
    const CACHE: &str = "e30.eyJhYyI6IltdIn0.x";
    const OTHER: &str = "e30.e30.x";

    fn service_of(pairs: &[(&str, &str)]) -> Option<String> {
        let found = Stores::find(&Environment::from_pairs(pairs)).cache?;
        Some(found.service)
    }

    #[test]
    fn a_step_that_has_the_variables_uses_them() {
        let url = ("ACTIONS_RESULTS_URL", "https://r.example/");
        let token = ("ACTIONS_RUNTIME_TOKEN", "x");
        assert_eq!(service_of(&[url, token]).unwrap(), "https://r.example/");
        assert_eq!(service_of(&[url]), None);
        assert_eq!(service_of(&[token]), None);
        assert_eq!(service_of(&[]), None);
    }

    #[test]
    fn the_token_for_oidc_is_taken_only_if_it_is_one_for_the_cache() {
        let server = ("GITHUB_SERVER_URL", "https://github.com");
        let other = ("GITHUB_SERVER_URL", "https://ghe.example");
        let url = ("ACTIONS_RESULTS_URL", "https://r.example/");
        let token = |token| ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
        assert_eq!(service_of(&[server, token(CACHE)]).unwrap(), RESULTS);
        assert_eq!(service_of(&[other, token(CACHE)]), None);
        assert_eq!(
            service_of(&[other, url, token(CACHE)]).unwrap(),
            "https://r.example/"
        );
        assert_eq!(service_of(&[server, token(OTHER)]), None);
        assert_eq!(service_of(&[server, token("ghs_1")]), None);
    }

    #[test]
    fn a_list_needs_a_token_of_its_own_and_a_repository() {
        let list = |pairs: &[_]| Stores::find(&Environment::from_pairs(pairs)).list;
        let token = ("GHSWARM_CACHE_LIST_TOKEN", "ghs_SECRET");
        let found = list(&[token, ("GITHUB_REPOSITORY", "a/b.c")]).unwrap();
        assert!(!format!("{found:?}").contains("SECRET"));
        assert!(list(&[token, ("GITHUB_REPOSITORY", "a/b?c")]).is_none());
        assert!(list(&[token]).is_none());
        assert!(list(&[("GITHUB_REPOSITORY", "a/b"), ("GITHUB_TOKEN", "ghs_1")]).is_none());
    }
}
