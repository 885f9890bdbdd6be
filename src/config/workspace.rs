//! The files of a workspace, which the author of a pull request writes.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::document::LARGEST;
use super::{Environment, env};

/// The folder of a workspace that has our files.
pub(super) const FOLDER: &str = ".github";
/// Our files in it.
pub(super) const NAMES: [&str; 2] = ["cache-config.yml", "p2p-config.yml"];

/// The checkout of the job, or else of the working directory.
pub(super) fn find(environment: &Environment, working_dir: &Path) -> Option<PathBuf> {
    environment
        .absolute(env::GITHUB_WORKSPACE)
        .or_else(|| git_root(working_dir))
}

/// The nearest directory at or above `working_dir` that has a `.git`: a folder, or in worktrees and
/// submodules a file. What is in it is not looked at.
fn git_root(working_dir: &Path) -> Option<PathBuf> {
    let is_root = |dir: &&Path| dir.join(".git").symlink_metadata().is_ok();
    working_dir.ancestors().find(is_root).map(Path::to_owned)
}

/// The bytes of one of our files, if it is there. No link is followed on the way from the workspace to
/// it: the file at the end could be anywhere on the machine, and errors would tell about it.
pub(super) fn read(workspace: &Path, name: &str) -> Result<Option<Vec<u8>>, String> {
    let dir = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // A link is as good as anything for the workspace itself: the runner makes it.
    let root = rustix::fs::open(workspace, dir, Mode::empty());
    let Some(root) = there(root, "the workspace")? else {
        return Ok(None);
    };
    let folder = rustix::fs::openat(&root, FOLDER, dir | OFlags::NOFOLLOW, Mode::empty());
    let Some(folder) = there(folder, "the folder .github")? else {
        return Ok(None);
    };
    // Without waiting for the other end of a pipe.
    let file =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&folder, name, file, Mode::empty());
    let Some(file) = there(file, "the file")? else {
        return Ok(None);
    };
    let file = File::from(file);
    let found = file.metadata().map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("not a regular file".to_owned());
    }
    at_most(file).map(Some)
}

/// The bytes of a file that somebody named; `<(program)` of a shell will do, too.
pub(super) fn read_named(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    at_most(file)
}

fn at_most(file: File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("larger than {} KiB", LARGEST >> 10));
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot be read: {error}")
}

/// What was opened, or nothing if it is not there.
fn there(opened: Result<OwnedFd, Errno>, what: &str) -> Result<Option<OwnedFd>, String> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(format!(
            "{what} is a symbolic link or of another kind; links in a workspace are not followed"
        )),
        // A socket, or a device without a driver.
        Err(Errno::NXIO | Errno::NODEV) => Err("not a regular file".to_owned()),
        Err(error) => Err(unreadable(&error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn workspace() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FOLDER)).unwrap();
        dir
    }

    fn put(path: &Path, bytes: &[u8]) {
        crate::files::write_atomic(path, bytes).unwrap();
    }

    #[test]
    fn the_workspace_is_the_jobs_or_else_the_checkout_around_us() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let nothing = Environment::default();
        put(&dir.path().join(".git"), b"gitdir: elsewhere");
        assert_eq!(find(&nothing, &deep).as_deref(), Some(dir.path()));
        fs::create_dir(dir.path().join("a/.git")).unwrap();
        assert_eq!(find(&nothing, &deep), Some(dir.path().join("a")));
        let job = Environment::from_pairs(&[("GITHUB_WORKSPACE", "/w")]);
        assert_eq!(find(&job, &deep), Some("/w".into()));
        // Relative to what? Not an answer that a runner gives.
        let odd = Environment::from_pairs(&[("GITHUB_WORKSPACE", "w")]);
        assert_eq!(find(&odd, &deep), Some(dir.path().join("a")));
    }

    #[test]
    fn a_file_is_read_and_a_missing_one_is_none() {
        let dir = workspace();
        assert_eq!(read(dir.path(), NAMES[0]), Ok(None));
        put(&dir.path().join(FOLDER).join(NAMES[0]), b"cache: {}");
        assert_eq!(read(dir.path(), NAMES[0]), Ok(Some(b"cache: {}".to_vec())));
        assert_eq!(read(&dir.path().join("nowhere"), NAMES[0]), Ok(None));
    }

    #[test]
    fn what_is_no_file_of_the_workspace_is_refused_without_waiting() {
        let outside = tempfile::tempdir().unwrap();
        put(&outside.path().join(NAMES[0]), b"secret: yes");
        let dir = workspace();
        let file = dir.path().join(FOLDER).join(NAMES[0]);
        let reason = || read(dir.path(), NAMES[0]).unwrap_err();

        symlink(outside.path().join(NAMES[0]), &file).unwrap();
        assert!(reason().contains("link"), "{}", reason());
        fs::remove_file(&file).unwrap();

        fs::create_dir(&file).unwrap();
        assert!(reason().contains("regular"), "{}", reason());
        fs::remove_dir(&file).unwrap();

        let pipe = rustix::fs::mknodat(
            rustix::fs::CWD,
            &file,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        );
        pipe.unwrap();
        assert!(reason().contains("regular"), "{}", reason());
        fs::remove_file(&file).unwrap();

        let _socket = std::os::unix::net::UnixListener::bind(&file).unwrap();
        assert!(reason().contains("regular"), "{}", reason());
        fs::remove_file(&file).unwrap();

        put(&file, &vec![b'#'; usize::try_from(LARGEST).unwrap() + 1]);
        assert!(reason().contains("1024 KiB"), "{}", reason());

        fs::remove_dir_all(dir.path().join(FOLDER)).unwrap();
        symlink(outside.path(), dir.path().join(FOLDER)).unwrap();
        assert!(reason().contains("link"), "{}", reason());
    }

    #[test]
    fn a_named_file_that_never_ends_is_not_read_to_its_end() {
        let reason = read_named(Path::new("/dev/zero")).unwrap_err();
        assert!(reason.contains("larger"), "{reason}");
        assert!(
            read_named(Path::new("/nowhere"))
                .unwrap_err()
                .contains("No such file")
        );
    }
}
