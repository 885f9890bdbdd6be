//! What stands between the clients and GitHub.

use std::time::Duration;

use ghswarm::clock::Clock;
use ghswarm::daemon::{self, Config, Daemon};
use ghswarm::stats::Snapshot;
use ghswarm::time::Timestamp;
use ghswarm::{github, swarm, tiered};
use ghswarm_lab::FakeGitHub;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clients::Endpoint;
use crate::mesh;

/// When the hour begins: a second like any other.
const START: u64 = 1_800_000_000;

/// What stands between a client and GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Between {
    /// Nothing.
    Nothing,
    /// A cache for every token, as ghproxy keeps it.
    CachePerToken,
    /// This program without computed validators: GitHub's own are all it has.
    Unproven,
    /// This program.
    Ghswarm,
    /// This program, and the daemons of all runners share what they hold.
    Swarm,
}

impl Between {
    /// Every way of a daemon that is alone, in the order of the table.
    pub(crate) const ALL: [Self; 4] = [
        Self::Nothing,
        Self::CachePerToken,
        Self::Unproven,
        Self::Ghswarm,
    ];

    /// The name of its row.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no cache",
            Self::CachePerToken => "cache per token",
            Self::Unproven => "validators off",
            Self::Ghswarm => "ghswarm",
            Self::Swarm => "swarm",
        }
    }

    /// The daemons that it takes for `runners`.
    pub(crate) const fn daemons(self, runners: u64) -> u64 {
        match self {
            Self::Nothing | Self::CachePerToken => 0,
            Self::Unproven | Self::Ghswarm | Self::Swarm => runners,
        }
    }
}

/// One clock for GitHub and the daemons.
#[derive(Debug, Clone)]
pub(crate) struct Clocks {
    /// GitHub's.
    pub(crate) lab: ghswarm_lab::Clock,
    daemons: Clock,
}

impl Clocks {
    /// Both at the beginning.
    pub(crate) fn new() -> Self {
        Self {
            lab: ghswarm_lab::Clock::manual(START),
            daemons: Clock::manual(Timestamp::from_secs(START)),
        }
    }

    /// Lets time pass for everybody.
    pub(crate) fn advance(&self, by: Duration) {
        self.lab.advance(by);
        self.daemons.advance(by);
    }
}

/// The daemons of a fleet, each with directories of its own that go with it.
#[derive(Debug)]
pub(crate) struct Daemons {
    direct: Endpoint,
    endpoints: Vec<Endpoint>,
    swarm: Vec<swarm::Client>,
    running: Vec<JoinHandle<Result<Snapshot, daemon::Error>>>,
    shutdown: watch::Sender<bool>,
}

impl Daemons {
    /// Starts what `between` needs for `runners` in front of `github`.
    pub(crate) fn start(
        github: &FakeGitHub,
        clocks: &Clocks,
        between: Between,
        runners: u64,
    ) -> anyhow::Result<Self> {
        let shutdown = watch::Sender::new(false);
        let mut endpoints = Vec::new();
        let mut running = Vec::new();
        let mut swarm = Vec::new();
        let member = match between {
            Between::Swarm => Some(mesh::member(clocks.daemons.clone(), runners)?),
            _ => None,
        };
        for _ in 0..between.daemons(runners) {
            let config = Config {
                clock: clocks.daemons.clone(),
                github: github::Config::new(github.url().parse()?),
                tiered: tiered::Config {
                    validators: between != Between::Unproven,
                    ..tiered::Config::default()
                },
                swarm: member.clone(),
                ..Config::default()
            };
            let daemon = Daemon::bind(config, None)?;
            let url = daemon.ready().api_url.clone();
            endpoints.push(Endpoint {
                links: url.clone(),
                url,
            });
            swarm.extend(daemon.swarm());
            running.push(tokio::spawn(daemon.run(shutdown.subscribe())));
        }
        let direct = Endpoint {
            url: github.url(),
            links: github.public_base().to_owned(),
        };
        Ok(Self {
            direct,
            endpoints,
            swarm,
            running,
            shutdown,
        })
    }

    /// Where the clients on this runner send their requests.
    pub(crate) fn endpoint(&self, runner: u64) -> Endpoint {
        let own = usize::try_from(runner)
            .ok()
            .and_then(|at| self.endpoints.get(at));
        own.unwrap_or(&self.direct).clone()
    }

    /// Makes the daemons known to each other and waits, within bounds, until each is connected with every
    /// other; how many of the connections are missing.
    pub(crate) async fn meet(&self) -> usize {
        mesh::join(&self.swarm).await
    }

    /// Ends the daemons and returns their last numbers.
    pub(crate) async fn stop(self) -> anyhow::Result<Vec<Snapshot>> {
        self.shutdown.send_replace(true);
        let mut numbers = Vec::new();
        for daemon in self.running {
            numbers.push(daemon.await??);
        }
        Ok(numbers)
    }
}
