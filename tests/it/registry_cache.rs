//! Jobs that find each other through the Actions cache alone: no multicast, no bootstrap, no file.

mod meeting;
mod strangers;
mod trouble;

use std::time::Duration;

use ghswarm::clock::Clock;
use ghswarm::config::Stores;
use ghswarm::daemon::{Config, Daemon, Ready};
use ghswarm::github;
use ghswarm::registry::actions_cache::{self, RuntimeToken};
use ghswarm::swarm::{self, PeerId, Pool, Secret};
use ghswarm::time::Timestamp;
use ghswarm_lab::actions_cache::Claims;
use ghswarm_lab::{Clock as LabClock, FakeActionsCache};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

/// The number of the repository.
const REPOSITORY: u64 = 7;
const START: u64 = 1_800_000_000;
/// Generous: the machine may be busy.
const SOON: Duration = Duration::from_secs(20);

/// A repository, its cache, and the time for everybody.
struct Repository {
    cache: FakeActionsCache,
    lab_clock: LabClock,
    clock: Clock,
}

impl Repository {
    async fn new() -> Self {
        let lab_clock = LabClock::manual(START);
        let cache = FakeActionsCache::builder().clock(lab_clock.clone());
        Self {
            cache: cache.start().await.unwrap(),
            lab_clock,
            clock: Clock::manual(Timestamp::from_secs(START)),
        }
    }

    fn wait(&self, by: Duration) {
        self.lab_clock.advance(by);
        self.clock.advance(by);
    }

    /// A job of the branch `main`.
    fn job(&self) -> Job {
        self.job_with(&Claims::main(REPOSITORY))
    }

    fn job_with(&self, claims: &Claims) -> Job {
        Job::start(self, self.stores(claims), None)
    }

    /// The stores of a job with these claims.
    fn stores(&self, claims: &Claims) -> Stores {
        Stores {
            repository: REPOSITORY,
            cache: Some(actions_cache::Config {
                service: self.cache.url(),
                token: RuntimeToken::new(&self.cache.token(claims)),
            }),
            list: None,
            jobs: 1,
        }
    }

    /// Waits until so many records were put there.
    async fn has(&self, records: usize) {
        let put = self.cache.asked("FinalizeCacheEntryUpload", records);
        timeout(SOON, put).await.expect("a record in the cache");
    }

    /// How often this was asked for so far.
    fn asked(&self, part: &str) -> usize {
        let asked = self.cache.requests();
        asked.iter().filter(|one| one.name.contains(part)).count()
    }
}

/// A job's daemon.
struct Job {
    ready: Ready,
    swarm: swarm::Client,
    stop: watch::Sender<bool>,
    client: reqwest::Client,
}

impl Job {
    fn start(repository: &Repository, stores: Stores, secret: Option<Secret>) -> Self {
        let mut swarm = swarm::Config::new(Pool::new("octo-org/app").unwrap());
        swarm.mdns = false;
        swarm.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        swarm.clock = repository.clock.clone();
        swarm.tickets = secret.is_none();
        swarm.secret = secret;
        let config = Config {
            clock: repository.clock.clone(),
            // The cache's fake has the list that GitHub's API gives.
            github: github::Config::new(repository.cache.url().parse().unwrap()),
            swarm: Some(swarm),
            stores,
            ..Config::default()
        };
        let daemon = Daemon::bind(config, None).unwrap();
        let (ready, swarm) = (daemon.ready().clone(), daemon.swarm().unwrap());
        let stop = watch::Sender::new(false);
        tokio::spawn(daemon.run(stop.subscribe()));
        Self {
            ready,
            swarm,
            stop,
            client: reqwest::Client::new(),
        }
    }

    fn id(&self) -> PeerId {
        self.swarm.identity().peer_id()
    }

    /// Waits until the other is admitted here.
    async fn sees(&self, other: &Self) {
        let mut roster = self.swarm.watch_roster();
        let id = other.id();
        let seen = roster.wait_for(|roster| roster.has(&id));
        let seen = timeout(SOON, seen).await.is_ok();
        assert!(seen, "{:#?}", self.swarm.peers().await);
    }

    fn is_alone(&self) -> bool {
        self.swarm.roster().peers.is_empty()
    }

    /// How often it met this.
    fn met(&self, reason: &str) -> u64 {
        let counts = self.swarm.counts();
        counts.reasons.get(reason).copied().unwrap_or(0)
    }

    /// What `peers discover` is told of the Actions cache.
    async fn discover(&self) -> Value {
        let (status, body) = self.administer("/peers/discover").await;
        assert_eq!(status, 200, "{body}");
        body[0].clone()
    }

    async fn administer(&self, path: &str) -> (u16, Value) {
        let token = self.ready.admin_token_file.as_ref().unwrap();
        let token = std::fs::read_to_string(token).unwrap();
        let url = format!("{}{path}", self.ready.admin_url.as_ref().unwrap());
        let asked = self.client.post(url).bearer_auth(token.trim());
        let answer = asked.send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
