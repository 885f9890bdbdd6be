//! The key-value interface, and what the administrator may do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::{Inner, Tiered};
use crate::api::{Key, Namespace, key};
use crate::digest::Digest;
use crate::store::epoch_log::Event;
use crate::store::{Named, Slot};
use crate::time::Timestamp;

/// The longest that somebody who looks waits for what is not written yet.
const SETTLE_MOST: Duration = Duration::from_secs(2);

/// A value longer than the body limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value has {length} bytes, and --body-limit allows {limit}")]
pub struct TooLarge {
    /// Bytes of the value.
    pub length: usize,
    /// The limit.
    pub limit: usize,
}

/// One row of `ghswarm cache list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryRow {
    /// What to call it in `cache delete --id`.
    pub id: String,
    /// The operation.
    pub operation: String,
    /// What it is.
    pub label: String,
    /// Bytes it takes.
    pub bytes: u64,
    /// Bodies held side by side.
    pub variants: usize,
    /// Credentials that were shown one of them.
    pub grants: usize,
    /// Seconds since it was stored or last validated.
    pub age_seconds: u64,
}

impl Tiered {
    /// The named value, unless it has run out.
    pub async fn get(&self, operation: &str, key: &[u8]) -> Option<Bytes> {
        let named = self.0.named(key::named(operation, key)).await?;
        named
            .is_fresh(self.0.clock.now())
            .then(|| named.value.clone())
    }

    /// Stores a named value for `lifetime`: by default what the operation's answers live for, or 300 s.
    /// With a disk tier it has survived the end of this process when this returns.
    pub async fn put(
        &self,
        operation: &str,
        key: &[u8],
        value: Bytes,
        lifetime: Option<Duration>,
    ) -> Result<(), TooLarge> {
        let limit = self.0.config.body_limit;
        if value.len() > limit {
            return Err(TooLarge {
                length: value.len(),
                limit,
            });
        }
        let of_operation = || self.0.config.lifetimes.of_value(operation);
        let named = Arc::new(Named {
            operation: operation.into(),
            key: Bytes::copy_from_slice(key),
            value,
            stored_at: self.0.clock.now(),
            lifetime: lifetime.unwrap_or_else(of_operation),
        });
        let key = key::named(operation, key);
        match &self.0.disk {
            // Other daemons change these, too, so the disk alone has them.
            Some(disk) => {
                disk.put(key, Slot::Named(named));
                disk.flush().await;
            }
            None => self.0.memory.put_named(key, named),
        }
        Ok(())
    }

    /// Removes a named value, and says whether there was one.
    pub async fn delete(&self, operation: &str, key: &[u8]) -> bool {
        self.0.remove(key::named(operation, key)).await
    }

    /// Removes the entry with this id (of [`EntryRow`]), and says whether there was one.
    pub async fn delete_entry(&self, id: &Key) -> bool {
        self.0.remove(*id).await
    }

    /// Removes everything, and says how much there was.
    pub async fn clear(&self) -> u64 {
        let inner = &self.0;
        self.settle().await;
        let held = inner.held().0;
        if let Some(disk) = &inner.disk {
            disk.clear().await;
        }
        inner.memory.clear();
        inner.happened(&Event::Cleared);
        held
    }

    /// Returns when what was stored before is on disk, if there is one, or when that takes too long: another
    /// process may have been stopped while it held the database.
    pub async fn settle(&self) {
        if let Some(disk) = &self.0.disk {
            let _ = tokio::time::timeout(SETTLE_MOST, disk.flush()).await;
        }
    }

    /// Makes stale what is held of `namespace`, as a write would, here and at all peers.
    pub async fn mark_stale(&self, namespace: &Namespace) {
        self.0.written(namespace);
        self.0.tell(namespace).await;
    }

    /// At most `limit` rows of what is held, the largest first.
    pub async fn list(&self, limit: usize) -> Vec<EntryRow> {
        let now = self.0.clock.now();
        let row = move |key: Key, slot: &Slot| (key, EntryRow::of(&key, slot, now));
        let on_disk = self.0.disk.clone().map(|disk| {
            let list = move || disk.list(limit, |key, slot| row(key, &slot));
            // Reads a lot, and nobody else's request shall wait for it.
            tokio::task::spawn_blocking(list)
        });
        let on_disk = match on_disk {
            Some(listing) => listing.await.unwrap_or_default(),
            None => Vec::new(),
        };
        let in_memory = self.0.memory.list(usize::MAX);
        let held: HashMap<Key, EntryRow> = on_disk
            .into_iter()
            // What memory knows of the same thing is newer.
            .chain(in_memory.iter().map(|(key, slot)| row(*key, slot)))
            .collect();
        let mut rows: Vec<_> = held.into_values().collect();
        rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.id.cmp(&b.id)));
        rows.truncate(limit);
        rows
    }
}

impl EntryRow {
    fn of(key: &Key, slot: &Slot, now: Timestamp) -> Self {
        let id = Digest::from(*key.as_bytes()).hex();
        match slot {
            Slot::Answers(entry) => Self {
                id,
                operation: entry.operation.to_owned(),
                label: entry.label.to_string(),
                bytes: entry.weight(),
                variants: entry.variants.len(),
                grants: entry.grants.len(),
                age_seconds: entry
                    .variants
                    .first()
                    .map_or(0, |variant| now.since(variant.validated_at).as_secs()),
            },
            Slot::Named(named) => Self {
                id,
                operation: named.operation.to_string(),
                label: String::from_utf8_lossy(&named.key).into_owned(),
                bytes: named.value.len() as u64,
                variants: 1,
                grants: 0,
                age_seconds: now.since(named.stored_at).as_secs(),
            },
        }
    }
}

impl Inner {
    async fn named(&self, key: Key) -> Option<Arc<Named>> {
        let Some(disk) = &self.disk else {
            return self.memory.named(&key);
        };
        let found = match disk.get(&key) {
            Some(found) => found,
            None => disk.fetch(key).await?,
        };
        disk.used(&key);
        match found {
            Slot::Named(named) => Some(named),
            Slot::Answers(_) => None,
        }
    }

    async fn remove(&self, key: Key) -> bool {
        let in_memory = self.memory.remove(&key);
        let on_disk = match &self.disk {
            Some(disk) => disk.remove(key).await,
            None => false,
        };
        if in_memory || on_disk {
            self.happened(&Event::Removed { key });
        }
        in_memory || on_disk
    }

    /// How many things are held, and their bytes.
    pub(super) fn held(&self) -> (u64, u64) {
        let (entries, bytes) = (self.memory.len(), self.memory.bytes());
        match &self.disk {
            // Nearly everything in memory is on disk as well.
            Some(disk) => {
                let counts = disk.counts();
                (counts.entries.max(entries), counts.bytes.max(bytes))
            }
            None => (
                entries,
                bytes + self.peers.as_ref().map_or(0, super::peers::Peers::bytes),
            ),
        }
    }
}
