//! What must never be on a disk, and whose a store is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ghswarm::api::Shareable;
use ghswarm::api::validator::{self, quoted};
use ghswarm::digest::Digest;
use ghswarm::secret::LocalSecret;
use ghswarm::store::disk::{Disk, Error};
use ghswarm::store::{Entry, Slot};

use super::stage::{Stage, count, credential, entry, grant, key, named, noise, variant};

const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";

/// Every file under `directory` with its bytes.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if entry.metadata().unwrap().is_dir() {
            all.extend(files(&entry.path()));
        } else {
            let name = entry.path().to_string_lossy().into_owned();
            all.push((name, fs::read(entry.path()).unwrap()));
        }
    }
    all
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[tokio::test]
async fn no_token_and_nothing_hashed_from_one_is_in_any_file() {
    let stage = Stage::new();
    let authorization = format!("Bearer {TOKEN}");
    let body = b"{\"full_name\":\"o/r\"}".to_vec();
    let public = variant(body.clone(), 1);
    let ghswarm::store::Scheme::Hashed(vary) = public.scheme else {
        unreachable!("a hashed variant");
    };
    let etag = validator::computed(vary, b"*/*", Some(authorization.as_bytes()), &body);
    let opaque = "\"0123456789abcdef0123456789abcdef01234567\"";
    let mut own = variant(format!("{{\"temp_clone_token\":\"{TOKEN}\"}}"), 2);
    own.shareable = Shareable::OnlyReceiver;
    let large = variant(noise(1, 100_000), 3);

    let mut hashed = grant(credential(TOKEN), &public);
    hashed.etag = Some(quoted(&etag).into());
    let mut git = grant(credential("ghs_other"), &large);
    git.etag = Some(opaque.into());
    let received = grant(credential("ghs_third"), &own);
    let slot = Entry::default()
        .with_variant(large)
        .with_variant(public)
        .with_variant(own)
        .with_grant(hashed)
        .with_grant(git)
        .with_grant(received);
    {
        let disk = stage.open();
        disk.put(key(1), Slot::Answers(Arc::new(slot)));
        disk.flush().await;
        let here = entry(disk.get(&key(1))).unwrap();
        assert_eq!((here.variants.len(), here.grants.len()), (2, 2));
        assert_eq!(
            here.grant(credential("ghs_other")).unwrap().etag.as_deref(),
            Some(opaque)
        );
        assert_eq!(here.grant(credential(TOKEN)).unwrap().etag, None);
        // With the handle open there is a log beside the database.
        let all = files(stage.directory.path());
        assert!(all.iter().any(|(name, _)| name.ends_with("-wal")));
        assert!(all.iter().any(|(name, _)| name.contains("bodies")));
        let plain = |value: &str| Digest::of([value.as_bytes()]);
        for (name, bytes) in &all {
            for digest in [plain(TOKEN), plain(&authorization), etag] {
                assert!(!contains(bytes, digest.as_bytes()), "{name}");
                assert!(!contains(bytes, digest.hex().as_bytes()), "{name}");
            }
            assert!(!contains(bytes, TOKEN.as_bytes()), "{name}");
        }
        assert!(
            all.iter()
                .any(|(_, bytes)| contains(bytes, opaque.as_bytes()))
        );
    }
}

#[tokio::test]
async fn nobody_else_can_look_into_it() {
    use std::os::unix::fs::MetadataExt as _;
    let stage = Stage::new();
    let disk = stage.open();
    disk.put(key(1), named("x", noise(1, 200_000)));
    disk.flush().await;
    let mut open = vec![stage.config().directory];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let found = fs::metadata(&path).unwrap();
        assert_eq!(found.mode() & 0o077, 0, "{}", path.display());
        seen += 1;
        if found.is_dir() {
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    assert!(
        seen > 6,
        "database, log, index of the log, current, lock, body"
    );
}

#[tokio::test]
async fn a_store_written_under_another_secret_is_begun_anew() {
    let stage = Stage::new();
    let disk = stage.open();
    disk.put(key(1), named("x", "mine"));
    drop(disk);
    let other = || {
        Disk::open(
            &stage.config(),
            &LocalSecret::new([8; 32]),
            stage.clock.clone(),
        )
    };
    let disk = other().unwrap();
    assert!(disk.get(&key(1)).is_none());
    disk.put(key(2), named("x", "theirs"));
    drop(disk);
    assert!(other().unwrap().get(&key(2)).is_some());
    assert!(stage.open().get(&key(2)).is_none());
}

/// Changes the database behind the store's back.
pub(super) fn with_database(stage: &Stage, statements: &str) {
    let directory = stage.config().directory;
    let current = fs::read_to_string(directory.join("current")).unwrap();
    let database = rusqlite::Connection::open(directory.join(format!("{current}.db"))).unwrap();
    database.execute_batch(statements).unwrap();
}

#[tokio::test]
async fn a_newer_version_s_store_is_left_alone_and_an_older_one_s_is_replaced() {
    let stage = Stage::new();
    let disk = stage.open();
    disk.put(key(1), named("x", "new"));
    drop(disk);
    with_database(
        &stage,
        "UPDATE owner SET mark = x'00'; PRAGMA user_version = 2;",
    );
    let before = files(&stage.config().directory);
    let error = stage.try_open().unwrap_err();
    assert!(matches!(error, Error::Newer(_)), "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
    assert_eq!(files(&stage.config().directory).len(), before.len());

    with_database(&stage, "PRAGMA user_version = 0;");
    let disk = stage.open();
    assert_eq!(disk.counts().entries, 0);
    disk.put(key(2), named("x", "anew"));
    disk.flush().await;
    assert!(disk.get(&key(2)).is_some());
}

#[tokio::test]
async fn a_daemon_goes_on_without_a_disk_when_a_newer_version_takes_over() {
    let stage = Stage::new();
    let disk = stage.open();
    disk.put(key(1), named("x", "old"));
    disk.flush().await;
    // As the newer version would: another database, and `current` names it.
    let directory = stage.config().directory;
    fs::remove_file(directory.join("current")).unwrap();
    drop(stage.open());
    with_database(
        &stage,
        "UPDATE owner SET mark = x'00'; PRAGMA user_version = 2;",
    );
    disk.put(key(2), named("x", "waits"));
    disk.flush().await;
    assert!(count(&disk, "disk-newer") > 0);
    assert!(disk.get(&key(2)).is_some(), "from what waits");
}
