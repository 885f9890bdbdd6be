//! The git hook: real git, a real push to a bare repository on this machine, and a daemon.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{Ran, Sandbox};

/// A clone whose remote is called `https://github.com/octo-org/hello.git` and really is a directory.
struct Clone {
    sandbox: Sandbox,
    dir: PathBuf,
    bare: PathBuf,
}

impl Clone {
    async fn new() -> Self {
        let sandbox = Sandbox::new().await;
        let home = sandbox.home().to_owned();
        let (dir, bare) = (home.join("clone"), home.join("bare.git"));
        let clone = Self { sandbox, dir, bare };
        let bare = clone.bare.to_str().unwrap().to_owned();
        let run = async |arguments: &[&str]| clone.git_in(&home, arguments).await.ok();
        run(&["init", "-q", "--bare", &bare]).await;
        run(&["init", "-q", "-b", "main", clone.dir.to_str().unwrap()]).await;
        for (name, value) in [
            ("user.name", "octocat"),
            ("user.email", "octocat@example.org"),
            // Credentials in a URL must not matter, nor be shown.
            (
                "remote.origin.url",
                "https://x:ghs_in_the_url@github.com/octo-org/hello.git",
            ),
            ("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"),
            (
                &format!("url.{bare}.insteadOf"),
                "https://x:ghs_in_the_url@github.com/octo-org/hello.git",
            ),
        ] {
            clone.git(&["config", name, value]).await.ok();
        }
        clone
    }

    async fn git_in(&self, directory: &Path, arguments: &[&str]) -> Ran {
        let mut path =
            std::ffi::OsString::from(Path::new(env!("CARGO_BIN_EXE_ghswarm")).parent().unwrap());
        path.push(":/usr/bin:/bin");
        // The environment of a login shell, with ghswarm in the PATH.
        let mut git = self.sandbox.command(["--version"]);
        let environment: Vec<_> = git
            .as_std()
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        git = tokio::process::Command::new("git");
        git.env_clear().args(arguments).current_dir(directory);
        for (name, value) in environment {
            git.env(name, value.unwrap_or_default());
        }
        git.env("PATH", path).env("GIT_CONFIG_NOSYSTEM", "1");
        git.output().await.unwrap().into()
    }

    async fn git(&self, arguments: &[&str]) -> Ran {
        self.git_in(&self.dir, arguments).await
    }

    async fn commit(&self) {
        self.git(&["commit", "-q", "--allow-empty", "-m", "change"])
            .await
            .ok();
    }

    async fn install(&self) -> Ran {
        self.sandbox
            .run(["cache", "stale", "--install-hook", "clone"])
            .await
    }

    /// What the daemon says about the next request for the repository.
    async fn asked(&self) -> String {
        let answer = self
            .sandbox
            .run(["api", "-i", "repos/octo-org/hello"])
            .await
            .ok();
        let lines = answer.text().lines();
        lines
            .filter_map(|line| line.strip_prefix("Cache-Status: "))
            .collect()
    }
}

#[tokio::test]
async fn after_a_push_github_is_asked_again() {
    let clone = Clone::new().await;
    clone.sandbox.start().await;
    clone.asked().await;
    clone.commit().await;
    let hit = clone.asked().await;
    assert!(hit.starts_with("ghswarm; hit; "), "{hit}");
    // Without the hook nobody knows of a push.
    clone.git(&["push", "-q", "origin", "main"]).await.ok();
    assert!(clone.asked().await.starts_with("ghswarm; hit; "));

    let installed = clone.install().await.ok();
    assert!(
        installed.stderr.contains("reference-transaction"),
        "{}",
        installed.stderr
    );
    // Only this one, so that it is this one that is seen at work.
    std::fs::remove_file(clone.dir.join(".git/hooks/pre-push")).unwrap();
    clone.commit().await;
    assert!(
        clone.asked().await.starts_with("ghswarm; hit; "),
        "a commit is no push"
    );
    let push = clone.git(&["push", "origin", "main"]).await.ok();
    assert!(!push.stderr.contains("ghswarm"), "{}", push.stderr);
    // git has returned, so whoever reads now sees the push.
    let after = clone.asked().await;
    assert!(after.contains("fwd=stale"), "{after}");
}

#[tokio::test]
async fn a_push_of_a_tag_is_one_too() {
    let clone = Clone::new().await;
    clone.sandbox.start().await;
    clone.install().await.ok();
    std::fs::remove_file(clone.dir.join(".git/hooks/reference-transaction")).unwrap();
    clone.commit().await;
    clone.git(&["tag", "v1"]).await.ok();
    clone.asked().await;
    assert!(clone.asked().await.starts_with("ghswarm; hit; "));
    clone.git(&["push", "-q", "origin", "v1"]).await.ok();
    let after = clone.asked().await;
    assert!(after.contains("fwd=stale"), "{after}");
}

#[tokio::test]
async fn the_hook_never_stands_in_the_way_of_git() {
    let clone = Clone::new().await;
    clone.install().await.ok();
    clone.commit().await;
    // No daemon.
    let push = clone.git(&["push", "-q", "origin", "main"]).await.ok();
    assert_eq!((push.text(), push.stderr.as_str()), ("", ""));
    // A daemon that never answers.
    let state = clone.sandbox.home().join(".local/state/ghswarm");
    std::fs::create_dir_all(&state).unwrap();
    let _silent = std::os::unix::net::UnixListener::bind(state.join("ghswarm.sock")).unwrap();
    clone.commit().await;
    let started = std::time::Instant::now();
    let push = clone.git(&["push", "-q", "origin", "main"]).await.ok();
    assert_eq!((push.text(), push.stderr.as_str()), ("", ""));
    // Two seconds for each of the two hooks, and a machine that may be busy.
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
    // No ghswarm at all.
    clone.commit().await;
    let mut git = tokio::process::Command::new("git");
    git.args(["push", "-q", "origin", "main"])
        .current_dir(&clone.dir)
        .env_clear();
    let push = Ran::from(
        git.env("PATH", "/usr/bin:/bin")
            .env("HOME", clone.sandbox.home())
            .output()
            .await
            .unwrap(),
    );
    assert_eq!((push.text(), push.stderr.as_str(), push.code), ("", "", 0));
    // A remote that is no server's.
    let bare = clone.bare.to_str().unwrap();
    clone.commit().await;
    clone.git(&["push", "-q", bare, "main"]).await.ok();
}

#[tokio::test]
async fn somebody_else_s_hook_stays_and_is_called_first() {
    let clone = Clone::new().await;
    let hooks = clone.dir.join("my hooks");
    std::fs::create_dir(&hooks).unwrap();
    clone
        .git(&["config", "core.hooksPath", "my hooks"])
        .await
        .ok();
    let theirs = "#!/bin/sh\ncat >> ../seen\necho \"$1\" >> ../seen\n";
    let executable = |name: &str, text: &str| {
        let path = hooks.join(name);
        ghswarm::files::write_atomic(&path, text.as_bytes()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    executable("reference-transaction", theirs);
    let refused = clone.install().await;
    assert!(
        refused.code == 1 && refused.stderr.contains("reference-transaction.local"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        std::fs::read_to_string(hooks.join("reference-transaction")).unwrap(),
        theirs
    );
    assert!(hooks.join("pre-push").exists(), "what can be installed is");

    std::fs::rename(
        hooks.join("reference-transaction"),
        hooks.join("reference-transaction.local"),
    )
    .unwrap();
    clone.install().await.ok();
    clone.install().await.ok();
    clone.sandbox.start().await;
    clone.commit().await;
    clone.asked().await;
    clone.git(&["push", "-q", "origin", "main"]).await.ok();
    let seen = std::fs::read_to_string(clone.sandbox.home().join("seen")).unwrap();
    assert!(
        seen.contains(" refs/remotes/origin/main\ncommitted\n"),
        "{seen}"
    );
    assert!(clone.asked().await.contains("fwd=stale"));
    // Its word counts: it may forbid a transaction, as without us.
    executable(
        "reference-transaction.local",
        "#!/bin/sh\n[ \"$1\" != prepared ]\n",
    );
    let forbidden = clone
        .git(&["commit", "-q", "--allow-empty", "-m", "no"])
        .await;
    assert_ne!(forbidden.code, 0);
}

#[tokio::test]
async fn a_hook_is_only_installed_where_git_looks() {
    let clone = Clone::new().await;
    let nowhere = clone
        .sandbox
        .run(["cache", "stale", "--install-hook"])
        .await;
    assert!(
        nowhere.code == 1 && nowhere.stderr.contains("not a clone"),
        "{}",
        nowhere.stderr
    );
    std::os::unix::fs::symlink("elsewhere", clone.dir.join(".git/hooks/pre-push")).unwrap();
    assert_eq!(
        clone.install().await.code,
        1,
        "a link is somebody's arrangement"
    );
    assert!(
        !clone
            .sandbox
            .home()
            .join("clone/.git/hooks/elsewhere")
            .exists()
    );
    let mode = clone
        .dir
        .join(".git/hooks/reference-transaction")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
    for odd in [
        &["cache", "stale", "--install-hook", "x", "--all"][..],
        &["cache", "stale"],
    ] {
        assert_eq!(clone.sandbox.run(odd).await.code, 2);
    }
}

#[tokio::test]
async fn the_shipped_hooks_are_plain_shell() {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/hooks");
    for name in ["reference-transaction", "pre-push"] {
        let check = std::process::Command::new("sh")
            .arg("-n")
            .arg(hooks.join(name))
            .status();
        assert!(check.unwrap().success(), "{name}");
        // Where it is installed, the linter has its say too.
        if let Ok(lint) = std::process::Command::new("shellcheck")
            .arg(hooks.join(name))
            .output()
        {
            assert!(
                lint.status.success(),
                "{}",
                String::from_utf8_lossy(&lint.stdout)
            );
        }
    }
}
