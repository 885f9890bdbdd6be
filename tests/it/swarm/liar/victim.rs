//! An honest member in a process of its own, so that its memory is its own: the tests' binary once more.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ghswarm::api::Key;
use ghswarm::swarm::wire::message::{Answer, Question};
use ghswarm::swarm::{AskError, Event, Multiaddr, PeerId, PeerRow, Source, Standing};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::member::{Member, config, identity};
use super::lies::entry;
use super::{FRIEND, LARGE, PATIENCE, VICTIM};
use crate::needs;

/// Where the friend is.
const FRIEND_ADDRESS: &str = "GHSWARM_TEST_LIAR_FRIEND";
/// The only test that the child runs.
const ENTRY: &str = "swarm::liar::victim::is_lied_to";
/// How often it asks around.
const PAUSE: Duration = Duration::from_millis(20);

/// How it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) address: Multiaddr,
    /// The most memory that it has held, in KiB.
    pub(super) peak: u64,
    /// Entries of its friend, and questions to it that brought none.
    pub(super) hits: u64,
    pub(super) missed: u64,
    /// What the last of these brought.
    pub(super) last_miss: Option<String>,
    /// Entries that it was given to hold, and took.
    pub(super) offered: u64,
    /// The longest that one took, in milliseconds.
    pub(super) slowest: u128,
    pub(super) peers: Vec<PeerRow>,
}

impl Report {
    /// Why `peer` is dropped, if it is.
    pub(super) fn dropped(&self, peer: PeerId) -> Option<&str> {
        let peer = peer.to_string();
        let row = self.peers.iter().find(|row| row.peer_id == peer)?;
        let dropped = row.standing == Standing::Dropped;
        row.reason.as_deref().filter(|_| dropped)
    }
}

/// What the child does; in all other runs nothing.
#[tokio::test]
async fn is_lied_to() {
    let Some(friend) = needs::environment(FRIEND_ADDRESS) else {
        return;
    };
    let mut member = Member::start(VICTIM, config());
    let address = member.address().await;
    member
        .client
        .dial(friend.to_str().unwrap().parse().unwrap());
    member.sees(1).await;
    let mut events = std::mem::replace(&mut member.events, tokio::sync::mpsc::channel(1).1);
    let offered = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&offered);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if matches!(event, Event::Offered { .. }) {
                counter.fetch_add(1, SeqCst);
            }
            agree(event);
        }
    });
    let friend = identity(FRIEND).peer_id();
    let mut report = Report {
        address,
        peak: 0,
        hits: 0,
        missed: 0,
        last_miss: None,
        offered: 0,
        slowest: 0,
        peers: Vec::new(),
    };
    let asked: Arc<Mutex<HashSet<PeerId>>> = Arc::default();
    let mut pause = tokio::time::interval(PAUSE);
    for turn in 0_u64.. {
        let key = Key::from_bytes([if turn % 16 == 0 { LARGE } else { 1 }; 32]);
        let began = Instant::now();
        let answer = ask(&member, friend, key).await;
        report.slowest = report.slowest.max(began.elapsed().as_millis());
        if let Ok(Answer::Hit(_)) = answer {
            report.hits += 1;
        } else {
            report.missed += 1;
            report.last_miss = Some(format!("{answer:?}"));
        }
        for peer in member.client.roster().peers.iter().map(|peer| peer.id) {
            if peer != friend && asked.lock().unwrap().insert(peer) {
                let (asked, client) = (Arc::clone(&asked), member.client.clone());
                tokio::spawn(async move {
                    let names = client.names().unwrap();
                    let question = lookup(names.name(&entry().key));
                    let answer = timeout(Duration::from_secs(10), client.ask(peer, question)).await;
                    if let Ok(Ok(Answer::Hit(offer))) = answer {
                        // GitHub does not know it.
                        client.judged(Source::now(peer, true, offer.age), false);
                    }
                    asked.lock().unwrap().remove(&peer);
                });
            }
        }
        report.offered = offered.load(SeqCst);
        report.peers = member.client.peers().await;
        report.peak = peak();
        let line = serde_json::to_string(&report).unwrap();
        writeln!(std::io::stdout(), "\n{line}").unwrap();
        pause.tick().await;
    }
}

fn lookup(key: ghswarm::swarm::WireKey) -> Question {
    Question::Lookup {
        key,
        held: None,
        lease: false,
    }
}

async fn ask(member: &Member, friend: PeerId, key: Key) -> Result<Answer, AskError> {
    let key = member.client.names().unwrap().name(&key);
    match member.client.ask(friend, lookup(key)).await {
        Ok(Answer::Long { .. }) => {
            let fetch = Question::Fetch { key, held: None };
            member.client.ask(friend, fetch).await
        }
        answer => answer,
    }
}

/// Does at once whatever peers want.
fn agree(event: Event) {
    match event {
        Event::Lookup { reply, .. } => drop(reply.send(None)),
        Event::Stale { done, .. } | Event::EverythingStale { done, .. } => drop(done.send(())),
        Event::RecordsWanted { reply } => drop(reply.send(Vec::new())),
        Event::Offered { .. } | Event::Budget { .. } | Event::Introduced { .. } => {}
    }
}

/// The most memory that this process has held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// The child.
pub(super) struct Victim {
    child: Child,
    reports: watch::Receiver<Option<Report>>,
}

impl Victim {
    /// A victim with a friend at this address.
    pub(super) fn start(friend: &Multiaddr) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", ENTRY, "--nocapture", "--test-threads=1"])
            .env(FRIEND_ADDRESS, friend.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, reports) = watch::channel(None);
        // Whether or not anybody wants to know: who reports must not wait.
        std::thread::spawn(move || {
            let reports = lines.map_while(Result::ok);
            for line in reports.filter(|line| line.starts_with('{')) {
                sender.send_replace(serde_json::from_str(&line).ok());
            }
        });
        Self { child, reports }
    }

    /// Its next report.
    pub(super) async fn report(&mut self) -> Report {
        let next = timeout(PATIENCE, self.reports.changed()).await;
        next.expect("it reports").expect("the victim lives");
        self.reports.borrow().clone().expect("a report")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
