//! What most stories begin with: a fake GitHub, a daemon in front of it, and one clock for both.

mod pool;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ghswarm::clock::Clock;
use ghswarm::daemon::{Config, Daemon, Ready};
use ghswarm::github::{self, budget};
use ghswarm::stats::Snapshot;
use ghswarm::tiered;
use ghswarm::time::Timestamp;
use ghswarm_lab::{FakeGitHub, Token, TokenSpec, Usage};
use http::Method;
use tokio::sync::watch;

pub(crate) use pool::{NEIGHBOURS, Pool};

/// When stories begin: a second like any other.
const START: u64 = 1_800_000_000;

pub(crate) struct House {
    pub(crate) github: Arc<FakeGitHub>,
    // What all daemons of this machine share.
    cache: Arc<tempfile::TempDir>,
    daemon: Ready,
    config: Config,
    clock: Clock,
    lab_clock: ghswarm_lab::Clock,
    client: reqwest::Client,
    /// The daemon ends with it.
    running: watch::Sender<bool>,
    /// Its part in the swarm, if it has one.
    peers: Option<ghswarm::swarm::Client>,
}

/// An answer as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What the daemon says it did.
    pub(crate) fn cache(&self) -> &str {
        self.header("cache-status").unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn is_hit(&self) -> bool {
        self.cache().starts_with("ghswarm; hit; ")
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(tiered::Config::default()).await
    }

    pub(crate) async fn with(config: tiered::Config) -> Self {
        Self::paced(config, budget::Config::default()).await
    }

    /// With a budget that paces as `budget` says. On a clock moved by hand, who waits for budget waits
    /// until the story moves the clock.
    pub(crate) async fn paced(config: tiered::Config, budget: budget::Config) -> Self {
        Self::on_disk(config, budget, None).await
    }

    /// With a disk tier of this many bytes.
    pub(crate) async fn on_disk(
        config: tiered::Config,
        budget: budget::Config,
        disk_limit: Option<u64>,
    ) -> Self {
        let lab_clock = ghswarm_lab::Clock::manual(START);
        let github = FakeGitHub::builder()
            .clock(lab_clock.clone())
            .start()
            .await
            .unwrap();
        let clock = Clock::manual(Timestamp::from_secs(START));
        let cache = tempfile::tempdir().unwrap();
        let config = Config {
            clock: clock.clone(),
            cache_dir: Some(cache.path().to_owned()),
            disk_limit,
            github: github::Config::new(github.url().parse().unwrap()),
            budget,
            tiered: config,
            ..Config::default()
        };
        let (ready, running, peers) = daemon(config.clone());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            github: Arc::new(github),
            cache: Arc::new(cache),
            daemon: ready,
            clock,
            lab_clock,
            client,
            running,
            peers,
            config,
        }
    }

    /// Another daemon of the same machine, in front of the same GitHub.
    pub(crate) fn beside(&self) -> Self {
        let (ready, running, peers) = daemon(self.config.clone());
        Self {
            github: Arc::clone(&self.github),
            cache: Arc::clone(&self.cache),
            daemon: ready,
            clock: self.clock.clone(),
            lab_clock: self.lab_clock.clone(),
            client: self.client.clone(),
            config: self.config.clone(),
            running,
            peers,
        }
    }

    /// The same house, whose daemons share another directory.
    pub(crate) fn with_cache(mut self, directory: &Path) -> Self {
        self.config.cache_dir = Some(directory.to_owned());
        self.restart();
        self
    }

    /// What all daemons of this machine share.
    pub(crate) fn cache_dir(&self) -> &Path {
        self.cache.path()
    }

    /// Another daemon in the place of this one, which is drained.
    pub(crate) fn restart(&mut self) {
        self.running.send_replace(true);
        (self.daemon, self.running, self.peers) = daemon(self.config.clone());
    }

    /// Where clients find the daemon.
    pub(crate) fn url(&self) -> &str {
        &self.daemon.api_url
    }

    /// A job's own token for a repository that it can write to.
    pub(crate) fn job(&self, repository: &str) -> Token {
        self.github.token(TokenSpec::job(repository))
    }

    /// Lets time pass for everybody.
    pub(crate) fn wait(&self, by: Duration) {
        self.lab_clock.advance(by);
        self.clock.advance(by);
    }

    /// What the daemon's clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sets the daemon's clock alone, forth or back: GitHub's goes right.
    pub(crate) fn set_clock(&self, to: Timestamp) {
        self.clock.set(to);
    }

    /// Where administration is, and its token.
    pub(crate) fn admin(&self) -> (&str, String) {
        let token = self.daemon.admin_token_file.as_ref().unwrap();
        let token = std::fs::read_to_string(token).unwrap();
        (self.daemon.admin_url.as_ref().unwrap(), token)
    }

    pub(crate) async fn get(&self, token: &Token, path: &str) -> Reply {
        self.send(Method::GET, Some(token), path, &[], "").await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        token: Option<&Token>,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = self.client.request(method, format!("{}{path}", self.url()));
        if let Some(token) = token {
            request = request.header("authorization", token.authorization());
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.body(body.to_owned());
        }
        let response = request.send().await.unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap(),
        }
    }

    /// What GitHub counted.
    pub(crate) fn usage(&self) -> Usage {
        self.github.usage()
    }

    /// What the daemon counted.
    pub(crate) async fn stats(&self) -> Snapshot {
        let stats = self.administer(Method::GET, "/stats", Vec::new()).await;
        serde_json::from_slice(&stats.body).unwrap()
    }

    /// Something that only the daemon's owner may do.
    pub(crate) async fn administer(&self, method: Method, path: &str, body: Vec<u8>) -> Reply {
        let token = self.daemon.admin_token_file.as_ref().unwrap();
        let token = std::fs::read_to_string(token).unwrap();
        let url = format!("{}{path}", self.daemon.admin_url.as_ref().unwrap());
        let request = self.client.request(method, url).bearer_auth(token.trim());
        let response = request.body(body).send().await.unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap(),
        }
    }
}

fn daemon(config: Config) -> (Ready, watch::Sender<bool>, Option<ghswarm::swarm::Client>) {
    let daemon = Daemon::bind(config, None).unwrap();
    let ready = daemon.ready().clone();
    let running = watch::Sender::new(false);
    let peers = daemon.swarm();
    tokio::spawn(daemon.run(running.subscribe()));
    (ready, running, peers)
}
