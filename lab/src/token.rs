//! Who asks: tokens, what they may see, and which limit they draw from.
//!
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::etag::hex;
use crate::state::{Repo, State};

/// What a viewer may do in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Read only.
    Read,
    /// Read and push.
    Write,
    /// All of it.
    Admin,
}

/// The kinds of credentials the fake knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No token.
    Anonymous,
    /// A job's `GITHUB_TOKEN`.
    Job,
    /// An App's installation token.
    Installation,
    /// A classic personal access token.
    Classic,
    /// A fine-grained personal access token.
    FineGrained,
    /// An App's JWT.
    App,
}

/// A wish for a token; see [`crate::FakeGitHub::token`].
#[derive(Clone, Debug)]
pub struct TokenSpec {
    kind: Kind,
    subject: String,
    grants: Vec<(String, Access)>,
    everything: bool,
    scopes: Option<String>,
    expires: Option<u64>,
}

impl TokenSpec {
    fn new(kind: Kind, subject: &str) -> Self {
        Self {
            kind,
            subject: subject.into(),
            grants: Vec::new(),
            everything: false,
            scopes: None,
            expires: None,
        }
    }

    /// A job's token for one repository: `ghs_…`, 1,000 requests per hour and repository.
    pub fn job(repo: &str) -> Self {
        Self::new(Kind::Job, repo).write(repo)
    }

    /// An installation's token: `ghs_…`, 5,000 per hour and installation.
    pub fn installation(id: u64) -> Self {
        Self::new(Kind::Installation, &id.to_string())
    }

    /// A classic personal access token: `ghp_…`, 5,000 per hour and user.
    pub fn classic(login: &str) -> Self {
        let mut spec = Self::new(Kind::Classic, login);
        spec.scopes = Some("gist, read:org, repo, workflow".into());
        spec
    }

    /// A fine-grained personal access token: `github_pat_…`, 5,000 per hour and user.
    pub fn fine_grained(login: &str) -> Self {
        Self::new(Kind::FineGrained, login)
    }

    /// May read `repo`.
    #[must_use]
    pub fn read(self, repo: &str) -> Self {
        self.may(repo, Access::Read)
    }

    /// May read and push to `repo`.
    #[must_use]
    pub fn write(self, repo: &str) -> Self {
        self.may(repo, Access::Write)
    }

    /// May do everything in `repo`.
    #[must_use]
    pub fn admin(self, repo: &str) -> Self {
        self.may(repo, Access::Admin)
    }

    /// May do everything everywhere.
    #[must_use]
    pub fn everything(mut self) -> Self {
        self.everything = true;
        self
    }

    /// The `x-oauth-scopes` of a classic token.
    #[must_use]
    pub fn scopes(mut self, scopes: &str) -> Self {
        self.scopes = Some(scopes.into());
        self
    }

    /// When the token ends, in seconds since 1970.
    #[must_use]
    pub fn expires(mut self, unix_seconds: u64) -> Self {
        self.expires = Some(unix_seconds);
        self
    }

    fn may(mut self, repo: &str, access: Access) -> Self {
        self.grants.push((repo.into(), access));
        self
    }
}

/// A token that the fake accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    value: String,
    bucket: String,
}

impl Token {
    /// The secret text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The limit it draws from, such as `user:octocat`.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// `Bearer <value>`.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.value)
    }
}

/// Who a request comes from.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The kind of credential.
    pub kind: Kind,
    /// The login shown as author and as `viewer`.
    pub login: String,
    /// The limit's name.
    pub bucket: String,
    /// `x-oauth-scopes`, for classic tokens.
    pub scopes: Option<String>,
    /// When the token ends.
    pub expires: Option<u64>,
    /// The token itself; empty if anonymous.
    pub token: String,
    grants: BTreeMap<u64, Access>,
    everything: bool,
}

impl Viewer {
    /// Nobody in particular, from `peer`.
    pub fn anonymous(peer: &str) -> Self {
        Self {
            kind: Kind::Anonymous,
            login: String::new(),
            bucket: format!("address:{peer}"),
            scopes: None,
            expires: None,
            token: String::new(),
            grants: BTreeMap::new(),
            everything: false,
        }
    }

    /// Somebody who may do everything, for rendering outside of a request.
    pub fn is_anonymous(&self) -> bool {
        self.kind == Kind::Anonymous
    }

    /// What the viewer may do; none means that the repository doesn't exist for them.
    pub fn access(&self, repo: &Repo) -> Option<Access> {
        if self.everything {
            return Some(Access::Admin);
        }
        let granted = self.grants.get(&repo.id).copied();
        granted.or((!repo.private).then_some(Access::Read))
    }

    /// What this viewer may use per window of a resource, and the window's seconds.
    pub fn allowance(&self, resource: &str) -> (u64, u64) {
        let hourly = match self.kind {
            Kind::Anonymous => 60,
            Kind::Job => 1000,
            _ => 5000,
        };
        match (resource, self.kind) {
            ("search", Kind::Anonymous) | ("code_search", _) => (10, 60),
            ("search", _) => (30, 60),
            ("graphql", Kind::Anonymous) => (0, 3600),
            ("actions_runner_registration", Kind::Job | Kind::Installation | Kind::Classic) => {
                (10_000, 3600)
            }
            _ => (hourly, 3600),
        }
    }
}

/// All tokens that are valid.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    known: BTreeMap<String, Viewer>,
    minted: u64,
}

impl Tokens {
    /// Makes a token; repositories that don't exist are left out.
    pub(crate) fn mint(&mut self, spec: TokenSpec, state: &State) -> Token {
        self.minted += 1;
        let digest = hex(&Sha256::digest(format!("token {}", self.minted)));
        let id_of = |name: &str| state.repo(name).map_or(0, |repo| repo.id);
        let (prefix, login, bucket) = match spec.kind {
            Kind::Job => {
                let bucket = format!("repository:{}", id_of(&spec.subject));
                ("ghs_", "github-actions[bot]".into(), bucket)
            }
            Kind::Installation => (
                "ghs_",
                "octo-app[bot]".into(),
                format!("installation:{}", spec.subject),
            ),
            Kind::FineGrained => (
                "github_pat_",
                spec.subject.clone(),
                format!("user:{}", spec.subject),
            ),
            Kind::App => ("eyJ", "octo-app[bot]".into(), "app:1".into()),
            _ => (
                "ghp_",
                spec.subject.clone(),
                format!("user:{}", spec.subject),
            ),
        };
        let value = format!("{prefix}{}", &digest[..36]);
        let viewer = Viewer {
            kind: spec.kind,
            login,
            bucket: bucket.clone(),
            scopes: spec.scopes,
            expires: spec.expires,
            token: value.clone(),
            grants: spec
                .grants
                .iter()
                .map(|(name, access)| (id_of(name), *access))
                .collect(),
            everything: spec.everything,
        };
        self.known.insert(value.clone(), viewer);
        Token { value, bucket }
    }

    /// An App's JWT.
    pub(crate) fn mint_app(&mut self, state: &State) -> Token {
        self.mint(TokenSpec::new(Kind::App, "1"), state)
    }

    /// The viewer of a token that is known and hasn't ended.
    pub(crate) fn viewer(&self, token: &str, now: u64) -> Option<Viewer> {
        let viewer = self.known.get(token)?;
        viewer
            .expires
            .is_none_or(|end| now < end)
            .then(|| viewer.clone())
    }

    /// Makes a token invalid.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.known.remove(token);
    }

    /// Sets or withdraws the access to one repository.
    pub(crate) fn set_access(&mut self, token: &str, repo: u64, access: Option<Access>) {
        if let Some(viewer) = self.known.get_mut(token) {
            viewer.everything = false;
            match access {
                Some(access) => viewer.grants.insert(repo, access),
                None => viewer.grants.remove(&repo),
            };
        }
    }
}
