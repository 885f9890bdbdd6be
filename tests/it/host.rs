//! Daemons of one machine: what one knows of writes and refusals, all know.

mod apart;
mod crowd;
mod herd;
mod killed;
mod process;

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use ghswarm::github::budget;
use ghswarm::tiered;
use ghswarm_lab::Token;
use http::Method;
use serde_json::json;

use crate::house::{House, Reply};
use crate::needs;

const ISSUE: &str = "/repos/octo-org/app/issues/1";

/// The clock stands still, so nothing may wait for its turn to write.
async fn house() -> House {
    let budget = budget::Config {
        write_gap: Duration::ZERO,
        ..Default::default()
    };
    House::paced(tiered::Config::default(), budget).await
}

async fn write(house: &House, token: &Token, title: &str) {
    let change = json!({ "title": title }).to_string();
    let written = house
        .send(Method::PATCH, Some(token), ISSUE, &[], &change)
        .await;
    assert_eq!(written.status, 200, "{written:?}");
}

fn title(reply: &Reply) -> String {
    reply.json()["title"].as_str().unwrap().to_owned()
}

/// Reads until it is a hit.
async fn warm(house: &House, token: &Token) {
    house.get(token, ISSUE).await;
    assert!(house.get(token, ISSUE).await.is_hit());
}

#[tokio::test]
async fn a_write_through_one_daemon_is_read_through_every_other() {
    let here = house().await;
    let others = [here.beside(), here.beside()];
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    for house in [&here, &others[0], &others[1]] {
        warm(house, &reader).await;
    }
    write(&others[1], &writer, "changed").await;
    for house in [&here, &others[0], &others[1]] {
        assert_eq!(title(&house.get(&reader, ISSUE).await), "changed");
    }
    // Long after it has settled, a daemon that was not asked meanwhile knows all the same.
    here.wait(Duration::from_secs(60));
    warm(&here, &reader).await;
    write(&others[0], &writer, "again").await;
    here.wait(Duration::from_secs(31));
    assert_eq!(title(&here.get(&reader, ISSUE).await), "again");
}

#[tokio::test]
async fn access_that_one_daemon_saw_withdrawn_is_withdrawn_in_all() {
    let here = house().await;
    let other = here.beside();
    let token = here.job("octo-org/secret");
    let path = "/repos/octo-org/secret/issues";
    for house in [&here, &other] {
        house.get(&token, path).await;
        assert!(house.get(&token, path).await.is_hit());
    }
    here.github.withdraw(&token, "octo-org/secret");
    let elsewhere = "/repos/octo-org/secret/labels";
    assert_eq!(other.get(&token, elsewhere).await.status, 404);
    assert_eq!(here.get(&token, path).await.status, 404);
}

#[tokio::test]
async fn a_daemon_that_starts_knows_what_was_written_before() {
    let mut here = house().await;
    let other = here.beside();
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    warm(&here, &reader).await;
    write(&other, &writer, "changed").await;
    here.restart();
    assert_eq!(title(&here.get(&reader, ISSUE).await), "changed");
    assert!(
        !here.get(&reader, ISSUE).await.is_hit(),
        "it settles for everybody"
    );
}

/// Does something to the log between a write that was read and a read that would be a hit.
async fn after_harm(harm: impl FnOnce(&std::path::Path)) {
    let here = house().await;
    let other = here.beside();
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    write(&other, &writer, "before").await;
    here.wait(Duration::from_secs(31));
    warm(&here, &reader).await;
    harm(&here.cache_dir().join("epochs"));
    write(&other, &writer, "changed").await;
    assert_eq!(title(&here.get(&reader, ISSUE).await), "changed");
    here.wait(Duration::from_secs(31));
    // And they hear of one another again.
    for (number, (from, to)) in [(&here, &other), (&other, &here)].into_iter().enumerate() {
        warm(to, &reader).await;
        let next = format!("changed {number}");
        write(from, &writer, &next).await;
        assert_eq!(title(&to.get(&reader, ISSUE).await), next);
        here.wait(Duration::from_secs(31));
    }
}

#[tokio::test]
async fn no_past_is_shown_when_the_log_is_removed() {
    after_harm(|log| fs::remove_file(log).unwrap()).await;
}

#[tokio::test]
async fn no_past_is_shown_when_the_whole_directory_is_removed() {
    after_harm(|log| fs::remove_dir_all(log.parent().unwrap()).unwrap()).await;
}

#[tokio::test]
async fn no_past_is_shown_when_the_log_is_cut() {
    after_harm(|log| {
        let file = fs::OpenOptions::new().write(true).open(log).unwrap();
        file.set_len(300).unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_past_is_shown_when_the_log_is_emptied() {
    after_harm(|log| drop(fs::File::create(log).unwrap())).await;
}

#[tokio::test]
async fn no_past_is_shown_when_somebody_writes_into_the_log() {
    after_harm(|log| {
        let mut file = fs::OpenOptions::new().append(true).open(log).unwrap();
        file.write_all(&[b'x'; 256]).unwrap();
        file.write_all(b"half a record").unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_past_is_shown_when_bits_of_the_log_flip() {
    after_harm(|log| {
        let mut bytes = fs::read(log).unwrap();
        for byte in bytes.iter_mut().step_by(100) {
            *byte ^= 0x10;
        }
        // In place: the daemons have this very file open.
        let mut file = fs::OpenOptions::new().write(true).open(log).unwrap();
        file.write_all(&bytes).unwrap();
    })
    .await;
}

#[tokio::test]
async fn no_past_is_shown_when_the_log_is_full_and_begun_anew() {
    let here = house().await;
    let other = here.beside();
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    let log = here.cache_dir().join("epochs");
    let first = fs::read(&log).unwrap_or_default();
    warm(&here, &reader).await;
    // Every refusal is a record.
    let nowhere = "/repos/octo-org/nothing";
    let mut asked = 0;
    let begun_anew = |asked: u64| {
        let now = fs::read(&log).unwrap();
        asked > 100 && now.len() < 256 * 100 && now[..256] != first[..]
    };
    while asked < 9000 && !begun_anew(asked) {
        for _ in 0..50 {
            asked += 1;
            other.send(Method::GET, None, nowhere, &[], "").await;
        }
    }
    assert!(begun_anew(asked), "after {asked} records");
    write(&other, &writer, "changed").await;
    assert_eq!(title(&here.get(&reader, ISSUE).await), "changed");
}

/// A directory of a few pages, gone when dropped.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "none"])
            .arg(dir.path())
            .output();
        mounted.ok()?.status.success().then(|| Self(dir))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).output();
        assert!(unmounted.is_ok_and(|output| output.status.success()));
    }
}

#[tokio::test]
async fn no_past_is_shown_when_the_disk_is_full() {
    let Some(tiny) = Tiny::mount() else {
        return needs::skip("mount");
    };
    let here = house().await.with_cache(tiny.0.path());
    let other = here.beside();
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    warm(&here, &reader).await;
    let filler = tiny.0.path().join("filler");
    let full = fs::File::create(&filler)
        .unwrap()
        .write_all(&vec![0; 1 << 20]);
    assert!(full.is_err(), "it is full");
    // The log has room for some records on its last page, and then none.
    for step in 0..40 {
        write(&other, &writer, &step.to_string()).await;
        assert_eq!(title(&here.get(&reader, ISSUE).await), step.to_string());
        here.wait(Duration::from_secs(31));
        here.get(&reader, ISSUE).await;
    }
    let reasons = [other.stats().await.reasons, here.stats().await.reasons];
    assert!(
        reasons
            .iter()
            .any(|of| of.contains_key("epoch-log-unusable")),
        "{reasons:?}"
    );
    fs::remove_file(&filler).unwrap();
    here.wait(Duration::from_secs(31));
    write(&other, &writer, "there is room again").await;
    here.wait(Duration::from_secs(31));
    warm(&here, &reader).await;
    write(&other, &writer, "heard of").await;
    assert_eq!(title(&here.get(&reader, ISSUE).await), "heard of");
}
