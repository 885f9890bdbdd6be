//! A cache directory without a daemon, and things to put into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ghswarm::api::{Fields, Head, Key, Operation, Shareable, Tail, Vary, key};
use ghswarm::clock::Clock;
use ghswarm::digest::Digest;
use ghswarm::files;
use ghswarm::http_cache::FieldBlock;
use ghswarm::secret::{Authorization, LocalSecret, TokenKind};
use ghswarm::store::{Disk, Entry, Grant, Named, Scheme, Slot, Variant, disk};

pub(super) struct Shelf {
    pub(super) disk: Disk,
    pub(super) store: PathBuf,
}

impl Shelf {
    /// The store of the cache directory `cache`, as a daemon would open it.
    pub(super) fn open(cache: &Path) -> Self {
        files::private_dir(cache).unwrap();
        let secret = files::read_or_create_secret(&cache.join("hmac.key")).unwrap();
        let store = cache.join("store");
        let config = disk::Config {
            directory: store.clone(),
            limit: 1 << 30,
        };
        let disk = Disk::open(&config, &LocalSecret::new(*secret.secret), Clock::system()).unwrap();
        Self { disk, store }
    }

    pub(super) async fn put(&self, things: impl IntoIterator<Item = (Key, Slot)>) {
        for (key, slot) in things {
            self.disk.put(key, slot);
        }
        self.disk.flush().await;
    }

    pub(super) fn entry(&self, key: &Key) -> Option<Arc<Entry>> {
        match self.disk.get(key)? {
            Slot::Answers(entry) => Some(entry),
            Slot::Named(_) => None,
        }
    }

    pub(super) fn value(&self, operation: &str, key: &str) -> Option<Arc<Named>> {
        match self.disk.get(&key::named(operation, key.as_bytes()))? {
            Slot::Named(named) => Some(named),
            Slot::Answers(_) => None,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.disk.list(usize::MAX, |_, _| ()).len()
    }
}

/// As `ghswarm api` asks.
pub(super) fn key_of(target: &str) -> Key {
    key::rest(&Head {
        method: &http::Method::GET,
        host: "api.github.com",
        target,
        fields: Fields {
            api_version: Some(b"2022-11-28"),
            ..Fields::default()
        },
    })
}

/// An answer that a job received just now.
pub(super) fn answer(target: &str, body: &str, was_public: bool) -> (Key, Slot) {
    let now = Clock::system().now();
    let digest = Digest::of([body.as_bytes()]);
    let variant = Variant {
        digest,
        body: Bytes::copy_from_slice(body.as_bytes()),
        shared: FieldBlock::from_pairs([(
            "content-type",
            b"application/json; charset=utf-8".as_slice(),
        )]),
        links: None,
        tail: Arc::new(Tail::NotAList),
        scheme: Scheme::Hashed(Vary {
            accept: true,
            authorization: true,
            cookie: true,
        }),
        shareable: Shareable::Everyone,
        origin_lifetime: Duration::from_secs(60),
        validated_at: now,
        asked_at: 7,
        kinds: TokenKind::Installation.bit(),
        public: None,
        was_public,
    };
    let who = Authorization::new(Some(b"token ghs_of_a_job"));
    let grant = Grant {
        credential: LocalSecret::new([1; 32]).identify(&who),
        digest,
        granted_at: now,
        asked_at: 7,
        received: true,
        etag: None,
        fields: FieldBlock::from_pairs([("x-oauth-scopes", b"private-scope".as_slice())]),
        links: None,
    };
    let mut entry = Entry::default().with_variant(variant).with_grant(grant);
    entry.label = format!("GET api.github.com{target}").into();
    entry.operation = Operation::of(true, target).name();
    (key_of(target), Slot::Answers(entry.into()))
}

pub(super) fn value(operation: &str, key: &str, value: &str, lifetime: u64) -> (Key, Slot) {
    let named = Named {
        operation: operation.into(),
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        stored_at: Clock::system().now(),
        lifetime: Duration::from_secs(lifetime),
    };
    let name = key::named(operation, key.as_bytes());
    (name, Slot::Named(named.into()))
}
