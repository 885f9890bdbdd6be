//! Work on the whole store: clearing, listing, pruning, checking.

use super::stage::{Stage, key, named, noise};

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
    let keys: Vec<_> = disk.list(3).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [key(4), key(3), key(2)]);
}
