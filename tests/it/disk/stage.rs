//! A store in a directory of its own, and things to put into it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ghswarm::api::Key;
use ghswarm::api::page::Tail;
use ghswarm::api::{Operation, Shareable, Vary};
use ghswarm::clock::Clock;
use ghswarm::digest::Digest;
use ghswarm::http_cache::FieldBlock;
use ghswarm::secret::{Authorization, CredentialId, LocalSecret};
use ghswarm::store::disk::{Config, Disk, Error};
use ghswarm::store::{Entry, Grant, Named, Scheme, Slot, Variant};
use ghswarm::time::Timestamp;

/// When the stories begin.
pub(super) const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A directory, and the clock and the limit with which stores in it are opened.
pub(super) struct Stage {
    pub(super) directory: tempfile::TempDir,
    pub(super) clock: Clock,
    pub(super) limit: u64,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Clock::manual(START),
            limit: 1 << 30,
        }
    }

    pub(super) fn with_limit(limit: u64) -> Self {
        Self {
            limit,
            ..Self::new()
        }
    }

    pub(super) fn config(&self) -> Config {
        Config {
            directory: self.directory.path().join("store"),
            limit: self.limit,
        }
    }

    pub(super) fn try_open(&self) -> Result<Disk, Error> {
        Disk::open(&self.config(), &secret(), self.clock.clone())
    }

    /// Opens the store as another process with the same secret would.
    pub(super) fn open(&self) -> Disk {
        self.try_open().unwrap()
    }
}

pub(super) fn secret() -> LocalSecret {
    LocalSecret::new([7; 32])
}

/// The key of the `n`th thing.
pub(super) fn key(n: u32) -> Key {
    Key::from_bytes(*Digest::of([n.to_le_bytes().as_slice()]).as_bytes())
}

/// `length` bytes that cannot be packed, the same for the same `n`.
pub(super) fn noise(n: u32, length: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = Digest::of([b"noise".as_slice(), &n.to_le_bytes()]);
    while bytes.len() < length {
        bytes.extend_from_slice(block.as_bytes());
        block = Digest::of([block.as_bytes().as_slice()]);
    }
    bytes.truncate(length);
    bytes.into()
}

/// A value of the key-value interface.
pub(super) fn named(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Slot {
    Slot::Named(Arc::new(Named {
        operation: "story".into(),
        key: key.into(),
        value: value.into(),
        stored_at: START,
        lifetime: Duration::from_secs(60),
    }))
}

pub(super) fn value(slot: Option<Slot>) -> Option<Bytes> {
    match slot? {
        Slot::Named(named) => Some(named.value.clone()),
        Slot::Answers(_) => panic!("answers in place of a value"),
    }
}

/// A body as GitHub showed it at event `asked_at`.
pub(super) fn variant(body: impl Into<Bytes>, asked_at: u64) -> Variant {
    let body = body.into();
    Variant {
        digest: Digest::of([&*body]),
        body,
        shared: FieldBlock::from_pairs([("content-type", b"application/json".as_slice())]),
        links: None,
        tail: Arc::new(Tail::NotAList),
        scheme: Scheme::Hashed(Vary {
            accept: true,
            authorization: true,
            cookie: false,
        }),
        shareable: Shareable::Everyone,
        origin_lifetime: Duration::from_secs(60),
        validated_at: START,
        asked_at,
        kinds: 1,
        public: None,
        was_public: false,
    }
}

pub(super) fn grant(credential: CredentialId, variant: &Variant) -> Grant {
    Grant {
        credential,
        digest: variant.digest,
        granted_at: START,
        asked_at: variant.asked_at,
        received: true,
        etag: None,
        fields: variant.shared.clone(),
        links: None,
    }
}

pub(super) fn credential(token: &str) -> CredentialId {
    let value = format!("Bearer {token}");
    secret().identify(&Authorization::new(Some(value.as_bytes())))
}

/// Answers with these bodies, the last one in front, each granted to a credential of its own.
pub(super) fn answers(bodies: impl IntoIterator<Item = (Bytes, u64)>) -> Slot {
    let mut entry = Entry {
        label: "GET api.github.com/repos/o/r".into(),
        operation: Operation::GetRepoInfo.name(),
        ..Entry::default()
    };
    for (body, asked_at) in bodies {
        let variant = variant(body, asked_at);
        let grant = grant(credential(&format!("ghs_{asked_at}")), &variant);
        entry = entry.with_variant(variant).with_grant(grant);
    }
    Slot::Answers(Arc::new(entry))
}

pub(super) fn entry(slot: Option<Slot>) -> Option<Arc<Entry>> {
    match slot? {
        Slot::Answers(entry) => Some(entry),
        Slot::Named(_) => panic!("a value in place of answers"),
    }
}

/// How often the store met `reason`.
pub(super) fn count(disk: &Disk, reason: &str) -> u64 {
    let reasons = disk.counts().reasons;
    let found = reasons.iter().find(|(name, _)| *name == reason);
    found.unwrap_or_else(|| panic!("no reason {reason}")).1
}
