//! What the fake knows: users, repositories and all that is in them.
//!
//! Objects are kept as plain data; addresses are made when they are shown, so a rename is one
//! change. Every change sets `updated_at` from [`State::now`], which follows the fake's clock.

pub mod actions;
pub mod git;
pub mod issue;
pub mod release;
pub mod repo;

use std::collections::BTreeMap;
use std::fmt;

pub use actions::{Artifact, Job, Run, Runner, Workflow};
pub use git::{Commit, Status};
pub use issue::{Comment, Issue, Label, Pull};
pub use release::{Asset, Release};
pub use repo::Repo;

/// Somebody: a user, an organization or a bot.
#[derive(Clone, Debug)]
pub struct User {
    /// The id.
    pub id: u64,
    /// The login.
    pub login: String,
    /// `User`, `Organization` or `Bot`.
    pub kind: &'static str,
    /// The name shown.
    pub name: String,
    /// When it was made.
    pub created_at: u64,
    /// When it last changed.
    pub updated_at: u64,
}

/// There is no such thing in the fake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fake has no {}", self.0)
    }
}

impl std::error::Error for Missing {}

/// What changes return.
pub type Found<T> = Result<T, Missing>;

/// The whole state.
#[derive(Clone, Debug)]
pub struct State {
    /// Seconds since 1970.
    pub now: u64,
    /// The start of addresses, such as `https://api.github.com`.
    pub base: String,
    /// Everybody, by lower-case login.
    pub users: BTreeMap<String, User>,
    /// Repositories by id.
    pub repos: BTreeMap<u64, Repo>,
    renamed: BTreeMap<String, u64>,
    last_id: u64,
}

impl State {
    /// Nothing but `octo-org` and `octocat`.
    pub fn new(base: &str, now: u64) -> Self {
        let mut state = Self {
            now,
            base: base.into(),
            users: BTreeMap::new(),
            repos: BTreeMap::new(),
            renamed: BTreeMap::new(),
            last_id: 1000,
        };
        state.add_user("octo-org", "Organization");
        state.add_user("octocat", "User");
        state.add_user("github-actions[bot]", "Bot");
        state.add_user("octo-app[bot]", "Bot");
        state
    }

    /// The start of addresses for people.
    pub const fn site(&self) -> &'static str {
        "https://github.com"
    }

    /// A new id.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Adds somebody; `kind` is `User`, `Organization` or `Bot`.
    pub fn add_user(&mut self, login: &str, kind: &'static str) {
        let id = self.next_id();
        let user = User {
            id,
            login: login.into(),
            kind,
            name: format!("The {login}"),
            created_at: self.now,
            updated_at: self.now,
        };
        self.users.insert(login.to_lowercase(), user);
    }

    /// Somebody by login.
    pub fn user(&self, login: &str) -> Found<&User> {
        self.users
            .get(&login.to_lowercase())
            .ok_or_else(|| Missing(format!("user {login}")))
    }

    /// The id of a repository that has, or once had, this full name.
    pub fn id_of(&self, full_name: &str) -> Found<u64> {
        let wanted = full_name.to_lowercase();
        let current = self
            .repos
            .values()
            .find(|repo| repo.full_name().to_lowercase() == wanted);
        let id = current
            .map(|repo| repo.id)
            .or_else(|| self.renamed.get(&wanted).copied());
        id.filter(|id| self.repos.contains_key(id))
            .ok_or_else(|| Missing(format!("repository {full_name}")))
    }

    /// A repository by its full name, also a former one.
    pub fn repo(&self, full_name: &str) -> Found<&Repo> {
        let id = self.id_of(full_name)?;
        self.repos
            .get(&id)
            .ok_or_else(|| Missing(format!("repository {full_name}")))
    }

    /// A repository to change; sets its `updated_at`.
    pub fn repo_mut(&mut self, full_name: &str) -> Found<&mut Repo> {
        let id = self.id_of(full_name)?;
        let now = self.now;
        let repo = self.repos.get_mut(&id);
        let repo = repo.ok_or_else(|| Missing(format!("repository {full_name}")))?;
        repo.updated_at = now;
        Ok(repo)
    }

    /// Makes a repository with a first commit and returns its id.
    pub fn create_repo(&mut self, full_name: &str, private: bool) -> Found<u64> {
        let (owner, name) = full_name
            .split_once('/')
            .ok_or_else(|| Missing(format!("owner in {full_name}")))?;
        let owner = self.user(owner)?.login.clone();
        let id = self.next_id();
        self.repos
            .insert(id, Repo::new(id, &owner, name, private, self.now));
        self.renamed.remove(&full_name.to_lowercase());
        let readme = format!("# {name}\n\nA repository of the fake.\n");
        self.push_commit(
            full_name,
            "main",
            "Initial commit",
            &[("README.md", readme.as_bytes())],
        )?;
        for (label, color) in [
            ("bug", "d73a4a"),
            ("enhancement", "a2eeef"),
            ("question", "d876e3"),
        ] {
            self.create_label(full_name, label, color)?;
        }
        Ok(id)
    }

    /// Gives a repository another full name; the old one redirects.
    pub fn rename_repo(&mut self, full_name: &str, new: &str) -> Found<()> {
        let (owner, name) = new
            .split_once('/')
            .ok_or_else(|| Missing(format!("owner in {new}")))?;
        let owner = self.user(owner)?.login.clone();
        let repo = self.repo_mut(full_name)?;
        let old = repo.full_name().to_lowercase();
        (repo.owner, repo.name) = (owner, name.to_owned());
        let id = repo.id;
        self.renamed.remove(&new.to_lowercase());
        self.renamed.insert(old, id);
        Ok(())
    }

    /// Makes a repository private or public.
    pub fn set_private(&mut self, full_name: &str, private: bool) -> Found<()> {
        self.repo_mut(full_name)?.private = private;
        Ok(())
    }

    /// Removes a repository.
    pub fn delete_repo(&mut self, full_name: &str) -> Found<()> {
        let id = self.id_of(full_name)?;
        self.repos.remove(&id);
        Ok(())
    }
}

/// GitHub's `node_id` of the style `base64("011:Repository42")`.
pub(crate) fn node_id(kind: &str, id: u64) -> String {
    use base64::Engine;
    let text = format!("0{}:{kind}{id}", kind.len());
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Reads a `node_id` of this kind back.
pub(crate) fn read_node_id(kind: &str, node: &str) -> Option<u64> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(node)
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':')?.1.strip_prefix(kind)?.parse().ok()
}
