//! Stores that others of the pool read, too: our record is put there and renewed, and theirs are looked for.
//!
//! The cache of GitHub Actions is read and written with the job's own token; the list of its keys that the REST API
//! gives is read with a token that was given for it, and only where a secret lets us in without a ticket. What comes
//! from a store is a record like any other. Whatever fails is told once and counted, and sharing goes on with
//! whom we find otherwise.

mod look;
mod plan;
mod register;
mod report;

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::warn;

use super::Discovery;
use crate::registry::actions_cache::{self, Access, Failed};
use crate::registry::rest;
use crate::time::Timestamp;

use plan::{Plan, Standing};
pub use report::{Looked, Met, Nobody, PeerFound, Registered, Store};

/// Addresses come one after the other when the swarm starts: so long we wait for the next one.
const SETTLE: Duration = Duration::from_millis(250);
/// The longest that somebody waits for an answer who asks now. Less than what they wait for the daemon.
const PATIENCE: Duration = Duration::from_secs(4);

/// Where records are put and looked for; the default is nowhere.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The number of the repository whose stores these are.
    pub repository: u64,
    /// The cache of GitHub Actions.
    pub cache: Option<actions_cache::Client>,
    /// The list of its keys.
    pub list: Option<rest::Client>,
    /// How many jobs start with this one.
    pub jobs: u32,
}

/// How it stands with the stores. One turn at a time.
#[derive(Debug)]
pub(super) struct Stores(Mutex<State>);

#[derive(Debug)]
struct State {
    plan: Plan,
    cache: Standing,
    list: Standing,
    /// What was told already, by name.
    told: Vec<&'static str>,
}

impl Stores {
    pub(super) fn new(now: Timestamp, sources: &Sources) -> Self {
        let claims = sources
            .cache
            .as_ref()
            .and_then(actions_cache::Client::claims);
        let access = claims.map_or(Access::Unknown, |claims| claims.access);
        let end = claims.and_then(|claims| claims.expires);
        Self(Mutex::new(State {
            plan: Plan::new(now),
            cache: Standing::of(access, end),
            list: Standing::of(Access::Unknown, None),
            told: Vec::new(),
        }))
    }
}

impl State {
    /// Says something at most once.
    fn once(&mut self, name: &'static str, tell: impl FnOnce()) {
        if !self.told.contains(&name) {
            self.told.push(name);
            tell();
        }
    }

    /// Tells of a failure the first time. That somebody has the same name is nobody's trouble.
    fn tell(&mut self, failed: Failed) {
        if failed != Failed::Taken {
            self.once(failed.name(), || {
                warn!(reason = %failed, "the Actions cache does not help to find peers; what else finds them goes on");
            });
        }
    }
}

impl Discovery {
    fn sources(&self) -> &Sources {
        &self.0.config.stores
    }

    /// Looks for others in the stores, and keeps our record in them alive.
    pub async fn attend_stores(&self) -> Infallible {
        let Sources { cache, list, .. } = self.sources();
        if cache.is_none() && list.is_none() {
            return pending().await;
        }
        let clock = self.0.config.clock.clone();
        let mut addresses = self.addresses();
        loop {
            let wake = self.turn().await;
            tokio::select! {
                () = clock.sleep_until(wake) => {}
                Ok(()) = addresses.changed() => tokio::time::sleep(SETTLE).await,
            }
        }
    }

    /// Does what is due; when to do so again.
    async fn turn(&self) -> Timestamp {
        let mut state = self.0.stores.0.lock().await;
        let now = self.0.config.clock.now();
        if state.plan.looks_at(self.is_alone()) <= now {
            state.plan.looked(now);
            self.look_in_cache(&mut state).await;
            if state.plan.lists(self.is_alone()) {
                self.look_in_list(&mut state).await;
            }
        }
        self.renew_in_cache(&mut state).await;
        state
            .plan
            .wakes_at(self.is_alone(), self.0.config.clock.now())
    }

    fn is_alone(&self) -> bool {
        self.0.client.roster().peers.is_empty()
    }

    /// Counts a failure and draws the consequence.
    fn failed(&self, state: &mut State, failed: Failed) {
        state.cache.failed(failed, self.0.config.clock.now());
        self.0.client.count(failed.name());
        state.tell(failed);
    }
}
