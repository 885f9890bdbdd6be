//! HTTP/1.1 on loopback and on a Unix socket.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinSet;

use crate::desk::{Desk, Done};
use crate::fault::{self, Abort, LabBody, Reset};
use crate::gate::{Gates, Phase};
use crate::request::Call;

/// The largest request body that is read.
const MAX_BODY: usize = 8 << 20;
/// The most connections that are served at a time.
const MAX_CONNECTIONS: usize = 2048;

/// What all connections share.
pub(crate) struct Shared {
    desk: Mutex<Desk>,
    pub(crate) gates: Gates,
}

impl Shared {
    pub(crate) fn new(desk: Desk) -> Self {
        Self {
            desk: Mutex::new(desk),
            gates: Gates::default(),
        }
    }

    /// The desk; a panic in a test's closure doesn't close it for the others.
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until it is dropped.
pub(crate) async fn run(tcp: TcpListener, unix: Option<UnixListener>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        let wire = tokio::select! {
            accepted = tcp.accept() => accepted.map(|(stream, peer)| {
                // Without it, small answers in two writes wait for a delayed ACK.
                let _ = stream.set_nodelay(true);
                (Stream::Tcp(stream), peer.ip().to_string())
            }),
            accepted = accept(unix.as_ref()) => {
                accepted.map(|stream| (Stream::Unix(stream), "local".to_owned()))
            }
        };
        // An accept fails for one connection only (or for lack of descriptors): go on.
        if let Ok((stream, peer)) = wire {
            connections.spawn(connection(stream, peer, shared.clone()));
        }
    }
}

async fn accept(unix: Option<&UnixListener>) -> io::Result<UnixStream> {
    match unix {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => poll_fn(|_| Poll::Pending).await,
    }
}

async fn connection(stream: Stream, peer: String, shared: Arc<Shared>) {
    let reset = Reset::default();
    let wire = Wire {
        stream,
        reset: reset.clone(),
    };
    let service =
        service_fn(move |request| answer(request, peer.clone(), shared.clone(), reset.clone()));
    // A client that breaks off is its own business.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(wire), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    peer: String,
    shared: Arc<Shared>,
    reset: Reset,
) -> Result<Response<LabBody>, Abort> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map_err(|_| Abort)?
        .to_bytes();
    let call = Call::new(parts, body, peer);
    if call.path.starts_with("/_lab/") {
        let response = shared.desk().by_hand(&call);
        return Ok(response.map(|bytes| fault::body(None, bytes, &reset)));
    }
    let visit = Visit::begin(&shared, &call);
    let fault = shared.desk().faults.take(&call);
    if let Err(abort) = fault::before_head(fault.as_ref(), &reset).await {
        shared.desk().keep(&call, 0);
        return Err(abort);
    }
    shared.gates.pass(&call, Phase::BeforeRead).await;
    let Done { response } = shared.desk().answer(&call, fault.as_ref(), visit.open);
    shared.gates.pass(&call, Phase::AfterRead).await;
    fault::after_read(fault.as_ref()).await;
    let (mut parts, bytes) = response.into_parts();
    if call.method == http::Method::HEAD {
        return Ok(Response::from_parts(
            parts,
            fault::body(None, Bytes::new(), &reset),
        ));
    }
    if parts.status != 304 && parts.status != 204 {
        parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    }
    let body = fault::body(fault.as_ref(), bytes, &reset);
    Ok(Response::from_parts(parts, body))
}

/// Counts a request as open until its answer is handed over or its client is gone.
struct Visit<'a> {
    shared: &'a Shared,
    token: String,
    bucket: String,
    open: u64,
}

impl<'a> Visit<'a> {
    fn begin(shared: &'a Shared, call: &Call) -> Self {
        let (token, bucket, open) = shared.desk().open(call);
        Self {
            shared,
            token,
            bucket,
            open,
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.shared.desk().close(&self.token, &self.bucket);
    }
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// A connection that can end with a reset (RST) instead of a FIN.
struct Wire {
    stream: Stream,
    reset: Reset,
}

impl Wire {
    fn check(&self) -> io::Result<()> {
        if self.reset.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if let (Stream::Tcp(stream), true) = (&self.stream, self.reset.load(Ordering::SeqCst)) {
            // Closing with zero linger sends RST; if it fails, the client sees a FIN.
            let _ = stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        match &mut self.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
