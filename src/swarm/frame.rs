//! A frame: one question or one answer, as bytes, from the first to the end of its half of the stream.
//!
//! What the bytes mean is decided where they are read ([`super::wire`]), in a task of its own. Here they are only
//! bounded: each by a limit, and the long ones of all peers together by a store of room, so that many streams
//! that send slowly cannot fill memory. Without room a stream ends: to its asker that is a peer that had nothing.

use std::io;
use std::sync::Arc;

use libp2p::StreamProtocol;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::request_response::Codec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::wire::codec::{answer_limit, question_limit};

/// A frame up to this size needs no room: their number is bounded by that of the streams.
const SMALL: usize = 64 << 10;
/// What long frames may hold at once while they arrive or wait to be read, in bytes: all of them, and those of
/// one connection, of which a peer has three at most. So one that sends slowly leaves room for the others.
const ROOM: usize = 96 << 20;
const ROOM_PER_CONNECTION: usize = 24 << 20;
/// Room is taken in pieces of so many bytes.
const PIECE: usize = 64 << 10;
/// The first buffer of a frame: most questions and many answers fit.
const FIRST: usize = 2 << 10;

/// The bytes of a message, and the room that they take.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    /// It brought more than is taken, and was given up: there are no bytes.
    pub(super) oversize: bool,
    _room: Vec<OwnedSemaphorePermit>,
}

impl From<Vec<u8>> for Frame {
    /// A frame of our own: whoever made it has bounded it.
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            oversize: false,
            _room: Vec::new(),
        }
    }
}

/// Reads and writes frames.
#[derive(Debug)]
pub(super) struct Frames {
    body_limit: usize,
    room: Arc<Semaphore>,
    /// The room of one connection; none for the original, which belongs to no connection.
    own: Option<Arc<Semaphore>>,
}

impl Clone for Frames {
    /// The behaviour clones the original for each connection, and the connection its clone for each
    /// stream: so streams of one connection share its room, and connections that of all.
    fn clone(&self) -> Self {
        let own = self.own.clone();
        Self {
            body_limit: self.body_limit,
            room: Arc::clone(&self.room),
            own: own.or_else(|| Some(Arc::new(Semaphore::new(ROOM_PER_CONNECTION / PIECE)))),
        }
    }
}

impl Frames {
    /// Frames with bodies of at most `body_limit` bytes.
    pub(super) fn new(body_limit: usize) -> Self {
        Self {
            body_limit,
            room: Arc::new(Semaphore::new(ROOM / PIECE)),
            own: None,
        }
    }

    /// Room for one more piece.
    fn take(&self, taken: &mut Vec<OwnedSemaphorePermit>) -> io::Result<()> {
        for room in self.own.iter().chain([&self.room]) {
            let piece = Arc::clone(room).try_acquire_owned();
            taken.push(piece.map_err(|_| {
                io::Error::new(io::ErrorKind::OutOfMemory, "no room for a long frame")
            })?);
        }
        Ok(())
    }

    /// Reads to the end, as far as `limit` goes for what begins with these two bytes.
    async fn read(
        &self,
        io: &mut (impl AsyncRead + Unpin),
        limit: fn([u8; 2], usize) -> usize,
    ) -> io::Result<Frame> {
        let mut bytes = vec![0; FIRST];
        let mut filled = 0;
        let (mut room, mut taken) = (Vec::new(), 0);
        loop {
            let count = io.read(&mut bytes[filled..]).await?;
            filled += count;
            let limit = limit([bytes[0], bytes[1]], self.body_limit);
            if filled > limit {
                return Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    "oversize frame",
                ));
            }
            if count == 0 {
                bytes.truncate(filled);
                return Ok(Frame {
                    bytes,
                    oversize: false,
                    _room: room,
                });
            }
            if filled == bytes.len() {
                // It grows with what has arrived, never with what somebody says will arrive; and one byte over
                // the limit, so that a frame of exactly the limit shows its end.
                let next = (filled * 2).min(filled + 4 * PIECE).min(limit + 1);
                let pieces = next.saturating_sub(SMALL).div_ceil(PIECE);
                for _ in taken..pieces {
                    self.take(&mut room)?;
                }
                taken = taken.max(pieces);
                bytes.resize(next, 0);
            }
        }
    }
}

/// Whether a stream was given up because it brought more than is taken.
pub(super) fn is_oversize(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::FileTooLarge
}

async fn write(io: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    io.write_all(&frame.bytes).await?;
    io.close().await
}

impl Codec for Frames {
    type Protocol = StreamProtocol;
    type Request = Frame;
    type Response = Frame;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
    where
        T: AsyncRead + Unpin + Send,
    {
        match self.read(io, question_limit).await {
            // The exchange tells nobody of a question that could not be read, and this one has to be told of.
            Err(error) if is_oversize(&error) => Ok(Frame {
                oversize: true,
                ..Frame::default()
            }),
            read => read,
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Frame>
    where
        T: AsyncRead + Unpin + Send,
    {
        self.read(io, answer_limit).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Frame,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        frame: Frame,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &frame).await
    }
}

#[cfg(test)]
mod tests {
    use libp2p::futures::io::Cursor;

    use super::*;

    /// Reads `bytes` where a body is taken if they begin with an 8, else 1,000.
    async fn read(frames: &Frames, bytes: &[u8]) -> io::Result<Frame> {
        let limit = |head: [u8; 2], body| if head[0] == 8 { body } else { 1_000 };
        frames.read(&mut Cursor::new(bytes), limit).await
    }

    #[tokio::test]
    async fn a_frame_of_the_limit_is_read_and_one_byte_more_is_not() {
        let frames = Frames::new(300_000);
        for length in [0, 1, FIRST, FIRST + 1, SMALL, SMALL + 1, 300_000] {
            let bytes = vec![8; length];
            assert_eq!(read(&frames, &bytes).await.unwrap().bytes, bytes);
        }
        let over = read(&frames, &vec![8; 300_001]).await.unwrap_err();
        assert!(is_oversize(&over));
        assert!(read(&frames, &[7; 1_000]).await.is_ok());
        assert!(read(&frames, &[7; 1_001]).await.is_err());
    }

    #[tokio::test]
    async fn long_frames_share_room_and_give_it_back() {
        const LONG: usize = ROOM_PER_CONNECTION / 2;
        let original = Frames::new(LONG);
        let bytes = vec![8; LONG];
        let mut held = Vec::new();
        for _ in 0..ROOM / ROOM_PER_CONNECTION {
            let connection = original.clone();
            held.push(read(&connection, &bytes).await.unwrap());
            held.push(read(&connection.clone(), &bytes).await.unwrap());
            let none = read(&connection.clone(), &bytes).await.unwrap_err();
            assert_eq!(none.kind(), io::ErrorKind::OutOfMemory);
        }
        let late = original.clone();
        assert!(read(&late, &bytes).await.is_err());
        assert!(read(&late, &[7; 1_000]).await.is_ok());
        held.pop();
        assert!(read(&late, &bytes).await.is_ok());
    }
}
