//! The classes, and the name and lifetime of each.

/// A class of operations. Its name is a row of the statistics and a key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Lists of repositories.
    ListRepos,
    /// One repository; per viewer, because of its `permissions`.
    GetRepoInfo,
    /// Languages, topics, contributors and the like of a repository.
    RepoFacts,
    /// Workflows.
    ListWorkflows,
    /// Lists of workflow runs.
    GetWorkflowRuns,
    /// One run.
    GetWorkflowRun,
    /// Runs that wait for a runner.
    QueueDepth,
    /// Jobs of a run.
    Jobs,
    /// Artifacts, described.
    Artifacts,
    /// Entries of the Actions cache.
    ActionsCaches,
    /// Lists of self-hosted runners, their groups and labels.
    ListRunners,
    /// One runner.
    GetRunnerStatus,
    /// Check runs and suites.
    Checks,
    /// Commit statuses.
    Statuses,
    /// Git references.
    Refs,
    /// Branches.
    Branches,
    /// Tags of a repository.
    Tags,
    /// Git trees and blobs by their id: immutable.
    GitObject,
    /// Git commits and tags by their id: immutable but for `verification`.
    GitCommit,
    /// Commits as GitHub shows them.
    Commits,
    /// Comparisons.
    Compare,
    /// Files, directories, the readme and the licence.
    Contents,
    /// Issues, their comments, events and milestones.
    Issues,
    /// Labels.
    Labels,
    /// Pull requests.
    Pulls,
    /// Releases and their assets, drafts among them.
    Releases,
    /// The latest release, and one by its tag: GitHub finds published ones only, whoever asks.
    PublishedRelease,
    /// Deployments.
    Deployments,
    /// Environments.
    Environments,
    /// Names of secrets.
    Secrets,
    /// Variables with their values.
    Variables,
    /// Webhooks.
    Hooks,
    /// Alerts and analyses of code, dependencies and secrets.
    Alerts,
    /// Who may do what: collaborators, teams, members, invitations.
    Access,
    /// Settings that only some may read: protection, permissions, rules, keys, pages, traffic.
    Settings,
    /// Organisations and enterprises.
    Org,
    /// Users.
    User,
    /// What belongs to the caller: `/user`, `/issues`, subscriptions.
    Viewer,
    /// Notifications.
    Notifications,
    /// Events.
    Events,
    /// Gists.
    Gists,
    /// Searches.
    Search,
    /// GitHub Apps and their installations.
    App,
    /// Facts about GitHub itself: `/meta`, `/emojis`, licences, gitignore templates.
    Meta,
    /// The caller's rate limits.
    RateLimit,
    /// Reads that hand out a token.
    Token,
    /// GraphQL queries.
    GraphqlQuery,
    /// Unsafe requests.
    Write,
    /// Completions kept by the key-value interface.
    CopilotCompletion,
    /// `CodeQL` results kept by the key-value interface.
    CodeqlResults,
    /// Anything else kept by the key-value interface.
    KeyValue,
    /// Every other read.
    Other,
}

/// One row: the class, its name, and its lifetime in seconds if GitHub's word does not decide.
pub(super) type Row = (Operation, &'static str, Option<u64>);

const YEAR: u64 = 365 * 24 * 60 * 60;
const DAY: u64 = 24 * 60 * 60;

/// Every class, in the order of the enum.
pub(super) const ROWS: [Row; 52] = {
    use Operation as O;
    [
        (O::ListRepos, "list_repos", Some(600)),
        (O::GetRepoInfo, "get_repo_info", Some(300)),
        (O::RepoFacts, "repo_facts", None),
        (O::ListWorkflows, "list_workflows", Some(300)),
        (O::GetWorkflowRuns, "get_workflow_runs", Some(120)),
        (O::GetWorkflowRun, "get_workflow_run", Some(60)),
        (O::QueueDepth, "queue_depth", Some(60)),
        (O::Jobs, "jobs", None),
        (O::Artifacts, "artifacts", None),
        (O::ActionsCaches, "actions_caches", None),
        (O::ListRunners, "list_runners", Some(300)),
        (O::GetRunnerStatus, "get_runner_status", Some(60)),
        (O::Checks, "checks", None),
        (O::Statuses, "statuses", None),
        (O::Refs, "refs", None),
        (O::Branches, "branches", None),
        (O::Tags, "tags", None),
        (O::GitObject, "git_object", Some(YEAR)),
        (O::GitCommit, "git_commit", Some(YEAR)),
        (O::Commits, "commits", None),
        (O::Compare, "compare", None),
        (O::Contents, "contents", None),
        (O::Issues, "issues", None),
        (O::Labels, "labels", None),
        (O::Pulls, "pulls", None),
        (O::Releases, "releases", None),
        (O::PublishedRelease, "published_release", None),
        (O::Deployments, "deployments", None),
        (O::Environments, "environments", None),
        (O::Secrets, "secrets", None),
        (O::Variables, "variables", None),
        (O::Hooks, "hooks", None),
        (O::Alerts, "alerts", None),
        (O::Access, "access", None),
        (O::Settings, "settings", None),
        (O::Org, "org", None),
        (O::User, "user", None),
        (O::Viewer, "viewer", None),
        (O::Notifications, "notifications", None),
        (O::Events, "events", None),
        (O::Gists, "gists", None),
        (O::Search, "search", None),
        (O::App, "app", None),
        (O::Meta, "meta", None),
        (O::RateLimit, "rate_limit", None),
        (O::Token, "token", None),
        (O::GraphqlQuery, "graphql_query", Some(60)),
        (O::Write, "write", None),
        (O::CopilotCompletion, "copilot_completion", Some(3600)),
        (O::CodeqlResults, "codeql_results", Some(DAY)),
        (O::KeyValue, "key_value", Some(300)),
        (O::Other, "other", None),
    ]
};
