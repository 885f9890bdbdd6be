//! Directories that cannot be used, and files with other things in them than we wrote.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::machine::{HELLO, Machine, can_mount, ran, signal};
use crate::needs;

/// What somebody else may leave where we write.
const RUBBISH: [&[u8]; 4] = [b"", b"{\"pid\": 12", b"\xff\x00garbage", &[b'x'; 1 << 20]];

/// `start` and `serve` fail and say what to do; `exec` and `api` do their work without the cache, after
/// one notice.
async fn nothing_fails_but_what_needs_a_daemon(machine: &Machine, mounts: Option<&str>) {
    let run = async |arguments: &[&str]| {
        ran(match mounts {
            Some(mounts) => machine.command_with_mounts(mounts, arguments),
            None => machine.command("", arguments),
        })
        .await
    };
    for command in ["start", "serve"] {
        let refused = run(&[command]).await;
        assert_eq!(refused.code, 1, "{command}: {}", refused.stderr);
        let said = &refused.stderr;
        assert!(said.contains("the state directory"), "{command}: {said}");
        assert!(said.contains("--state-dir"), "{command}: {said}");
        assert!(refused.stdout.is_empty());
    }
    let child = run(&["exec", "--", "/bin/sh", "-c", "echo worked; exit 7"]).await;
    assert_eq!((child.code, child.stdout.as_str()), (7, "worked\n"));
    let notices = child.stderr.matches("running without the cache").count();
    assert_eq!(notices, 1, "{}", child.stderr);
    let asked = run(&["api", HELLO, "--jq", ".name"]).await;
    assert_eq!((asked.code, asked.stdout.as_str()), (0, "hello\n"));
    assert_eq!(asked.stderr.lines().count(), 1, "{}", asked.stderr);

    let strict = match mounts {
        Some(mounts) => machine.command_with_mounts(mounts, &["exec", "--", "true"]),
        None => machine.command("", &["exec", "--", "true"]),
    };
    let mut strict = strict;
    strict.env("GHSWARM_STRICT", "true");
    assert_eq!(ran(strict).await.code, 1);
}

#[tokio::test]
async fn a_file_in_place_of_the_state_directory_fails_no_job() {
    let machine = Machine::new().await;
    fs::File::create(machine.state_dir()).unwrap();
    nothing_fails_but_what_needs_a_daemon(&machine, None).await;
    fs::remove_file(machine.state_dir()).unwrap();
    machine.start(&[]).await;
    assert_eq!(machine.run(&["stop"]).await.code, 0);
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_fails_no_job() {
    if !can_mount() {
        return needs::skip("mount");
    }
    let machine = Machine::new().await;
    let state = machine.state_dir();
    fs::create_dir(&state).unwrap();
    let state = state.display();
    let read_only = format!("mount -t tmpfs -o ro,mode=700 none {state}");
    nothing_fails_but_what_needs_a_daemon(&machine, Some(&read_only)).await;
    // Full to the last block and the last name.
    let full =
        format!("mount -t tmpfs -o size=4k,nr_inodes=2,mode=700 none {state}; echo x > {state}/x");
    nothing_fails_but_what_needs_a_daemon(&machine, Some(&full)).await;
}

#[tokio::test]
async fn a_cache_directory_that_cannot_be_used_costs_the_cache_on_disk_and_nothing_else() {
    let machine = Machine::new().await;
    fs::File::create(machine.cache_dir()).unwrap();
    let strict = machine.run(&["start", "--strict"]).await;
    assert_eq!(strict.code, 1);
    assert!(strict.stderr.contains("--cache-dir"), "{}", strict.stderr);

    let started = machine.run(&["start"]).await;
    assert_eq!(started.code, 0, "{}", started.stderr);
    assert!(
        started.stderr.contains("nothing is kept on disk"),
        "{}",
        started.stderr
    );
    let served = machine.start(&[]).await;
    assert!(served.ready["cache_dir"].is_null(), "{}", served.ready);
    let warnings = machine
        .log()
        .matches("cache directory cannot be used")
        .count();
    assert_eq!(warnings, 1, "{}", machine.log());
    assert_eq!(served.get(HELLO).await.status(), 200);
    assert!(served.get(HELLO).await.is_hit());
    assert_eq!(served.stats().await["reasons"]["cache-dir-unusable"], 1);
    machine.run(&["stop"]).await;

    fs::remove_file(machine.cache_dir()).unwrap();
    let served = machine.start(&[]).await;
    assert!(served.ready["cache_dir"].is_string());
    assert!(served.stats().await["reasons"]["cache-dir-unusable"].is_null());
}

#[tokio::test]
async fn a_cache_directory_without_a_parent_or_on_a_read_only_disk_is_no_reason_to_fail() {
    let machine = Machine::new().await;
    let below_a_file = machine.home().join("file/cache");
    fs::File::create(machine.home().join("file")).unwrap();
    let below_a_file = below_a_file.display().to_string();
    let served = machine.serve("", &["--cache-dir", &below_a_file]).await;
    assert!(served.ready["cache_dir"].is_null());
    assert_eq!(served.get(HELLO).await.status(), 200);
    served.stop().await;

    if !can_mount() {
        return needs::skip("mount");
    }
    let cache = machine.cache_dir();
    fs::create_dir(&cache).unwrap();
    let mount = format!("mount -t tmpfs -o ro,mode=700 none {}", cache.display());
    let served = machine.serve_with_mounts(&mount).await;
    assert!(served.ready["cache_dir"].is_null());
    assert_eq!(served.get(HELLO).await.status(), 200);
    assert!(served.get(HELLO).await.is_hit());
    served.stop().await;
}

#[tokio::test]
async fn a_broken_local_secret_is_replaced_and_daemons_agree_on_the_new_one() {
    let machine = Machine::new().await;
    fs::create_dir(machine.cache_dir()).unwrap();
    let key = machine.cache_dir().join("hmac.key");
    let far = machine.home().join("far");
    fs::File::create(&far).unwrap();
    for what in ["empty", "cut off", "too long", "a link"] {
        let _ = fs::remove_file(&key);
        match what {
            "empty" => drop(fs::File::create(&key).unwrap()),
            "cut off" => put(&key, &[7; 31]),
            "too long" => put(&key, &[7; 33]),
            _ => symlink(&far, &key).unwrap(),
        }
        // Two daemons that share the directory, at the same moment.
        let other = machine.home().join("other").display().to_string();
        let elsewhere = ["--state-dir", &other];
        let (one, two) = tokio::join!(
            machine.serve("exec 2>>first", &[]),
            machine.serve("exec 2>>second", &elsewhere),
        );
        assert_eq!(fs::read(&key).unwrap().len(), 32, "{what}");
        assert!(fs::symlink_metadata(&key).unwrap().is_file(), "{what}");
        for served in [one, two] {
            assert_eq!(served.get(HELLO).await.status(), 200);
            served.stop().await;
        }
        let said: String = ["first", "second"]
            .map(|name| {
                let path = machine.home().join(name);
                let said = fs::read_to_string(&path).unwrap();
                fs::remove_file(path).unwrap();
                said
            })
            .concat();
        let warnings = said.matches("local secret could not be read").count();
        assert_eq!(warnings, 1, "{what}: {said}");
    }
    assert_eq!(
        fs::read(&far).unwrap(),
        b"",
        "what a link leads to is not ours"
    );

    // A good one that others could read stays, and is made private.
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let before = fs::read(&key).unwrap();
    machine.serve("", &[]).await.stop().await;
    assert_eq!(fs::read(&key).unwrap(), before);
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a half-written file is what the story needs"
)]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn whatever_stands_in_the_files_of_a_dead_daemon_is_written_anew() {
    let machine = Machine::new().await;
    fs::create_dir(machine.state_dir()).unwrap();
    for rubbish in RUBBISH {
        for name in [
            "ready.json",
            "counters.json",
            "lock",
            "admin-token",
            "start.lock",
        ] {
            put(&machine.state_dir().join(name), rubbish);
        }
        for command in ["stats", "stop"] {
            let ran = machine.run(&[command]).await;
            assert!(
                ran.stderr.contains("no daemon is running"),
                "{}",
                ran.stderr
            );
        }
        let served = machine.start(&[]).await;
        assert_eq!(served.get(HELLO).await.status(), 200);
        let token = fs::read_to_string(machine.state_dir().join("admin-token")).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(machine.run(&["stop"]).await.code, 0);
        let counters = fs::read(machine.state_dir().join("counters.json")).unwrap();
        let counters: serde_json::Value = serde_json::from_slice(&counters).unwrap();
        assert_eq!(counters["requests"], 1);
    }
}

#[tokio::test]
async fn an_admin_token_that_others_could_read_is_replaced() {
    let machine = Machine::new().await;
    fs::create_dir(machine.state_dir()).unwrap();
    let token = machine.state_dir().join("admin-token");
    put(&token, &[b'a'; 64]);
    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    machine.start(&[]).await;
    assert_ne!(fs::read(&token).unwrap(), [b'a'; 64]);
    assert_eq!(
        fs::metadata(&token).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_ready_file_that_lies_misleads_nobody() {
    let machine = Machine::new().await;
    let served = machine.start(&[]).await;
    let path = machine.state_dir().join("ready.json");
    let honest = fs::read(&path).unwrap();
    // The process of somebody else, and a socket that nobody listens at.
    let mut bystander = tokio::process::Command::new("/bin/cat")
        .stdin(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lie = served.ready.clone();
    lie["pid"] = bystander.id().into();
    lie["keeper_pid"] = bystander.id().into();
    lie["socket"] = machine.home().join("nobody").display().to_string().into();
    put(&path, &serde_json::to_vec(&lie).unwrap());
    let again = machine.start(&[]).await;
    assert_eq!(again.ready["pid"], served.ready["pid"]);
    assert_eq!(machine.run(&["stats"]).await.code, 0);
    for half in [&honest[..honest.len() / 2], b"null"] {
        put(&path, half);
        assert_eq!(machine.run(&["stats"]).await.code, 0);
    }
    assert_eq!(machine.run(&["stop"]).await.code, 0);
    assert!(!path.exists());
    assert!(
        bystander.try_wait().unwrap().is_none(),
        "nobody else's process is ended"
    );
}

#[tokio::test]
async fn what_cannot_be_healed_is_named() {
    let machine = Machine::new().await;
    fs::create_dir(machine.state_dir()).unwrap();
    let lock = machine.state_dir().join("lock");
    symlink(machine.home().join("elsewhere"), &lock).unwrap();
    let refused = machine.run(&["start"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("state/lock is a symbolic link"),
        "{}",
        refused.stderr
    );
    fs::remove_file(&lock).unwrap();
    let token = machine.state_dir().join("admin-token");
    fs::create_dir(&token).unwrap();
    let refused = machine.run(&["start"]).await;
    assert!(
        refused.code == 1 && refused.stderr.contains("admin-token"),
        "{}",
        refused.stderr
    );
    fs::remove_dir(&token).unwrap();
    // Numbers that cannot be written are no reason to stop.
    let counters = machine.state_dir().join("counters.json");
    fs::create_dir(&counters).unwrap();
    let served = machine.start(&[]).await;
    assert_eq!(served.get(HELLO).await.status(), 200);
    served.says("serving goes on", 1).await;
    fs::remove_dir(&counters).unwrap();
    served.says("can be written again", 1).await;
    assert!(signal(served.pid(), "-TERM"));
}
