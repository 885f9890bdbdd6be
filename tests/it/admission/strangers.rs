//! What a stranger gets: nothing, and not for long.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ghswarm::clock::Clock;
use ghswarm::swarm::admission::frame::with_length;
use ghswarm::swarm::admission::{Frame, Reason};
use ghswarm::swarm::gate::{Gate, Policy};
use ghswarm::swarm::wire::{ADMISSION, EXCHANGE, KADEMLIA};
use ghswarm::swarm::{Identity, Pool};
use libp2p::Multiaddr;
use libp2p::swarm::{ConnectionId, NetworkBehaviour as _, dummy};
use zeroize::Zeroizing;

use super::node::{Node, Plan, Said, Seen};

const DEADLINE: Duration = Duration::from_secs(2);

fn member() -> Plan {
    Plan {
        deadline: DEADLINE,
        ..Plan::member(2)
    }
}

/// The member says that nothing came of it, and its inner behaviour never heard of anything.
async fn is_refused(member: &mut Node, stranger: &mut Node, by_us: bool, reason: Reason) {
    let peer = stranger.peer;
    member
        .wait(|seen| {
            assert!(!matches!(seen, Seen::Inner(..)), "{seen:?}");
            let refused = Seen::Refused {
                peer,
                by_us,
                reason,
            };
            (*seen == refused).then_some(())
        })
        .await;
    stranger.see(Seen::Closed(member.peer)).await;
}

#[tokio::test]
async fn a_stranger_learns_nothing_and_is_gone_in_time() {
    for quic in [false, true] {
        let mut member = Node::start(Plan { quic, ..member() }).await;
        let stranger = Plan::stranger(1, &[EXCHANGE]);
        let mut stranger = Node::start(Plan { quic, ..stranger }).await;
        stranger.dial(&member).await;
        stranger.see(Seen::Connected(member.peer)).await;
        let connected = Instant::now();
        let told = stranger.wait(|seen| match seen {
            Seen::Identified {
                protocols,
                listens,
                agent,
            } => Some((protocols.clone(), listens.clone(), agent.clone())),
            _ => None,
        });
        let expected = [
            ADMISSION,
            "/ipfs/id/1.0.0",
            "/ipfs/id/push/1.0.0",
            "/ipfs/ping/1.0.0",
        ];
        let expected: BTreeSet<_> = expected.map(str::to_owned).into();
        assert_eq!(told.await, (expected, vec![], "ghswarm".to_owned()));
        is_refused(&mut member, &mut stranger, true, Reason::TimedOut).await;
        let took = connected.elapsed();
        assert!(took > DEADLINE / 2 && took < DEADLINE * 5, "{took:?}");
    }
}

#[tokio::test]
async fn nothing_else_is_spoken_before() {
    const PROTOCOLS: [&[&str]; 3] = [&[EXCHANGE], &[KADEMLIA], &["/meshsub/1.2.0"]];
    for tries in PROTOCOLS {
        let mut member = Node::start(member()).await;
        let mut stranger = Node::start(Plan::stranger(1, tries)).await;
        stranger.dial(&member).await;
        stranger.see(Seen::Connected(member.peer)).await;
        stranger.say(&member, Said::at_once(b"let me in")).await;
        let came = stranger.wait(|seen| match seen {
            Seen::Answered(_) | Seen::Failed(_) => Some(seen.clone()),
            _ => None,
        });
        let Seen::Failed(error) = came.await else {
            panic!("{tries:?} was answered");
        };
        assert!(error.contains("support"), "{error}");
        is_refused(&mut member, &mut stranger, true, Reason::TimedOut).await;
    }
}

#[tokio::test]
async fn who_speaks_slowly_does_not_stay_longer() {
    let mut member = Node::start(member()).await;
    let mut stranger = Node::start(Plan::stranger(1, &[ADMISSION])).await;
    stranger.dial(&member).await;
    stranger.see(Seen::Connected(member.peer)).await;
    let connected = Instant::now();
    let hello = Frame::Hello {
        methods: 1,
        nonce: [1; 32],
        pool: [2; 16],
    };
    let bytes = with_length(&hello.encode());
    let pieces = bytes.iter().map(|byte| vec![*byte]).collect();
    stranger
        .say(&member, Said(pieces, Duration::from_millis(200)))
        .await;
    is_refused(&mut member, &mut stranger, true, Reason::TimedOut).await;
    assert!(connected.elapsed() < DEADLINE * 5);
}

#[tokio::test]
async fn what_is_no_admission_is_refused_by_name() {
    let refuse = |reason: Reason| {
        let code = reason.code().unwrap();
        with_length(&Frame::Refuse { code }.encode())
    };
    let hello = Frame::Hello {
        methods: 3,
        nonce: [1; 32],
        pool: [2; 16],
    };
    let cases: [(Vec<u8>, Reason); 6] = [
        (vec![0, 0], Reason::Malformed),
        (vec![4, 1, 0x81, 5], Reason::Malformed),
        (vec![0xff; 4096], Reason::Malformed),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Reason::Malformed),
        (with_length(&[0x81, 6]), Reason::Version),
        (with_length(&hello.encode()), Reason::OtherPool),
    ];
    for (said, reason) in cases {
        let mut member = Node::start(member()).await;
        let mut stranger = Node::start(Plan::stranger(1, &[ADMISSION])).await;
        stranger.dial(&member).await;
        stranger.see(Seen::Connected(member.peer)).await;
        stranger.say(&member, Said::at_once(&said)).await;
        stranger.see(Seen::Answered(refuse(reason))).await;
        is_refused(&mut member, &mut stranger, true, reason).await;
    }
}

#[tokio::test]
async fn there_is_one_admission_for_a_connection() {
    let mut member = Node::start(member()).await;
    let mut stranger = Node::start(Plan::stranger(1, &[ADMISSION])).await;
    stranger.dial(&member).await;
    stranger.see(Seen::Connected(member.peer)).await;
    let silent = Said(vec![vec![0]], DEADLINE * 10);
    stranger.say(&member, silent).await;
    stranger.say(&member, Said::at_once(&[0, 0])).await;
    // The second is reset, or its end comes without an answer.
    let second = stranger.wait(|seen| match seen {
        Seen::Answered(_) | Seen::Failed(_) => Some(seen.clone()),
        _ => None,
    });
    let second = second.await;
    assert!(
        matches!(&second, Seen::Failed(_)) || second == Seen::Answered(vec![]),
        "{second:?}"
    );
    is_refused(&mut member, &mut stranger, true, Reason::TimedOut).await;
}

#[tokio::test]
async fn a_listener_that_knows_no_admission_is_left() {
    let mut member = Node::start(member()).await;
    let mut stranger = Node::start(Plan::stranger(1, &[EXCHANGE])).await;
    member.dial(&stranger).await;
    is_refused(&mut member, &mut stranger, true, Reason::Version).await;
}

#[tokio::test]
async fn who_hangs_up_is_told_apart() {
    let mut member = Node::start(member()).await;
    let stranger = Node::start(Plan::stranger(1, &[EXCHANGE])).await;
    stranger.dial(&member).await;
    member.see(Seen::Connected(stranger.peer)).await;
    let peer = stranger.peer;
    drop(stranger);
    member
        .see(Seen::Refused {
            peer,
            by_us: false,
            reason: Reason::HungUp,
        })
        .await;
}

#[tokio::test]
async fn strangers_are_few_at_once() {
    let identity = |seed: u8| Identity::from_seed(&Zeroizing::new([seed; 32])).unwrap();
    let policy = Policy {
        identity: identity(255),
        pool: Pool::new("octo-org/app").unwrap(),
        secret: None,
        tickets: true,
        share_private: false,
        clock: Clock::system(),
        deadline: DEADLINE,
    };
    let here: Multiaddr = "/ip4/192.0.2.1/tcp/9000".parse().unwrap();
    let mut gate = Gate::new(dummy::Behaviour, policy);
    let mut next = 0;
    let mut comes = |address: &str| {
        next += 1;
        let from: Multiaddr = format!("{address}/tcp/{next}").parse().unwrap();
        let (id, peer) = (ConnectionId::new_unchecked(next), identity(1).peer_id());
        let made = gate.handle_established_inbound_connection(id, peer, &here, &from);
        made.is_ok()
    };
    let from_one = (0..10).filter(|_| comes("/ip4/203.0.113.7")).count();
    assert_eq!(from_one, 4, "of one address");
    let mapped = (0..10).filter(|_| comes("/ip6/::ffff:203.0.113.7")).count();
    assert_eq!(mapped, 0, "it is the same address");
    let others = (0..200)
        .filter(|at| comes(&format!("/ip4/198.51.100.{at}")))
        .count();
    assert_eq!(from_one + others, 64, "altogether");
    assert!(!comes("/ip4/127.0.0.1"));
}
