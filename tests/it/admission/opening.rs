//! Who is admitted, who is not, and what becomes of the connection.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ghswarm::clock::Clock;
use ghswarm::swarm::Coverage;
use ghswarm::swarm::admission::{Method, Reason};
use ghswarm::time::Timestamp;

use super::node::{ECHO, Node, Plan, Seen, secret};

async fn two(first: Plan, second: Plan) -> (Node, Node) {
    (Node::start(first).await, Node::start(second).await)
}

async fn both_admit(one: &mut Node, other: &mut Node, method: Method, coverage: Coverage) {
    one.see(Seen::Admitted(other.peer, method, coverage)).await;
    other.see(Seen::Admitted(one.peer, method, coverage)).await;
}

async fn both_answer(one: &mut Node, other: &mut Node) {
    one.ask(other, b"one").await;
    other.ask(one, b"other").await;
    one.see(Seen::Answered(b"one".to_vec())).await;
    other.see(Seen::Answered(b"other".to_vec())).await;
}

#[tokio::test]
async fn a_ticket_lets_in() {
    for quic in [false, true] {
        let plan = |seed| Plan {
            quic,
            deadline: Duration::from_secs(3),
            ..Plan::member(seed)
        };
        let (mut one, mut other) = two(plan(1), plan(2)).await;
        one.hold_ticket_of(&other).await;
        one.dial(&other).await;
        both_admit(&mut one, &mut other, Method::Ticket, Coverage::Public).await;
        both_answer(&mut one, &mut other).await;
        // Nothing ends it: not the deadline, nor that nobody says anything.
        let end = one.see(Seen::Closed(other.peer));
        let ends = tokio::time::timeout(Duration::from_secs(4), end).await;
        assert!(ends.is_err(), "it ends");
        both_answer(&mut one, &mut other).await;
    }
}

#[tokio::test]
async fn a_secret_lets_in_to_more() {
    for quic in [false, true] {
        let plan = |seed| Plan {
            quic,
            secret: Some(secret(0)),
            ..Plan::member(seed)
        };
        let (mut one, mut other) = two(plan(1), plan(2)).await;
        one.hold_ticket_of(&other).await;
        one.dial(&other).await;
        both_admit(&mut one, &mut other, Method::Secret, Coverage::Repository).await;
        both_answer(&mut one, &mut other).await;
    }
}

#[tokio::test]
async fn each_side_says_for_itself_what_a_ticket_covers() {
    let open = Plan {
        share_private: true,
        ..Plan::member(2)
    };
    let (mut one, mut other) = two(Plan::member(1), open).await;
    one.hold_ticket_of(&other).await;
    one.dial(&other).await;
    one.see(Seen::Admitted(other.peer, Method::Ticket, Coverage::Public))
        .await;
    other
        .see(Seen::Admitted(
            one.peer,
            Method::Ticket,
            Coverage::Repository,
        ))
        .await;
}

#[tokio::test]
async fn both_may_dial_at_once() {
    let (mut one, mut other) = two(Plan::member(1), Plan::member(2)).await;
    one.hold_ticket_of(&other).await;
    other.hold_ticket_of(&one).await;
    one.dial(&other).await;
    other.dial(&one).await;
    // A connection for each, and each is admitted by itself.
    for _ in 0..2 {
        both_admit(&mut one, &mut other, Method::Ticket, Coverage::Public).await;
    }
    both_answer(&mut one, &mut other).await;
}

/// What is asked as soon as the inner behaviour hears of the connection arrives, at both ends: 100 connections over TCP,
/// 100 over QUIC.
#[tokio::test]
async fn nothing_is_lost_right_after_the_admission() {
    for quic in [false, true] {
        let plan = |seed| Plan {
            quic,
            greets: true,
            ..Plan::member(seed)
        };
        let (mut one, mut other) = two(plan(1), plan(2)).await;
        one.hold_ticket_of(&other).await;
        for _ in 0..100 {
            one.dial(&other).await;
            for node in [&mut one, &mut other] {
                let answer = node.wait(|seen| match seen {
                    Seen::Answered(_) | Seen::Failed(_) => Some(seen.clone()),
                    _ => None,
                });
                assert_eq!(answer.await, Seen::Answered(b"at once".to_vec()));
            }
            let peer = other.peer;
            one.order(move |swarm| swarm.disconnect_peer_id(peer).unwrap())
                .await;
            one.see(Seen::Inner(other.peer, false)).await;
            other.see(Seen::Inner(one.peer, false)).await;
        }
    }
}

#[tokio::test]
async fn another_connection_needs_an_admission_of_its_own() {
    let (mut one, mut other) = two(Plan::member(1), Plan::member(2)).await;
    one.hold_ticket_of(&other).await;
    one.dial(&other).await;
    both_admit(&mut one, &mut other, Method::Ticket, Coverage::Public).await;
    let peer = other.peer;
    one.gate(move |gate| gate.forget_ticket(&peer)).await;
    one.dial(&other).await;
    let reason = Reason::NoCommonMethod;
    both_refuse(&mut one, &mut other, false, reason).await;
    one.see(Seen::Closed(other.peer)).await;
    both_answer(&mut one, &mut other).await;
    let missed = |seen: &Seen| matches!(seen, Seen::Gone { .. } | Seen::Inner(..));
    assert!(!one.seen().iter().any(missed) && !other.seen().iter().any(missed));
}

#[tokio::test]
async fn who_is_gone_is_told_with_the_last_connection() {
    let (mut one, mut other) = two(Plan::member(1), Plan::member(2)).await;
    one.hold_ticket_of(&other).await;
    for _ in 0..2 {
        one.dial(&other).await;
        both_admit(&mut one, &mut other, Method::Ticket, Coverage::Public).await;
    }
    let peer = one.peer;
    drop(one);
    other.see(Seen::Gone { peer, last: false }).await;
    other.see(Seen::Gone { peer, last: true }).await;
}

/// `dialer_refuses`: whose decision it is.
async fn both_refuse(dialer: &mut Node, listener: &mut Node, dialer_refuses: bool, reason: Reason) {
    dialer
        .see(Seen::Refused {
            peer: listener.peer,
            by_us: dialer_refuses,
            reason,
        })
        .await;
    listener
        .see(Seen::Refused {
            peer: dialer.peer,
            by_us: !dialer_refuses,
            reason,
        })
        .await;
}

#[tokio::test]
async fn both_sides_know_why_not() {
    let with = |seed, which| Plan {
        secret: Some(secret(which)),
        ..Plan::member(seed)
    };
    let elsewhere = Plan {
        pool: "octo-org/other",
        ..with(2, 0)
    };
    let cases = [
        (
            Plan::member(1),
            Plan::member(2),
            false,
            Reason::NoCommonMethod,
        ),
        (with(1, 0), Plan::member(2), false, Reason::NoCommonMethod),
        (with(1, 0), elsewhere, false, Reason::OtherPool),
        (with(1, 0), with(2, 1), false, Reason::WrongProof),
        (with(1, 0), with(2, 2), true, Reason::KeyCost),
    ];
    for (one, other, by_dialer, reason) in cases {
        for quic in [false, true] {
            let one = Plan {
                quic,
                ..one.clone()
            };
            let other = Plan {
                quic,
                ..other.clone()
            };
            let (mut one, mut other) = two(one, other).await;
            one.dial(&other).await;
            both_refuse(&mut one, &mut other, by_dialer, reason).await;
            // Its requests must not wait for what does not come.
            one.see(Seen::Closed(other.peer)).await;
            other.see(Seen::Closed(one.peer)).await;
            let heard = |seen: &Seen| matches!(seen, Seen::Inner(..) | Seen::Admitted(..));
            assert!(!one.seen().iter().any(heard) && !other.seen().iter().any(heard));
        }
    }
}

#[tokio::test]
async fn a_ticket_is_good_until_it_runs_out_and_for_nobody_else() {
    let start = Timestamp::from_secs(1_800_000_000);
    let clock = Clock::manual(start);
    let plan = |seed| Plan {
        clock: clock.clone(),
        ..Plan::member(seed)
    };
    let (mut one, mut other) = two(plan(1), plan(2)).await;
    let ticket = other.identity.ticket(start.plus(Duration::from_secs(60)));
    one.hold(other.peer, ticket).await;
    one.dial(&other).await;
    both_admit(&mut one, &mut other, Method::Ticket, Coverage::Public).await;

    clock.advance(Duration::from_secs(60));
    one.dial(&other).await;
    both_refuse(&mut one, &mut other, false, Reason::TicketExpired).await;

    let foreign = one.identity.ticket(start.plus(Duration::from_secs(600)));
    one.hold(other.peer, foreign).await;
    one.dial(&other).await;
    both_refuse(&mut one, &mut other, false, Reason::WrongProof).await;
}

#[tokio::test]
async fn who_was_dropped_is_asked_to_come_back_later() {
    let (mut one, mut other) = two(Plan::member(1), Plan::member(2)).await;
    one.hold_ticket_of(&other).await;
    one.dial(&other).await;
    both_admit(&mut one, &mut other, Method::Ticket, Coverage::Public).await;
    let peer = one.peer;
    other.gate(move |gate| gate.refuse(peer)).await;
    let last = true;
    one.see(Seen::Gone {
        peer: other.peer,
        last,
    })
    .await;
    other.see(Seen::Gone { peer, last }).await;

    one.dial(&other).await;
    both_refuse(&mut one, &mut other, false, Reason::NotNow).await;
    other.gate(move |gate| gate.pardon(&peer)).await;
    one.dial(&other).await;
    both_admit(&mut one, &mut other, Method::Ticket, Coverage::Public).await;
}

/// Whoever asks for a connection behind the gate hears that it does not come.
#[tokio::test]
async fn what_waits_for_a_connection_hears_that_it_was_refused() {
    let (mut one, mut other) = two(Plan::member(1), Plan::member(2)).await;
    one.dial(&other).await;
    both_refuse(&mut one, &mut other, false, Reason::NoCommonMethod).await;
    one.see(Seen::InnerDialFailure(Some(other.peer))).await;
    assert!(
        !other
            .seen()
            .iter()
            .any(|seen| matches!(seen, Seen::InnerDialFailure(_)))
    );
}

/// What the other side said of its protocols before it was admitted is not lost on whoever comes later.
#[tokio::test]
async fn what_the_other_speaks_is_known_behind_the_gate() {
    for _ in 0..5 {
        let (mut one, mut other) = two(Plan::member(1), Plan::member(2)).await;
        one.hold_ticket_of(&other).await;
        one.dial(&other).await;
        for node in [&mut one, &mut other] {
            let mut missing = BTreeSet::from([ECHO, "/ipfs/ping/1.0.0"]);
            while !missing.is_empty() {
                let name = node.wait(|seen| match seen {
                    Seen::Speaks(name) => Some(name.clone()),
                    _ => None,
                });
                missing.remove(name.await.as_str());
            }
        }
    }
}

/// The log, as far as this thread writes it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_why_not_and_what_to_do_and_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let with = |seed, which| Plan {
        secret: Some(secret(which)),
        ..Plan::member(seed)
    };
    let (mut one, mut other) = two(with(1, 0), with(2, 1)).await;
    for _ in 0..3 {
        one.dial(&other).await;
        both_refuse(&mut one, &mut other, false, Reason::WrongProof).await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains(Reason::WrongProof.name()))
        .collect();
    // One for each side, however often it tries.
    assert_eq!(lines.len(), 2, "{log}");
    for (line, level, peer) in [(lines[0], "INFO", &one), (lines[1], "WARN", &other)] {
        assert!(line.contains(level) && line.contains("give both the same secret"));
        assert!(line.contains(&peer.peer.to_string()), "{line}");
    }
    assert!(!log.contains("the secret of"));
}
