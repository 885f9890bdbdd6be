//! Facts about files, directories and what they lie on.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rustix::fs::Access;

use super::super::permissions::{Key, Place, There};
use super::super::{disk, socket};
use crate::time::Timestamp;

/// As much of the end of a log as is read.
const TAIL: u64 = 64 << 10;
/// Directory entries that are looked at, at most: a store has many files.
const ENTRIES: usize = 20_000;

/// The end of a log, as far as it is text.
pub(super) fn tail(path: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// What is at a socket's path; `answers` is whether somebody answered there.
pub(super) fn at_socket(path: &Path, answers: Result<bool, String>) -> socket::There {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => socket::There::Nothing,
        Ok(found) if !found.file_type().is_socket() => socket::There::Other,
        Ok(found) => socket::There::Socket {
            mode: found.mode() & 0o7777,
            owner: found.uid(),
            answers,
        },
        // A parent that is a file, or that we may not enter: the check of the directory says so.
        Err(_) => socket::There::Nothing,
    }
}

pub(super) fn folder(path: &Path) -> Option<socket::Folder> {
    let found = fs::metadata(path).ok()?;
    Some(socket::Folder {
        mode: found.mode() & 0o7777,
        owner: found.uid(),
    })
}

/// One of our directories.
pub(super) fn place(what: &'static str, path: &Path, me: u32) -> Place {
    let there = match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => There::Link,
        Ok(found) if !found.is_dir() => There::File,
        Ok(found) => There::Directory {
            mode: found.mode() & 0o7777,
            owner: found.uid(),
            writable: may_write(path),
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            There::Hidden(error.to_string())
        }
        Err(_) => There::Nothing {
            creatable: existing(path).map_or(Ok(()), |parent| {
                if parent.is_dir() {
                    may_write(parent)
                } else {
                    Err(format!("{} is not a directory", parent.display()))
                }
            }),
        },
    };
    let open = |parent: fs::Metadata| parent.mode() & 0o002 != 0 && parent.mode() & 0o1000 == 0;
    let parent = path.parent().and_then(|parent| fs::metadata(parent).ok());
    let foreign = match there {
        There::Directory { owner, .. } if owner == me => entries(path, 2)
            .find_map(|(path, found)| (found.uid() != me).then(|| (path, found.uid()))),
        _ => None,
    };
    Place {
        what,
        path: path.to_owned(),
        there,
        replaceable: parent.is_some_and(open),
        foreign,
        filesystem: existing(path).and_then(filesystem),
    }
}

/// Whether we may make and remove files in a directory, by its mode and by how it is mounted.
fn may_write(directory: &Path) -> Result<(), String> {
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(directory, wanted).map_err(|error| io::Error::from(error).to_string())
}

/// `path` or the nearest of its parents that is there.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| fs::metadata(path).is_ok())
}

fn filesystem(path: &Path) -> Option<u64> {
    let found = rustix::fs::statfs(path).ok()?;
    u64::try_from(found.f_type).ok()
}

pub(super) fn key(path: &Path) -> Key {
    match fs::symlink_metadata(path) {
        Err(_) => Key::Absent,
        Ok(found) if !found.is_file() => Key::Other,
        Ok(found) => Key::File {
            mode: found.mode() & 0o7777,
            owner: found.uid(),
            length: found.len(),
        },
    }
}

/// The room on the file system of a directory that is there or will be.
pub(super) fn room(what: &'static str, path: &Path) -> Option<disk::Place> {
    let found = rustix::fs::statvfs(existing(path)?).ok()?;
    Some(disk::Place {
        what,
        path: path.display().to_string(),
        free: found.f_bavail.saturating_mul(found.f_frsize),
        inodes: (found.f_files > 0).then_some(found.f_favail),
    })
}

/// The bytes of all files below a directory.
pub(super) fn size(directory: &Path) -> u64 {
    entries(directory, 8)
        .filter(|(_, found)| found.is_file())
        .map(|(_, found)| found.len())
        .sum()
}

/// When the youngest file right in a directory was written.
pub(super) fn youngest(directory: &Path) -> Option<Timestamp> {
    let written = |found: fs::Metadata| {
        let since = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Timestamp::EPOCH.plus(since))
    };
    entries(directory, 1)
        .filter_map(|(_, found)| written(found))
        .max()
}

/// What is in a directory, `depth` levels deep; links are not followed.
fn entries(directory: &Path, depth: usize) -> impl Iterator<Item = (PathBuf, fs::Metadata)> {
    let mut waiting = vec![(directory.to_owned(), depth)];
    let mut open: Option<(fs::ReadDir, usize)> = None;
    std::iter::from_fn(move || {
        loop {
            if let Some((list, depth)) = &mut open {
                if let Some(entry) = list.find_map(Result::ok) {
                    let path = entry.path();
                    let Ok(found) = fs::symlink_metadata(&path) else {
                        continue;
                    };
                    if found.is_dir() && *depth > 1 {
                        waiting.push((path.clone(), *depth - 1));
                    }
                    return Some((path, found));
                }
                open = None;
            }
            let (next, depth) = waiting.pop()?;
            open = fs::read_dir(next).ok().map(|list| (list, depth));
        }
    })
    .take(ENTRIES)
}
