//! Which daemon a job uses that it did not start: its own from an earlier step, or the host's. Never
//! another job's, which may hold what this one must not see, and never that of somebody at a terminal.

use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail};

use super::context::Context;
use super::print;
use crate::config::{Environment, Owner, Settings, directories::HOST_SOCKET, env};
use crate::daemon::{self, AskError, Living, Ready};
use crate::digest::Digest;
use crate::files;

/// The longest wait for the host's daemon. Then the job starts one of its own.
const PATIENCE: Duration = Duration::from_secs(2);
/// The file of a state directory that says whose job the daemon is.
const MARK: &str = "job";

/// What becomes of a daemon that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It may be used.
    Join,
    /// It is another job's.
    AnotherJobs,
    /// Somebody at a terminal started it.
    AUsers,
}

/// Whether `who` may use a daemon of `owner`.
fn judge(who: Owner, owner: Owner, same_job: bool) -> Verdict {
    match (who, owner) {
        // People know what they name.
        (Owner::User | Owner::Host, _) | (Owner::Job, Owner::Host) => Verdict::Join,
        (Owner::Job, Owner::Job) if same_job => Verdict::Join,
        (Owner::Job, Owner::Job) => Verdict::AnotherJobs,
        (Owner::Job, Owner::User) => Verdict::AUsers,
    }
}

/// Refuses a daemon that this job must not use.
pub(super) fn check(ready: &Ready, context: &Context<'_>) -> anyhow::Result<()> {
    let state = ready.state_dir.display();
    let who = Owner::of(context.environment());
    match judge(who, ready.owner, is_of_this_job(ready, context)) {
        Verdict::Join => Ok(()),
        Verdict::AnotherJobs => bail!(
            "the daemon in {state} is another job's; jobs that run at the same time need a state directory each, as \
             they have without --state-dir and GHSWARM_STATE_DIR"
        ),
        Verdict::AUsers => bail!(
            "the daemon in {state} was started by a user and not for jobs; a daemon for all jobs of a host is started \
             with --owner host"
        ),
    }
}

/// Why this command must not end the daemon, if it must not: a job ends its own.
pub(super) fn outlives_us(ready: &Ready, context: &Context<'_>) -> Option<&'static str> {
    if !context.in_job() {
        return None;
    }
    match ready.owner {
        Owner::Host => Some("the daemon is the host's and goes on"),
        Owner::Job if is_of_this_job(ready, context) => None,
        Owner::Job => Some("the daemon is another job's and goes on"),
        Owner::User => Some("the daemon was started by a user, not by this job, and goes on"),
    }
}

/// The daemon of this host, if a job may use it and can. What stands in the way is said once, and then the job has
/// a daemon of its own.
pub(super) async fn host(settings: &Settings, context: &Context<'_>) -> Option<Ready> {
    if !context.in_job() || context.owner(settings) != Owner::Job || wants_its_own(settings) {
        return None;
    }
    let asked = tokio::time::timeout(PATIENCE, Living::at(HOST_SOCKET.into()).ready()).await;
    let error = match asked {
        Ok(Ok(ready)) if ready.owner == Owner::Host => return Some(ready),
        Ok(Ok(_)) => anyhow!("it was not started with --owner host"),
        Ok(Err(AskError::Nobody { .. })) => return None,
        Ok(Err(error)) => error.into(),
        Err(_) => anyhow!("no answer for {} s", PATIENCE.as_secs()),
    };
    print::complaint(&format!(
        "this job does not use the host's daemon at {HOST_SOCKET}: {error:#}"
    ));
    None
}

/// Whether a job says something that the host's daemon may not do. Above all where GitHub is: the job's token
/// would go to another server. Limits and lifetimes are the host's business.
fn wants_its_own(settings: &Settings) -> bool {
    settings.origin.is_some()
        || !settings.origin_for.is_empty()
        || settings.listen.is_some()
        || settings.socket.is_some()
        || settings.no_cache == Some(true)
        || settings.no_p2p == Some(true)
}

/// `settings` without the socket of the host's daemon, which an earlier step of the job put into the environment: should
/// that daemon be gone, its place is not where a job's own daemon listens.
pub(super) fn beside_the_host(settings: &Settings, context: &Context<'_>) -> Settings {
    let mut settings = settings.clone();
    if context.in_job() {
        settings.socket = settings
            .socket
            .filter(|socket| socket != Path::new(HOST_SOCKET));
    }
    settings
}

/// Notes for which job a daemon is started in `state_dir`. What another job counted there is not this one's.
pub(super) fn mark(state_dir: &Path, context: &Context<'_>) -> Result<(), files::Error> {
    if context.in_job() {
        if !is_left_by_us(state_dir, context) {
            daemon::forget_counters(state_dir);
        }
        let name = name_of_job(context.environment());
        files::write_atomic(&state_dir.join(MARK), name.as_bytes())?;
    }
    Ok(())
}

fn is_of_this_job(ready: &Ready, context: &Context<'_>) -> bool {
    is_marked(&ready.state_dir, context)
}

/// Whether what a daemon left in `state_dir` is about this job; outside of jobs it is about whoever asks.
pub(super) fn is_left_by_us(state_dir: &Path, context: &Context<'_>) -> bool {
    !context.in_job() || is_marked(state_dir, context)
}

fn is_marked(state_dir: &Path, context: &Context<'_>) -> bool {
    let noted = files::read_small(&state_dir.join(MARK), 64);
    noted.is_ok_and(|noted| noted == name_of_job(context.environment()).as_bytes())
}

/// What the steps of a job have in common, and two jobs at a time do not: a runner has one job at a time. In a
/// container of the job and in the hooks of its host these are the same, which the runner's
/// `RUNNER_TRACKING_ID` is not.
fn name_of_job(environment: &Environment) -> String {
    let names = [
        env::GITHUB_RUN_ID,
        env::GITHUB_RUN_ATTEMPT,
        env::GITHUB_JOB,
        env::RUNNER_NAME,
    ];
    let mut text = String::new();
    for name in names {
        text.push_str(environment.get(name).unwrap_or_default());
        text.push('\0');
    }
    Digest::of([text.as_bytes()]).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_joins_its_own_daemon_and_the_hosts() {
        use Owner::{Host, Job, User};
        assert_eq!(judge(Job, Host, false), Verdict::Join);
        assert_eq!(judge(Job, Job, true), Verdict::Join);
        assert_eq!(judge(Job, Job, false), Verdict::AnotherJobs);
        assert_eq!(judge(Job, User, true), Verdict::AUsers);
        for owner in [Host, Job, User] {
            assert_eq!(judge(User, owner, false), Verdict::Join);
        }
    }

    #[test]
    fn every_part_of_a_jobs_name_tells_two_jobs_apart() {
        let job = [
            ("GITHUB_RUN_ID", "1"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_JOB", "test"),
            ("RUNNER_NAME", "r"),
        ];
        let name = |pairs: &[(&str, &str)]| name_of_job(&Environment::from_pairs(pairs));
        assert_eq!(name(&job), name(&job));
        for part in 0..job.len() {
            let mut other = job;
            other[part].1 = "other";
            assert_ne!(name(&job), name(&other), "{}", job[part].0);
        }
    }

    #[test]
    fn a_job_that_says_where_github_is_gets_a_daemon_of_its_own() {
        let own = |settings: Settings| wants_its_own(&settings);
        assert!(!own(Settings::default()));
        assert!(!own(Settings {
            memory_limit: Some(1),
            no_p2p: Some(false),
            ..Settings::default()
        }));
        assert!(own(Settings {
            origin: Some("https://ghe.example.org/api/v3".parse().unwrap()),
            ..Settings::default()
        }));
        assert!(own(Settings {
            origin_for: vec![("a".to_owned(), "https://a.example".parse().unwrap())],
            ..Settings::default()
        }));
        assert!(own(Settings {
            no_p2p: Some(true),
            ..Settings::default()
        }));
    }
}
