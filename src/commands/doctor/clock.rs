//! Whether the machine's clock can be right. Lifetimes, grants and tokens live by it.

use std::time::Duration;

use super::finding::{Area, Finding};
use crate::time::Timestamp;

/// 2025-01-01: nothing of ours is older.
const OLDEST: Timestamp = Timestamp::from_secs(1_735_689_600);
/// Files are not written so far ahead of the clock.
const AHEAD: Duration = Duration::from_mins(5);
/// A difference to GitHub's clock that is worth a word, …
const SKEW: Duration = Duration::from_secs(30);
/// … and one that GitHub refuses an App's token for, and that makes lifetimes wrong.
const FAR: Duration = Duration::from_secs(300);

const SET: &str = "set the clock: `sudo timedatectl set-ntp true`, or `sudo chronyc makestep`; in a \
                   virtual machine or container, that of its host";

/// What is known without asking anybody.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    /// When the youngest of our files was written.
    pub(super) youngest_file: Option<Timestamp>,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.now < OLDEST {
        let what = "the clock is before 2025: lifetimes and certificates cannot be judged";
        return vec![Finding::problem(Area::Clock, what, SET)];
    }
    match facts.youngest_file {
        Some(written) if written > facts.now.plus(AHEAD) => {
            let ahead = span(written.since(facts.now));
            let what =
                format!("one of our files was written {ahead} in the future: the clock went back");
            vec![Finding::warning(Area::Clock, what, SET)]
        }
        _ => vec![Finding::ok(Area::Clock, "the clock is plausible")],
    }
}

/// Compares the machine's clock `now` with what GitHub's `Date` said.
pub(super) fn skew(theirs: Timestamp, now: Timestamp) -> Finding {
    let (off, way) = if now >= theirs {
        (now.since(theirs), "ahead of")
    } else {
        (theirs.since(now), "behind")
    };
    if off <= SKEW {
        return Finding::ok(Area::Clock, "the clock agrees with GitHub's");
    }
    let what = format!("the clock is {} {way} GitHub's", span(off));
    if off <= FAR {
        return Finding::warning(Area::Clock, what, SET);
    }
    let what = format!("{what}: tokens of Apps are refused, and lifetimes are wrong");
    Finding::problem(Area::Clock, what, SET)
}

/// A time for people: its two largest units.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_clock_of_the_past_and_files_of_the_future_are_found() {
        let at = |now, youngest_file| check(&Facts { now, youngest_file });
        Finding::assert_fine(&at(NOW, Some(NOW.plus(AHEAD))));
        Finding::assert_fine(&at(NOW, None));
        Finding::assert_one(&at(Timestamp::EPOCH, None), Level::Problem, "timedatectl");
        let ahead = Some(NOW.plus(Duration::from_hours(2)));
        Finding::assert_one(&at(NOW, ahead), Level::Warning, "2 h 0 min in the future");
    }

    #[test]
    fn the_difference_to_github_is_judged_in_both_directions() {
        for (seconds, level) in [(30, Level::Ok), (31, Level::Warning), (301, Level::Problem)] {
            let off = Duration::from_secs(seconds);
            assert_eq!(skew(NOW.plus(off), NOW).level, level);
            assert_eq!(skew(NOW.minus(off), NOW).level, level);
        }
        assert!(skew(NOW, NOW.plus(FAR * 2)).what.contains("ahead of"));
        assert!(skew(NOW, NOW.minus(FAR * 2)).what.contains("behind"));
    }
}
