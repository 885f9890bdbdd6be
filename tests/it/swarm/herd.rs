//! Many runners miss the same entries at once: one of them asks GitHub, whatever becomes of the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ghswarm::api::Key;
use ghswarm::digest::Digest;
use ghswarm::swarm::Found;
use ghswarm::swarm::wire::message::Ended;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::member::SOON;
use super::moment::pass;
use super::runner::{FIRST_ANSWER, GitHub, Runner, config, key, land, offer, owned_by, word};

const LEASE: Duration = Duration::from_secs(2);
/// What a busy machine adds to a bound.
const NOISE: Duration = Duration::from_millis(1500);

/// A lookup in a task of its own.
fn lookup(runner: &Runner, key: Key, held: Option<Digest>) -> JoinHandle<Found> {
    let client = runner.client.clone();
    tokio::spawn(async move { client.lookup(key, held).await })
}

/// A lookup that found that somebody asks already, and waits.
async fn waiting(runner: &Runner, key: Key, held: Option<Digest>) -> JoinHandle<Found> {
    let task = lookup(runner, key, held);
    pass(Duration::from_millis(300)).await;
    assert!(!task.is_finished(), "{}", word(&task.await.unwrap()));
    task
}

/// What a waiter found, within the length of a lease from now.
async fn found(task: JoinHandle<Found>) -> Found {
    let found = timeout(LEASE + NOISE, task).await;
    found.expect("no lookup is longer than a lease").unwrap()
}

/// What a waiter was told. With the lease it asks GitHub, and the owners know.
async fn fetches(runner: &Runner, key: Key, waiter: JoinHandle<Found>) -> &'static str {
    let found = found(waiter).await;
    if let Found::Lease(_) = found {
        runner.client.store(offer(key, b"{}"));
    }
    word(&found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_runners_that_miss_twenty_entries_together_one_asks_for_each() {
    let mut config = config();
    // Two hundred requests at once in a test build, beside other stories: everything takes longer.
    config.times.lease = Duration::from_secs(10);
    config.times.contact = Duration::from_secs(30);
    let fleet = Runner::fleet(10, &config).await;
    let fleet: Vec<_> = fleet.into_iter().map(Arc::new).collect();
    let github = GitHub::new(Duration::from_millis(300));
    let mut requests = JoinSet::new();
    for runner in &fleet {
        for n in 0..20 {
            let (runner, github) = (Arc::clone(runner), Arc::clone(&github));
            requests.spawn(async move { runner.get(key(n), &github).await });
        }
    }
    let answers = timeout(3 * SOON, requests.join_all())
        .await
        .expect("answers");
    let right = |answer: &ghswarm::swarm::Offer| &answer.body[..] == b"{\"answer\":\"GitHub\"}";
    assert!(answers.iter().all(right));
    let calls = github.calls();
    let counts: Vec<_> = fleet.iter().map(|runner| runner.client.counts()).collect();
    assert!(
        (20..=22).contains(&calls),
        "{calls} calls for 20 entries; {counts:?}"
    );
}

#[tokio::test]
async fn a_request_that_is_cancelled_hands_its_lease_to_whoever_waits() {
    let fleet = Runner::fleet(3, &config()).await;
    for owner in 0..3 {
        let key = owned_by(&fleet, &[owner], 0);
        let first = fleet[0].client.lookup(key, None).await;
        assert_eq!(word(&first), "lease");
        let second = waiting(&fleet[1], key, None).await;
        let began = Instant::now();
        drop(first);
        let second = found(second).await;
        assert_eq!(word(&second), "lease");
        assert!(began.elapsed() < LEASE / 2, "{:?}", began.elapsed());
        // And a waiter that is cancelled stands in nobody's way.
        let away = waiting(&fleet[2], key, None).await;
        away.abort();
        let third = waiting(&fleet[0], key, None).await;
        drop(second);
        assert_eq!(word(&found(third).await), "lease");
    }
}

#[tokio::test]
async fn a_lookup_that_is_cancelled_leaves_no_lease_behind() {
    let fleet = Runner::fleet(2, &config()).await;
    for n in 0..20 {
        for owner in 0..2 {
            let key = owned_by(&fleet, &[owner], 100 * n);
            // Each at another moment of its way.
            let brief = Duration::from_micros(u64::from(n) * 200);
            let _ = timeout(brief, fleet[0].client.lookup(key, None)).await;
            let next = found(lookup(&fleet[1], key, None)).await;
            assert_eq!(word(&next), "lease");
        }
    }
}

#[tokio::test]
async fn a_holder_that_is_killed_is_replaced_at_once() {
    let mut config = config();
    // Those who wait have begun one after the other, and the first must still wait when the last does.
    config.times.lease = 2 * LEASE;
    let mut fleet = Runner::fleet(4, &config).await;
    let owned: Vec<_> = (0..3).map(|owner| owned_by(&fleet, &[owner], 0)).collect();
    let mut held = Vec::new();
    for key in &owned {
        let found = fleet[3].client.lookup(*key, None).await;
        assert_eq!(word(&found), "lease");
        held.push(found);
    }
    let mut waiters = Vec::new();
    for (at, key) in owned.iter().enumerate() {
        waiters.push(waiting(&fleet[(at + 1) % 3], *key, None).await);
    }
    // Renewed by then, or it would have been lost to being quiet.
    pass(LEASE).await;
    assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
    let began = Instant::now();
    fleet.pop().unwrap().kill().await;
    for waiter in waiters {
        assert_eq!(word(&found(waiter).await), "lease");
    }
    assert!(began.elapsed() < LEASE / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_holder_that_stops_is_replaced_while_there_is_time_for_another_answer() {
    // Whoever succeeds it has a quarter of a lease for GitHub's answer, which others wait for. Were the one that
    // stopped, who would have the entry next to the owner, asked for it before, that time would be over.
    let lease = Duration::from_secs(4);
    let mut config = config();
    config.times.lease = lease;
    config.times.first_answer = lease / 4;
    let fleet = Runner::fleet(4, &config).await;
    let key = owned_by(&fleet, &[0, 3], 0);
    let stopped = fleet[3].client.lookup(key, None).await;
    assert_eq!(word(&stopped), "lease");
    fleet[3].stop();
    let github = GitHub::new(Duration::from_millis(100));
    let began = Instant::now();
    let (zero, one, two) = tokio::join!(
        fleet[0].get(key, &github),
        fleet[1].get(key, &github),
        fleet[2].get(key, &github),
    );
    assert!(began.elapsed() < lease + NOISE, "{:?}", began.elapsed());
    assert_eq!([&zero.body, &one.body], [&two.body, &two.body]);
    assert_eq!(github.calls(), 1);
}

#[tokio::test]
async fn an_owner_that_is_killed_costs_a_lease_at_most() {
    let mut fleet = Runner::fleet(4, &config()).await;
    let key = owned_by(&fleet, &[3, 0], 0);
    let holder = fleet[0].client.lookup(key, None).await;
    assert_eq!(word(&holder), "lease");
    let waiters = [
        waiting(&fleet[1], key, None).await,
        waiting(&fleet[2], key, None).await,
    ];
    fleet.pop().unwrap().kill().await;
    let began = Instant::now();
    let [one, two] = waiters;
    let mut words: [_; 2] =
        tokio::join!(fetches(&fleet[1], key, one), fetches(&fleet[2], key, two)).into();
    words.sort_unstable();
    assert_eq!(words, ["candidate", "lease"]);
    assert!(began.elapsed() < LEASE + NOISE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_owner_that_stops_costs_a_lease_at_most_and_then_nothing() {
    let fleet = Runner::fleet(4, &config()).await;
    let key = owned_by(&fleet, &[3, 0], 0);
    let holder = fleet[0].client.lookup(key, None).await;
    assert_eq!(word(&holder), "lease");
    let waiter = waiting(&fleet[1], key, None).await;
    fleet[3].stop();
    // The entry is at the next owner, who has it from the holder's own hands.
    fleet[0].holds(offer(key, b"{}"));
    fleet[0].client.store(offer(key, b"{}"));
    assert_eq!(word(&found(waiter).await), "candidate");

    // Nothing is known of these. The first one waits for an answer; then the next owner stands in.
    let mut slow = 0;
    for n in 1..=10 {
        let key = owned_by(&fleet, &[3, 0], 1000 * n);
        let began = Instant::now();
        let found = fleet[1].client.lookup(key, None).await;
        assert_eq!(word(&found), "lease");
        slow += u32::from(began.elapsed() >= FIRST_ANSWER);
        assert!(began.elapsed() < LEASE + NOISE, "{:?}", began.elapsed());
    }
    assert!(slow <= 5, "{slow} of 10 were held up");

    fleet[3].cont();
    let key = owned_by(&fleet, &[3, 0], 50_000);
    pass(Duration::from_secs(6)).await;
    let found = fleet[1].client.lookup(key, None).await;
    assert_eq!(word(&found), "lease");
    let other = waiting(&fleet[2], key, None).await;
    land(found, Ended::NotShared);
    assert_eq!(word(&other.await.unwrap()), "not shared");
}

#[tokio::test]
async fn who_waits_at_an_owner_that_stops_goes_to_the_next_one_in_time() {
    let fleet = Runner::fleet(4, &config()).await;
    let key = owned_by(&fleet, &[3, 0], 0);
    let holder = fleet[0].client.lookup(key, None).await;
    assert_eq!(word(&holder), "lease");
    let [one, two] = [
        waiting(&fleet[1], key, None).await,
        waiting(&fleet[2], key, None).await,
    ];
    let began = Instant::now();
    fleet[3].stop();
    let mut words: [_; 2] =
        tokio::join!(fetches(&fleet[1], key, one), fetches(&fleet[2], key, two)).into();
    words.sort_unstable();
    assert_eq!(words, ["candidate", "lease"]);
    // Whoever waits to the end learns nothing, and asks GitHub beside everybody else who did.
    assert!(began.elapsed() < LEASE, "{:?}", began.elapsed());
}
