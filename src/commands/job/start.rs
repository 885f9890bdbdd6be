//! `ghswarm job start`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::super::context::Context;
use super::super::{join, launch, logging, variables};
use super::{Inputs, Told, exported, names, outside, records, snapshot};
use crate::config::{Directories, Owner, Settings, env};
use crate::daemon::{Living, Ready, report_of};
use crate::runner::Job;
use crate::swarm::Multiaddr;

/// What the job gets.
struct Up {
    ready: Ready,
    /// Peers that the daemon knows.
    peers: usize,
    /// Under which key our record is to be saved.
    record_key: Option<String>,
    program: String,
}

/// Starts or joins a daemon, or says why the job has to do without.
pub(super) async fn run(context: &Context<'_>) -> ExitCode {
    let mut told = Told::new(context);
    let inputs = Inputs::read(context, &mut told);
    let job = Job::of(|name| context.environment().get(name));
    match up(&inputs, &job, context, &mut told).await {
        Ok(up) => {
            Told::line(&in_one_line(&up, &inputs, &job));
            told.output(&up.outputs(&inputs));
        }
        Err(error) => {
            told.fault(format!("running without the cache: {error:#}"));
            told.output(&without(context));
        }
    }
    told.end("how it is reached")
}

async fn up(
    inputs: &Inputs,
    job: &Job,
    context: &Context<'_>,
    told: &mut Told,
) -> anyhow::Result<Up> {
    let settings = of_this_job(&inputs.settings, job, context).await?;
    let running = launch::running(&settings, context).await?;
    let ready = running.ready;
    let exported = match export(&ready, job, context, told) {
        Ok(exported) => exported,
        Err(error) => {
            // Nobody would ever use it.
            if let Some(socket) = ready.socket.filter(|_| running.started) {
                let _ = Living::at(socket).stop().await;
            }
            return Err(error);
        }
    };
    if report_of(&ready.state_dir).is_some() {
        told.fault("the cache of this job has finished already: everything passes through");
    }
    if ready.cache_dir.is_none() {
        told.fault("the cache directory cannot be used, so nothing is kept on disk");
    }
    let mut up = Up {
        ready,
        peers: 0,
        record_key: None,
        program: exported.get(env::PROGRAM).cloned().unwrap_or_default(),
    };
    described(&up.ready, told);
    if names::uses_snapshot(inputs, job) {
        snapshot::take_in(&up.ready, context, told).await;
        let folder = exported::folder(job, &up.ready.state_dir);
        if let Err(error) = snapshot::note(&folder, &names::snapshot_key(inputs, job)) {
            told.fault(format!("nothing will be carried to later jobs: {error}"));
        }
    }
    let meeting = async {
        if inputs.meets_peers() && up.ready.peer_id.is_some() {
            meet(&mut up, running.started, &settings, job, context, told).await;
        }
    };
    let looking = async {
        // Who joins a daemon was told when it started.
        if running.started {
            outside::github(&settings).await
        } else {
            None
        }
    };
    if let ((), Some(fault)) = tokio::join!(meeting, looking) {
        told.fault(fault);
    }
    Ok(up)
}

/// Tells later steps how the daemon is reached: all of it, or, with an error, nothing. What they are told.
fn export(
    ready: &Ready,
    job: &Job,
    context: &Context<'_>,
    told: &Told,
) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let environment = context.environment();
    let variables = exported::for_later_steps(variables::of(ready, environment)?)?;
    // First, so that nothing is exported that could not be put back.
    let folder = exported::folder(job, &ready.state_dir);
    exported::note(&folder, variables.keys().copied(), environment)
        .context("cannot note what the variables were before")?;
    let pairs: Vec<_> = variables
        .iter()
        .map(|(name, value)| (*name, value.clone()))
        .collect();
    told.export(&pairs)?;
    Ok(variables)
}

/// The settings of the daemon of this job. Where another daemon is that the job must not use, its own is in its
/// scratch directory.
async fn of_this_job(
    settings: &Settings,
    job: &Job,
    context: &Context<'_>,
) -> anyhow::Result<Settings> {
    let settings = settings.clone();
    let Directories { state, socket, .. } = context.directories(&settings)?;
    let there = Living::of(&state, socket).ready().await;
    let foreign = there.is_ok_and(|ready| join::check(&ready, context).is_err());
    match &job.temp {
        Some(temp) if foreign => Ok(Settings {
            state_dir: Some(temp.join("ghswarm")),
            socket: None,
            ..settings
        }),
        _ => Ok(settings),
    }
}

/// Takes in what was restored, and leaves our record. Without either the daemon is alone, which is said once.
async fn meet(
    up: &mut Up,
    started: bool,
    settings: &Settings,
    job: &Job,
    context: &Context<'_>,
    told: &mut Told,
) {
    let Some(socket) = up.ready.socket.clone() else {
        return;
    };
    let living = Living::at(socket);
    match records::take_in(&living, context).await {
        Ok(imported) => {
            told.detail(format!(
                "restored records: {} new, {} known already, {} not taken",
                imported.taken.len(),
                imported.known.len(),
                imported.refused.len()
            ));
            for turned in &imported.refused {
                told.detail(format!("not taken ({}): {}", turned.name, turned.reason));
            }
        }
        Err(error) => told.detail(format!("no restored record could be read: {error:#}")),
    }
    // Who joins a daemon finds it registered, if it is one of this job.
    if (started || up.ready.owner == Owner::Host) && job.keeps_record() {
        match records::leave(&living, job.repository_id, context).await {
            Ok(key) => up.record_key = Some(key),
            Err(error) if up.ready.owner == Owner::Host => {
                told.detail(format!("the host's daemon has no record for us: {error:#}"));
            }
            Err(error) => told.fault(format!(
                "other runners will not find this one: no peer record: {error:#}"
            )),
        }
    }
    match known(&living).await {
        Ok(list) => {
            up.peers = list.peers.len();
            told.detail(format!("pool: {}", list.pool));
            if let Some(fault) = outside::port(&settings.p2p_listen, &list.multiaddrs)
                && started
            {
                told.fault(fault);
            }
            for address in &list.multiaddrs {
                told.detail(format!("peers reach it at: {address}"));
            }
            for peer in &list.peers {
                told.detail(format!("peer: {} ({})", peer.peer_id, peer.standing));
            }
        }
        Err(error) => told.detail(format!("the peers are not known: {error:#}")),
    }
}

/// What `GET /peers` says, as far as it is shown here.
#[derive(Deserialize)]
struct List {
    pool: String,
    multiaddrs: Vec<Multiaddr>,
    peers: Vec<Peer>,
}

#[derive(Deserialize)]
struct Peer {
    peer_id: String,
    standing: String,
}

async fn known(living: &Living) -> anyhow::Result<List> {
    let answer = living.ask(Method::GET, "/peers", Bytes::new()).await?;
    serde_json::from_slice(&answer).context("the daemon's answer makes no sense")
}

fn described(ready: &Ready, told: &mut Told) {
    let path = |path: &std::path::Path| path.display().to_string();
    told.detail(format!("base URL for API clients: {}", ready.api_url));
    if let Some(socket) = &ready.socket {
        told.detail(format!("socket, which gh uses: {}", path(socket)));
    }
    if let Some(cache) = &ready.cache_dir {
        told.detail(format!("cache directory: {}", path(cache)));
    }
    let log = ready.state_dir.join(logging::FILE);
    told.detail(format!("log: {}", path(&log)));
}

/// The line in the job's log.
fn in_one_line(up: &Up, inputs: &Inputs, job: &Job) -> String {
    let Up { ready, peers, .. } = up;
    let joined = match ready.owner {
        Owner::Host => " (the host's)",
        Owner::Job | Owner::User => "",
    };
    let sharing = match (&ready.peer_id, &inputs.settings.pool) {
        (Some(_), Some(pool)) => {
            let discovered = match (inputs.discovery, peers) {
                (false, _) => "peer discovery off".to_owned(),
                (true, 1) => "discovered 1 peer".to_owned(),
                (true, peers) => format!("discovered {peers} peers"),
            };
            let record = match (&up.record_key, job.keeps_record()) {
                (Some(_), _) => ", registered",
                (None, false) => ", not registered: 24 jobs of this matrix are enough",
                (None, true) => "",
            };
            format!("sharing with {}: {discovered}{record}", pool.name())
        }
        _ => "not shared with other runners".to_owned(),
    };
    let (version, url) = (&ready.version, &ready.api_url);
    format!("ghswarm {version}{joined} caches GitHub's API at {url}; {sharing}")
}

impl Up {
    fn outputs(&self, inputs: &Inputs) -> Vec<(&'static str, String)> {
        let text = |path: Option<&std::path::PathBuf>| {
            path.map_or_else(String::new, |path| path.display().to_string())
        };
        let status = if inputs.disabled {
            "disabled"
        } else {
            "success"
        };
        vec![
            ("api-url", self.ready.api_url.clone()),
            ("socket", text(self.ready.socket.as_ref())),
            ("cache-status", status.to_owned()),
            ("peer-count", self.peers.to_string()),
            ("cache-dir", text(self.ready.cache_dir.as_ref())),
            ("record-key", self.record_key.clone().unwrap_or_default()),
            ("save-record", self.record_key.is_some().to_string()),
            ("program", self.program.clone()),
        ]
    }
}

/// The outputs of a job without a daemon: whoever uses them reaches GitHub.
fn without(context: &Context<'_>) -> Vec<(&'static str, String)> {
    let api = context.environment().get(env::GITHUB_API_URL);
    let program = std::env::current_exe().ok();
    let program = program.and_then(|path| path.into_os_string().into_string().ok());
    vec![
        (
            "api-url",
            api.unwrap_or("https://api.github.com").to_owned(),
        ),
        ("socket", String::new()),
        ("cache-status", "fallback".to_owned()),
        ("peer-count", "0".to_owned()),
        ("cache-dir", String::new()),
        ("record-key", String::new()),
        ("save-record", "false".to_owned()),
        ("program", program.unwrap_or_default()),
    ]
}
