//! One request through hyper: what the front does not answer itself.
//!
//! hyper brings chunked coding in both directions, `100 Continue`, HTTP/1.0 and backpressure. It sees
//! one message ([`MessageIo`]) and then gives the connection back.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::forward::Outgoing;
use super::head::Framing;
use super::inbox::Inbox;
use super::message::{Limits, MessageIo, Progress};
use super::parking::Fate;
use super::wire::Wire;

/// How an exchange left the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Ready for the next request.
    Idle,
    /// Finished; the client may still be sending.
    Closed {
        /// Whether it is.
        unread: bool,
    },
    /// Broken off in the middle of a message.
    Broken,
}

/// Answers the request that `inbox` begins with by `answer`.
pub(super) async fn exchange<W, F, A>(
    wire: W,
    inbox: Inbox,
    message: (usize, Framing),
    fate: Fate,
    limits: Limits,
    answer: F,
) -> (W, Inbox, End)
where
    W: Wire,
    F: Fn(Request<Incoming>, Arc<Progress>) -> A,
    A: Future<Output = Response<Outgoing>> + Send + 'static,
{
    let progress = Arc::new(Progress::default());
    let io = MessageIo::new(wire, inbox, message, fate, limits, progress.clone());
    let service = service_fn(|request| {
        let answer = answer(request, progress.clone());
        Box::pin(async move { Ok::<_, std::convert::Infallible>(answer.await) })
    });
    let mut connection = http1::Builder::new()
        .half_close(true)
        // The head is complete already; the front has waited for it.
        .header_read_timeout(None)
        .serve_connection(io, service);
    let end = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(End::Closed { unread: false }),
        Poll::Ready(Err(error)) => {
            tracing::debug!(%error, "an exchange broke off");
            Poll::Ready(End::Broken)
        }
        Poll::Pending if progress.is_done() => Poll::Ready(End::Idle),
        Poll::Pending => Poll::Pending,
    })
    .await;
    let parts = connection.into_parts();
    let end = match end {
        End::Closed { .. } => End::Closed {
            unread: parts.io.has_unread(),
        },
        end => end,
    };
    let MessageIo {
        wire, mut inbox, ..
    } = parts.io;
    // hyper only had the bytes of this message; should it hold some back, they come first.
    inbox.put_back(&parts.read_buf);
    (wire, inbox, end)
}
