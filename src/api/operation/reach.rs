//! How far the answers of an operation may travel: which of them other machines may be given at all.

use super::Operation;

/// Whom answers of an operation may be given to beyond this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nobody: they are secrets, about secrets, or about the caller.
    Nobody,
    /// Anybody, once GitHub has shown these very bytes to anybody.
    WhenPublic,
    /// Everybody who can read the repository that they are about, too.
    Repository,
}

impl Operation {
    /// Whom its answers may be given to. An allow-list: what is not known to be shown to every reader of a repository
    /// stays here unless it is public, and what says anything about secrets, access or machines stays here always.
    ///
    /// Who is *shown* an answer is another question, which GitHub answers for each credential.
    pub const fn reach(self) -> Reach {
        match self {
            Self::GetRepoInfo
            | Self::RepoFacts
            | Self::ListWorkflows
            | Self::GetWorkflowRuns
            | Self::GetWorkflowRun
            | Self::QueueDepth
            | Self::Jobs
            | Self::Artifacts
            | Self::Checks
            | Self::Statuses
            | Self::Refs
            | Self::Branches
            | Self::Tags
            | Self::GitObject
            | Self::GitCommit
            | Self::Commits
            | Self::Compare
            | Self::Contents
            | Self::Issues
            | Self::Labels
            | Self::Pulls
            | Self::Deployments => Reach::Repository,
            // Drafts are among the releases, other repositories among forks and search results, and what events,
            // users and organisations show depends on who looks.
            Self::ListRepos
            | Self::Releases
            | Self::Events
            | Self::Gists
            | Self::Search
            | Self::Org
            | Self::User
            | Self::Meta => Reach::WhenPublic,
            Self::ActionsCaches
            | Self::ListRunners
            | Self::GetRunnerStatus
            | Self::Environments
            | Self::Secrets
            | Self::Variables
            | Self::Hooks
            | Self::Alerts
            | Self::Access
            | Self::Settings
            | Self::Viewer
            | Self::Notifications
            | Self::App
            | Self::RateLimit
            | Self::Token
            | Self::GraphqlQuery
            | Self::Write
            | Self::CopilotCompletion
            | Self::CodeqlResults
            | Self::KeyValue
            | Self::Other => Reach::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_not_every_reader_of_a_repository_may_read_does_not_travel_for_it() {
        for operation in Operation::all() {
            let words = [
                "list_repos",
                "releases",
                "secrets",
                "variables",
                "alerts",
                "hooks",
                "runner",
                "environments",
                "access",
                "settings",
                "user",
                "viewer",
                "notifications",
                "search",
                "org",
                "app",
                "graphql",
                "key_value",
                "copilot",
                "codeql",
                "other",
                "events",
                "gists",
                "caches",
                "meta",
                "token",
                "write",
                "rate_limit",
            ];
            let is_word = words.iter().any(|word| operation.name().contains(word));
            let travels = operation.reach() == Reach::Repository;
            assert_eq!(travels, !is_word, "{operation:?}");
        }
    }

    #[test]
    fn what_is_about_secrets_or_the_caller_never_travels() {
        for (target, class) in [
            ("/repos/o/r/actions/secrets", Operation::Secrets),
            ("/repos/o/r/actions/variables", Operation::Variables),
            ("/repos/o/r/dependabot/alerts", Operation::Alerts),
            ("/repos/o/r/secret-scanning/alerts", Operation::Alerts),
            ("/repos/o/r/hooks", Operation::Hooks),
            ("/repos/o/r/keys", Operation::Settings),
            ("/repos/o/r/branches/main/protection", Operation::Settings),
            ("/repos/o/r/collaborators", Operation::Access),
            ("/repos/o/r/actions/runners", Operation::ListRunners),
            ("/repos/o/r/actions/runners/1", Operation::GetRunnerStatus),
            ("/repos/o/r/environments", Operation::Environments),
            ("/repos/o/r/actions/caches", Operation::ActionsCaches),
            ("/repos/o/r/installation", Operation::App),
            ("/user", Operation::Viewer),
            ("/user/keys", Operation::Viewer),
            ("/notifications", Operation::Notifications),
            ("/app", Operation::App),
            ("/orgs/o/teams", Operation::Access),
            ("/orgs/o/actions/secrets", Operation::Secrets),
            ("/rate_limit", Operation::RateLimit),
            ("/graphql", Operation::GraphqlQuery),
            ("/something/new", Operation::Other),
        ] {
            let found = Operation::of(true, target);
            assert_eq!(found, class, "{target}");
            assert_eq!(found.reach(), Reach::Nobody, "{target}");
        }
    }

    #[test]
    fn what_is_the_same_for_every_reader_may_be_given_to_every_reader() {
        for operation in Operation::all().filter(|operation| operation.is_same_for_every_reader()) {
            assert_eq!(operation.reach(), Reach::Repository, "{operation:?}");
        }
        assert!(
            Operation::all()
                .filter(|operation| operation.is_never_stored())
                .all(|operation| operation.reach() == Reach::Nobody)
        );
    }
}
