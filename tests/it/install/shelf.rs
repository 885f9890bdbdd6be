//! A server of files that can be told how to fail.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a client gets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// The file.
    Whole,
    /// The file, once so many clients wait for it.
    Together(usize),
    /// The first half of the file, as if that were all.
    Half,
    /// A head that promises the file, half of it, and the end of the connection.
    Broken,
    /// A head that promises the file, half of it, and then a byte now and again.
    Slow,
    /// The end of the connection.
    Hangup,
    /// This status.
    Status(u16),
    /// A page instead of the file, longer than that.
    Page,
}

/// A running server; it ends with its runtime.
pub(super) struct Shelf {
    inner: Arc<Inner>,
    url: String,
}

struct Inner {
    files: Mutex<HashMap<String, Vec<u8>>>,
    answers: Mutex<VecDeque<Answer>>,
    /// The method and target of each request.
    asked: watch::Sender<Vec<String>>,
    /// How many clients went away while they were kept waiting.
    gone: watch::Sender<usize>,
}

impl Shelf {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            files: Mutex::default(),
            answers: Mutex::new([Answer::Whole].into()),
            asked: watch::channel(Vec::new()).0,
            gone: watch::channel(0).0,
        });
        let server = Arc::clone(&inner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&server).serve(stream));
            }
        });
        Self { inner, url }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.inner
            .files
            .lock()
            .unwrap()
            .insert(name.to_owned(), bytes);
    }

    /// Gives these answers, one after the other, and then the last one.
    pub(super) fn answers(&self, answers: &[Answer]) {
        *self.inner.answers.lock().unwrap() = answers.iter().copied().collect();
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.inner.asked.borrow().clone()
    }

    /// Waits until it was asked so often.
    pub(super) async fn was_asked(&self, times: usize) {
        let mut asked = self.inner.asked.subscribe();
        let asked = asked.wait_for(|asked| asked.len() >= times);
        let asked = tokio::time::timeout(super::PATIENCE, asked).await;
        drop(asked.expect("a request").unwrap());
    }

    /// Waits until a client that was kept waiting has gone.
    pub(super) async fn was_left(&self) {
        let mut gone = self.inner.gone.subscribe();
        let gone = gone.wait_for(|gone| *gone > 0);
        let gone = tokio::time::timeout(super::PATIENCE, gone).await;
        drop(gone.expect("an end").unwrap());
    }
}

impl Inner {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let request = head.lines().next().unwrap_or_default();
        let request = request.rsplit_once(' ').unwrap_or_default().0.to_owned();
        let name = request.rsplit('/').next().unwrap_or_default();
        let file = self
            .files
            .lock()
            .unwrap()
            .get(name)
            .cloned()
            .unwrap_or_default();
        let answer = {
            let mut answers = self.answers.lock().unwrap();
            let last = answers.back().copied().unwrap();
            if answers.len() > 1 {
                answers.pop_front().unwrap()
            } else {
                last
            }
        };
        self.asked.send_modify(|asked| asked.push(request));
        // A client may have gone before all was sent.
        let _ = self.answer(&mut stream, answer, &file).await;
    }

    async fn answer(
        &self,
        stream: &mut BufReader<TcpStream>,
        answer: Answer,
        file: &[u8],
    ) -> std::io::Result<()> {
        let half = &file[..file.len() / 2];
        match answer {
            Answer::Whole => send(stream, 200, file.len(), file).await,
            Answer::Together(clients) => {
                let mut asked = self.asked.subscribe();
                drop(asked.wait_for(|asked| asked.len() >= clients).await);
                send(stream, 200, file.len(), file).await
            }
            Answer::Half => send(stream, 200, half.len(), half).await,
            Answer::Broken => send(stream, 200, file.len(), half).await,
            Answer::Slow => {
                send(stream, 200, file.len(), half).await?;
                let mut again = tokio::time::interval(Duration::from_millis(100));
                while stream.write_all(b"x").await.is_ok() && stream.flush().await.is_ok() {
                    again.tick().await;
                }
                self.gone.send_modify(|gone| *gone += 1);
                Ok(())
            }
            Answer::Hangup => Ok(()),
            Answer::Status(status) => send(stream, status, 0, &[]).await,
            Answer::Page => {
                let page = "<p>Log in to this network.</p>\n".repeat(10_000 + file.len());
                send(stream, 200, page.len(), page.as_bytes()).await
            }
        }
    }
}

async fn send(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    length: usize,
    body: &[u8],
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} As told\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}
