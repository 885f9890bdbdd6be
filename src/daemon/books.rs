//! What a daemon writes again and again while it runs.

use std::convert::Infallible;
use std::time::Duration;

use tracing::{info, warn};

use super::{Ready, StateDir};
use crate::files;
use crate::stats::{Counters, Snapshot, Stats};
use crate::tiered::Tiered;
use crate::time::Degraded;

/// How often the counters are written, when they changed: what is lost when the runner kills us.
const COUNTERS_EVERY: Duration = Duration::from_secs(2);

/// The counters, and an announcement that a full disk did not take at first.
pub(super) struct Books<'a> {
    tiered: &'a Tiered,
    counters: &'a Stats,
    state: &'a StateDir,
    /// What could not be announced yet.
    ready: Option<&'a Ready>,
    trouble: Degraded,
}

impl<'a> Books<'a> {
    pub(super) fn new(
        tiered: &'a Tiered,
        counters: &'a Stats,
        state: &'a StateDir,
        ready: Option<&'a Ready>,
    ) -> Self {
        Self {
            tiered,
            counters,
            state,
            ready,
            trouble: Degraded::default(),
        }
    }

    /// Writes the counters whenever they changed. A full disk is told, and waited for.
    pub(super) async fn keep(&mut self) -> Infallible {
        let mut written = Snapshot::default();
        loop {
            tokio::time::sleep(COUNTERS_EVERY).await;
            let shown = self.tiered.snapshot();
            // Time goes on also when nothing happens.
            let changed = Snapshot {
                uptime_seconds: written.uptime_seconds,
                ..shown.clone()
            } != written;
            if !changed && self.ready.is_none() {
                continue;
            }
            let now = self.tiered.clock().now();
            match self.write(&shown) {
                Ok(()) => {
                    written = shown;
                    if let Some(lasted) = self.trouble.works(now) {
                        info!(
                            seconds = lasted.as_secs(),
                            "the state directory can be written again"
                        );
                    }
                }
                Err(error) => {
                    if let Some(times) = self.trouble.fails(now) {
                        let reason = files::Chain(&error);
                        warn!(%reason, times, "the state directory cannot be written: serving goes on");
                    }
                }
            }
        }
    }

    fn write(&mut self, shown: &Snapshot) -> Result<(), files::Error> {
        if let Some(ready) = self.ready {
            self.state.announce(ready)?;
            self.ready = None;
        }
        self.state.write_counters(&Counters {
            shown: shown.clone(),
            carried: self.counters.carried(),
        })
    }
}
