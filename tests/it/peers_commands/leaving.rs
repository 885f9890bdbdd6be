//! A daemon comes and goes.

use super::{Runner, text};

/// A daemon that is stopped when the story is over, whatever came of it.
struct Kept(Runner);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.run(&["stop"]);
    }
}

fn at(listen: &str) -> Runner {
    Runner::new().with("GHSWARM_P2P_LISTEN", listen)
}

/// Brings the two together by a file of the first.
fn meet(first: &Runner, second: &Runner) {
    let file = first.path("here.peers");
    first.run(&["peers", "export", text(&file)]).ok();
    second.run(&["peers", "import", text(&file)]).ok();
    first.sees(&second.id(), "connected");
    second.sees(&first.id(), "connected");
}

/// Over QUIC a process that just ends is silence, and a silent peer may be writing: for a minute the others would
/// have to ask GitHub again for everything.
#[test]
fn who_is_stopped_says_goodbye_and_makes_nobody_deaf() {
    for listen in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"] {
        let (first, mut second) = (Kept(at(listen)), at(listen));
        let Kept(first) = &first;
        first.run(&["start", "--pool", "a/b"]).ok();
        second.serve(&["--pool", "a/b"]);
        meet(first, &second);
        let one = first.id();
        first.run(&["stop"]).ok();
        // Known, or refused: a second connection may have been half admitted when the first one left.
        let end = std::time::Instant::now() + super::PATIENCE;
        while second.row(&one).unwrap()["standing"] == "connected" {
            assert!(std::time::Instant::now() < end, "{}", second.log());
        }
        let listed = second.list();
        assert_eq!(listed["deaf"], false, "{listen}\n{}", second.log());
        let log = second.log();
        let said = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        assert_eq!(said("sharing with a peer"), 1, "{log}");
        assert_eq!(said("a peer is gone"), 1, "{log}");
    }
}

#[test]
fn a_start_says_where_peers_reach_us() {
    // A machine that is too busy to listen within 300 ms is not this story's concern.
    let printed = (0..10).any(|_| {
        let runner = Kept(Runner::new());
        let ready = runner.0.run(&["start", "--pool", "a/b"]).ok().json();
        assert!(ready["peer_id"].is_string(), "{ready}");
        ready["multiaddrs"][0].is_string()
    });
    assert!(printed);
}

#[test]
fn nobody_hears_of_peers_in_the_log_of_who_is_alone() {
    let alone = Kept(Runner::new());
    let Kept(alone) = &alone;
    alone.run(&["start", "--pool", "a/b"]).ok();
    alone.run(&["peers", "export"]).ok();
    alone.run(&["stop"]).ok();
    let log = std::fs::read_to_string(alone.state().join("daemon.log")).unwrap();
    let about = log.lines().filter(|line| line.contains("peer"));
    assert_eq!(about.count(), 1, "where we are reached: {log}");
    assert!(!log.contains("libp2p_") && !log.contains(" WARN "), "{log}");
}
