//! The table of routes, from GitHub's `OpenAPI` description (2026-03-10): the segments of a path to
//! the class of its answers.

#![expect(
    clippy::match_same_arms,
    clippy::unnested_or_patterns,
    reason = "rows of a table stay beside their kin"
)]

use super::{Operation, Refused};

use Operation as O;

/// The class of a read, or why its answers cannot be kept.
pub(super) fn read(segments: &[&str], target: &str) -> Result<Operation, Refused> {
    match segments {
        ["repos", _, _] | ["repositories", _] => Ok(O::GetRepoInfo),
        ["repos", _, _, rest @ ..] | ["repositories", _, rest @ ..] => repository(rest, target),
        ["networks", _, _, "events"] | ["events"] => Ok(O::Events),
        ["orgs" | "organizations" | "enterprises", _, rest @ ..] => owner(rest),
        ["users", _, rest @ ..] => Ok(user(rest)),
        ["user", rest @ ..] => viewer(rest),
        ["feeds"] | ["installation", "token"] | ["authorizations", ..] => Err(Refused::Token),
        ["applications", ..] => Err(Refused::Token),
        ["copilot_internal", ..] => Err(Refused::Token),
        ["repositories"] | ["installation", "repositories"] => Ok(O::ListRepos),
        ["app" | "apps" | "installation" | "marketplace_listing", ..] => Ok(O::App),
        ["rate_limit"] => Ok(O::RateLimit),
        ["search" | "legacy", ..] => Ok(O::Search),
        ["notifications", ..] => Ok(O::Notifications),
        ["gists", ..] => Ok(O::Gists),
        ["issues"] => Ok(O::Viewer),
        ["teams", ..] => Ok(O::Access),
        ["organizations"] => Ok(O::Org),
        ["users"] => Ok(O::User),
        []
        | [
            "meta" | "emojis" | "versions" | "octocat" | "zen" | "licenses" | "gitignore"
            | "codes_of_conduct" | "advisories",
            ..,
        ] => Ok(O::Meta),
        _ => Ok(O::Other),
    }
}

/// Below `/repos/{owner}/{repo}`.
fn repository(rest: &[&str], target: &str) -> Result<Operation, Refused> {
    Ok(match rest {
        ["actions", rest @ ..] => return actions(rest, target),
        ["zipball" | "tarball", ..] | ["dependency-graph", "sbom", "fetch-report", ..] => {
            return Err(Refused::Stream);
        }
        [
            "issues" | "milestones" | "assignees" | "import" | "comments",
            ..,
        ] => O::Issues,
        ["labels", ..] => O::Labels,
        ["pulls", ..] => O::Pulls,
        ["contents" | "readme" | "license", ..] => O::Contents,
        ["compare", ..] => O::Compare,
        ["commits", rest @ ..] => commits(rest),
        ["statuses", ..] => O::Statuses,
        ["check-runs" | "check-suites", ..] => O::Checks,
        ["git", rest @ ..] => git(rest),
        // Branches have slashes in their names, so the word may stand anywhere.
        ["branches", _, rest @ ..] if rest.contains(&"protection") => O::Settings,
        ["tags", "protection", ..] => O::Settings,
        ["branches", ..] => O::Branches,
        ["tags"] => O::Tags,
        ["releases", "latest"] | ["releases", "tags", ..] => O::PublishedRelease,
        ["releases", ..] => O::Releases,
        ["deployments", ..] => O::Deployments,
        ["environments", _, "secrets", ..] => O::Secrets,
        ["environments", _, "variables", ..] => O::Variables,
        ["environments", ..] => O::Environments,
        ["dependabot" | "codespaces" | "agents", "secrets", ..] => O::Secrets,
        ["agents", "variables", ..] => O::Variables,
        ["hooks", ..] => O::Hooks,
        [
            "code-scanning"
            | "secret-scanning"
            | "dependabot"
            | "security-advisories"
            | "vulnerability-alerts",
            ..,
        ] => O::Alerts,
        ["collaborators" | "invitations" | "teams", ..] => O::Access,
        ["subscription"] | ["codespaces", ..] => O::Viewer,
        ["installation"] => O::App,
        ["notifications"] => O::Notifications,
        ["events"] => O::Events,
        ["forks"] => O::ListRepos,
        ["languages" | "topics" | "contributors" | "stargazers" | "subscribers"]
        | ["stats", _]
        | ["community", "profile"] => O::RepoFacts,
        [
            "keys" | "pages" | "rules" | "rulesets" | "traffic" | "autolinks" | "properties",
            ..,
        ]
        | ["interaction-limits" | "automated-security-fixes" | "private-vulnerability-reporting"]
        | ["immutable-releases" | "code-quality", ..] => O::Settings,
        _ => O::Other,
    })
}

/// Below `…/actions`.
fn actions(rest: &[&str], target: &str) -> Result<Operation, Refused> {
    Ok(match rest {
        [.., "logs"] | ["artifacts", _, _] => return Err(Refused::Stream),
        ["workflows", _, "runs"] | ["runs"] => runs(target),
        ["workflows", ..] => O::ListWorkflows,
        ["jobs", _] | ["runs", _, "jobs"] | ["runs", _, "attempts", _, "jobs"] => O::Jobs,
        ["runs", _, "artifacts"] | ["artifacts", ..] => O::Artifacts,
        ["runs", _, "pending_deployments" | "approvals"] => O::Deployments,
        ["runs", ..] => O::GetWorkflowRun,
        ["runners", ..] | ["runner-groups", ..] | ["hosted-runners", ..] => return runners(rest),
        ["caches", ..] | ["cache", ..] => O::ActionsCaches,
        ["secrets" | "organization-secrets", ..] => O::Secrets,
        ["variables" | "organization-variables", ..] => O::Variables,
        ["permissions" | "oidc" | "concurrency_groups", ..] => O::Settings,
        _ => O::Other,
    })
}

/// A list of runs; those that wait are what scalers poll.
fn runs(target: &str) -> Operation {
    match crate::api::path::parameter(target, "status") {
        Some("queued" | "requested" | "waiting" | "pending") => O::QueueDepth,
        _ => O::GetWorkflowRuns,
    }
}

fn runners(rest: &[&str]) -> Result<Operation, Refused> {
    match rest {
        // A `temp_download_token` is in each of these.
        ["runners", "downloads"] => Err(Refused::Token),
        ["runners", "registration-token" | "remove-token"] => Err(Refused::Token),
        ["runners", id] | ["hosted-runners", id]
            if id.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Ok(O::GetRunnerStatus)
        }
        _ => Ok(O::ListRunners),
    }
}

fn commits(rest: &[&str]) -> Operation {
    match rest {
        [_, "status" | "statuses"] => O::Statuses,
        [_, "check-runs" | "check-suites"] => O::Checks,
        [_, "pulls"] => O::Pulls,
        [_, "comments"] => O::Issues,
        [.., "status" | "statuses"] => O::Statuses,
        [.., "check-runs" | "check-suites"] => O::Checks,
        _ => O::Commits,
    }
}

fn git(rest: &[&str]) -> Operation {
    match rest {
        ["trees" | "blobs", id] if is_object_id(id) => O::GitObject,
        ["commits" | "tags", id] if is_object_id(id) => O::GitCommit,
        ["trees" | "blobs" | "commits" | "tags", ..] => O::Commits,
        ["ref" | "refs" | "matching-refs", ..] => O::Refs,
        _ => O::Other,
    }
}

/// A whole object id (SHA-1 or SHA-256). A shorter one, or a name, may mean another object tomorrow;
/// GitHub refuses branches whose name looks like an id.
fn is_object_id(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Below `/orgs/{org}` or `/enterprises/{enterprise}`.
fn owner(rest: &[&str]) -> Result<Operation, Refused> {
    Ok(match rest {
        ["repos"] => O::ListRepos,
        ["actions", rest @ ..] => return actions(rest, ""),
        ["migrations", _, "archive"] => return Err(Refused::Stream),
        ["dependabot" | "codespaces" | "agents", "secrets", ..] => O::Secrets,
        ["agents", "variables", ..] => O::Variables,
        [
            "code-scanning"
            | "secret-scanning"
            | "dependabot"
            | "security-advisories"
            | "campaigns",
            ..,
        ] => O::Alerts,
        ["hooks", ..] => O::Hooks,
        ["issues"] => O::Viewer,
        ["events"] => O::Events,
        [
            "members"
            | "memberships"
            | "public_members"
            | "teams"
            | "team"
            | "outside_collaborators"
            | "invitations"
            | "failed_invitations"
            | "blocks"
            | "organization-roles"
            | "security-managers",
            ..,
        ] => O::Access,
        ["installations" | "installation", ..] => O::App,
        [] => O::Org,
        _ => O::Settings,
    })
}

/// Below `/users/{user}`.
fn user(rest: &[&str]) -> Operation {
    match rest {
        ["repos" | "starred" | "subscriptions"] => O::ListRepos,
        ["events" | "received_events", ..] => O::Events,
        ["gists"] => O::Gists,
        ["installation"] => O::App,
        _ => O::User,
    }
}

/// Below `/user`, the caller.
fn viewer(rest: &[&str]) -> Result<Operation, Refused> {
    Ok(match rest {
        [_, "repos"] | ["repos"] | ["installations", _, "repositories"] => O::ListRepos,
        ["migrations", _, "archive"] => return Err(Refused::Stream),
        ["codespaces", "secrets", ..] => O::Secrets,
        _ => O::Viewer,
    })
}
