//! A configuration folder for `gh` that sends its requests to our socket.
//!
//! `gh` reads `http_unix_socket` from its `config.yml` alone, so it gets a folder of its own: the
//! user's `config.yml` with that key replaced, and the user's `hosts.yml` by symbolic link, because
//! what holds tokens is never copied.

use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::config::{Environment, env};
use crate::digest::Digest;
use crate::files;

/// The key that `gh` looks up.
const KEY: &str = "http_unix_socket";

/// Where the user's own configuration of `gh` is: `GH_CONFIG_DIR`, else `$XDG_CONFIG_HOME/gh`, else
/// `~/.config/gh`.
pub(super) fn of_user(environment: &Environment) -> Option<PathBuf> {
    environment
        .path(env::GH_CONFIG_DIR)
        .or_else(|| Some(environment.absolute(env::XDG_CONFIG_HOME)?.join("gh")))
        .or_else(|| Some(environment.absolute(env::HOME)?.join(".config/gh")))
}

/// Makes the folder for `socket` in `state_dir`.
pub(super) fn generate(
    state_dir: &Path,
    socket: &Path,
    user: Option<&Path>,
) -> anyhow::Result<PathBuf> {
    let socket = socket.to_str().context("the socket's path is not UTF-8")?;
    if let Some(user) = user
        && user.parent() == Some(state_dir)
    {
        // We are inside of `exec` already, or in a later step: perhaps with another daemon.
        let config = user.join("config.yml");
        let made = std::fs::read_to_string(&config).unwrap_or_default();
        let wanted = with_socket(&made, socket);
        if wanted != made {
            files::write_atomic(&config, wanted.as_bytes())?;
        }
        return Ok(user.to_owned());
    }
    // A link is read from where it stands, and jobs go from folder to folder.
    let user = user.map(std::path::absolute).transpose()?;
    let user = user.as_deref();
    // One folder for each configuration that it is made from: two `exec` may run at the same time.
    let source = user.map_or(b"".as_slice(), |user| user.as_os_str().as_bytes());
    let folder = state_dir.join(format!("gh-{}", &Digest::of([source]).hex()[..8]));
    files::private_dir(&folder)?;
    let original = user.map(|user| std::fs::read_to_string(user.join("config.yml")));
    let original = original.and_then(Result::ok).unwrap_or_default();
    files::write_atomic(
        &folder.join("config.yml"),
        with_socket(&original, socket).as_bytes(),
    )?;
    if let Some(user) = user {
        if !user.exists() {
            // Through the link `gh` can make its file, but not the folder of it. Where this fails `gh`
            // itself would have failed, and for who only reads it makes no difference.
            let _ = files::private_dir(user);
        }
        link(&user.join("hosts.yml"), &folder.join("hosts.yml"))
            .with_context(|| format!("cannot link hosts.yml into {}", folder.display()))?;
    }
    Ok(folder)
}

/// Links also to a file that is not there yet: `gh auth login` will then write the user's own.
fn link(original: &Path, link: &Path) -> io::Result<()> {
    if std::fs::read_link(link).is_ok_and(|there| there == original) {
        return Ok(());
    }
    match std::os::unix::fs::symlink(original, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(link)?;
            std::os::unix::fs::symlink(original, link)
        }
        done => done,
    }
}

/// `original` with the key set, and everything else as it was. The file is a block mapping: that is
/// how `gh` writes it.
fn with_socket(original: &str, socket: &str) -> String {
    let mut text = String::new();
    let mut dropping = false;
    for line in original.lines() {
        let nested = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        dropping = is_key(line) || (dropping && nested);
        // An explicit end of the document would hide what follows it.
        if !dropping && line != "..." {
            text.push_str(line);
            text.push('\n');
        }
    }
    // A JSON string is a YAML string.
    let _ = writeln!(text, "{KEY}: {}", serde_json::Value::from(socket));
    text
}

fn is_key(line: &str) -> bool {
    let name = line.split_once(':').map_or("", |(name, _)| name.trim_end());
    name.trim_matches(['"', '\'']) == KEY && !line.starts_with([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_socket_changes() {
        let original =
            "# mine\ngit_protocol: ssh\nhttp_unix_socket: /old\naliases:\n  co: pr checkout\n";
        assert_eq!(
            with_socket(original, "/s/a b.sock"),
            "# mine\ngit_protocol: ssh\naliases:\n  co: pr checkout\nhttp_unix_socket: \"/s/a b.sock\"\n"
        );
        assert_eq!(with_socket("", "/s"), "http_unix_socket: \"/s\"\n");
        let folded = "\"http_unix_socket\": >-\n  /old\nprompt: enabled\n...\n";
        assert_eq!(
            with_socket(folded, "/s"),
            "prompt: enabled\nhttp_unix_socket: \"/s\"\n"
        );
        let nested = "aliases:\n  http_unix_socket: x\n";
        assert!(with_socket(nested, "/s").starts_with(nested));
    }

    #[test]
    fn tokens_are_linked_and_never_copied() {
        let dir = tempfile::tempdir().unwrap();
        let (user, state) = (dir.path().join("user"), dir.path().join("state"));
        std::fs::create_dir_all(&user).unwrap();
        files::write_atomic(&user.join("hosts.yml"), b"github.com:\n").unwrap();
        for _ in 0..2 {
            let folder = generate(&state, Path::new("/s"), Some(&user)).unwrap();
            let hosts = std::fs::read_link(folder.join("hosts.yml")).unwrap();
            assert_eq!(hosts, user.join("hosts.yml"));
            assert_eq!(
                generate(&state, Path::new("/t"), Some(&folder)).unwrap(),
                folder
            );
            let config = std::fs::read_to_string(folder.join("config.yml")).unwrap();
            assert_eq!(config, "http_unix_socket: \"/t\"\n");
        }
    }
}
