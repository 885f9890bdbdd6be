//! Rewritten bodies that are still on their way: many slow clients that ask for the same one share it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

/// Bodies up to this size are not worth looking for.
const LEAST: usize = 16 << 10;

/// What is on its way. An entry goes with the last client that its body is sent to.
#[derive(Default)]
pub(in crate::proxy) struct Alive {
    // A std mutex: held for a look at a few.
    bodies: Mutex<Vec<Weak<Rewritten>>>,
}

struct Rewritten {
    /// Kept, so that no other body can be at its place in memory.
    source: Bytes,
    /// Our address, which took the place of the API's.
    base: String,
    body: Bytes,
}

/// Keeps a body in the list for as long as somebody has a part of it.
struct Part(Arc<Rewritten>);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0.body
    }
}

impl Alive {
    /// `source` with addresses under `base`: what another client is sent already, or what `rewrite` makes.
    pub(in crate::proxy) fn of(
        &self,
        source: &Bytes,
        base: String,
        rewrite: impl FnOnce() -> Option<Bytes>,
    ) -> Option<Bytes> {
        if source.len() <= LEAST {
            return rewrite();
        }
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |held: &Arc<Rewritten>| {
            held.source.as_ptr() == source.as_ptr()
                && held.source.len() == source.len()
                && held.base == base
        };
        if let Some(found) = bodies.iter().filter_map(Weak::upgrade).find(same) {
            return Some(Bytes::from_owner(Part(found)));
        }
        bodies.retain(|held| held.strong_count() > 0);
        let made = Arc::new(Rewritten {
            body: rewrite()?,
            source: source.clone(),
            base,
        });
        bodies.push(Arc::downgrade(&made));
        Some(Bytes::from_owner(Part(made)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shared_for_as_long_as_it_is_on_its_way() {
        let alive = Alive::default();
        let source = Bytes::from(vec![b'x'; LEAST + 1]);
        let make = |source: &Bytes, base: &str, made: &'static str| {
            alive.of(source, base.to_owned(), || Some(made.into()))
        };
        let first = make(&source, "http://a", "one").unwrap();
        let slice = first.slice(1..);
        drop(first);
        assert_eq!(make(&source, "http://a", "two").unwrap(), "one");
        assert_eq!(
            make(&source, "http://b", "other base").unwrap(),
            "other base"
        );
        let equal = Bytes::from(source.to_vec());
        assert_eq!(
            make(&equal, "http://a", "other body").unwrap(),
            "other body"
        );
        drop(slice);
        assert_eq!(make(&source, "http://a", "two").unwrap(), "two");
        assert!(alive.of(&equal, String::new(), || None).is_none());
        assert!(alive.bodies.lock().unwrap().len() <= 2);
    }
}
