//! A write is known everywhere when it returns, or its readers know that they are out of contact.

use std::time::{Duration, Instant};

use ghswarm::swarm::{Config, Told};

use super::hearer::{Hearer, address, mesh, repository};
use super::member::config;
use super::moment::{moment, pass};

/// As long as a peer's lease may last, with what a busy machine adds.
const LEASE: Duration = Duration::from_millis(1_500);

/// A member with shorter leases, so that their ends come sooner.
fn short() -> Config {
    let mut config = config();
    config.times.pulse = Duration::from_millis(300);
    config.times.contact = LEASE;
    config
}

#[tokio::test]
async fn a_write_takes_effect_at_all_others_before_it_returns() {
    let all = mesh(5, &config()).await;
    let told = all[2].writes("octo-org/app").await;
    let expected = Told {
        acknowledged: 4,
        lost: 0,
    };
    assert_eq!(told, expected);
    for (number, member) in all.iter().enumerate() {
        let expected: &[&str] = if number == 2 { &[] } else { &["octo-org/app"] };
        assert_eq!(member.told(), expected, "{number}");
        assert!(!member.is_lost());
    }
}

#[tokio::test]
async fn a_stopped_peer_delays_a_write_for_its_lease_and_knows_that_it_is_out_of_contact() {
    let all = mesh(4, &short()).await;
    all[3].stop();
    let began = Instant::now();
    let told = all[0].writes("octo-org/app").await;
    let took = began.elapsed();
    // Nothing of it has run since: the first that asks whether it may show what it has is told no.
    assert!(all[3].is_lost());
    let expected = Told {
        acknowledged: 2,
        lost: 1,
    };
    assert_eq!(told, expected);
    assert!(took < 2 * LEASE, "{took:?}");
    assert_eq!(all[3].told(), [""; 0]);
    // The next write waits for nobody.
    assert_eq!(all[1].writes("octo-org/b").await.acknowledged, 2);

    // Back in contact it knows all that it missed, and not more.
    all[3].go_on();
    all[3].hears("octo-org/app").await;
    all[3].hears("octo-org/b").await;
    while all[3].is_lost() {
        moment().await;
    }
    let more = all[3].told();
    assert!(
        !more.iter().any(|told| told.contains("everything")),
        "{more:?}"
    );
    all[0].reaches(3).await;
    assert_eq!(all[0].counted("invalidations-lost"), 1);
}

#[tokio::test]
async fn a_peer_that_ends_makes_nobody_deaf() {
    let mut all = mesh(3, &short()).await;
    drop(all.pop());
    all[0].reaches(1).await;
    let began = Instant::now();
    // Longer than any lease: whoever counted on it has nothing left to count on.
    while began.elapsed() < 2 * LEASE {
        assert!(!all[0].is_lost() && !all[1].is_lost());
        moment().await;
    }
    assert_eq!(all[0].writes("octo-org/app").await.acknowledged, 1);
}

#[tokio::test]
async fn a_silent_peer_makes_deaf_until_it_is_back() {
    let all = mesh(2, &short()).await;
    all[1].stop();
    while !all[0].is_lost() {
        moment().await;
    }
    // It stays so, although nothing is written.
    pass(LEASE).await;
    assert!(all[0].is_lost());
    all[1].go_on();
    all[0].reaches(1).await;
    while all[0].is_lost() {
        moment().await;
    }
    assert_eq!(all[0].counted("everything-stale-silent"), 0);
}

#[tokio::test]
async fn deafness_ends_with_everything_being_asked_again() {
    let mut config = short();
    config.times.silence = Duration::from_secs(2);
    let all = mesh(2, &config).await;
    all[1].stop();
    all[0].hears("everything: everything-stale-silent").await;
    while all[0].is_lost() {
        moment().await;
    }
}

#[tokio::test]
async fn who_missed_more_than_is_kept_asks_everything_again() {
    let all = mesh(2, &short()).await;
    all[1].stop();
    // Waits until nobody counts on it any more.
    while all[0].writes("octo-org/app").await.lost > 0 {}
    for number in 0..260 {
        let name = format!("octo-org/r{number}");
        all[0].client.invalidate_soon(repository(&name));
    }
    all[1].go_on();
    all[1]
        .hears("everything: everything-stale-too-many-missed")
        .await;
}

#[tokio::test]
async fn a_newcomer_hears_what_was_written_before_it_came() {
    let first = Hearer::start(1, config());
    first.client.invalidate_soon(repository("octo-org/app"));
    let second = Hearer::start(2, config());
    second.client.dial(address(&first.client).await);
    second.hears("octo-org/app").await;
    assert_eq!(first.told(), [""; 0]);
}

#[tokio::test]
async fn who_was_restarted_may_have_written_what_nobody_heard() {
    let mut all = mesh(2, &config()).await;
    drop(all.pop());
    let again = Hearer::start(2, config());
    again.client.dial(address(&all[0].client).await);
    all[0].hears("everything: everything-stale-restarted").await;
    again.reaches(1).await;
    assert!(!all[0].is_lost());
}

#[tokio::test]
async fn many_writes_at_once_share_messages_and_each_waits_for_its_own() {
    let all = mesh(3, &config()).await;
    let before = all[0].counted("invalidations-sent");
    let names: Vec<_> = (0..200)
        .map(|number| format!("octo-org/r{number}"))
        .collect();
    let all = &all;
    let writes = names.iter().map(|name| async move {
        let told = all[0].writes(name).await;
        assert_eq!(told.acknowledged, 2);
        assert!(
            all[1].told().contains(name) && all[2].told().contains(name),
            "{name}"
        );
    });
    futures_util::future::join_all(writes).await;
    // A write that was first heard of through others may come again in a message with the next ones.
    let mut told = all[1].told();
    told.dedup();
    assert_eq!(told, names);
    let messages = all[0].counted("invalidations-sent") - before;
    assert!(messages <= 40, "{messages} messages for 200 writes to two");
}
