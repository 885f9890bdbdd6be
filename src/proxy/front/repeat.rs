//! A connection's last request, for when the same one comes again.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use zeroize::Zeroizing;

use super::{Body, Connection, Step};
use crate::proxy::sealed::SealedFiles;
use crate::proxy::wire::Wire;
use crate::proxy::{Service, log};
use crate::tiered::Basis;
use crate::time::Timestamp;

/// Heads longer than this are not remembered: they are rare, and connections are many.
const REMEMBERED: usize = 2 << 10;
/// Bodies up to this size are copied behind their head and leave with it; a copy of more costs more
/// than the second part of a vectored write.
pub(super) const COPIED: usize = 16 << 10;

/// What came last, and from the second time on how memory answered it.
#[derive(Default)]
pub(super) struct Repeat {
    /// The whole head. It has a credential in it.
    request: Zeroizing<Vec<u8>>,
    answer: Option<Answer>,
}

struct Answer {
    basis: Basis,
    head: Box<[u8]>,
    has_body: bool,
    file: Option<Weak<OwnedFd>>,
}

impl Repeat {
    /// Whether the head `request` is what came last. It is from now on.
    pub(super) fn is(&mut self, request: &[u8]) -> bool {
        let same = *self.request == request;
        if !same {
            self.answer = None;
            self.request.clear();
            if request.len() <= REMEMBERED {
                self.request.extend_from_slice(request);
            }
        }
        same
    }

    /// Keeps how it was answered.
    pub(super) fn keep(
        &mut self,
        basis: Basis,
        head: &[u8],
        body: Option<&Bytes>,
        files: &SealedFiles,
    ) {
        self.answer = (head.len() <= REMEMBERED).then(|| Answer {
            basis,
            head: head.into(),
            has_body: body.is_some(),
            file: body.and_then(|body| files.of(body)),
        });
    }
}

impl<W: Wire> Connection<W> {
    /// Answers the next request, if it is the last one again and has the same answer.
    pub(super) fn repeat(&mut self, now: Timestamp) -> Option<Step> {
        let answer = self.last.answer.as_ref()?;
        let came = self.inbox.filled();
        let whole_way = self.shared.is_draining() || log::is_wanted();
        if !came.starts_with(&self.last.request) || whole_way {
            return None;
        }
        let (Service::Tiered(tiered), Some(caller)) = (self.shared.service(), &self.caller) else {
            return None;
        };
        let body = tiered.again(&answer.basis, caller, now)?;
        self.outbox.extend_from_slice(&answer.head);
        let file = answer.file.as_ref().and_then(Weak::upgrade);
        let body = answer.has_body.then_some(&body);
        self.inbox.consume(self.last.request.len());
        (self.searched, self.begun) = (0, None);
        Some(attach(&mut self.outbox, body, file, false))
    }
}

/// Puts a body behind its head, which is in the outbox.
pub(super) fn attach(
    outbox: &mut Vec<u8>,
    body: Option<&Bytes>,
    file: Option<Arc<OwnedFd>>,
    close: bool,
) -> Step {
    match body {
        Some(body) if body.len() > COPIED => Step::Body {
            body: Body {
                bytes: body.clone(),
                file,
            },
            close,
        },
        Some(body) => {
            outbox.extend_from_slice(body);
            Step::Answered { close }
        }
        None => Step::Answered { close },
    }
}
