//! The units of systemd, as systemd reads them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ghswarm::config::directories::HOST_SOCKET;

use crate::needs;

/// The most exposure that `systemd-analyze security` may find, in tenths: it calls 2 of 10 "OK", and
/// what is left is the network, which a proxy needs.
const EXPOSURE: u32 = 15;

fn unit(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/systemd");
    fs::read_to_string(path.join(name)).unwrap()
}

/// The values of a setting of a unit.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    unit.lines().filter_map(value).collect()
}

/// The units in a folder, with the program that was built in the place of the installed one.
fn installed() -> (tempfile::TempDir, [PathBuf; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let units = ["ghswarm.service", "ghswarm.socket"].map(|name| {
        let text = unit(name).replace("/usr/local/bin/ghswarm", env!("CARGO_BIN_EXE_ghswarm"));
        let path = dir.path().join(name);
        ghswarm::files::write_atomic(&path, text.as_bytes()).unwrap();
        path
    });
    (dir, units)
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if needs::program("systemd-analyze").is_none() {
        return needs::skip("systemd-analyze");
    }
    let (_dir, units) = installed();
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&units)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    // The other units of this machine are not our business.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("ghswarm"))
        .collect();
    assert!(ours.is_empty(), "{said}");
    assert!(verified.status.success(), "{said}");

    let judged = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=true"])
        .arg(format!("--threshold={EXPOSURE}"))
        .arg(&units[0])
        .output()
        .unwrap();
    assert!(
        judged.status.success(),
        "{}{}",
        String::from_utf8_lossy(&judged.stdout),
        String::from_utf8_lossy(&judged.stderr)
    );
}

#[test]
fn the_sockets_are_where_jobs_look() {
    let sockets = unit("ghswarm.socket");
    let listens = values(&sockets, "ListenStream");
    assert_eq!(listens[0], HOST_SOCKET);
    assert!(listens[1].starts_with("127.0.0.1:"), "{listens:?}");
    // Who may use the cache is in the group; nobody else comes in, and nobody but root puts a socket there.
    for (name, value) in [
        ("SocketUser", "root"),
        ("SocketGroup", "ghswarm"),
        ("SocketMode", "0660"),
        ("DirectoryMode", "0755"),
    ] {
        assert_eq!(values(&sockets, name), [value], "{name}");
    }
    let service = unit("ghswarm.service");
    assert_eq!(
        values(&service, "RuntimeDirectory"),
        [""; 0],
        "it would be the service's"
    );
}

#[test]
fn the_service_is_started_with_flags_that_there_are() {
    let service = unit("ghswarm.service");
    let started = values(&service, "ExecStart")[0];
    let mut words = started.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/ghswarm"));
    assert_eq!(words.next(), Some("serve"));
    let words: Vec<_> = words
        .map(|word| word.replace("%S", "/var/lib").replace("%C", "/var/cache"))
        .collect();
    let shown = Command::new(env!("CARGO_BIN_EXE_ghswarm"))
        .args(["config", "show", "--format", "json"])
        .args(words)
        .env_clear()
        .current_dir("/")
        .output()
        .unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let value = |name: &str| shown["settings"][name]["value"].as_str().unwrap();
    assert_eq!(value("owner"), "host");
    assert_eq!(value("state_dir"), "/var/lib/ghswarm");
    assert_eq!(value("cache_dir"), "/var/cache/ghswarm");
}
