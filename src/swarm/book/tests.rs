use super::entry::ADDRESSES_MAX;
use super::*;
use crate::swarm::roster::Standing;

const SECOND: Duration = Duration::from_secs(1);

/// Two names, the smaller one first.
fn names() -> (PeerId, PeerId) {
    let (one, other) = (PeerId::random(), PeerId::random());
    (one.min(other), one.max(other))
}

fn at(port: u16) -> Multiaddr {
    format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()
}

fn told(peer: PeerId, port: u16) -> Acquaintance {
    Acquaintance {
        peer: Some(peer),
        addresses: vec![at(port)],
        ticket: None,
    }
}

fn ticket(expires: u64) -> Ticket {
    Ticket {
        expires: Timestamp::from_secs(expires),
        secret: [7; 32].into(),
    }
}

const TODAY: Timestamp = Timestamp::from_secs(1_000);

#[test]
fn of_two_peers_the_smaller_name_dials_first() {
    let now = Instant::now();
    let (small, large) = names();
    let mut book = Book::new(small, true);
    assert_eq!(book.know(told(large, 1), now), Known::Learned(large));
    assert_eq!(book.due(now, TODAY, 99), [Target::Peer(large, vec![at(1)])]);
    let mut book = Book::new(large, true);
    book.know(told(small, 1), now);
    assert_eq!(book.due(now + SECOND, TODAY, 99), []);
    assert_eq!(book.due(now + 3 * SECOND, TODAY, 99).len(), 1);
}

#[test]
fn nobody_is_dialled_who_would_not_let_us_in() {
    let now = Instant::now();
    let (me, peer) = names();
    let mut book = Book::new(me, false);
    book.know(told(peer, 1), now);
    assert_eq!(book.due(now, TODAY, 99), []);
    let with = |expires| Acquaintance {
        ticket: Some(ticket(expires)),
        ..told(peer, 1)
    };
    book.know(with(999), now);
    assert_eq!(book.due(now, TODAY, 99), []);
    book.know(with(2_000), now);
    assert_eq!(book.due(now, TODAY, 99).len(), 1);
    assert_eq!(book.ticket(&peer), Some(&ticket(2_000)));
    book.found(PeerId::random(), at(9), now);
    assert_eq!(book.len(), 1);
}

#[test]
fn a_connected_peer_is_not_dialled_and_a_lost_one_soon_again() {
    let now = Instant::now();
    let (me, peer) = names();
    let mut book = Book::new(me, true);
    book.know(told(peer, 1), now);
    let due = book.due(now, TODAY, 99);
    book.reached(&due[0], now);
    book.admitted(peer, Some(at(1)), now);
    assert_eq!(book.due(now + 60 * SECOND, TODAY, 99), []);
    book.gone(&peer, now);
    assert_eq!(book.due(now, TODAY, 99), []);
    assert_eq!(book.due(now + 2 * SECOND, TODAY, 99).len(), 1);
}

#[test]
fn a_refusal_is_shown_and_tried_again_later_or_with_a_new_ticket() {
    let now = Instant::now();
    let (me, peer) = names();
    let mut book = Book::new(me, true);
    book.know(told(peer, 1), now);
    book.due(now, TODAY, 99);
    book.refused(peer, "wrong-proof", true, now);
    let (_, entry) = book.entries().next().unwrap();
    assert_eq!(entry.standing(), Standing::Refused);
    assert_eq!(entry.reason(), Some("wrong-proof"));
    assert_eq!(book.due(now + 10 * SECOND, TODAY, 99), []);
    let again = Acquaintance {
        ticket: Some(ticket(2_000)),
        ..told(peer, 2)
    };
    book.know(again, now + 10 * SECOND);
    assert_eq!(book.due(now + 10 * SECOND, TODAY, 99).len(), 1);
}

#[test]
fn who_is_elsewhere_by_now_is_dialled_there_while_the_old_place_keeps_silent() {
    let now = Instant::now();
    let (me, peer) = names();
    let mut book = Book::new(me, false);
    let record = |port, expires| Acquaintance {
        ticket: Some(ticket(expires)),
        ..told(peer, port)
    };
    book.know(record(1, 2_000), now);
    assert_eq!(book.due(now, TODAY, 99).len(), 1);
    book.know(record(1, 2_001), now);
    assert_eq!(book.due(now, TODAY, 99), [], "it is being dialled there");
    book.know(record(2, 2_002), now);
    let target = Target::Peer(peer, vec![at(1), at(2)]);
    assert_eq!(book.due(now, TODAY, 99), [target]);
}

#[test]
fn a_dropped_peer_is_left_alone_until_its_time_is_over() {
    let now = Instant::now();
    let (me, peer) = names();
    let mut book = Book::new(me, true);
    book.know(told(peer, 1), now);
    book.dropped(peer, now + 600 * SECOND, "malformed");
    assert_eq!(book.due(now + 599 * SECOND, TODAY, 99), []);
    assert_eq!(book.forgiven(now + 599 * SECOND), []);
    assert!(book.is_dropped(&peer));
    assert_eq!(book.forgiven(now + 600 * SECOND), [peer]);
    assert_eq!(book.due(now + 600 * SECOND, TODAY, 99).len(), 1);
}

#[test]
fn a_bootstrap_address_is_dialled_whenever_we_are_alone() {
    let now = Instant::now();
    let (me, peer) = names();
    let mut book = Book::new(me, true);
    book.bootstrap(at(9), now);
    let target = Target::Address(at(9));
    assert_eq!(book.due(now, TODAY, 99), std::slice::from_ref(&target));
    book.reached(&target, now);
    book.admitted(peer, Some(at(9)), now);
    assert_eq!(book.due(now + 90 * SECOND, TODAY, 99), []);
    book.gone(&peer, now + 90 * SECOND);
    let due = book.due(now + 95 * SECOND, TODAY, 99);
    assert!(due.contains(&target), "{due:?}");
}

#[test]
fn an_address_is_dialled_until_somebody_is_there_and_never_if_it_is_ours() {
    let now = Instant::now();
    let (me, _) = names();
    let mut book = Book::new(me, false);
    let target = Target::Address(at(9));
    book.stranger(at(9), now);
    assert_eq!(book.due(now, TODAY, 99), std::slice::from_ref(&target));
    book.failed(&target, now);
    assert_eq!(
        book.due(now + 2 * SECOND, TODAY, 99),
        std::slice::from_ref(&target)
    );
    book.reached(&target, now);
    assert_eq!(book.due(now + 90 * SECOND, TODAY, 99), []);
    book.bootstrap(at(8), now);
    let own = book.due(now, TODAY, 99);
    book.ourselves(&own[0], &at(8), now);
    assert_eq!(book.due(now + 90 * SECOND, TODAY, 99), []);
    assert_eq!(book.know(told(me, 1), now), Known::Ourselves);
}

#[test]
fn few_are_dialled_at_once_and_the_likely_ones_first() {
    let now = Instant::now();
    let mut book = Book::new(PeerId::random(), true);
    for _ in 0..10 {
        book.know(told(PeerId::random(), 1), now);
    }
    let later = now + 5 * SECOND;
    for target in book.due(later, TODAY, 6) {
        book.failed(&target, later);
    }
    let much_later = later + 60 * SECOND;
    for _ in 0..4 {
        let [Target::Peer(peer, _)] = &book.due(much_later, TODAY, 1)[..] else {
            panic!("one is due");
        };
        assert_eq!(book.peers[peer].attempts.failed, 0);
    }
    assert_eq!(book.due(much_later, TODAY, 99).len(), 6);
    assert_eq!(book.due(much_later, TODAY, 99), []);
}

#[test]
fn memory_is_bounded_and_strangers_go_first() {
    let now = Instant::now();
    let (me, friend) = names();
    let mut book = Book::new(me, true);
    book.know(told(friend, 1), now);
    for number in 0..2_000 {
        let stranger = PeerId::random();
        book.refused(stranger, "wrong-proof", true, now + number * SECOND);
    }
    assert_eq!(book.len(), PEERS_MAX);
    assert_eq!(book.addresses(&friend), [at(1)]);
    for port in 0..100 {
        book.know(told(friend, port), now);
    }
    assert_eq!(book.addresses(&friend).len(), ADDRESSES_MAX);
    assert_eq!(book.addresses(&friend).last(), Some(&at(99)));
    for port in 0..100 {
        book.stranger(at(port), now);
    }
    assert_eq!(book.stranger(at(200), now), Known::Full);
}
