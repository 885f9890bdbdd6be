//! The epoch log: what the daemons of one cache directory tell one another, in one order for all.
//!
//! Whoever writes to GitHub through one daemon must not be shown the past by another, not even from that
//! one's memory, so every daemon has to know of a write before it serves its next hit. The log is one
//! file that all append to. Its length is the number of the last event: an answer carries the length
//! at the time of its question, and a write stamps what it changed with the length after its record.
//! So one `lseek` tells whether anything happened, and costs a hit a fraction of a microsecond.
//!
//! Appending needs no lock: the kernel gives each `O_APPEND` write a place of its own, and records are of one
//! size that divides a page, so nobody sees half of one. This holds on local file systems.
//!
//! A log that is full, unreadable or lost is replaced by one of the next *generation*, whose numbers are
//! all larger. The old one is ended first, and whoever follows it takes everything to have happened: more
//! is stale, never less.

mod record;
mod teller;

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, fstat, seek};

use crate::files;
use crate::time::Timestamp;
use record::RECORD;

pub use record::Event;
pub use teller::Teller;

/// Records in one generation. A daemon that starts reads them all, in a few milliseconds.
const RECORDS_MAX: u64 = 4096;
const NAME: &str = "epochs";
/// How long a log can be gone, by somebody who did not end it, before its followers see it.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long to wait for whoever is putting a new log in place, which takes a millisecond. Requests wait with
/// us, so one that was stopped in the middle of it is not waited for.
const TURN_WAIT: Duration = Duration::from_millis(100);
/// Bytes of a full log.
const FULL: u64 = RECORDS_MAX * RECORD as u64;

/// The place of something in the order of events, the same for all daemons of a cache directory.
///
/// The generation in the upper half, bytes of the log in the lower.
pub type Number = u64;

/// One daemon's view of the log.
#[derive(Debug)]
pub struct EpochLog {
    path: PathBuf,
    file: File,
    generation: u32,
    /// Bytes read so far.
    read: u64,
    /// When its name was last looked for.
    looked_at: Timestamp,
}

impl EpochLog {
    /// Opens the log in `directory`, or begins one. `after`: the last number this daemon knows; the log
    /// goes on behind it.
    ///
    /// Nothing of it is read yet: [`EpochLog::news`] begins with [`Event::Everything`], since whoever opens
    /// a log does not know what happened before.
    pub fn open(directory: &Path, after: Number, now: Timestamp) -> Result<Self, files::Error> {
        let path = directory.join(NAME);
        if let Some(log) = Self::existing(&path)?
            && log.generation > generation(after)
        {
            return Ok(log);
        }
        Self::begin(&path, after, now)
    }

    /// The number of the last event that was read.
    pub fn number(&self) -> Number {
        number(self.generation, self.read)
    }

    /// Whether there is anything that was not read yet. Asked before every hit.
    pub fn has_news(&mut self, now: Timestamp) -> bool {
        // A third of what `fstat` costs, which also tells whether the name is gone.
        let is_longer = seek(&self.file, SeekFrom::End(0)) != Ok(self.read);
        let looked = self.looked_at <= now && now.since(self.looked_at) < LOOK_EVERY;
        if is_longer || looked {
            return is_longer;
        }
        self.looked_at = now;
        self.is_gone().unwrap_or(true)
    }

    /// Reads what happened since the last look, each event with its number. What cannot be read could
    /// have been anything: [`Event::Everything`].
    ///
    /// Fails when the log is lost and no new one can be begun.
    pub fn news(
        &mut self,
        now: Timestamp,
        mut each: impl FnMut(Number, &Event),
    ) -> Result<(), files::Error> {
        if self.is_gone()? {
            // For those who have it open and do not look for its name just now.
            let _ = append(&self.file, &Event::Ended.to_record());
            self.follow(now)?;
        }
        let mut length = self.length()?;
        if length < self.read.max(RECORD as u64) || !length.is_multiple_of(RECORD as u64) {
            // Somebody cut it: its numbers mean nothing any more.
            *self = Self::begin(&self.path, self.number(), now)?;
            length = self.length()?;
        }
        loop {
            if self.read == 0 {
                self.read = RECORD as u64;
                let at = self.began_at().unwrap_or(now);
                each(self.number(), &Event::Everything { at });
            }
            if self.read + RECORD as u64 > length {
                return Ok(());
            }
            let event = self.record(self.read);
            self.read += RECORD as u64;
            match event {
                Some(Event::Ended) => {
                    self.follow(now)?;
                    length = self.length()?;
                }
                Some(event) => each(self.number(), &event),
                None => each(self.number(), &Event::Everything { at: now }),
            }
        }
    }

    /// Adds `event`, for everybody who has this log open to read, ourselves included. Who cannot do that
    /// has to [`give_up`] the log.
    pub fn append(&mut self, event: &Event, now: Timestamp) -> Result<(), files::Error> {
        let record = event.to_record();
        for _ in 0..3 {
            append(&self.file, &record).map_err(|error| self.error("append to", error))?;
            if !self.is_gone()? && !self.has_ended()? {
                if self.length()? >= FULL {
                    Self::begin(&self.path, self.number(), now)?;
                }
                return Ok(());
            }
            // Replaced while we wrote. Who follows the new one takes everything to have happened, but
            // maybe before what we have to say did.
            let _ = append(&self.file, &Event::Ended.to_record());
            self.follow(now)?;
        }
        Err(self.error(
            "append to",
            std::io::ErrorKind::StaleNetworkFileHandle.into(),
        ))
    }

    /// Goes on with the next generation.
    fn follow(&mut self, now: Timestamp) -> Result<(), files::Error> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        *self = Self::open(directory, self.number(), now)?;
        Ok(())
    }

    /// Whether the log has lost its name.
    fn is_gone(&self) -> Result<bool, files::Error> {
        let found = fstat(&self.file).map_err(|error| self.error("read", error.into()))?;
        Ok(found.st_nlink == 0)
    }

    /// Whether the end is among what was not read yet.
    fn has_ended(&self) -> Result<bool, files::Error> {
        let unread = (self.read..self.length()?).step_by(RECORD);
        Ok(unread
            .into_iter()
            .any(|at| self.record(at) == Some(Event::Ended)))
    }

    fn record(&self, at: u64) -> Option<Event> {
        let mut record = [0; RECORD];
        self.file.read_exact_at(&mut record, at).ok()?;
        Event::from_record(&record)
    }

    /// When this generation began: for how long after it nothing is settled.
    fn began_at(&self) -> Option<Timestamp> {
        match self.record(0)? {
            Event::Began { at, .. } => Some(at),
            _ => None,
        }
    }

    /// The log under this name, if it is one. `None` when there is none or it makes no sense.
    fn existing(path: &Path) -> Result<Option<Self>, files::Error> {
        let Some(file) = files::open_append_existing(path)? else {
            return Ok(None);
        };
        let mut first = Vec::with_capacity(RECORD);
        let read = (&file).take(RECORD as u64).read_to_end(&mut first);
        let began = read
            .ok()
            .and_then(|_| first.as_slice().try_into().ok())
            .and_then(Event::from_record);
        Ok(match began {
            Some(Event::Began { generation, .. }) => Some(Self {
                path: path.to_owned(),
                file,
                generation,
                read: 0,
                looked_at: Timestamp::EPOCH,
            }),
            _ => None,
        })
    }

    /// Puts a new generation in the place of the log that has number `after`, unless somebody was faster.
    fn begin(path: &Path, after: Number, now: Timestamp) -> Result<Self, files::Error> {
        if let Some(directory) = path.parent() {
            // It may have been removed under us.
            files::private_dir(directory)?;
        }
        let turns = path.with_extension("lock");
        // The lock's file stays, whatever becomes of the log.
        let is_first = after == 0 && !turns.exists();
        let _turn = files::wait_for_lock(&turns, TURN_WAIT)?;
        let existing = Self::existing(path)?;
        if let Some(log) = existing.filter(|log| {
            log.generation > generation(after) && log.length().is_ok_and(|length| length < FULL)
        }) {
            return Ok(log);
        }
        // A lost log's generation is not known. Seconds grow faster than anybody fills logs.
        let generation = u32::try_from(now.as_secs())
            .unwrap_or(u32::MAX - 1)
            .max(generation(after).saturating_add(1));
        let began = Event::Began {
            generation,
            // What was written shortly before is not known any more, so nothing is settled; but nothing
            // was written where there was no log.
            at: if is_first { Timestamp::EPOCH } else { now },
        };
        // First, so that whoever follows it comes here and waits for his turn.
        if let Ok(Some(old)) = files::open_append_existing(path) {
            let _ = append(&old, &Event::Ended.to_record());
        }
        files::write_atomic(path, &began.to_record())?;
        let log = Self::existing(path)?.ok_or_else(|| files::Error::Kind {
            path: path.to_owned(),
            expected: "an epoch log",
        })?;
        // So that there is room for records when the disk is full. Where that cannot be done they may
        // fail, and are then looked after.
        let _ = fallocate(
            &log.file,
            FallocateFlags::KEEP_SIZE,
            0,
            FULL + 8 * RECORD as u64,
        );
        Ok(log)
    }

    fn length(&self) -> Result<u64, files::Error> {
        let found = fstat(&self.file).map_err(|error| self.error("read", error.into()))?;
        Ok(found.st_size.cast_unsigned())
    }

    fn error(&self, action: &'static str, source: std::io::Error) -> files::Error {
        files::Error::Io {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

/// Ends the log of `directory` for everybody, without being able to write to it: its name goes. All who
/// follow it have seen that when this returns, if they looked.
pub fn give_up(directory: &Path) {
    let _ = std::fs::remove_file(directory.join(NAME));
    std::thread::sleep(LOOK_EVERY * 2);
}

/// One write of one record: nobody else's can come between its bytes.
fn append(file: &File, record: &[u8; RECORD]) -> std::io::Result<()> {
    let written = rustix::io::retry_on_intr(|| rustix::io::write(file, record))?;
    if written == RECORD {
        return Ok(());
    }
    Err(std::io::ErrorKind::WriteZero.into())
}

const fn generation(number: Number) -> u32 {
    (number >> 32) as u32
}

const fn number(generation: u32, read: u64) -> Number {
    ((generation as u64) << 32) | read
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::sync::mpsc;

    use super::*;
    use crate::api::Namespace;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn open(directory: &Path) -> EpochLog {
        EpochLog::open(directory, 0, NOW).unwrap()
    }

    fn written(id: u64) -> Event {
        Event::Written {
            namespace: Namespace::RepoId(id),
            id: Some(id),
            at: NOW,
        }
    }

    fn heard(log: &mut EpochLog) -> Vec<(Number, Event)> {
        let mut all = Vec::new();
        log.news(NOW, |number, event| all.push((number, event.clone())))
            .unwrap();
        all
    }

    #[test]
    fn all_hear_the_same_in_the_same_order() {
        let dir = tempfile::tempdir().unwrap();
        let (mut a, mut b) = (open(dir.path()), open(dir.path()));
        a.append(&written(1), NOW).unwrap();
        b.append(&written(2), NOW).unwrap();
        a.append(&Event::Cleared, NOW).unwrap();
        let first = heard(&mut a);
        assert_eq!(first, heard(&mut b));
        let events: Vec<_> = first.into_iter().map(|(_, event)| event).collect();
        let began = Event::Everything {
            at: Timestamp::EPOCH,
        };
        assert_eq!(events, [began, written(1), written(2), Event::Cleared]);
        assert!(!a.has_news(NOW) && heard(&mut a).is_empty());
        b.append(&written(3), NOW).unwrap();
        assert!(a.has_news(NOW));
    }

    #[test]
    fn numbers_only_grow_whatever_happens_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("epochs");
        let mut log = open(dir.path());
        let mut last = 0;
        let mut grown = |log: &mut EpochLog| {
            log.append(&written(1), NOW).unwrap();
            for (number, _) in heard(log) {
                assert!(number > last, "{number:x} after {last:x}");
                last = number;
            }
        };
        grown(&mut log);
        std::fs::remove_file(&path).unwrap();
        grown(&mut log);
        std::fs::remove_dir_all(dir.path()).unwrap();
        grown(&mut log);
        File::create(&path).unwrap();
        grown(&mut log);
        drop(log);
        let mut next = open(dir.path());
        let first = heard(&mut next).first().map(|(number, _)| *number);
        assert!(first.is_some_and(|first| generation(first) == generation(last)));
    }

    /// Three daemons write while a fourth looks: once a write is told it is heard of, or everything is,
    /// also while generations change.
    #[test]
    fn what_was_told_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let lost = AtomicU64::new(0);
        let (told, listener) = mpsc::sync_channel::<(u64, u64)>(0);
        std::thread::scope(|scope| {
            for writer in 0..3 {
                let (told, lost, dir) = (told.clone(), &lost, dir.path());
                scope.spawn(move || {
                    let mut log = open(dir);
                    for step in 0..RECORDS_MAX {
                        let id = step * 3 + writer + 1;
                        let before = lost.load(SeqCst);
                        log.append(&written(id), NOW).unwrap();
                        told.send((id, before)).unwrap();
                        if step.is_multiple_of(64) {
                            heard(&mut log);
                        }
                    }
                });
            }
            drop(told);
            let mut log = open(dir.path());
            let mut known = HashSet::new();
            for (id, before) in listener {
                if log.has_news(NOW) {
                    for (_, event) in heard(&mut log) {
                        match event {
                            Event::Written { id, .. } => drop(known.insert(id)),
                            _ => drop(lost.fetch_add(1, SeqCst)),
                        }
                    }
                }
                assert!(
                    known.contains(&Some(id)) || lost.load(SeqCst) > before,
                    "{id} was told and not heard"
                );
            }
            assert!(
                generation(log.number()) > 1_800_000_001,
                "it was begun anew"
            );
        });
    }
}
