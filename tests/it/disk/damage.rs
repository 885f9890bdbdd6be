//! Damaged files: no wrong byte is ever returned, and the store can be used afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use ghswarm::store::Disk;

use super::stage::{Stage, answers, count, entry, key, named, noise, value};
use crate::needs;

/// Things in a store that is to be damaged: answers, values, and some in files of their own.
const THINGS: u32 = 80;

fn length(n: u32) -> usize {
    match n % 10 {
        0 => 70_000,
        1 => 9000,
        _ => 700,
    }
}

/// A store with everything in it, its log not yet in its database.
fn template() -> tempfile::TempDir {
    let stage = Stage::new();
    let disk = stage.open();
    for n in 0..THINGS / 2 {
        disk.put(key(n), answers([(noise(n, length(n)), 1)]));
    }
    drop(disk);
    let disk = stage.open();
    for n in THINGS / 2..THINGS {
        disk.put(key(n), named(n.to_string(), noise(n, length(n))));
    }
    disk.verify(&mut |_, _| {}).unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_all(stage.directory.path(), copy.path());
    copy
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A stage whose store is a copy of `template`.
fn staged(template: &tempfile::TempDir) -> Stage {
    let stage = Stage::new();
    copy_all(template.path(), stage.directory.path());
    stage
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.metadata().unwrap().is_dir() {
            all.extend(files(&entry.path()));
        } else if entry.metadata().unwrap().len() > 0 {
            all.push(entry.path());
        }
    }
    all.sort();
    all
}

/// Reads everything; all that is there must be what was written. Says how much is there.
fn read_all(disk: &Disk) -> u32 {
    let mut there = 0;
    for n in 0..THINGS {
        let slot = disk.get(&key(n));
        there += u32::from(slot.is_some());
        let body = if n < THINGS / 2 {
            entry(slot).map(|entry| entry.variants[0].body.clone())
        } else {
            value(slot)
        };
        if let Some(body) = body {
            assert_eq!(body, noise(n, length(n)), "{n}");
        }
    }
    there
}

/// What must hold of a store whatever was done to its files. Says how much of it is left.
async fn holds(stage: &Stage, damaged: &Path) -> u32 {
    let is_log = damaged.to_string_lossy().contains(".db-");
    let disk = stage.open();
    let there = read_all(&disk);
    // The writer may be copying what is sound over to a new database.
    disk.flush().await;
    let later = read_all(&disk);
    disk.put(key(1000), named("new", "new"));
    disk.flush().await;
    assert_eq!(value(disk.get(&key(1000))).unwrap(), "new");
    let verified = disk.verify(&mut |_, _| {}).unwrap();
    let left = read_all(&disk);
    assert_eq!(verified.sound, u64::from(left) + 1, "{there} {later}");
    let again = disk.verify(&mut |_, _| {}).unwrap();
    assert_eq!((again.sound, again.dropped), (verified.sound, 0));
    // What SQLite finds damaged in its log it drops without a word, as after a crash of the machine.
    if left < THINGS && !is_log {
        let reasons = disk.counts().reasons;
        assert!(reasons.iter().any(|(_, count)| *count > 0), "{left}");
    }
    left
}

#[tokio::test]
async fn a_flipped_bit_costs_little_and_shows_nothing_wrong() {
    let template = template();
    let rounds = if needs::environment("GHSWARM_SOAK").is_some() {
        2000
    } else {
        60
    };
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |end: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 20) % end
    };
    let mut lost = 0;
    for _ in 0..rounds {
        let stage = staged(&template);
        let all = files(stage.directory.path());
        let file = &all[usize::try_from(next(all.len() as u64)).unwrap()];
        let mut bytes = fs::read(file).unwrap();
        let at = usize::try_from(next(bytes.len() as u64)).unwrap();
        bytes[at] ^= 1 << next(8);
        replace(file, &bytes);
        lost += THINGS - holds(&stage, file).await;
    }
    assert!(lost > 0, "some of it must have hit something");
    assert!(lost < rounds * THINGS / 4, "{lost} lost in {rounds} rounds");
}

#[expect(
    clippy::disallowed_methods,
    reason = "damage need not be done in one step"
)]
fn replace(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn files_cut_emptied_or_overwritten_cost_no_more_than_what_was_in_them() {
    let template = template();
    let all = files(template.path());
    assert!(
        all.iter()
            .any(|file| file.to_string_lossy().ends_with(".db-wal"))
    );
    let bodies = all
        .iter()
        .position(|file| file.to_string_lossy().contains("bodies"));
    let others = all
        .iter()
        .filter(|file| !file.to_string_lossy().contains("bodies"));
    for file in others.chain([&all[bodies.unwrap()]]) {
        let name = file.strip_prefix(template.path()).unwrap();
        let bytes = fs::read(file).unwrap();
        let half = &bytes[..bytes.len() / 2];
        let zeros = vec![0; bytes.len()];
        let garbage = noise(9, bytes.len());
        for damaged in [half, &[][..], &zeros, &garbage] {
            let stage = staged(&template);
            replace(&stage.directory.path().join(name), damaged);
            let left = holds(&stage, name).await;
            if !name.to_string_lossy().contains(".db") {
                assert!(left + 1 >= THINGS, "{left} left after {}", name.display());
            }
        }
    }
}

#[tokio::test]
async fn a_damaged_database_is_replaced_under_running_daemons_and_its_sound_half_is_kept() {
    let template = template();
    let stage = staged(&template);
    drop(stage.open());
    // Its second half, where inner pages of both tables are not.
    let database = files(stage.directory.path())
        .into_iter()
        .find(|file| file.extension().is_some_and(|ending| ending == "db"))
        .unwrap();
    let (one, other) = (stage.open(), stage.open());
    let mut bytes = fs::read(&database).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xA5);
    replace(&database, &bytes);
    for disk in [&one, &other] {
        read_all(disk);
        disk.flush().await;
    }
    one.put(key(1000), named("new", "new"));
    one.flush().await;
    other.flush().await;
    assert_eq!(value(one.get(&key(1000))).unwrap(), "new");
    assert_eq!(value(other.get(&key(1000))).unwrap(), "new");
    let left = read_all(&one);
    assert!(left > 5, "{left}");
    assert!(count(&one, "disk-corrupt") + count(&other, "disk-corrupt") > 0);
    let databases = fs::read_dir(stage.config().directory).unwrap();
    let databases = databases
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|ending| ending == "db")
        })
        .count();
    assert_eq!(databases, 1, "the damaged one is gone");
}

#[tokio::test]
async fn an_entry_with_one_bad_body_keeps_the_other() {
    let stage = Stage::new();
    let disk = stage.open();
    disk.put(
        key(1),
        answers([(noise(1, 100_000), 1), (noise(2, 500), 2)]),
    );
    drop(disk);
    let body = files(&stage.config().directory.join("bodies")).remove(0);
    let mut bytes = fs::read(&body).unwrap();
    bytes[50_000] ^= 1;
    replace(&body, &bytes);

    let disk = stage.open();
    let held = entry(disk.get(&key(1))).unwrap();
    assert_eq!(held.variants.len(), 1);
    assert_eq!(held.variants[0].body, noise(2, 500));
    assert_eq!(held.grants.len(), 1);
    disk.flush().await;
    assert_eq!(count(&disk, "disk-body-unsound"), 1);
    assert!(!body.exists(), "it went with its record");
    assert_eq!(disk.verify(&mut |_, _| {}).unwrap().dropped, 0);
}
