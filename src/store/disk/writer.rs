//! The thread that writes: everything that changes the database goes through it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tracing::{info, warn};

use super::place::Opened;
use super::queue::{Due, GROUP, Task, Work};
use super::rows::{self, Gone};
use super::salvage::salvage;
use super::shared::{Reader, Shared};
use super::trouble::{Reason, Trouble};
use crate::api::Key;
use crate::store::Slot;
use crate::store::record::FileName;

/// Between attempts, when the disk fails: doubled each time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(60);
/// Rows evicted in one transaction.
const EVICTED_AT_ONCE: u32 = 64;
/// Pages given back to the system after one group.
const PAGES_AT_ONCE: u64 = 1024;

/// The writer and its connection.
pub(super) struct Writer {
    shared: Arc<Shared>,
    opened: Option<Opened>,
    trouble: Option<Failing>,
}

struct Failing {
    reason: Reason,
    wait: Duration,
    retry_at: Instant,
}

impl Writer {
    pub(super) const fn new(shared: Arc<Shared>, opened: Opened) -> Self {
        Self {
            shared,
            opened: Some(opened),
            trouble: None,
        }
    }

    /// Works until the last handle is dropped.
    pub(super) fn run(mut self) {
        self.tidy_up();
        loop {
            let mut work = self.wait();
            let closing = work.closing;
            let mut result = self.work(&mut work);
            if let Err(trouble) = &result
                && trouble.is_final()
                && !matches!(trouble, Trouble::Foreign)
            {
                self.shared.tally.count(trouble.reason());
                self.replace();
                result = self.work(&mut work);
            }
            self.settle(result);
            let dropped = self.shared.queue().done(work.slots, Instant::now());
            self.shared.tally.add(Reason::WriteDropped, dropped);
            for reply in work.flushes {
                reply(0);
            }
            if closing {
                return;
            }
        }
    }

    fn wait(&self) -> Work {
        let retry_at = self.trouble.as_ref().map(|failing| failing.retry_at);
        let mut queue = self.shared.queue();
        loop {
            let now = Instant::now();
            queue = match queue.due(now, retry_at) {
                Due::Now => return queue.take(),
                Due::At(at) => self.shared.wait(queue, Some(at - now)),
                Due::Never => self.shared.wait(queue, None),
            };
        }
    }

    /// Does the work, and leaves in it what could not be done.
    fn work(&mut self, work: &mut Work) -> Result<(), Trouble> {
        let ready = self.ready(work.suspect.take());
        for task in work.tasks.drain(..) {
            let done = |gone: Option<Gone>| gone.map_or(0, |gone| gone.rows);
            match task {
                Task::Remove(key, reply) => reply(done(
                    self.change(|connection| rows::delete(connection, rows::id(&key)))
                        .ok(),
                )),
                Task::Clear(reply) => {
                    reply(done(self.change(rows::clear).ok()));
                }
            }
        }
        ready?;
        while !work.slots.is_empty() {
            let group = &work.slots[..work.slots.len().min(GROUP)];
            match self.write(group) {
                Err(trouble) if trouble.reason() == Reason::Full => {
                    self.make_room()?;
                    self.write(group)?;
                }
                written => written?,
            }
            work.slots.drain(..group.len());
        }
        self.touch(&work.uses)?;
        for key in std::mem::take(&mut work.doubtful) {
            let shared = Arc::clone(&self.shared);
            self.change(|connection| rows::heal(connection, shared.terms(), &key))?;
        }
        self.keep_to_the_limit()
    }

    /// Makes sure that the current database is open: others may have begun a new one, or removed it.
    fn ready(&mut self, suspect: Option<Reason>) -> Result<(), Trouble> {
        if let Some(opened) = &self.opened {
            if self.shared.place.is_current(&opened.seen) {
                return if suspect == Some(Reason::Corrupt) {
                    Err(Trouble::Damaged)
                } else {
                    Ok(())
                };
            }
            self.shared.tally.count(Reason::Gone);
            self.close();
        }
        let opened = self.shared.place.enter(false)?;
        self.adopt(opened)?;
        info!(
            directory = %self.shared.place.directory().display(),
            "the disk cache had been removed or replaced and was opened anew",
        );
        Ok(())
    }

    fn close(&mut self) {
        self.opened = None;
        *self.shared.reader() = None;
    }

    /// Begins to use `opened`, and saves what can be saved of the database that it takes the place of.
    fn adopt(&mut self, mut opened: Opened) -> Result<(), Trouble> {
        if let Some(connection) = opened.reader.take() {
            let seen = opened.seen.clone();
            *self.shared.reader() = Some(Reader { connection, seen });
        }
        let left_behind = opened.left_behind.take();
        let connection = &mut opened.writer;
        if let Some(old) = left_behind {
            self.shared.tally.count(Reason::Renewed);
            let saved = salvage(&self.shared, connection, &old);
            warn!(
                directory = %self.shared.place.directory().display(),
                saved = saved.as_ref().copied().unwrap_or(0),
                "the disk cache was damaged or gone and was begun anew",
            );
            self.shared.place.remove(&old);
            saved?;
        }
        self.opened = Some(opened);
        Ok(())
    }

    /// What nobody waits for: copies, leftovers of other processes.
    fn tidy_up(&mut self) {
        if let Some(opened) = self.opened.take()
            && let Err(trouble) = self.adopt(opened)
        {
            self.settle(Err(trouble));
        }
        self.shared.place.sweep();
        if let Some(opened) = &self.opened {
            // A start is no occasion to say that something is wrong: the next write will.
            let _ = self
                .shared
                .place
                .remove_orphans(&opened.writer, &self.shared.clock);
        }
    }

    /// Changes the database in one transaction, and removes the files that it names no more.
    fn change(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<Gone, Trouble>,
    ) -> Result<Gone, Trouble> {
        let opened = self.opened.as_mut().ok_or(Trouble::Gone)?;
        let transaction = opened
            .writer
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let gone = change(&transaction)?;
        transaction.commit()?;
        for name in &gone.files {
            self.shared.place.bodies.remove(name);
        }
        Ok(gone)
    }

    fn write(&mut self, group: &[(Key, Slot)]) -> Result<(), Trouble> {
        let shared = Arc::clone(&self.shared);
        let mut fresh: Vec<FileName> = Vec::new();
        let written = self.change(|connection| {
            let mut gone = Gone::default();
            for (key, slot) in group {
                let files = rows::save(connection, shared.terms(), key, slot, &mut fresh)?;
                gone.files.extend(files);
            }
            Ok(gone)
        });
        if written.is_err() {
            for name in &fresh {
                self.shared.place.bodies.remove(name);
            }
        }
        written.map(drop)
    }

    fn touch(&mut self, uses: &[Key]) -> Result<(), Trouble> {
        if uses.is_empty() {
            return Ok(());
        }
        let now = self.shared.clock.now().as_secs();
        self.change(|connection| {
            for key in uses {
                rows::touch(connection, key, now)?;
            }
            Ok(Gone::default())
        })
        .map(drop)
    }

    /// Evicts down to 95 % of the limit when there is more than that, and gives pages back.
    fn keep_to_the_limit(&mut self) -> Result<(), Trouble> {
        let limit = self.shared.limit;
        let size = self.size()?;
        if size.taken > limit {
            self.evict_to(limit / 20 * 19)?;
        }
        self.shrink()
    }

    /// Evicts until no more than `goal` bytes are taken.
    fn evict_to(&mut self, goal: u64) -> Result<(), Trouble> {
        loop {
            let size = self.size()?;
            if size.taken <= goal || size.entries == 0 {
                return Ok(());
            }
            let excess = size.taken - goal;
            let gone = self.change(|connection| {
                let gone = rows::evict(connection, 0, excess, EVICTED_AT_ONCE)?;
                rows::count_evictions(connection, gone.rows)?;
                Ok(gone)
            })?;
            if gone.rows == 0 {
                return Ok(());
            }
        }
    }

    /// The disk is full: less of ours may be enough.
    fn make_room(&mut self) -> Result<(), Trouble> {
        let opened = self.opened.as_ref().ok_or(Trouble::Gone)?;
        checkpoint(&opened.writer)?;
        let taken = self.size()?.taken;
        self.evict_to(taken / 5 * 4)?;
        let opened = self.opened.as_ref().ok_or(Trouble::Gone)?;
        // Moving pages takes room in the log first; free pages in the database serve as well.
        let _ = vacuum(&opened.writer, 0);
        checkpoint(&opened.writer)
    }

    /// Gives free pages back when there are many, or the file has become larger than it may.
    fn shrink(&mut self) -> Result<(), Trouble> {
        let size = self.size()?;
        let opened = self.opened.as_ref().ok_or(Trouble::Gone)?;
        let over = size.pages * size.page > self.shared.limit;
        if size.free > 0 && (over || size.free > (size.pages / 4).max(PAGES_AT_ONCE)) {
            vacuum(&opened.writer, PAGES_AT_ONCE)?;
        }
        Ok(())
    }

    fn size(&self) -> Result<Size, Trouble> {
        let connection = &self.opened.as_ref().ok_or(Trouble::Gone)?.writer;
        let size = Size::of(connection)?;
        Ok(size)
    }

    /// Notes how an attempt ended, and says so once when the disk begins to fail and once when it is over.
    fn settle(&mut self, result: Result<(), Trouble>) {
        let Err(trouble) = result else {
            if let Some(failing) = self.trouble.take() {
                info!(reason = ?failing.reason, "the disk cache works again");
            }
            return;
        };
        let reason = trouble.reason();
        self.shared.tally.count(reason);
        let wait = if let Some(failing) = &self.trouble {
            (failing.wait * 2).min(RETRY_MOST)
        } else {
            warn!(error = %trouble, "the disk cache fails; trying again from time to time");
            RETRY_FIRST
        };
        self.trouble = Some(Failing {
            reason,
            wait,
            retry_at: Instant::now() + wait,
        });
    }

    /// The database cannot be used any more: begins a new one in its place.
    fn replace(&mut self) {
        let Some(opened) = self.opened.take() else {
            return;
        };
        let generation = opened.seen.generation().clone();
        drop(opened);
        self.close();
        let renewed = self.shared.place.renew(Some(&generation)).and_then(|old| {
            let mut opened = self.shared.place.enter(false)?;
            opened.left_behind = opened.left_behind.or(old);
            self.adopt(opened)
        });
        if let Err(trouble) = renewed {
            self.shared.tally.count(trouble.reason());
        }
    }
}

/// How large the database is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) entries: u64,
    /// Bytes that count against the limit: what the accounts say or what the files take, whichever is more.
    pub(super) taken: u64,
    pages: u64,
    free: u64,
    page: u64,
}

impl Size {
    /// Whether there are pages to give back.
    pub(super) const fn has_free(&self) -> bool {
        self.free > 0
    }

    pub(super) fn of(connection: &Connection) -> Result<Self, Trouble> {
        let number = |pragma: &str| {
            connection
                .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
                .map(|number| u64::try_from(number).unwrap_or(0))
        };
        let totals = rows::totals(connection)?;
        let (pages, free) = (number("page_count")?, number("freelist_count")?);
        let page = number("page_size")?;
        let in_use = pages.saturating_sub(free) * page + totals.filed;
        Ok(Self {
            entries: totals.entries,
            taken: totals.bytes.max(in_use),
            pages,
            free,
            page,
        })
    }
}

/// Gives up to `pages` free pages back to the system; 0 is all.
pub(super) fn vacuum(connection: &Connection, pages: u64) -> Result<(), Trouble> {
    // Each row that this statement returns is a page that was given back.
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Moves the log into the database as far as readers let it, and cuts it.
pub(super) fn checkpoint(connection: &Connection) -> Result<(), Trouble> {
    let mut statement = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}
