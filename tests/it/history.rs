//! A history of reads and writes with the times at which each began and ended, and whether somebody was shown
//! the past.
//!
//! The rules, in the words of what is promised:
//!
//! * who wrote, and was told that it is done, reads at least that everywhere, at once;
//! * everybody else does one second after the write was answered, if the two hosts were connected then, or one
//!   second after they were again.
//!
//! Of two writes that overlap nobody knows which came first, so a value is *older* than a write only if its own
//! write was answered before that one was begun (Herlihy and Wing, "Linearizability", 1990, on what real time
//! orders). That leaves out some reads that are wrong, and never blames one that is right.

use std::collections::HashMap;
use std::time::Duration;

/// How long others may be shown what was before.
const GRACE: Duration = Duration::from_secs(1);

/// What an object holds before anybody has written.
pub(crate) const INITIAL: u64 = 0;

/// One read or write. Times are since the story began.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operation {
    /// Who. A client does one thing after the other.
    pub(crate) client: usize,
    /// Through which host.
    pub(crate) host: usize,
    /// Of what.
    pub(crate) object: usize,
    /// When it was begun.
    pub(crate) start: Duration,
    /// When it was answered.
    pub(crate) end: Duration,
    /// What.
    pub(crate) what: What,
}

/// What was done. Every written value is another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum What {
    /// This was written, and the client was told so.
    Wrote(u64),
    /// Nobody knows whether this was written.
    Tried(u64),
    /// This was read.
    Read(u64),
}

/// A host was not connected with any other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cut {
    /// Which.
    pub(crate) host: usize,
    /// From when.
    pub(crate) start: Duration,
    /// Until it was connected with all others again.
    pub(crate) end: Duration,
}

/// What must not happen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wrong {
    /// The client had been told of its own newer write.
    Own { read: Operation, write: Operation },
    /// Somebody else's newer write had been answered long enough ago.
    Old { read: Operation, write: Operation },
    /// Nobody has ever written that.
    Invented { read: Operation },
}

/// The first thing that is wrong with a history, in the order of `operations`.
pub(crate) fn check(operations: &[Operation], cuts: &[Cut]) -> Option<Wrong> {
    let mut writes: HashMap<usize, Vec<&Operation>> = HashMap::new();
    // When the write of a value was answered; never, if nobody knows.
    let mut answered = HashMap::new();
    for operation in operations {
        let (value, end) = match operation.what {
            What::Wrote(value) => (value, operation.end),
            What::Tried(value) => (value, Duration::MAX),
            What::Read(_) => continue,
        };
        answered.insert((operation.object, value), end);
        if matches!(operation.what, What::Wrote(_)) {
            writes.entry(operation.object).or_default().push(operation);
        }
    }
    operations.iter().find_map(|read| {
        let What::Read(value) = read.what else {
            return None;
        };
        let answered = match value {
            INITIAL => None,
            _ => match answered.get(&(read.object, value)) {
                Some(end) => Some(*end),
                None => return Some(Wrong::Invented { read: read.clone() }),
            },
        };
        let is_older = |write: &Operation| answered.is_none_or(|end| end < write.start);
        let newer = writes.get(&read.object).into_iter().flatten();
        newer.filter(|write| is_older(write)).find_map(|write| {
            let [read, write] = [read.clone(), (*write).clone()];
            if write.client == read.client {
                (write.end <= read.start).then_some(Wrong::Own { read, write })
            } else {
                let due = heard(&write, read.host, cuts) + GRACE;
                (due <= read.start).then_some(Wrong::Old { read, write })
            }
        })
    })
}

/// When `host` could have heard of a write at the latest: when it was answered, or when the cut was over that
/// kept them apart meanwhile.
fn heard(write: &Operation, host: usize, cuts: &[Cut]) -> Duration {
    let mut heard = write.end;
    // In the order of their beginnings: one can follow on another.
    let mut cuts: Vec<_> = cuts
        .iter()
        .filter(|cut| [write.host, host].contains(&cut.host))
        .collect();
    cuts.sort_by_key(|cut| cut.start);
    for cut in cuts {
        if cut.start <= heard + GRACE && cut.end > write.start {
            heard = heard.max(cut.end);
        }
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Client, host, begin and end in milliseconds, of one object.
    fn operation(client: usize, host: usize, times: [u64; 2], what: What) -> Operation {
        let [start, end] = times.map(Duration::from_millis);
        Operation {
            client,
            host,
            object: 0,
            start,
            end,
            what,
        }
    }

    fn cut(host: usize, times: [u64; 2]) -> Cut {
        let [start, end] = times.map(Duration::from_millis);
        Cut { host, start, end }
    }

    #[test]
    fn a_history_in_which_everybody_reads_the_last_write_is_right() {
        let history = [
            operation(1, 1, [0, 10], What::Read(INITIAL)),
            operation(1, 1, [10, 20], What::Wrote(1)),
            operation(1, 2, [20, 30], What::Read(1)),
            operation(2, 3, [1020, 1030], What::Read(1)),
        ];
        assert_eq!(check(&history, &[]), None);
    }

    #[test]
    fn a_writer_who_reads_the_past_through_another_host_is_found() {
        let history = [
            operation(1, 1, [10, 20], What::Wrote(1)),
            operation(1, 2, [20, 30], What::Read(INITIAL)),
        ];
        assert!(matches!(check(&history, &[]), Some(Wrong::Own { .. })));
    }

    #[test]
    fn no_cut_excuses_what_a_writer_is_shown() {
        let history = [
            operation(1, 1, [10, 20], What::Wrote(1)),
            operation(1, 2, [20, 30], What::Read(INITIAL)),
        ];
        let cuts = [cut(2, [0, 100])];
        assert!(matches!(check(&history, &cuts), Some(Wrong::Own { .. })));
    }

    #[test]
    fn a_writer_may_read_what_somebody_else_wrote_after_it_or_meanwhile() {
        let history = [
            operation(1, 1, [10, 20], What::Wrote(1)),
            operation(2, 1, [15, 25], What::Wrote(2)),
            operation(1, 2, [30, 40], What::Read(2)),
            operation(2, 2, [30, 40], What::Read(1)),
        ];
        assert_eq!(check(&history, &[]), None);
    }

    #[test]
    fn others_have_a_second_and_no_more() {
        let history = |start| {
            [
                operation(1, 1, [10, 20], What::Wrote(1)),
                operation(2, 2, [start, start + 5], What::Read(INITIAL)),
            ]
        };
        assert_eq!(check(&history(1019), &[]), None);
        let late = check(&history(1020), &[]);
        assert!(matches!(late, Some(Wrong::Old { .. })));
    }

    #[test]
    fn the_past_is_also_what_an_earlier_write_wrote() {
        let history = [
            operation(1, 1, [10, 20], What::Wrote(1)),
            operation(1, 1, [30, 40], What::Wrote(2)),
            operation(2, 2, [2000, 2010], What::Read(1)),
        ];
        assert!(matches!(check(&history, &[]), Some(Wrong::Old { .. })));
    }

    #[test]
    fn a_host_that_was_cut_off_has_a_second_from_when_it_is_back() {
        let history = |start| {
            [
                operation(1, 1, [10, 20], What::Wrote(1)),
                operation(2, 2, [start, start + 5], What::Read(INITIAL)),
            ]
        };
        for host in [1, 2] {
            let cuts = [cut(host, [0, 5000])];
            assert_eq!(check(&history(5999), &cuts), None);
            let late = check(&history(6000), &cuts);
            assert!(matches!(late, Some(Wrong::Old { .. })));
        }
        // A cut of somebody else, one long before, and one long after excuse nothing.
        for cuts in [cut(3, [0, 5000]), cut(2, [0, 9]), cut(2, [1500, 5000])] {
            assert!(check(&history(2000), &[cuts]).is_some());
        }
    }

    #[test]
    fn a_write_whose_end_nobody_knows_is_neither_demanded_nor_refused() {
        let history = [
            operation(1, 1, [0, 10], What::Wrote(1)),
            operation(1, 1, [20, 30], What::Tried(2)),
            operation(1, 1, [40, 50], What::Read(1)),
            operation(2, 2, [5000, 5010], What::Read(2)),
        ];
        assert_eq!(check(&history, &[]), None);
    }

    #[test]
    fn a_value_that_nobody_wrote_is_found() {
        let history = [operation(1, 1, [0, 10], What::Read(7))];
        assert!(matches!(check(&history, &[]), Some(Wrong::Invented { .. })));
    }

    #[test]
    fn objects_have_nothing_to_do_with_each_other() {
        let mut other = operation(1, 1, [10, 20], What::Wrote(1));
        other.object = 1;
        let history = [other, operation(1, 1, [30, 40], What::Read(INITIAL))];
        assert_eq!(check(&history, &[]), None);
    }
}
