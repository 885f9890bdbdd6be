//! Putting our record where others look for it.

use bytes::Bytes;
use tracing::info;
use zeroize::Zeroizing;

use super::plan::Matrix;
use super::report::Registered;
use super::{PATIENCE, State};
use crate::discovery::{Discovery, TOLD};
use crate::registry::{self, Name, Signed, actions_cache};

impl Discovery {
    /// Puts our record into the Actions cache now, if it is not there yet.
    pub async fn register_in_cache(&self) -> Registered {
        let registering = async {
            let Some(cache) = &self.sources().cache else {
                return Registered::NoStore;
            };
            let Ok(own) = self.own().await else {
                return Registered::NoAddress;
            };
            let mut state = self.0.stores.0.lock().await;
            if let (Some(at), Some(key)) = (state.plan.registered, self.key(&own))
                && at == own.record.issued
            {
                return Registered::Done { key };
            }
            self.save(&mut state, cache, &own).await
        };
        tokio::time::timeout(PATIENCE, registering)
            .await
            .unwrap_or(Registered::Busy)
    }

    /// Registers when that is due.
    pub(super) async fn renew_in_cache(&self, state: &mut State) {
        let Some(cache) = &self.sources().cache else {
            return;
        };
        let Some(own) = self.look().await else {
            return;
        };
        let now = self.0.config.clock.now();
        let matrix = Matrix::new(self.sources().jobs, &own.record.peer);
        if !matrix.registers() {
            let tell = || info!("many jobs start together: others register in the Actions cache");
            return state.once("thinned", tell);
        }
        if state.plan.registers(own.record.issued, matrix.wait(), now) {
            self.save(state, cache, &own).await;
        }
    }

    /// Puts `own` into the Actions cache.
    async fn save(
        &self,
        state: &mut State,
        cache: &actions_cache::Client,
        own: &Signed,
    ) -> Registered {
        let now = self.0.config.clock.now();
        state.plan.tried(now);
        if let Err(failed) = state.cache.may_write(now) {
            state.tell(failed);
            let reason = failed.to_string();
            return Registered::Failed { reason };
        }
        let Some(key) = self.key(own) else {
            return Registered::NoAddress;
        };
        let bytes = Bytes::copy_from_slice(self.file(own).as_bytes());
        match cache.save(&key, bytes).await {
            Ok(()) => {
                state.plan.registered = Some(own.record.issued);
                self.0.client.count("actions-cache-registered");
                let tell = || info!("our record is in the Actions cache: other jobs find it there");
                state.once("registered", tell);
                Registered::Done { key }
            }
            Err(failed) => {
                if failed.may_have_reserved() {
                    // Then the key is blocked for good: the next try needs another.
                    self.state().own = None;
                }
                self.failed(state, failed);
                let reason = failed.to_string();
                Registered::Failed { reason }
            }
        }
    }

    fn key(&self, own: &Signed) -> Option<String> {
        let name = Name::of(&own.record, &self.0.config.pool, self.sources().repository);
        name.sign(self.0.client.identity())
    }

    /// Our record and whom we know, as much of it as a peer is told at once.
    fn file(&self, own: &Signed) -> Zeroizing<String> {
        let now = self.0.config.clock.now();
        let state = self.state();
        let known = state.book.valid(now).map(Signed::expose);
        let mut bytes = 0;
        let all = std::iter::once(own.expose()).chain(known);
        registry::file::write(all.take(TOLD.0).take_while(|record| {
            bytes += record.len();
            bytes <= TOLD.1
        }))
    }
}
