//! The order of writes: every write of this daemon's clients has a number, and every peer knows the last one of ours
//! that it heard of. Pure.
//!
//! A number counts [`Stale`]s, not messages: a message that says position `n` and holds `k` of them covers the
//! numbers from `n - k + 1` to `n`. So whoever is told can see that nothing is missing.

use std::collections::VecDeque;

use super::wire::message::{Position, Stale};
use crate::api::Namespace;

/// Writes that are kept for peers that come back. Who missed more asks everything again.
pub(super) const KEPT: usize = 256;
/// The most that one message names, which is also what the wire allows. More becomes the whole host.
pub(super) const NAMED_MAX: usize = 64;

/// Our own writes.
#[derive(Debug)]
pub(super) struct Log {
    position: Position,
    recent: VecDeque<Stale>,
}

/// What a peer missed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// These, or nothing.
    These(Vec<Stale>),
    /// More than is kept.
    Unknown,
}

impl Log {
    /// No writes yet. `epoch`: a random number of this start.
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            position: Position { epoch, sequence: 0 },
            recent: VecDeque::new(),
        }
    }

    /// Where we stand.
    pub(super) const fn position(&self) -> Position {
        self.position
    }

    /// One write, which may have changed all of `stale`. Its position is that of the last of them.
    pub(super) fn write(&mut self, stale: Vec<Stale>) -> Position {
        for stale in collapsed(stale) {
            if self.recent.len() == KEPT {
                self.recent.pop_front();
            }
            self.recent.push_back(stale);
            // 2^64 writes do not happen.
            self.position.sequence += 1;
        }
        self.position
    }

    /// What somebody missed who last heard of `heard`.
    pub(super) fn missed(&self, heard: Option<Position>) -> Missed {
        // Whoever knows us from before a restart, or not at all, missed everything of this epoch.
        let after = match heard {
            Some(heard) if heard.epoch == self.position.epoch => heard.sequence,
            _ => 0,
        };
        self.after(after)
            .map_or(Missed::Unknown, |missed| Missed::These(collapsed(missed)))
    }

    /// The next message for somebody who knows everything up to `sequence`, and the position that it leads
    /// to. If that is no longer kept, the message has a gap, and whoever gets it notices.
    pub(super) fn next(&self, sequence: u64) -> Option<(Position, Vec<Stale>)> {
        if sequence >= self.position.sequence {
            return None;
        }
        let Some(mut stale) = self.after(sequence) else {
            return Some((self.position, vec![EVERYTHING]));
        };
        stale.truncate(NAMED_MAX);
        let position = Position {
            sequence: sequence + stale.len() as u64,
            ..self.position
        };
        Some((position, stale))
    }

    /// All after `sequence`; `None` if they are no longer kept, or there was never such a number.
    fn after(&self, sequence: u64) -> Option<Vec<Stale>> {
        let behind = self.position.sequence.checked_sub(sequence)?;
        let behind = usize::try_from(behind).ok()?;
        let skip = self.recent.len().checked_sub(behind)?;
        Some(self.recent.iter().skip(skip).cloned().collect())
    }
}

/// Anything may have changed.
const EVERYTHING: Stale = Stale {
    namespace: Namespace::Host,
    id: None,
};

/// Each once and at most [`NAMED_MAX`], else the whole host.
fn collapsed(stale: Vec<Stale>) -> Vec<Stale> {
    let mut kept: Vec<Stale> = Vec::new();
    for stale in stale {
        if kept.contains(&stale) {
            continue;
        }
        if kept.len() == NAMED_MAX {
            return vec![EVERYTHING];
        }
        kept.push(stale);
    }
    kept
}

/// What to do with writes that a peer tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// They are the next ones: they take effect.
    Next,
    /// They are known: nothing to do, and the peer may count on it.
    Known,
    /// Others before them are missing: everything is asked again, for this reason.
    Gap(&'static str),
}

/// Judges a message with `count` writes that ends at `told`, when `heard` was the last position.
pub(super) fn arrival(heard: Option<Position>, told: Position, count: usize) -> Arrival {
    let Some(heard) = heard else {
        return Arrival::Gap("unheard");
    };
    if heard.epoch != told.epoch {
        return Arrival::Gap("restarted");
    }
    if told.sequence <= heard.sequence {
        return Arrival::Known;
    }
    // A message may overlap with what is known, as after a lost acknowledgement.
    if told.sequence - heard.sequence <= count as u64 {
        Arrival::Next
    } else {
        Arrival::Gap("gap")
    }
}

/// What the answer to a greeting means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CaughtUp {
    /// Only these may have changed.
    These(Vec<Stale>),
    /// Everything is asked again, for this reason.
    Everything(&'static str),
}

/// Judges the answer to a greeting: `missed` since `heard`, up to `now`.
pub(super) fn caught_up(
    heard: Option<Position>,
    now: Position,
    missed: Option<Vec<Stale>>,
) -> CaughtUp {
    match (heard, missed) {
        // What it told nobody before it ended, nobody knows.
        (Some(heard), _) if heard.epoch != now.epoch => CaughtUp::Everything("restarted"),
        (Some(heard), _) if heard.sequence > now.sequence => CaughtUp::Everything("went-back"),
        (_, None) => CaughtUp::Everything("too-many-missed"),
        (_, Some(missed)) => CaughtUp::These(missed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repo(number: u64) -> Stale {
        Stale {
            namespace: Namespace::Repo(format!("o/r{number}").into()),
            id: Some(number),
        }
    }

    fn log(writes: u64) -> Log {
        let mut log = Log::new(7);
        for number in 1..=writes {
            log.write(vec![repo(number)]);
        }
        log
    }

    fn at(sequence: u64) -> Position {
        Position { epoch: 7, sequence }
    }

    #[test]
    fn who_comes_back_is_told_what_it_missed_and_no_more() {
        let log = log(10);
        assert_eq!(
            log.missed(Some(at(8))),
            Missed::These(vec![repo(9), repo(10)])
        );
        assert_eq!(log.missed(Some(at(10))), Missed::These(vec![]));
        let Missed::These(all) = log.missed(None) else {
            panic!("ten are kept");
        };
        assert_eq!(all.len(), 10);
    }

    #[test]
    fn who_knew_us_before_a_restart_is_told_all_of_this_one() {
        let before = Position {
            epoch: 6,
            sequence: 900,
        };
        assert_eq!(
            log(2).missed(Some(before)),
            Missed::These(vec![repo(1), repo(2)])
        );
    }

    #[test]
    fn more_than_is_kept_is_unknown() {
        let log = log(300);
        assert_eq!(log.missed(Some(at(43))), Missed::Unknown);
        assert_eq!(log.missed(None), Missed::Unknown);
        // The 256th is kept; they are more than a message names.
        let host = Missed::These(vec![EVERYTHING]);
        assert_eq!(log.missed(Some(at(44))), host);
        // A number that was never given.
        assert_eq!(log.missed(Some(at(301))), Missed::Unknown);
    }

    #[test]
    fn a_write_with_many_names_is_the_whole_host() {
        let mut log = Log::new(7);
        let position = log.write((1..=65).map(repo).collect());
        assert_eq!(position, at(1));
        assert_eq!(log.missed(None), Missed::These(vec![EVERYTHING]));
        assert_eq!(log.write(vec![repo(1), repo(1)]), at(2));
        assert_eq!(log.write(vec![]), at(2));
    }

    #[test]
    fn messages_follow_one_another_without_a_gap() {
        let log = log(150);
        let mut heard = at(0);
        let mut lengths = Vec::new();
        while let Some((position, stale)) = log.next(heard.sequence) {
            assert_eq!(arrival(Some(heard), position, stale.len()), Arrival::Next);
            lengths.push(stale.len());
            heard = position;
        }
        assert_eq!((heard, lengths), (at(150), vec![64, 64, 22]));
    }

    #[test]
    fn a_message_after_more_than_is_kept_shows_its_gap() {
        let (position, stale) = log(300).next(3).expect("297 are left");
        let verdict = arrival(Some(at(3)), position, stale.len());
        assert_eq!(verdict, Arrival::Gap("gap"));
    }

    #[test]
    fn what_arrives_is_next_known_or_behind_a_gap() {
        let heard = Some(at(5));
        for (told, count, expected) in [
            (at(6), 1, Arrival::Next),
            (at(7), 2, Arrival::Next),
            (at(6), 3, Arrival::Next),
            (at(5), 1, Arrival::Known),
            (at(2), 64, Arrival::Known),
            (at(7), 1, Arrival::Gap("gap")),
            (at(6), 0, Arrival::Gap("gap")),
            (at(u64::MAX), 64, Arrival::Gap("gap")),
        ] {
            assert_eq!(arrival(heard, told, count), expected, "{told:?} {count}");
        }
        assert_eq!(arrival(None, at(1), 1), Arrival::Gap("unheard"));
        let other = Position {
            epoch: 8,
            sequence: 1,
        };
        assert_eq!(arrival(heard, other, 1), Arrival::Gap("restarted"));
    }

    #[test]
    fn a_greeting_catches_up_or_asks_everything_again() {
        let some = || Some(vec![repo(6)]);
        assert_eq!(
            caught_up(Some(at(5)), at(6), some()),
            CaughtUp::These(vec![repo(6)])
        );
        assert_eq!(
            caught_up(None, at(6), some()),
            CaughtUp::These(vec![repo(6)])
        );
        let other = Position {
            epoch: 8,
            sequence: 9,
        };
        for (heard, now, missed, why) in [
            (Some(at(5)), at(900), None, "too-many-missed"),
            (None, at(900), None, "too-many-missed"),
            (Some(at(5)), other, some(), "restarted"),
            (Some(at(5)), at(4), some(), "went-back"),
        ] {
            assert_eq!(caught_up(heard, now, missed), CaughtUp::Everything(why));
        }
    }

    proptest! {
        /// Whatever was written, whoever is told all messages knows every name or the whole host.
        #[test]
        fn nothing_is_left_out(writes in prop::collection::vec(1_u64..90, 0..40), heard in 0_u64..400) {
            let mut log = Log::new(7);
            let mut names: Vec<Vec<Stale>> = Vec::new();
            for (write, many) in writes.into_iter().enumerate() {
                let stale: Vec<_> = (0..many).map(|n| repo(write as u64 * 100 + n)).collect();
                let before = log.position().sequence;
                log.write(stale.clone());
                if log.position().sequence - before == many {
                    names.extend(stale.into_iter().map(|stale| vec![stale]));
                } else {
                    names.push(stale);
                }
            }
            let heard = heard % (log.position().sequence + 1);
            let told = match log.missed(Some(at(heard))) {
                Missed::Unknown => return Ok(()),
                Missed::These(told) => told,
            };
            let heard = usize::try_from(heard).expect("small");
            for stale in names[heard..].iter().flatten() {
                let whole = told.iter().any(|told| told.namespace == Namespace::Host);
                prop_assert!(whole || told.contains(stale));
            }
        }
    }
}
