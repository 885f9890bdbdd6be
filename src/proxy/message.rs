//! A connection, cut down to one request for hyper.
//!
//! hyper gets the bytes of one message: the head that the front has judged, and the body up to its
//! end. Then its reads wait for ever. So a pipelined request is never read past the front's judgement,
//! and when hyper asks for more it is done: with a request half read it would still be owed bytes,
//! and half-closed connections are allowed, so it does not look for the client's end in between.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::StatusCode;
use hyper::rt::{Read, ReadBufCursor, Write};

use super::chunked::Scanner;
use super::failure::Refusal;
use super::head::Framing;
use super::inbox::Inbox;
use super::parking::Fate;
use super::wire::{Patience, Wire, bounded};

/// What has happened to a message, told outside of hyper.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// hyper wants the next head: this request is read, its answer is written to hyper's buffer.
    wants_more: AtomicBool,
    /// hyper's buffer went out to the last byte.
    flushed: AtomicBool,
    /// The request's body broke the rules of chunked coding.
    malformed: AtomicBool,
    /// The client paused for too long inside the request's body.
    stalled: AtomicBool,
}

impl Progress {
    /// Whether the connection can be taken back.
    pub(super) fn is_done(&self) -> bool {
        self.wants_more.load(Relaxed) && self.flushed.load(Relaxed)
    }

    /// Why the request's body never came to its end, if the client is to blame.
    pub(super) fn fault(&self) -> Option<Refusal> {
        if self.malformed.load(Relaxed) {
            return Some(Refusal::new(
                StatusCode::BAD_REQUEST,
                "the chunked body is malformed",
            ));
        }
        let stalled = self.stalled.load(Relaxed);
        stalled.then(|| {
            Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request's body took too long",
            )
        })
    }
}

/// What of the message hyper has not read yet.
#[derive(Debug)]
struct Owed {
    head: usize,
    length: u64,
    chunked: Option<Scanner>,
}

impl Owed {
    /// How many of the next bytes, which are in `buffer`, hyper may have. Takes them off.
    fn take(&mut self, buffer: &[u8], room: usize) -> io::Result<usize> {
        let most = buffer.len().min(room);
        if self.head > 0 {
            let count = self.head.min(most);
            self.head -= count;
            return Ok(count);
        }
        if let Some(scanner) = &mut self.chunked {
            return scanner
                .advance(&buffer[..most])
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "malformed chunk"));
        }
        let count = usize::try_from(self.length).map_or(most, |length| length.min(most));
        self.length -= count as u64;
        Ok(count)
    }

    fn is_none(&self) -> bool {
        self.head == 0 && self.length == 0 && self.chunked.as_ref().is_none_or(Scanner::is_done)
    }
}

/// The longest pauses of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// While it sends a body.
    pub(super) read: Duration,
    /// While it takes an answer.
    pub(super) write: Duration,
}

/// A socket that ends, for its reader, where the message ends.
pub(super) struct MessageIo<W> {
    pub(super) wire: W,
    pub(super) inbox: Inbox,
    owed: Owed,
    fate: Fate,
    progress: Arc<Progress>,
    limits: Limits,
    reading: Patience,
    writing: Patience,
}

impl<W: Wire> MessageIo<W> {
    /// `inbox` begins with the head, of `head` bytes.
    pub(super) fn new(
        wire: W,
        inbox: Inbox,
        (head, framing): (usize, Framing),
        fate: Fate,
        limits: Limits,
        progress: Arc<Progress>,
    ) -> Self {
        let (length, chunked) = match framing {
            Framing::Empty => (0, None),
            Framing::Length(length) => (length, None),
            Framing::Chunked => (0, Some(Scanner::new())),
        };
        Self {
            wire,
            inbox,
            owed: Owed {
                head,
                length,
                chunked,
            },
            fate,
            progress,
            limits,
            reading: Patience::default(),
            writing: Patience::default(),
        }
    }

    /// Whether the client has sent, or will send, bytes that nobody is going to read.
    pub(super) fn has_unread(&self) -> bool {
        !self.owed.is_none() || !self.inbox.is_empty()
    }

    /// Ready when the first byte of an answer may be written.
    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answered = ready!(self.fate.poll_answered(cx));
        Poll::Ready(answered.inspect_err(|_| self.wire.cut()))
    }

    fn wrote(
        &mut self,
        polled: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        bounded(polled, cx, &mut self.writing, self.limits.write)
    }
}

impl<W: Wire> Read for MessageIo<W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.owed.is_none() {
            // Nobody wakes this read: whoever polls hyper looks at the progress when it rests.
            this.progress.wants_more.store(true, Relaxed);
            return Poll::Pending;
        }
        if this.inbox.is_empty() {
            let read = this.inbox.poll_stream(cx, &mut this.wire);
            let read = ready!(bounded(read, cx, &mut this.reading, this.limits.read));
            let count = read.inspect_err(|error| {
                let stalled = error.kind() == io::ErrorKind::TimedOut;
                this.progress.stalled.store(stalled, Relaxed);
            })?;
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let filled = this.inbox.filled();
        let count = this.owed.take(filled, into.remaining()).inspect_err(|_| {
            this.progress.malformed.store(true, Relaxed);
        })?;
        this.fate.took(&filled[..count]);
        into.put_slice(&filled[..count]);
        this.inbox.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl<W: Wire> Write for MessageIo<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.progress.flushed.store(false, Relaxed);
        ready!(self.poll_answered(cx))?;
        let polled = Pin::new(&mut self.wire).poll_write(cx, bytes);
        self.wrote(polled, cx)
    }

    /// hyper flushes its socket only when its own buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.owed.is_none() {
            // So hyper rests, and has not written yet what would have closed the fate.
            this.fate.waits(this.inbox.filled(), this.wire.as_fd());
        }
        ready!(Pin::new(&mut this.wire).poll_flush(cx))?;
        this.progress.flushed.store(true, Relaxed);
        Poll::Ready(Ok(()))
    }

    /// The front decides how a connection ends.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.progress.flushed.store(false, Relaxed);
        ready!(self.poll_answered(cx))?;
        let polled = Pin::new(&mut self.wire).poll_write_vectored(cx, bytes);
        self.wrote(polled, cx)
    }
}
