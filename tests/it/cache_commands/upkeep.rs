//! `cache prune` and `verify`.

use std::path::{Path, PathBuf};

use super::shelf::{Shelf, answer};
use crate::cli::Sandbox;

/// All files below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A body that becomes a file of its own and cannot be compressed away.
fn large(seed: u32) -> String {
    let noise = (0..8000_u32)
        .map(|n| ghswarm::digest::Digest::of([&(n ^ seed << 16).to_le_bytes()[..]]).hex());
    format!("\"{}\"", noise.collect::<String>())
}

#[tokio::test]
async fn damage_is_found_healed_and_told() {
    let sandbox = Sandbox::new().await;
    let cache = sandbox.home().join("cache");
    let shelf = Shelf::open(&cache);
    let users = ["a", "b", "c"].map(|user| {
        answer(
            &format!("/users/{user}"),
            &large(u32::from(user.as_bytes()[0])),
            true,
        )
    });
    shelf.put(users).await;
    let verify = || {
        sandbox.run([
            "cache",
            "verify",
            "--check",
            "--format",
            "json",
            "--cache-dir",
            "cache",
        ])
    };
    let sound = verify().await.ok().json();
    assert_eq!((&sound["sound"], &sound["dropped"]), (&3.into(), &0.into()));

    let bodies = files(&shelf.store);
    let body = bodies.iter().max_by_key(|path| {
        let is_database = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .contains("sqlite")
            || path.file_name().unwrap().to_string_lossy().contains(".db");
        if is_database {
            0
        } else {
            path.metadata().unwrap().len()
        }
    });
    let body = body.unwrap();
    let mut bytes = std::fs::read(body).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    ghswarm::files::write_atomic(body, &bytes).unwrap();

    let found = verify().await;
    assert_eq!(found.code, 1, "{}", found.stderr);
    assert_eq!(
        (&found.json()["sound"], &found.json()["dropped"]),
        (&2.into(), &1.into())
    );
    let healed = sandbox
        .run(["cache", "verify", "--cache-dir", "cache"])
        .await
        .ok();
    assert!(
        healed.stderr.contains("nothing is damaged"),
        "{}",
        healed.stderr
    );
}

#[tokio::test]
async fn pruning_leaves_what_fits_while_a_daemon_has_the_store_open() {
    let sandbox = Sandbox::new().await;
    let cache = sandbox.home().join("cache");
    // Open in this process all the time, as in a daemon.
    let shelf = Shelf::open(&cache);
    let users = (0..20).map(|user| answer(&format!("/users/u{user}"), &large(user), true));
    shelf.put(users).await;
    let prune = |flags: [&'static str; 2]| {
        let line = ["cache", "prune", "--format", "json", "--cache-dir", "cache"];
        sandbox.run(line.into_iter().chain(flags).collect::<Vec<_>>())
    };
    let said = prune(["--older-than", "1h"]).await.ok().json();
    assert_eq!(
        (&said["removed"], &said["entries"]),
        (&0.into(), &20.into()),
        "{said}"
    );
    let said = prune(["--down-to", "2MiB"]).await.ok().json();
    let (removed, left) = (
        said["removed"].as_u64().unwrap(),
        said["entries"].as_u64().unwrap(),
    );
    assert!(removed > 0 && left > 0 && removed + left == 20, "{said}");
    assert!(said["bytes"].as_u64().unwrap() <= 2 << 20, "{said}");
    assert_eq!(shelf.count() as u64, left);
    let said = prune(["--down-to", "0"]).await.ok().json();
    assert_eq!(said["entries"], 0, "{said}");
    assert_eq!(sandbox.run(["cache", "prune"]).await.code, 2, "of what?");
}
