//! Files that only their owner can read, written so that nobody ever sees half of one.
//!
//! Directories are 0700, files 0600. Every error names its path.

pub mod place;

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Not through a link, and not waiting for the other end of a pipe that somebody put there.
const NO_FOLLOW: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK);

/// Why a file or a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: "create", "read", …
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A symbolic link, where only the thing itself will do.
    #[error("{} is a symbolic link", .0.display())]
    Symlink(PathBuf),
    /// It is somebody else's.
    #[error("{} belongs to user {owner}", path.display())]
    Owner {
        /// What is.
        path: PathBuf,
        /// Whose user id.
        owner: u32,
    },
    /// Not what its name promises.
    #[error("{} is not {expected}", path.display())]
    Kind {
        /// What is not.
        path: PathBuf,
        /// "a directory", "a regular file", "32 bytes long".
        expected: &'static str,
    },
    /// Another process holds the lock.
    #[error("{} is locked by another process", .0.display())]
    Locked(PathBuf),
    /// It was removed, or another stands in its place.
    #[error("{} was removed", .0.display())]
    Gone(PathBuf),
    /// The system has no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// An error with its causes, in one line, for the log.
pub struct Chain<'a>(pub &'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut causes = std::iter::successors(Some(self.0), |error| error.source());
        causes.try_for_each(|cause| {
            let separator = if std::ptr::addr_eq(cause, self.0) {
                ""
            } else {
                ": "
            };
            write!(f, "{separator}{cause}")
        })
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Makes sure that `path` is a directory of ours that nobody else can enter. Missing parents are made
/// 0700, too; existing ones are left alone.
pub fn private_dir(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(path);
    // Whether it was made or was there, even behind a link, `mkdir -p` does not tell: hence the look.
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(missing) => return Err(io_error("create", path)(made.err().unwrap_or(missing))),
    };
    ours(path, &found)?;
    if !found.is_dir() {
        return Err(Error::Kind {
            path: path.to_owned(),
            expected: "a directory",
        });
    }
    if found.mode() & 0o777 != DIR_MODE {
        let private = Permissions::from_mode(DIR_MODE);
        fs::set_permissions(path, private).map_err(io_error("protect", path))?;
    }
    Ok(())
}

/// Refuses links and what belongs to somebody else.
fn ours(path: &Path, found: &Metadata) -> Result<(), Error> {
    if found.is_symlink() {
        return Err(Error::Symlink(path.to_owned()));
    }
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        return Err(Error::Owner {
            path: path.to_owned(),
            owner: found.uid(),
        });
    }
    Ok(())
}

/// Replaces the file `path` by `bytes` in one step: readers see the old or the new content.
///
/// Without a sync: what is written here can be made again, and after a crash of the machine it is.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let name = path.file_name().ok_or_else(|| Error::Kind {
        path: path.to_owned(),
        expected: "the name of a file",
    })?;
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(Error::Random)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{:016x}.tmp", u64::from_ne_bytes(random)));
    let temporary = path.with_file_name(hidden);

    let written = (|| {
        let mut file = private().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        fs::rename(&temporary, path)
    })();
    written.map_err(|source| {
        // Nobody will ever look for it; if it cannot be removed either, the first error tells more.
        let _ = fs::remove_file(&temporary);
        io_error("write", path)(source)
    })
}

/// A lock between processes, held until it is dropped or its process ends. The file stays.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Holds it until this process ends, whatever is dropped before: who waits for it waits for that end.
    pub fn until_exit(self) {
        let _ = self.file.into_raw_fd();
    }
}

/// Whoever inherits the descriptor holds the lock, too.
impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Takes the lock at `path` without waiting.
pub fn lock(path: &Path) -> Result<Lock, Error> {
    // Not removed afterwards: who deletes a lock's file lets the next one lock another file.
    let file = open(
        private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false),
        path,
    )?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { file }),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
    }
}

/// Takes the lock at `path`, after waiting for about `most`: what is done under it is quick, unless its
/// holder was stopped.
pub fn wait_for_lock(path: &Path, most: Duration) -> Result<Lock, Error> {
    let end = Instant::now() + most;
    loop {
        match lock(path) {
            Err(Error::Locked(_)) if Instant::now() < end => thread::sleep(LOOK_AGAIN),
            taken => return taken,
        }
    }
}

/// How often to look whether a lock is free.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long whoever makes a secret may take.
const SECRET_WAIT: Duration = Duration::from_secs(2);

/// A secret, and how it came about.
#[derive(Debug)]
pub struct Kept {
    /// 32 random bytes.
    pub secret: Zeroizing<[u8; 32]>,
    /// Something else was there: cut off, foreign, or not a file. What was made with the old secret
    /// means nothing any more.
    pub replaced: bool,
}

/// The 32 random bytes at `path`, made by whoever comes first: processes that start together agree.
///
/// What cannot be a secret is replaced, under a lock beside it, so that those who find it at the same
/// time agree on the new one as well. A file is only ever put in place whole.
pub fn read_or_create_secret(path: &Path) -> Result<Kept, Error> {
    if let Found::Secret(secret) = look_for_secret(path)? {
        return Ok(Kept {
            secret,
            replaced: false,
        });
    }
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let _turn = wait_for_lock(Path::new(&lock), SECRET_WAIT)?;
    let replaced = match look_for_secret(path)? {
        Found::Secret(secret) => {
            return Ok(Kept {
                secret,
                replaced: false,
            });
        }
        Found::Nothing => false,
        Found::Rubbish => true,
    };
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice()).map_err(Error::Random)?;
    write_atomic(path, secret.as_slice())?;
    // A secret that is lost with the power makes everything beside it worthless: worth one sync.
    if let Ok(file) = File::open(path) {
        let _ = file.sync_all();
    }
    Ok(Kept { secret, replaced })
}

/// What stands where a secret should.
enum Found {
    Secret(Zeroizing<[u8; 32]>),
    Nothing,
    Rubbish,
}

fn look_for_secret(path: &Path) -> Result<Found, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    match open(private().read(true), path) {
        Ok(file) => file
            .take(33)
            .read_to_end(&mut bytes)
            .map_err(io_error("read", path))?,
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(Found::Nothing);
        }
        // The directory is ours: whatever else lies there can go.
        Err(Error::Symlink(_) | Error::Owner { .. } | Error::Kind { .. }) => {
            return Ok(Found::Rubbish);
        }
        Err(error) => return Err(error),
    };
    Ok(match <[u8; 32]>::try_from(bytes.as_slice()) {
        // What a file system leaves of a file that the power went away from.
        Ok(zeros) if zeros == [0; 32] => Found::Rubbish,
        Ok(secret) => Found::Secret(Zeroizing::new(secret)),
        Err(_) => Found::Rubbish,
    })
}

/// What the regular file at `path` holds, if that is at most `limit` bytes. Never waits, whatever
/// somebody put there.
pub fn read_small(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = private().read(true).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() || found.len() > limit {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "not a file of a sensible size",
        ));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As [`read_small`], for what only its owner may have read.
pub fn read_small_private(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let found = fs::symlink_metadata(path)?;
    if found.mode() & 0o077 != 0 {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            "others could read it",
        ));
    }
    read_small(path, limit)
}

/// Whether files can be made in `directory` now: a read-only file system says no.
pub fn check_writable(directory: &Path) -> Result<(), Error> {
    use rustix::fs::Access;

    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(directory, wanted)
        .map_err(|error| io_error("write into", directory)(error.into()))
}

/// One directory or file, whatever its path leads to later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// What is at `path` now.
    pub fn at(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path)
            .ok()
            .map(|found| Self::of(&found))
    }

    /// Which one `found` describes.
    pub fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// Opens `path` for appending, for its owner alone; makes it if it is missing.
pub fn open_append_private(path: &Path) -> Result<File, Error> {
    open(private().append(true).create(true), path)
}

/// Opens `path` for reading and appending; `None` when there is none.
pub fn open_append_existing(path: &Path) -> Result<Option<File>, Error> {
    match open(private().read(true).append(true), path) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

/// Options for a file that only its owner can read. A link at the end of the path is not followed.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .mode(FILE_MODE)
        .custom_flags(NO_FOLLOW.bits().cast_signed());
    options
}

/// Opens a file that may be there already, and makes sure that it is a regular one, ours and private.
fn open(options: &OpenOptions, path: &Path) -> Result<File, Error> {
    let file = options
        .open(path)
        .map_err(|source| match source.raw_os_error() {
            Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
                Error::Symlink(path.to_owned())
            }
            _ => io_error("open", path)(source),
        })?;
    let found = file.metadata().map_err(io_error("read", path))?;
    ours(path, &found)?;
    if !found.is_file() {
        return Err(Error::Kind {
            path: path.to_owned(),
            expected: "a regular file",
        });
    }
    if found.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(FILE_MODE))
            .map_err(io_error("protect", path))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn directories_are_private_with_their_new_parents() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        private_dir(&path).unwrap();
        assert_eq!((mode(&path), mode(&root.path().join("a"))), (0o700, 0o700));
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        private_dir(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn links_and_files_are_no_private_directories() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        private_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        assert!(matches!(private_dir(&link), Err(Error::Symlink(path)) if path == link));
        symlink(root.path().join("nowhere"), root.path().join("dangling")).unwrap();
        assert!(matches!(
            private_dir(&root.path().join("dangling")),
            Err(Error::Symlink(_))
        ));
        let file = root.path().join("file");
        File::create(&file).unwrap();
        assert!(matches!(private_dir(&file), Err(Error::Kind { .. })));
        let error = private_dir(&file.join("below")).unwrap_err();
        assert!(error.to_string().contains("file/below"), "{error}");
    }

    #[test]
    fn a_file_is_replaced_in_one_step_and_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("ready.json");
        for content in ["old", "new"] {
            write_atomic(&path, content.as_bytes()).unwrap();
            assert_eq!(
                (fs::read_to_string(&path).unwrap().as_str(), mode(&path)),
                (content, 0o600)
            );
        }
        private_dir(&root.path().join("dir")).unwrap();
        write_atomic(&root.path().join("dir"), b"x").unwrap_err();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
        assert!(write_atomic(Path::new("/"), b"x").is_err());
    }

    #[test]
    fn a_lock_has_one_holder_until_it_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("lock");
        let held = lock(&path).unwrap();
        assert!(matches!(lock(&path), Err(Error::Locked(_))));
        drop(held);
        let again = lock(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        again.until_exit();
        assert!(matches!(lock(&path), Err(Error::Locked(_))));
    }

    fn sixteen_at_once(path: &Path) -> Vec<Kept> {
        thread::scope(|scope| {
            let runs: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| read_or_create_secret(path).unwrap()))
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        })
    }

    #[test]
    fn all_who_come_at_once_get_the_same_secret() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("secret");
        let all = sixteen_at_once(&path);
        assert!(
            all.iter()
                .all(|kept| kept.secret == all[0].secret && !kept.replaced)
        );
        assert_ne!(*all[0].secret, [0; 32]);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn what_cannot_be_a_secret_is_replaced_once_for_all() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("secret");
        for rubbish in [&[][..], &[1; 31], &[1; 33], &[0; 32], &[1; 4096]] {
            write_atomic(&path, rubbish).unwrap();
            let all = sixteen_at_once(&path);
            assert!(all.iter().all(|kept| kept.secret == all[0].secret));
            let replaced = all.iter().filter(|kept| kept.replaced).count();
            assert_eq!(replaced, 1, "{} bytes", rubbish.len());
            assert!(!read_or_create_secret(&path).unwrap().replaced);
        }
        let other = root.path().join("other");
        write_atomic(&other, &[1; 32]).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        assert!(read_or_create_secret(&path).unwrap().replaced);
        assert_eq!(fs::read(&other).unwrap(), [1; 32], "what a link led to");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read_or_create_secret(&path).is_err());
    }

    #[test]
    fn only_small_regular_files_are_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        write_atomic(&path, b"four").unwrap();
        assert_eq!(read_small(&path, 4).unwrap(), b"four");
        assert!(read_small(&path, 3).is_err());
        assert!(read_small(root.path(), 1 << 20).is_err());
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(read_small_private(&path, 4).is_err());
    }

    #[test]
    fn what_is_appended_to_becomes_private() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        File::create(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        for line in ["a", "b"] {
            open_append_private(&path)
                .unwrap()
                .write_all(line.as_bytes())
                .unwrap();
        }
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), mode(&path)),
            ("ab", 0o600)
        );
    }
}
