//! Whether `gh` is there and goes through the daemon. It reads `http_unix_socket` from the `config.yml`
//! of its configuration folder and from nowhere else.

use std::path::PathBuf;

use super::finding::{Area, Finding};
use crate::github::Destination;

/// The oldest version that this was tried with.
const TRIED: (u32, u32) = (2, 23);

/// The configuration folder that `gh` reads in this shell.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Whether `ghswarm env` made it.
    pub(super) ours: bool,
    /// `http_unix_socket`, and whether somebody answers there.
    pub(super) socket: Option<(PathBuf, bool)>,
    /// Why `hosts.yml` cannot be read, if it is there.
    pub(super) hosts: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Where `gh` is.
    pub(super) program: Option<PathBuf>,
    /// What it says about its version.
    pub(super) version: Option<(u32, u32)>,
    pub(super) folder: Option<Folder>,
    /// The socket of the daemon that runs.
    pub(super) daemon: Option<PathBuf>,
    /// `GH_HOST`, and where the daemon sends its requests.
    pub(super) host: Option<(String, Option<Destination>)>,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![program(facts)];
    if let Some(folder) = &facts.folder {
        findings.extend(socket(folder, facts));
        if let Some(why) = &folder.hosts {
            let path = folder.path.join("hosts.yml");
            let what = format!("{} cannot be read: {why}", path.display());
            let fix = "gh has no token from it: correct its owner and mode, or `gh auth login`";
            findings.push(Finding::warning(Area::Gh, what, fix));
        }
    }
    findings.extend(
        facts
            .host
            .as_ref()
            .and_then(|(host, at)| enterprise(host, *at)),
    );
    findings
}

fn program(facts: &Facts) -> Finding {
    let Some(path) = &facts.program else {
        let what = "gh is not on PATH";
        return Finding::note(Area::Gh, what).fixed_by("`ghswarm api` does what `gh api` does");
    };
    let path = path.display();
    match facts.version {
        None => {
            let what = format!("{path} does not say which version it is");
            Finding::warning(Area::Gh, what, "run `gh --version` and see what it says")
        }
        Some(version @ (major, minor)) if version < TRIED => {
            let what = format!(
                "{path} is version {major}.{minor}; only {}.{} and later were tried with the socket",
                TRIED.0, TRIED.1
            );
            Finding::warning(Area::Gh, what, "install a newer gh: https://cli.github.com")
        }
        Some((major, minor)) => Finding::ok(Area::Gh, format!("{path} is version {major}.{minor}")),
    }
}

fn socket(folder: &Folder, facts: &Facts) -> Option<Finding> {
    let config = folder.path.join("config.yml");
    let config = config.display();
    let again = "`eval \"$(ghswarm env --start)\"`";
    match (&folder.socket, &facts.daemon) {
        (Some((socket, false)), _) => {
            let what = format!(
                "gh cannot work in this shell: {config} sends it to {}, where nobody answers",
                socket.display()
            );
            let fix = if folder.ours {
                format!("{again}, or `unset GH_CONFIG_DIR`")
            } else {
                "`gh config set http_unix_socket ''`, or start what listens there".to_owned()
            };
            Some(Finding::problem(Area::Gh, what, fix))
        }
        (Some((socket, true)), Some(daemon)) if socket == daemon => Some(Finding::ok(
            Area::Gh,
            "gh goes through the daemon in this shell",
        )),
        (Some((socket, true)), _) => {
            let what = format!(
                "{config} sends gh to {}, which is not this daemon",
                socket.display()
            );
            Some(Finding::warning(Area::Gh, what, again))
        }
        (None, Some(_)) => {
            let what = "gh does not go through the daemon in this shell";
            let fix = "`eval \"$(ghswarm env)\"`, or `ghswarm exec -- gh …`";
            Some(Finding::note(Area::Gh, what).fixed_by(fix))
        }
        (None, None) => None,
    }
}

fn enterprise(host: &str, at: Option<Destination>) -> Option<Finding> {
    let lower = host.to_ascii_lowercase();
    if lower == "github.com" || lower.ends_with(".ghe.com") {
        return None;
    }
    let fix = format!("start the daemon with `--origin-for {host}=https://{host}/api/v3`");
    match at? {
        Destination::Api => Some(Finding::ok(
            Area::Gh,
            format!("GH_HOST is {host}, which the daemon knows"),
        )),
        Destination::Refused(why) => {
            let what = format!("GH_HOST is {host}, which the daemon will not ask: {why}");
            Some(Finding::problem(Area::Gh, what, fix))
        }
        Destination::Mapped | Destination::Public => {
            let what = format!("GH_HOST is {host}: its answers pass through and are not cached");
            Some(Finding::warning(Area::Gh, what, fix))
        }
    }
}

/// The version in the first line of `gh --version`: `gh version 2.23.0 (2023-02-27)`.
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let mut words = text.lines().next()?.split_whitespace();
    let number = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let mut parts = number.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The value of `http_unix_socket` in a `config.yml` as `gh` writes it: a plain or quoted scalar.
pub(super) fn configured_socket(config: &str) -> Option<PathBuf> {
    let value = config.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_key = name.trim_end().trim_matches(['"', '\'']) == "http_unix_socket";
        is_key.then_some(value.trim())
    })?;
    // A JSON string is a YAML string, and what we write ourselves.
    let path = serde_json::from_str(value).unwrap_or_else(|_| value.trim_matches('\'').to_owned());
    (!path.is_empty()).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::Level;
    use super::*;
    use crate::github::Refused;

    fn facts(socket: Option<(&str, bool)>, daemon: Option<&str>) -> Facts {
        Facts {
            program: Some("/usr/bin/gh".into()),
            version: Some((2, 40)),
            folder: Some(Folder {
                path: "/h/gh".into(),
                socket: socket.map(|(path, answers)| (path.into(), answers)),
                ..Folder::default()
            }),
            daemon: daemon.map(PathBuf::from),
            host: None,
        }
    }

    #[test]
    fn where_gh_goes_is_compared_with_where_the_daemon_is() {
        let judge = |socket, daemon| check(&facts(socket, daemon));
        Finding::assert_fine(&judge(None, None));
        Finding::assert_fine(&judge(None, Some("/s")));
        Finding::assert_fine(&judge(Some(("/s", true)), Some("/s")));
        let dead = judge(Some(("/old", false)), Some("/s"));
        Finding::assert_one(&dead, Level::Problem, "/old");
        Finding::assert_one(&judge(Some(("/t", true)), Some("/s")), Level::Warning, "/t");
    }

    #[test]
    fn an_old_gh_and_a_hosts_file_that_cannot_be_read_are_warnings() {
        let old = Facts {
            version: Some((1, 14)),
            ..facts(None, None)
        };
        Finding::assert_one(&check(&old), Level::Warning, "1.14");
        let mut closed = facts(None, None);
        closed.folder.as_mut().unwrap().hosts = Some("permission denied".to_owned());
        Finding::assert_one(&check(&closed), Level::Warning, "hosts.yml");
        Finding::assert_fine(&check(&Facts::default()));
    }

    #[test]
    fn an_enterprise_host_must_be_mapped() {
        let judge = |host: &str, at| {
            check(&Facts {
                host: Some((host.to_owned(), Some(at))),
                ..facts(None, None)
            })
        };
        let refused = Destination::Refused(Refused::Private);
        Finding::assert_fine(&judge("github.com", Destination::Public));
        Finding::assert_fine(&judge("ghe.example", Destination::Api));
        let found = judge("ghe.corp.internal", refused);
        Finding::assert_one(&found, Level::Problem, "--origin-for ghe.corp.internal=");
        Finding::assert_one(
            &judge("ghe.example", Destination::Public),
            Level::Warning,
            "not cached",
        );
    }

    #[test]
    fn versions_and_sockets_are_read_as_gh_writes_them() {
        assert_eq!(
            version("gh version 2.23.0 (2023-02-27 Debian 2.23.0)\n"),
            Some((2, 23))
        );
        assert_eq!(version("no"), None);
        let socket = Some(PathBuf::from("/s/a b.sock"));
        for text in ["\"/s/a b.sock\"", "/s/a b.sock", "'/s/a b.sock'"] {
            let config = format!("git_protocol: https\nhttp_unix_socket: {text}\n");
            assert_eq!(configured_socket(&config), socket);
        }
        assert_eq!(configured_socket("http_unix_socket:\n"), None);
        assert_eq!(configured_socket("aliases:\n    co: x\n"), None);
        assert_eq!(
            configured_socket("http_unix_socket: /s").as_deref(),
            Some(Path::new("/s"))
        );
    }
}
