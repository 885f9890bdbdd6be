//! The files of the older Python caches, good and hostile.

use std::os::unix::fs::symlink;
use std::process::Stdio;

use ghswarm::clock::Clock;
use ghswarm::files::write_atomic;
use serde_json::Value;

use super::shelf::{Shelf, key_of};
use crate::cli::Sandbox;

/// As Python's json.dumps writes an entry.
fn file(key: Option<&str>, data: &str, age: u64, ttl: u64) -> String {
    let key = key.map_or_else(String::new, |key| format!("\"cache_key\": \"{key}\", "));
    let timestamp = Clock::system().now().as_secs() - age;
    format!(
        r#"{{{key}"data": {data}, "timestamp": {timestamp}.5, "ttl": {ttl}, "content_hash": null, "validation_fields": null}}"#
    )
}

#[tokio::test]
async fn a_directory_of_older_files_becomes_values_and_candidates() {
    let sandbox = Sandbox::new().await;
    let older = sandbox.home().join("github_cli");
    std::fs::create_dir_all(older.join("github_cache")).unwrap();
    let write = |name: &str, text: &str| write_atomic(&older.join(name), text.as_bytes()).unwrap();
    let runs = file(
        Some("list_workflow_runs:branch=main:repo=o/r"),
        r#"[{"id": 1}]"#,
        10,
        3600,
    );
    write("list_workflow_runs_branch=main_repo=o_r.json", &runs);
    write("list_repos_owner=o.json", &file(None, "null", 10, 3600));
    write("gone.json", &file(Some("op:gone"), "1", 100, 60));
    // Expired, but GitHub will say whether it is still so.
    let raw = r#"{"id": 1, "name": "\u00fc"}"#;
    write(
        "gh_api__repos_o_r_().json",
        &file(Some("gh_api:/repos/o/r:()"), raw, 1000, 60),
    );
    let many = format!(r#"{{"repo:o/r": {}, "odd": 7}}"#, file(None, "{}", 1, 3600));
    write("github_cache/cache.json", &many);

    let said = import(&sandbox).await;
    assert_eq!(
        (&said["values"], &said["candidates"], &said["expired"]),
        (&3.into(), &2.into(), &2.into()),
        "{said}"
    );
    assert_eq!(said["rejected"]["malformed"], 1, "{said}");
    let shelf = Shelf::open(&sandbox.home().join("new"));
    let kept = shelf
        .value("list_workflow_runs", "branch=main:repo=o/r")
        .unwrap();
    assert_eq!(
        (&kept.value[..], kept.lifetime.as_secs()),
        (&b"[{\"id\":1}]"[..], 3600)
    );
    assert!(
        kept.stored_at < Clock::system().now(),
        "only what is left of its lifetime"
    );
    assert_eq!(
        shelf.value("default", "list_repos_owner=o").unwrap().value,
        "null"
    );
    assert!(shelf.value("repo", "o/r").is_some() && shelf.value("op", "gone").is_none());
    let candidate = shelf.entry(&key_of("/repos/o/r")).unwrap();
    assert_eq!(candidate.variants[0].body, "{\"id\":1,\"name\":\"\u{fc}\"}");
    assert!(candidate.grants.is_empty() && candidate.variants[0].kinds == 0);
}

#[tokio::test]
async fn what_else_is_in_a_directory_is_skipped_by_name() {
    let sandbox = Sandbox::new().await;
    let older = sandbox.home().join("github_cli");
    std::fs::create_dir_all(older.join("1/2/3/4/5/6")).unwrap();
    let write = |name: &str, text: &str| write_atomic(&older.join(name), text.as_bytes()).unwrap();
    let outside = sandbox.home().join("outside.json");
    write_atomic(&outside, file(Some("op:outside"), "1", 1, 3600).as_bytes()).unwrap();
    symlink(&outside, older.join("link.json")).unwrap();
    symlink("..", older.join("loop")).unwrap();
    let pipe = older.join("pipe.json");
    let pipe = std::process::Command::new("mkfifo")
        .arg(pipe)
        .stdin(Stdio::null())
        .status();
    assert!(pipe.unwrap().success());
    write("garbage.json", "{\"data\": ");
    write("other.json", "{\"name\": \"package\"}");
    write("notes.txt", "not ours, and not our business");
    let huge = std::fs::File::create(older.join("huge.json")).unwrap();
    huge.set_len(200 << 20).unwrap();
    write("1/2/3/4/5/deep.json", &file(Some("op:deep"), "1", 1, 3600));
    write("good.json", &file(Some("op:good"), "1", 1, 3600));

    let said = import(&sandbox).await;
    assert_eq!(
        (&said["values"], &said["files"]),
        (&1.into(), &1.into()),
        "{said}"
    );
    let name = |row: &Value| {
        let path = row["path"].as_str().unwrap();
        path.rsplit('/').next().unwrap().to_owned()
    };
    let mut skipped: Vec<_> = said["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect();
    skipped.sort_unstable();
    assert_eq!(
        skipped,
        [
            "4",
            "garbage.json",
            "huge.json",
            "link.json",
            "loop",
            "other.json",
            "pipe.json"
        ]
    );
}

/// Imports the directory: whatever is in it, that succeeds.
async fn import(sandbox: &Sandbox) -> Value {
    let line = [
        "cache",
        "import",
        "github_cli",
        "--cache-dir",
        "new",
        "--format",
        "json",
    ];
    sandbox.run(line).await.ok().json()
}

#[tokio::test]
async fn a_named_file_that_cannot_be_read_is_a_failure() {
    let sandbox = Sandbox::new().await;
    write_atomic(&sandbox.home().join("other.json"), b"{}").unwrap();
    for (path, why) in [
        ("other.json", "neither a snapshot"),
        ("nowhere", "No such file"),
        (".config", "No such file"),
    ] {
        let said = sandbox.run(["cache", "import", path]).await;
        assert!(
            said.code == 1 && said.stderr.contains(why),
            "{path}: {}",
            said.stderr
        );
    }
    assert_eq!(sandbox.run(["cache", "import"]).await.code, 2);
}
