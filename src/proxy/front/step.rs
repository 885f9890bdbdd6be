//! What is done with the next head of a connection. Nothing here waits.

use std::mem::MaybeUninit;
use std::sync::Arc;

use http::{Method, StatusCode};

use super::repeat::{self, Repeat};
use super::{Connection, Step};
use crate::api;
use crate::proxy::date::DateText;
use crate::proxy::failure::Refusal;
use crate::proxy::forward::{self, Job};
use crate::proxy::head::{self, Framing, Head};
use crate::proxy::host::{self, Door, Goal, Place};
use crate::proxy::parking::Repeatable;
use crate::proxy::render::{self, Ending};
use crate::proxy::rewrite::{self, Rewriter};
use crate::proxy::wire::Wire;
use crate::proxy::{Service, Shared, log};
use crate::tiered::{Basis, Caller, Served, Tiered};
use crate::time::Timestamp;

/// Room for the head of an answer; most have about a kilobyte.
const HEAD: usize = 2 << 10;

impl<W: Wire> Connection<W> {
    /// Looks at the next head. What it is answered is in the outbox afterwards.
    pub(super) fn step(&mut self) -> Step {
        let bytes = self.inbox.filled();
        let limit = self.shared.config.head_limit;
        let waits = self.searched > 0 && bytes.len() < limit;
        if bytes.is_empty() || (waits && !has_end(bytes, self.searched)) {
            self.searched = bytes.len();
            return Step::Read;
        }
        let now = self.shared.clock.now();
        if let Some(step) = self.repeat(now) {
            return step;
        }
        let bytes = self.inbox.filled();
        let mut turn = Turn {
            shared: &self.shared,
            door: self.door,
            bytes,
            caller: &mut self.caller,
            last: &mut self.last,
            outbox: &mut self.outbox,
            date: &mut self.date,
            now,
        };
        let mut slots = [const { MaybeUninit::uninit() }; head::MAX_FIELDS];
        let (step, used) = match head::read(bytes, &mut slots, limit) {
            Ok(Some(head)) => (turn.decide(&head), head.len),
            Ok(None) => {
                self.searched = bytes.len();
                return Step::Read;
            }
            Err(refusal) => (turn.refuse(&refusal, false, true), 0),
        };
        (self.searched, self.begun) = (0, None);
        if matches!(step, Step::Answered { .. } | Step::Body { .. }) {
            self.inbox.consume(used);
        }
        step
    }
}

/// Whether an empty line ends somewhere after the first `searched` bytes. So a head that comes byte
/// by byte is not parsed at each of them.
fn has_end(bytes: &[u8], searched: usize) -> bool {
    let from = searched.saturating_sub(3);
    bytes[from..]
        .windows(2)
        .any(|pair| pair == b"\n\n" || pair == b"\n\r")
}

/// What one decision works with.
struct Turn<'c> {
    shared: &'c Arc<Shared>,
    door: Door,
    /// What has come; it begins with the head.
    bytes: &'c [u8],
    caller: &'c mut Option<Caller>,
    last: &'c mut Repeat,
    outbox: &'c mut Vec<u8>,
    date: &'c mut DateText,
    now: Timestamp,
}

impl Turn<'_> {
    fn decide(&mut self, head: &Head<'_>) -> Step {
        let place = match host::judge(self.door, head, &self.shared.client) {
            Ok(Goal::Origin(place)) => place,
            Ok(Goal::Admin(access)) => return Step::Admin((head.len, head.framing), access),
            Err(refusal) => {
                // What follows a body that nobody reads is not the next request.
                let close = head.close
                    || head.framing != Framing::Empty
                    || refusal.status == StatusCode::BAD_REQUEST;
                return self.refuse(&refusal, head.method == "HEAD", close);
            }
        };
        let rewrites_body = rewrite::wants_bodies(
            self.shared.config.rewrite_bodies,
            &place.base,
            head.user_agent,
        );
        let Service::Tiered(tiered) = self.shared.service() else {
            return self.forward(head, place, rewrites_body, None);
        };
        let caller = known(self.caller, tiered, head.authorization);
        let method = match head.method {
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            _ => {
                let caller = caller.clone();
                return self.forward(head, place, rewrites_body, Some(caller));
            }
        };
        if head.plain {
            let fields = head.fields.iter().map(|field| (field.name, field.value));
            let question = api::Head {
                method: &method,
                host: &place.host,
                target: &place.target,
                fields: api::Fields::gather(fields),
            };
            // Worth its while for clients that ask more than twice.
            let again = !head.close && self.last.is(&self.bytes[..head.len]);
            let hit = if again {
                let hit = tiered.peek_with_basis(&question, caller, self.now);
                hit.map(|(served, basis)| (served, Some(basis)))
            } else {
                let hit = tiered.peek(&question, caller, self.now);
                hit.map(|served| (served, None))
            };
            if let Some((served, basis)) = hit {
                let close = head.close || self.shared.is_draining();
                return self.serve(&served, &place, &method, rewrites_body, close, basis);
            }
        }
        let caller = caller.clone();
        self.forward(head, place, rewrites_body, Some(caller))
    }

    /// Writes a hit.
    fn serve(
        &mut self,
        served: &Served,
        place: &Place<'_>,
        method: &Method,
        rewrites_body: bool,
        close: bool,
        basis: Option<Basis>,
    ) -> Step {
        if log::is_wanted() {
            log::hit(method.as_str(), &place.target, served.status, &served.cache);
        }
        let rewritten = (rewrites_body && forward::is_json(served))
            .then(|| {
                let mut rewriter = Rewriter::new(&self.shared.client, &place.base);
                let rewritten = &self.shared.rewritten;
                rewritten.of(&served.body, place.base.api(), || {
                    rewriter.body(&served.body)
                })
            })
            .flatten();
        let body = rewritten.as_ref().unwrap_or(&served.body);
        let ending = Ending {
            length: body.len(),
            close,
            date: self.date.at(self.now),
        };
        let start = self.outbox.len();
        // At once instead of doubling by doubling.
        self.outbox.reserve(HEAD + body.len().min(repeat::COPIED));
        render::head(self.outbox, served, &place.base, ending);
        let has_body = *method != Method::HEAD && served.status != StatusCode::NOT_MODIFIED;
        if let Some(basis) = basis.filter(|_| rewritten.is_none() && !close) {
            let body = has_body.then_some(body);
            self.last
                .keep(basis, &self.outbox[start..], body, &self.shared.files);
        }
        repeat::attach(self.outbox, has_body.then_some(body), None, close)
    }

    fn forward(
        &mut self,
        head: &Head<'_>,
        place: Place<'_>,
        rewrites_body: bool,
        caller: Option<Caller>,
    ) -> Step {
        // hyper reads the head again. What it could not would lose its GitHub-shaped answer.
        if http::Uri::try_from(head.target).is_err()
            || Method::from_bytes(head.method.as_bytes()).is_err()
        {
            let refusal = Refusal::new(StatusCode::BAD_REQUEST, "the request line is malformed");
            return self.refuse(&refusal, false, true);
        }
        let repeatable = Repeatable::of(head.method, &place.target, head.framing);
        let job = Job {
            host: place.host.into_owned(),
            target: place.target.into_owned(),
            base: place.base.into_owned(),
            rewrites_body,
            repeatable,
            caller,
        };
        Step::Forward((head.len, head.framing), Arc::new(job))
    }

    fn refuse(&mut self, refusal: &Refusal, head_only: bool, close: bool) -> Step {
        if let (Service::Tiered(tiered), Door::Tcp(_) | Door::Unix | Door::Guest) =
            (self.shared.service(), self.door)
        {
            tiered.refused();
        }
        log::refusal(refusal.status);
        refusal.write(self.outbox, self.date.at(self.now), head_only, close);
        if close {
            Step::Refused
        } else {
            Step::Answered { close }
        }
    }
}

/// Who asks. Hashing a credential costs more than comparing it with the last one.
fn known<'c>(
    slot: &'c mut Option<Caller>,
    tiered: &Tiered,
    authorization: Option<&[u8]>,
) -> &'c Caller {
    match slot {
        Some(caller) if caller.authorization.expose() == authorization => {}
        _ => *slot = None,
    }
    slot.get_or_insert_with(|| tiered.caller(authorization))
}
