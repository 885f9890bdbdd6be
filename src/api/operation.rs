//! Classes of GitHub's operations: how long their answers live and who may see them.

mod reach;
mod routes;
mod table;

use std::time::Duration;

use crate::api::key::canonical_target;
use crate::api::path::Path;
use table::ROWS;

pub use reach::Reach;
pub use table::Operation;

/// Why a read has no class whose answers can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It hands out a token.
    Token,
    /// GitHub redirects it to a URL that soon expires.
    Stream,
}

impl Operation {
    /// The names of all classes; [`Operation::index`] is the place in it.
    pub const NAMES: [&'static str; ROWS.len()] = {
        let mut names = [""; ROWS.len()];
        let mut i = 0;
        while i < ROWS.len() {
            names[i] = ROWS[i].1;
            i += 1;
        }
        names
    };

    /// The class of a request for `target` (path and query) with GET or HEAD, or with another method.
    /// Reads that must not be cached have a class too, for the statistics.
    pub fn of(method_is_get: bool, target: &str) -> Self {
        let target = canonical_target(target);
        if target == "/graphql" {
            return Self::GraphqlQuery;
        }
        if !method_is_get {
            return Self::Write;
        }
        match Path::of(&target).map(|path| Self::of_read(&path, &target)) {
            Some(Ok(operation)) => operation,
            Some(Err(Refused::Token)) => Self::Token,
            Some(Err(Refused::Stream)) | None => Self::Other,
        }
    }

    /// The class of a read whose canonical target is already cut.
    pub fn of_read(path: &Path<'_>, target: &str) -> Result<Self, Refused> {
        routes::read(path.segments(), target)
    }

    /// Every class.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.0)
    }

    /// The place in [`Operation::NAMES`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name: `snake_case`, stable.
    pub const fn name(self) -> &'static str {
        ROWS[self as usize].1
    }

    /// The class called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// How long its answers are fresh. `None`: as long as GitHub's `Cache-Control` says.
    pub const fn lifetime(self) -> Option<Duration> {
        match ROWS[self as usize].2 {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => None,
        }
    }

    /// State that others change while a client waits for it: runs, jobs, checks, statuses, references
    /// and runners. Asked again after more than 5 s it is revalidated even within its lifetime.
    pub const fn is_polled(self) -> bool {
        matches!(
            self,
            Self::GetWorkflowRuns
                | Self::GetWorkflowRun
                | Self::QueueDepth
                | Self::Jobs
                | Self::ListRunners
                | Self::GetRunnerStatus
                | Self::Checks
                | Self::Statuses
                | Self::Refs
                | Self::Branches
        )
    }

    /// Whether every reader of a *public* repository gets the same bytes, so that the answer is public
    /// once the repository is proven to be. An allow-list: what is not known to be the same is not here
    /// (`permissions` in repositories, drafts among releases, `mergeable_state` of pull requests, issues
    /// of private repositories beside public ones that refer to them).
    pub const fn is_same_for_every_reader(self) -> bool {
        matches!(
            self,
            Self::RepoFacts
                | Self::ListWorkflows
                | Self::GetWorkflowRuns
                | Self::GetWorkflowRun
                | Self::QueueDepth
                | Self::Jobs
                | Self::Checks
                | Self::Statuses
                | Self::Refs
                | Self::Tags
                | Self::GitObject
                | Self::GitCommit
                | Self::Commits
                | Self::Compare
                | Self::Contents
                | Self::Labels
        )
    }

    /// Whether its answers are never stored: tokens, the caller's limits, and what answers a write.
    pub const fn is_never_stored(self) -> bool {
        matches!(self, Self::Token | Self::RateLimit | Self::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every GET route of GitHub's description, and its class.
    const ROUTES: &str = include_str!("../../tests/data/api/routes.txt");

    /// A target for a route template: ids of objects where such are asked for, else a number.
    fn example(template: &str) -> String {
        let mut target = String::new();
        for piece in template.split('}') {
            let (text, name) = piece.split_once('{').unwrap_or((piece, ""));
            target.push_str(text);
            target.push_str(match name {
                "" => "",
                "owner" | "org" | "username" | "repo" => "name",
                name if name.ends_with("_sha") => "0123456789abcdef0123456789abcdef01234567",
                _ => "1",
            });
        }
        target
    }

    #[test]
    fn every_route_of_github_has_its_class() {
        for line in ROUTES.lines().filter(|line| !line.starts_with('#')) {
            let (class, template) = line.split_once(' ').unwrap();
            let target = example(template);
            let found = match Path::of(&target).map(|path| Operation::of_read(&path, &target)) {
                Some(Ok(operation)) => operation.name(),
                Some(Err(Refused::Token)) => "(token)",
                Some(Err(Refused::Stream)) => "(stream)",
                None => "(none)",
            };
            assert_eq!(found, class, "{template}");
        }
    }

    #[test]
    fn the_table_has_every_class_in_its_place() {
        for (place, operation) in Operation::all().enumerate() {
            assert_eq!(operation.index(), place);
            assert_eq!(Operation::NAMES[place], operation.name());
            assert_eq!(Operation::parse(operation.name()), Some(operation));
        }
        assert_eq!(Operation::parse("List_Repos"), None);
    }

    #[test]
    fn lifetimes_are_those_of_the_contract() {
        let of = |name| Operation::parse(name).unwrap().lifetime();
        for (name, seconds) in [
            ("list_repos", 600),
            ("get_repo_info", 300),
            ("list_workflows", 300),
            ("get_workflow_runs", 120),
            ("get_workflow_run", 60),
            ("list_runners", 300),
            ("get_runner_status", 60),
            ("queue_depth", 60),
            ("copilot_completion", 3600),
            ("codeql_results", 86_400),
            ("git_object", 31_536_000),
            ("git_commit", 31_536_000),
            ("graphql_query", 60),
            ("key_value", 300),
        ] {
            assert_eq!(of(name), Some(Duration::from_secs(seconds)), "{name}");
        }
        assert_eq!(of("issues"), None);
    }

    #[test]
    fn what_only_some_may_see_is_never_the_same_for_all() {
        for operation in Operation::all().filter(|operation| operation.is_same_for_every_reader()) {
            assert!(!operation.is_never_stored());
            for word in [
                "repo_info",
                "list_repos",
                "alerts",
                "hooks",
                "releases",
                "secrets",
                "variables",
                "runner",
                "environments",
                "access",
                "settings",
                "user",
                "viewer",
                "notifications",
                "search",
                "issues",
                "pulls",
                "org",
                "app",
                "graphql",
                "key_value",
                "other",
                "branches",
                "events",
                "gists",
                "artifacts",
                "caches",
                "deployments",
                "meta",
            ] {
                assert!(!operation.name().contains(word), "{operation:?}");
            }
        }
    }

    #[test]
    fn only_whole_ids_name_what_never_changes() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let of = |kind: &str, id: &str| Operation::of(true, &format!("/repos/o/r/git/{kind}/{id}"));
        assert_eq!(of("trees", id), Operation::GitObject);
        assert_eq!(of("blobs", &"a".repeat(64)), Operation::GitObject);
        for name in [
            "main",
            &id[..39],
            &id[..7],
            &id.replace('0', "g"),
            &format!("{id}/x"),
        ] {
            assert_eq!(of("trees", name), Operation::Commits, "{name}");
        }
        let commit = format!("/repos/o/r/commits/{id}");
        assert_eq!(Operation::of(true, &commit), Operation::Commits);
    }

    #[test]
    fn what_waits_for_a_runner_is_told_by_its_status() {
        for (query, operation) in [
            ("?status=queued", Operation::QueueDepth),
            ("?branch=x&status=%71ueued", Operation::QueueDepth),
            ("?status=completed", Operation::GetWorkflowRuns),
            ("?xstatus=queued", Operation::GetWorkflowRuns),
            ("", Operation::GetWorkflowRuns),
        ] {
            let target = format!("/repos/o/r/actions/runs{query}");
            assert_eq!(Operation::of(true, &target), operation, "{query}");
        }
    }

    #[test]
    fn numbers_and_names_of_a_repository_are_the_same_route() {
        let of = |target| Operation::of(true, target);
        assert_eq!(of("/repositories/1/issues?page=2"), Operation::Issues);
        assert_eq!(of("/repositories/1"), Operation::GetRepoInfo);
        assert_eq!(of("/organizations/1/repos?page=2"), Operation::ListRepos);
        assert_eq!(of("/user/1/repos?page=2"), Operation::ListRepos);
        assert_eq!(
            of("/repos/o/r/branches/a/b/protection"),
            Operation::Settings
        );
        assert_eq!(Operation::of(false, "/repos/o/r"), Operation::Write);
        assert_eq!(Operation::of(false, "/graphql"), Operation::GraphqlQuery);
        assert_eq!(of("/feeds"), Operation::Token);
        assert_eq!(of("/repos/../feeds"), Operation::Other);
    }
}
