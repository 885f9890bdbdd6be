//! Many members: all of them find their way to all others, and back when somebody was away.

use std::time::Duration;

use ghswarm::swarm::{Acquaintance, Coverage, Multiaddr, Standing};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::member::{Member, SOON, config, quic};
use super::moment::moment;

/// Starts `count` members, each of whom is told of all others, and waits until all see all.
async fn mesh(count: u8, listen: &Multiaddr) -> Vec<Member> {
    let members: Vec<_> = (1..=count)
        .map(|number| {
            let mut config = config();
            config.listen = vec![listen.clone()];
            Member::start(number, config)
        })
        .collect();
    for member in &members {
        let told = member.acquaintance().await;
        for other in &members {
            other.client.know(told.clone());
        }
    }
    // The handshakes of thirty are ten seconds of work for the one thread of a test build, which has a fraction
    // of a processor when all stories run at once.
    let time = SOON * 5;
    for member in &members {
        member.sees_within(members.len() - 1, time).await;
    }
    members
}

async fn end(members: Vec<Member>) {
    for member in members {
        member.end().await;
    }
}

#[tokio::test]
async fn five_see_one_another_over_tcp() {
    end(mesh(5, &config().listen[0]).await).await;
}

#[tokio::test]
async fn five_see_one_another_over_quic() {
    end(mesh(5, &quic()).await).await;
}

#[tokio::test]
async fn thirty_see_one_another_and_leave_nothing_running() {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let began = Instant::now();
    let members = mesh(30, &config().listen[0]).await;
    println!("30 members, 435 pairs: {:?}", began.elapsed());
    assert!(alive() > before + 60);
    end(members).await;
    // The tasks of connections end a moment after the loop that held them.
    let ended = async {
        while alive() > before {
            moment().await;
        }
    };
    timeout(SOON, ended)
        .await
        .unwrap_or_else(|_| panic!("{} tasks are left, {before} were there", alive()));
}

#[tokio::test]
async fn who_hangs_up_is_gone_and_who_comes_back_is_seen_again() {
    let members = mesh(3, &config().listen[0]).await;
    let [one, mut other, third] = <[Member; 3]>::try_from(members).ok().unwrap();
    for _ in 0..2 {
        let (id, address) = (other.id(), other.address().await);
        other.end().await;
        one.sees(1).await;
        third.sees(1).await;
        // The same identity at the same place, and nobody tells it of anybody.
        let mut config = config();
        config.listen = vec![address];
        other = Member::start(2, config);
        assert_eq!(other.id(), id);
        other.sees(2).await;
    }
    one.sees(2).await;
    end(vec![one, other, third]).await;
}

#[tokio::test]
async fn who_dials_each_other_at_the_same_moment_is_connected() {
    for _ in 0..5 {
        let (one, other) = (Member::start(1, config()), Member::start(2, config()));
        let (at_one, at_other) = (one.address().await, other.address().await);
        one.client.dial(at_other);
        other.client.dial(at_one);
        one.sees(1).await;
        other.sees(1).await;
        end(vec![one, other]).await;
    }
}

#[tokio::test]
async fn a_bootstrap_address_is_dialled_until_somebody_is_there() {
    let absent = Member::start(1, config());
    let address = absent.address().await;
    absent.end().await;
    let mut waiting = config();
    waiting.bootstrap = vec![address.clone()];
    let waiting = Member::start(2, waiting);
    waiting.address().await;
    let mut late = config();
    late.listen = vec![address];
    let late = Member::start(1, late);
    waiting.sees(1).await;
    late.sees(1).await;
    end(vec![waiting, late]).await;
}

#[tokio::test]
async fn a_ticket_lets_its_holder_in_and_covers_what_is_public() {
    let mut config = config();
    config.secret = None;
    let clock = config.clock.clone();
    let (one, other) = (Member::start(1, config.clone()), Member::start(2, config));
    let expires = clock.now().plus(Duration::from_mins(90));
    other.client.know(Acquaintance {
        ticket: Some(one.client.identity().ticket(expires)),
        ..one.acquaintance().await
    });
    one.sees(1).await;
    other.sees(1).await;
    for member in [&one, &other] {
        let peer = &member.client.roster().peers[0];
        assert_eq!(peer.coverage, Coverage::Public);
        assert!(!peer.by_secret);
    }
    let rows = one.client.peers().await;
    assert_eq!(rows[0].admission.as_deref(), Some("ticket"));
    assert_eq!(rows[0].standing, Standing::Connected);
    end(vec![one, other]).await;
}

#[tokio::test]
async fn who_is_not_let_in_is_listed_with_the_reason() {
    let mut stranger = config();
    stranger.secret = None;
    let (one, stranger) = (Member::start(1, config()), Member::start(2, stranger));
    stranger.client.dial(one.address().await);
    let (id, told) = (one.id().to_string(), stranger.id().to_string());
    for (member, other) in [(&stranger, &id), (&one, &told)] {
        let row = member.row(other, Standing::Refused).await;
        assert_eq!(row.reason.as_deref(), Some("no-common-method"));
        let counts = member.client.counts();
        assert!(counts.refused["no-common-method"] >= 1, "{counts:?}");
        assert_eq!(counts.connected, 0);
    }
    end(vec![one, stranger]).await;
}

#[tokio::test]
async fn members_of_one_machine_listen_on_different_ports_by_default() {
    let mut config = config();
    config.listen = Vec::new();
    let (one, other) = (Member::start(1, config.clone()), Member::start(2, config));
    let (at_one, at_other) = (one.ports().await, other.ports().await);
    assert_ne!(at_one, at_other);
    for (tcp, udp) in [at_one, at_other] {
        assert_eq!(tcp, udp, "both transports have the same port");
    }
    end(vec![one, other]).await;
}
