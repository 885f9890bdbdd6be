//! `{owner}`, `{repo}` and `{branch}`: from `GH_REPO`, `GITHUB_REPOSITORY`, or the repository that the
//! working directory is in.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::super::context::Context;
use crate::config::{Environment, env};

/// The repository that placeholders mean, looked up when the first one is met.
pub(super) struct Repository<'a> {
    environment: Option<&'a Environment>,
    working_dir: PathBuf,
    name: OnceCell<Option<(String, String)>>,
}

impl<'a> Repository<'a> {
    pub(super) fn new(context: &Context<'a>) -> Self {
        Self {
            environment: Some(context.environment()),
            working_dir: context.working_dir().to_owned(),
            name: OnceCell::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn known(owner: &str, repo: &str) -> Self {
        let name = OnceCell::from(Some((owner.to_owned(), repo.to_owned())));
        Self {
            environment: None,
            working_dir: PathBuf::new(),
            name,
        }
    }

    /// `text` with its placeholders filled in: `{owner}`, or `:owner` as `gh` had it first.
    pub(super) fn fill(&self, text: &str) -> anyhow::Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['{', ':']) {
            let (before, here) = rest.split_at(at);
            filled.push_str(before);
            if let Some((what, after)) = placeholder(here) {
                filled.push_str(&self.value(what)?);
                rest = after;
            } else {
                filled.push_str(&here[..1]);
                rest = &here[1..];
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, what: Placeholder) -> anyhow::Result<Cow<'_, str>> {
        if what == Placeholder::Branch {
            return Ok(self.branch()?.into());
        }
        let (owner, repo) = self.name.get_or_init(|| self.find()).as_ref().context(
            "{owner} and {repo} mean no repository here: set GH_REPO=OWNER/REPO, or run this in a \
             clone",
        )?;
        let value = if what == Placeholder::Owner {
            owner
        } else {
            repo
        };
        Ok(value.into())
    }

    fn find(&self) -> Option<(String, String)> {
        let given = |variable| {
            self.environment
                .and_then(|of| of.get(variable))
                .and_then(name_of)
        };
        given(env::GH_REPO)
            .or_else(|| given(env::GITHUB_REPOSITORY))
            .or_else(|| {
                let config = common_dir(git_dir(&self.working_dir)?).join("config");
                name_of(&remote(&std::fs::read_to_string(config).ok()?)?)
            })
    }

    fn branch(&self) -> anyhow::Result<String> {
        let head = git_dir(&self.working_dir).map(|dir| std::fs::read_to_string(dir.join("HEAD")));
        let head = head.and_then(Result::ok);
        match head
            .as_deref()
            .and_then(|head| head.trim().strip_prefix("ref: refs/heads/"))
        {
            Some(branch) => Ok(branch.to_owned()),
            None => bail!("{{branch}} means no branch here"),
        }
    }
}

/// What [`Repository::fill`] replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Owner,
    Repo,
    Branch,
}

/// The placeholder that `text` begins with, and what follows it. A word that goes on is another one:
/// `:ownership`.
fn placeholder(text: &str) -> Option<(Placeholder, &str)> {
    [
        ("owner", Placeholder::Owner),
        ("repo", Placeholder::Repo),
        ("branch", Placeholder::Branch),
    ]
    .into_iter()
    .find_map(|(name, what)| {
        if let Some(inside) = text.strip_prefix('{') {
            return Some((what, inside.strip_prefix(name)?.strip_prefix('}')?));
        }
        let after = text.strip_prefix(':')?.strip_prefix(name)?;
        let goes_on = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        (!after.starts_with(goes_on)).then_some((what, after))
    })
}

/// The `.git` directory that `working_dir` belongs to. Worktrees and submodules have a file instead,
/// which says where theirs is.
fn git_dir(working_dir: &Path) -> Option<PathBuf> {
    let git = working_dir
        .ancestors()
        .map(|dir| dir.join(".git"))
        .find(|path| path.exists())?;
    if git.is_dir() {
        return Some(git);
    }
    let text = std::fs::read_to_string(&git).ok()?;
    Some(
        git.parent()?
            .join(text.trim().strip_prefix("gitdir:")?.trim()),
    )
}

/// Where the configuration of `git_dir` is: worktrees share that of the clone.
fn common_dir(git_dir: PathBuf) -> PathBuf {
    match std::fs::read_to_string(git_dir.join("commondir")) {
        Ok(path) => git_dir.join(path.trim()),
        Err(_) => git_dir,
    }
}

/// The URL of the remote that `gh` would choose: `upstream`, then `github`, then `origin`, then the
/// first of the others.
fn remote(config: &str) -> Option<String> {
    let mut section = None;
    let mut remotes = Vec::new();
    for line in config.lines().map(str::trim) {
        if line.starts_with('[') {
            let name = line.strip_prefix("[remote \"");
            section = name.and_then(|name| name.strip_suffix("\"]"));
        } else if let Some(name) = section
            && let Some((key, url)) = line.split_once('=')
            && key.trim_end() == "url"
        {
            remotes.push((name, url.trim()));
        }
    }
    let preferred = ["upstream", "github", "origin"];
    let rank = |name: &str| preferred.iter().position(|first| *first == name);
    remotes
        .into_iter()
        .min_by_key(|(name, _)| rank(name).unwrap_or(preferred.len()))
        .map(|(_, url)| url.to_owned())
}

/// The last two steps of `OWNER/REPO`, `HOST/OWNER/REPO`, or of a clone's URL.
fn name_of(text: &str) -> Option<(String, String)> {
    let text = text.trim_end_matches('/');
    let (rest, repo) = text.strip_suffix(".git").unwrap_or(text).rsplit_once('/')?;
    let owner = rest.rsplit(['/', ':']).next()?;
    (!owner.is_empty() && !repo.is_empty()).then(|| (owner.to_owned(), repo.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_known_by_its_remote() {
        for url in [
            "https://github.com/octocat/hello.git",
            "git@github.com:octocat/hello.git",
            "ssh://git@github.com:22/octocat/hello",
            "octocat/hello",
            "ghe.example/octocat/hello",
        ] {
            assert_eq!(
                name_of(url),
                Some(("octocat".into(), "hello".into())),
                "{url}"
            );
        }
        assert_eq!(name_of("hello"), None);
        let config = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = u1\n\tfetch = x\n\
                      [remote \"upstream\"]\n\turl = u2\n";
        assert_eq!(remote(config).as_deref(), Some("u2"));
        assert_eq!(
            remote("[remote \"origin\"]\n\turl = u1\n").as_deref(),
            Some("u1")
        );
        assert_eq!(remote("[remote \"origin\"]\n[x]\n\turl = u1\n"), None);
        let others = "[remote \"b\"]\n\turl = u1\n[remote \"a\"]\n\turl = u2\n";
        assert_eq!(remote(others).as_deref(), Some("u1"));
    }

    #[test]
    fn both_forms_of_a_placeholder_are_filled_in_and_nothing_else() {
        let repository = Repository::known("o{repo}", "r");
        let fill = |text: &str| repository.fill(text).unwrap();
        assert_eq!(fill("repos/{owner}/{repo}/x"), "repos/o{repo}/r/x");
        assert_eq!(fill("repos/:owner/:repo"), "repos/o{repo}/r");
        assert_eq!(fill(":ownership/{repos}/a:b"), ":ownership/{repos}/a:b");
    }

    #[test]
    fn a_worktree_belongs_to_its_clone() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("clone/.git/worktrees/w");
        std::fs::create_dir_all(&own).unwrap();
        let write =
            |path: PathBuf, text: &str| crate::files::write_atomic(&path, text.as_bytes()).unwrap();
        write(own.join("commondir"), "../..\n");
        let worktree = dir.path().join("w/deep");
        std::fs::create_dir_all(&worktree).unwrap();
        let pointer = "gitdir: ../clone/.git/worktrees/w\n";
        write(dir.path().join("w/.git"), pointer);
        write(dir.path().join("clone/.git/config"), "[core]\n");
        let common = common_dir(git_dir(&worktree).unwrap());
        assert!(common.join("config").exists(), "{common:?}");
    }
}
