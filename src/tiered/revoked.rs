//! Access that GitHub withdrew: after a 401 nothing that a credential was granted counts any more,
//! after a 403 or 404 nothing in that namespace.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::api::Namespace;
use crate::secret::CredentialId;

/// Revocations remembered one by one. Beyond it they are folded into one that covers everybody:
/// everybody asks GitHub once more, for free.
const REVOCATIONS_MAX: usize = 50_000;

/// Event numbers below which grants do not count.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    // A std mutex: held for map look-ups only.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    everybody: u64,
    by_credential: HashMap<CredentialId, Withdrawn>,
    held: usize,
}

#[derive(Debug, Default)]
struct Withdrawn {
    everywhere: u64,
    /// Something asked for by its number, on any host: it could be that of any name.
    by_number: u64,
    /// By host and namespace.
    places: HashMap<Box<str>, HashMap<Namespace, u64>>,
}

impl Revoked {
    /// All grants given before `event` are void.
    pub(super) fn everybody(&self, event: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State {
            everybody: event,
            ..State::default()
        };
    }

    /// All grants of `credential` given before `event` are void.
    pub(super) fn everywhere(&self, credential: CredentialId, event: u64) {
        self.change(event, |state| {
            state
                .by_credential
                .entry(credential)
                .or_default()
                .everywhere = event;
        });
    }

    /// All grants of `credential` in `namespace` of `host` given before `event` are void.
    pub(super) fn within(
        &self,
        credential: CredentialId,
        host: &str,
        namespace: &Namespace,
        event: u64,
    ) {
        self.change(event, |state| {
            let withdrawn = state.by_credential.entry(credential).or_default();
            if matches!(namespace, Namespace::RepoId(_) | Namespace::OwnerId(_)) {
                withdrawn.by_number = event;
            }
            withdrawn
                .places
                .entry(host.into())
                .or_default()
                .insert(namespace.clone(), event);
        });
    }

    /// Grants of `credential` for reads in `namespace` count only from this event on.
    pub(super) fn before(
        &self,
        credential: CredentialId,
        host: &str,
        namespace: &Namespace,
    ) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(withdrawn) = state.by_credential.get(&credential) else {
            return state.everybody;
        };
        let Some(places) = withdrawn.places.get(host) else {
            return state.everybody.max(withdrawn.everywhere);
        };
        let at = |namespace: &Namespace| places.get(namespace).copied().unwrap_or(0);
        let place = match namespace {
            Namespace::Repo(name) => {
                let owner = name.split('/').next().unwrap_or_default();
                let here = at(namespace).max(at(&Namespace::Owner(owner.into())));
                here.max(withdrawn.by_number)
            }
            Namespace::Owner(_) => at(namespace).max(withdrawn.by_number),
            // A number could be anything the credential was refused.
            Namespace::RepoId(_) | Namespace::OwnerId(_) => {
                places.values().copied().max().unwrap_or(0)
            }
            Namespace::Host => at(namespace),
        };
        state.everybody.max(withdrawn.everywhere).max(place)
    }

    fn change(&self, event: u64, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.held >= REVOCATIONS_MAX {
            *state = State {
                everybody: event,
                ..State::default()
            };
        }
        state.held += 1;
        change(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Authorization, LocalSecret};

    const HOST: &str = "api.github.com";

    fn someone(token: &str) -> CredentialId {
        LocalSecret::new([1; 32]).identify(&Authorization::new(Some(token.as_bytes())))
    }

    #[test]
    fn a_refusal_in_one_repository_leaves_the_others() {
        let (revoked, me) = (Revoked::default(), someone("token a"));
        revoked.within(me, HOST, &Namespace::Repo("o/r".into()), 7);
        assert_eq!(revoked.before(me, HOST, &Namespace::Repo("o/r".into())), 7);
        assert_eq!(
            revoked.before(me, HOST, &Namespace::Repo("o/other".into())),
            0
        );
        assert_eq!(
            revoked.before(me, HOST, &Namespace::RepoId(1)),
            7,
            "it could be that one"
        );
        assert_eq!(
            revoked.before(someone("token b"), HOST, &Namespace::Repo("o/r".into())),
            0
        );
    }

    #[test]
    fn bad_credentials_and_refused_owners_cover_what_is_below() {
        let (revoked, me) = (Revoked::default(), someone("token a"));
        revoked.within(me, HOST, &Namespace::Owner("o".into()), 3);
        assert_eq!(revoked.before(me, HOST, &Namespace::Repo("o/r".into())), 3);
        revoked.everywhere(me, 9);
        assert_eq!(revoked.before(me, "ghe.example", &Namespace::Host), 9);
    }

    #[test]
    fn too_many_revocations_become_one_for_everybody() {
        let revoked = Revoked::default();
        for number in 0..=REVOCATIONS_MAX {
            revoked.everywhere(someone(&format!("token {number}")), number as u64 + 1);
        }
        assert!(
            revoked.before(someone("token 0"), HOST, &Namespace::Host) > REVOCATIONS_MAX as u64
        );
    }
}
