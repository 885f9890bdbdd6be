//! What a peer is told of a write: names that it may know. Pure.

use crate::api::Namespace;
use crate::swarm::pool::Pool;
use crate::swarm::roster::Coverage;
use crate::swarm::wire::message::Stale;

/// `stale` for somebody with `coverage`. Whoever may not see what a repository holds may not learn either which
/// repositories there are; except for the pool's own, which it knows, the whole host may have changed for it. Keeps the
/// number of writes, which is how a gap is seen.
pub(in crate::swarm) fn named(pool: &Pool, coverage: Coverage, stale: Vec<Stale>) -> Vec<Stale> {
    match coverage {
        Coverage::Repository => stale,
        Coverage::Public => stale.into_iter().map(|stale| public(pool, stale)).collect(),
    }
}

fn public(pool: &Pool, stale: Stale) -> Stale {
    match &stale.namespace {
        repository if pool.is_of(repository) => stale,
        Namespace::Owner(owner) if is_owner_of(pool, owner) => Stale { id: None, ..stale },
        _ => Stale {
            namespace: Namespace::Host,
            id: None,
        },
    }
}

fn is_owner_of(pool: &Pool, owner: &str) -> bool {
    pool.name()
        .split_once('/')
        .is_some_and(|(of, _)| of == owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stale(namespace: Namespace) -> Stale {
        Stale {
            namespace,
            id: Some(5),
        }
    }

    #[test]
    fn who_is_not_covered_learns_no_names_but_the_pools_own() {
        let pool = Pool::new("octo-org/app").expect("a name");
        let told = |namespace| {
            let told = named(&pool, Coverage::Public, vec![stale(namespace)]);
            (told[0].namespace.clone(), told[0].id)
        };
        let app = Namespace::Repo("octo-org/app".into());
        assert_eq!(told(app.clone()), (app, Some(5)));
        let owner = Namespace::Owner("octo-org".into());
        assert_eq!(told(owner.clone()), (owner, None));
        for secret in [
            Namespace::Repo("octo-org/secret".into()),
            Namespace::Repo("octo-org/app2".into()),
            Namespace::Owner("octo".into()),
            Namespace::RepoId(5),
            Namespace::OwnerId(5),
            Namespace::Host,
        ] {
            assert_eq!(told(secret), (Namespace::Host, None));
        }
    }

    #[test]
    fn who_is_covered_learns_them_and_nobody_loses_count() {
        let pool = Pool::new("fleet").expect("a name");
        let all = vec![
            stale(Namespace::Repo("o/r".into())),
            stale(Namespace::Owner("fleet".into())),
        ];
        assert_eq!(named(&pool, Coverage::Repository, all.clone()), all);
        let host = Stale {
            namespace: Namespace::Host,
            id: None,
        };
        assert_eq!(
            named(&pool, Coverage::Public, all),
            vec![host.clone(), host]
        );
    }
}
