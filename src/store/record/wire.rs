//! The head of a record, field by field. Its order is the format: a change is another version.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Fault;
use super::part::{Loader, Packer, Part};
use crate::api::Operation;
use crate::api::answer::Shareable;
use crate::api::page::{self, Links};
use crate::api::validator::{Etag, Vary};
use crate::digest::Digest;
use crate::http_cache::FieldBlock;
use crate::secret::CredentialId;
use crate::store::{self, Entry, Named};
use crate::time::Timestamp;

#[derive(Serialize, Deserialize)]
pub(super) enum Slot<'a> {
    #[serde(borrow)]
    Answers(Answers<'a>),
    Named(Value<'a>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Answers<'a> {
    label: &'a str,
    operation: &'a str,
    #[serde(borrow)]
    variants: Vec<Variant<'a>>,
    grants: Vec<Grant<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Variant<'a> {
    body: Part,
    shared: &'a [u8],
    #[serde(borrow)]
    links: Option<Vec<Link<'a>>>,
    tail: Tail<'a>,
    scheme: Scheme,
    origin_lifetime: Duration,
    validated_at: u64,
    asked_at: u64,
    kinds: u8,
    public: Option<(u64, u64)>,
    was_public: bool,
}

#[derive(Serialize, Deserialize)]
struct Link<'a> {
    target: &'a str,
    #[serde(borrow)]
    rel: Vec<&'a str>,
    parameters: Vec<(&'a str, Option<&'a str>)>,
}

#[derive(Serialize, Deserialize)]
enum Tail<'a> {
    NotAList,
    Partial,
    HasNext,
    #[serde(borrow)]
    Full(Option<(&'a str, &'a [u8])>),
}

#[derive(Serialize, Deserialize)]
enum Scheme {
    Opaque,
    Hashed {
        accept: bool,
        authorization: bool,
        cookie: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct Grant<'a> {
    credential: [u8; 16],
    /// The place of the body among the variants.
    variant: u8,
    granted_at: u64,
    asked_at: u64,
    received: bool,
    etag: Option<&'a str>,
    fields: &'a [u8],
    #[serde(borrow)]
    links: Option<Vec<Link<'a>>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Value<'a> {
    operation: &'a str,
    key: Part,
    content: Part,
    stored_at: u64,
    lifetime: Duration,
}

/// What may be written of `entry`. `None` when no body of it may.
pub(super) fn entry<'a>(entry: &'a Entry, packer: &mut Packer<'_>) -> Option<Slot<'a>> {
    // What is in the others expires and is somebody's, or is a peer's word alone: it stays in memory. Other daemons of this
    // host may trust GitHub alone.
    let written: Vec<_> = entry
        .variants
        .iter()
        .filter(|variant| variant.shareable == Shareable::Everyone && !variant.is_hearsay())
        .collect();
    if written.is_empty() {
        return None;
    }
    let variants = written
        .iter()
        .map(|variant| self::variant(variant, packer))
        .collect::<Option<_>>()?;
    let grant = |grant: &'a Arc<store::Grant>| {
        let place = written
            .iter()
            .position(|variant| variant.digest == grant.digest)?;
        Some(self::grant(grant, u8::try_from(place).ok()?))
    };
    Some(Slot::Answers(Answers {
        label: &entry.label,
        operation: entry.operation,
        variants,
        grants: entry.grants.iter().filter_map(grant).collect(),
    }))
}

pub(super) fn named<'a>(named: &'a Named, packer: &mut Packer<'_>) -> Option<Slot<'a>> {
    Some(Slot::Named(Value {
        operation: &named.operation,
        key: packer.add(&named.key, Digest::of([&*named.key]))?,
        content: packer.add(&named.value, Digest::of([&*named.value]))?,
        stored_at: named.stored_at.as_millis(),
        lifetime: named.lifetime,
    }))
}

fn variant<'a>(variant: &'a store::Variant, packer: &mut Packer<'_>) -> Option<Variant<'a>> {
    Some(Variant {
        body: packer.add(&variant.body, variant.digest)?,
        shared: variant.shared.as_bytes(),
        links: variant.links.as_deref().map(links),
        tail: match &*variant.tail {
            page::Tail::NotAList => Tail::NotAList,
            page::Tail::Partial => Tail::Partial,
            page::Tail::HasNext => Tail::HasNext,
            page::Tail::Full { probe } => Tail::Full(
                probe
                    .as_ref()
                    .map(|probe| (probe.target.as_str(), probe.empty.as_slice())),
            ),
        },
        scheme: match variant.scheme {
            store::Scheme::Opaque => Scheme::Opaque,
            store::Scheme::Hashed(vary) => Scheme::Hashed {
                accept: vary.accept,
                authorization: vary.authorization,
                cookie: vary.cookie,
            },
        },
        origin_lifetime: variant.origin_lifetime,
        validated_at: variant.validated_at.as_millis(),
        asked_at: variant.asked_at,
        kinds: variant.kinds,
        public: variant
            .public
            .map(|proof| (proof.asked_at, proof.at.as_millis())),
        was_public: variant.was_public,
    })
}

fn grant(grant: &store::Grant, variant: u8) -> Grant<'_> {
    // A hash by the formula covers the credential and was made without the local secret: whoever reads
    // it could try tokens against it. It can be computed again.
    let is_hash = |etag: &&str| matches!(Etag::parse(etag.as_bytes()), Some(Etag::Hashed(_)));
    Grant {
        credential: *grant.credential.as_bytes(),
        variant,
        granted_at: grant.granted_at.as_millis(),
        asked_at: grant.asked_at,
        received: grant.received,
        etag: grant.etag.as_deref().filter(|etag| !is_hash(etag)),
        fields: grant.fields.as_bytes(),
        links: grant.links.as_deref().map(links),
    }
}

fn links(links: &Links) -> Vec<Link<'_>> {
    links.links().iter().map(Link::of).collect()
}

impl<'a> Link<'a> {
    fn of(link: &'a page::Link) -> Self {
        Self {
            target: &link.target,
            rel: link.rel.iter().map(String::as_str).collect(),
            parameters: link
                .parameters
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_deref()))
                .collect(),
        }
    }
}

impl Slot<'_> {
    /// The value itself. `head` is what this was read from.
    pub(super) fn rebuild(
        &self,
        head: &Bytes,
        loader: &mut Loader<'_>,
    ) -> Result<store::Slot, Fault> {
        match self {
            Self::Answers(answers) => answers.rebuild(head, loader),
            Self::Named(value) => {
                let (key, bytes) = (loader.next(&value.key)?, loader.next(&value.content)?);
                let (Some(key), Some(bytes)) = (key, bytes) else {
                    return Err(Fault::Body);
                };
                Ok(store::Slot::Named(Arc::new(Named {
                    operation: value.operation.into(),
                    key,
                    value: bytes,
                    stored_at: Timestamp::from_millis(value.stored_at),
                    lifetime: value.lifetime,
                })))
            }
        }
    }
}

impl Answers<'_> {
    fn rebuild(&self, head: &Bytes, loader: &mut Loader<'_>) -> Result<store::Slot, Fault> {
        let mut variants = Vec::with_capacity(self.variants.len());
        for variant in &self.variants {
            if let Some(body) = loader.next(&variant.body)? {
                variants.push(Arc::new(variant.rebuild(body, head)));
            }
        }
        if variants.is_empty() {
            return Err(Fault::Body);
        }
        let grant = |grant: &Grant<'_>| {
            let digest = self.variants.get(usize::from(grant.variant))?.body.digest();
            let is_sound = variants.iter().any(|variant| variant.digest == digest);
            is_sound.then(|| Arc::new(grant.rebuild(digest, head)))
        };
        Ok(store::Slot::Answers(Arc::new(Entry {
            label: self.label.into(),
            // A newer version may know more of them.
            operation: Operation::parse(self.operation)
                .unwrap_or(Operation::Other)
                .name(),
            grants: self.grants.iter().filter_map(grant).collect(),
            variants,
        })))
    }
}

impl Variant<'_> {
    fn rebuild(&self, body: Bytes, head: &Bytes) -> store::Variant {
        store::Variant {
            digest: self.body.digest(),
            body,
            shared: FieldBlock::from_lines(head.slice_ref(self.shared)),
            links: self.links.as_deref().map(rebuilt),
            tail: Arc::new(match &self.tail {
                Tail::NotAList => page::Tail::NotAList,
                Tail::Partial => page::Tail::Partial,
                Tail::HasNext => page::Tail::HasNext,
                Tail::Full(probe) => page::Tail::Full {
                    probe: probe.map(|(target, empty)| page::Probe {
                        target: target.to_owned(),
                        empty: empty.to_vec(),
                    }),
                },
            }),
            scheme: match self.scheme {
                Scheme::Opaque => store::Scheme::Opaque,
                Scheme::Hashed {
                    accept,
                    authorization,
                    cookie,
                } => store::Scheme::Hashed(Vary {
                    accept,
                    authorization,
                    cookie,
                }),
            },
            shareable: Shareable::Everyone,
            origin_lifetime: self.origin_lifetime,
            validated_at: Timestamp::from_millis(self.validated_at),
            asked_at: self.asked_at,
            kinds: self.kinds,
            public: self.public.map(|(asked_at, at)| store::Proof {
                asked_at,
                at: Timestamp::from_millis(at),
                hearsay: false,
            }),
            was_public: self.was_public,
        }
    }
}

impl Grant<'_> {
    fn rebuild(&self, digest: Digest, head: &Bytes) -> store::Grant {
        store::Grant {
            credential: CredentialId::from_bytes(self.credential),
            digest,
            granted_at: Timestamp::from_millis(self.granted_at),
            asked_at: self.asked_at,
            received: self.received,
            etag: self.etag.map(Into::into),
            fields: FieldBlock::from_lines(head.slice_ref(self.fields)),
            links: self.links.as_deref().map(rebuilt),
        }
    }
}

fn rebuilt(links: &[Link<'_>]) -> Arc<Links> {
    let link = |link: &Link<'_>| page::Link {
        target: link.target.to_owned(),
        rel: link.rel.iter().map(|&rel| rel.to_owned()).collect(),
        parameters: link
            .parameters
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect(),
    };
    Arc::new(links.iter().map(link).collect::<Vec<_>>().into())
}
