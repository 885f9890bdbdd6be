use std::slice;

use super::*;
use crate::swarm::{self, Identity};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn identity(seed: u8) -> Identity {
    Identity::from_seed(&Zeroizing::new([seed; 32])).unwrap()
}

fn pool(name: &str) -> Pool {
    Pool::new(name).unwrap()
}

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn record(seed: u8, of: &str) -> Vec<u8> {
    let addresses = [address("/ip4/10.0.0.1/tcp/9000")];
    let signed = Signed::own(&identity(seed), &pool(of), &addresses, NOW, true);
    signed.unwrap().expose().to_vec()
}

fn discovery(clock: &Clock, file: Option<PathBuf>) -> Discovery {
    // Never run: it is alone, and what it is told goes nowhere.
    let (client, _, _) = swarm::start(identity(0), swarm::Config::new(pool("a/b")));
    let config = Config {
        pool: pool("a/b"),
        tickets: true,
        file,
        clock: clock.clone(),
        stores: Sources::default(),
    };
    Discovery::new(client, config)
}

#[tokio::test]
async fn what_was_learned_survives_a_restart_and_ends_with_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("peers");
    let clock = Clock::manual(NOW);
    let first = discovery(&clock, Some(file.clone()));
    first.introduced(identity(1).peer_id(), &[record(1, "a/b"), record(2, "c/d")]);
    first.tidy(&mut Degraded::default());
    let again = discovery(&clock, Some(file.clone()));
    assert_eq!(again.records(), [record(1, "a/b")]);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);

    clock.advance(registry::record::VALIDITY);
    assert_eq!(again.records(), Vec::<Vec<u8>>::new());
    again.tidy(&mut Degraded::default());
    let left = std::fs::read(&file).unwrap();
    assert_eq!(registry::file::read(&left), Ok(Vec::new()));
}

#[tokio::test]
async fn an_import_takes_what_is_right_and_says_what_is_not() {
    let discovery = discovery(&Clock::manual(NOW), None);
    let (ours, theirs, foreign) = (record(0, "a/b"), record(1, "a/b"), record(2, "c/d"));
    let text = registry::file::write([&ours[..], &theirs, &foreign]);
    let text = format!("{}no record\n", *text);
    let imported = discovery.import(text.as_bytes()).unwrap();
    assert_eq!(imported.taken, [identity(1).peer_id().to_string()]);
    assert_eq!(imported.known, [identity(0).peer_id().to_string()]);
    let refused = imported.refused.iter();
    let refused: Vec<_> = refused.map(|one| (one.line, one.name.as_str())).collect();
    assert_eq!(refused, [(4, "foreign-pool"), (5, "malformed")]);
    let again = discovery.import(text.as_bytes()).unwrap();
    assert_eq!((again.taken.len(), again.known.len()), (0, 2));
}

#[tokio::test]
async fn without_an_address_there_is_no_record_of_ours() {
    let discovery = discovery(&Clock::manual(NOW), None);
    assert_eq!(discovery.look().await, None);
    assert!(discovery.addresses().borrow().is_empty());
}

#[test]
fn our_record_is_made_anew_in_time_and_when_it_is_wrong() {
    let here = [address("/ip4/10.0.0.1/tcp/9000")];
    let there = [here[0].clone(), address("/ip4/10.0.0.2/tcp/9000")];
    let own = Signed::own(&identity(0), &pool("a/b"), &here, NOW, true).unwrap();
    let due = |addresses: &[Multiaddr], now| is_due(Some(&own.record), addresses, now);
    assert!(is_due(None, &here, NOW));
    assert!(!due(&here, NOW) && !due(&here, NOW.plus(Duration::from_secs(1199))));
    assert!(due(&here, NOW.plus(RENEW)) && due(&there, NOW) && due(&[], NOW));
    assert!(due(&here, NOW.minus(Duration::from_secs(1))));
}

#[test]
fn many_addresses_do_not_make_it_anew_each_time() {
    let many: Vec<_> = (1..=20)
        .map(|port| address(&format!("/ip4/10.0.0.1/tcp/{port}")))
        .collect();
    let own = Signed::own(&identity(0), &pool("a/b"), &many, NOW, true).unwrap();
    assert!(!is_due(Some(&own.record), &many, NOW));
}

#[test]
fn others_are_told_of_loopback_only_if_there_is_nothing_else() {
    let local = address("/ip4/127.0.0.1/tcp/1");
    let network = address("/ip4/10.0.0.1/tcp/1");
    let both = vec![local.clone(), network.clone()];
    assert_eq!(reachable(both), slice::from_ref(&network));
    assert_eq!(reachable(vec![local.clone()]), [local]);
    assert_eq!(reachable(Vec::new()), Vec::<Multiaddr>::new());
}

#[test]
fn others_are_not_told_of_addresses_that_mean_another_network_there() {
    let of_the_link = address("/ip6/fe80::1ff:fe23:4567:890a/tcp/1");
    let network = address("/ip6/fd00::1/tcp/1");
    let both = vec![of_the_link.clone(), network.clone()];
    assert_eq!(reachable(both), [network]);
    let local = address("/ip6/::1/tcp/1");
    let with_local = vec![of_the_link, local.clone()];
    assert_eq!(reachable(with_local), [local]);
}

#[tokio::test]
async fn what_a_peer_tells_and_is_not_taken_is_counted_by_its_reason() {
    let discovery = discovery(&Clock::manual(NOW), None);
    let told = [record(1, "c/d"), record(2, "c/d"), b"none".to_vec()];
    discovery.introduced(identity(3).peer_id(), &told);
    let reasons = discovery.client().counts().reasons;
    assert_eq!(reasons.get("record-foreign-pool"), Some(&2));
    assert_eq!(reasons.get("record-malformed"), Some(&1));
}
