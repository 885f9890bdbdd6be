//! `cache export` and `import`: what leaves a machine, and what another makes of it.

use std::os::unix::fs::PermissionsExt as _;

use crate::cli::{Ran, Sandbox};
use ghswarm::files::write_atomic;

use super::shelf::{Shelf, answer, key_of, value};

const PUBLIC: &str = "/repos/octo-org/hello";
const PRIVATE: &str = "/repos/octo-org/secret-plans";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A machine that knows a public repository, a private one, a query and a value.
async fn full(sandbox: &Sandbox) {
    let shelf = Shelf::open(&sandbox.home().join("full"));
    let query = answer(
        "/graphql",
        r#"{"data":{"viewer":"of one credential"}}"#,
        false,
    );
    shelf
        .put([
            answer(PUBLIC, r#"{"name":"hello, world"}"#, true),
            answer(
                PRIVATE,
                r#"{"name":"plans of the private repository"}"#,
                false,
            ),
            query,
            value("lint", "report", "value of a script", 3600),
            value("lint", "old", "expired", 0),
        ])
        .await;
}

async fn export(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let line = ["cache", "export", "--cache-dir", "full", "--format", "json"];
    sandbox.run(line.iter().chain(more)).await
}

async fn import(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let line = [
        "cache",
        "import",
        "--cache-dir",
        "empty",
        "--format",
        "json",
    ];
    sandbox.run(line.iter().chain(more)).await
}

#[tokio::test]
async fn a_public_snapshot_has_what_anybody_can_read_and_no_more() {
    let sandbox = Sandbox::new().await;
    full(&sandbox).await;
    let said = export(&sandbox, &["snapshot"]).await.ok().json();
    assert_eq!(
        (
            &said["exported"],
            &said["not_public"],
            &said["values_unsealed"],
            &said["not_shareable"]
        ),
        (&1.into(), &1.into(), &2.into(), &1.into()),
        "{said}"
    );
    let file = sandbox.home().join("snapshot");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let said = import(&sandbox, &["snapshot"]).await.ok().json();
    assert_eq!(
        (&said["candidates"], &said["values"]),
        (&1.into(), &0.into()),
        "{said}"
    );
    let shelf = Shelf::open(&sandbox.home().join("empty"));
    assert_eq!(shelf.count(), 1);
    let entry = shelf.entry(&key_of(PUBLIC)).unwrap();
    assert!(entry.grants.is_empty(), "nobody was shown it here");
    assert_eq!(entry.variants[0].body, r#"{"name":"hello, world"}"#);
    assert_eq!(
        (
            entry.variants[0].kinds,
            entry.variants[0].validated_at.as_millis()
        ),
        (0, 0)
    );

    let again = import(&sandbox, &["snapshot"]).await.ok().json();
    assert_eq!(
        (&again["candidates"], &again["known"]),
        (&0.into(), &1.into()),
        "{again}"
    );
}

#[tokio::test]
async fn a_sealed_snapshot_is_for_those_who_have_the_secret() {
    let sandbox = Sandbox::new().await;
    full(&sandbox).await;
    write_atomic(
        &sandbox.home().join("secret"),
        format!("{SECRET}\n").as_bytes(),
    )
    .unwrap();
    let said = export(&sandbox, &["snapshot", "--secret-file", "secret"])
        .await
        .ok()
        .json();
    assert_eq!(
        (&said["exported"], &said["expired"]),
        (&3.into(), &1.into()),
        "{said}"
    );
    let sealed = std::fs::read(sandbox.home().join("snapshot")).unwrap();
    let text = String::from_utf8_lossy(&sealed);
    assert!(
        !text.contains("octo-org") && !text.contains("name"),
        "{text}"
    );

    let without = import(&sandbox, &["snapshot"]).await;
    assert!(
        without.code == 1 && without.text().contains("--secret-file"),
        "{}",
        without.text()
    );
    let mut wrong = sandbox.command(["cache", "import", "--cache-dir", "empty", "snapshot"]);
    wrong
        .args(["--secret-env", "SECRET"])
        .env("SECRET", SECRET.replace('0', "1"));
    let wrong = Ran::from(wrong.output().await.unwrap());
    assert!(
        wrong.code == 1 && wrong.stderr.contains("does not open"),
        "{}",
        wrong.stderr
    );
    assert_eq!(Shelf::open(&sandbox.home().join("empty")).count(), 0);

    let mut right = sandbox.command(["cache", "import", "--cache-dir", "empty", "snapshot"]);
    right.args(["--secret-env", "SECRET"]).env("SECRET", SECRET);
    Ran::from(right.output().await.unwrap()).ok();
    let shelf = Shelf::open(&sandbox.home().join("empty"));
    assert_eq!(shelf.count(), 3);
    assert!(shelf.entry(&key_of(PRIVATE)).unwrap().grants.is_empty());
    assert_eq!(
        shelf.value("lint", "report").unwrap().value,
        "value of a script"
    );
}

#[tokio::test]
async fn what_was_to_be_sealed_never_leaves_unsealed() {
    let sandbox = Sandbox::new().await;
    full(&sandbox).await;
    write_atomic(&sandbox.home().join("short"), b"guess me").unwrap();
    for (flags, why) in [
        (["--secret-env", "NOT_SET"], "NOT_SET is not set"),
        (["--secret-file", "missing"], "missing"),
        (["--secret-file", "short"], "openssl rand"),
    ] {
        let refused = export(&sandbox, &["snapshot", flags[0], flags[1]]).await;
        assert!(
            refused.code == 1 && refused.stderr.contains(why),
            "{}",
            refused.stderr
        );
    }
    let left: Vec<_> = std::fs::read_dir(sandbox.home()).unwrap().collect();
    let is_snapshot = |name: &std::ffi::OsStr| name.to_string_lossy().contains("snapshot");
    assert!(
        !left
            .iter()
            .any(|entry| is_snapshot(&entry.as_ref().unwrap().file_name()))
    );
    // And who expects a sealed one takes nothing that anybody could have written.
    export(&sandbox, &["public"]).await.ok();
    write_atomic(&sandbox.home().join("secret"), SECRET.as_bytes()).unwrap();
    let refused = import(&sandbox, &["public", "--secret-file", "secret"]).await;
    assert!(
        refused.code == 1 && refused.text().contains("not sealed"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn a_snapshot_goes_through_a_pipe() {
    let sandbox = Sandbox::new().await;
    full(&sandbox).await;
    let out = export(&sandbox, &["-"]).await.ok();
    assert!(
        out.stdout.starts_with(b"ghswsnap"),
        "nothing but the snapshot"
    );
    let line = ["cache", "import", "--cache-dir", "empty", "-"];
    let said = sandbox.feed(&line, &out.stdout).await.ok();
    assert!(
        said.stderr.contains("imported 1 answers"),
        "{}",
        said.stderr
    );
    assert_eq!(Shelf::open(&sandbox.home().join("empty")).count(), 1);
}

#[tokio::test]
async fn a_damaged_snapshot_is_named_and_the_rest_goes_on() {
    let sandbox = Sandbox::new().await;
    full(&sandbox).await;
    export(&sandbox, &["snapshot"]).await.ok();
    let good = std::fs::read(sandbox.home().join("snapshot")).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    write_atomic(&sandbox.home().join("flipped"), &flipped).unwrap();
    write_atomic(&sandbox.home().join("cut"), &good[..good.len() - 1]).unwrap();
    let said = import(&sandbox, &["flipped", "cut", "nowhere", "snapshot"]).await;
    assert_eq!(said.code, 1, "what was named was meant");
    let said = said.json();
    let skipped = said["skipped"].as_array().unwrap();
    assert_eq!(
        (skipped.len(), &said["candidates"]),
        (3, &1.into()),
        "{said}"
    );
    assert!(
        skipped
            .iter()
            .any(|skipped| skipped["reason"].as_str().unwrap().contains("damaged"))
    );
}

#[tokio::test]
async fn a_dry_run_and_a_limit_take_nothing_more() {
    let sandbox = Sandbox::new().await;
    full(&sandbox).await;
    export(&sandbox, &["snapshot"]).await.ok();
    let said = import(&sandbox, &["snapshot", "--dry-run"])
        .await
        .ok()
        .json();
    assert_eq!(
        (&said["candidates"], &said["dry_run"]),
        (&1.into(), &true.into()),
        "{said}"
    );
    let refused = import(&sandbox, &["snapshot", "--limit", "10"]).await;
    assert!(
        refused.code == 1 && refused.text().contains("limit"),
        "{}",
        refused.text()
    );
    assert_eq!(Shelf::open(&sandbox.home().join("empty")).count(), 0);
    let said = export(&sandbox, &["small", "--limit", "10"])
        .await
        .ok()
        .json();
    assert_eq!(said["exported"], 0, "{said}");
}

#[tokio::test]
async fn what_nobody_confirmed_displaces_nothing_that_github_did() {
    let sandbox = Sandbox::new().await;
    full(&sandbox).await;
    export(&sandbox, &["snapshot"]).await.ok();
    // As many bodies side by side as a key has room for, each shown to somebody.
    let bodies = ["1", "2", "3", "4"].map(|seen| answer(PUBLIC, seen, false));
    let shelf = Shelf::open(&sandbox.home().join("empty"));
    for body in bodies {
        shelf.put([body]).await;
    }
    drop(shelf);
    let said = import(&sandbox, &["snapshot"]).await.ok().json();
    assert_eq!(
        (&said["candidates"], &said["known"]),
        (&0.into(), &1.into()),
        "{said}"
    );
    let shelf = Shelf::open(&sandbox.home().join("empty"));
    let held = shelf.entry(&key_of(PUBLIC)).unwrap();
    assert_eq!(held.variants.len(), 4);
    assert!(held.variants.iter().all(|variant| variant.kinds != 0));
}
