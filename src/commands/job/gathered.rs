//! What is known of a job's cache when the job ends: from the daemon, or from what it left on disk.

use std::path::PathBuf;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::super::context::Context;
use super::super::{doctor, join};
use crate::cli::Target;
use crate::clock::Clock;
use crate::config::{directories, env};
use crate::daemon::{self, AskError, Living, Ready};
use crate::runner::summary::{Facts, Problem, Sharing, Source};
use crate::stats::Snapshot;

/// A daemon, or what is left of one.
pub(super) struct Gathered {
    pub(super) facts: Facts,
    /// The daemon's own words on how it is reached, if it is alive.
    pub(super) ready: Option<Ready>,
    pub(super) living: Living,
    pub(super) state_dir: PathBuf,
}

/// What a daemon says when its job finishes.
#[derive(Deserialize)]
struct Finished {
    stats: Snapshot,
    sharing: Option<Value>,
}

/// What is known, and with whom was shared in the words of the administration.
type Told = (Facts, Option<Value>);

/// Looks for the daemon of this job and asks it for its last numbers; from then on it hands everything through.
/// One of the host is asked, and goes on. `None`: there was none.
pub(super) async fn gather(context: &Context<'_>) -> anyhow::Result<Option<Gathered>> {
    let settings = context.settings_of(&Target::default());
    let state_dir = directories::state_dir(&settings, context.environment())?;
    let living = context.daemon(&Target::default())?;
    let ready = match living.ready().await {
        Ok(ready) => Some(ready),
        Err(AskError::Nobody { .. }) => None,
        Err(error) => {
            // It hangs, or is something else: what it wrote down is all there is.
            tracing::debug!(%error, "no daemon answers");
            None
        }
    };
    let state_dir = ready
        .as_ref()
        .map_or(state_dir, |ready| ready.state_dir.clone());
    let Some((mut facts, sharing)) = facts(ready.as_ref(), &living, &state_dir, context).await?
    else {
        return Ok(None);
    };
    facts.sharing = sharing
        .as_ref()
        .and_then(|told| serde_json::from_value::<Sharing>(told.clone()).ok());
    let hosted = context.environment().get(env::RUNNER_ENVIRONMENT) == Some("github-hosted");
    facts.now = Clock::system().now();
    let found = doctor::after_a_job(&facts.statistics, sharing.as_ref(), hosted, facts.now);
    facts.problems.extend(found);
    Ok(Some(Gathered {
        facts,
        ready,
        living,
        state_dir,
    }))
}

async fn facts(
    ready: Option<&Ready>,
    living: &Living,
    state_dir: &std::path::Path,
    context: &Context<'_>,
) -> anyhow::Result<Option<Told>> {
    match ready {
        Some(ready) if join::outlives_us(ready, context).is_some() => {
            of_host(living).await.map(Some)
        }
        Some(ready) if !ready.passes_through() => match living.finish().await {
            Ok(answer) => {
                let finished = serde_json::from_slice::<Finished>(&answer);
                let finished = finished.context("the daemon's answer makes no sense")?;
                Ok(Some(finished.into()))
            }
            Err(error) => Ok(Some(on_disk(
                state_dir,
                Problem::new(
                    &format!("the daemon did not say what it did: {error}"),
                    "`daemon.log` in the state directory may say why",
                ),
            ))),
        },
        Some(_) => Ok(Some(on_disk(
            state_dir,
            Problem::new(
                "the daemon kept dying, and requests went to GitHub without a cache",
                "`daemon.log` in the state directory says why it died; too little memory is a common cause",
            ),
        ))),
        None if join::is_left_by_us(state_dir, context) => Ok(left_behind(state_dir)),
        None => Ok(None),
    }
}

impl From<Finished> for Told {
    fn from(finished: Finished) -> Self {
        let facts = Facts {
            source: Source::Daemon,
            statistics: finished.stats,
            ..Facts::default()
        };
        (facts, finished.sharing)
    }
}

/// What a daemon of the host did, for all its jobs.
async fn of_host(living: &Living) -> anyhow::Result<Told> {
    let stats = living.ask(Method::GET, "/stats", Bytes::new()).await?;
    // Refused by one that shares with nobody.
    let peers = living.ask(Method::GET, "/peers", Bytes::new()).await.ok();
    let facts = Facts {
        source: Source::Host,
        statistics: serde_json::from_slice(&stats).context("the statistics")?,
        ..Facts::default()
    };
    let sharing = peers.and_then(|peers| serde_json::from_slice(&peers).ok());
    Ok((facts, sharing))
}

/// What a daemon that died had said when the job finished, or had written down before.
fn left_behind(state_dir: &std::path::Path) -> Option<Told> {
    let report = daemon::report_of(state_dir);
    if let Some(finished) =
        report.and_then(|report| serde_json::from_value::<Finished>(report).ok())
    {
        return Some(finished.into());
    }
    let counters = daemon::counters_of(state_dir)?;
    let facts = Facts {
        source: Source::Counters,
        statistics: counters.shown,
        ..Facts::default()
    };
    Some((facts, None))
}

/// The numbers on disk of a daemon that lives but does not say them.
fn on_disk(state_dir: &std::path::Path, problem: Problem) -> Told {
    let nothing = || {
        let source = Source::Counters;
        (
            Facts {
                source,
                ..Facts::default()
            },
            None,
        )
    };
    let (mut facts, sharing) = left_behind(state_dir).unwrap_or_else(nothing);
    facts.problems.push(problem);
    (facts, sharing)
}
