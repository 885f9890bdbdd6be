//! An origin that behaves as its paths say.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Bytes of what streams.
pub(crate) const BIG: usize = 64 << 20;

/// What the origin has seen, and a door that tests hold shut.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    pub(crate) gate: Arc<Notify>,
    pub(crate) arrived: Arc<Notify>,
}

impl Origin {
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Origin {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            gate: Arc::default(),
            arrived: Arc::default(),
        };
        let shared = origin.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(stream));
            }
        });
        origin
    }

    async fn serve(self, stream: TcpStream) {
        let service = hyper::service::service_fn(move |request| {
            let origin = self.clone();
            async move { Ok::<_, Infallible>(origin.play(request).await) }
        });
        let builder = hyper::server::conn::http1::Builder::new();
        // A client that goes away is part of the play.
        let _ = builder
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    fn note(&self, request: &Request<Incoming>, target: &str) {
        let mut line = format!("{} {target}", request.method());
        for name in [
            "transfer-encoding",
            "content-length",
            "connection",
            "expect",
            "x-hop",
        ] {
            if let Some(value) = request.headers().get(name) {
                line = format!("{line} {name}={}", value.to_str().unwrap());
            }
        }
        self.seen.lock().unwrap().push(line);
        self.arrived.notify_one();
    }

    /// The end of the path says what happens.
    async fn play(&self, request: Request<Incoming>) -> Response<OriginBody> {
        let target = request.uri().path_and_query().unwrap().to_string();
        self.note(&request, &target);
        let path = request.uri().path().to_owned();
        let zip = |left, cut| reply("application/zip", Stream { left, cut }.boxed_unsync());
        match path.rsplit('/').next().unwrap_or_default() {
            "big" => sized(zip(BIG, false)),
            "chunks" => zip(1 << 20, false),
            "cut" => sized(zip(1 << 20, true)),
            "cut-chunks" => zip(1 << 20, true),
            "waits" => {
                self.gate.notified().await;
                json(&format!("{{\"at\":\"{target}\"}}"))
            }
            "moved" => Response::builder()
                .status(302)
                .header(
                    "location",
                    format!("http://{}/repositories/1", self.address),
                )
                .header("keep-alive", "timeout=5")
                .body(full(""))
                .unwrap(),
            "none" => Response::builder().status(204).body(full("")).unwrap(),
            "refuses" => Response::builder().status(413).body(full("{}")).unwrap(),
            "graphql" if !is_long(&request) => json("{\"data\":{}}"),
            _ if request.method() == "POST" => sum(request.into_body()).await,
            // A body that does not fit behind its head.
            "long" => json(&format!("{{\"at\":\"{}\"}}", "x".repeat(100_000))),
            last => {
                let url = format!("https://api.github.com{path}");
                let mut response = json(&format!("{{\"url\":\"{url}\",\"at\":\"{target}\"}}"));
                if last == "issues" {
                    let next = format!("<http://{}{path}?page=2>; rel=\"next\"", self.address);
                    response.headers_mut().insert("link", next.parse().unwrap());
                }
                response
            }
        }
    }
}

type OriginBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// Whether a document carries more than a question.
fn is_long(request: &Request<Incoming>) -> bool {
    let length = request.headers().get("content-length");
    length.is_none_or(|length| length.len() > 5)
}

/// What an upload came to.
async fn sum(mut body: Incoming) -> Response<OriginBody> {
    let (mut bytes, mut sum) = (0, 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return json("{}") };
        let data = frame.into_data().unwrap_or_default();
        bytes += data.len();
        sum = data
            .iter()
            .fold(sum, |sum: u64, &byte| sum + u64::from(byte));
    }
    json(&format!("{{\"bytes\":{bytes},\"sum\":{sum}}}"))
}

fn sized(mut response: Response<OriginBody>) -> Response<OriginBody> {
    response.headers_mut().insert("content-length", BIG.into());
    response
}

fn full(text: &str) -> OriginBody {
    Full::new(Bytes::copy_from_slice(text.as_bytes()))
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn reply(kind: &str, body: OriginBody) -> Response<OriginBody> {
    Response::builder()
        .header("content-type", kind)
        .body(body)
        .unwrap()
}

fn json(text: &str) -> Response<OriginBody> {
    let etag = format!("W/\"{:064x}\"", text.len());
    let mut response = reply("application/json; charset=utf-8", full(text));
    for (name, value) in [
        ("etag", etag.as_str()),
        ("cache-control", "private, max-age=60"),
    ] {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Zeros, and then the end or an error.
struct Stream {
    left: usize,
    cut: bool,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        if self.left == 0 {
            return Poll::Ready(self.cut.then(|| Err(std::io::Error::other("cut"))));
        }
        let count = self.left.min(ZEROS.len());
        self.left -= count;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS[..count])))))
    }
}
