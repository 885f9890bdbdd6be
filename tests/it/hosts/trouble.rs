//! The network fails, or a host does: no client's request fails, none waits longer than a lease, and nobody reads
//! what was before a write.

use std::time::Duration;

use futures_util::future::join_all;
use ghswarm_lab::{Token, TokenSpec};
use tokio::time::Instant;

use super::network::{Network, Trouble};
use super::{Fleet, ISSUE, POOL};

/// How long a write or a read may take while a host is silent: the lease of contact (3 s) or of a question to
/// GitHub (2 s), and what a busy machine adds.
const LEASE: Duration = Duration::from_secs(10);

/// Reads that everybody may be asked for.
fn paths() -> impl Iterator<Item = String> {
    (1..=8).map(|number| format!("/repos/{POOL}/labels?per_page={number}"))
}

async fn fleet(hosts: usize) -> Option<(Fleet, Token)> {
    let network = Network::new(hosts)?;
    let fleet = Fleet::with_secret(network, true).await;
    fleet.meet().await;
    let token = fleet.github.fake.token(TokenSpec::job(POOL));
    Some((fleet, token))
}

impl Fleet {
    /// Asks all of these hosts for everything at once; the longest that one waited.
    async fn ask(&self, hosts: &[usize], token: &Token) -> Duration {
        let paths: Vec<_> = paths().collect();
        let questions = hosts.iter().flat_map(|&host| {
            let host = &self.hosts[host];
            paths.iter().map(async move |path| {
                let began = Instant::now();
                let reply = host.get(Some(token), path).await;
                assert_eq!(reply.status, 200, "{reply:?}");
                began.elapsed()
            })
        });
        let took = join_all(questions).await;
        took.into_iter().max().unwrap_or_default()
    }
}

#[tokio::test]
async fn a_host_that_is_cut_off_shows_nothing_old_and_comes_back() {
    let Some((fleet, token)) = fleet(4).await else {
        return;
    };
    for host in &fleet.hosts {
        host.title(&token, ISSUE).await;
    }
    fleet.network.trouble(3, Trouble::Cut);
    let began = Instant::now();
    fleet.hosts[0]
        .write(&token, ISSUE, "while host 3 was away")
        .await;
    let took = began.elapsed();
    assert!(took < LEASE, "the write took {took:?}");
    for host in &fleet.hosts {
        assert_eq!(host.title(&token, ISSUE).await, "while host 3 was away");
    }
    fleet.ask(&[0, 1, 2, 3], &token).await;
    fleet.network.heal(3, Trouble::Cut);
    fleet.meet().await;
    fleet.hosts[2].write(&token, ISSUE, "back").await;
    for host in &fleet.hosts {
        assert_eq!(host.title(&token, ISSUE).await, "back");
    }
}

#[tokio::test]
async fn a_cable_that_is_pulled_and_put_back_costs_the_others_nothing() {
    let Some((fleet, token)) = fleet(4).await else {
        return;
    };
    fleet.network.plug(4, false);
    let took = fleet.ask(&[0, 1, 2], &token).await;
    assert!(took < LEASE, "a read took {took:?}");
    fleet.network.plug(4, true);
    fleet.meet().await;
    fleet.shares().await;
}

#[tokio::test]
async fn one_packet_of_five_may_be_lost() {
    let Some((fleet, token)) = fleet(4).await else {
        return;
    };
    let hosts: Vec<_> = fleet.network.hosts().collect();
    for &host in &hosts {
        fleet.network.trouble(host, Trouble::Loss);
    }
    for round in 0..3 {
        let took = fleet.ask(&[0, 1, 2, 3], &token).await;
        assert!(took < LEASE, "a read took {took:?}");
        let title = format!("round {round}");
        fleet.hosts[round].write(&token, ISSUE, &title).await;
        for host in &fleet.hosts {
            assert_eq!(host.title(&token, ISSUE).await, title);
        }
    }
    for &host in &hosts {
        fleet.network.heal(host, Trouble::Loss);
    }
    fleet.meet().await;
}

#[tokio::test]
async fn a_host_that_stands_still_holds_nobody_up_longer_than_a_lease() {
    let Some((fleet, token)) = fleet(4).await else {
        return;
    };
    fleet.hosts[1].title(&token, ISSUE).await;
    fleet.hosts[1].freeze(true);
    let took = fleet.ask(&[0, 2, 3], &token).await;
    assert!(took < LEASE, "a read took {took:?}");
    let began = Instant::now();
    fleet.hosts[0]
        .write(&token, ISSUE, "while one stood still")
        .await;
    let took = began.elapsed();
    assert!(took < LEASE, "the write took {took:?}");
    fleet.hosts[1].freeze(false);
    assert_eq!(
        fleet.hosts[1].title(&token, ISSUE).await,
        "while one stood still"
    );
    fleet.meet().await;
}

#[tokio::test]
async fn a_host_that_is_killed_costs_nobody_an_answer_and_comes_back() {
    let Some((mut fleet, token)) = fleet(4).await else {
        return;
    };
    let (asked, ()) = tokio::join!(
        async {
            let mut longest = Duration::ZERO;
            let mut all = fleet.hosts.iter().collect::<Vec<_>>();
            all.remove(1);
            for path in paths() {
                for host in &all {
                    let began = Instant::now();
                    assert_eq!(host.get(Some(&token), &path).await.status, 200);
                    longest = longest.max(began.elapsed());
                }
            }
            longest
        },
        async { fleet.hosts[1].kill() }
    );
    assert!(asked < LEASE, "a read took {asked:?}");
    fleet.hosts[1].restart().await;
    fleet.meet().await;
    fleet.shares().await;
}
