//! A client's socket, and how long we wait for it.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::Shutdown;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep};

use super::sealed;

/// What a connection runs over.
pub(super) trait Wire: AsyncRead + AsyncWrite + AsFd + Unpin + Send + 'static {
    /// Makes the coming close look like a failure, so that a message that ends with the connection
    /// is not taken for complete.
    fn abort(&self);

    /// Ends the connection for everybody who has a duplicate of the socket.
    fn cut(&self) {
        // Fails only where nothing is connected any more.
        let _ = rustix::net::shutdown(self, Shutdown::Both);
    }

    /// Sends the start of a head that a file follows.
    fn poll_send_head(&mut self, cx: &mut Context<'_>, head: &[u8]) -> Poll<io::Result<usize>>;

    /// Sends of `file` from `offset` on.
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &OwnedFd,
        offset: usize,
        count: usize,
    ) -> Poll<io::Result<usize>>;
}

/// Both kinds of sockets have these methods, and no trait has them.
macro_rules! sends_files {
    () => {
        fn poll_send_head(&mut self, cx: &mut Context<'_>, head: &[u8]) -> Poll<io::Result<usize>> {
            loop {
                ready!(self.poll_write_ready(cx))?;
                match self.try_io(Interest::WRITABLE, || sealed::send_head(&*self, head)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    sent => return Poll::Ready(sent),
                }
            }
        }

        fn poll_send_file(
            &mut self,
            cx: &mut Context<'_>,
            file: &OwnedFd,
            offset: usize,
            count: usize,
        ) -> Poll<io::Result<usize>> {
            loop {
                ready!(self.poll_write_ready(cx))?;
                let send = || sealed::send_file(&*self, file, offset, count);
                match self.try_io(Interest::WRITABLE, send) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    sent => return Poll::Ready(sent),
                }
            }
        }
    };
}

impl Wire for TcpStream {
    sends_files!();

    fn abort(&self) {
        // A reset instead of an end. When it cannot be had, the length of the message still tells.
        let _ = self.set_zero_linger();
    }
}

impl Wire for UnixStream {
    sends_files!();

    fn abort(&self) {}
}

/// A deadline that is moved far more often than it passes.
///
/// Moving a timer costs more than the rest of a hit, so the timer is left where it is as long as it
/// rings too early: then it is looked at again.
#[derive(Debug, Default)]
pub(super) struct Patience {
    sleep: Option<Pin<Box<Sleep>>>,
    until: Option<Instant>,
}

impl Patience {
    /// Something moved: the next wait begins anew.
    pub(super) fn moved(&mut self) {
        self.until = None;
    }

    /// Whether the wait that began with the first call since [`Patience::moved`] has taken `limit`.
    pub(super) fn is_over(&mut self, cx: &mut Context<'_>, limit: Duration) -> bool {
        let until = *self.until.get_or_insert_with(|| Instant::now() + limit);
        self.is_past(cx, until)
    }

    /// Whether `until` has passed; if not, the task is woken then.
    pub(super) fn is_past(&mut self, cx: &mut Context<'_>, until: Instant) -> bool {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= until {
                return true;
            }
            sleep.as_mut().reset(until);
        }
        false
    }
}

/// Writes `head` and then `body`, in as few calls as the socket allows.
///
/// # Errors
/// When the socket fails, or takes nothing for `limit`.
pub(super) async fn write_all<W: Wire>(
    wire: &mut W,
    mut head: &[u8],
    mut body: &[u8],
    patience: &mut Patience,
    limit: Duration,
) -> io::Result<()> {
    std::future::poll_fn(|cx| {
        while !head.is_empty() || !body.is_empty() {
            let written = match (head, body) {
                (head, []) => Pin::new(&mut *wire).poll_write(cx, head),
                ([], body) => Pin::new(&mut *wire).poll_write(cx, body),
                (head, body) => {
                    let both = [IoSlice::new(head), IoSlice::new(body)];
                    Pin::new(&mut *wire).poll_write_vectored(cx, &both)
                }
            };
            let count = ready!(bounded(written, cx, patience, limit))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = count.min(head.len());
            head = &head[of_head..];
            body = &body[count - of_head..];
        }
        Poll::Ready(Ok(()))
    })
    .await
}

/// Writes `head` and then `file`, which has the bytes of `body`.
///
/// # Errors
/// As [`write_all`].
pub(super) async fn write_file<W: Wire>(
    wire: &mut W,
    mut head: &[u8],
    (file, body): (&OwnedFd, &[u8]),
    patience: &mut Patience,
    limit: Duration,
) -> io::Result<()> {
    let mut offset = 0;
    let sent: io::Result<()> = std::future::poll_fn(|cx| {
        while offset < body.len() {
            let in_head = !head.is_empty();
            let sent = if in_head {
                wire.poll_send_head(cx, head)
            } else {
                wire.poll_send_file(cx, file, offset, body.len() - offset)
            };
            match ready!(bounded(sent, cx, patience, limit))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count if in_head => head = &head[count..],
                count => offset += count,
            }
        }
        Poll::Ready(Ok(()))
    })
    .await;
    match sent {
        // A system that cannot send files says so at once (sendfile(2), EINVAL and ENOSYS).
        Err(error)
            if offset == 0
                && matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
        {
            write_all(wire, head, body, patience, limit).await
        }
        sent => sent,
    }
}

/// `polled`, or an error when it has been pending for `limit`.
pub(super) fn bounded<T>(
    polled: Poll<io::Result<T>>,
    cx: &mut Context<'_>,
    patience: &mut Patience,
    limit: Duration,
) -> Poll<io::Result<T>> {
    match polled {
        Poll::Pending if patience.is_over(cx, limit) => {
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        }
        Poll::Pending => Poll::Pending,
        moved @ Poll::Ready(_) => {
            patience.moved();
            moved
        }
    }
}

/// How long, and for how many bytes, a client may go on sending after our last answer.
const LINGER: (Duration, u64) = (Duration::from_secs(2), 1 << 20);

/// Ends a connection whose client may still be sending. Closing at once would reset the connection,
/// and the client would lose the answer that it has not read yet (RFC 9112, section 9.6).
pub(super) async fn linger<W: Wire>(mut wire: W) {
    let (time, bytes) = LINGER;
    let drain = async {
        wire.shutdown().await?;
        tokio::io::copy(&mut (&mut wire).take(bytes), &mut tokio::io::sink()).await
    };
    // Nothing is left to be said to a client that does not read.
    let _ = tokio::time::timeout(time, drain).await;
}
