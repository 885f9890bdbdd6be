//! What the fuzzers found worth keeping still holds.

use std::path::Path;

use crate::properties;

fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut replayed = 0;
    for file in folder.read_dir().unwrap() {
        let path = file.unwrap().path();
        property(&std::fs::read(&path).unwrap());
        replayed += 1;
    }
    assert!(replayed >= 10, "{target}: only {replayed} inputs");
}

#[test]
fn targets() {
    replay("key", properties::key);
}

#[test]
fn links() {
    replay("link", properties::link);
}

#[test]
fn directives() {
    replay("cache_control", properties::cache_control);
}

#[test]
fn queries() {
    replay("graphql", properties::graphql);
}

#[test]
fn messages() {
    replay("wire", properties::wire);
}

#[test]
fn admissions() {
    replay("admission", properties::admission);
}
