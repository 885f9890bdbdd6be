//! Connections, and the file descriptors that they cost.

use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::machine::{Answer, Client, HELLO, Machine, Served};
use crate::needs;

/// Connections that rest after a request each.
async fn resting(served: &Served, count: usize) -> Vec<Client<TcpStream>> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = served.connect().await;
        assert_eq!(client.get(HELLO).await.status(), 200);
        clients.push(client);
    }
    clients
}

/// Asks until the log says so: the end of a trouble is told with the first request after it.
async fn until_told(served: &Served, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !served.said().contains(what) {
        assert!(Instant::now() < deadline, "{}", served.said());
        served.get(HELLO).await;
    }
}

fn limit_files(served: &Served, limit: usize) {
    let done = std::process::Command::new("prlimit")
        .args([
            "--pid",
            &served.pid().to_string(),
            &format!("--nofile={limit}:20000"),
        ])
        .status();
    assert!(done.unwrap().success());
}

#[tokio::test]
async fn a_soft_limit_on_open_files_is_raised() {
    let machine = Machine::new().await;
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let wanted = usize::try_from(hard.saturating_sub(512))
        .unwrap_or(usize::MAX)
        .min(10_240);
    for served in [machine.serve("ulimit -S -n 64", &[]).await] {
        let said = served.said();
        assert!(
            said.contains(&format!("max_connections={wanted}")),
            "{said}"
        );
        served.stop().await;
    }
}

#[tokio::test]
async fn more_connections_than_descriptors_are_told_so_and_the_others_go_on() {
    let machine = Machine::new().await;
    let served = machine.serve("ulimit -n 96", &[]).await;
    let mut clients = resting(&served, 48).await;
    for _ in 0..20 {
        let mut surplus = served.connect().await;
        let answer = surplus.get(HELLO).await;
        assert!(answer.refusal(503).contains("too many connections"));
        assert!(surplus.ends().await);
    }
    // Who is in is served as ever, also from GitHub, which takes descriptors, too.
    for (number, client) in clients.iter_mut().enumerate() {
        assert!(client.get(HELLO).await.is_hit());
        let answer = client.get(&format!("/users/octocat?n={number}")).await;
        assert_eq!(answer.status(), 200, "{}", answer.head);
    }
    assert_eq!(
        served.said().matches("too many connections").count(),
        1,
        "{}",
        served.said()
    );
    drop(clients);
    served
        .until("free descriptors", |served| served.descriptors() < 40)
        .await;
    let again = resting(&served, 48).await;
    assert_eq!(again.len(), 48);
    drop(again);
    until_told(&served, "there is room for connections again").await;
    served.stop().await;
}

#[tokio::test]
async fn without_a_free_descriptor_new_clients_wait_and_nobody_spins() {
    if needs::program("prlimit").is_none() {
        return needs::skip("prlimit");
    }
    let machine = Machine::new().await;
    let served = machine.serve("", &[]).await;
    let mut clients = resting(&served, 4).await;
    // So few that none of those that come free in between counts.
    limit_files(&served, 8);

    let mut waiting = Vec::new();
    for _ in 0..100 {
        let mut client = served.connect().await;
        let request = client.request(HELLO, None);
        client.write(request).await;
        waiting.push(client);
    }
    let (ticks, begun) = (served.ticks(), Instant::now());
    served.says("cannot accept connections", 1).await;
    // Those who are in are answered, from memory and from GitHub.
    let mut number = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        for client in &mut clients {
            number += 1;
            assert!(client.get(HELLO).await.is_hit());
            let request =
                client.request(&format!("/users/octocat?n={number}"), Some(&machine.token));
            client.write(request).await;
            let answer = client.answer().await;
            if answer.status() != 200 {
                assert!(
                    answer.refusal(502).contains("cannot connect"),
                    "{}",
                    answer.head
                );
            }
        }
        let pause = tokio::time::timeout(Duration::from_millis(50), waiting[0].read_answer());
        assert!(pause.await.is_err(), "nobody new is served");
    }
    let spent = served.ticks() - ticks;
    assert!(spent < 150, "{spent} ticks of 10 ms in two seconds");
    assert_eq!(
        served.said().matches("cannot accept").count(),
        1,
        "{}",
        served.said()
    );

    limit_files(&served, 4096);
    for client in &mut waiting {
        assert_eq!(client.answer().await.status(), 200);
    }
    drop(waiting);
    until_told(&served, "accepting connections again").await;
    served.stop().await;
}

/// Raises the limit of the process that runs the stories; how many files it may open.
fn raise_own_limit() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    maximum.unwrap_or(u64::MAX)
}

/// So many connections at the same time.
const MANY: usize = 10_000;

/// What a wave of connections cost.
struct Wave {
    each: u64,
    busy: Duration,
    alone: Duration,
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Opens [`MANY`] connections, asks over a thousand of them at once, goes over the bound, and closes all.
async fn wave(served: &Served) -> Wave {
    let (rss, descriptors) = (served.rss(), served.descriptors());
    let (mut tcp, mut unix) = (Vec::new(), Vec::new());
    while tcp.len() + unix.len() < MANY {
        let more = join_all((0..90).map(|_| async {
            let mut client = served.connect().await;
            assert!(client.get(HELLO).await.is_hit());
            client
        }));
        tcp.extend(more.await);
        let more = join_all((0..10).map(|_| async {
            let mut client = served.connect_unix().await;
            assert!(client.get(HELLO).await.is_hit());
            client
        }));
        unix.extend(more.await);
    }
    let each = served.rss().saturating_sub(rss) * 1024 / MANY as u64;
    assert!(served.descriptors() >= MANY);

    // A thousand at once, and one who is in no hurry.
    let mut times = Vec::new();
    let all = join_all(tcp.iter_mut().step_by(9).map(|client| client.get(HELLO)));
    let (answers, ()) = tokio::join!(all, async {
        for _ in 0..100 {
            let asked = Instant::now();
            assert!(unix[0].get(HELLO).await.is_hit());
            times.push(asked.elapsed());
        }
    });
    assert!(answers.iter().all(Answer::is_hit));
    let busy = median(std::mem::take(&mut times));
    for _ in 0..300 {
        let asked = Instant::now();
        assert!(unix[1].get(HELLO).await.is_hit());
        times.push(asked.elapsed());
    }

    let mut surplus = Vec::new();
    let refused = loop {
        let mut client = served.connect().await;
        let answer = client.get(HELLO).await;
        if answer.status() != 200 {
            break answer;
        }
        surplus.push(client);
        assert!(surplus.len() <= 241, "more than max_connections");
    };
    assert!(refused.refusal(503).contains("too many connections"));

    drop((tcp, unix, surplus));
    let back = |served: &Served| served.descriptors() <= descriptors + 8;
    served.until("descriptors back", back).await;
    Wave {
        each,
        busy,
        alone: median(times),
    }
}

#[tokio::test]
async fn ten_thousand_connections_are_served_and_leave_nothing_behind() {
    if raise_own_limit() < 12_000 {
        return needs::skip("descriptors");
    }
    let machine = Machine::new().await;
    let served = machine.serve("", &[]).await;
    assert_eq!(served.get(HELLO).await.status(), 200);
    let Wave { each, busy, alone } = wave(&served).await;
    let first = served.peak();
    // The allocator keeps what was given back, and the next wave lives in it.
    wave(&served).await;
    let second = served.peak();
    println!(
        "{MANY} connections: {each} bytes each, peak {first} KiB, {second} KiB the second time; \
         a hit took {busy:?} beside a thousand others, {alone:?} alone"
    );
    // About 8 KiB at rest; those that asked within the last second still have their buffers.
    assert!(each < 20 << 10, "{each} bytes for a connection");
    // What ten thousand that all ask within a second may take: their buffers are given back after it.
    let most = first.max(second);
    assert!(most < 192 << 10, "{first} KiB and then {second}");
    assert!(busy < Duration::from_secs(1), "{busy:?}");
    assert!(served.get(HELLO).await.is_hit());
    served.stop().await;
}
