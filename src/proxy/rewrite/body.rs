//! Addresses inside JSON bodies.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::Rewriter;
use crate::github::Body;
use crate::proxy::forward::Outgoing;

impl Rewriter<'_> {
    /// `json` with the API's addresses in the values of keys that end in `url` made ours; `None` when
    /// there are none. Nothing else changes, not even a space.
    pub(in crate::proxy) fn body(&mut self, json: &[u8]) -> Option<Bytes> {
        let mut out = Vec::new();
        let mut kept = 0;
        let mut at = 0;
        while let Some(start) = next_value(json, at) {
            at = start;
            let end = json[start..].iter().position(|&byte| byte == b'"')? + start;
            let Ok(url) = std::str::from_utf8(&json[start..end]) else {
                continue;
            };
            if let Some((prefix, used)) = self.moved(url) {
                out.extend_from_slice(&json[kept..start]);
                out.extend_from_slice(prefix.as_bytes());
                kept = start + used;
            }
            at = end;
        }
        if kept == 0 {
            return None;
        }
        out.extend_from_slice(&json[kept..]);
        Some(out.into())
    }
}

/// Where the string begins that is the value of the next key ending in `url`, from `at` on.
///
/// `url"` followed by a colon can only be the end of a key: inside a string the quote would have a
/// backslash before it, and what ends in a quote before a colon is no value.
fn next_value(json: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let quote = json[at..].iter().position(|&byte| byte == b'"')? + at;
        at = quote + 1;
        if !json[..quote].ends_with(b"url") {
            continue;
        }
        let after_space = |from: usize| {
            json[from..]
                .iter()
                .position(|byte| !byte.is_ascii_whitespace())
                .map(|gap| from + gap)
        };
        let Some(colon) = after_space(at).filter(|&colon| json[colon] == b':') else {
            continue;
        };
        if let Some(open) = after_space(colon + 1).filter(|&open| json[open] == b'"') {
            return Some(open + 1);
        }
    }
}

/// A body that was to be held.
pub(in crate::proxy) enum Held {
    /// All of it.
    Whole(Bytes),
    /// It is longer than the limit, or takes too long: its beginning, and the rest still to come.
    Longer(Bytes, Body),
}

/// The longest that a client waits for a body to be rewritten. A slower one comes as it is: better
/// with GitHub's addresses than not at all.
const HOLD: Duration = Duration::from_secs(30);

/// Collects `body` up to `limit` bytes.
pub(in crate::proxy) async fn hold(mut body: Body, limit: usize) -> Result<Held, reqwest::Error> {
    let mut held = BytesMut::new();
    let mut over = std::pin::pin!(tokio::time::sleep(HOLD));
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = &mut over => return Ok(Held::Longer(held.freeze(), body)),
        };
        let Some(frame) = frame else {
            return Ok(Held::Whole(held.freeze()));
        };
        if let Ok(data) = frame?.into_data() {
            held.extend_from_slice(&data);
        }
        if held.len() > limit {
            return Ok(Held::Longer(held.freeze(), body));
        }
    }
}

/// The body that [`hold`] gave up on, whole again.
pub(in crate::proxy) fn rejoin(start: Bytes, rest: Body) -> Outgoing {
    Rejoined {
        start: Some(start),
        rest,
    }
    .map_err(Into::into)
    .boxed_unsync()
}

struct Rejoined {
    start: Option<Bytes>,
    rest: Body,
}

impl HttpBody for Rejoined {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        match self.start.take() {
            Some(start) => Poll::Ready(Some(Ok(Frame::data(start)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.start.as_ref().map_or(0, |start| start.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + held);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + held);
        }
        hint
    }
}
