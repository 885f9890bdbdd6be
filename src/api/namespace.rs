//! Namespaces: which repository or owner an answer is about, and what a write may have changed.

use http::Method;

use crate::api::key::canonical_target;
use crate::api::path::{Path, lower_name};

/// Whose writes make an answer stale. Names are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// The whole host: nothing more precise is known, or the answer gathers from everywhere.
    Host,
    /// An organisation or a user, with everything that is theirs.
    Owner(Box<str>),
    /// The same by number, as GitHub's own `Link` headers say (`/organizations/{id}`, `/user/{id}`).
    OwnerId(u64),
    /// A repository: `owner/name`.
    Repo(Box<str>),
    /// A repository by number, as GitHub's own `Link` headers say (`/repositories/{id}`).
    RepoId(u64),
}

impl Namespace {
    /// The namespace of a read of `target` (path and query).
    pub fn of(target: &str) -> Self {
        Path::of(&canonical_target(target)).map_or(Self::Host, |path| Self::of_path(&path))
    }

    /// As [`Namespace::of`], for a path that is already cut.
    pub fn of_path(path: &Path<'_>) -> Self {
        match *path.segments() {
            ["repos" | "networks", owner, name, ..] => Self::repo(owner, name),
            ["repositories", id, ..] => number(id).map_or(Self::Host, Self::RepoId),
            ["orgs" | "users", owner, ..] => {
                lower_name(owner).map_or(Self::Host, |owner| Self::Owner(owner.into()))
            }
            ["user", id, _, ..] => number(id).map_or(Self::Host, Self::OwnerId),
            // In links it is a number; some routes take the name here.
            ["organizations", id, ..] => match (number(id), lower_name(id)) {
                (Some(id), _) => Self::OwnerId(id),
                (None, Some(owner)) => Self::Owner(owner.into()),
                (None, None) => Self::Host,
            },
            _ => Self::Host,
        }
    }

    /// What a person calls `OWNER/REPO` or `OWNER`; `None` for what can be neither.
    pub fn named(name: &str) -> Option<Self> {
        let plain = |part: &str| {
            let allowed =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            (1..=100).contains(&part.len()) && part.bytes().all(allowed) && !part.starts_with('.')
        };
        let lower = || name.to_ascii_lowercase().into_boxed_str();
        match name.split_once('/') {
            Some((owner, repo)) if plain(owner) && plain(repo.trim_start_matches('.')) => {
                Some(Self::Repo(lower()))
            }
            None if plain(name) => Some(Self::Owner(lower())),
            _ => None,
        }
    }

    fn repo(owner: &str, name: &str) -> Self {
        match (lower_name(owner), lower_name(name)) {
            (Some(owner), Some(name)) => Self::Repo([&owner, "/", &name].concat().into()),
            _ => Self::Host,
        }
    }
}

/// The repository's number in the path of a link: `/repositories/{id}/…`.
pub fn id_of_link(target: &str) -> Option<u64> {
    match Namespace::of(target) {
        Namespace::RepoId(id) => Some(id),
        _ => None,
    }
}

/// The owner's number in the path of a link: `/organizations/{id}/…` or `/user/{id}/…`.
pub fn owner_id_of_link(target: &str) -> Option<u64> {
    match Namespace::of(target) {
        Namespace::OwnerId(id) => Some(id),
        _ => None,
    }
}

/// A number as GitHub writes it: digits only, no sign, no leading zero.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

/// What an unsafe request may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that a read can show: it mints a token or renders text.
    None,
    /// Anything in this namespace.
    Writes(Namespace),
}

impl Effect {
    /// What `method` on `target` may change. When in doubt the whole host: stale only means that
    /// GitHub is asked again.
    pub fn of(method: &Method, target: &str) -> Self {
        let target = canonical_target(target);
        let Some(path) = Path::of(&target) else {
            return Self::Writes(Namespace::Host);
        };
        let segments = path.segments();
        if *method == Method::POST && changes_nothing(segments) {
            return Self::None;
        }
        Self::Writes(if reaches_further(method, segments) {
            Namespace::Host
        } else {
            Namespace::of_path(&path)
        })
    }
}

/// POSTs that only mint or check a token, or render text.
fn changes_nothing(segments: &[&str]) -> bool {
    match segments {
        ["markdown"]
        | ["markdown", "raw"]
        | ["app", "installations", _, "access_tokens"]
        | ["applications", _, "token"]
        | ["applications", _, "token", "scoped"]
        // Reads whose question is too long for a URL.
        | ["orgs" | "users", _, "attestations", "bulk-list"]
        | ["repos", _, _, "releases", "generate-notes"] => true,
        [
            ..,
            "actions",
            "runners",
            "registration-token" | "remove-token",
        ] => {
            matches!(segments.len(), 5 | 6)
                && matches!(segments[0], "repos" | "orgs" | "enterprises")
        }
        _ => false,
    }
}

/// Writes under a repository or an owner that change what is not theirs: other owners get a
/// repository, a name becomes free, an issue or a branch of another repository changes, a list of the
/// viewer changes.
fn reaches_further(method: &Method, segments: &[&str]) -> bool {
    match segments {
        ["repos", _, _, rest @ ..] | ["repositories", _, rest @ ..] => matches!(
            rest,
            [] | ["forks" | "transfer" | "generate" | "subscription"]
                | ["security-advisories", _, "forks"]
                | ["pulls", _, "update-branch"]
                | ["issues", _, "sub_issue" | "sub_issues" | "dependencies", ..]
        ),
        // A new repository is in the viewer's own lists too, and an organisation in those of its
        // members; a deleted owner takes all with it.
        [
            "orgs",
            _,
            "repos" | "members" | "memberships" | "public_members",
            ..,
        ] => true,
        ["orgs", _] => *method == Method::DELETE,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repo(name: &str) -> Namespace {
        Namespace::Repo(name.into())
    }

    fn owner(name: &str) -> Namespace {
        Namespace::Owner(name.into())
    }

    #[test]
    fn reads_belong_to_what_they_name() {
        for (target, namespace) in [
            (
                "/repos/Octo/Hello.World/issues?a=/repos/x/y",
                repo("octo/hello.world"),
            ),
            ("/repos/%4fcto/r", repo("octo/r")),
            ("/networks/o/r/events", repo("o/r")),
            ("/repositories/12/issues", Namespace::RepoId(12)),
            ("/orgs/Octo/repos", owner("octo")),
            ("/users/o", owner("o")),
            ("/organizations/12/repos?page=2", Namespace::OwnerId(12)),
            ("/user/12/repos", Namespace::OwnerId(12)),
            ("/organizations/Octo/settings/billing/usage", owner("octo")),
        ] {
            assert_eq!(Namespace::of(target), namespace, "{target}");
        }
        for target in [
            "",
            "/",
            "/repos/o",
            "/repos/o%2Fr/x",
            "/repos/o/r%20x",
            "/repos//o/r",
            "/repos/o/../r/x",
            "/user/repos",
            "/user/starred/o/r",
            "/search/issues?q=repo:o/r",
            "/repositories/012",
            "/repositories/+1",
            "/repositories/x/y",
            "/repositories/99999999999999999999",
            "/Repos/o/r",
            "/organizations?since=1",
        ] {
            assert_eq!(Namespace::of(target), Namespace::Host, "{target}");
        }
    }

    #[test]
    fn a_write_that_cannot_be_resolved_may_have_changed_anything() {
        let effect = |method: &str, target: &str| {
            Effect::of(&Method::from_bytes(method.as_bytes()).unwrap(), target)
        };
        for (method, target) in [
            ("PATCH", "/repos/o/r"),
            ("DELETE", "/repositories/1"),
            ("POST", "/repos/o/r/forks"),
            ("POST", "/repos/o/r/transfer"),
            ("POST", "/repos/o/r/generate"),
            ("POST", "/repositories/1/forks"),
            ("PUT", "/repos/o/r/pulls/1/update-branch"),
            ("POST", "/repos/o/r/issues/1/sub_issues"),
            ("POST", "/orgs/o/repos"),
            ("DELETE", "/orgs/o"),
            ("PUT", "/orgs/o/memberships/u"),
            ("PUT", "/repos/o/r/subscription"),
            ("PUT", "/user/starred/o/r"),
            ("POST", "/user/repos"),
            ("POST", "/gists"),
            ("POST", "/graphql"),
            ("POST", "/repos/o/../r/issues"),
            ("POST", "/repos/o%2fr/issues/1"),
            ("POST", "garbage"),
            ("PURGE", "/x"),
        ] {
            let host = Effect::Writes(Namespace::Host);
            assert_eq!(effect(method, target), host, "{method} {target}");
        }
        for (method, target, namespace) in [
            ("POST", "/repos/O/R/issues", repo("o/r")),
            ("POST", "/repos/O/%52/dispatches", repo("o/r")),
            ("POST", "/repos/o/r/releases/1/assets?name=x", repo("o/r")),
            (
                "DELETE",
                "/repositories/7/git/refs/heads/x",
                Namespace::RepoId(7),
            ),
            (
                "POST",
                "/repos/o/r/actions/runners/generate-jitconfig",
                repo("o/r"),
            ),
            ("PATCH", "/orgs/O", owner("o")),
            ("PUT", "/orgs/o/teams/t/memberships/u", owner("o")),
            (
                "DELETE",
                "/repos/o/r/actions/runners/registration-token",
                repo("o/r"),
            ),
        ] {
            let written = Effect::Writes(namespace);
            assert_eq!(effect(method, target), written, "{method} {target}");
        }
    }

    #[test]
    fn posts_that_mint_or_render_change_nothing() {
        for target in [
            "/app/installations/1/access_tokens",
            "/repos/o/r/actions/runners/registration-token",
            "/orgs/o/actions/runners/remove-token",
            "/enterprises/e/actions/runners/registration-token",
            "/markdown",
            "/markdown/raw",
            "/repos/o/r/releases/generate-notes",
            "/applications/x/token",
            "/orgs/o/attestations/bulk-list?per_page=1",
        ] {
            assert_eq!(Effect::of(&Method::POST, target), Effect::None, "{target}");
            assert_ne!(
                Effect::of(&Method::DELETE, target),
                Effect::None,
                "{target}"
            );
        }
        for target in [
            "/repos/o/r/contents/actions/runners/registration-token",
            "/repos/o/r/issues/1/comments",
        ] {
            assert_ne!(Effect::of(&Method::POST, target), Effect::None, "{target}");
        }
    }

    #[test]
    fn links_tell_numbers() {
        assert_eq!(id_of_link("/repositories/12/issues?page=2"), Some(12));
        assert_eq!(id_of_link("/repos/o/r/issues?page=2"), None);
        assert_eq!(owner_id_of_link("/organizations/12/repos?page=2"), Some(12));
        assert_eq!(owner_id_of_link("/user/12/repos?page=2"), Some(12));
    }
}
