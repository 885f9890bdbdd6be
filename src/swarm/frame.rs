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
/// What long frames may hold at once while they arrive or wait to be read, in bytes.
const ROOM: usize = 64 << 20;
/// Room is taken in pieces of so many bytes.
const PIECE: usize = 64 << 10;
/// The first buffer of a frame: most questions and many answers fit.
const FIRST: usize = 2 << 10;

/// The bytes of a message, and the room that they take.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) bytes: Vec<u8>,
    _room: Vec<OwnedSemaphorePermit>,
}

impl From<Vec<u8>> for Frame {
    /// A frame of our own: whoever made it has bounded it.
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            _room: Vec::new(),
        }
    }
}

/// Reads and writes frames. Clones share their room.
#[derive(Debug, Clone)]
pub(super) struct Frames {
    body_limit: usize,
    room: Arc<Semaphore>,
}

impl Frames {
    /// Frames with bodies of at most `body_limit` bytes.
    pub(super) fn new(body_limit: usize) -> Self {
        Self {
            body_limit,
            room: Arc::new(Semaphore::new(ROOM / PIECE)),
        }
    }

    /// Reads to the end, as far as `limit` goes for what begins with these two bytes.
    async fn read(
        &self,
        io: &mut (impl AsyncRead + Unpin),
        limit: fn([u8; 2], usize) -> usize,
    ) -> io::Result<Frame> {
        let mut bytes = vec![0; FIRST];
        let mut filled = 0;
        let mut room = Vec::new();
        loop {
            let count = io.read(&mut bytes[filled..]).await?;
            filled += count;
            let limit = limit([bytes[0], bytes[1]], self.body_limit);
            if filled > limit {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "oversize frame"));
            }
            if count == 0 {
                bytes.truncate(filled);
                return Ok(Frame { bytes, _room: room });
            }
            if filled == bytes.len() {
                // It grows with what has arrived, never with what somebody says will arrive; and one byte over
                // the limit, so that a frame of exactly the limit shows its end.
                let next = (filled * 2).min(filled + 4 * PIECE).min(limit + 1);
                let pieces = next.saturating_sub(SMALL).div_ceil(PIECE);
                while room.len() < pieces {
                    let piece = Arc::clone(&self.room).try_acquire_owned();
                    room.push(piece.map_err(|_| {
                        io::Error::new(io::ErrorKind::OutOfMemory, "no room for a long frame")
                    })?);
                }
                bytes.resize(next, 0);
            }
        }
    }
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
        self.read(io, question_limit).await
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
        let over = read(&frames, &[8; 300_001]).await.unwrap_err();
        assert_eq!(over.kind(), io::ErrorKind::InvalidData);
        assert!(read(&frames, &[7; 1_000]).await.is_ok());
        assert!(read(&frames, &[7; 1_001]).await.is_err());
    }

    #[tokio::test]
    async fn long_frames_share_room_and_give_it_back() {
        let frames = Frames::new(ROOM);
        let long = vec![8; ROOM / 3];
        let held = [
            read(&frames, &long).await.unwrap(),
            read(&frames, &long).await.unwrap(),
        ];
        let third = read(&frames, &long).await;
        assert!(third.is_ok());
        let none = read(&frames, &long).await.unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::OutOfMemory);
        assert!(read(&frames, &[8; SMALL]).await.is_ok());
        drop((held, third));
        assert!(read(&frames, &long).await.is_ok());
    }
}
