//! The Unix socket: the way of `gh` and of our own commands to the daemon.

use std::path::PathBuf;

use super::finding::{Area, Finding};
use crate::config::directories::SOCKET_PATH_LIMIT;

/// What is at the socket's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    Socket {
        mode: u32,
        owner: u32,
        /// Whether somebody answers; `Err`: why it cannot be told.
        answers: Result<bool, String>,
    },
    /// A file or a directory.
    Other,
}

/// The directory that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) mode: u32,
    pub(super) owner: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) path: PathBuf,
    pub(super) there: There,
    pub(super) folder: Option<Folder>,
    /// Our user id.
    pub(super) me: u32,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let path = facts.path.display();
    let length = facts.path.as_os_str().len();
    if length > SOCKET_PATH_LIMIT {
        let what =
            format!("{path} has {length} bytes; a socket's path may have {SOCKET_PATH_LIMIT}");
        let fix = "a shorter --socket or --state-dir";
        return vec![Finding::problem(Area::Socket, what, fix)];
    }
    let mut findings = vec![match &facts.there {
        There::Nothing => Finding::ok(
            Area::Socket,
            format!("{path} will be the socket of a daemon"),
        ),
        There::Other => {
            let what = format!("{path} is not a socket, so no daemon can start");
            Finding::problem(
                Area::Socket,
                what,
                format!("`rm -r {path}`, or another --socket"),
            )
        }
        There::Socket { owner, .. } if *owner != facts.me && facts.me != 0 => {
            let what = format!("{path} belongs to user {owner}");
            let fix = "a --state-dir of your own, or ask as that user";
            Finding::problem(Area::Socket, what, fix)
        }
        There::Socket {
            answers: Ok(true), ..
        } => Finding::ok(Area::Socket, format!("the daemon answers at {path}")),
        There::Socket {
            answers: Ok(false), ..
        } => {
            let what = format!("nobody answers at {path}: a daemon that was killed left it");
            Finding::note(Area::Socket, what).fixed_by("the next `ghswarm start` replaces it")
        }
        There::Socket {
            answers: Err(why), ..
        } => {
            let what = format!("{path} cannot be connected to: {why}");
            let fix = "run this as the user who started the daemon, outside of a sandbox";
            Finding::problem(Area::Socket, what, fix)
        }
    }];
    findings.extend(others(facts));
    findings
}

/// What others can do with the socket, by its mode and by the directory that it is in.
fn others(facts: &Facts) -> Vec<Finding> {
    let path = facts.path.display();
    let mut findings = Vec::new();
    if let There::Socket { mode, .. } = facts.there
        && mode & 0o077 != 0
        && facts.folder.is_none_or(|folder| folder.mode & 0o077 != 0)
    {
        let what = format!("others may connect to {path} (mode {:03o})", mode & 0o777);
        let fix = format!("`chmod 600 {path}`");
        findings.push(Finding::warning(Area::Socket, what, fix));
    }
    if let Some(folder) = facts.folder
        && folder.owner != facts.me
        && folder.owner != 0
    {
        let what = format!(
            "user {} owns the directory of the socket, and may replace it",
            folder.owner
        );
        let fix = "a --socket in a directory of yours";
        findings.push(Finding::problem(Area::Socket, what, fix));
    }
    if let Some(folder) = facts.folder
        && folder.mode & 0o022 != 0
        && folder.mode & 0o1000 == 0
    {
        let what = format!(
            "others may replace the socket: its directory has mode {:04o}",
            folder.mode & 0o7777
        );
        let fix = "`chmod 700` the directory, or a --socket in a private one";
        findings.push(Finding::problem(Area::Socket, what, fix));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn facts(there: There, folder: u32) -> Facts {
        Facts {
            path: "/s/ghswarm.sock".into(),
            there,
            folder: Some(Folder {
                mode: folder,
                owner: 7,
            }),
            me: 7,
        }
    }

    fn socket(mode: u32, owner: u32, answers: Result<bool, String>) -> There {
        There::Socket {
            mode,
            owner,
            answers,
        }
    }

    #[test]
    fn what_is_at_the_path_is_judged() {
        let judge = |there| check(&facts(there, 0o700));
        Finding::assert_fine(&judge(There::Nothing));
        Finding::assert_fine(&judge(socket(0o600, 7, Ok(true))));
        let left = judge(socket(0o600, 7, Ok(false)));
        Finding::assert_fine(&left);
        Finding::assert_one(&left, Level::Note, "killed");
        Finding::assert_one(&judge(There::Other), Level::Problem, "not a socket");
        Finding::assert_one(&judge(socket(0o600, 0, Ok(true))), Level::Problem, "user 0");
        let refused = judge(socket(0o600, 7, Err("permission denied".into())));
        Finding::assert_one(&refused, Level::Problem, "permission denied");
        let long = Facts {
            path: format!("/{}", "d".repeat(107)).into(),
            ..facts(There::Nothing, 0o700)
        };
        Finding::assert_one(&check(&long), Level::Problem, "108 bytes");
    }

    #[test]
    fn who_else_can_reach_it_is_judged_by_mode_and_directory() {
        let open = socket(0o666, 7, Ok(true));
        Finding::assert_fine(&check(&facts(open.clone(), 0o700)));
        Finding::assert_one(&check(&facts(open, 0o755)), Level::Warning, "chmod 600");
        let anybody = check(&facts(There::Nothing, 0o777));
        Finding::assert_one(&anybody, Level::Problem, "mode 0777");
        Finding::assert_fine(&check(&facts(There::Nothing, 0o1777)));
        let mut foreign = facts(There::Nothing, 0o700);
        foreign.folder.as_mut().unwrap().owner = 8;
        Finding::assert_one(&check(&foreign), Level::Problem, "user 8");
    }
}
