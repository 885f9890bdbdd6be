//! How far the answers of an operation may travel: which of them other machines may be given at all.

use super::Operation;
use crate::api::key::canonical_target;
use crate::api::path::Path;

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
            | Self::PublishedRelease
            | Self::Deployments => Reach::Repository,
            // Drafts are among releases and are found by their number, other repositories among forks and search
            // results, and what events, users and organisations show depends on who looks.
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

impl Reach {
    /// Whom this very answer may be given to: what its target or its body says beyond what all readers are shown stays here.
    pub fn of(operation: Operation, target: &str, body: &[u8]) -> Self {
        let reach = operation.reach();
        if reach == Self::Repository && is_for_some(operation, target, body) {
            return Self::WhenPublic;
        }
        reach
    }
}

/// Whether some readers of a repository are shown more of this than others.
fn is_for_some(operation: Operation, target: &str, body: &[u8]) -> bool {
    // What its administrators are shown of how it is secured.
    const SECURITY: &[u8] = br#""security_and_analysis""#;
    match operation {
        Operation::GetRepoInfo => body.windows(SECURITY.len()).any(|word| word == SECURITY),
        Operation::Pulls | Operation::Issues => {
            let target = canonical_target(target);
            Path::of(&target).is_some_and(|path| {
                path.segments().iter().any(|segment| {
                    matches!(
                        *segment,
                        // A review that is not submitted yet is shown to its author alone.
                        "reviews"
                            // These tell of other repositories what the reader may know of them.
                            | "timeline"
                            | "events"
                            | "sub_issues"
                            | "parent"
                            | "dependencies"
                            // From where something is imported, which may be a URL with a password.
                            | "import"
                    )
                })
            })
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_readers_alone_are_shown_does_not_travel_for_all() {
        for (target, body, reach) in [
            ("/repos/o/r/pulls/1", "{}", Reach::Repository),
            ("/repos/o/r/pulls/1/comments", "[]", Reach::Repository),
            ("/repos/o/r/pulls/1/reviews", "[]", Reach::WhenPublic),
            (
                "/repos/o/r/pulls/1/reviews/2/comments",
                "[]",
                Reach::WhenPublic,
            ),
            (
                "/repositories/7/pulls/1/reviews?page=2",
                "[]",
                Reach::WhenPublic,
            ),
            ("/repos/o/r/pulls/1/%72eviews", "[]", Reach::WhenPublic),
            ("/repos/o/r/issues", "[]", Reach::Repository),
            ("/repos/o/r/issues/1/timeline", "[]", Reach::WhenPublic),
            ("/repos/o/r/issues/1/sub_issues", "[]", Reach::WhenPublic),
            ("/repos/o/r/import", "{}", Reach::WhenPublic),
            ("/repos/o/r", r#"{"id":1}"#, Reach::Repository),
            (
                "/repos/o/r",
                r#"{"id":1,"security_and_analysis":{}}"#,
                Reach::WhenPublic,
            ),
            ("/repos/o/r/hooks", "[]", Reach::Nobody),
        ] {
            let operation = Operation::of(true, target);
            let found = Reach::of(operation, target, body.as_bytes());
            assert_eq!(found, reach, "{target}");
        }
    }

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
    fn of_releases_only_what_is_never_a_draft_travels_to_readers() {
        for (rest, reach) in [
            ("releases/tags/v1", Reach::Repository),
            ("releases/latest", Reach::Repository),
            ("releases", Reach::WhenPublic),
            ("releases/1", Reach::WhenPublic),
            ("releases/1/assets", Reach::WhenPublic),
            ("releases/assets/1", Reach::WhenPublic),
        ] {
            let found = Operation::of(true, &format!("/repos/o/r/{rest}"));
            assert_eq!(found.reach(), reach, "{rest}");
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
