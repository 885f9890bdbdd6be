//! What is kept: entries by scope, name and version, and the blobs behind them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;

/// A repository's id and a full ref.
pub(super) type Scope = (u64, String);

/// New entries in a minute for each repository.
/// <https://github.blog/changelog/2026-01-16-rate-limiting-for-actions-cache-entries/>
const NEW_PER_MINUTE: usize = 200;
const MINUTE: u64 = 60_000;
/// How long a signed URL is good for, in seconds.
const SIGNED: u64 = 600;
/// Bytes of all blobs; more are refused.
const ALL_BLOBS: usize = 2 << 30;

/// An entry as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub id: u64,
    /// The repository.
    pub repository: u64,
    /// The full ref whose jobs wrote it.
    pub scope: String,
    /// Its name.
    pub key: String,
    /// What else its readers must agree on.
    pub version: String,
    /// Bytes.
    pub size: usize,
    /// Milliseconds since 1970.
    pub created: u64,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    scope: Scope,
    key: String,
    version: String,
    blob: Option<Bytes>,
    /// When it was finalised, in milliseconds since 1970.
    done: Option<u64>,
}

/// What came of a reservation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reserved {
    /// The number of the new entry.
    New(u64),
    /// The name is somebody's already.
    Taken,
    /// Too many: to be tried again after so many seconds.
    Later(u64),
}

/// What a signed URL allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    Read,
    Write,
}

impl May {
    /// As `sp` of a signed URL says it.
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::Write => "cw",
        }
    }
}

/// Everything that is kept.
#[derive(Debug)]
pub(super) struct Store {
    clock: Clock,
    seed: u64,
    serial: u64,
    lag: u64,
    entries: Vec<Entry>,
    /// Parts of blobs that are not put together yet.
    blocks: BTreeMap<(u64, String), Bytes>,
    /// When each repository's newest entries were reserved.
    rate: HashMap<u64, VecDeque<u64>>,
    listers: HashMap<String, u64>,
}

impl Store {
    pub(super) fn new(clock: Clock, seed: u64) -> Self {
        Self {
            clock,
            seed,
            serial: 0,
            lag: 0,
            entries: Vec::new(),
            blocks: BTreeMap::new(),
            rate: HashMap::new(),
            listers: HashMap::new(),
        }
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.millis()
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn lag(&mut self, lag: Duration) {
        self.lag = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
    }

    pub(super) fn lets_list(&mut self, token: &str, repository: u64) {
        self.listers.insert(token.to_owned(), repository);
    }

    /// The repository whose entries `token` may list.
    pub(super) fn lister(&self, token: &str) -> Option<u64> {
        self.listers.get(token).copied()
    }

    pub(super) fn reserve(&mut self, scope: Scope, key: &str, version: &str) -> Reserved {
        let now = self.now();
        let recent = self.rate.entry(scope.0).or_default();
        while recent.front().is_some_and(|&then| then + MINUTE <= now) {
            recent.pop_front();
        }
        if let (true, Some(oldest)) = (recent.len() >= NEW_PER_MINUTE, recent.front()) {
            return Reserved::Later((oldest + MINUTE - now).div_ceil(1000));
        }
        let same = |entry: &Entry| {
            (&entry.scope, entry.key.as_str(), entry.version.as_str()) == (&scope, key, version)
        };
        if self.entries.iter().any(same) {
            return Reserved::Taken;
        }
        recent.push_back(now);
        self.serial += 1;
        self.entries.push(Entry {
            id: self.serial,
            scope,
            key: key.to_owned(),
            version: version.to_owned(),
            blob: None,
            done: None,
        });
        Reserved::New(self.serial)
    }

    /// Closes an entry; its number if its upload is there with so many bytes.
    pub(super) fn finalise(
        &mut self,
        scope: &Scope,
        (key, version): (&str, &str),
        size: u64,
    ) -> Option<u64> {
        let now = self.now();
        let entry = self.entries.iter_mut().find(|entry| {
            (&entry.scope, entry.key.as_str(), entry.version.as_str()) == (scope, key, version)
        })?;
        let whole = entry.blob.as_ref()?.len() as u64 == size;
        whole.then(|| {
            entry.done.get_or_insert(now);
            entry.id
        })
    }

    /// The entry for `key` as a whole, else the newest whose name begins with the first of `starts` that fits any:
    /// its number and name. Scope by scope.
    pub(super) fn find(
        &self,
        scopes: &[Scope],
        key: &str,
        starts: &[String],
        version: &str,
    ) -> Option<(u64, String)> {
        let now = self.now();
        let shown = |entry: &&Entry| {
            entry.version == version && entry.done.is_some_and(|done| done + self.lag <= now)
        };
        let found = scopes.iter().find_map(|scope| {
            let here = || {
                self.entries
                    .iter()
                    .filter(shown)
                    .filter(|e| e.scope == *scope)
            };
            let newest = |start: &String| {
                here()
                    .filter(|entry| entry.key.starts_with(start.as_str()))
                    .max_by_key(|entry| (entry.key == *start, entry.done, entry.id))
            };
            here()
                .find(|entry| entry.key == key)
                .or_else(|| starts.iter().find_map(newest))
        });
        found.map(|entry| (entry.id, entry.key.clone()))
    }

    pub(super) fn put(&mut self, scope: Scope, key: &str, version: &str, bytes: Bytes) {
        self.serial += 1;
        let now = self.now();
        self.entries.push(Entry {
            id: self.serial,
            scope,
            key: key.to_owned(),
            version: version.to_owned(),
            blob: Some(bytes),
            done: Some(now),
        });
    }

    pub(super) fn evict(&mut self, prefix: &str) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.key.starts_with(prefix));
        before - self.entries.len()
    }

    pub(super) fn reserved(&self) -> usize {
        let open = self.entries.iter().filter(|entry| entry.done.is_none());
        open.count()
    }

    /// What is finalised, of one repository or of all, oldest first.
    pub(super) fn listed(&self, repository: Option<u64>) -> Vec<Listed> {
        let of = |entry: &&Entry| repository.is_none_or(|one| entry.scope.0 == one);
        let listed = |entry: &Entry| {
            Some(Listed {
                id: entry.id,
                repository: entry.scope.0,
                scope: entry.scope.1.clone(),
                key: entry.key.clone(),
                version: entry.version.clone(),
                size: entry.blob.as_ref().map_or(0, Bytes::len),
                created: entry.done?,
            })
        };
        self.entries.iter().filter(of).filter_map(listed).collect()
    }

    pub(super) fn bytes_of(&self, key: &str) -> Option<Bytes> {
        let mut done = self.entries.iter().filter(|entry| entry.done.is_some());
        done.find(|entry| entry.key == key)?.blob.clone()
    }

    /// The signed part of a URL for the blob of entry `id`.
    pub(super) fn sign(&self, id: u64, may: May) -> String {
        let end = self.now() / 1000 + SIGNED;
        format!(
            "se={end}&sp={}&sig={}",
            may.name(),
            self.signature(id, may, end)
        )
    }

    /// Whether these are the parts of a URL that was signed for this.
    pub(super) fn allows(&self, id: u64, may: May, end: &str, signature: &str) -> bool {
        let Ok(end) = end.parse::<u64>() else {
            return false;
        };
        end > self.now() / 1000 && signature == self.signature(id, may, end)
    }

    fn signature(&self, id: u64, may: May, end: u64) -> String {
        let text = format!("{}/{id}/{}/{end}", self.seed, may.name());
        let digest = Sha256::digest(text.as_bytes());
        digest[..16].iter().fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    pub(super) fn blob(&self, id: u64) -> Option<Bytes> {
        self.entries
            .iter()
            .find(|entry| entry.id == id)?
            .blob
            .clone()
    }

    /// Keeps a whole blob; false: there is no such entry, it is closed, or there is no room.
    pub(super) fn upload(&mut self, id: u64, bytes: Bytes) -> bool {
        let all: usize = self
            .entries
            .iter()
            .filter_map(|entry| entry.blob.as_ref())
            .map(Bytes::len)
            .sum();
        let entry = self.entries.iter_mut().find(|entry| entry.id == id);
        match entry.filter(|entry| entry.done.is_none() && all + bytes.len() <= ALL_BLOBS) {
            Some(entry) => {
                entry.blob = Some(bytes);
                true
            }
            None => false,
        }
    }

    pub(super) fn upload_block(&mut self, id: u64, block: &str, bytes: Bytes) -> bool {
        let all: usize = self.blocks.values().map(Bytes::len).sum();
        if all + bytes.len() > ALL_BLOBS {
            return false;
        }
        self.blocks.insert((id, block.to_owned()), bytes);
        true
    }

    /// Puts a blob together from its blocks, in this order.
    pub(super) fn commit(&mut self, id: u64, order: &[String]) -> bool {
        let mut whole = BytesMut::new();
        for block in order {
            match self.blocks.remove(&(id, block.clone())) {
                Some(bytes) => whole.extend_from_slice(&bytes),
                None => return false,
            }
        }
        self.upload(id, whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(name: &str) -> Scope {
        (1, name.to_owned())
    }

    #[test]
    fn the_newest_with_a_start_is_found_scope_by_scope() {
        let clock = Clock::manual(1000);
        let mut store = Store::new(clock.clone(), 1);
        let bytes = Bytes::from_static(b"x");
        store.put(scope("main"), "a/1", "v", bytes.clone());
        clock.advance(Duration::from_secs(1));
        store.put(scope("main"), "a/2", "v", bytes.clone());
        store.put(scope("pull"), "a/0", "v", bytes);
        let find = |scopes: &[&str], key: &str, starts: &[&str]| {
            let scopes: Vec<_> = scopes.iter().map(|name| scope(name)).collect();
            let starts: Vec<_> = starts.iter().map(|&start| start.to_owned()).collect();
            store
                .find(&scopes, key, &starts, "v")
                .map(|(_, name)| name)
                .unwrap_or_default()
        };
        assert_eq!(find(&["main"], "a/", &["a/"]), "a/2");
        assert_eq!(find(&["pull", "main"], "a/", &["a/"]), "a/0");
        assert_eq!(find(&["main"], "a/1", &["a/"]), "a/1");
        assert_eq!(find(&["main"], "a/", &["b", "a/1"]), "a/1");
        assert_eq!(find(&["main"], "a/", &[]), "", "a key is a whole name");
        assert_eq!(find(&["other"], "a/", &["a/"]), "");
    }

    #[test]
    fn a_minute_has_room_for_200_names() {
        let clock = Clock::manual(1000);
        let mut store = Store::new(clock.clone(), 1);
        for number in 0..200 {
            let key = number.to_string();
            assert!(matches!(
                store.reserve(scope("m"), &key, "v"),
                Reserved::New(_)
            ));
        }
        assert_eq!(store.reserve(scope("m"), "x", "v"), Reserved::Later(60));
        clock.advance(Duration::from_mins(1));
        assert_eq!(store.reserve(scope("m"), "0", "v"), Reserved::Taken);
        assert!(matches!(
            store.reserve(scope("m"), "x", "v"),
            Reserved::New(_)
        ));
    }
}
