//! What peers call the things that are held here.

use quick_cache::sync::Cache;

use crate::api::Key;
use crate::swarm::{Names, WireKey};

/// Names that are remembered; the least useful go first, and what they stood for is not found by peers.
const NAMES_MAX: usize = 32_768;

/// From the names that peers use back to keys, since nobody can compute a key from its name.
#[derive(Debug)]
pub(super) struct Index {
    keys: Cache<WireKey, Key>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            keys: Cache::new(NAMES_MAX),
        }
    }
}

impl Index {
    /// `key` is held.
    pub(super) fn add(&self, names: &Names, key: Key) {
        self.keys.insert(names.name(&key), key);
    }

    /// What `name` stands for, if it is known.
    pub(super) fn find(&self, name: &WireKey) -> Option<Key> {
        self.keys.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::key;
    use crate::swarm::Pool;

    #[test]
    fn a_name_is_found_and_the_index_stays_bounded() {
        let names = Names::of(&Pool::new("o/r").unwrap(), None);
        let index = Index::default();
        let key = |number: usize| key::named("n", &number.to_le_bytes());
        index.add(&names, key(1));
        assert_eq!(index.find(&names.name(&key(1))), Some(key(1)));
        assert_eq!(index.find(&names.name(&key(2))), None);
        (0..2 * NAMES_MAX).for_each(|number| index.add(&names, key(number)));
        assert!(index.keys.len() <= NAMES_MAX);
    }
}
