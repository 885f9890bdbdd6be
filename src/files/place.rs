//! Whether a path leads only through directories that trusted users alone can change.
//!
//! A job sends its token to whoever listens at a socket. A socket that another user listens at is as good as
//! the directories on the way to it: who can rename or replace one of them can put a socket of their own there.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// May be written by others than the owner (the group's bits also bound every entry of an ACL).
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// In such a directory only the owner of an entry can rename or remove it (chmod(2), `S_ISVTX`).
const STICKY: u32 = 0o1000;

/// Why a place cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// It is on the way, and belongs to somebody who is not trusted.
    #[error("{} belongs to user {owner}", path.display())]
    Foreign {
        /// What.
        path: PathBuf,
        /// Whose user id.
        owner: u32,
    },
    /// Others than its owner can put something there.
    #[error("others than its owner can write to {}", .0.display())]
    Open(PathBuf),
    /// A link leads wherever its maker wants.
    #[error("{} is a symbolic link or no directory", .0.display())]
    NoDirectory(PathBuf),
    /// It cannot be looked at.
    #[error("cannot look at {}", path.display())]
    Unseen {
        /// What.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Relative to what?
    #[error("{} is not an absolute path", .0.display())]
    Relative(PathBuf),
}

/// One directory on the way, from the root on.
#[derive(Debug, Clone)]
struct Step {
    path: PathBuf,
    owner: u32,
    mode: u32,
    is_dir: bool,
}

impl Step {
    fn of(path: &Path, found: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            owner: found.uid(),
            mode: found.mode(),
            is_dir: found.is_dir(),
        }
    }
}

/// Whether root and the users `trusted` alone decide what stands in `directory`.
pub fn check(directory: &Path, trusted: &[u32]) -> Result<(), Doubt> {
    if !directory.is_absolute() {
        return Err(Doubt::Relative(directory.to_owned()));
    }
    let mut way: Vec<&Path> = directory.ancestors().collect();
    way.reverse();
    let step = |path: &Path| {
        let found = fs::symlink_metadata(path).map_err(|source| Doubt::Unseen {
            path: path.to_owned(),
            source,
        })?;
        Ok(Step::of(path, &found))
    };
    let steps: Vec<Step> = way.into_iter().map(step).collect::<Result<_, _>>()?;
    judge(&steps, trusted)
}

/// The last step is the directory itself. A sticky one that all can write to, as `/tmp`, is as good as any on the
/// way, since what comes next belongs to somebody trusted; as the last it is not.
fn judge(steps: &[Step], trusted: &[u32]) -> Result<(), Doubt> {
    for (place, step) in steps.iter().enumerate() {
        let last = place + 1 == steps.len();
        if !step.is_dir {
            return Err(Doubt::NoDirectory(step.path.clone()));
        }
        if step.owner != 0 && !trusted.contains(&step.owner) {
            return Err(Doubt::Foreign {
                path: step.path.clone(),
                owner: step.owner,
            });
        }
        let sticky = step.mode & STICKY != 0 && !last;
        if step.mode & WRITABLE_BY_OTHERS != 0 && !sticky {
            return Err(Doubt::Open(step.path.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const SERVICE: u32 = 998;
    const STRANGER: u32 = 1001;

    /// Directories by owner and mode, from the root on.
    fn verdict(way: &[(u32, u32)]) -> Result<(), String> {
        let step = |(depth, (owner, mode)): (usize, &(u32, u32))| Step {
            path: format!("/{depth}").into(),
            owner: *owner,
            mode: *mode,
            is_dir: true,
        };
        let steps: Vec<Step> = way.iter().enumerate().map(step).collect();
        judge(&steps, &[SERVICE]).map_err(|doubt| doubt.to_string())
    }

    #[test]
    fn only_roots_and_trusted_directories_on_the_whole_way_will_do() {
        let root = (0, 0o755);
        assert_eq!(verdict(&[root, root, root]), Ok(()));
        assert_eq!(verdict(&[root, root, (SERVICE, 0o750)]), Ok(()));
        let foreign = |way: &[(u32, u32)]| verdict(way).unwrap_err().contains("user 1001");
        assert!(foreign(&[root, root, (STRANGER, 0o755)]));
        assert!(foreign(&[root, (STRANGER, 0o755), root]));
        for mode in [0o775, 0o757, 0o777, 0o1777] {
            let open = verdict(&[root, root, (0, mode)]).unwrap_err();
            assert!(open.contains("write to /2"), "{open}");
        }
    }

    #[test]
    fn a_sticky_directory_is_as_good_as_what_stands_in_it() {
        let (root, tmp) = ((0, 0o755), (0, 0o1777));
        assert_eq!(verdict(&[root, tmp, (SERVICE, 0o755)]), Ok(()));
        assert!(verdict(&[root, tmp, (STRANGER, 0o755)]).is_err());
        assert!(verdict(&[root, (0, 0o777), (SERVICE, 0o755)]).is_err());
    }

    #[test]
    fn a_link_on_the_way_is_no_directory() {
        let dir = tempfile::tempdir().unwrap();
        let me = rustix::process::geteuid().as_raw();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::create_dir(&real).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&real, &link).unwrap();
        assert!(check(&real, &[me]).is_ok(), "{:?}", check(&real, &[me]));
        assert!(matches!(check(&link, &[me]), Err(Doubt::NoDirectory(path)) if path == link));
        let nowhere = dir.path().join("nowhere");
        assert!(matches!(check(&nowhere, &[me]), Err(Doubt::Unseen { .. })));
        assert!(matches!(
            check(Path::new("run"), &[me]),
            Err(Doubt::Relative(_))
        ));
    }
}
