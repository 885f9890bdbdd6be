//! What is said when something is not as it should be.

use serde_json::Value;

use super::{Runner, text};

#[test]
fn records_of_another_pool_and_files_of_others_are_refused_by_name() {
    let (ours, theirs) = (Runner::in_pool("a/b"), Runner::in_pool("c/d"));
    let file = theirs.path("theirs.peers");
    theirs.run(&["peers", "export", text(&file)]).ok();
    let refused = ours.run(&["peers", "import", text(&file)]);
    refused.fails(1, &["theirs.peers:2: not taken (foreign-pool)", "--pool"]);
    let other = ours.path("other");
    ghswarm::files::write_atomic(&other, b"something\n").unwrap();
    let refused = ours.run(&["peers", "import", text(&other), "/nowhere"]);
    refused.fails(
        1,
        &["not a file of `ghswarm peers export`", "cannot be read"],
    );
    assert!(ours.list()["peers"].as_array().unwrap().is_empty());
}

#[test]
fn the_ready_file_says_where_peers_reach_us() {
    let runner = Runner::in_pool("a/b");
    // Waits until there is an address.
    runner.run(&["peers", "export"]).ok();
    let listed = runner.list();
    let end = std::time::Instant::now() + super::PATIENCE;
    let ready = loop {
        let ready = std::fs::read(runner.state().join("ready.json")).unwrap();
        let ready: Value = serde_json::from_slice(&ready).unwrap();
        if !ready["multiaddrs"].is_null() || std::time::Instant::now() > end {
            break ready;
        }
        runner.list();
    };
    assert_eq!(ready["peer_id"], listed["peer_id"]);
    assert_eq!(ready["multiaddrs"], listed["multiaddrs"]);
    let address = ready["multiaddrs"][0].as_str().unwrap();
    assert!(address.starts_with("/ip4/127.0.0.1/tcp/") && address.ends_with(&runner.id()));
}

#[test]
fn who_shares_with_nobody_is_told_how_to() {
    let mut alone = Runner::new();
    alone.run(&["peers", "list"]).fails(1, &["ghswarm start"]);
    alone.serve(&[]);
    alone.run(&["peers", "list"]).fails(1, &["--pool"]);
    let ready = std::fs::read_to_string(alone.state().join("ready.json")).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!(
        (&ready["peer_id"], &ready["multiaddrs"]),
        (&Value::Null, &Value::Null)
    );
    alone.kill();
    let mut off = alone.with("GITHUB_REPOSITORY", "a/b");
    off.serve(&["--no-p2p"]);
    off.run(&["peers", "export"]).fails(1, &["--no-p2p"]);
    off.kill();
    off.serve(&[]);
    assert_eq!(off.list()["pool"], "a/b");
}

#[test]
fn what_is_typed_wrongly_is_usage() {
    let runner = Runner::new();
    runner
        .run(&["peers", "add", "10.0.0.1:9000"])
        .fails(2, &["/ip4/10.0.0.1/tcp/9000"]);
    runner
        .run(&["serve", "--pool", "a/b", "--admission", "oidc"])
        .fails(2, &["not built yet"]);
    runner
        .run(&["serve", "--pool", "a/b", "--trust", "swarm"])
        .fails(2, &["--trust", "--secret-file"]);
    for command in ["list", "add", "export", "import", "register", "cleanup"] {
        let help = runner.run(&["peers", command, "--help"]).ok().stdout;
        assert!(help.contains("Examples:\n  ghswarm peers "), "{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
}
