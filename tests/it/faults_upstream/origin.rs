//! An origin that writes what a story tells it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use url::Url;

/// A raw origin on loopback, and how often it was asked.
pub(super) struct Origin {
    pub(super) url: Url,
    pub(super) asked: Arc<AtomicUsize>,
}

impl Origin {
    /// Does with each connection what `serve` says. The number counts connections from 0.
    pub(super) fn connections<F, A>(serve: F) -> Self
    where
        F: Fn(Line, usize) -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        // Small buffers: else the kernel alone holds megabytes, and hides what we do.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        socket.set_send_buffer_size(64 << 10).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let listener = socket.listen(128).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut number = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let line = Line {
                    stream,
                    asked: Arc::clone(&counter),
                };
                tokio::spawn(serve(line, number));
                number += 1;
            }
        });
        Self {
            url: url.parse().unwrap(),
            asked,
        }
    }

    /// Answers the first request with `first`, to the byte, and then ends the connection; all others
    /// are answered well.
    pub(super) fn once(first: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        let (first, used) = (Arc::new(first), Arc::new(AtomicUsize::new(0)));
        Self::connections(move |mut line, _| {
            let (first, used) = (Arc::clone(&first), Arc::clone(&used));
            async move {
                while line.head().await.is_some() {
                    if used.fetch_add(1, SeqCst) == 0 {
                        line.write(first.as_ref().as_ref()).await;
                        // Read to the end, so that the close is no reset that eats the answer.
                        line.end().await;
                        return;
                    }
                    line.write(GOOD).await;
                }
            }
        })
    }

    pub(super) fn count(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

/// A good answer, on a connection that stays.
pub(super) const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
    Cache-Control: private, max-age=60\r\nContent-Length: 11\r\n\r\n{\"good\": 1}";

/// The body of [`GOOD`].
pub(super) const GOOD_BODY: &str = "{\"good\": 1}";

/// A connection of the daemon, at its origin.
pub(super) struct Line {
    pub(super) stream: TcpStream,
    asked: Arc<AtomicUsize>,
}

impl Line {
    /// Reads a request's head, and its body if it has a length; `None` at the end.
    pub(super) async fn head(&mut self) -> Option<String> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            bytes.push(self.stream.read_u8().await.ok()?);
        }
        self.asked.fetch_add(1, SeqCst);
        let head = String::from_utf8(bytes).unwrap();
        let lower = head.to_ascii_lowercase();
        if let Some((_, rest)) = lower.split_once("content-length: ") {
            let length: usize = rest.lines().next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.ok()?;
        }
        Some(head)
    }

    /// Writes, as far as somebody reads.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Ends the connection well.
    pub(super) async fn end(mut self) {
        let _ = self.stream.shutdown().await;
        self.gone().await;
    }

    /// Waits until the daemon has closed its end.
    pub(super) async fn gone(&mut self) {
        let mut rest = [0; 4096];
        while self.stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }

    /// Ends the connection with a reset.
    pub(super) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}
