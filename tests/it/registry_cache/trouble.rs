//! The service does not help, or must not. Nobody is asked in vain for long.

use std::time::Duration;

use ghswarm_lab::actions_cache::{Claims, Trouble};
use serde_json::json;
use tokio::time::timeout;

use super::{Job, REPOSITORY, Repository, SOON, START};

#[tokio::test]
async fn a_token_that_only_reads_finds_others_and_never_tries_to_write() {
    let repository = Repository::new().await;
    let first = repository.job();
    repository.has(1).await;
    let reader = repository.job_with(&Claims::new(REPOSITORY).reads("refs/heads/main"));
    reader.sees(&first).await;
    let (status, refused) = reader.administer("/peers/register").await;
    assert_eq!(status, 502);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("may not write")
    );
    assert_eq!(repository.asked("CreateCacheEntry"), 1);
}

#[tokio::test]
async fn a_denial_by_the_service_is_understood_and_final() {
    let repository = Repository::new().await;
    // A claim that we do not understand: the service judges.
    let claims = Claims::main(REPOSITORY).raw(json!("[{\"Scope\":7}]"));
    let job = repository.job_with(&claims);
    timeout(SOON, repository.cache.asked("CreateCacheEntry", 1))
        .await
        .unwrap();
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("may not read")
    );
    repository.wait(Duration::from_hours(1));
    job.discover().await;
    let (_, refused) = job.administer("/peers/register").await;
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("may not write")
    );
    assert_eq!(repository.asked("CreateCacheEntry"), 1);
    assert_eq!(repository.asked("GetCacheEntryDownloadURL"), 1);
    assert_eq!(job.met("actions-cache-write-denied"), 1);
}

#[tokio::test]
async fn a_token_without_any_scope_asks_nobody() {
    let repository = Repository::new().await;
    let job = repository.job_with(&Claims::new(REPOSITORY));
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("may not read")
    );
    job.administer("/peers/register").await;
    assert!(repository.cache.requests().is_empty());
}

#[tokio::test]
async fn a_limit_is_kept_to_the_second() {
    let repository = Repository::new().await;
    repository.cache.trouble(Some(Trouble::RateLimited(100)));
    let job = repository.job();
    timeout(SOON, repository.cache.asked("GetCache", 1))
        .await
        .unwrap();
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("left alone for 100 s")
    );
    repository.cache.trouble(None);
    repository.wait(Duration::from_secs(99));
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("left alone for 1 s")
    );
    assert_eq!(repository.cache.requests().len(), 1);
    repository.wait(Duration::from_mins(1));
    repository.has(1).await;
    assert_eq!(job.met("actions-cache-rate-limited"), 1);
}

#[tokio::test]
async fn a_token_that_has_run_out_is_not_shown_again() {
    let repository = Repository::new().await;
    let job = repository.job_with(&Claims::main(REPOSITORY).expires(START + 600));
    repository.has(1).await;
    job.discover().await;
    let asked = repository.cache.requests().len();
    repository.wait(Duration::from_mins(20));
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("run out")
    );
    job.administer("/peers/register").await;
    assert_eq!(repository.cache.requests().len(), asked);

    // What the token does not say, the service does.
    repository.cache.trouble(Some(Trouble::Expired));
    let other = repository.job();
    timeout(SOON, repository.cache.asked("", asked + 1))
        .await
        .unwrap();
    assert!(
        other.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("run out")
    );
    assert_eq!(repository.cache.requests().len(), asked + 1);
}

#[tokio::test]
async fn a_service_that_comes_back_is_used() {
    let repository = Repository::new().await;
    repository.cache.trouble(Some(Trouble::Unavailable));
    let job = repository.job();
    timeout(SOON, repository.cache.asked("CreateCacheEntry", 1))
        .await
        .unwrap();
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("503")
    );
    repository.cache.trouble(None);
    repository.wait(Duration::from_mins(1));
    repository.has(1).await;
    assert!(job.met("actions-cache-unavailable") >= 2);
}

#[tokio::test]
async fn another_program_in_its_place_is_left_alone_after_three_tries() {
    let repository = Repository::new().await;
    repository.cache.trouble(Some(Trouble::Nonsense));
    let job = repository.job();
    for _ in 0..5 {
        job.discover().await;
    }
    let asked = repository.cache.requests().len();
    assert!(asked <= 4, "{asked} requests");
    repository.wait(Duration::from_hours(1));
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("no sense")
    );
    assert_eq!(repository.cache.requests().len(), asked);
}

#[tokio::test]
async fn a_flood_is_not_read_to_its_end() {
    let repository = Repository::new().await;
    repository.cache.trouble(Some(Trouble::Huge(8 << 20)));
    let job = repository.job();
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("too large")
    );
}

/// Takes the four seconds after which whoever asks is told that there is no answer.
#[tokio::test]
async fn whoever_asks_is_answered_while_the_service_is_silent() {
    let repository = Repository::new().await;
    repository.cache.trouble(Some(Trouble::Silent));
    let job = repository.job();
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("ask again")
    );
}

#[tokio::test]
async fn without_a_service_the_daemon_runs_alone() {
    let repository = Repository::new().await;
    let mut stores = repository.stores(&Claims::main(REPOSITORY));
    stores.cache.as_mut().unwrap().service = "http://127.0.0.1:1/".to_owned();
    let job = Job::start(&repository, stores, None);
    assert!(
        job.discover().await["reason"]
            .as_str()
            .unwrap()
            .contains("cannot be reached")
    );
    assert!(job.is_alone() && job.met("actions-cache-unreachable") >= 1);
}
