//! Epochs: what was asked before a write must not be shown after it.
//!
//! Everything that happens has a number (`events`). A write stamps its namespace with its number; an answer
//! carries the number at which its question was asked; an answer with a smaller number than the stamp
//! may predate the write. Stale only means "ask again, conditionally", so a write
//! stamps generously: above its namespace (a new issue shows in the owner's and the host's lists) and
//! under every name its repository is known by. Hosts are not told apart, since the same repository is
//! written to under several (the API's, the one for uploads, aliases).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::api::Namespace;
use crate::time::Timestamp;

/// GitHub shows some writes late (a dispatched run appears after its 204), so for this long after a
/// write nothing in its namespace is fresh.
const SETTLING: Duration = Duration::from_secs(30);
/// Namespaces with a stamp of their own. Beyond it one stamp covers all: stale, never wrong.
const NAMESPACES_MAX: usize = 10_000;
/// Names and numbers of repositories known to be the same. Beyond it they are forgotten, and reads by
/// number fall under every write.
const NAMES_MAX: usize = 50_000;

/// The stamps of one daemon.
#[derive(Debug, Default)]
pub(super) struct Epochs {
    // A std mutex: held for map look-ups only.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A write that covers everything.
    whole: Stamp,
    /// Any write; lets a quiet daemon skip all look-ups.
    any: Stamp,
    /// A write by a name whose number is not known: it may be that of any repository read by number.
    by_name: Stamp,
    /// A write by a number: it may have a name that is not known yet.
    by_number: Stamp,
    namespaces: HashMap<Namespace, Stamps>,
    names_by_id: HashMap<u64, Vec<Box<str>>>,
    ids_by_name: HashMap<Box<str>, u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Stamps {
    /// A write to this namespace itself: covers all below.
    own: Stamp,
    /// A write to something below: covers the lists kept here.
    below: Stamp,
}

#[derive(Debug, Default, Clone, Copy)]
struct Stamp {
    event: u64,
    at: Timestamp,
}

/// What reads of a namespace are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Floor {
    /// Anything asked before this event may predate a write.
    pub event: u64,
    /// When it was, by the clock; the Unix epoch if there was none.
    pub at: Timestamp,
    /// Whether a write is so young that nothing is fresh.
    pub settling: bool,
}

impl Epochs {
    /// What reads of `namespace` are held to.
    pub(super) fn floor(&self, namespace: &Namespace, now: Timestamp) -> Floor {
        let state = self.lock();
        let last = if state.any.event == 0 {
            state.whole
        } else {
            state.last(namespace)
        };
        let settling = last.event > 0 && (last.at > now || now.since(last.at) < SETTLING);
        Floor {
            event: last.event,
            at: last.at,
            settling,
        }
    }

    /// Notes that anything may have been written. `at`: the Unix epoch if it was long ago.
    pub(super) fn everything(&self, event: u64, at: Timestamp) {
        let mut state = self.lock();
        state.whole = Stamp { event, at };
        state.namespaces.clear();
        if state.any.event > 0 {
            state.any = state.whole;
        }
    }

    /// The number of the repository `namespace`, if an answer has told it.
    pub(super) fn id_of(&self, namespace: &Namespace) -> Option<u64> {
        match namespace {
            Namespace::Repo(name) => self.lock().ids_by_name.get(name).copied(),
            Namespace::RepoId(id) => Some(*id),
            Namespace::Host | Namespace::Owner(_) | Namespace::OwnerId(_) => None,
        }
    }

    /// The other names by which the repository `namespace` is known here.
    pub(super) fn other_names(&self, namespace: &Namespace) -> Vec<Box<str>> {
        let mut names = self.lock().names(namespace);
        names.retain(|name| !matches!(namespace, Namespace::Repo(this) if this == name));
        names
    }

    /// Notes a write to `namespace`: when it is sent, and again when it was answered. `id`: the
    /// repository's number, if whoever wrote knew it.
    pub(super) fn write(&self, namespace: &Namespace, id: Option<u64>, event: u64, at: Timestamp) {
        if let (Namespace::Repo(name), Some(id)) = (namespace, id) {
            self.learn(id, name);
        }
        let mut state = self.lock();
        let stamp = Stamp { event, at };
        state.any = stamp;
        if state.namespaces.len() >= NAMESPACES_MAX {
            state.namespaces.clear();
            state.whole = stamp;
        }
        let names = state.names(namespace);
        match namespace {
            Namespace::Repo(name) if !state.ids_by_name.contains_key(name) => {
                state.by_name = stamp;
            }
            Namespace::RepoId(_) => state.by_number = stamp,
            _ => {}
        }
        match namespace {
            Namespace::Host | Namespace::OwnerId(_) => state.whole = stamp,
            Namespace::Owner(_) => state.at(namespace.clone()).own = stamp,
            // Nobody knows which repository this is.
            Namespace::RepoId(_) if names.is_empty() => state.whole = stamp,
            Namespace::Repo(_) | Namespace::RepoId(_) => {
                for name in names {
                    state.at(owner_of(&name)).below = stamp;
                    state.at(Namespace::Repo(name)).own = stamp;
                }
            }
        }
    }

    /// Learns that the repository `name` has the number `id`, as its answers say. A renamed
    /// repository has several names; a write under one covers all.
    pub(super) fn learn(&self, id: u64, name: &str) {
        let mut state = self.lock();
        if state.ids_by_name.get(name) == Some(&id) {
            return;
        }
        if state.ids_by_name.len() >= NAMES_MAX {
            state.ids_by_name.clear();
            state.names_by_id.clear();
        }
        let names = state.names_by_id.entry(id).or_default();
        if !names.iter().any(|known| **known == *name) {
            names.push(name.into());
        }
        state.ids_by_name.insert(name.into(), id);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete before the guard goes: a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The last write that may show in a read of `namespace`.
    fn last(&self, namespace: &Namespace) -> Stamp {
        let stamps = |namespace: &Namespace| {
            let stamps = self.namespaces.get(namespace);
            stamps.copied().unwrap_or_default()
        };
        let of_repository = |name: &str| {
            let here = stamps(&Namespace::Repo(name.into())).own;
            latest([self.whole, here, stamps(&owner_of(name)).own])
        };
        match namespace {
            Namespace::Host | Namespace::OwnerId(_) => self.any,
            Namespace::Owner(_) => {
                let here = stamps(namespace);
                latest([self.whole, self.by_number, here.own, here.below])
            }
            Namespace::Repo(name) if self.ids_by_name.contains_key(name) => of_repository(name),
            Namespace::Repo(name) => latest([self.by_number, of_repository(name)]),
            // A number without a name could be any repository. One whose old name alone is known has
            // another one, too.
            Namespace::RepoId(id) => self.names_by_id.get(id).map_or(self.any, |names| {
                let last = names.iter().map(|name| of_repository(name));
                last.fold(self.by_name, |last, stamp| latest([last, stamp]))
            }),
        }
    }

    fn at(&mut self, namespace: Namespace) -> &mut Stamps {
        self.namespaces.entry(namespace).or_default()
    }

    /// Every name of a repository, its own included; none for anything else.
    fn names(&self, namespace: &Namespace) -> Vec<Box<str>> {
        let (id, name) = match namespace {
            Namespace::Repo(name) => (self.ids_by_name.get(name).copied(), Some(name.clone())),
            Namespace::RepoId(id) => (Some(*id), None),
            Namespace::Host | Namespace::Owner(_) | Namespace::OwnerId(_) => return Vec::new(),
        };
        let known = id.and_then(|id| self.names_by_id.get(&id));
        let mut names = known.cloned().unwrap_or_default();
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
        names
    }
}

fn owner_of(repository: &str) -> Namespace {
    Namespace::Owner(repository.split('/').next().unwrap_or_default().into())
}

fn latest<const N: usize>(stamps: [Stamp; N]) -> Stamp {
    stamps
        .into_iter()
        .max_by_key(|stamp| stamp.event)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_000_000);

    /// Stamps with growing numbers, as the events of one daemon have.
    struct Story(Epochs, std::cell::Cell<u64>);

    impl Story {
        fn begin() -> Self {
            Self(Epochs::default(), std::cell::Cell::new(0))
        }

        fn now(&self) -> u64 {
            self.1.get()
        }

        fn write(&self, namespace: &Namespace, at: Timestamp) {
            self.1.set(self.now() + 1);
            self.0.write(namespace, None, self.now(), at);
        }
    }

    impl std::ops::Deref for Story {
        type Target = Epochs;

        fn deref(&self) -> &Epochs {
            &self.0
        }
    }

    fn repo(name: &str) -> Namespace {
        Namespace::Repo(name.into())
    }

    fn is_stale(epochs: &Epochs, namespace: &Namespace, asked_at: u64) -> bool {
        asked_at < epochs.floor(namespace, START).event
    }

    #[test]
    fn a_write_makes_stale_what_it_may_have_changed_and_nothing_else() {
        let epochs = Story::begin();
        let before = epochs.now();
        epochs.write(&repo("o/r"), START);
        for (namespace, stale) in [
            (repo("o/r"), true),
            (Namespace::Owner("o".into()), true),
            (Namespace::Host, true),
            (Namespace::RepoId(7), true),
            (repo("o/other"), false),
            (Namespace::Owner("p".into()), false),
        ] {
            assert_eq!(
                is_stale(&epochs, &namespace, before),
                stale,
                "{namespace:?}"
            );
            assert!(
                !is_stale(&epochs, &namespace, epochs.now()),
                "{namespace:?}"
            );
        }
    }

    #[test]
    fn an_owner_covers_its_repositories_and_a_host_everything() {
        let epochs = Story::begin();
        epochs.write(&Namespace::Owner("o".into()), START);
        assert!(is_stale(&epochs, &repo("o/r"), 0) && !is_stale(&epochs, &repo("p/r"), 0));
        epochs.write(&Namespace::Host, START);
        assert!(is_stale(&epochs, &repo("p/r"), 0));
    }

    #[test]
    fn a_repository_is_one_under_all_its_names() {
        let epochs = Story::begin();
        epochs.learn(7, "o/old");
        epochs.learn(7, "o/new");
        epochs.write(&repo("o/new"), START);
        assert!(
            is_stale(&epochs, &repo("o/old"), 0) && is_stale(&epochs, &Namespace::RepoId(7), 0)
        );
        let before = epochs.now();
        epochs.learn(8, "p/elsewhere");
        epochs.write(&repo("p/elsewhere"), START);
        assert!(
            !is_stale(&epochs, &Namespace::RepoId(7), before),
            "that is another one"
        );
        epochs.write(&repo("p/unknown"), START);
        assert!(is_stale(&epochs, &Namespace::RepoId(7), before));
        epochs.write(&Namespace::RepoId(7), START);
        assert!(is_stale(&epochs, &repo("o/old"), before));
    }

    #[test]
    fn a_namespace_settles_for_half_a_minute_whatever_the_clock_does() {
        let epochs = Story::begin();
        assert!(!epochs.floor(&repo("o/r"), START).settling);
        epochs.write(&repo("o/r"), START);
        let settling = |at| epochs.floor(&repo("o/r"), at).settling;
        assert!(settling(START.plus(Duration::from_secs(29))));
        assert!(
            settling(START.minus(Duration::from_secs(500))),
            "the clock went back"
        );
        assert!(!settling(START.plus(Duration::from_secs(30))));
    }

    #[test]
    fn forgetting_a_stamp_makes_more_stale_not_less() {
        let epochs = Story::begin();
        for number in 0..=NAMESPACES_MAX {
            epochs.write(&Namespace::Owner(number.to_string().into()), START);
        }
        assert!(is_stale(&epochs, &Namespace::Owner("0".into()), 0));
    }

    #[test]
    fn a_write_by_another_daemon_covers_the_names_that_this_one_knows() {
        let epochs = Epochs::default();
        epochs.learn(7, "o/old");
        epochs.write(&repo("o/new"), Some(7), 1, START);
        assert!(is_stale(&epochs, &repo("o/old"), 0));
    }

    #[test]
    fn when_anything_may_have_happened_everything_is_asked_again() {
        let epochs = Epochs::default();
        epochs.everything(5, Timestamp::EPOCH);
        for namespace in [repo("o/r"), Namespace::Host, Namespace::RepoId(7)] {
            let floor = epochs.floor(&namespace, START);
            assert_eq!((floor.event, floor.settling), (5, false), "{namespace:?}");
        }
        epochs.write(&repo("o/r"), None, 6, START);
        assert!(!is_stale(&epochs, &repo("p/r"), 5) && is_stale(&epochs, &repo("p/r"), 4));
        epochs.everything(9, START);
        assert!(is_stale(&epochs, &Namespace::Host, 8));
        assert!(epochs.floor(&repo("p/r"), START).settling);
    }
}
