//! What one member says to everybody.

use std::time::{Duration, Instant};

use ghswarm::swarm::Client;

use super::hearer::{Hearer, mesh};
use super::member::config;
use crate::needs;

const HOUR: Duration = Duration::from_hours(1);

fn tell(client: &Client, remaining: u32) {
    client.budget(b"an installation", remaining, 5_000, HOUR);
}

/// Says it until all have heard: gossip promises nothing about the first message.
async fn all_hear(teller: &Hearer, others: &[Hearer]) {
    for remaining in (0..5).map(|tenth| 5_000 - 500 * tenth) {
        tell(&teller.client, remaining);
        let what = format!("budget: {remaining}");
        let heard = others
            .iter()
            .map(|other| other.hears_within(&what, Duration::from_secs(2)));
        if futures_util::future::join_all(heard)
            .await
            .into_iter()
            .all(|heard| heard)
        {
            return;
        }
    }
    panic!("not all hear");
}

#[tokio::test]
async fn everybody_hears_of_a_budget_and_not_more_often_than_it_matters() {
    let all = mesh(5, &config()).await;
    let (teller, others) = all.split_first().unwrap();
    all_hear(teller, others).await;
    for other in others {
        other.forget();
    }
    tell(&teller.client, 2_500);
    // A few calls less are no news; a tenth of the limit is.
    tell(&teller.client, 2_499);
    tell(&teller.client, 2_000);
    for other in others {
        other.hears("budget: 2000").await;
        assert!(!other.told().contains(&"budget: 2499".to_owned()));
    }
}

/// How long a message takes to all others, in whatever build this is.
async fn announced_to(members: u8) -> Duration {
    let all = mesh(members, &config()).await;
    let (teller, others) = all.split_first().unwrap();
    all_hear(teller, others).await;
    let began = Instant::now();
    tell(&teller.client, 100);
    let heard = others.iter().map(|other| other.hears("budget: 100"));
    futures_util::future::join_all(heard).await;
    began.elapsed()
}

#[tokio::test]
async fn a_message_reaches_all_at_once() {
    let took = announced_to(12).await;
    println!("a message to 11 members took {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// More than a thousand connections in one process take longer to make than a story may.
#[tokio::test]
async fn a_message_reaches_fifty() {
    if !needs::soak() {
        return;
    }
    let took = announced_to(51).await;
    println!("a message to 50 members took {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}
