//! The clock: the machine's, or one that a test or a replay moves by hand.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::time::Timestamp;

/// A cheap handle to a clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<watch::Sender<Timestamp>>),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it. Whoever sleeps on it wakes
    /// when it has been moved far enough, so an hour of a fleet's life can be replayed in seconds.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(watch::Sender::new(start))))
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place that reads the clock"
            )]
            Source::System => Timestamp::EPOCH.plus(
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO),
            ),
            Source::Manual(shown) => *shown.borrow(),
        }
    }

    /// Moves a manual clock; the machine's clock stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(shown) = &self.0 {
            shown.send_modify(|now| *now = now.plus(by));
        }
    }

    /// Sets a manual clock, to an earlier time as well: as an administrator does, or the network's time
    /// at the end of a suspend. The machine's clock stays as it is.
    pub fn set(&self, to: Timestamp) {
        if let Source::Manual(shown) = &self.0 {
            shown.send_replace(to);
        }
    }

    /// Waits until the clock shows `until`. By the machine's clock the time is that of now until then,
    /// whatever the clock is set to meanwhile; a manual one that is set back wakes everybody, who look at
    /// it once more.
    pub async fn sleep_until(&self, until: Timestamp) {
        match &self.0 {
            Source::System => tokio::time::sleep(until.since(self.now())).await,
            Source::Manual(shown) => {
                // The sender lives in `self`, so waiting cannot fail.
                let began = self.now();
                let over = |now: &Timestamp| *now >= until || *now < began;
                let _ = shown.subscribe().wait_for(over).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_was_moved_past_its_hour() {
        let clock = Clock::manual(Timestamp::from_secs(1000));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(Timestamp::from_secs(1010)).await;
                clock.now()
            }
        });
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(2));
        assert_eq!(sleeper.await.unwrap(), Timestamp::from_secs(1011));
    }
}
