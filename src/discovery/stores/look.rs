//! Looking for others.

use tracing::{debug, info};

use super::report::{Looked, Met, Nobody, PeerFound, Store};
use super::{PATIENCE, Sources, State};
use crate::discovery::{Discovery, Entered};
use crate::registry::actions_cache::{self, Failed, Found};
use crate::registry::rest::Unlisted;
use crate::registry::{self, Name};
use crate::swarm::Acquaintance;

impl Discovery {
    /// Looks now, whatever the plan says, and tells what was found.
    pub async fn look_in_stores(&self) -> Vec<Looked> {
        let Sources { cache, list, .. } = self.sources();
        let looking = async {
            let mut state = self.0.stores.0.lock().await;
            let mut looked = Vec::new();
            if cache.is_some() {
                looked.push(self.look_in_cache(&mut state).await);
            }
            if list.is_some() {
                looked.push(self.look_in_list(&mut state).await);
            }
            looked
        };
        let slow = || vec![Looked::nobody(Store::ActionsCache, &Nobody::Busy)];
        tokio::time::timeout(PATIENCE, looking)
            .await
            .unwrap_or_else(|_| slow())
    }

    pub(super) async fn look_in_cache(&self, state: &mut State) -> Looked {
        let now = self.0.config.clock.now();
        let Some(cache) = &self.sources().cache else {
            return Looked::nobody(Store::ActionsCache, &Nobody::NoStore);
        };
        if let Err(failed) = state.cache.may_read(now) {
            state.tell(failed);
            return Looked::nobody(Store::ActionsCache, &Nobody::Failed(failed.to_string()));
        }
        let prefixes = Name::newest(&self.0.config.pool, self.sources().repository, now);
        let met = self.meet(cache, &prefixes).await;
        if met.is_ok() {
            state.cache.worked();
        }
        match met {
            Ok(Some(met)) => {
                if met.how == Met::New {
                    info!(peer = %met.peer_id, "the Actions cache knows a peer");
                    self.0.client.count("actions-cache-found");
                }
                Looked::one(Store::ActionsCache, met)
            }
            Ok(None) => Looked::nobody(Store::ActionsCache, &Nobody::Empty),
            Err(failed) => {
                self.failed(state, failed);
                Looked::nobody(Store::ActionsCache, &Nobody::Failed(failed.to_string()))
            }
        }
    }

    /// The newest record under `prefixes`, entered into the book.
    async fn meet(
        &self,
        cache: &actions_cache::Client,
        prefixes: &[String],
    ) -> Result<Option<PeerFound>, Failed> {
        let Some(found) = cache.find(prefixes).await? else {
            return Ok(None);
        };
        let name = match Name::read(&found.key) {
            Ok(name) if prefixes.iter().any(|start| found.key.starts_with(start)) => name,
            // Somebody has put something else there; the next record will be on top of it.
            _ => return Err(Failed::NotARecord),
        };
        let now = self.0.config.clock.now();
        let how = if name.peer == self.0.client.identity().peer_id() {
            Met::Ourselves
        } else if name.expires <= now {
            Met::Expired
        } else if self.state().book.has(&name.peer, name.expires) {
            Met::Known
        } else {
            self.take_entry(cache, &found, &name).await?
        };
        Ok(Some(PeerFound::new(&name, how)))
    }

    /// Takes all records of an entry: its own peer's, and whom that one knew.
    async fn take_entry(
        &self,
        cache: &actions_cache::Client,
        found: &Found,
        name: &Name,
    ) -> Result<Met, Failed> {
        let text = cache.fetch(found).await?;
        let papers = registry::file::read(&text).map_err(|_| Failed::NotARecord)?;
        let mut how = Met::Refused;
        for paper in papers {
            let envelope = paper.envelope.as_deref().map_or(&[][..], Vec::as_slice);
            match self.take(envelope, None) {
                Ok((peer, entered)) if peer == name.peer => {
                    how = match entered {
                        Entered::New | Entered::Newer => Met::New,
                        Entered::Known | Entered::Ourselves | Entered::NoRoom => Met::Known,
                    };
                }
                Ok(_) => {}
                Err(refused) => {
                    debug!(
                        reason = refused.name(),
                        "a record of the Actions cache is not taken"
                    );
                    self.0.client.count(refused.counter());
                }
            }
        }
        Ok(how)
    }

    pub(super) async fn look_in_list(&self, state: &mut State) -> Looked {
        let now = self.0.config.clock.now();
        let Some(list) = &self.sources().list else {
            return Looked::nobody(Store::CacheList, &Nobody::NoStore);
        };
        if state.list.may_read(now).is_err() {
            let why = Unlisted::Denied.to_string();
            return Looked::nobody(Store::CacheList, &Nobody::Failed(why));
        }
        let pool = &self.0.config.pool;
        let start = Name::start(pool, self.sources().repository);
        match list.list(&start, pool, now).await {
            Ok(names) => {
                let met = names.iter().map(|name| self.meet_by_name(name));
                Looked::some(Store::CacheList, met.collect())
            }
            Err(unlisted) => {
                if unlisted == Unlisted::Denied {
                    // Silently and for good: most tokens may not.
                    state.list.close(Failed::ReadDenied);
                }
                self.0.client.count(unlisted.name());
                debug!(%unlisted, "no list of the Actions cache");
                Looked::nobody(Store::CacheList, &Nobody::Failed(unlisted.to_string()))
            }
        }
    }

    /// Dials whom a key is about. There is no ticket in it: the secret has to do.
    fn meet_by_name(&self, name: &Name) -> PeerFound {
        let me = name.peer == self.0.client.identity().peer_id();
        let how = match me {
            true => Met::Ourselves,
            false if self.0.client.roster().has(&name.peer) => Met::Known,
            false => {
                self.0.client.know(Acquaintance {
                    peer: Some(name.peer),
                    addresses: name.addresses.clone(),
                    ticket: None,
                });
                Met::New
            }
        };
        PeerFound::new(name, how)
    }
}
