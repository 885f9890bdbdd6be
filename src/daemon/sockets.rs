//! Listening sockets: bound here, or handed over by a keeper or by systemd.

use std::fs::Permissions;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;

use listenfd::ListenFd;

use super::Error;
use crate::files;
use crate::proxy::Listeners;

/// Binds the sockets of a daemon. Whoever calls this holds the lock of the state directory, so a
/// socket file that nobody answers at is what a killed daemon left.
pub fn bind(listen: SocketAddr, socket: &Path) -> Result<Listeners, Error> {
    if !listen.ip().is_loopback() {
        return Err(Error::NotLoopback(listen));
    }
    let tcp = tcp(listen)?;
    let unix = unix(socket).map_err(|source| Error::Listen {
        address: socket.display().to_string(),
        source,
    })?;
    let admin = self::tcp(SocketAddr::new(listen.ip(), 0))?;
    Ok(Listeners {
        tcp,
        unix: Some(unix),
        admin: Some(admin),
    })
}

fn tcp(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).map_err(|source| Error::Listen {
        address: address.to_string(),
        source,
    })
}

fn unix(path: &Path) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent()
        && !parent.exists()
    {
        files::private_dir(parent).map_err(io::Error::other)?;
    }
    if let Ok(there) = std::fs::symlink_metadata(path) {
        if !there.file_type().is_socket() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "not a socket"));
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "somebody answers there",
            ));
        }
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// What was passed to this process.
#[derive(Debug)]
pub struct Inherited {
    /// Listening sockets, if any.
    pub listeners: Option<Listeners>,
    /// The line to our keeper.
    pub keeper: Option<UnixDatagram>,
}

/// The sockets that were passed to this process (`LISTEN_FDS`), if any: the first TCP socket is for
/// clients, the second for administration, and one for datagrams leads to our keeper. Clears the variables, so it must be called before there
/// are other threads.
///
/// A keeper does not set `LISTEN_PID`, because it cannot know it before the fork; the check of the
/// process id is for systemd, which does.
pub fn inherited() -> Result<Inherited, Error> {
    let mut passed = ListenFd::from_env();
    let (mut tcp, mut unix, mut admin, mut keeper) = (None, None, None, None);
    for index in 0..passed.len() {
        if let Ok(Some(listener)) = passed.take_unix_listener(index) {
            unix.get_or_insert(listener);
            continue;
        }
        if let Ok(Some(line)) = passed.take_unix_datagram(index) {
            keeper.get_or_insert(line);
            continue;
        }
        let listener = passed
            .take_tcp_listener(index)
            .map_err(|error| Error::Inherited(error.to_string()))?;
        if tcp.is_none() {
            tcp = listener;
        } else if admin.is_none() {
            admin = listener;
        }
    }
    let listeners = match (passed.len(), tcp) {
        (0, _) => None,
        (_, Some(tcp)) => Some(Listeners { tcp, unix, admin }),
        (_, None) => {
            return Err(Error::Inherited(
                "there is no TCP socket among them".to_owned(),
            ));
        }
    };
    Ok(Inherited { listeners, keeper })
}

/// Refuses sockets that other machines can reach, whoever bound them.
pub(super) fn check(listeners: &Listeners) -> Result<(), Error> {
    for listener in [Some(&listeners.tcp), listeners.admin.as_ref()]
        .into_iter()
        .flatten()
    {
        let address = address(listener)?;
        if !address.ip().is_loopback() {
            return Err(Error::NotLoopback(address));
        }
    }
    Ok(())
}

/// Where a socket listens.
pub(super) fn address(listener: &TcpListener) -> Result<SocketAddr, Error> {
    listener
        .local_addr()
        .map_err(|error| Error::Inherited(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_a_killed_daemon_left_is_taken_over_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ghswarm.sock");
        drop(unix(&path).unwrap());
        let second = unix(&path).unwrap();
        assert_eq!(unix(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(second);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(
            unix(&path).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = bind(([0, 0, 0, 0], 0).into(), &dir.path().join("s")).unwrap_err();
        assert!(matches!(error, Error::NotLoopback(_)));
    }
}
