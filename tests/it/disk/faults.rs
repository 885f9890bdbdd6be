//! What a machine does to a store: kills, full and read-only disks, somebody who removes it.

use std::process::Command;

use super::child::{WRITES, Writer, body};
use super::stage::{Stage, count, entry, key, named, value};
use crate::needs;

fn rounds(usually: u32, soak: u32) -> u32 {
    if needs::environment("GHSWARM_SOAK").is_some() {
        soak
    } else {
        usually
    }
}

#[test]
fn nothing_that_was_flushed_is_lost_when_the_writer_is_killed() {
    for round in 0..rounds(3, 20) {
        let stage = Stage::new();
        let mut writer = Writer::start(&stage.config().directory);
        let until = 1000 + round * 3700 % (WRITES - 2000);
        let mut flushed = 0;
        while flushed < until {
            flushed = writer.report().expect("a child that writes").0;
        }
        writer.kill();

        let disk = stage.open();
        for n in 0..flushed {
            let held = entry(disk.get(&key(n)));
            let held = held.unwrap_or_else(|| panic!("{n} of {flushed} is lost"));
            assert_eq!(held.variants[0].body, body(n));
        }
        let verified = disk.verify(&mut |_, _| {}).unwrap();
        assert_eq!(verified.dropped, 0);
        assert!(verified.sound >= u64::from(flushed));
        assert_eq!(count(&disk, "disk-renewed"), 0);
    }
}

#[test]
fn a_full_disk_fails_nothing_and_is_counted() {
    let Some(unshare) = needs::program("unshare") else {
        return needs::skip("unshare");
    };
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(unshare);
    // A file system of one MiB that only the child sees.
    let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" || exit 77; exec \"$@\"";
    command.args(["-rm", "sh", "-c", script]).arg(root.path());
    command.arg(Writer::program());
    let mut writer = Writer::spawn(command, &root.path().join("store"));
    let mut last = None;
    while let Some(report) = writer.report() {
        last = Some(report);
    }
    let ended_well = writer.wait();
    let Some((written, full)) = last else {
        return needs::skip("mount");
    };
    assert!(ended_well, "the child failed");
    assert_eq!(written, WRITES, "nothing waits for a full disk");
    assert!(full > 0, "it was full");
}

#[tokio::test]
async fn a_directory_that_is_removed_is_made_again() {
    let stage = Stage::new();
    let (one, other) = (stage.open(), stage.open());
    one.put(key(1), named("a", "old"));
    one.flush().await;
    std::fs::remove_dir_all(&stage.config().directory).unwrap();

    one.put(key(2), named("b", "new"));
    one.flush().await;
    other.put(key(3), named("c", "newer"));
    other.flush().await;
    for disk in [&one, &other] {
        assert_eq!(value(disk.get(&key(2))).unwrap(), "new");
        assert_eq!(value(disk.get(&key(3))).unwrap(), "newer");
        assert!(disk.get(&key(1)).is_none());
    }
    assert!(count(&one, "disk-gone") > 0);
    drop((one, other));
    let disk = stage.open();
    assert_eq!(disk.counts().entries, 2);
    assert_eq!(disk.verify(&mut |_, _| {}).unwrap().sound, 2);
}

#[tokio::test]
async fn a_database_that_is_removed_takes_nothing_else_with_it() {
    let stage = Stage::new();
    let disk = stage.open();
    disk.put(key(1), named("a", "old"));
    disk.flush().await;
    for file in std::fs::read_dir(&stage.config().directory).unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().contains(".db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    disk.put(key(2), named("b", "new"));
    disk.flush().await;
    assert_eq!(value(disk.get(&key(2))).unwrap(), "new");
    drop(disk);
    assert_eq!(value(stage.open().get(&key(2))).unwrap(), "new");
}

#[test]
fn a_read_only_directory_is_an_error_that_names_it() {
    let Some(unshare) = needs::program("unshare") else {
        return needs::skip("unshare");
    };
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(unshare);
    let script = "mount -t tmpfs -o size=1m,ro tmpfs \"$0\" || exit 77; exec \"$@\"";
    command.args(["-rm", "sh", "-c", script]).arg(root.path());
    command.arg(Writer::program());
    let mut writer = Writer::spawn(command, &root.path().join("store"));
    assert_eq!(writer.report(), None);
    assert!(
        !writer.wait(),
        "it opened a store where nothing can be written"
    );
}
