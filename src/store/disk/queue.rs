//! What waits to be written: bounded, merged by key, the oldest first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::trouble::Reason;
use crate::api::Key;
use crate::store::Slot;

/// So many are written at once, without waiting for more.
pub(super) const GROUP: usize = 256;
/// The first of fewer waits this long.
const LINGER: Duration = Duration::from_secs(1);
/// Uses wait longer: losing them costs a little order among what is evicted.
const USES_LINGER: Duration = Duration::from_secs(60);
const USES_MAX: usize = 4096;
/// Things and bytes that may wait when the disk is slower than GitHub, or broken.
const WAITING_MAX: usize = 4096;
const WAITING_BYTES: u64 = 32 << 20;
/// Keys of rows that were found unsound, to be looked at.
const DOUBTFUL_MAX: usize = 1024;

/// Tells whoever waits how many things there were.
pub(super) type Reply = Box<dyn FnOnce(u64) + Send>;

/// Something to be done on the writer's thread, in order.
pub(super) enum Task {
    Remove(Key, Reply),
    Clear(Reply),
}

/// What waits.
#[derive(Default)]
pub(super) struct Queue {
    waiting: HashMap<Key, Waiting>,
    /// The order in which they came; what was removed since is still in here.
    order: VecDeque<Key>,
    bytes: u64,
    /// What the writer is writing: still to be read from here.
    writing: HashMap<Key, Slot>,
    writing_bytes: u64,
    tasks: Vec<Task>,
    flushes: Vec<Reply>,
    uses: HashSet<Key>,
    doubtful: HashSet<Key>,
    first_at: Option<Instant>,
    first_use_at: Option<Instant>,
    /// A reader met a database that may not be the right one.
    suspect: Option<Reason>,
    pub(super) closing: bool,
}

struct Waiting {
    slot: Slot,
    weight: u64,
}

/// What the writer takes out at once.
#[derive(Default)]
pub(super) struct Work {
    pub(super) slots: Vec<(Key, Slot)>,
    pub(super) tasks: Vec<Task>,
    pub(super) flushes: Vec<Reply>,
    pub(super) uses: Vec<Key>,
    pub(super) doubtful: Vec<Key>,
    pub(super) suspect: Option<Reason>,
    pub(super) closing: bool,
}

/// What to do about the queue at some moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Now,
    /// Not before then, unless something comes.
    At(Instant),
    /// When something comes.
    Never,
}

impl Queue {
    /// Adds `slot`, and says how many others had to be dropped for it, and whether the writer should look.
    pub(super) fn put(&mut self, key: Key, slot: Slot, now: Instant) -> (u64, bool) {
        let slot = match self.waiting.get(&key) {
            Some(held) => merged(&held.slot, slot),
            None => slot,
        };
        let is_first = self.waiting.is_empty();
        self.insert(key, slot, false);
        self.first_at.get_or_insert(now);
        let dropped = self.bound();
        (dropped, is_first || self.waiting.len() == GROUP)
    }

    fn insert(&mut self, key: Key, slot: Slot, in_front: bool) {
        let weight = weight(&slot);
        self.bytes += weight;
        match self.waiting.insert(key, Waiting { slot, weight }) {
            Some(old) => self.bytes -= old.weight,
            None if in_front => self.order.push_front(key),
            None => self.order.push_back(key),
        }
    }

    fn bound(&mut self) -> u64 {
        let mut dropped = 0;
        while self.waiting.len() > WAITING_MAX || self.bytes + self.writing_bytes > WAITING_BYTES {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            dropped += u64::from(self.take_out(&oldest));
        }
        // Keys that were removed and put again are in there twice.
        if self.order.len() > 2 * WAITING_MAX {
            let mut seen = HashSet::new();
            let waiting = &self.waiting;
            self.order
                .retain(|key| waiting.contains_key(key) && seen.insert(*key));
        }
        dropped
    }

    fn take_out(&mut self, key: &Key) -> bool {
        let taken = self.waiting.remove(key);
        self.bytes -= taken.as_ref().map_or(0, |taken| taken.weight);
        taken.is_some()
    }

    /// What waits or is being written under `key`.
    pub(super) fn get(&self, key: &Key) -> Option<Slot> {
        let waiting = self.waiting.get(key).map(|waiting| &waiting.slot);
        waiting.or_else(|| self.writing.get(key)).cloned()
    }

    pub(super) fn used(&mut self, key: Key, now: Instant) -> bool {
        if self.uses.len() >= USES_MAX {
            return false;
        }
        let is_first = self.uses.is_empty();
        self.uses.insert(key);
        self.first_use_at.get_or_insert(now);
        is_first
    }

    pub(super) fn doubt(&mut self, key: Key) {
        if self.doubtful.len() < DOUBTFUL_MAX {
            self.doubtful.insert(key);
        }
    }

    /// Notes that a reader met trouble with the database itself, and whether that is new.
    pub(super) fn suspect(&mut self, reason: Reason) -> bool {
        self.suspect.replace(reason).is_none()
    }

    pub(super) fn flush(&mut self, reply: Reply) {
        self.flushes.push(reply);
    }

    /// Forgets `key`, and has it removed from the database.
    pub(super) fn remove(&mut self, key: Key, reply: impl FnOnce(u64) + Send + 'static) {
        let waited = self.take_out(&key) | self.writing.remove(&key).is_some();
        let reply = move |rows: u64| reply(rows.max(u64::from(waited)));
        self.tasks.push(Task::Remove(key, Box::new(reply)));
    }

    /// Forgets everything, and has it removed from the database.
    pub(super) fn clear(&mut self, reply: Reply) {
        self.waiting.clear();
        self.order.clear();
        self.writing.clear();
        self.bytes = 0;
        self.uses.clear();
        self.tasks.push(Task::Clear(reply));
    }

    /// When to take out work; `retry_at` when the last attempt failed.
    pub(super) fn due(&self, now: Instant, retry_at: Option<Instant>) -> Due {
        if self.closing || !self.flushes.is_empty() || !self.tasks.is_empty() {
            return Due::Now;
        }
        let waiting = match self.first_at {
            Some(_) if self.waiting.len() >= GROUP => Some(now),
            Some(first) if !self.waiting.is_empty() => Some(first + LINGER),
            _ => None,
        };
        let uses = self.first_use_at.filter(|_| !self.uses.is_empty());
        let uses = uses.map(|first| first + USES_LINGER);
        let doubtful = (self.suspect.is_some() || !self.doubtful.is_empty()).then_some(now);
        let Some(due) = [waiting, uses, doubtful].into_iter().flatten().min() else {
            return Due::Never;
        };
        let due = retry_at.map_or(due, |retry_at| due.max(retry_at));
        if due <= now { Due::Now } else { Due::At(due) }
    }

    /// Takes out all that waits.
    pub(super) fn take(&mut self) -> Work {
        let mut slots = Vec::with_capacity(self.waiting.len());
        for key in std::mem::take(&mut self.order) {
            if let Some(waiting) = self.waiting.remove(&key) {
                self.writing.insert(key, waiting.slot.clone());
                slots.push((key, waiting.slot));
            }
        }
        self.writing_bytes = std::mem::take(&mut self.bytes);
        self.first_at = None;
        self.first_use_at = None;
        Work {
            suspect: self.suspect.take(),
            slots,
            tasks: std::mem::take(&mut self.tasks),
            flushes: std::mem::take(&mut self.flushes),
            uses: self.uses.drain().collect(),
            doubtful: self.doubtful.drain().collect(),
            closing: self.closing,
        }
    }

    /// The writer is done, but for `rest`, which it could not write: that waits again. Says how many had to
    /// be dropped.
    pub(super) fn done(&mut self, rest: Vec<(Key, Slot)>, now: Instant) -> u64 {
        for (key, slot) in rest.into_iter().rev() {
            // What was removed meanwhile stays so.
            if !self.writing.contains_key(&key) {
                continue;
            }
            let slot = match self.waiting.get(&key) {
                Some(newer) => merged(&slot, newer.slot.clone()),
                None => slot,
            };
            self.insert(key, slot, true);
            self.first_at.get_or_insert(now);
        }
        self.writing = HashMap::new();
        self.writing_bytes = 0;
        self.bound()
    }
}

/// `new` on top of `held`.
fn merged(held: &Slot, new: Slot) -> Slot {
    match (held, new) {
        (Slot::Answers(held), Slot::Answers(new)) if Arc::ptr_eq(held, &new) => Slot::Answers(new),
        (Slot::Answers(held), Slot::Answers(new)) => Slot::Answers(Arc::new(
            Arc::unwrap_or_clone(Arc::clone(held)).merge(Arc::unwrap_or_clone(new)),
        )),
        (_, new) => new,
    }
}

fn weight(slot: &Slot) -> u64 {
    match slot {
        Slot::Answers(entry) => entry.weight(),
        Slot::Named(named) => 256 + (named.key.len() + named.value.len()) as u64,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::store::Named;
    use crate::time::Timestamp;

    fn key(n: usize) -> Key {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&n.to_le_bytes());
        Key::from_bytes(key)
    }

    fn slot(bytes: usize) -> Slot {
        Slot::Named(Arc::new(Named {
            operation: "x".into(),
            key: Bytes::new(),
            value: vec![0; bytes].into(),
            stored_at: Timestamp::EPOCH,
            lifetime: Duration::ZERO,
        }))
    }

    fn length(slot: Option<Slot>) -> Option<usize> {
        match slot? {
            Slot::Named(named) => Some(named.value.len()),
            Slot::Answers(_) => None,
        }
    }

    #[test]
    fn a_group_is_due_at_once_and_fewer_a_second_after_the_first() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        assert_eq!(queue.due(now, None), Due::Never);
        assert_eq!(queue.put(key(0), slot(1), now), (0, true));
        let later = now + LINGER / 2;
        assert_eq!(queue.put(key(1), slot(1), later), (0, false));
        assert_eq!(queue.due(later, None), Due::At(now + LINGER));
        assert_eq!(queue.due(now + LINGER, None), Due::Now);
        for n in 2..GROUP {
            queue.put(key(n), slot(1), later);
        }
        assert_eq!(queue.due(later, None), Due::Now);
        let retry_at = now + LINGER * 5;
        assert_eq!(queue.due(later, Some(retry_at)), Due::At(retry_at));
        queue.flush(Box::new(|_| {}));
        assert_eq!(queue.due(later, Some(retry_at)), Due::Now);
    }

    #[test]
    fn the_oldest_are_dropped_when_too_much_waits() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let put = |queue: &mut Queue, n, bytes| queue.put(key(n), slot(bytes), now).0;
        let dropped: u64 = (0..WAITING_MAX + 5).map(|n| put(&mut queue, n, 1)).sum();
        assert_eq!(dropped, 5);
        assert!(queue.get(&key(4)).is_none() && queue.get(&key(5)).is_some());
        let large = usize::try_from(WAITING_BYTES).unwrap() - 1024;
        assert_eq!(put(&mut queue, 9999, large), WAITING_MAX as u64 - 2);
        assert_eq!(length(queue.get(&key(9999))), Some(large));
        assert_eq!(put(&mut queue, 9999, 1), 0, "replaced, so there is room");
        assert_eq!(put(&mut queue, 10_000, large - 4096), 0);
    }

    #[test]
    fn what_is_being_written_can_be_read_and_waits_again_when_that_failed() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for n in 0..3 {
            queue.put(key(n), slot(n), now);
        }
        let work = queue.take();
        assert_eq!(work.slots.len(), 3);
        assert_eq!(length(queue.get(&key(2))), Some(2));
        queue.put(key(1), slot(100), now);
        queue.remove(key(2), |_| {});
        assert!(queue.get(&key(2)).is_none());
        queue.done(work.slots, now);
        assert_eq!(length(queue.get(&key(0))), Some(0));
        assert_eq!(length(queue.get(&key(1))), Some(100), "the newer one");
        assert!(queue.get(&key(2)).is_none(), "removed meanwhile");
        let keys: Vec<_> = queue.take().slots.into_iter().map(|slot| slot.0).collect();
        assert_eq!(keys.len(), 2);
    }

    #[test]
    fn removing_says_whether_there_was_something_that_only_waited() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.put(key(1), slot(1), now);
        let (sender, removed) = std::sync::mpsc::channel();
        let other = sender.clone();
        queue.remove(key(1), move |rows| sender.send(rows).unwrap());
        queue.remove(key(2), move |rows| other.send(rows).unwrap());
        for task in queue.take().tasks {
            if let Task::Remove(_, reply) = task {
                reply(0);
            }
        }
        assert_eq!(removed.iter().collect::<Vec<_>>(), [1, 0]);
    }
}
