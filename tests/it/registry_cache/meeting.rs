//! Jobs meet.

use std::time::Duration;

use ghswarm::config::Stores;
use ghswarm::registry::{Name, record, rest};
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::secret::Authorization;
use ghswarm::swarm::Secret;
use ghswarm_lab::actions_cache::Claims;

use super::{Job, REPOSITORY, Repository};

#[tokio::test]
async fn the_second_job_finds_the_first_by_the_cache_alone() {
    let repository = Repository::new().await;
    let first = repository.job();
    repository.has(1).await;
    let second = repository.job();
    second.sees(&first).await;
    first.sees(&second).await;
    assert_eq!(second.met("actions-cache-found"), 1);
    let found = second.discover().await;
    assert!(found["reason"].is_null(), "{found}");

    // Who can list the keys learns who is where, and has no way in.
    let entries = repository.cache.entries();
    for entry in &entries {
        let name = Name::read(&entry.key).unwrap();
        assert_eq!((name.repository, name.addresses.len()), (REPOSITORY, 1));
        assert!(entry.key.len() <= 512 && !entry.key.contains(','));
        assert_eq!(entry.version.len(), 64);
    }
}

#[tokio::test]
async fn jobs_that_start_together_find_each_other_15_seconds_later() {
    let repository = Repository::new().await;
    repository.cache.lag(Duration::from_secs(10));
    let (first, second) = (repository.job(), repository.job());
    repository.has(2).await;
    assert!(first.is_alone() && second.is_alone());
    repository.wait(Duration::from_secs(15));
    first.sees(&second).await;
    second.sees(&first).await;
}

#[tokio::test]
async fn one_that_is_found_tells_of_everybody_it_knows() {
    let repository = Repository::new().await;
    let first = repository.job();
    repository.has(1).await;
    let second = repository.job();
    second.sees(&first).await;
    repository.has(2).await;
    // The newest record is that of the second, whose book has the first.
    let third = repository.job();
    third.sees(&second).await;
    third.sees(&first).await;
}

#[tokio::test]
async fn a_record_is_put_there_again_before_it_runs_out() {
    let repository = Repository::new().await;
    let job = repository.job();
    repository.has(1).await;
    for renewals in 2..=6 {
        repository.wait(Duration::from_mins(20));
        repository.has(renewals).await;
    }
    let entries = repository.cache.entries();
    let last = Name::read(&entries.last().unwrap().key).unwrap();
    assert_eq!(last.peer, job.id());
    assert_eq!(last.expires, repository.clock.now().plus(record::VALIDITY));
    // Nobody else is there, and it does not take itself for somebody.
    assert_eq!(job.discover().await["found"][0]["how"], "ourselves");
}

#[tokio::test]
async fn a_pull_request_finds_the_jobs_of_main_and_they_never_find_its_own() {
    let repository = Repository::new().await;
    let main = repository.job();
    repository.has(1).await;
    let claims = Claims::new(REPOSITORY)
        .scope("refs/pull/1/merge", 3)
        .reads("refs/heads/main");
    let pull = repository.job_with(&claims);
    pull.sees(&main).await;
    repository.has(2).await;
    let scopes: Vec<_> = repository.cache.entries();
    assert_eq!(scopes[1].scope, "refs/pull/1/merge");
    assert_eq!(main.discover().await["found"][0]["how"], "ourselves");
}

#[tokio::test]
async fn of_a_large_matrix_few_register_and_all_find_them() {
    let repository = Repository::new().await;
    let first = repository.job();
    repository.has(1).await;
    // One in 10 million registers.
    let stores = Stores {
        jobs: 240_000_000,
        ..repository.stores(&Claims::main(REPOSITORY))
    };
    let many = Job::start(&repository, stores, None);
    many.sees(&first).await;
    repository.wait(Duration::from_mins(2));
    many.discover().await;
    assert_eq!(repository.cache.entries().len(), 1);
}

#[tokio::test]
async fn a_record_is_registered_by_hand_at_once_and_once() {
    let repository = Repository::new().await;
    let job = repository.job();
    let (status, done) = job.administer("/peers/register").await;
    assert_eq!(status, 200, "{done}");
    let name = Name::read(done["key"].as_str().unwrap()).unwrap();
    assert_eq!(name.peer, job.id());
    assert_eq!(job.administer("/peers/register").await.1, done);
    assert_eq!(repository.cache.entries().len(), 1);
}

#[tokio::test]
async fn with_a_secret_the_list_of_keys_is_enough() {
    let repository = Repository::new().await;
    let secret = || {
        let shared = SharedSecret::new(b"correct horse battery staple").unwrap();
        Some(Secret::Raw(shared, Cost::MIN))
    };
    let stores = repository.stores(&Claims::main(REPOSITORY));
    let first = Job::start(&repository, stores, secret());
    repository.has(1).await;
    let lists = |token: &str| Stores {
        cache: None,
        list: Some(rest::Config {
            repository: "octo-org/app".to_owned(),
            token: Authorization::new(Some(format!("Bearer {token}").as_bytes())),
        }),
        ..repository.stores(&Claims::new(REPOSITORY))
    };
    repository.cache.lets_list("ghs_lister", REPOSITORY);
    let second = Job::start(&repository, lists("ghs_lister"), secret());
    second.sees(&first).await;

    // A token that may not is shown once; without a secret no list is asked for at all.
    let listed = repository.asked("list");
    let refused = Job::start(&repository, lists("ghs_other"), secret());
    for _ in 0..3 {
        let told = refused.discover().await;
        assert!(
            told["reason"].as_str().unwrap().contains("actions: read"),
            "{told}"
        );
    }
    let alone = Job::start(&repository, lists("ghs_lister"), None);
    assert!(alone.discover().await.is_null());
    assert_eq!(repository.asked("list"), listed + 1);
}
