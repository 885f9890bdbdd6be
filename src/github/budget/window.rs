//! The points spent in the last minute, one by one.
//!
//! A log and not a counter per minute: GitHub does not say when its minute begins, so no 60 seconds
//! at all may hold too many points.

use std::collections::VecDeque;
use std::time::Duration;

use crate::secret::CredentialId;
use crate::time::Timestamp;

use super::Cost;

/// Points that one call cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    at: Timestamp,
    points: u32,
    credential: CredentialId,
}

/// A sliding window. Never longer than its limit has points, but for what is moved in.
#[derive(Debug)]
pub(super) struct Window {
    /// Oldest first.
    log: VecDeque<Spent>,
    points: u32,
    length: Duration,
    limit: u32,
}

impl Window {
    /// At most `limit` points in any `length`.
    pub(super) const fn new(length: Duration, limit: u32) -> Self {
        Self {
            log: VecDeque::new(),
            points: 0,
            length,
            limit,
        }
    }

    /// The points that still count at `now`.
    pub(super) fn points(&self, now: Timestamp) -> u32 {
        self.log
            .iter()
            .filter(|spent| now.since(spent.at) < self.length)
            .map(|it| it.points)
            .sum()
    }

    /// Forgets what no longer counts.
    pub(super) fn expire(&mut self, now: Timestamp) {
        // A clock that was set back must not make the window last for hours: it begins anew.
        for spent in self.log.iter_mut().rev().take_while(|spent| spent.at > now) {
            spent.at = now;
        }
        while self
            .log
            .front()
            .is_some_and(|spent| now.since(spent.at) >= self.length)
        {
            self.points -= self.log.pop_front().map_or(0, |spent| spent.points);
        }
    }

    /// When `need` points can have been spent, all of them, if nobody else spends. After
    /// [`Self::expire`] with the same `now`.
    ///
    /// Count all points from the oldest in the log: point p may be spent when point p - limit
    /// has been out for the window's length.
    pub(super) fn room_at(&self, need: u64, now: Timestamp) -> Timestamp {
        let (used, limit) = (u64::from(self.points), u64::from(self.limit));
        let last = used + need;
        if last <= limit {
            return now;
        }
        // Whole windows back, until a point that is in the log, or that can be spent at once.
        let floor = used.max(limit);
        let rounds = (last - floor).div_ceil(limit);
        let point = last - rounds * limit;
        let base = if point <= used {
            self.spent_at(point).unwrap_or(now)
        } else {
            now
        };
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        base.plus(self.length.saturating_mul(rounds)).max(now)
    }

    /// When the `point`th point of the log was spent, counting from 1.
    fn spent_at(&self, point: u64) -> Option<Timestamp> {
        let mut sum = 0;
        self.log.iter().find_map(|spent| {
            sum += u64::from(spent.points);
            (sum >= point).then_some(spent.at)
        })
    }

    /// Spends `points` at `now`.
    pub(super) fn spend(&mut self, credential: CredentialId, points: u32, now: Timestamp) {
        self.log.push_back(Spent {
            at: now,
            points,
            credential,
        });
        self.points += points;
    }

    /// Takes out what `credential` has spent.
    pub(super) fn take(&mut self, credential: CredentialId) -> Vec<Spent> {
        let taken: Vec<_> = self
            .log
            .iter()
            .filter(|spent| spent.credential == credential)
            .copied()
            .collect();
        self.log.retain(|spent| spent.credential != credential);
        self.points -= taken.iter().map(|spent| spent.points).sum::<u32>();
        taken
    }

    /// When the last of `spent` was that cost as much as a write.
    pub(super) fn last_write(spent: &[Spent]) -> Option<Timestamp> {
        let wrote = |spent: &&Spent| spent.points >= Cost::Write.points();
        spent.iter().filter(wrote).map(|spent| spent.at).max()
    }

    /// Puts in what was spent elsewhere.
    pub(super) fn put(&mut self, spent: Vec<Spent>) {
        self.points += spent.iter().map(|spent| spent.points).sum::<u32>();
        self.log.extend(spent);
        self.log.make_contiguous().sort_by_key(|spent| spent.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: CredentialId = CredentialId::ANONYMOUS;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn window(spent: &[(u64, u32)]) -> Window {
        let mut window = Window::new(Duration::from_mins(1), 10);
        for &(secs, points) in spent {
            window.spend(WHO, points, at(secs));
        }
        window
    }

    #[test]
    fn room_comes_when_the_oldest_points_leave() {
        let window = window(&[(100, 5), (110, 4)]);
        assert_eq!(window.room_at(1, at(120)), at(120));
        assert_eq!(window.room_at(2, at(120)), at(160));
        assert_eq!(window.room_at(6, at(120)), at(160));
        assert_eq!(window.room_at(7, at(120)), at(170));
        // The eleventh new point can follow the first new one, which can go at once.
        assert_eq!(window.room_at(11, at(120)), at(180));
        // The next nine follow those that follow the log.
        assert_eq!(window.room_at(12, at(120)), at(220));
    }

    #[test]
    fn an_overfull_window_waits_for_all_that_is_too_much() {
        let window = window(&[(100, 5), (101, 5), (102, 5)]);
        assert_eq!(window.room_at(1, at(103)), at(161));
        assert_eq!(window.room_at(5, at(103)), at(161));
        assert_eq!(window.room_at(6, at(103)), at(162));
    }

    #[test]
    fn a_clock_set_back_begins_a_new_minute_and_not_a_long_one() {
        let mut window = window(&[(5000, 10)]);
        window.expire(at(1000));
        assert_eq!(window.room_at(1, at(1000)), at(1060));
        window.expire(at(1060));
        assert_eq!(
            (window.points(at(1060)), window.room_at(1, at(1060))),
            (0, at(1060))
        );
    }

    #[test]
    fn what_moves_keeps_its_time() {
        let (mut from, mut to) = (window(&[(100, 3)]), window(&[(130, 8)]));
        to.put(from.take(WHO));
        assert_eq!((from.points(at(131)), to.points(at(131))), (0, 11));
        assert_eq!(to.room_at(1, at(131)), at(160));
    }
}
