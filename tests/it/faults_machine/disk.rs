//! A disk that is full while daemons run. What a daemon sees of it is mounted for its process alone, and
//! reached through `/proc`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::machine::{HELLO, Machine, Served, can_mount, ran, signal};
use crate::needs;

/// The state directory as the process sees it.
fn inside(machine: &Machine, pid: i64) -> PathBuf {
    let state = machine.state_dir();
    Path::new("/proc")
        .join(pid.to_string())
        .join("root")
        .join(state.strip_prefix("/").unwrap())
}

fn mount(machine: &Machine, size: &str) -> String {
    fs::create_dir(machine.state_dir()).unwrap();
    let state = machine.state_dir();
    format!(
        "mount -t tmpfs -o size={size},mode=700 none {}",
        state.display()
    )
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for block in [vec![b'x'; 4096], vec![b'x'; 1]] {
        while file.write_all(&block).is_ok() {}
    }
}

fn counted(state: &Path) -> Value {
    let counters = fs::read(state.join("counters.json")).unwrap_or_default();
    let counters: Value = serde_json::from_slice(&counters).unwrap_or_default();
    counters["requests"].clone()
}

/// Answers while the disk is full: from memory, from GitHub, and for administration.
async fn serves(served: &Served) {
    for path in [HELLO, "/repos/octo-org/hello/issues", "/users/octocat"] {
        assert_eq!(served.get(path).await.status(), 200, "{path}");
    }
    assert!(served.get(HELLO).await.is_hit());
    assert!(served.stats().await["requests"].as_u64() > Some(3));
}

#[tokio::test]
async fn a_disk_that_fills_up_stops_no_request_and_is_told_once() {
    if !can_mount() {
        return needs::skip("mount");
    }
    let machine = Machine::new().await;
    let served = machine.serve_with_mounts(&mount(&machine, "256k")).await;
    let state = inside(&machine, served.pid());
    assert_eq!(served.get(HELLO).await.status(), 200);
    served.until("counters", |_| counted(&state) == 1).await;

    fill(&state.join("filler"));
    serves(&served).await;
    served.says("serving goes on", 1).await;
    serves(&served).await;
    // The next write of the counters fails as well, and says nothing.
    let before = served.said();
    fs::remove_file(state.join("filler")).unwrap();
    served.says("can be written again", 1).await;
    assert_eq!(before.matches("No space left").count(), 1, "{before}");
    served
        .until("counters", |_| counted(&state).as_u64() >= Some(9))
        .await;
    let left: Vec<_> = fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().ends_with(".tmp")),
        "{left:?}"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_ends_nothing() {
    if !can_mount() {
        return needs::skip("mount");
    }
    let machine = Machine::new().await;
    let log = machine.state_dir().join("daemon.log");
    let prepare = format!(
        "{}; exec 2>>{}; export GHSWARM_LOG_LEVEL=trace",
        mount(&machine, "256k"),
        log.display()
    );
    let mut served = machine.serve_with_mounts(&prepare).await;
    let state = inside(&machine, served.pid());
    served.log = state.join("daemon.log");
    fill(&state.join("filler"));
    serves(&served).await;
    serves(&served).await;
    fs::remove_file(state.join("filler")).unwrap();
    let before = served.said().len();
    serves(&served).await;
    served
        .until("log lines", |served| served.said().len() > before)
        .await;
    served.stop().await;
}

#[tokio::test]
async fn a_daemon_comes_back_on_a_full_disk_and_is_announced_when_there_is_room() {
    if !can_mount() {
        return needs::skip("mount");
    }
    let machine = Machine::new().await;
    let started = ran(machine.command_with_mounts(&mount(&machine, "256k"), &["start"])).await;
    assert_eq!(started.code, 0, "{}", started.stderr);
    let ready: Value = serde_json::from_str(&started.stdout).unwrap();
    let keeper = ready["keeper_pid"].as_i64().unwrap();
    let state = inside(&machine, keeper);
    let first = Served {
        ready,
        child: None,
        log: state.join("daemon.log"),
    };
    fill(&state.join("filler"));
    assert!(signal(first.pid(), "-KILL"));
    // Over TCP: the socket is in the other world of mounts.
    assert_eq!(first.get(HELLO).await.status(), 200, "by the next daemon");
    assert!(first.get(HELLO).await.is_hit());
    fs::remove_file(state.join("filler")).unwrap();
    let announced = || -> Value {
        let ready = fs::read(state.join("ready.json")).unwrap_or_default();
        serde_json::from_slice(&ready).unwrap_or_default()
    };
    let dead = first.ready["pid"].clone();
    first
        .until("ready.json", |_| {
            announced()["pid"].is_u64() && announced()["pid"] != dead
        })
        .await;
    assert!(signal(keeper, "-TERM"));
    first
        .until("the end", |_| {
            !Path::new(&format!("/proc/{keeper}")).exists() || !state.exists()
        })
        .await;
}
