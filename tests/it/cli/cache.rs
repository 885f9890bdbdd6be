//! The key-value interface: any bytes are a key, any bytes a value.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use ghswarm::files::write_atomic;

use super::Sandbox;

#[tokio::test]
async fn any_bytes_come_back_as_they_were() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let every: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for value in [&every[..], b"null", b"", b"\0", b"-"] {
        sandbox
            .feed(&["cache", "put", "key", "-"], value)
            .await
            .ok();
        let got = sandbox.run(["cache", "get", "key"]).await.ok();
        assert!(got.stdout == value, "{} bytes", value.len());
    }
    sandbox
        .run(["cache", "put", "key", "from an argument"])
        .await
        .ok();
    assert_eq!(
        sandbox.run(["cache", "get", "key"]).await.ok().text(),
        "from an argument"
    );
}

#[tokio::test]
async fn a_miss_is_exit_code_three_and_no_output() {
    let sandbox = Sandbox::new().await;
    let without = sandbox.run(["cache", "get", "key"]).await;
    assert!(
        without.code == 1 && without.stderr.contains("ghswarm start"),
        "{}",
        without.stderr
    );
    sandbox.start().await;
    let miss = sandbox.run(["cache", "get", "key"]).await;
    assert_eq!((miss.code, miss.stdout.len()), (3, 0));
    sandbox.run(["cache", "put", "key", "null"]).await.ok();
    let hit = sandbox.run(["cache", "get", "key"]).await.ok();
    assert_eq!(hit.text(), "null");
    assert_eq!(
        sandbox
            .run(["cache", "get", "key", "--operation", "other"])
            .await
            .code,
        3
    );
    sandbox.run(["cache", "delete", "key"]).await.ok();
    assert_eq!(sandbox.run(["cache", "get", "key"]).await.code, 3);
}

#[tokio::test]
async fn a_key_is_any_bytes_of_any_length() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let odd = OsStr::from_bytes(b"caf\xe9 & \n=?");
    let put = [
        OsStr::new("cache"),
        OsStr::new("put"),
        odd,
        OsStr::new("odd"),
    ];
    sandbox.run(put).await.ok();
    let get = [OsStr::new("cache"), OsStr::new("get"), odd];
    assert_eq!(sandbox.run(get).await.ok().text(), "odd");

    let file = sandbox.home().join("key");
    std::fs::copy(env!("CARGO_BIN_EXE_ghswarm"), &file).unwrap();
    let long = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    long.set_len(300_000).unwrap();
    sandbox
        .run(["cache", "put", "--key-file", "key", "long"])
        .await
        .ok();
    let got = sandbox
        .run(["cache", "get", "--key-file", "key"])
        .await
        .ok();
    assert_eq!(got.text(), "long");
}

#[tokio::test]
async fn a_value_ends_with_its_time() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    sandbox
        .run(["cache", "put", "gone", "x", "--ttl", "0"])
        .await
        .ok();
    assert_eq!(sandbox.run(["cache", "get", "gone"]).await.code, 3);
    sandbox
        .run(["cache", "put", "kept", "x", "--ttl", "1h"])
        .await
        .ok();
    sandbox.run(["cache", "get", "kept"]).await.ok();
    let odd = sandbox
        .run(["cache", "put", "kept", "x", "--ttl", "soon"])
        .await;
    assert!(
        odd.code == 2 && odd.stderr.contains("30s"),
        "{}",
        odd.stderr
    );
    sandbox.run(["cache", "clear"]).await.ok();
    assert_eq!(sandbox.run(["cache", "get", "kept"]).await.code, 3);
}

#[tokio::test]
async fn what_is_marked_stale_is_asked_again() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let fetch = || sandbox.run(["api", "-i", "repos/octo-org/hello"]);
    fetch().await.ok();
    assert!(fetch().await.ok().text().contains("ghswarm; hit; "));
    sandbox.run(["cache", "stale", "octo-org/hello"]).await.ok();
    let after = fetch().await.ok();
    assert!(after.text().contains("fwd=stale"), "{}", after.text());
    assert_eq!(sandbox.run(["cache", "stale"]).await.code, 2);
    sandbox.run(["cache", "stale", "--all"]).await.ok();
}

#[tokio::test]
async fn a_time_has_units_and_fractions() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    for ttl in ["0.2", "200ms"] {
        sandbox
            .run(["cache", "put", "brief", "x", "--ttl", ttl])
            .await
            .ok();
        let mut codes = Vec::new();
        while codes.last() != Some(&3) && codes.len() < 1000 {
            codes.push(sandbox.run(["cache", "get", "brief"]).await.code);
        }
        assert_eq!(codes.pop(), Some(3), "{ttl}");
        assert!(codes.iter().all(|code| *code == 0), "{codes:?}");
    }
    sandbox
        .run(["cache", "put", "kept", "x", "--ttl", "1h30m"])
        .await
        .ok();
    let past = sandbox
        .run(["cache", "put", "kept", "x", "--ttl", "-5"])
        .await;
    assert!(
        past.code == 2 && past.stderr.contains("not a time"),
        "{}",
        past.stderr
    );
}

#[tokio::test]
async fn a_key_of_any_bytes_and_length_is_listed() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    write_atomic(&sandbox.home().join("key"), &b"k".repeat(1_000_000)).unwrap();
    write_atomic(&sandbox.home().join("odd"), b"a\0b\n\x1b[2J\xff").unwrap();
    for file in ["key", "odd"] {
        sandbox
            .run(["cache", "put", "--key-file", file, "x"])
            .await
            .ok();
    }
    let table = sandbox.run(["cache", "list"]).await.ok();
    assert_eq!(table.text().lines().count(), 3, "{}", table.text());
    assert!(!table.text().contains('\u{1b}'), "{:?}", table.text());
    let rows = sandbox
        .run(["cache", "list", "--format", "json"])
        .await
        .ok()
        .json();
    let lengths = rows.as_array().unwrap().iter();
    let longest = lengths
        .map(|row| row["label"].as_str().unwrap().len())
        .max();
    assert_eq!(longest, Some(1_000_000), "JSON has all of it");
}

#[tokio::test]
async fn a_line_that_means_nothing_is_usage_with_a_daemon_and_without() {
    let sandbox = Sandbox::new().await;
    write_atomic(&sandbox.home().join("key"), b"k").unwrap();
    for running in [false, true] {
        if running {
            sandbox.start().await;
        }
        for (line, word) in [
            (&["get", "k", "--key-file", "key"][..], "--key-file"),
            (&["delete", "k", "--key-file", "key"], "--key-file"),
            (&["put", "k", "v", "--key-file", "key"], "--key-file"),
            (&["stale", "a name"], "octocat/hello-world"),
            (&["stale", "a/b/c"], "octocat/hello-world"),
            (&["stale", "https://github.com/a/b"], "octocat/hello-world"),
            (&["stale", "--all", "a/b"], "--all"),
        ] {
            let refused = sandbox.run([&["cache"], line].concat()).await;
            assert!(
                refused.code == 2 && refused.stderr.contains(word),
                "{line:?}: {} {}",
                refused.code,
                refused.stderr
            );
        }
    }
    let mut get = sandbox.command(["cache", "get", "k"]);
    let output = get.env("GHSWARM_MAX_WAIT", "long").output().await.unwrap();
    assert_eq!(output.status.code(), Some(3), "the daemon is found");
}

#[tokio::test]
async fn what_is_stale_without_a_daemon_is_stale_for_the_next_one() {
    let sandbox = Sandbox::new().await;
    let ask = ["api", "--include", "repos/octo-org/hello/labels"];
    sandbox.start().await;
    sandbox.run(ask).await.ok();
    sandbox.run(["stop"]).await.ok();
    sandbox.start().await;
    let held = sandbox.run(ask).await.ok();
    assert!(held.text().contains("detail=disk"), "{}", held.text());
    sandbox.run(["stop"]).await.ok();
    sandbox.run(["cache", "stale", "octo-org/hello"]).await.ok();
    sandbox.start().await;
    let asked = sandbox.run(ask).await.ok();
    assert!(asked.text().contains("fwd-status=304"), "{}", asked.text());
}
