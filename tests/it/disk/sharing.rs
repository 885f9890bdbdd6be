//! What is put is there, after a restart and for others.

use bytes::Bytes;

use super::stage::{Stage, answers, entry, key, named, noise, value};

#[tokio::test]
async fn what_was_flushed_is_there_after_a_restart_and_what_waits_is_read_before_that() {
    let stage = Stage::new();
    let disk = stage.open();
    disk.put(key(1), named("a", "one"));
    assert_eq!(value(disk.get(&key(1))).unwrap(), "one");
    disk.put(key(2), answers([(noise(2, 5000), 1)]));
    disk.flush().await;
    assert_eq!(disk.counts().entries, 2);
    drop(disk);

    let disk = stage.open();
    assert_eq!(disk.counts().entries, 2);
    assert_eq!(value(disk.get(&key(1))).unwrap(), "one");
    let held = entry(disk.get(&key(2))).unwrap();
    assert_eq!(held.variants[0].body, noise(2, 5000));
    assert_eq!(held.grants.len(), 1);
    assert!(disk.get(&key(3)).is_none());
}

#[tokio::test]
async fn keys_are_any_bytes_and_nothing_is_a_value_too() {
    let stage = Stage::new();
    let disk = stage.open();
    let names: [Bytes; 7] = [
        "a/b".into(),
        "a:b".into(),
        "a_b".into(),
        "a\0b".into(),
        "".into(),
        "k".repeat(300).into(),
        noise(0, 1 << 20),
    ];
    let keys = |name: &Bytes| ghswarm::api::key::named("story", name);
    for (name, content) in names.iter().zip(["null", "", "{}", "3", "4", "5", "6"]) {
        disk.put(keys(name), named(name.clone(), content));
    }
    drop(disk);
    let disk = stage.open();
    for (name, content) in names.iter().zip(["null", "", "{}", "3", "4", "5", "6"]) {
        assert_eq!(value(disk.get(&keys(name))).unwrap(), content);
    }
    assert_eq!(disk.counts().entries, 7);
}

#[tokio::test]
async fn two_daemons_see_what_the_other_wrote_and_neither_forgets_what_the_other_knew() {
    let stage = Stage::new();
    let (one, other) = (stage.open(), stage.open());
    one.put(key(1), answers([(noise(1, 3000), 10)]));
    one.flush().await;
    assert!(other.get(&key(1)).is_some());
    other.put(key(1), answers([(noise(2, 3000), 5)]));
    other.flush().await;

    let held = entry(one.get(&key(1))).unwrap();
    let bodies: Vec<_> = held
        .variants
        .iter()
        .map(|variant| variant.body.clone())
        .collect();
    assert_eq!(
        bodies,
        [noise(1, 3000), noise(2, 3000)],
        "the later question first"
    );
    assert_eq!(held.grants.len(), 2);
    assert_eq!((one.counts().entries, other.counts().entries), (1, 1));

    assert!(one.remove(key(1)).await);
    assert!(other.get(&key(1)).is_none());
    assert!(!other.remove(key(1)).await);
}
