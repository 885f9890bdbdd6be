//! The end of a job, as its daemon can see it.
//!
//! A runner ends what a job left behind by SIGKILL, and empties the job's scratch directory. Where that does not
//! happen (the runner itself was killed, somebody cleared `RUNNER_TRACKING_ID`) a daemon would stay for ever, so
//! it looks for itself, and ends as if it were asked to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use crate::files::Identity;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(2);
/// How long a job may last on GitHub's own machines, and by default everywhere (`timeout-minutes: 360`). A job on a
/// machine of one's own may last longer, so this counts only where nothing better is known.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// The program that runs a job's steps, by the name that the kernel has for it.
const WORKER: &str = "Runner.Worker";
/// The most ancestors of a process that are looked at.
const GENERATIONS: usize = 64;

/// A process by more than its id, which may be another's later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: u32,
    /// In clock ticks since the machine started (`starttime` in `proc_pid_stat(5)`).
    started: u64,
}

/// What a daemon sees of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signs {
    /// Whether the directories of the job are still those of the start.
    place: bool,
    /// Whether the process that runs the job's steps lives; `None` if it was never found.
    worker: Option<bool>,
    /// Whether the keeper of this daemon lives, which looks at the same and knows more; `None` without one.
    keeper: Option<bool>,
    /// Whether the keeper was gone before this daemon had begun: the runner kills one after the other, and a
    /// keeper may have started one more daemon in between.
    orphan: bool,
    /// How long this process has lived.
    age: Duration,
}

/// How it can be seen that a job is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// Its directories were removed.
    Place,
    /// The process that ran its steps has ended.
    Worker,
    /// The keeper was ended, and with it everything but this last daemon.
    Keeper,
    /// No job lasts so long.
    TooOld,
}

impl Signs {
    /// What they mean: `None` as long as there may be a job.
    fn verdict(&self) -> Option<Gone> {
        match (self.worker, self.keeper) {
            _ if !self.place => Some(Gone::Place),
            _ if self.orphan => Some(Gone::Keeper),
            (Some(false), _) => Some(Gone::Worker),
            (Some(true), _) | (None, Some(true)) => None,
            (None, _) => (self.age >= LONGEST).then_some(Gone::TooOld),
        }
    }
}

/// What to look at.
#[derive(Debug)]
pub struct JobEnd {
    /// Which directories they were; `None` if one was not there, as it should have been.
    places: Vec<(PathBuf, Option<Identity>)>,
    worker: Option<Process>,
    keeper: Option<u32>,
    orphan: bool,
    started: Instant,
}

impl JobEnd {
    /// For a process of the job whose scratch directory is `temp`, if it has one, and whose daemon's state is in
    /// `state_dir`, which is there by now. The runner keeps the first and empties it, so the second tells more.
    pub fn new(state_dir: &Path, temp: Option<&Path>, keeper: Option<u32>) -> Self {
        let noted = |path: &Path| (path.to_owned(), Identity::at(path));
        let temp = temp.map(noted).filter(|(_, identity)| identity.is_some());
        Self {
            places: std::iter::once(noted(state_dir)).chain(temp).collect(),
            worker: worker_of(std::process::id()),
            keeper,
            orphan: keeper.is_some_and(|pid| !is_parent(pid)),
            started: Instant::now(),
        }
    }

    /// Whether the job is gone already, so that there is nothing to begin with.
    pub fn is_over(&self) -> bool {
        self.signs().verdict().is_some()
    }

    /// Waits until the job is gone.
    pub(super) async fn gone(&self) -> Gone {
        loop {
            if let Some(gone) = self.signs().verdict() {
                info!(?gone, "the job is gone");
                return gone;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn signs(&self) -> Signs {
        let same = |(path, noted): &(PathBuf, Option<Identity>)| match Identity::at(path) {
            Some(now) => Some(now) == *noted,
            // Only what is certainly not there is gone: a file system may have passing trouble.
            None => path.try_exists().unwrap_or(true),
        };
        let lives = |worker: Process| look(worker.pid).is_some_and(|now| now.is(worker));
        Signs {
            place: self.places.iter().all(same),
            worker: self.worker.map(lives),
            keeper: self.keeper.map(is_parent),
            orphan: self.orphan,
            age: self.started.elapsed(),
        }
    }
}

/// A child whose parent ends gets another one.
fn is_parent(pid: u32) -> bool {
    let parent = rustix::process::getppid();
    parent.and_then(|parent| u32::try_from(parent.as_raw_pid()).ok()) == Some(pid)
}

/// The nearest ancestor that is a job's worker.
fn worker_of(pid: u32) -> Option<Process> {
    let mut pid = look(pid)?.parent;
    for _ in 0..GENERATIONS {
        let seen = look(pid)?;
        if seen.name == WORKER {
            return Some(Process {
                pid,
                started: seen.started,
            });
        }
        pid = seen.parent;
    }
    None
}

/// A process as `/proc` shows it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    name: String,
    dead: bool,
    parent: u32,
    started: u64,
}

impl Seen {
    fn is(&self, process: Process) -> bool {
        !self.dead && self.started == process.started
    }
}

/// What there is to see of `pid`; nothing if there is no such process, or no `/proc`.
fn look(pid: u32) -> Option<Seen> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (name) state ppid … starttime …`, see `proc_pid_stat(5)`. A name may have spaces and parentheses in it.
fn parse(stat: &str) -> Option<Seen> {
    const STARTTIME: usize = 22;
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    // The first of them is the third of the line.
    let field = |number: usize| fields.get(number - 3);
    Some(Seen {
        name: name.to_owned(),
        dead: matches!(*field(3)?, "Z" | "X" | "x"),
        parent: field(4)?.parse().ok()?,
        started: field(STARTTIME)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_job_is_gone_when_that_is_certain() {
        let (yes, no) = (Some(true), Some(false));
        for (place, worker, keeper, age, gone) in [
            (true, yes, None, HOUR, None),
            // A job on a machine of one's own may take days.
            (true, yes, None, 100 * HOUR, None),
            (true, None, yes, 100 * HOUR, None),
            (true, None, None, LONGEST.saturating_sub(LOOK), None),
            (true, None, None, LONGEST, Some(Gone::TooOld)),
            (true, None, no, LONGEST, Some(Gone::TooOld)),
            (true, no, None, HOUR, Some(Gone::Worker)),
            (true, no, yes, HOUR, Some(Gone::Worker)),
            (false, yes, yes, HOUR, Some(Gone::Place)),
            (false, None, None, HOUR, Some(Gone::Place)),
        ] {
            let signs = Signs {
                place,
                worker,
                keeper,
                orphan: false,
                age,
            };
            assert_eq!(signs.verdict(), gone, "{signs:?}");
            let orphan = Signs {
                orphan: true,
                ..signs
            };
            assert!(orphan.verdict().is_some(), "{orphan:?}");
        }
    }

    #[test]
    fn directories_that_were_removed_or_made_anew_are_gone() {
        let temp = tempfile::tempdir().unwrap();
        let state = temp.path().join("ghswarm");
        std::fs::create_dir(&state).unwrap();
        let job = JobEnd::new(&state, Some(temp.path()), None);
        assert!(job.signs().place && !job.is_over());
        assert!(JobEnd::new(&temp.path().join("none"), None, None).is_over());
        let other = temp.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::remove_dir(&state).unwrap();
        assert!(!job.signs().place);
        std::fs::rename(&other, &state).unwrap();
        assert!(!job.signs().place, "another directory under the same name");
    }

    #[test]
    fn a_process_is_known_by_when_it_started() {
        let mut fields = vec!["S", "7"];
        fields.resize(19, "0");
        fields.push("4242");
        let line = |name: &str| format!("12 ({name}) {} 0", fields.join(" "));
        let seen = parse(&line("Runner.Worker")).unwrap();
        let expected = Seen {
            name: WORKER.to_owned(),
            dead: false,
            parent: 7,
            started: 4242,
        };
        assert_eq!(seen, expected);
        let of = |started| Process { pid: 12, started };
        assert!(seen.is(of(4242)) && !seen.is(of(4241)));
        assert_eq!(parse(&line("a) Z (b")).unwrap().name, "a) Z (b");
        assert_eq!(parse("12 (x) S"), None);
        let me = look(std::process::id()).unwrap();
        assert!(!me.dead && me.started > 0);
    }
}
