//! Large bodies as sealed files in memory, which the kernel sends without copying them.
//!
//! The pages of such a file are in flight as long as a slow client likes, so a file is written once
//! and sealed, and never used for another body: nobody can be sent what was written for somebody else.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

/// Bodies from this size on: for less, copying costs no more than the second call.
const LEAST: usize = 32 << 10;
/// Bodies up to this size.
const MOST: usize = 1 << 20;
/// Bytes of all files together. As many again of bodies are kept alive by their files.
const ALL: usize = 8 << 20;

/// The files of one daemon, the last used at the end.
#[derive(Default)]
pub(super) struct SealedFiles {
    // A std mutex: held while a body is compared with a few, or written to memory.
    held: Mutex<VecDeque<Held>>,
}

struct Held {
    /// Kept, so that no other body can be at its place in memory.
    body: Bytes,
    file: Arc<OwnedFd>,
}

impl SealedFiles {
    /// The file with the bytes of `body`, for one that is asked for again and again. It may be closed
    /// when others are: then the body itself is still there. `None` where a file would not help.
    pub(super) fn of(&self, body: &Bytes) -> Option<Weak<OwnedFd>> {
        if !(LEAST..=MOST).contains(&body.len()) {
            return None;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held
            .iter()
            .position(|held| held.body.as_ptr() == body.as_ptr());
        let found = match known.and_then(|at| held.remove(at)) {
            Some(found) if found.body.len() == body.len() => found,
            _ => Held {
                // No file, no matter: the body is sent as it is.
                file: Arc::new(sealed(body).ok()?),
                body: body.clone(),
            },
        };
        let file = Arc::downgrade(&found.file);
        held.push_back(found);
        while held.iter().map(|held| held.body.len()).sum::<usize>() > ALL {
            held.pop_front();
        }
        Some(file)
    }
}

#[cfg(target_os = "linux")]
fn sealed(body: &[u8]) -> io::Result<OwnedFd> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use std::io::Write as _;

    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = std::fs::File::from(memfd_create("body", flags)?);
    file.write_all(body)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
fn sealed(_: &[u8]) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends from `file`, beginning at `offset`.
#[cfg(target_os = "linux")]
pub(super) fn send_file(
    socket: impl std::os::fd::AsFd,
    file: &OwnedFd,
    offset: usize,
    count: usize,
) -> io::Result<usize> {
    let mut offset = offset as u64;
    Ok(rustix::fs::sendfile(
        socket,
        file,
        Some(&mut offset),
        count,
    )?)
}

/// Never called where there are no files.
#[cfg(not(target_os = "linux"))]
pub(super) fn send_file(
    _: impl std::os::fd::AsFd,
    _: &OwnedFd,
    _: usize,
    _: usize,
) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends `head`, which is not worth a packet of its own: a file follows.
pub(super) fn send_head(socket: impl std::os::fd::AsFd, head: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};

    #[cfg(target_os = "linux")]
    let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
    #[cfg(not(target_os = "linux"))]
    let flags = SendFlags::empty();
    Ok(send(socket, head, flags)?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_body_has_one_file_until_others_need_the_room() {
        let files = SealedFiles::default();
        let body = Bytes::from(vec![b'x'; MOST]);
        let first = files.of(&body).unwrap();
        assert!(Weak::ptr_eq(&first, &files.of(&body).unwrap()));
        for _ in 0..ALL / MOST {
            assert!(first.upgrade().is_some());
            files.of(&Bytes::from(vec![b'y'; MOST])).unwrap();
        }
        assert!(first.upgrade().is_none());
        assert!(files.of(&Bytes::from(vec![b'z'; LEAST - 1])).is_none());
        assert!(files.of(&Bytes::from(vec![b'z'; MOST + 1])).is_none());
    }

    #[test]
    fn a_file_has_the_bytes_and_can_never_have_others() {
        let body: Vec<u8> = (0..=255).cycle().take(LEAST).collect();
        let file = sealed(&body).unwrap();
        let (here, mut there) = UnixStream::pair().unwrap();
        assert_eq!(send_file(&here, &file, 10, LEAST).unwrap(), LEAST - 10);
        let mut came = vec![0; LEAST - 10];
        there.read_exact(&mut came).unwrap();
        assert_eq!(came, body[10..]);
        assert!(rustix::io::pwrite(&file, b"z", 0).is_err());
    }
}
