//! Whether a daemon lives, which one, and what a dead one left behind.

use std::path::PathBuf;
use std::time::Duration;

use super::clock::span;
use super::finding::{Area, Finding};
use crate::config::Owner;
use crate::daemon::Ready;
use crate::secret::without_tokens;

/// What came back from the socket.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// A daemon, or a keeper without one, in its own words.
    Living(Box<Ready>),
    /// There is nobody.
    Nobody,
    /// Somebody, but not what a daemon says.
    Wrong(String),
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) state_dir: PathBuf,
    pub(super) answer: Answer,
    /// What `ready.json` says, which may be about a dead daemon.
    pub(super) announced: Announced,
    /// Whether a process holds the lock of the state directory.
    pub(super) locked: bool,
    /// Whether the keeper of the daemon that answers lives.
    pub(super) keeper_lives: bool,
    pub(super) uptime: Option<Duration>,
    /// Lines of `daemon.log` about deaths and errors, the youngest last, without secrets.
    pub(super) complaints: Vec<String>,
    /// How often a daemon died, as the end of `daemon.log` has it.
    pub(super) deaths: usize,
    /// Other daemons of this user, by process id.
    pub(super) others: Vec<u32>,
    /// The version of this program.
    pub(super) version: &'static str,
    pub(super) in_job: bool,
}

/// `ready.json`.
#[derive(Debug, Clone)]
pub(super) enum Announced {
    Absent,
    Unreadable,
    Says {
        ready: Box<Ready>,
        /// Whether a process with its id lives.
        daemon_lives: bool,
    },
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = match &facts.answer {
        Answer::Living(ready) if ready.passes_through() => vec![gave_up(facts)],
        Answer::Living(ready) => living(ready, facts),
        Answer::Nobody => vec![nobody(facts)],
        Answer::Wrong(why) => {
            let what = format!("something answers at the socket, but not as a daemon does: {why}");
            let fix = format!(
                "see {}; then `ghswarm stop` and `ghswarm start`",
                log(facts)
            );
            vec![Finding::problem(Area::Daemon, what, fix)]
        }
    };
    if !facts.others.is_empty() {
        let pids: Vec<_> = facts.others.iter().map(u32::to_string).collect();
        let what = format!(
            "other daemons of this user run, and share the cache directory unless they were given \
             another: process {}",
            pids.join(", ")
        );
        findings.push(Finding::note(Area::Daemon, what));
    }
    findings
}

fn living(ready: &Ready, facts: &Facts) -> Vec<Finding> {
    let pid = ready.pid.unwrap_or_default();
    let owner = match ready.owner {
        Owner::Job => "for this job",
        Owner::Host => "for this machine",
        Owner::User => "for this user",
    };
    let up = facts.uptime.map(|up| format!(", for {}", span(up)));
    let what = format!(
        "version {} runs {owner} as process {pid}{}",
        ready.version,
        up.unwrap_or_default()
    );
    let mut findings = vec![Finding::ok(Area::Daemon, what)];
    if ready.version != facts.version {
        let what = format!(
            "the daemon is version {}, this program is {}",
            ready.version, facts.version
        );
        let fix = match ready.owner {
            Owner::Host => "restart the host's service: `systemctl restart ghswarm`",
            Owner::Job | Owner::User => "`ghswarm stop`, then `ghswarm start`",
        };
        findings.push(Finding::warning(Area::Daemon, what, fix));
    }
    if let Some(keeper) = ready.keeper_pid.filter(|_| !facts.keeper_lives) {
        let what = format!("its keeper, process {keeper}, is dead: nobody starts the daemon again");
        let fix = "`ghswarm stop`, then `ghswarm start`, when no job needs it";
        findings.push(Finding::warning(Area::Daemon, what, fix));
    }
    // Who starts the host's again is its service manager.
    if ready.keeper_pid.is_none() && ready.owner != Owner::Host {
        let what = "no keeper starts it again should it die (it was started with `serve`)";
        let fix = "`ghswarm start` leaves a keeper; with systemd, `Restart=always` does the same";
        findings.push(Finding::note(Area::Daemon, what).fixed_by(fix));
    }
    if facts.in_job && ready.owner == Owner::User {
        let what = "this daemon was started by a user, so no job uses it";
        let fix = "for all jobs of a host it is started with `--owner host`";
        findings.push(Finding::note(Area::Daemon, what).fixed_by(fix));
    }
    if facts.deaths > 0 {
        let times = if facts.deaths == 1 {
            "once"
        } else {
            "more than once"
        };
        let what = format!("daemon.log says that a daemon died {times}{}", last(facts));
        findings.push(Finding::note(Area::Daemon, what).fixed_by(format!("see {}", log(facts))));
    }
    findings
}

fn gave_up(facts: &Facts) -> Finding {
    let what = format!(
        "the daemon keeps dying, so the keeper hands every request to GitHub uncached{}",
        last(facts)
    );
    let fix = format!(
        "see {}. A daemon is tried again after five minutes; `ghswarm stop` and `ghswarm start` do \
         it now",
        log(facts)
    );
    Finding::problem(Area::Daemon, what, fix)
}

fn nobody(facts: &Facts) -> Finding {
    match &facts.announced {
        Announced::Says {
            ready,
            daemon_lives,
        } if *daemon_lives && facts.locked => {
            let what = format!(
                "process {} holds {} but does not answer at its socket{}",
                ready.pid.unwrap_or_default(),
                facts.state_dir.display(),
                last(facts)
            );
            let fix = format!(
                "see {}; end it with `kill {}`, then `ghswarm start`",
                log(facts),
                ready.keeper_pid.or(ready.pid).unwrap_or_default()
            );
            Finding::problem(Area::Daemon, what, fix)
        }
        Announced::Says { ready, .. } => {
            let what = format!(
                "the daemon that {} names is dead: whoever was told {} finds nobody{}",
                Ready::path(&facts.state_dir).display(),
                ready.api_url,
                last(facts)
            );
            let fix = "`ghswarm start` takes its place; then `eval \"$(ghswarm env)\"` again, since \
                       the port is another one";
            Finding::problem(Area::Daemon, what, fix)
        }
        Announced::Unreadable => {
            let what = format!(
                "{} is not what a daemon writes",
                Ready::path(&facts.state_dir).display()
            );
            let fix = "remove it, then `ghswarm start`";
            Finding::problem(Area::Daemon, what, fix)
        }
        Announced::Absent if facts.locked => {
            let what = format!(
                "a process holds the lock of {}, but nobody answers: a daemon starts or ends",
                facts.state_dir.display()
            );
            let fix = format!("ask again in a few seconds; then see {}", log(facts));
            Finding::warning(Area::Daemon, what, fix)
        }
        Announced::Absent => {
            let what = "no daemon runs here";
            Finding::note(Area::Daemon, what).fixed_by("`ghswarm start`, or `ghswarm exec -- CMD`")
        }
    }
}

fn log(facts: &Facts) -> String {
    facts.state_dir.join("daemon.log").display().to_string()
}

/// The youngest complaints, as the continuation of a sentence.
fn last(facts: &Facts) -> String {
    if facts.complaints.is_empty() {
        return String::new();
    }
    format!(". It said:\n{}", facts.complaints.join("\n"))
}

/// The longest line that is shown.
const LINE: usize = 300;

/// A line of a log, shortened, with what looks like a secret replaced.
pub(super) fn masked(line: &str) -> String {
    let safe = without_tokens(line);
    // The user information of URLs.
    let mut shown = String::new();
    let mut rest = safe.as_str();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after.find(|letter: char| letter == '/' || letter.is_whitespace());
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                shown.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown.chars().take(LINE).collect()
}

/// What is wrong, according to the last lines of a log in either format; how many daemons died.
pub(super) fn read_log(tail: &str) -> (Vec<String>, usize) {
    const SHOWN: usize = 3;
    let bad = |line: &&str| {
        ["ERROR", "WARN", "ghswarm: ", "panicked"]
            .iter()
            .any(|word| line.contains(word))
    };
    let deaths = tail
        .lines()
        .filter(|line| line.contains("the daemon died"))
        .count();
    let mut last: Vec<_> = tail
        .lines()
        .rev()
        .filter(bad)
        .take(SHOWN)
        .map(masked)
        .collect();
    last.reverse();
    (last, deaths)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn ready(pid: Option<u32>) -> Box<Ready> {
        Box::new(Ready {
            api_url: "http://127.0.0.1:4000".to_owned(),
            socket: Some("/s/ghswarm.sock".into()),
            admin_url: None,
            admin_token_file: None,
            peer_id: None,
            multiaddrs: None,
            pid,
            keeper_pid: Some(41),
            owner: Owner::User,
            state_dir: "/s".into(),
            cache_dir: Some("/c".into()),
            version: "1.0.0".to_owned(),
        })
    }

    fn facts(answer: Answer, announced: Announced) -> Facts {
        Facts {
            state_dir: "/s".into(),
            answer,
            announced,
            locked: false,
            keeper_lives: true,
            uptime: Some(Duration::from_secs(70)),
            complaints: Vec::new(),
            deaths: 0,
            others: Vec::new(),
            version: "1.0.0",
            in_job: false,
        }
    }

    #[test]
    fn a_living_daemon_of_this_version_is_fine() {
        let living = facts(Answer::Living(ready(Some(42))), Announced::Absent);
        let found = check(&living);
        Finding::assert_fine(&found);
        Finding::assert_one(&found, Level::Ok, "process 42, for 1 min 10 s");
        let old = Facts {
            version: "1.1.0",
            ..living.clone()
        };
        Finding::assert_one(&check(&old), Level::Warning, "ghswarm stop");
        let orphan = Facts {
            keeper_lives: false,
            ..living.clone()
        };
        Finding::assert_one(&check(&orphan), Level::Warning, "process 41");
        let job = Facts {
            in_job: true,
            deaths: 1,
            ..living
        };
        Finding::assert_fine(&check(&job));
    }

    #[test]
    fn a_keeper_that_gave_up_says_why() {
        let facts = Facts {
            complaints: vec!["ERROR disk full".to_owned()],
            ..facts(Answer::Living(ready(None)), Announced::Absent)
        };
        Finding::assert_one(&check(&facts), Level::Problem, "disk full");
    }

    #[test]
    fn without_a_daemon_it_matters_what_was_left() {
        let says = |daemon_lives| Announced::Says {
            ready: ready(Some(42)),
            daemon_lives,
        };
        let nobody = |announced, locked| {
            check(&Facts {
                locked,
                ..facts(Answer::Nobody, announced)
            })
        };
        Finding::assert_fine(&nobody(Announced::Absent, false));
        Finding::assert_one(&nobody(Announced::Absent, true), Level::Warning, "lock");
        Finding::assert_one(
            &nobody(Announced::Unreadable, false),
            Level::Problem,
            "remove it",
        );
        Finding::assert_one(&nobody(says(false), false), Level::Problem, "is dead");
        Finding::assert_one(&nobody(says(true), true), Level::Problem, "kill 41");
        // The process id is another program's by now: nobody holds the lock.
        Finding::assert_one(&nobody(says(true), false), Level::Problem, "is dead");
        let wrong = facts(Answer::Wrong("HTTP 500".to_owned()), Announced::Absent);
        Finding::assert_one(&check(&wrong), Level::Problem, "HTTP 500");
    }

    #[test]
    fn a_log_shows_its_last_complaints_without_secrets() {
        let log = "INFO listening\nWARN the daemon died status=9\nINFO x\n\
                   ERROR ghs_0123456789abc.d failed at https://u:p4ss@proxy.example/x\n";
        let (shown, deaths) = read_log(log);
        assert_eq!(deaths, 1);
        assert_eq!(
            shown,
            [
                "WARN the daemon died status=9",
                "ERROR *** failed at https://***@proxy.example/x"
            ]
        );
        assert_eq!(
            masked("a https://h/@x ghp_1,github_pat_2"),
            "a https://h/@x ***,***"
        );
        assert_eq!(masked(&"é".repeat(1000)).chars().count(), LINE);
    }
}
