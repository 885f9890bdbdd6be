//! Keeping what GitHub answered: bodies, grants, and what an answer says about the world.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LINK, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::ask::{Asked, Whole};
use super::serve::computed_etag;
use super::{Caller, Inner};
use crate::api::answer::{self, NotStored, Shareable};
use crate::api::page::Links;
use crate::api::{
    Etag, Head, Namespace, Operation, Question, Vary, key, page, repository, validator,
};
use crate::digest::Digest;
use crate::http_cache::{CacheControl, FieldBlock, freshness};
use crate::store::epoch_log::Event;
use crate::store::{Entry, Grant, Proof, Scheme, Variant};
use crate::time::Timestamp;

/// What GitHub says of answers that carry no `Cache-Control` of their own.
const ORIGIN_LIFETIME: Duration = Duration::from_secs(60);

/// The fields that hold for every reader of a body.
const SHARED: [HeaderName; 2] = [
    CONTENT_TYPE,
    HeaderName::from_static("x-github-api-version-selected"),
];

/// Fields that are not kept: those made anew for each answer, those of one message or one moment, and
/// those that only speak to browsers, which are not served.
fn is_kept(name: &str) -> bool {
    const LEFT_OUT: [&str; 24] = [
        "age",
        "alt-svc",
        "cache-status",
        "connection",
        "content-encoding",
        "content-length",
        "content-security-policy",
        "etag",
        "keep-alive",
        "link",
        "permissions-policy",
        "proxy-authenticate",
        "referrer-policy",
        "retry-after",
        "server",
        "set-cookie",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-content-type-options",
        "x-frame-options",
        "x-xss-protection",
    ];
    !LEFT_OUT.contains(&name)
        && !name.starts_with("x-ratelimit-")
        && !name.starts_with("access-control-")
}

/// The links that somebody is shown.
type Shown = Option<Arc<Links>>;

/// A body that was kept, and the caller's grant for it.
pub(super) type Kept = (Arc<Variant>, Option<Arc<Grant>>);

impl Inner {
    /// Keeps a 200, if it may be kept.
    pub(super) fn keep(
        &self,
        head: &Head<'_>,
        question: &Question,
        caller: &Caller,
        whole: &Whole,
        asked: Asked,
    ) -> Result<Kept, NotStored> {
        let (links, own_links) = self.links(head, question, &whole.headers)?;
        let operation = question.operation;
        let headers = &whole.headers;
        if !whole.identity {
            return Err(NotStored::NotIdentity);
        }
        let limit = self.config.body_limit;
        let shareable = answer::storable(operation, whole.status, headers, &whole.body, limit)?;
        let scheme = self.scheme(head, operation, caller, whole, asked);
        let has_next = links.as_ref().is_some_and(|links| links.has_next());
        let variant = Variant {
            digest: Digest::of([&whole.body[..]]),
            tail: Arc::new(page::tail(head.target, &whole.body, has_next)),
            // A copy of its own: what was read is a piece of a larger buffer, which would stay as long.
            body: Bytes::copy_from_slice(&whole.body),
            shared: FieldBlock::from_pairs(
                SHARED
                    .iter()
                    .filter_map(|name| Some((name.as_str(), headers.get(name)?.as_bytes()))),
            ),
            links,
            scheme,
            shareable,
            origin_lifetime: freshness::lifetime(&cache_control(headers))
                .unwrap_or(ORIGIN_LIFETIME),
            validated_at: asked.at,
            asked_at: asked.event,
            kinds: caller.kind.bit(),
            public: (shareable == Shareable::Everyone)
                .then(|| shown_to_anybody(caller, asked))
                .flatten(),
            was_public: self.is_public(head, question, caller, asked.at),
        };
        self.learn(head.host, question, caller, &whole.body, asked);
        let grant = Grant {
            credential: caller.id,
            digest: variant.digest,
            granted_at: asked.at,
            asked_at: asked.event,
            received: true,
            etag: headers
                .get(ETAG)
                .and_then(|etag| strong(etag).map(Arc::from)),
            fields: fields(headers, None),
            links: own_links,
        };
        Ok(self.put(question, head, variant, grant))
    }

    /// Keeps a 304 to the validator of `variant`: it is current, and this caller may see it.
    pub(super) fn confirm(
        &self,
        head: &Head<'_>,
        question: &Question,
        caller: &Caller,
        variant: &Arc<Variant>,
        headers: &HeaderMap,
        asked: Asked,
    ) -> Kept {
        let entry = self.memory.entry(&question.key);
        let receipt = entry
            .as_ref()
            .and_then(|entry| entry.grant(caller.id))
            .filter(|receipt| receipt.digest == variant.digest);
        let mut confirmed = Variant::clone(variant);
        if variant.is_hearsay() {
            // GitHub has said that it is current, not that anybody may see it.
            (confirmed.kinds, confirmed.public) = (0, None);
        }
        confirmed.validated_at = asked.at;
        confirmed.asked_at = asked.event;
        confirmed.kinds |= caller.kind.bit();
        confirmed.public = confirmed.public.max(shown_to_anybody(caller, asked));
        confirmed.was_public |= self.is_public(head, question, caller, asked.at);
        let etag = computed_etag(head, caller, variant)
            .or_else(|| receipt.and_then(|receipt| receipt.etag.clone()));
        // A 304 lacks the content type and more (RFC 9110, 15.4.5): those come from the body's own
        // fields, or from what this very credential received with it.
        let known = receipt.map_or(&variant.shared, |receipt| &receipt.fields);
        let grant = Grant {
            credential: caller.id,
            digest: variant.digest,
            granted_at: asked.at,
            asked_at: asked.event,
            received: receipt.is_some_and(|receipt| receipt.received),
            etag,
            fields: fields(headers, Some(known)),
            links: receipt.and_then(|receipt| receipt.links.clone()),
        };
        self.learn(head.host, question, caller, &variant.body, asked);
        self.put(question, head, confirmed, grant)
    }

    fn put(&self, question: &Question, head: &Head<'_>, variant: Variant, grant: Grant) -> Kept {
        let (digest, credential) = (variant.digest, grant.credential);
        let offered = (Arc::new(variant.clone()), Some(Arc::new(grant.clone())));
        let entry = self.memory.change(question.key, |mut entry: Entry| {
            describe(&mut entry, head, question);
            entry.with_variant(variant).with_grant(grant)
        });
        self.demote(question.key, &entry);
        self.index_key(question.key);
        // What another answer has put in the meantime may be newer than ours, but ours is what this
        // caller asked for.
        match (entry.variant(digest), entry.grant(credential)) {
            (Some(variant), Some(grant)) if grant.digest == digest => {
                (Arc::clone(variant), Some(Arc::clone(grant)))
            }
            _ => offered,
        }
    }

    /// The links of an answer: for everybody, as targets on the same host, and for its receiver, where
    /// some lead elsewhere. Pages that cannot be understood, or that are on another host, must not be
    /// shown to anybody else: such an answer is not kept.
    fn links(
        &self,
        head: &Head<'_>,
        question: &Question,
        headers: &HeaderMap,
    ) -> Result<(Shown, Shown), NotStored> {
        if !headers.contains_key(LINK) {
            return Ok((None, None));
        }
        let lines = headers.get_all(LINK).iter().map(HeaderValue::as_bytes);
        let all = Links::parse(lines).ok_or(NotStored::Malformed)?;
        let pages = all
            .relative(|authority, rest| self.github.target_at(head.host, authority, rest))
            .ok_or(NotStored::Malformed)?;
        if let Namespace::Repo(name) = &question.namespace {
            let id = pages
                .links()
                .iter()
                .find_map(|link| crate::api::namespace::id_of_link(&link.target));
            if let Some(id) = id {
                self.epochs.learn(id, name);
            }
        }
        let own =
            all.for_receiver(|authority, rest| self.github.target_at(head.host, authority, rest));
        let own = (own != pages).then(|| Arc::new(own));
        Ok((Some(Arc::new(pages)), own))
    }

    /// How GitHub makes this body's validator, found out by making it ourselves: every eligible
    /// answer is a check of the formula.
    fn scheme(
        &self,
        head: &Head<'_>,
        operation: Operation,
        caller: &Caller,
        whole: &Whole,
        asked: Asked,
    ) -> Scheme {
        let etag = whole
            .headers
            .get(ETAG)
            .and_then(|etag| Etag::parse(etag.as_bytes()));
        let vary = Vary::parse(
            whole
                .headers
                .get_all(VARY)
                .iter()
                .map(HeaderValue::as_bytes),
        );
        let (Some(Etag::Hashed(theirs)), Some(vary)) = (etag, vary) else {
            return Scheme::Opaque;
        };
        let accept = key::sent_accept(head.fields.accept);
        let ours = validator::computed(vary, accept, caller.authorization.expose(), &whole.body);
        self.trust
            .checked(head.host, operation, ours == theirs, asked.at);
        if ours == theirs {
            return Scheme::Hashed(vary);
        }
        self.stats.reason("validator-mismatch");
        Scheme::Opaque
    }

    /// What an answer says about its repository: its number, and whether anybody may read it.
    fn learn(&self, host: &str, question: &Question, caller: &Caller, body: &[u8], asked: Asked) {
        let is_repository = matches!(
            question.namespace,
            Namespace::Repo(_) | Namespace::RepoId(_)
        );
        if question.operation == Operation::GetRepoInfo
            && let Some(repository) = repository::learn(body)
        {
            self.epochs.learn(repository.id, &repository.full_name);
            if let Namespace::Repo(asked) = &question.namespace {
                self.epochs.learn(repository.id, asked);
            }
            let names = [
                Namespace::RepoId(repository.id),
                Namespace::Repo(repository.full_name),
            ];
            for name in names.iter().chain([&question.namespace]) {
                self.trust.repository(host, name, repository.public, asked);
            }
        } else if is_repository && caller.id.is_anonymous() {
            self.trust
                .repository(host, &question.namespace, true, asked);
        }
    }

    /// Whether anybody could read an answer to this caller, as far as is known now.
    fn is_public(
        &self,
        head: &Head<'_>,
        question: &Question,
        caller: &Caller,
        now: Timestamp,
    ) -> bool {
        let Question {
            namespace,
            operation,
            ..
        } = question;
        // A write may have closed the repository, and what was pushed since is nobody's business.
        let floor = self.epochs.floor(namespace, now).event;
        caller.id.is_anonymous()
            || operation.is_same_for_every_reader()
                && self.trust.is_public(head.host, namespace, floor, now)
    }

    /// Takes back what a refusal says this credential may no longer see.
    pub(super) fn refused(
        &self,
        host: &str,
        namespace: &Namespace,
        caller: &Caller,
        status: StatusCode,
    ) {
        match status {
            StatusCode::UNAUTHORIZED => {
                let credential = caller.id;
                self.happened(&Event::Unauthorized { credential });
            }
            StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => self.happened(&Event::Refused {
                credential: caller.id,
                host: host.into(),
                namespace: namespace.clone(),
                at: self.clock.now(),
            }),
            _ => {}
        }
    }
}

/// Says what `entry` is, if it does not yet.
pub(super) fn describe(entry: &mut Entry, head: &Head<'_>, question: &Question) {
    if entry.label.is_empty() {
        entry.label = format!("GET {}{}", head.host, head.target).into();
        entry.operation = question.operation.name();
    }
}

/// What an answer to this caller proves for everybody.
fn shown_to_anybody(caller: &Caller, asked: Asked) -> Option<Proof> {
    caller.id.is_anonymous().then_some(Proof {
        asked_at: asked.event,
        at: asked.at,
        hearsay: false,
    })
}

/// The fields to keep of an answer, over those already `known` of its body.
fn fields(headers: &HeaderMap, known: Option<&FieldBlock>) -> FieldBlock {
    let fresh = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .filter(|(name, _)| is_kept(name));
    let kept = known
        .into_iter()
        .flat_map(FieldBlock::iter)
        .filter(|(name, _)| !headers.contains_key(*name));
    FieldBlock::from_pairs(fresh.chain(kept))
}

fn cache_control(headers: &HeaderMap) -> CacheControl {
    CacheControl::parse(
        headers
            .get_all(CACHE_CONTROL)
            .iter()
            .map(HeaderValue::as_bytes),
    )
}

/// The validator without its mark of a content coding, which is gone: `W/"x"` is `"x"`.
fn strong(etag: &HeaderValue) -> Option<&str> {
    let etag = etag.to_str().ok()?;
    Some(etag.strip_prefix("W/").unwrap_or(etag))
}
