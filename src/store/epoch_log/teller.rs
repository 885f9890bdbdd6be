//! Tells of writes without hearing of any: for who holds nothing that could become stale.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::{EpochLog, Event, files, give_up};
use crate::api::Namespace;
use crate::clock::Clock;

/// Writes into the log of a directory. A cheap handle.
#[derive(Debug, Clone)]
pub struct Teller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    clock: Clock,
    // A std mutex: nothing is awaited under it. Opened with the first write.
    log: Mutex<Option<EpochLog>>,
}

/// A write under way. It is told of when it begins, and again when this is dropped: what was asked
/// meanwhile may be from before it, and nobody knows what one that broke off did.
#[derive(Debug)]
pub struct Writing(Teller);

impl Teller {
    /// Tells the daemons that share `directory`.
    pub fn new(directory: PathBuf, clock: Clock) -> Self {
        let log = Mutex::default();
        Self(Arc::new(Inner {
            directory,
            clock,
            log,
        }))
    }

    /// Something is written, nobody knows what.
    pub fn writing(&self) -> Writing {
        self.tell();
        Writing(self.clone())
    }

    fn tell(&self) {
        let mut log = self.0.log.lock().unwrap_or_else(PoisonError::into_inner);
        if self.append(&mut log).is_err() {
            // Others must not go on believing in a log that we cannot write to.
            *log = None;
            give_up(&self.0.directory);
        }
    }

    fn append(&self, log: &mut Option<EpochLog>) -> Result<(), files::Error> {
        let at = self.0.clock.now();
        let log = match log {
            Some(log) => log,
            None => log.insert(EpochLog::open(&self.0.directory, 0, at)?),
        };
        // What others told means nothing to us, but an end does: we follow.
        log.news(at, |_, _| ())?;
        let namespace = Namespace::Host;
        log.append(
            &Event::Written {
                namespace,
                id: None,
                at,
            },
            at,
        )
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.tell();
    }
}
