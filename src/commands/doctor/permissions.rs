//! The directories and the key in them: whose they are, who else can get in, and on what kind of file
//! system they lie.

use std::path::PathBuf;

use super::finding::{Area, Finding};

/// What is at a directory's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing yet. Whether it can be made; `Err`: why not.
    Nothing {
        creatable: Result<(), String>,
    },
    Directory {
        mode: u32,
        owner: u32,
        /// `Err`: why we cannot write into it.
        writable: Result<(), String>,
    },
    Link,
    /// A file of any kind.
    File,
    /// It cannot even be looked at.
    Hidden(String),
}

/// One of our directories.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// "state" or "cache".
    pub(super) what: &'static str,
    pub(super) path: PathBuf,
    pub(super) there: There,
    /// Whether anybody may replace it: its parent is open to all, and not sticky like `/tmp`.
    pub(super) replaceable: bool,
    /// The first thing in it that belongs to another user, and to whom.
    pub(super) foreign: Option<(PathBuf, u32)>,
    /// The type of the file system that it is on, or will be (`statfs(2)`).
    pub(super) filesystem: Option<u64>,
}

/// `hmac.key`, by which credentials are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Absent,
    File {
        mode: u32,
        owner: u32,
        length: u64,
    },
    /// A link or a directory.
    Other,
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) places: Vec<Place>,
    pub(super) key: Key,
    pub(super) key_path: PathBuf,
    /// Our user id.
    pub(super) me: u32,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for place in &facts.places {
        findings.push(directory(place, facts.me));
        findings.extend(around(place, facts.me));
        findings.extend(filesystem(place));
    }
    findings.extend(key(facts));
    findings
}

fn directory(place: &Place, me: u32) -> Finding {
    let Place { what, path, .. } = place;
    let (here, flag) = (path.display(), format!("--{what}-dir"));
    let problem = |what: String, fix: String| Finding::problem(Area::Permissions, what, fix);
    match &place.there {
        There::Nothing { creatable: Ok(()) } => Finding::ok(
            Area::Permissions,
            format!("the {what} directory {here} will be made"),
        ),
        There::Nothing {
            creatable: Err(why),
        } => problem(
            format!("the {what} directory {here} cannot be made: {why}"),
            format!("another {flag}, or make it yourself: `mkdir -p -m 700 {here}`"),
        ),
        There::Link => problem(
            format!("the {what} directory {here} is a symbolic link, which others could turn"),
            format!("name the place itself: `{flag} \"$(readlink -f {here})\"`"),
        ),
        There::File => problem(
            format!("the {what} directory {here} is not a directory"),
            format!("move it away, or another {flag}"),
        ),
        There::Hidden(why) => problem(
            format!("the {what} directory {here} cannot be looked at: {why}"),
            format!("another {flag}"),
        ),
        There::Directory { owner, .. } if *owner != me => problem(
            belongs(&format!("the {what} directory {here}"), *owner),
            hand_over(&here, &flag),
        ),
        There::Directory {
            writable: Err(why), ..
        } => problem(
            format!("nothing can be written to the {what} directory {here}: {why}"),
            format!("`chmod u+rwx {here}`, mount it for writing, or another {flag}"),
        ),
        There::Directory { mode, .. } if mode & 0o777 != 0o700 => {
            let what = format!("the {what} directory {here} has mode {:03o}", mode & 0o777);
            Finding::note(Area::Permissions, what).fixed_by("the next start makes it 0700")
        }
        There::Directory { .. } => Finding::ok(
            Area::Permissions,
            format!("the {what} directory {here} is ours alone"),
        ),
    }
}

fn belongs(what: &str, owner: u32) -> String {
    match owner {
        0 => format!("{what} belongs to root: something was run with sudo"),
        owner => format!("{what} belongs to user {owner}"),
    }
}

fn hand_over(path: &impl std::fmt::Display, flag: &str) -> String {
    format!("`sudo chown -R \"$(id -u):$(id -g)\" {path}`, or another {flag}")
}

/// What is in the directory, and what it is in.
fn around(place: &Place, me: u32) -> impl Iterator<Item = Finding> {
    let (here, flag) = (place.path.display(), format!("--{}-dir", place.what));
    let foreign = place.foreign.as_ref().filter(|(_, owner)| *owner != me);
    let left = foreign.map(|(path, owner)| {
        let what = belongs(&path.display().to_string(), *owner);
        Finding::problem(Area::Permissions, what, hand_over(&here, &flag))
    });
    let replaceable = place.replaceable.then(|| {
        let what = format!("anybody on this machine may replace {here}: its parent is open to all");
        let fix = format!("a {flag} in a directory of yours, or `chmod +t` the parent");
        Finding::problem(Area::Permissions, what, fix)
    });
    left.into_iter().chain(replaceable)
}

/// How far a kind of file system can be trusted with locks and shared memory.
enum Kind {
    /// Other machines write to it, too: `SQLite`'s WAL and our locks do not reach them.
    Network(&'static str),
    /// Locks and shared memory depend on who serves it.
    Served(&'static str),
    /// It goes with the container or the machine.
    Passing(&'static str),
    Local,
}

/// Magic numbers of `statfs(2)` and of the kernel's `magic.h`.
const fn kind(magic: u64) -> Kind {
    match magic {
        0x6969 => Kind::Network("NFS"),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => Kind::Network("CIFS/SMB"),
        0x5346_414f | 0x6b41_4653 => Kind::Network("AFS"),
        0x00c3_6400 => Kind::Network("Ceph"),
        0x0bd0_0bd0 => Kind::Network("Lustre"),
        0x4750_4653 => Kind::Network("GPFS"),
        0x0102_1997 => Kind::Served("9p"),
        0x6573_5546 => Kind::Served("FUSE or virtiofs"),
        0x786f_4256 => Kind::Served("vboxsf"),
        0x794c_7630 => Kind::Passing("overlay"),
        0x0102_1994 | 0x8584_58f6 => Kind::Passing("memory"),
        _ => Kind::Local,
    }
}

fn filesystem(place: &Place) -> Option<Finding> {
    let Place { what, path, .. } = place;
    let here = format!("the {what} directory {}", path.display());
    let flag = format!("a --{what}-dir on a disk of this machine");
    match kind(place.filesystem?) {
        Kind::Network(name) => {
            let what = format!(
                "{here} is on {name}: locks and the shared memory of the store do not work between \
                 machines"
            );
            Some(Finding::warning(Area::Permissions, what, flag))
        }
        Kind::Served(name) => {
            let what = format!("{here} is on {name}, where locks and shared memory may not work");
            Some(Finding::warning(Area::Permissions, what, flag))
        }
        Kind::Passing(name) if *what == "cache" => {
            let what = format!(
                "{here} is on a file system of the container or of memory ({name}): what it holds goes with it"
            );
            Some(
                Finding::note(Area::Permissions, what)
                    .fixed_by(format!("to keep it, {flag} or a volume")),
            )
        }
        Kind::Passing(_) | Kind::Local => None,
    }
}

fn key(facts: &Facts) -> Option<Finding> {
    let path = facts.key_path.display();
    let remove = format!("`rm -r {path}`: the next daemon makes another, and asks GitHub anew");
    match facts.key {
        Key::Other => {
            let what = format!("{path} is not a file, so no daemon can start");
            Some(Finding::problem(Area::Permissions, what, remove))
        }
        // A directory that is somebody else's is found already.
        Key::File { owner, .. } if owner != facts.me => None,
        Key::File { length, .. } if length != 32 => {
            let what = format!("{path} has {length} bytes and not 32, so no daemon can start");
            Some(Finding::problem(Area::Permissions, what, remove))
        }
        Key::File { mode, .. } if mode & 0o077 != 0 => {
            let what = format!("others may read {path} (mode {:03o})", mode & 0o777);
            Some(Finding::warning(
                Area::Permissions,
                what,
                format!("`chmod 600 {path}`"),
            ))
        }
        Key::Absent | Key::File { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const OURS: There = There::Directory {
        mode: 0o700,
        owner: 7,
        writable: Ok(()),
    };
    const KEY: Key = Key::File {
        mode: 0o600,
        owner: 7,
        length: 32,
    };

    fn facts(there: There) -> Facts {
        let place = Place {
            what: "cache",
            path: "/c".into(),
            there,
            replaceable: false,
            foreign: None,
            filesystem: Some(0xef53),
        };
        Facts {
            places: vec![place],
            key: KEY,
            key_path: "/c/hmac.key".into(),
            me: 7,
        }
    }

    #[test]
    fn a_directory_must_be_ours_and_writable() {
        let judge = |there| check(&facts(there));
        Finding::assert_fine(&judge(OURS));
        Finding::assert_fine(&judge(There::Nothing { creatable: Ok(()) }));
        let directory = |mode, owner, writable: Result<(), &str>| There::Directory {
            mode,
            owner,
            writable: writable.map_err(str::to_owned),
        };
        Finding::assert_fine(&judge(directory(0o755, 7, Ok(()))));
        for (there, word) in [
            (
                There::Nothing {
                    creatable: Err("read-only".into()),
                },
                "read-only",
            ),
            (There::Link, "readlink"),
            (There::File, "not a directory"),
            (
                There::Hidden("permission denied".into()),
                "permission denied",
            ),
            (directory(0o700, 0, Ok(())), "sudo chown"),
            (directory(0o700, 8, Ok(())), "user 8"),
            (directory(0o500, 7, Err("permission denied")), "chmod u+rwx"),
        ] {
            Finding::assert_one(&judge(there), Level::Problem, word);
        }
    }

    #[test]
    fn what_sudo_left_and_what_others_may_replace_is_found() {
        let mut found = facts(OURS);
        found.places[0].foreign = Some(("/c/store/x".into(), 0));
        Finding::assert_one(&check(&found), Level::Problem, "/c/store/x belongs to root");
        let mut found = facts(OURS);
        found.places[0].replaceable = true;
        Finding::assert_one(&check(&found), Level::Problem, "anybody");
    }

    #[test]
    fn file_systems_are_judged_by_what_they_can_do() {
        for (magic, level, word) in [
            (0x6969, Level::Warning, "NFS"),
            (0x0102_1997, Level::Warning, "9p"),
            (0x794c_7630, Level::Note, "overlay"),
        ] {
            let mut found = facts(OURS);
            found.places[0].filesystem = Some(magic);
            Finding::assert_one(&check(&found), level, word);
        }
    }

    #[test]
    fn the_key_must_be_32_bytes_of_ours() {
        let judge = |key| check(&Facts { key, ..facts(OURS) });
        let file = |mode, length| Key::File {
            mode,
            owner: 7,
            length,
        };
        Finding::assert_fine(&judge(Key::Absent));
        Finding::assert_one(&judge(file(0o600, 5)), Level::Problem, "5 bytes");
        Finding::assert_one(&judge(Key::Other), Level::Problem, "not a file");
        Finding::assert_one(&judge(file(0o644, 32)), Level::Warning, "chmod 600");
    }
}
