//! The key-value interface, and what the administrator may do.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::Tiered;
use crate::api::{Key, Namespace, key};
use crate::store::memory::{Named, Slot};

/// How long a named value is good for when nobody says: the key-value interface's default.
const LIFETIME: Duration = Duration::from_secs(300);

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
    pub fn get(&self, operation: &str, key: &[u8]) -> Option<Bytes> {
        let named = self.0.memory.named(&key::named(operation, key))?;
        named
            .is_fresh(self.0.clock.now())
            .then(|| named.value.clone())
    }

    /// Stores a named value for `lifetime`: by default what the operation's answers live for, or 300 s.
    pub fn put(
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
        let of_operation =
            || crate::api::Operation::parse(operation).and_then(crate::api::Operation::lifetime);
        let named = Named {
            operation: operation.into(),
            key: Bytes::copy_from_slice(key),
            value,
            stored_at: self.0.clock.now(),
            lifetime: lifetime.or_else(of_operation).unwrap_or(LIFETIME),
        };
        self.0.memory.put_named(key::named(operation, key), named);
        Ok(())
    }

    /// Removes a named value, and says whether there was one.
    pub fn delete(&self, operation: &str, key: &[u8]) -> bool {
        self.0.memory.remove(&key::named(operation, key))
    }

    /// Removes the entry with this id (of [`EntryRow`]), and says whether there was one.
    pub fn delete_entry(&self, id: &Key) -> bool {
        self.0.memory.remove(id)
    }

    /// Removes everything, and says how much there was.
    pub fn clear(&self) -> u64 {
        self.0.memory.clear()
    }

    /// Makes stale what is held of `namespace`, as a write would.
    pub fn mark_stale(&self, namespace: &Namespace) {
        self.0.epochs.write(namespace, self.0.clock.now());
    }

    /// At most `limit` rows of what is held, the largest first.
    pub fn list(&self, limit: usize) -> Vec<EntryRow> {
        let now = self.0.clock.now();
        let mut rows: Vec<EntryRow> = self
            .0
            .memory
            .list(usize::MAX)
            .into_iter()
            .map(|(key, slot)| {
                let id = crate::digest::Digest::from(*key.as_bytes()).hex();
                match slot {
                    Slot::Answers(entry) => EntryRow {
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
                    Slot::Named(named) => EntryRow {
                        id,
                        operation: named.operation.to_string(),
                        label: String::from_utf8_lossy(&named.key).into_owned(),
                        bytes: named.value.len() as u64,
                        variants: 1,
                        grants: 0,
                        age_seconds: now.since(named.stored_at).as_secs(),
                    },
                }
            })
            .collect();
        rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.id.cmp(&b.id)));
        rows.truncate(limit);
        rows
    }
}
