//! Traffic that PyGithub's authors recorded with GitHub over ten years, played through the daemon.
//!
//! `tape` plays GitHub, `driver` the client. Both stand at the same exchange of a recording: what the
//! daemon asks is answered as GitHub did then, and what the daemon answers is compared with what GitHub
//! answered. Reads that are repeated after a write are where a cache would lie: 78 of them changed.

mod driver;
mod tape;

use std::collections::BTreeSet;
use std::time::Duration;

use driver::Difference;
use ghswarm::clock::Clock;
use ghswarm::github::budget;
use ghswarm::stats::Snapshot;
use ghswarm::tiered::{self, Lifetimes};
use ghswarm::time::Timestamp;
use tape::Tape;

use crate::front::Front;
use crate::needs;

/// Recorded as a 200 although the condition held: the recording was mended by hand.
const ARTEFACT: (&str, &str) = (
    "SourceImport.testUpdate.txt",
    "/repos/brix4dayz/source-import-test/import",
);

/// What changed at GitHub between two reads with no write between them: a cache shows the first answer
/// until its lifetime ends.
const CHANGED_UNSEEN: [(&str, &str); 3] = [
    // An avatar moved from one host of gravatar.com to another within a second.
    (
        "Equality.testBranchEquality.txt",
        "/repos/jacquev6/PyGithub/branches/develop",
    ),
    ("Equality.testUserEquality.txt", "/users/jacquev6"),
    // The body stayed, the validator did not.
    (
        "ExposeAllAttributes.testAllClasses.txt",
        "/notifications/threads/8406712",
    ),
];
/// The rate limit was used up between two reads. Who has seen an answer within the hour is shown it once
/// more, marked as stale, instead of the 403.
const LIMITED: [(&str, &str); 2] = [
    (
        "SpecificExceptions.testAuthenticatedRateLimitExceeded.txt",
        "/search/code?q=jacquev6",
    ),
    (
        "SpecificExceptions.testRateLimitExceeded.txt",
        "/users/jacquev6",
    ),
];

/// The tape, if this machine has the recordings.
async fn tape() -> Option<Tape> {
    let Some(folder) = needs::recordings() else {
        needs::skip("recorded traffic (GHSWARM_REPLAY_DATA)");
        return None;
    };
    let tape = Tape::insert(&folder)
        .await
        .expect("recordings that can be read");
    // As many as the pinned version has: none was lost in reading.
    assert_eq!(tape.len(), 2338);
    Some(tape)
}

fn assert_only(differences: &[Difference], expected: &[(&str, &str)]) {
    let places: BTreeSet<_> = differences
        .iter()
        .map(|it| (it.file.as_str(), it.path.as_str()))
        .collect();
    let expected: BTreeSet<_> = expected.iter().copied().collect();
    let is_new = |it: &&Difference| !expected.contains(&(it.file.as_str(), it.path.as_str()));
    let new: Vec<_> = differences
        .iter()
        .filter(is_new)
        .map(ToString::to_string)
        .collect();
    assert!(
        new.is_empty(),
        "{} differ from GitHub:\n{}",
        new.len(),
        new.join("\n")
    );
    let gone: Vec<_> = expected.difference(&places).collect();
    assert!(
        gone.is_empty(),
        "no longer differ, so take them off the list: {gone:?}"
    );
}

#[tokio::test]
async fn the_tape_answers_as_it_was_recorded() {
    let Some(tape) = tape().await else { return };
    let differences = driver::play(&tape, tape.address(), || ()).await;
    assert_only(&differences, &[ARTEFACT]);
}

/// Plays the tape through a daemon; where it differs, and what the daemon counted.
///
/// The recordings were made on many days, so hours pass between them. Their writes follow each other at
/// once, so the daemon does not pace them.
async fn play(tape: &Tape, config: tiered::Config) -> (Vec<Difference>, Snapshot) {
    let budget = budget::Config {
        write_gap: Duration::ZERO,
        rest_points: u32::MAX,
        ..Default::default()
    };
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let origin = format!("http://{}", tape.address());
    let daemon = Front::set_up(&origin, config, budget, clock.clone());
    let differences = driver::play(tape, daemon.address(), || {
        clock.advance(Duration::from_hours(2));
    })
    .await;
    (differences, daemon.snapshot())
}

#[tokio::test]
async fn without_lifetimes_every_answer_is_githubs() {
    let Some(tape) = tape().await else { return };
    let nothing_lasts = tiered::Config {
        lifetimes: Lifetimes {
            all: Some(Duration::ZERO),
            ..Default::default()
        },
        stale_on_error: Duration::ZERO,
        ..Default::default()
    };
    let (differences, counted) = play(&tape, nothing_lasts).await;
    assert_only(&differences, &[ARTEFACT]);
    let free = counted.origin.free_304;
    assert!(free >= 50, "only {free} questions were free");
}

#[tokio::test]
async fn by_default_nothing_read_after_a_write_is_old() {
    let Some(tape) = tape().await else { return };
    let (differences, counted) = play(&tape, tiered::Config::default()).await;
    assert_only(
        &differences,
        &[&[ARTEFACT][..], &CHANGED_UNSEEN, &LIMITED].concat(),
    );
    // Else this is the story above once more. The tape and the clock are the same in every run, and so
    // is this number. `no-cache` answers (searches, rate limits) are not among them: serving those
    // unasked made 13 more, against RFC 9111, section 5.2.2.4.
    let hits = counted.hits.memory;
    assert!(hits >= 89, "only {hits} answers came from memory");
}
