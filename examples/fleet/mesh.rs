//! Daemons that share: what each is told, and how they come to know each other.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use ghswarm::clock::Clock;
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::{Acquaintance, Client, Config, Pool, PoolSecret, Secret, Times};
use tokio::time::{interval, timeout};

use crate::scenario::REPOSITORY;

/// How long the daemons have to find each other: so much, and so much more for each.
const MEETING: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(1)];
/// Daemons that have the processors of this machine to themselves, more or less.
const UNHURRIED: u64 = 5;

/// What every daemon of the pool is told. The members have a secret, so that what only readers of the
/// repository may read is shared, too.
pub(crate) fn member(clock: Clock, runners: u64) -> anyhow::Result<Config> {
    // Once for all rows: it is slow on purpose.
    static KEYS: OnceLock<PoolSecret> = OnceLock::new();
    let pool = Pool::new(REPOSITORY)?;
    let secret = SharedSecret::new(b"what the runners of this example know")?;
    let keys = KEYS.get_or_init(|| PoolSecret::derive(&secret, &pool, Cost::MIN));
    Ok(Config {
        secret: Some(Secret::Derived(keys.clone())),
        tickets: false,
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().context("an address")?],
        mdns: false,
        clock,
        times: times(runners),
        ..Config::new(pool)
    })
}

/// Bounds of time are those of machines of their own. Here one process does the work of all, so what
/// takes a millisecond there takes longer by as much as there are daemons.
fn times(runners: u64) -> Times {
    let share = u32::try_from(runners.div_ceil(UNHURRIED)).unwrap_or(u32::MAX);
    let usual = Times::default();
    Times {
        first_answer: usual.first_answer * 4 * share,
        hedge: usual.hedge * 4 * share,
        lease: usual.lease * share,
        pulse: usual.pulse * share,
        contact: usual.contact * share,
        ..usual
    }
}

/// Introduces the daemons to each other and waits until all are connected; how many connections are
/// missing when time is up.
pub(crate) async fn join(members: &[Client]) -> usize {
    let [at_first, each] = MEETING;
    let most = at_first + each * u32::try_from(members.len()).unwrap_or(u32::MAX);
    let joining = async {
        let mut earlier: Vec<Acquaintance> = Vec::new();
        for member in members {
            let addresses = addresses(member).await;
            for one in &earlier {
                member.know(one.clone());
            }
            earlier.push(Acquaintance {
                peer: Some(member.identity().peer_id()),
                addresses,
                ticket: None,
            });
        }
        let mut ticks = interval(Duration::from_millis(20));
        while missing(members) > 0 {
            ticks.tick().await;
        }
    };
    // Too late is counted, and judged with the rest.
    let _ = timeout(most, joining).await;
    missing(members)
}

async fn addresses(member: &Client) -> Vec<ghswarm::swarm::Multiaddr> {
    let mut ticks = interval(Duration::from_millis(5));
    loop {
        ticks.tick().await;
        let addresses = member.addresses().await;
        if !addresses.is_empty() {
            return addresses;
        }
    }
}

fn missing(members: &[Client]) -> usize {
    let others = members.len().saturating_sub(1);
    let connected = members.iter().map(|member| member.roster().peers.len());
    connected
        .map(|connected| others.saturating_sub(connected))
        .sum()
}
