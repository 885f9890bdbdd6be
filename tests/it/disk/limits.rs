//! The size of the store, and what goes when it is reached.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use super::stage::{Stage, key, named, noise};

/// Bytes of all files under `directory`.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let sizes = entries.map(|entry| {
        let found = entry.metadata().unwrap();
        if found.is_dir() {
            size(&entry.path())
        } else {
            found.size()
        }
    });
    sizes.sum()
}

#[tokio::test]
async fn the_limit_holds_while_writing_and_after_a_restart() {
    const LIMIT: u64 = 2 << 20;
    let stage = Stage::with_limit(LIMIT);
    let disk = stage.open();
    for n in 0..2000 {
        let length = if n % 50 == 0 { 80_000 } else { 3000 };
        disk.put(key(n), named("x", noise(n, length)));
        if n % 200 == 199 {
            disk.flush().await;
            stage.clock.advance(Duration::from_secs(1));
            assert!(disk.counts().bytes <= LIMIT);
        }
    }
    let counts = disk.counts();
    assert!(counts.evictions > 1000, "{counts:?}");
    assert!(counts.entries > 100, "{counts:?}");
    assert!(disk.get(&key(1999)).is_some(), "the last one is there");
    assert!(disk.get(&key(1)).is_none(), "the first one is not");
    drop(disk);
    let taken = size(&stage.config().directory);
    assert!(taken <= LIMIT + LIMIT / 10, "{taken}");

    let stage = Stage {
        limit: LIMIT / 4,
        ..stage
    };
    let disk = stage.open();
    stage.clock.advance(Duration::from_secs(1));
    disk.put(key(3000), named("x", noise(3000, 3000)));
    disk.flush().await;
    assert!(disk.counts().bytes <= LIMIT / 4);
    assert!(disk.get(&key(3000)).is_some());
}

#[tokio::test]
async fn what_is_used_stays_longest() {
    let stage = Stage::with_limit(1 << 20);
    let disk = stage.open();
    for n in 0..100 {
        disk.put(key(n), named("x", noise(n, 5000)));
    }
    disk.flush().await;
    stage.clock.advance(Duration::from_secs(600));
    disk.used(&key(7));
    for n in 100..250 {
        disk.put(key(n), named("x", noise(n, 5000)));
    }
    disk.flush().await;
    assert!(disk.counts().evictions > 0);
    assert!(disk.get(&key(7)).is_some(), "it was used since");
    let of_its_age = (0..100).filter(|&n| disk.get(&key(n)).is_some()).count();
    assert!(of_its_age < 60, "{of_its_age}");
}

#[tokio::test]
async fn what_is_larger_than_the_store_is_not_written() {
    let stage = Stage::with_limit(1 << 20);
    let disk = stage.open();
    disk.put(key(1), named("x", noise(1, 3000)));
    disk.put(key(2), named("x", noise(2, 2 << 20)));
    disk.flush().await;
    assert!(disk.get(&key(2)).is_none());
    assert!(disk.get(&key(1)).is_some());
    assert_eq!(super::stage::count(&disk, "disk-too-large"), 1);
}
