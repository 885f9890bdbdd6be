//! A repository.

use std::collections::BTreeMap;

use super::{Artifact, Asset, Commit, Issue, Job, Label, Release, Run, Runner, Status, Workflow};

/// A repository and all that is in it.
#[derive(Clone, Debug)]
pub struct Repo {
    /// The id, which a rename keeps.
    pub id: u64,
    /// The owner's login.
    pub owner: String,
    /// The name without owner.
    pub name: String,
    /// Whether only some may see it.
    pub private: bool,
    /// The description.
    pub description: String,
    /// The default branch.
    pub default_branch: String,
    /// When it was made.
    pub created_at: u64,
    /// When it last changed.
    pub updated_at: u64,
    /// When somebody last pushed.
    pub pushed_at: u64,
    /// Issues and pulls by number.
    pub issues: BTreeMap<u64, Issue>,
    /// Labels by name.
    pub labels: BTreeMap<String, Label>,
    /// Commits by id.
    pub commits: BTreeMap<String, Commit>,
    /// Git refs such as `refs/heads/main`, to commit ids.
    pub refs: BTreeMap<String, String>,
    /// File contents by blob id.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Statuses, oldest first.
    pub statuses: Vec<Status>,
    /// Workflows by id.
    pub workflows: BTreeMap<u64, Workflow>,
    /// Runs by id.
    pub runs: BTreeMap<u64, Run>,
    /// Jobs by id.
    pub jobs: BTreeMap<u64, Job>,
    /// Artifacts by id.
    pub artifacts: BTreeMap<u64, Artifact>,
    /// Self-hosted runners by id.
    pub runners: BTreeMap<u64, Runner>,
    /// Releases by id.
    pub releases: BTreeMap<u64, Release>,
    /// Assets of releases by id.
    pub assets: BTreeMap<u64, Asset>,
    /// Names of deployment environments.
    pub environments: Vec<String>,
    /// Logins of collaborators.
    pub collaborators: Vec<String>,
    /// How many Dependabot alerts are open.
    pub alerts: u64,
}

impl Repo {
    pub(super) fn new(id: u64, owner: &str, name: &str, private: bool, now: u64) -> Self {
        Self {
            id,
            owner: owner.into(),
            name: name.into(),
            private,
            description: format!("What {name} is about"),
            default_branch: "main".into(),
            created_at: now,
            updated_at: now,
            pushed_at: now,
            issues: BTreeMap::new(),
            labels: BTreeMap::new(),
            commits: BTreeMap::new(),
            refs: BTreeMap::new(),
            blobs: BTreeMap::new(),
            statuses: Vec::new(),
            workflows: BTreeMap::new(),
            runs: BTreeMap::new(),
            jobs: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            runners: BTreeMap::new(),
            releases: BTreeMap::new(),
            assets: BTreeMap::new(),
            environments: vec!["production".into(), "staging".into()],
            collaborators: vec!["octocat".into()],
            alerts: 2,
        }
    }

    /// `owner/name`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// How many issues and pulls are open.
    pub fn open_issues(&self) -> usize {
        self.issues.values().filter(|issue| issue.open).count()
    }

    /// The commit that a branch, tag, full ref or commit id names.
    pub fn resolve(&self, name: &str) -> Option<&Commit> {
        let candidates = [
            name.to_owned(),
            format!("refs/{name}"),
            format!("refs/heads/{name}"),
            format!("refs/tags/{name}"),
        ];
        let sha = candidates
            .iter()
            .find_map(|key| self.refs.get(key))
            .map_or(name, String::as_str);
        let branch = if sha == "HEAD" {
            self.refs
                .get(&format!("refs/heads/{}", self.default_branch))
                .map_or(sha, |s| s)
        } else {
            sha
        };
        self.commits.get(branch)
    }

    /// A commit and its ancestors, newest first.
    pub fn history(&self, name: &str) -> Vec<&Commit> {
        let mut next = self.resolve(name);
        let mut commits = Vec::new();
        while let Some(commit) = next {
            commits.push(commit);
            next = commit
                .parent
                .as_ref()
                .and_then(|parent| self.commits.get(parent));
        }
        commits
    }
}
