//! Others write to the cache, too.

use std::time::Duration;

use ghswarm::registry::{Name, Signed, file};
use ghswarm::swarm::{Identity, Pool};
use ghswarm_lab::actions_cache::Claims;
use zeroize::Zeroizing;

use super::{REPOSITORY, Repository};

const MAIN: &str = "refs/heads/main";

#[tokio::test]
async fn what_is_no_record_is_passed_over_until_there_is_one() {
    let repository = Repository::new().await;
    let first = repository.job();
    repository.has(1).await;
    let real = repository.cache.entries().remove(0);
    let folder = &real.key[..=real.key.rfind('/').unwrap()];
    let junk = format!("{folder}junk");
    repository.wait(Duration::from_secs(1));
    repository
        .cache
        .put(REPOSITORY, MAIN, &junk, &real.version, b"junk");
    let second = repository.job_with(&Claims::new(REPOSITORY).reads(MAIN));
    let told = second.discover().await;
    assert!(told["reason"].as_str().unwrap().contains("none"), "{told}");
    assert!(second.met("actions-cache-not-a-record") >= 1);
    assert_eq!(repository.cache.evict(&junk), 1);
    second.discover().await;
    second.sees(&first).await;
}

#[tokio::test]
async fn a_key_of_one_peer_over_the_record_of_another_pool_brings_nobody() {
    let repository = Repository::new().await;
    let job = repository.job();
    repository.has(1).await;
    let version = repository.cache.entries().remove(0).version;
    let identity = Identity::from_seed(&Zeroizing::new([9; 32])).unwrap();
    let address = ["/ip4/127.0.0.1/tcp/1".parse().unwrap()];
    let record = |pool: &Pool| {
        let now = repository.clock.now();
        Signed::own(&identity, pool, &address, now, true).unwrap()
    };
    let (ours, other) = (
        Pool::new("octo-org/app").unwrap(),
        Pool::new("x/y").unwrap(),
    );
    let name = Name::of(&record(&ours).record, &ours, REPOSITORY);
    let key = name.sign(&identity).unwrap();
    let text = file::write([record(&other).expose()]);
    repository.wait(Duration::from_secs(1));
    repository
        .cache
        .put(REPOSITORY, MAIN, &key, &version, text.as_bytes());
    let told = job.discover().await;
    assert_eq!(told["found"][0]["how"], "refused", "{told}");
    assert_eq!(job.met("record-foreign-pool"), 1);
}

#[tokio::test]
async fn an_old_record_is_not_dialled() {
    let repository = Repository::new().await;
    let gone = repository.job();
    repository.has(1).await;
    drop(gone);
    let entry = repository.cache.entries().remove(0);
    let bytes = repository.cache.bytes(&entry.key).unwrap();
    repository.wait(Duration::from_hours(2));
    // GitHub says when something was used last, and moves nothing into another hour.
    repository
        .cache
        .put(REPOSITORY, MAIN, &entry.key, &entry.version, &bytes);
    let job = repository.job_with(&Claims::new(REPOSITORY).reads(MAIN));
    let told = job.discover().await;
    assert!(
        told["reason"].as_str().unwrap().contains("nobody"),
        "{told}"
    );
    assert!(job.is_alone());
}
