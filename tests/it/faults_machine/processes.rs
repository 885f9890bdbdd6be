//! Processes that are stopped, killed, or lose the directory that they work in.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ghswarm_lab::Matcher;

use super::machine::{HELLO, Machine, signal};

/// Kills one process and waits until it is gone.
async fn kill(served: &super::machine::Served, pid: i64) {
    assert!(signal(pid, "-KILL"));
    let gone = |stat: std::io::Result<String>| {
        stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
    };
    served
        .until("a death", |_| {
            gone(fs::read_to_string(format!("/proc/{pid}/stat")))
        })
        .await;
}

#[tokio::test]
async fn a_machine_that_slept_goes_on_where_it_was() {
    let machine = Machine::new().await;
    let served = machine.start(&[]).await;
    let keeper = served.ready["keeper_pid"].as_i64().unwrap();
    // One request is at GitHub, and parked with the keeper.
    let gate = machine.github.hold(Matcher::get(HELLO));
    let mut asking = served.connect().await;
    let request = asking.request(HELLO, None);
    asking.write(request).await;
    gate.arrived().await;
    for pid in [served.pid(), keeper] {
        assert!(signal(pid, "-STOP"));
    }
    // GitHub answers and another client asks while nobody here hears it.
    gate.release();
    let mut late = served.connect().await;
    let request = late.request("/users/octocat", None);
    late.write(request).await;
    // As long as a lid is closed: nothing happens meanwhile that could be awaited.
    let nap = tokio::time::timeout(Duration::from_secs(3), late.read_answer()).await;
    assert!(nap.is_err());
    for pid in [keeper, served.pid()] {
        assert!(signal(pid, "-CONT"));
    }
    assert_eq!(asking.answer().await.status(), 200);
    assert_eq!(late.answer().await.status(), 200);
    assert!(asking.get(HELLO).await.is_hit());
    assert_eq!(
        machine.github.requests().len(),
        2,
        "nothing was asked twice"
    );
    assert_eq!(machine.run(&["stop"]).await.code, 0);
}

#[tokio::test]
async fn a_daemon_that_sleeps_alone_keeps_its_clients() {
    let machine = Machine::new().await;
    let served = machine.start(&[]).await;
    assert!(signal(served.pid(), "-STOP"));
    let mut waits = served.connect().await;
    let request = waits.request(HELLO, None);
    waits.write(request).await;
    let nap = tokio::time::timeout(Duration::from_secs(3), waits.read_answer()).await;
    assert!(nap.is_err());
    assert!(signal(served.pid(), "-CONT"));
    assert_eq!(waits.answer().await.status(), 200);
    assert_eq!(served.get(HELLO).await.status(), 200);
    assert_eq!(machine.start(&[]).await.ready["pid"], served.ready["pid"]);
}

#[tokio::test]
async fn a_daemon_whose_keeper_was_killed_serves_on_and_says_so_once() {
    let machine = Machine::new().await;
    let served = machine.start(&[]).await;
    kill(&served, served.ready["keeper_pid"].as_i64().unwrap()).await;
    for number in 0..5 {
        assert_eq!(
            served
                .get(&format!("/users/octocat?n={number}"))
                .await
                .status(),
            200
        );
    }
    assert_eq!(
        machine.log().matches("the keeper is gone").count(),
        1,
        "{}",
        machine.log()
    );
    // It holds the lock alone now, and ends when asked to.
    assert_eq!(machine.start(&[]).await.ready["pid"], served.ready["pid"]);
    assert_eq!(machine.run(&["stop"]).await.code, 0);
    let next = machine.start(&[]).await;
    assert_ne!(next.ready["keeper_pid"], served.ready["keeper_pid"]);
}

#[tokio::test]
async fn after_both_were_killed_a_start_works_at_once() {
    let machine = Machine::new().await;
    let served = machine.start(&[]).await;
    assert_eq!(served.get(HELLO).await.status(), 200);
    // The keeper first: it would start another daemon.
    kill(&served, served.ready["keeper_pid"].as_i64().unwrap()).await;
    kill(&served, served.pid()).await;
    for left in ["ready.json", "ghswarm.sock"] {
        assert!(machine.state_dir().join(left).exists(), "{left}");
    }
    let stopped = machine.run(&["stop"]).await;
    assert_eq!(stopped.code, 0);
    assert!(
        stopped.stderr.contains("no daemon is running"),
        "{}",
        stopped.stderr
    );
    let next = machine.start(&[]).await;
    assert_ne!(next.ready["pid"], served.ready["pid"]);
    assert_eq!(next.get(HELLO).await.status(), 200);
    assert_eq!(machine.run(&["stop"]).await.code, 0);
    let mut left: Vec<_> = fs::read_dir(machine.state_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            "admin-token",
            "counters.json",
            "daemon.log",
            "lock",
            "program",
            "start.lock"
        ]
    );
}

#[tokio::test]
async fn a_removed_state_directory_stops_no_request_and_its_successor_is_left_alone() {
    let machine = Machine::new().await;
    let old = machine.start(&[]).await;
    assert_eq!(old.get(HELLO).await.status(), 200);
    // What a job does with $RUNNER_TEMP between two steps.
    fs::remove_dir_all(machine.state_dir()).unwrap();
    for number in 0..3 {
        assert_eq!(
            old.get(&format!("/users/octocat?n={number}"))
                .await
                .status(),
            200
        );
    }
    let stopped = machine.run(&["stop"]).await;
    assert_eq!(stopped.code, 0);
    assert!(
        stopped.stderr.contains("no daemon is running"),
        "{}",
        stopped.stderr
    );

    let new = machine.start(&[]).await;
    assert_ne!(new.ready["pid"], old.ready["pid"]);
    assert_eq!(new.get(HELLO).await.status(), 200);
    // The old one ends; what it would have cleared away is the new one's.
    let keeper = old.ready["keeper_pid"].as_i64().unwrap();
    assert!(signal(keeper, "-TERM"));
    new.until("the old one's end", |_| {
        !Path::new(&format!("/proc/{keeper}/exe")).exists()
            || fs::read_link(format!("/proc/{keeper}/exe")).is_err()
    })
    .await;
    assert!(machine.state_dir().join("ready.json").exists());
    assert!(UnixStream::connect(new.socket()).is_ok());
    let counters = || {
        let counters = fs::read(machine.state_dir().join("counters.json")).unwrap_or_default();
        let counters: serde_json::Value = serde_json::from_slice(&counters).unwrap_or_default();
        counters["requests"].clone()
    };
    new.until("its own numbers", |_| counters() == 1).await;
    assert_eq!(machine.run(&["stop"]).await.code, 0);
}
