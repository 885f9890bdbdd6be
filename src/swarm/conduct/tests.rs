//! Stories of peers, good and bad, without a network.

use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::*;
use crate::swarm::wire::Malformed;

fn conduct() -> Conduct {
    Conduct::new(Limits::default())
}

fn after(start: Instant, seconds: f64) -> Instant {
    start + Duration::from_secs_f64(seconds)
}

#[test]
fn one_fault_is_forgiven_and_three_in_a_row_are_not() {
    let (mut conduct, peer, now) = (conduct(), PeerId::random(), Instant::now());
    assert_eq!(
        conduct.strike(peer, Offence::Malformed, now),
        Verdict::Allow
    );
    assert_eq!(conduct.strike(peer, Offence::BadSeal, now), Verdict::Allow);
    let dropped = Verdict::Drop(Offence::HostileLink);
    assert_eq!(conduct.strike(peer, Offence::HostileLink, now), dropped);
    assert_eq!(conduct.judge(peer, Act::Question, now), dropped);
    assert_eq!(conduct.dropped(&peer, now), Some(Offence::HostileLink));
    assert_eq!(conduct.dropped(&PeerId::random(), now), None);
}

#[test]
fn a_fault_every_five_minutes_is_forgiven_for_ever() {
    let (mut conduct, peer, start) = (conduct(), PeerId::random(), Instant::now());
    for turn in 0..1000 {
        let now = after(start, 300.0 * f64::from(turn));
        let verdict = conduct.strike(peer, Offence::Malformed, now);
        assert_eq!(verdict, Verdict::Allow, "{turn}");
    }
}

#[test]
fn who_was_dropped_comes_back_with_nothing_held_against_it() {
    let (mut conduct, peer, start) = (conduct(), PeerId::random(), Instant::now());
    conduct.judged(peer, Duration::ZERO, true, start);
    while conduct.strike(peer, Offence::Bomb, start) == Verdict::Allow {}
    let almost = after(start, 599.0);
    assert_eq!(conduct.dropped(&peer, almost), Some(Offence::Bomb));
    let later = after(start, 600.0);
    assert_eq!(conduct.dropped(&peer, later), None);
    assert_eq!(conduct.judge(peer, Act::Store, later), Verdict::Allow);
    assert_eq!(conduct.strike(peer, Offence::Bomb, later), Verdict::Allow);
    let record = conduct.record(&peer, later);
    assert_eq!((record.confirmed, record.dropped), (1, None));
}

#[test]
fn floods_are_refused_and_then_dropped_by_name() {
    for (act, offence) in [
        (Act::Question, Offence::QuestionFlood),
        (Act::Bytes(10 << 20), Offence::ByteFlood),
        (Act::Store, Offence::StoreFlood),
        (Act::Announce, Offence::AnnouncementFlood),
    ] {
        let (mut conduct, peer, now) = (conduct(), PeerId::random(), Instant::now());
        let verdicts: Vec<_> = (0..10_000).map(|_| conduct.judge(peer, act, now)).collect();
        assert_eq!(verdicts.first(), Some(&Verdict::Allow), "{act:?}");
        assert!(verdicts.contains(&Verdict::Busy), "{act:?}");
        assert_eq!(verdicts.last(), Some(&Verdict::Drop(offence)), "{act:?}");
        assert!(!verdicts.contains(&Verdict::Drop(Offence::Malformed)));
    }
}

#[test]
fn too_many_writes_are_never_half_heard() {
    let (mut conduct, peer, now) = (conduct(), PeerId::random(), Instant::now());
    let verdicts: Vec<_> = (0..2000)
        .map(|_| conduct.judge(peer, Act::Invalidate(1), now))
        .collect();
    assert!(!verdicts.contains(&Verdict::Busy));
    let last = Verdict::Drop(Offence::InvalidationFlood);
    assert_eq!(verdicts.last(), Some(&last));
}

#[test]
fn writes_are_counted_not_the_messages_that_tell_of_them() {
    let (mut conduct, peer, now) = (conduct(), PeerId::random(), Instant::now());
    let verdicts = (0..100).map(|_| conduct.judge(peer, Act::Invalidate(64), now));
    let allowed = verdicts
        .take_while(|verdict| *verdict == Verdict::Allow)
        .count();
    assert_eq!(allowed, 16);
}

#[test]
fn a_busy_fleet_of_honest_runners_is_never_refused() {
    let (mut conduct, start) = (conduct(), Instant::now());
    let peers: Vec<_> = (0..50).map(|_| PeerId::random()).collect();
    // Every runner asks for 200 cold things within 100 ms, waits, stores and announces some; then one thing a
    // second, a pulse a second and a write every ten, for an hour.
    for peer in &peers {
        for turn in 0..800 {
            let now = after(start, 0.1 * f64::from(turn) / 800.0);
            assert_eq!(conduct.judge(*peer, Act::Question, now), Verdict::Allow);
            let bytes = conduct.judge(*peer, Act::Bytes(4 << 10), now);
            assert_eq!(bytes, Verdict::Allow);
        }
        for _ in 0..200 {
            assert_eq!(conduct.judge(*peer, Act::Store, start), Verdict::Allow);
            assert_eq!(conduct.judge(*peer, Act::Announce, start), Verdict::Allow);
        }
    }
    for second in 1..3600 {
        let now = after(start, f64::from(second));
        for peer in &peers {
            for act in [Act::Question, Act::Question, Act::Bytes(8 << 10)] {
                assert_eq!(conduct.judge(*peer, act, now), Verdict::Allow);
            }
            if second % 10 == 0 {
                assert_eq!(
                    conduct.judge(*peer, Act::Invalidate(1), now),
                    Verdict::Allow
                );
            }
        }
    }
}

#[test]
fn a_liar_about_new_things_is_dropped_and_an_outdated_peer_is_not() {
    let (mut conduct, now) = (conduct(), Instant::now());
    let (liar, outdated) = (PeerId::random(), PeerId::random());
    for turn in 0..14 {
        let verdict = conduct.judged(liar, Duration::ZERO, false, now);
        let expected = if turn < 13 {
            Verdict::Allow
        } else {
            Verdict::Drop(Offence::RefutedCandidates)
        };
        assert_eq!(verdict, expected, "{turn}");
        let old = Duration::from_hours(8);
        assert_eq!(conduct.judged(outdated, old, false, now), Verdict::Allow);
    }
    assert_eq!(conduct.record(&liar, now).refuted, 14);
    assert_eq!(conduct.record(&outdated, now).refuted, 14);
    assert_eq!(conduct.dropped(&outdated, now), None);
}

#[test]
fn a_wrong_setting_takes_long_to_be_dropped_and_a_wrong_clock_or_a_newer_version_for_ever() {
    let (mut conduct, peer, now) = (conduct(), PeerId::random(), Instant::now());
    let setting = Offence::WrongAudience;
    let strikes = (1..100).find(|_| conduct.strike(peer, setting, now) != Verdict::Allow);
    assert_eq!(strikes, Some(50));
    for pardoned in [Malformed::Expired, Malformed::Ahead, Malformed::Unknown] {
        assert_eq!(Offence::of(pardoned), None);
    }
}

#[test]
fn memory_is_bounded_and_who_is_dropped_is_remembered_longest() {
    let (mut conduct, start) = (conduct(), Instant::now());
    let (bad, first) = (PeerId::random(), PeerId::random());
    while conduct.strike(bad, Offence::Bomb, start) == Verdict::Allow {}
    conduct.judged(first, Duration::ZERO, true, start);
    for turn in 0..3000 {
        let now = after(start, f64::from(turn) / 100.0);
        conduct.judge(PeerId::random(), Act::Question, now);
    }
    assert_eq!(conduct.peers.len(), PEERS_MAX);
    let now = after(start, 30.0);
    assert_eq!(conduct.dropped(&bad, now), Some(Offence::Bomb));
    assert_eq!(conduct.record(&first, now).confirmed, 0, "forgotten");
}
