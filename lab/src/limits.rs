//! GitHub's primary limits, and points per minute for the secondary ones.
//!
//! <https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api>

use std::collections::BTreeMap;

use crate::token::Viewer;

/// One window of a primary limit.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// `x-ratelimit-limit`.
    pub limit: u64,
    /// `x-ratelimit-used`.
    pub used: u64,
    /// `x-ratelimit-reset`, in seconds since 1970.
    pub reset: u64,
}

impl Window {
    /// `x-ratelimit-remaining`.
    pub const fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// Points of the last minute, by second, and the most that a minute ever saw.
#[derive(Clone, Debug)]
pub struct Meter {
    slots: [u64; 60],
    second: u64,
    aligned: (u64, u64),
    /// The most points in a minute of the clock.
    pub max_aligned: u64,
    /// The most points in any 60 seconds.
    pub max_sliding: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            slots: [0; 60],
            second: 0,
            aligned: (0, 0),
            max_aligned: 0,
            max_sliding: 0,
        }
    }
}

impl Meter {
    /// Adds points at `now`.
    pub fn add(&mut self, now: u64, points: u64) {
        self.turn(now);
        self.slots[Self::slot(now)] += points;
        let minute = now / 60;
        if self.aligned.0 != minute {
            self.aligned = (minute, 0);
        }
        self.aligned.1 += points;
        self.max_aligned = self.max_aligned.max(self.aligned.1);
        self.max_sliding = self.max_sliding.max(self.slots.iter().sum());
    }

    /// Points in the 60 seconds up to `now`.
    pub fn sum(&mut self, now: u64) -> u64 {
        self.turn(now);
        self.slots.iter().sum()
    }

    /// Forgets the seconds that are too old.
    fn turn(&mut self, now: u64) {
        let passed = now.saturating_sub(self.second).min(60);
        for back in 0..passed {
            self.slots[Self::slot(now.saturating_sub(back))] = 0;
        }
        self.second = self.second.max(now);
    }

    fn slot(second: u64) -> usize {
        usize::try_from(second % 60).unwrap_or(0)
    }
}

/// Which per-minute limit a request falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// 900 points per minute.
    Rest,
    /// 2,000 points per minute.
    GraphQl,
}

impl Family {
    /// Points per minute.
    pub const fn ceiling(self) -> u64 {
        match self {
            Self::Rest => 900,
            Self::GraphQl => 2000,
        }
    }
}

/// All limits of all buckets.
#[derive(Debug, Default)]
pub struct Limits {
    windows: BTreeMap<(String, String), Window>,
    overrides: BTreeMap<(String, String), u64>,
    meters: BTreeMap<(String, Family), Meter>,
}

/// Most requests that one bucket may have open at a time.
pub const MAX_CONCURRENT: u64 = 100;

impl Limits {
    /// The window of a viewer's bucket for a resource, begun anew if it has ended.
    pub fn window(&mut self, viewer: &Viewer, resource: &str, now: u64) -> &mut Window {
        let key = (viewer.bucket.clone(), resource.to_owned());
        let (limit, seconds) = viewer.allowance(resource);
        let limit = self.overrides.get(&key).copied().unwrap_or(limit);
        let fresh = Window {
            limit,
            used: 0,
            reset: now + seconds,
        };
        let window = self.windows.entry(key).or_insert(fresh);
        if now >= window.reset {
            *window = fresh;
        }
        window.limit = limit;
        window
    }

    /// Gives a bucket another limit for a resource.
    pub fn set_limit(&mut self, bucket: &str, resource: &str, limit: u64) {
        self.overrides
            .insert((bucket.into(), resource.into()), limit);
    }

    /// What is left in a bucket's window, if it has one that hasn't ended.
    pub fn peek(&self, bucket: &str, resource: &str, now: u64) -> Option<Window> {
        let window = self
            .windows
            .get(&(bucket.to_owned(), resource.to_owned()))?;
        (now < window.reset).then_some(*window)
    }

    /// Sets how much of the current window is used; begins one of an hour if there is none.
    pub fn set_used(&mut self, bucket: &str, resource: &str, used: u64, now: u64) {
        let key = (bucket.to_owned(), resource.to_owned());
        let limit = self.overrides.get(&key).copied().unwrap_or(5000);
        let fresh = Window {
            limit,
            used: 0,
            reset: now + 3600,
        };
        let window = self.windows.entry(key).or_insert(fresh);
        if now >= window.reset {
            *window = fresh;
        }
        window.used = used;
    }

    /// Whether `points` more would break the per-minute limit.
    pub fn would_exceed(&mut self, bucket: &str, family: Family, points: u64, now: u64) -> bool {
        let meter = self.meters.entry((bucket.to_owned(), family)).or_default();
        meter.sum(now) + points > family.ceiling()
    }

    /// Counts points.
    pub fn spend(&mut self, bucket: &str, family: Family, points: u64, now: u64) {
        self.meters
            .entry((bucket.to_owned(), family))
            .or_default()
            .add(now, points);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_slides() {
        let mut meter = Meter::default();
        let minute = 60_000_000;
        meter.add(minute + 50, 10);
        meter.add(minute + 70, 20);
        assert_eq!(meter.sum(minute + 109), 30);
        assert_eq!(meter.sum(minute + 110), 20);
        assert_eq!((meter.max_sliding, meter.max_aligned), (30, 20));
    }
}
