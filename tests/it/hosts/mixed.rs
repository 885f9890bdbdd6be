//! Reads and writes of several clients through five hosts, some of which are cut off now and then: nobody is
//! shown the past. What happened is written down, and judged by [`crate::history`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use futures_util::future::join_all;
use ghswarm::clock::Clock;
use ghswarm::daemon::Config;
use ghswarm::github::{self, budget};
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::{self, Pool, PoolSecret, Secret};
use ghswarm::tiered::{self, Lifetimes};
use ghswarm::time::Timestamp;
use ghswarm_lab::{Token, TokenSpec};
use serde_json::{Value, json};
use tokio::time::{Instant, interval, sleep_until, timeout};

use super::member::Member;
use super::network::{GITHUB, Github, Network, Trouble};
use crate::history::{self, Cut, INITIAL, Operation, What};
use crate::needs;

const HOSTS: usize = 5;
const CLIENTS: usize = 8;
/// Repositories, each with one issue: a write makes everything of its repository stale for a while, so
/// there have to be some that nobody writes just now.
const OBJECTS: usize = 12;
/// One operation of so many is a write.
const WRITES: usize = 15;
/// The longest that a client thinks before it goes on, in milliseconds.
const THINKS: usize = 300;
/// Seconds of the daemons' clock in one of ours. A write settles in half a minute, which nobody wants to wait for.
const SPEED: u32 = 30;
/// How long a daemon may show a body without asking: all of the story's time that matters, so that a write
/// of which it does not hear shows.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long a host is cut off: shorter and longer than the lease of contact.
const AWAY: [Duration; 2] = [Duration::from_millis(700), Duration::from_millis(4500)];
/// From when all are connected to the next cut.
const TOGETHER: Duration = Duration::from_secs(4);
/// The longest until all are connected.
const REUNION: Duration = Duration::from_secs(60);

/// The same steps in every run.
struct Walk(u64);

impl Walk {
    /// A number below `bound`.
    fn next(&mut self, bound: usize) -> usize {
        // Knuth's MMIX generator; its upper half is the better one.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

struct Story {
    members: Vec<Member>,
    clients: Vec<reqwest::Client>,
    tokens: Vec<Token>,
    paths: Vec<String>,
    began: Instant,
    history: RefCell<Vec<Operation>>,
    cuts: RefCell<Vec<Cut>>,
    wanted: usize,
    clocks: (ghswarm_lab::Clock, Clock),
    // Last, so that the daemons end first.
    network: Network,
    _github: Github,
}

impl Story {
    #[expect(
        clippy::too_many_lines,
        reason = "what the hosts are told, in one place"
    )]
    fn begin(wanted: usize) -> Option<Self> {
        let network = Network::new(HOSTS)?;
        let start = 1_800_000_000;
        let lab_clock = ghswarm_lab::Clock::manual(start);
        let clock = Clock::manual(Timestamp::from_secs(start));
        let github = network.github_at(lab_clock.clone());
        let paths: Vec<_> = (0..OBJECTS)
            .map(|number| format!("/repos/octo-org/of-{number}/issues/1"))
            .collect();
        github.fake.change(|state| {
            for number in 0..OBJECTS {
                let name = format!("octo-org/of-{number}");
                state.create_repo(&name, true).unwrap();
                state.create_issue(&name, &INITIAL.to_string(), "").unwrap();
            }
        });
        let tokens: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let token = github
                    .fake
                    .token(TokenSpec::classic("octocat").everything());
                github.fake.set_limit(token.bucket(), "core", 1_000_000);
                token
            })
            .collect();
        let pool = Pool::new("octo-org/of-0").unwrap();
        let secret = SharedSecret::new(b"what the hosts of this story know").unwrap();
        let keys = PoolSecret::derive(&secret, &pool, Cost::MIN);
        let config = |host: usize| Config {
            clock: clock.clone(),
            disk_limit: Some(64 << 20),
            github: github::Config::new(format!("http://{GITHUB}").parse().unwrap()),
            budget: budget::Config {
                write_gap: Duration::ZERO,
                ..Default::default()
            },
            tiered: tiered::Config {
                lifetimes: Lifetimes {
                    all: Some(LIFETIME),
                    ..Default::default()
                },
                ..Default::default()
            },
            swarm: Some(swarm::Config {
                secret: Some(Secret::Derived(keys.clone())),
                tickets: false,
                listen: vec![format!("/ip4/198.18.1.{host}/tcp/9000").parse().unwrap()],
                bootstrap: (1..host)
                    .map(|other| format!("/ip4/198.18.1.{other}/tcp/9000").parse().unwrap())
                    .collect(),
                mdns: false,
                clock: clock.clone(),
                ..swarm::Config::new(pool.clone())
            }),
            ..Config::default()
        };
        let members: Vec<_> = network
            .hosts()
            .map(|host| Member::start(&network, host, config(host)))
            .collect();
        let clients = members
            .iter()
            .map(|member| {
                let socket = member.ready.socket.clone().unwrap();
                reqwest::Client::builder()
                    .no_proxy()
                    .unix_socket(socket)
                    .build()
                    .unwrap()
            })
            .collect();
        Some(Self {
            members,
            clients,
            tokens,
            paths,
            began: Instant::now(),
            history: RefCell::default(),
            cuts: RefCell::default(),
            wanted,
            clocks: (lab_clock, clock),
            network,
            _github: github,
        })
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn is_over(&self) -> bool {
        self.history.borrow().len() >= self.wanted
    }

    async fn meet(&self) {
        let meeting = async {
            let mut ticks = interval(Duration::from_millis(20));
            while self
                .members
                .iter()
                .any(|member| member.swarm.roster().peers.len() < HOSTS - 1)
            {
                ticks.tick().await;
            }
        };
        let met = timeout(REUNION, meeting).await;
        let rosters = self
            .members
            .iter()
            .map(|member| member.swarm.roster().peers.len());
        assert!(
            met.is_ok(),
            "peers of each: {:?}",
            rosters.collect::<Vec<_>>()
        );
    }

    /// The daemons' clock runs.
    async fn run_clock(&self) {
        let step = Duration::from_millis(20);
        let mut ticks = interval(step);
        while !self.is_over() {
            ticks.tick().await;
            let by = step * SPEED;
            self.clocks.0.advance(by);
            self.clocks.1.advance(by);
        }
    }

    /// Now and then a host hears nothing of the others. GitHub and its clients reach it all the time.
    async fn cut(&self) {
        let mut walk = Walk(1);
        let pause = async |time: Duration| {
            let over = Instant::now() + time;
            let mut ticks = interval(Duration::from_millis(50));
            while !self.is_over() && Instant::now() < over {
                ticks.tick().await;
            }
        };
        while !self.is_over() {
            pause(TOGETHER).await;
            let host = 1 + walk.next(HOSTS);
            let start = self.now();
            self.network.trouble(host, Trouble::Cut);
            pause(AWAY[walk.next(AWAY.len())]).await;
            self.network.heal(host, Trouble::Cut);
            self.meet().await;
            let end = self.now();
            self.cuts.borrow_mut().push(Cut { host, start, end });
        }
    }

    async fn live(&self, client: usize) {
        let mut walk = Walk(100 + client as u64);
        let mut written = 0;
        while !self.is_over() {
            let thinks = Duration::from_millis(walk.next(THINKS) as u64);
            sleep_until(Instant::now() + thinks).await;
            let host = walk.next(HOSTS);
            let object = walk.next(OBJECTS);
            let start = self.now();
            let what = if walk.next(WRITES) == 0 {
                written += 1;
                self.write(
                    client,
                    host,
                    object,
                    (client as u64 + 1) * 1_000_000 + written,
                )
                .await
            } else {
                self.read(client, host, object).await
            };
            let end = self.now();
            self.history.borrow_mut().push(Operation {
                client,
                host: host + 1,
                object,
                start,
                end,
                what,
            });
        }
    }

    async fn read(&self, client: usize, host: usize, object: usize) -> What {
        let url = format!("http://api.github.com{}", self.paths[object]);
        let request = self.clients[host]
            .get(url)
            .header("authorization", self.tokens[client].authorization());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let issue: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        What::Read(issue["title"].as_str().unwrap().parse().unwrap())
    }

    async fn write(&self, client: usize, host: usize, object: usize, value: u64) -> What {
        let url = format!("http://api.github.com{}", self.paths[object]);
        let body = json!({ "title": value.to_string() }).to_string();
        let request = self.clients[host]
            .patch(url)
            .header("authorization", self.tokens[client].authorization());
        match request.body(body).send().await {
            Ok(answer) if answer.status() == 200 => What::Wrote(value),
            _ => What::Tried(value),
        }
    }

    /// Ends the daemons; how they answered, all together.
    fn end(self) -> (Vec<Operation>, Vec<Cut>, BTreeMap<&'static str, u64>) {
        let mut counts = BTreeMap::new();
        for snapshot in self.members.into_iter().map(Member::stop) {
            for (name, count) in [
                ("hits", snapshot.hits.memory + snapshot.hits.disk),
                ("revalidated", snapshot.revalidated),
                ("misses", snapshot.misses),
            ] {
                *counts.entry(name).or_default() += count;
            }
        }
        (self.history.into_inner(), self.cuts.into_inner(), counts)
    }
}

/// About a quarter of a minute; ten thousand operations take minutes, for who wants to wait for them.
#[tokio::test]
async fn nobody_reads_the_past_of_a_write_that_was_answered() {
    let wanted = if needs::soak() { 10_000 } else { 600 };
    let Some(story) = Story::begin(wanted) else {
        return;
    };
    story.meet().await;
    let clients = join_all((0..CLIENTS).map(|client| story.live(client)));
    tokio::join!(clients, story.run_clock(), story.cut());
    let took = story.now();
    let (history, cuts, counts) = story.end();
    let writes = history
        .iter()
        .filter(|it| matches!(it.what, What::Wrote(_)))
        .count();
    let slowest = history
        .iter()
        .map(|it| it.end.saturating_sub(it.start))
        .max()
        .unwrap_or_default();
    let told = format!(
        "{} operations, {writes} writes, {} cuts, {took:.1?}, the slowest {slowest:.1?}: {counts:?}",
        history.len(),
        cuts.len()
    );
    // Past the test harness, which swallows what a passing test prints.
    let _ = writeln!(std::io::stderr(), "{told}");
    if let Some(wrong) = history::check(&history, &cuts) {
        panic!("{wrong:#?}\n{told}");
    }
    // Who always asks GitHub is never wrong, and shows nothing.
    assert!(counts["hits"] * 20 > wanted as u64, "{told}");
    assert!(writes * 40 > wanted && !cuts.is_empty(), "{told}");
}
