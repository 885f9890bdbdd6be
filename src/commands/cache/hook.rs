//! The git hooks: which repository a push went to, and how the hooks get into a clone.
//!
//! git has no hook that runs after a push, but a push that succeeded changes the remote-tracking
//! branches, and that runs `reference-transaction` before `git push` returns. Tags and pushes to a URL
//! have no such branches: `pre-push` is for them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use super::super::context::Context;
use super::super::print;
use super::stale;
use crate::api::Namespace;
use crate::cli::Target;

/// The longest that git waits for us.
const PATIENCE: Duration = Duration::from_secs(2);
/// As much of a transaction as is read: some ten thousand branches.
const INPUT: u64 = 4 << 20;
/// Remotes beyond these are not looked at.
const REMOTES: usize = 64;

const REFERENCE_TRANSACTION: &str = "reference-transaction";
const PRE_PUSH: &str = "pre-push";
/// The hooks that are installed, with their content.
const HOOKS: [(&str, &str); 2] = [
    (
        REFERENCE_TRANSACTION,
        include_str!("../../../dist/hooks/reference-transaction"),
    ),
    (PRE_PUSH, include_str!("../../../dist/hooks/pre-push")),
];
/// What the second line of our hooks begins with.
const MARK: &str = "# ghswarm hook, version ";

/// What a hook does. git must not notice: there is no error, no output, and an end.
pub(super) async fn called(arguments: &[OsString], target: &Target, context: &Context<'_>) {
    let marking = async {
        for repository in written(arguments).await {
            // Who cannot be told has nothing, or will say so himself.
            let _ = stale::mark(&repository, target, context).await;
        }
    };
    // Out of time there is nobody to tell.
    let _ = tokio::time::timeout(PATIENCE, marking).await;
}

/// The repositories that a hook with these arguments (its name first) is about.
async fn written(arguments: &[OsString]) -> Vec<String> {
    let mut repositories: Vec<String> = match arguments {
        [hook, state] if hook == REFERENCE_TRANSACTION && state == "committed" => {
            of_remotes().await
        }
        [hook, remote, url] if hook == PRE_PUSH => {
            let mut urls = urls(remote).await;
            urls.push(url.to_string_lossy().into_owned());
            urls.iter().filter_map(|url| repository(url)).collect()
        }
        _ => Vec::new(),
    };
    repositories.sort_unstable();
    repositories.dedup();
    repositories
}

/// The repositories of the remotes whose branches the transaction on stdin changed.
async fn of_remotes() -> Vec<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut input = Vec::new();
        let read = io::stdin().lock().take(INPUT).read_to_end(&mut input);
        read.map(|_| input)
    });
    let Ok(Ok(input)) = read.await else {
        return Vec::new();
    };
    let remotes = git(["remote"]).await;
    let input = String::from_utf8_lossy(&input);
    let mut repositories = Vec::new();
    for remote in changed(&input, &remotes).into_iter().take(REMOTES) {
        let urls = urls(OsStr::new(remote)).await;
        repositories.extend(urls.iter().filter_map(|url| repository(url)));
    }
    repositories
}

/// The names among `remotes` whose remote-tracking branches changed. `transaction` has a line for each
/// reference: `OLD NEW REFERENCE`.
fn changed<'a>(transaction: &str, remotes: &'a [String]) -> Vec<&'a str> {
    let changes = transaction.lines().filter_map(|line| {
        let (_old, line) = line.split_once(' ')?;
        let (_new, reference) = line.split_once(' ')?;
        reference.strip_prefix("refs/remotes/")
    });
    let mut names: Vec<&str> = Vec::new();
    for branch in changes {
        // A remote's name may have slashes: the longest that fits is meant.
        let of = |remote: &&String| {
            branch
                .strip_prefix(remote.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let remote = remotes.iter().filter(of).max_by_key(|remote| remote.len());
        if let Some(remote) = remote.filter(|remote| !names.contains(&remote.as_str())) {
            names.push(remote);
        }
    }
    names
}

/// All URLs of a remote: as they are written, and as `insteadOf` turns them.
async fn urls(remote: &OsStr) -> Vec<String> {
    let name = remote.to_string_lossy();
    let mut urls = git(["remote", "get-url", "--all", &name]).await;
    urls.extend(git(["remote", "get-url", "--push", "--all", &name]).await);
    urls.extend(git(["config", "--get-all", &format!("remote.{name}.url")]).await);
    urls.extend(git(["config", "--get-all", &format!("remote.{name}.pushurl")]).await);
    urls
}

/// The lines that git prints; none if it fails.
async fn git<const N: usize>(arguments: [&str; N]) -> Vec<String> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let Ok(output) = output else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

/// `OWNER/REPO` of a URL that git takes: with a scheme, or `[USER@]HOST:PATH`. What stands before an `@` may
/// be a password and goes nowhere.
fn repository(url: &str) -> Option<String> {
    let path = if let Some((scheme, rest)) = url.split_once("://") {
        let known = ["https", "http", "ssh", "git", "git+ssh", "ssh+git"];
        let (_authority, path) = rest.split_once('/')?;
        known.contains(&scheme).then_some(path)?
    } else {
        // A slash before the first colon makes it a path of this machine.
        let (host, path) = url.split_once(':')?;
        (!host.contains('/') && host.len() > 1).then_some(path)?
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    match Namespace::named(path) {
        Some(Namespace::Repo(name)) => Some(name.into()),
        _ => None,
    }
}

/// Puts the hooks where git looks for those of the clone `directory`. What somebody else put there stays.
pub(super) async fn install(directory: &Path) -> anyhow::Result<()> {
    let hooks = hooks_of(directory).await?;
    fs::create_dir_all(&hooks).with_context(|| format!("cannot make {}", hooks.display()))?;
    let mut refused = Vec::new();
    for (name, content) in HOOKS {
        let path = hooks.join(name);
        if is_foreign(&path)? {
            refused.push(name);
            continue;
        }
        write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        print::to_people(&format!("installed {}", path.display()));
    }
    let Some(first) = refused.first() else {
        return Ok(());
    };
    bail!(
        "{} in {} belongs to somebody else and stays as it is. Rename it to {first}.local, where our \
         hook calls it, and install again; or call `ghswarm cache stale OWNER/REPO` from it",
        refused.join(" and "),
        hooks.display(),
    )
}

/// Where git looks, which `core.hooksPath` may say.
async fn hooks_of(directory: &Path) -> anyhow::Result<PathBuf> {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["rev-parse", "--git-path", "hooks"])
        .output()
        .await
        .context("cannot run git")?;
    if !output.status.success() {
        bail!("{} is not a clone of a git repository", directory.display());
    }
    let path = output.stdout.trim_ascii_end();
    Ok(directory.join(OsStr::from_bytes(path)))
}

/// Whether something is there that we did not write. A link is somebody's arrangement.
fn is_foreign(path: &Path) -> anyhow::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", path.display())),
        Ok(found) if !found.is_file() => Ok(true),
        Ok(_) => {
            let mut start = Vec::new();
            let file = fs::File::open(path);
            file.and_then(|file| file.take(512).read_to_end(&mut start))
                .with_context(|| format!("cannot read {}", path.display()))?;
            let second = start.split(|&byte| byte == b'\n').nth(1);
            Ok(!second.is_some_and(|line| line.starts_with(MARK.as_bytes())))
        }
    }
}

/// In one step: git may run the hook at this moment.
fn write(path: &Path, content: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(&temporary)?;
        file.write_all(content.as_bytes())?;
        // Whatever the umask left of it.
        file.set_permissions(Permissions::from_mode(0o755))?;
        drop(file);
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // Nobody will look for it; the first error tells more.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_found_in_every_form_of_url() {
        for url in [
            "https://github.com/Octo-Org/Hello.git",
            "https://github.com/octo-org/hello",
            "https://github.com/octo-org/hello/",
            "https://x-access-token:ghs_secret@github.com/octo-org/hello.git",
            "ssh://git@github.com/octo-org/hello.git",
            "ssh://git@ssh.github.com:443/octo-org/hello.git",
            "git@github.com:octo-org/hello.git",
            "github.com:octo-org/hello",
            "git@ghe.example:octo-org/hello.git",
            "org-1234@github.com:/octo-org/hello.git",
            "git://ghe.example/octo-org/hello.git",
        ] {
            assert_eq!(repository(url).as_deref(), Some("octo-org/hello"), "{url}");
        }
    }

    #[test]
    fn what_is_no_repository_of_a_server_is_none() {
        for url in [
            "",
            "/srv/git/octo-org/hello.git",
            "./octo-org/hello",
            "../hello.git",
            "octo-org/hello",
            "file:///srv/octo-org/hello.git",
            "C:octo-org/hello",
            "https://github.com/hello.git",
            "https://gitlab.example/group/sub/hello.git",
            "https://github.com/octo-org/..",
            "https://github.com/octo org/hello",
            "https://github.com",
            "ext::sh -c 'evil octo-org/hello'",
            "./a:octo-org/hello",
        ] {
            assert_eq!(repository(url), None, "{url}");
        }
    }

    #[test]
    fn a_transaction_is_about_the_remotes_whose_branches_it_names() {
        let remotes = ["origin", "team/origin", "fork"].map(str::to_owned);
        let zero = "0".repeat(40);
        let of = |references: &[&str]| {
            let lines = references
                .iter()
                .map(|reference| format!("{zero} {zero} {reference}\n"));
            changed(&lines.collect::<String>(), &remotes)
        };
        assert_eq!(of(&["refs/remotes/origin/main"]), ["origin"]);
        assert_eq!(
            of(&[
                "refs/remotes/fork/a b",
                "refs/remotes/origin/x",
                "refs/remotes/origin/y"
            ]),
            ["fork", "origin"]
        );
        assert_eq!(of(&["refs/remotes/team/origin/main"]), ["team/origin"]);
        for other in [
            "refs/heads/main",
            "refs/tags/refs/remotes/origin/main",
            "refs/remotes/origin",
            "refs/remotes/originally/main",
            "refs/remotes/gone/main",
            "HEAD",
        ] {
            assert!(of(&[other]).is_empty(), "{other}");
        }
        assert!(changed("garbage\n\nrefs/remotes/origin/main\n", &remotes).is_empty());
    }

    #[test]
    fn our_hooks_know_themselves() {
        for (name, content) in HOOKS {
            assert!(content.starts_with("#!/bin/sh\n"), "{name}");
            assert!(content.lines().nth(1).unwrap().starts_with(MARK), "{name}");
        }
    }
}
