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
