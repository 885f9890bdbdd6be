//! What a keeper and its daemon say to each other, and the pair of sockets that they say it over.
//!
//! A datagram is one message: `version, kind, entrance, 0…0, id` in 16 bytes, and for
//! [`Message::Park`] the bytes of the request with the client's socket beside them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use zeroize::Zeroizing;

/// The longest request that is parked, in bytes of its head, its body and what came behind it.
pub const MAX_REQUEST: usize = 64 << 10;

/// Both sides run the same binary, except when it was replaced in between.
const VERSION: u8 = 1;
const HEADER: usize = 16;
const READY: u8 = 1;
const PARK: u8 = 2;
const RELEASE: u8 = 3;

/// The listener that a client came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The client's port.
    Tcp,
    /// The Unix socket.
    Unix,
}

/// A client that waits for an answer, and all that was read of it.
#[derive(Debug)]
pub struct Parked {
    /// How it came in.
    pub entrance: Entrance,
    /// Its request, and what it has sent behind that. There are credentials in it.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Its socket.
    pub socket: OwnedFd,
}

impl Parked {
    /// Whether the client has left. One that only ended its own side counts as gone: on TCP the two
    /// cannot be told apart, and asking GitHub for nobody would cost more than the rare client that
    /// closes half of a connection.
    pub fn is_gone(&self) -> bool {
        let mut byte = [0];
        match rustix::net::recv(
            &self.socket,
            &mut byte,
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        ) {
            Ok((count, _)) => count == 0,
            Err(error) => error != Errno::AGAIN,
        }
    }
}

/// One message.
#[derive(Debug)]
pub enum Message {
    /// A daemon serves, and speaks this version: it can be handed what waits.
    Ready,
    /// To the keeper: hold this, in case we die. To the daemon: answer this, another could not.
    Park(u64, Parked),
    /// A client to be parked, but no descriptor was left for its socket.
    Lost(u64),
    /// To the keeper: the answer begins, so it must not be begun again.
    Release(u64),
}

/// One end of the line.
#[derive(Debug)]
pub struct Line {
    socket: UnixDatagram,
    // Room for the longest message. A std mutex: nobody waits while holding it.
    room: Mutex<Box<[u8]>>,
}

impl Line {
    /// Must be called in a runtime.
    pub fn new(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: UnixDatagram::from_std(socket)?,
            room: Mutex::new(vec![0; HEADER + MAX_REQUEST].into()),
        })
    }

    /// Says that we serve.
    pub(super) fn ready(&self) -> io::Result<()> {
        self.send_now(&header(READY, 0, 0), [&[]; 2], None)
    }

    /// Parks a client whose request is `bytes`, in two pieces.
    pub(super) fn park(
        &self,
        id: u64,
        entrance: Entrance,
        bytes: [&[u8]; 2],
        socket: BorrowedFd<'_>,
    ) -> io::Result<()> {
        self.send_now(&header(PARK, entrance as u8, id), bytes, Some(socket))
    }

    /// Releases a client, if there is room for the message.
    pub(super) fn try_release(&self, id: u64) -> io::Result<()> {
        self.send_now(&header(RELEASE, 0, id), [&[]; 2], None)
    }

    /// Releases a client when there is room for the message.
    pub(super) async fn release(&self, id: u64) -> io::Result<()> {
        let send = || self.try_release(id);
        self.socket.async_io(Interest::WRITABLE, send).await
    }

    /// Hands a client to a daemon. Nothing was sent if the future is dropped.
    pub async fn hand_over(&self, id: u64, parked: &Parked) -> io::Result<()> {
        let send = || {
            let socket = parked.socket.as_fd();
            self.park(id, parked.entrance, [&parked.bytes, &[]], socket)
        };
        self.socket.async_io(Interest::WRITABLE, send).await
    }

    /// The next message; `None` for one that makes no sense. Nothing is lost if the future is dropped.
    pub async fn receive(&self) -> io::Result<Option<Message>> {
        let receive = || self.try_receive();
        self.socket.async_io(Interest::READABLE, receive).await
    }

    /// The next message, if it is there already.
    pub fn try_receive(&self) -> io::Result<Option<Message>> {
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut room)];
        let flags = RecvFlags::DONTWAIT;
        let received = recvmsg(&self.socket, &mut slices, &mut control, flags)?;
        let mut socket = None;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(sockets) = message {
                socket = sockets.last();
            }
        }
        if let Some(socket) = &socket {
            // A process that is started must not keep a client's connection open.
            fcntl_setfd(socket, FdFlags::CLOEXEC)?;
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Ok(None);
        }
        Ok(read(&room[..received.bytes], socket))
    }

    fn send_now(
        &self,
        header: &[u8; HEADER],
        [first, second]: [&[u8]; 2],
        socket: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let slices = [header, first, second].map(IoSlice::new);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let sockets = socket.as_slice();
        if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
            return Err(io::Error::other("no room for a socket"));
        }
        sendmsg(&self.socket, &slices, &mut control, SendFlags::DONTWAIT)?;
        Ok(())
    }
}

fn header(kind: u8, entrance: u8, id: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..3].copy_from_slice(&[VERSION, kind, entrance]);
    header[8..].copy_from_slice(&id.to_le_bytes());
    header
}

fn read(bytes: &[u8], socket: Option<OwnedFd>) -> Option<Message> {
    let (header, bytes) = bytes.split_first_chunk::<HEADER>()?;
    let (&[version, kind, entrance], id) = (header.first_chunk()?, header.last_chunk()?);
    let id = u64::from_le_bytes(*id);
    match (version, kind, socket) {
        (VERSION, READY, _) => Some(Message::Ready),
        (VERSION, RELEASE, _) => Some(Message::Release(id)),
        (VERSION, PARK, None) => Some(Message::Lost(id)),
        (VERSION, PARK, Some(socket)) => {
            let entrance = [Entrance::Tcp, Entrance::Unix]
                .into_iter()
                .find(|known| *known as u8 == entrance)?;
            let bytes = Zeroizing::new(bytes.to_vec());
            let parked = Parked {
                entrance,
                bytes,
                socket,
            };
            Some(Message::Park(id, parked))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    fn lines() -> (Line, Line) {
        let (one, other) = UnixDatagram::pair().unwrap();
        (Line::new(one).unwrap(), Line::new(other).unwrap())
    }

    #[tokio::test]
    async fn a_socket_goes_over_with_its_bytes() {
        let (daemon, keeper) = lines();
        let (mut client, server) = UnixStream::pair().unwrap();
        let bytes = [b"GET / ".as_slice(), b"HTTP/1.1\r\n\r\n"];
        daemon
            .park(7, Entrance::Unix, bytes, server.as_fd())
            .unwrap();
        drop(server);
        let Some(Message::Park(7, parked)) = keeper.receive().await.unwrap() else {
            panic!("not parked");
        };
        assert_eq!(parked.entrance, Entrance::Unix);
        assert_eq!(parked.bytes.as_slice(), b"GET / HTTP/1.1\r\n\r\n");
        assert!(!parked.is_gone());
        UnixStream::from(parked.socket).write_all(b"hello").unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert_eq!(said, "hello");
    }

    #[tokio::test]
    async fn the_longest_request_goes_over_whole() {
        let (daemon, keeper) = lines();
        let (_client, server) = UnixStream::pair().unwrap();
        let longest = vec![b'x'; MAX_REQUEST];
        let bytes = [longest.as_slice(), b""];
        daemon
            .park(1, Entrance::Tcp, bytes, server.as_fd())
            .unwrap();
        let Some(Message::Park(1, parked)) = keeper.receive().await.unwrap() else {
            panic!("not parked");
        };
        assert_eq!(*parked.bytes, longest);
    }

    #[tokio::test]
    async fn who_has_left_is_gone() {
        let (daemon, keeper) = lines();
        let (client, server) = UnixStream::pair().unwrap();
        daemon
            .park(1, Entrance::Tcp, [b"", b""], server.as_fd())
            .unwrap();
        drop(client);
        let Some(Message::Park(1, parked)) = keeper.receive().await.unwrap() else {
            panic!("not parked");
        };
        assert!(parked.is_gone());
    }

    #[tokio::test]
    async fn a_full_line_says_so_and_a_broken_one_too() {
        let (daemon, keeper) = lines();
        let full = loop {
            if let Err(error) = daemon.try_release(1) {
                break error;
            }
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        while keeper.try_receive().is_ok() {}
        daemon.release(2).await.unwrap();
        drop(keeper);
        assert_ne!(
            daemon.try_release(3).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        let socket = || Some(OwnedFd::from(UnixStream::pair().unwrap().0));
        assert!(read(&header(PARK, 1, 1), socket()).is_some());
        let lost = read(&header(PARK, 1, 1), None);
        assert!(matches!(lost, Some(Message::Lost(1))), "{lost:?}");
        assert!(read(&header(PARK, 2, 1), socket()).is_none());
        assert!(read(&header(9, 0, 1), None).is_none());
        assert!(read(&[2; HEADER], socket()).is_none());
        assert!(read(b"", None).is_none());
    }
}
