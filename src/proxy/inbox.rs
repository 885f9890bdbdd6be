//! What was read from a connection and not used yet.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes a connection holds at rest.
const RESTING: usize = 4 << 10;
/// Bytes read at once while a body comes in.
const STREAMING: usize = 16 << 10;

/// A buffer that is read into at its end and used up from its beginning.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Forgets the first `count` bytes.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Puts `bytes` back before everything else.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let all = [bytes, self.filled()].concat();
            (self.start, self.end) = (0, all.len());
            self.bytes = all;
        }
    }

    /// Waits for the next head without holding room for it: connections at rest are many.
    pub(super) fn poll_wake<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
    ) -> Poll<io::Result<usize>> {
        self.bytes = Vec::new();
        (self.start, self.end) = (0, 0);
        let mut first = [0; RESTING];
        let mut room = ReadBuf::new(&mut first);
        ready!(Pin::new(reader).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        if count > 0 {
            self.bytes = first.to_vec();
            self.end = count;
        }
        Poll::Ready(Ok(count))
    }

    /// Gives back what a large message needed.
    pub(super) fn rest(&mut self) {
        if self.is_empty() && self.bytes.len() > STREAMING {
            self.bytes = Vec::new();
        }
    }

    /// Reads more of a head; the buffer grows to at most about twice `limit`.
    pub(super) fn poll_fill<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        self.make_room(RESTING, limit);
        self.poll_read(cx, reader)
    }

    /// Reads more of a body.
    pub(super) fn poll_stream<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
    ) -> Poll<io::Result<usize>> {
        self.make_room(STREAMING, STREAMING);
        self.poll_read(cx, reader)
    }

    fn make_room(&mut self, least: usize, limit: usize) {
        if self.bytes.len() < least {
            self.bytes.resize(least, 0);
        }
        if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == self.bytes.len() && self.end <= limit {
                self.bytes.resize(self.end * 2, 0);
            }
        }
    }

    fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
    ) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(&mut self.bytes[self.end..]);
        ready!(Pin::new(reader).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(inbox: &mut Inbox, mut from: &[u8]) -> usize {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match inbox.poll_fill(&mut cx, &mut from, 32 << 10) {
            Poll::Ready(Ok(count)) => count,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_used_makes_room_for_what_comes() {
        let mut inbox = Inbox::default();
        assert_eq!(fill(&mut inbox, b"GET / first"), 11);
        inbox.consume(6);
        assert_eq!(fill(&mut inbox, b" second"), 7);
        assert_eq!(inbox.filled(), b"first second");
        inbox.put_back(b"the ");
        assert_eq!(inbox.filled(), b"the first second");
        assert_eq!(fill(&mut inbox, b"!"), 1);
        assert_eq!(inbox.filled(), b"the first second!");
    }

    #[test]
    fn nothing_is_held_while_nothing_comes() {
        let mut inbox = Inbox::default();
        fill(&mut inbox, b"one");
        inbox.consume(3);
        let (mut here, there) = tokio::io::duplex(64);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut there = there;
        assert!(inbox.poll_wake(&mut cx, &mut there).is_pending());
        assert_eq!(inbox.bytes.capacity(), 0);
        let wrote = Pin::new(&mut here);
        assert!(tokio::io::AsyncWrite::poll_write(wrote, &mut cx, b"two").is_ready());
        assert!(inbox.poll_wake(&mut cx, &mut there).is_ready());
        assert_eq!(inbox.filled(), b"two");
        assert_eq!(fill(&mut inbox, b"!"), 1);
        assert_eq!(inbox.filled(), b"two!");
    }

    #[test]
    fn a_long_head_makes_it_grow_to_a_bound() {
        let mut inbox = Inbox::default();
        let mut held = 0;
        loop {
            match fill(&mut inbox, &vec![b'x'; 1 << 20]) {
                0 => break,
                count => held += count,
            }
        }
        assert!((32 << 10..=64 << 10).contains(&held), "{held}");
    }
}
