//! A state that is worse than it should be, told without filling the log.

use std::time::Duration;

use super::Timestamp;

/// How often a state that goes on is told again.
const EVERY: Duration = Duration::from_secs(60);
/// A failure this soon after a success belongs to the same trouble.
const CALM: Duration = Duration::from_secs(1);

/// Something that fails now and again. It is told when that begins, once a minute while it goes on, and
/// when it is over.
#[derive(Debug, Default)]
pub struct Degraded {
    since: Option<Timestamp>,
    told: Timestamp,
    failed: Timestamp,
    untold: u64,
}

impl Degraded {
    /// Whether it failed lately.
    pub const fn goes_on(&self) -> bool {
        self.since.is_some()
    }

    /// It failed. `Some`: now is the time to tell, and so many failures came since it was last told,
    /// this one included.
    pub fn fails(&mut self, now: Timestamp) -> Option<u64> {
        self.untold += 1;
        self.failed = now;
        // A clock that went back must not make it silent.
        let due = now < self.told || now.since(self.told) >= EVERY;
        if self.since.is_some() && !due {
            return None;
        }
        self.since = self.since.or(Some(now));
        self.told = now;
        Some(std::mem::take(&mut self.untold))
    }

    /// It worked. `Some`: the trouble is over, and it took so long.
    pub fn works(&mut self, now: Timestamp) -> Option<Duration> {
        let since = self.since?;
        if now >= self.failed && now.since(self.failed) < CALM {
            return None;
        }
        *self = Self::default();
        Some(now.since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis)
    }

    #[test]
    fn it_is_told_when_it_begins_once_a_minute_and_when_it_ends() {
        let mut trouble = Degraded::default();
        assert_eq!(trouble.works(at(0)), None);
        assert_eq!(trouble.fails(at(0)), Some(1));
        for millis in 1..1000 {
            assert_eq!(trouble.fails(at(millis)), None);
        }
        assert_eq!(trouble.works(at(1500)), None, "it may go on");
        assert_eq!(trouble.fails(at(60_000)), Some(1000));
        let whole = Duration::from_secs(62);
        assert_eq!(trouble.works(at(62_000)), Some(whole));
        assert_eq!(trouble.works(at(63_000)), None);
        assert_eq!(trouble.fails(at(63_000)), Some(1), "a new one");
    }

    #[test]
    fn a_clock_that_goes_back_silences_nothing() {
        let mut trouble = Degraded::default();
        assert_eq!(trouble.fails(at(1_000_000)), Some(1));
        assert_eq!(trouble.fails(at(0)), Some(1));
        assert_eq!(trouble.works(at(5000)), Some(Duration::ZERO));
    }
}
