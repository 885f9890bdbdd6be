//! Work on the whole store: clearing, listing, pruning, checking.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use super::stage::{Stage, answers, key, named, noise, value};

#[tokio::test]
async fn clearing_removes_everything_for_everybody() {
    let stage = Stage::new();
    let (one, other) = (stage.open(), stage.open());
    for n in 0..300 {
        one.put(key(n), named(n.to_string(), noise(n, 2000)));
    }
    one.put(key(300), named("large", noise(300, 200_000)));
    one.flush().await;
    one.put(key(301), named("waits", "x"));
    assert!(other.clear().await >= 301);
    assert!(one.clear().await <= 1);
    assert!(one.get(&key(7)).is_none() && one.get(&key(301)).is_none());
    let counts = one.counts();
    assert_eq!((counts.entries, counts.bytes), (0, 0));
}

#[tokio::test]
async fn the_largest_are_listed_first() {
    let stage = Stage::new();
    let disk = stage.open();
    for n in [3, 1, 4, 2] {
        disk.put(key(n), named("x", noise(n, 1000 * n as usize)));
    }
    disk.flush().await;
    let keys: Vec<_> = disk.list(3, |key, _| key);
    assert_eq!(keys, [key(4), key(3), key(2)]);
}

#[tokio::test]
async fn pruning_removes_what_was_not_used_for_long_and_then_the_least_recently_used() {
    let stage = Stage::new();
    let daemon = stage.open();
    for n in 0..100 {
        daemon.put(key(n), named("x", noise(n, 5000)));
    }
    daemon.put(key(500), named("x", noise(500, 100_000)));
    daemon.flush().await;
    stage.clock.advance(Duration::from_secs(3600));
    daemon.used(&key(7));
    for n in 100..200 {
        daemon.put(key(n), named("x", noise(n, 5000)));
    }
    daemon.flush().await;

    let command = stage.open();
    let mut told = Vec::new();
    let pruned = command
        .prune(Some(Duration::from_secs(60)), None, &mut |done, of| {
            told.push((done, of));
        })
        .unwrap();
    assert_eq!(pruned.removed, 100);
    assert!(pruned.bytes > 500_000);
    assert_eq!((told[0], *told.last().unwrap()), ((0, 201), (100, 201)));
    assert!(daemon.get(&key(7)).is_some() && daemon.get(&key(100)).is_some());
    assert!(daemon.get(&key(8)).is_none() && daemon.get(&key(500)).is_none());

    let pruned = command.prune(None, Some(200_000), &mut |_, _| {}).unwrap();
    assert!(pruned.removed > 50, "{pruned:?}");
    assert!(daemon.counts().bytes <= 200_000);
    assert!(daemon.counts().entries > 10);
    let directory = fs::read_dir(stage.config().directory).unwrap();
    let database: u64 = directory
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(database < 600_000, "{database}: the space was given back");
}

#[tokio::test]
async fn checking_drops_what_nobody_wrote_and_files_that_nothing_names() {
    let stage = Stage::new();
    let daemon = stage.open();
    for n in 0..200 {
        daemon.put(key(n), answers([(noise(n, 2000), 1)]));
    }
    daemon.put(key(500), named("x", noise(500, 100_000)));
    daemon.flush().await;
    // Somebody changes a record, and a process dies before it could name a body.
    let forged =
        "UPDATE record SET bytes = CAST(substr(bytes, 1, 60) || 'x' || substr(bytes, 62) AS BLOB)
                  WHERE id IN (SELECT id FROM record LIMIT 3)";
    super::secrets::with_database(&stage, forged);
    let folder = stage.config().directory.join("bodies/00");
    fs::create_dir_all(&folder).unwrap();
    for (name, age) in [("00000000000000000000000000000001", 7200), ("young", 10)] {
        let file = File::create(folder.join(name)).unwrap();
        let made =
            SystemTime::UNIX_EPOCH + Duration::from_secs(super::stage::START.as_secs() - age);
        file.set_modified(made).unwrap();
    }

    let mut last = (0, 0);
    let verified = daemon.verify(&mut |done, of| last = (done, of)).unwrap();
    assert_eq!(
        (verified.sound, verified.dropped, verified.orphans_removed),
        (198, 3, 1)
    );
    assert_eq!(last, (201, 201));
    assert!(folder.join("young").exists());
    assert_eq!(daemon.counts().entries, 198);
    assert!(daemon.get(&key(500)).is_some());
}

#[tokio::test]
async fn everything_is_shown_until_somebody_has_seen_enough() {
    let stage = Stage::new();
    let disk = stage.open();
    for n in 0..150 {
        disk.put(key(n), named("x", n.to_string()));
    }
    let mut seen = std::collections::BTreeSet::new();
    disk.each(&mut |key, slot| seen.insert((key, value(Some(slot)).unwrap())))
        .unwrap();
    assert_eq!(seen.len(), 150, "what waited is written first");
    let mut shown = 0;
    disk.each(&mut |_, _| {
        shown += 1;
        shown < 10
    })
    .unwrap();
    assert_eq!(shown, 10);
}
