//! Daemons that cannot hear one another, or whose sibling was stopped in the middle of something.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use ghswarm::github::budget;
use ghswarm::tiered;
use ghswarm_lab::{Matcher, Phase};
use http::Method;

use super::{ISSUE, house, title, warm, write};
use crate::house::House;

/// Takes the log away, and holds the lock that is needed for another one, as a daemon does that was
/// stopped while it made one.
fn stop_in_the_middle(house: &House) -> File {
    let lock = File::options()
        .write(true)
        .open(house.cache_dir().join("epochs.lock"))
        .unwrap();
    lock.try_lock().unwrap();
    fs::remove_file(house.cache_dir().join("epochs")).unwrap();
    // Whether the log has its name is looked at now and then.
    house.wait(Duration::from_secs(1));
    lock
}

#[tokio::test]
async fn who_cannot_hear_of_writes_waits_for_nobody_who_asked_before() {
    let here = house().await;
    let other = here.beside();
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    write(&other, &writer, "before").await;
    here.wait(Duration::from_secs(31));
    warm(&here, &reader).await;
    let _stopped = stop_in_the_middle(&here);
    let gate = here
        .github
        .hold_at(Matcher::get(ISSUE).once(), Phase::AfterRead);
    let early = here.get(&reader, ISSUE);
    let late = async {
        gate.arrived().await;
        write(&other, &writer, "changed").await;
        // While the answer from before the write is still on its way.
        let late = tokio::time::timeout(Duration::from_secs(10), here.get(&reader, ISSUE)).await;
        gate.release();
        title(&late.expect("it asks for itself"))
    };
    let (early, late) = tokio::join!(early, late);
    assert_eq!(
        (title(&early).as_str(), late.as_str()),
        ("before", "changed")
    );
}

#[tokio::test]
async fn nothing_waits_for_a_daemon_that_was_stopped_while_it_began_the_log_anew() {
    let here = house().await;
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    warm(&here, &reader).await;
    let stopped = stop_in_the_middle(&here);
    let started = Instant::now();
    for step in 0..5 {
        write(&here, &writer, &step.to_string()).await;
        assert_eq!(title(&here.get(&reader, ISSUE).await), step.to_string());
    }
    // Each waited for two seconds and more.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    drop(stopped);
    here.wait(Duration::from_secs(1));
    here.get(&reader, ISSUE).await;
    // Nobody knows what was written before the new log began.
    here.wait(Duration::from_secs(31));
    warm(&here, &reader).await;
}

#[tokio::test]
async fn a_daemon_that_was_stopped_while_it_wrote_the_database_holds_nobody_up() {
    let here = House::on_disk(
        tiered::Config::default(),
        budget::Config::default(),
        Some(1 << 28),
    )
    .await;
    let store = here.cache_dir().join("store");
    let current = fs::read_to_string(store.join("current")).unwrap();
    let stopped = rusqlite::Connection::open(store.join(format!("{current}.db"))).unwrap();
    stopped.execute_batch("BEGIN IMMEDIATE").unwrap();
    let reader = here.job("octo-org/app");
    warm(&here, &reader).await;
    let started = Instant::now();
    assert!(here.stats().await.requests >= 2);
    assert!(here.get(&reader, ISSUE).await.is_hit());
    // The writer alone waits for five seconds, and then tries again.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    let listed = here.administer(Method::GET, "/cache", Vec::new()).await;
    assert_eq!(listed.status, 200);
    assert!(listed.text().contains(ISSUE), "{}", listed.text());
}

#[tokio::test]
async fn a_renamed_repository_is_one_for_daemons_that_know_one_of_its_names() {
    let here = house().await;
    let other = here.beside();
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    warm(&other, &reader).await;
    here.get(&reader, "/repos/octo-org/app").await;
    here.github
        .change(|state| state.rename_repo("octo-org/app", "octo-org/new").unwrap());
    assert_eq!(here.get(&reader, "/repos/octo-org/new").await.status, 200);
    let change = r#"{"title":"changed"}"#;
    let issue = "/repos/octo-org/new/issues/1";
    let written = here
        .send(Method::PATCH, Some(&writer), issue, &[], change)
        .await;
    assert_eq!(written.status, 200, "{written:?}");
    assert!(!other.get(&reader, ISSUE).await.is_hit(), "by its old name");
}

#[tokio::test]
async fn a_log_from_a_clock_that_was_wrong_keeps_nothing_stale_for_longer_than_a_write() {
    let mut here = house().await;
    let right = here.now();
    let (writer, reader) = (here.job("octo-org/app"), here.job("octo-org/app"));
    here.set_clock(right.plus(Duration::from_secs(1 << 20)));
    write(&here, &writer, "early").await;
    here.set_clock(right);
    here.restart();
    here.get(&reader, ISSUE).await;
    here.wait(Duration::from_secs(31));
    warm(&here, &reader).await;
}
