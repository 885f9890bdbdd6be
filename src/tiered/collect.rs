//! Bodies taken in whole: as much of them, and for as long, as is allowed, and with their coding undone.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt as _;

use super::prefixed::Prefixed;
use crate::github::Body;

/// What came of collecting a body.
pub(super) enum Collected {
    /// All of it.
    Whole(Bytes),
    /// Longer than the limit: what was read, and the rest.
    Long(Body),
    /// Not all there in time: what was read, and the rest.
    Slow(Body),
    /// It broke off.
    Broken(reqwest::Error),
}

/// Reads at most `limit` bytes, for at most `time`.
pub(super) async fn collect(mut body: Body, limit: usize, time: Duration) -> Collected {
    let mut over = std::pin::pin!(tokio::time::sleep(time));
    let mut held = Start::default();
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = &mut over => return Collected::Slow(held.before(body)),
        };
        match frame {
            None => return Collected::Whole(held.whole()),
            Some(Err(error)) => return Collected::Broken(error),
            Some(Ok(frame)) => {
                let Ok(chunk) = frame.into_data() else {
                    continue;
                };
                held.add(chunk);
                if held.len() > limit {
                    return Collected::Long(held.before(body));
                }
            }
        }
    }
}

/// The start of a body. From the second chunk on it is copied: a chunk can be one byte of a buffer of
/// many, and all of that stays while the chunk does.
#[derive(Default)]
struct Start {
    first: Bytes,
    more: Vec<u8>,
}

impl Start {
    fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }

    fn add(&mut self, chunk: Bytes) {
        if self.len() == 0 {
            self.first = chunk;
            return;
        }
        if self.more.is_empty() {
            self.more
                .extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.more.extend_from_slice(&chunk);
    }

    fn whole(mut self) -> Bytes {
        if self.more.is_empty() {
            return self.first;
        }
        // What is kept is counted by its length.
        self.more.shrink_to_fit();
        self.more.into()
    }

    fn before(self, rest: Body) -> Body {
        Body::wrap(Prefixed::new(self.whole(), rest))
    }
}

/// The identity form of a body; `None` when its coding is not ours to undo, or it is longer than
/// `limit` once undone.
pub(super) fn decoded(headers: &HeaderMap, body: &Bytes, limit: usize) -> Option<Bytes> {
    use std::io::Read as _;

    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Some(body.clone());
    };
    if codings.next().is_some() {
        return None;
    }
    if coding.as_bytes().eq_ignore_ascii_case(b"identity") {
        return Some(body.clone());
    }
    if !coding.as_bytes().eq_ignore_ascii_case(b"gzip") {
        return None;
    }
    let mut plain = Vec::with_capacity(body.len().saturating_mul(4).min(limit));
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = flate2::read::MultiGzDecoder::new(&body[..])
        .take(bound)
        .read_to_end(&mut plain);
    (read.is_ok() && plain.len() <= limit).then(|| plain.into())
}
