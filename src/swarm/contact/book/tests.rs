use std::time::Duration;

use super::*;
use crate::api::Namespace;

const SECOND: Duration = Duration::from_secs(1);

fn stale() -> Vec<Stale> {
    vec![Stale {
        namespace: Namespace::Repo("o/r".into()),
        id: None,
    }]
}

/// A book with one peer, which has greeted and was greeted at `now`.
fn in_contact() -> (Book, PeerId, Instant) {
    let (mut book, peer, now) = (
        Book::new(Times::default(), 7),
        PeerId::random(),
        Instant::now(),
    );
    book.connected(peer, now);
    assert_eq!(book.tick(now), [Due::Greet(peer)]);
    let (connection, heard) = book.greeting(peer).expect("it is connected");
    assert_eq!(heard, None);
    book.greeted(peer, connection, now, THEIRS);
    assert!(book.greeted_by(peer, None, now).is_some());
    (book, peer, now)
}

const THEIRS: Position = Position {
    epoch: 9,
    sequence: 4,
};

fn is_lost(book: &Book, now: Instant) -> bool {
    let standing = book.standing();
    standing.lease_until.is_some_and(|until| until <= now)
        || standing.deaf_until.is_some_and(|until| until > now)
}

/// Lets `book` ask at `now` and be answered at once.
fn pulse(book: &mut Book, peer: PeerId, now: Instant, position: Position) -> Pulsed {
    let due = book.tick(now);
    let [Due::Pulse(asked, connection, _)] = due[..] else {
        panic!("{due:?}");
    };
    assert_eq!(asked, peer);
    book.pulsed(peer, connection, now, position)
}

#[test]
fn pulses_keep_the_contact_and_their_end_loses_it() {
    let (mut book, peer, mut now) = in_contact();
    for _ in 0..10 {
        now += SECOND;
        assert_eq!(pulse(&mut book, peer, now, THEIRS), Pulsed::InContact);
        assert!(!is_lost(&book, now));
    }
    assert!(!is_lost(&book, now + 2 * SECOND));
    assert!(is_lost(&book, now + 3 * SECOND));
    // Deaf for a minute, and what was asked meanwhile is asked again after it.
    let later = now + 4 * SECOND;
    book.tick(later);
    assert!(is_lost(&book, later + 59 * SECOND));
    let due = book.tick(later + 60 * SECOND);
    assert!(due.contains(&Due::EverythingStale("silent")), "{due:?}");
    assert!(!is_lost(&book, later + 60 * SECOND));
}

#[test]
fn who_was_silent_and_answers_again_ends_the_deafness() {
    let (mut book, peer, now) = in_contact();
    let later = now + 5 * SECOND;
    assert_eq!(pulse(&mut book, peer, later, THEIRS), Pulsed::InContact);
    assert!(!is_lost(&book, later));
}

#[test]
fn who_hangs_up_while_in_contact_makes_nobody_deaf() {
    let (mut book, peer, now) = in_contact();
    assert_eq!(book.gone(peer, now + SECOND), None);
    for seconds in 1..100 {
        assert!(!is_lost(&book, now + seconds * SECOND));
    }
}

#[test]
fn a_connection_that_ends_after_the_lease_was_silent() {
    let (mut book, peer, now) = in_contact();
    assert_eq!(book.gone(peer, now + 4 * SECOND), None);
    assert!(is_lost(&book, now + 5 * SECOND));
    // It is back when it has been greeted, and not before.
    book.connected(peer, now + 6 * SECOND);
    assert!(is_lost(&book, now + 6 * SECOND));
    let (connection, heard) = book.greeting(peer).expect("connected");
    assert_eq!(heard, Some(THEIRS));
    book.greeted(peer, connection, now + 6 * SECOND, THEIRS);
    assert!(!is_lost(&book, now + 7 * SECOND));
}

#[test]
fn an_answer_counts_when_everything_before_it_was_heard() {
    let (mut book, peer, now) = in_contact();
    let ahead = Position {
        sequence: 5,
        ..THEIRS
    };
    assert_eq!(
        pulse(&mut book, peer, now + 2 * SECOND, ahead),
        Pulsed::Behind
    );
    assert!(is_lost(&book, now + 3 * SECOND));
    book.applied(peer, ahead);
    assert!(!is_lost(&book, now + 4 * SECOND));
    assert!(is_lost(&book, now + 5 * SECOND));
}

#[test]
fn who_stays_behind_greets_again() {
    let (mut book, peer, now) = in_contact();
    let ahead = Position {
        sequence: 5,
        ..THEIRS
    };
    pulse(&mut book, peer, now + SECOND, ahead);
    pulse(&mut book, peer, now + 2 * SECOND, ahead);
    assert_eq!(book.tick(now + 3 * SECOND), [Due::Greet(peer)]);
}

#[test]
fn hanging_up_with_something_untold_makes_everything_stale() {
    let (mut book, peer, now) = in_contact();
    let ahead = Position {
        sequence: 5,
        ..THEIRS
    };
    pulse(&mut book, peer, now + SECOND, ahead);
    assert_eq!(book.gone(peer, now + SECOND), Some("hung-up"));
}

#[test]
fn a_write_waits_for_the_lease_that_was_there_when_it_came() {
    let (mut book, peer, now) = in_contact();
    let written = book.write(stale(), now + SECOND);
    assert_eq!(written.start, [peer]);
    let target = written.targets[0];
    // Pulses that are answered later do not make it longer.
    assert!(book.pulsed_by(peer, now + 2 * SECOND).is_some());
    assert_eq!(book.wait(&target, now + 3 * SECOND), Wait::NotYet);
    assert_eq!(
        book.wait(&target, now + 3 * SECOND + SECOND / 10),
        Wait::Lost
    );

    let message = book.message(peer).expect("one write");
    assert_eq!((message.position.sequence, message.stale.len()), (1, 1));
    book.acknowledged(peer, message.connection, 1);
    assert_eq!(book.wait(&target, now + 3 * SECOND), Wait::Acknowledged);
    assert_eq!(book.message(peer), None);
}

#[test]
fn writes_of_the_same_moment_travel_together() {
    let (mut book, peer, now) = in_contact();
    assert_eq!(book.write(stale(), now).start, [peer]);
    let first = book.message(peer).expect("one");
    assert_eq!(book.write(stale(), now).start, []);
    assert_eq!(book.write(stale(), now).start, []);
    book.acknowledged(peer, first.connection, first.position.sequence);
    let rest = book.message(peer).expect("two");
    assert_eq!((rest.position.sequence, rest.stale.len()), (3, 2));
}

#[test]
fn nobody_waits_for_a_peer_that_is_not_in_contact() {
    let (mut book, peer, now) = in_contact();
    assert!(book.write(stale(), now + 10 * SECOND).targets.is_empty());
    // It has to greet before it may count on us again, and hears what it missed.
    assert_eq!(book.pulsed_by(peer, now + 11 * SECOND), None);
    let heard = Some(Position {
        epoch: 7,
        sequence: 0,
    });
    let answer = book.greeted_by(peer, heard, now + 12 * SECOND);
    let (position, missed) = answer.expect("connected");
    assert_eq!((position.sequence, missed), (1, Missed::These(stale())));
    assert_eq!(book.write(stale(), now + 12 * SECOND).targets.len(), 1);
    let message = book.message(peer).expect("the second alone");
    assert_eq!((message.position.sequence, message.stale.len()), (2, 1));
}

#[test]
fn who_is_given_up_is_hung_up_on_when_its_lease_is_over() {
    let (mut book, peer, now) = in_contact();
    book.write(stale(), now + SECOND);
    assert!(book.pulsed_by(peer, now + 2 * SECOND).is_some());
    let connection = book.message(peer).expect("a write").connection;
    // It acknowledged nothing, but got an answer a second ago.
    assert!(!book.gave_up(peer, connection, now + 3 * SECOND));
    assert!(is_lost(&book, now + 3 * SECOND), "we do not hear it either");
    assert_eq!(book.pulsed_by(peer, now + 4 * SECOND), None);
    assert_eq!(book.tick(now + 4 * SECOND), []);
    assert_eq!(book.tick(now + 6 * SECOND), [Due::HangUp(peer)]);
}

#[test]
fn who_never_answers_is_hung_up_on() {
    let (mut book, peer, mut now) = in_contact();
    let mut due = Vec::new();
    for _ in 0..8 {
        now += SECOND;
        due = book.tick(now);
        for due in &due {
            if let Due::Pulse(_, connection, _) = due {
                book.unanswered(peer, *connection, false);
            }
        }
    }
    assert_eq!(due, [Due::HangUp(peer)]);
}

#[test]
fn answers_over_an_earlier_connection_mean_nothing() {
    let (mut book, peer, now) = in_contact();
    book.connected(peer, now + SECOND);
    assert_eq!(book.pulsed(peer, 1, now + SECOND, THEIRS), Pulsed::Behind);
    assert_eq!(book.standing(), Standing::default());
}

#[test]
fn the_book_remembers_a_bounded_number_of_peers() {
    let (mut book, now) = (Book::new(Times::default(), 7), Instant::now());
    for _ in 0..3 * PEERS_MAX {
        let peer = PeerId::random();
        book.connected(peer, now);
        book.gone(peer, now);
    }
    assert_eq!(book.peers.len(), PEERS_MAX);
}
