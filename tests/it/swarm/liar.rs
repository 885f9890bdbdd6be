//! Liars among the admitted: each is dropped by name, costs a bounded amount of memory, and keeps nobody from
//! the hits that an honest peer gives.

mod lies;
mod raw;
mod victim;

use std::time::Duration;

use ghswarm::api::Key;
use ghswarm::swarm::{Event, Offer, PeerId};
use tokio::time::{Instant, timeout};

use super::member::{Member, config, identity};
pub(super) use lies::entry;
use lies::{LIES, Lie, expired};
use raw::{Heard, Liar, Said};
use victim::{Report, Victim};

/// The honest ones.
const VICTIM: u8 = 100;
const FRIEND: u8 = 101;
/// The key, in all its bytes, of an entry of 1 MiB.
const LARGE: u8 = 2;
/// By so much more memory than before is held at no time, in KiB: what long messages of all peers together may
/// hold, with their copies while they are opened.
const GROWTH_MAX: u64 = 160 << 10;
/// For one lie; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A member that has what is asked for.
async fn friend() -> (Member, tokio::task::JoinHandle<()>) {
    let mut friend = Member::start(FRIEND, config());
    friend.address().await;
    let names = friend.client.names().unwrap();
    let entries = [(1, 4 << 10), (LARGE, 1 << 20)].map(|(key, length)| Offer {
        key: Key::from_bytes([key; 32]),
        // Noise enough not to be packed.
        body: (0..length / 32_u32)
            .flat_map(|turn| *ghswarm::digest::Digest::of([&turn.to_be_bytes()[..]]).as_bytes())
            .collect(),
        ..entry()
    });
    let mut events = std::mem::replace(&mut friend.events, tokio::sync::mpsc::channel(1).1);
    let serving = tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Lookup { key, reply, .. } = event {
                let found = entries.iter().find(|offer| names.name(&offer.key) == key);
                let _ = reply.send(found.cloned());
            }
        }
    });
    (friend, serving)
}

/// Tells the same lie until the victim hangs up; how often it was told.
async fn insist(liar: &mut Liar, lie: &Lie) -> u32 {
    if let Some(answer) = (lie.answers)(&liar.keys) {
        liar.answer = answer;
    }
    let (mut told, mut open) = (0, 0);
    loop {
        while open < lie.at_once
            && told < 20_000
            && let Some(said) = (lie.says)(&liar.keys, told)
        {
            // Nobody answers what is said to everybody.
            open += usize::from(!matches!(said, Said::ToEverybody(_)));
            liar.say(said);
            told += 1;
        }
        match liar.hear().await {
            Heard::Gone => return told,
            Heard::Answer | Heard::Nothing => open -= 1,
        }
    }
}

/// Somebody sends what has run out, a hundred times. Clocks differ, so that it is no lie; it is not taken, and that is all.
async fn recalls(last: &mut Report, victim: &mut Victim) {
    let (forgetful, pool) = (identity(98), config());
    let lied_to = identity(VICTIM).peer_id();
    let mut liar = Liar::admitted(&forgetful, &pool, lied_to, last.address.clone()).await;
    for _ in 0..100 {
        liar.say(expired(&liar.keys));
        assert!(matches!(liar.hear().await, Heard::Answer));
    }
    *last = victim.report().await;
    assert_eq!(last.offered, 0, "{last:#?}");
    assert_eq!(last.dropped(forgetful.peer_id()), None);
}

/// In one process for all, because it is the sum that must stay bounded: some 20 s on a busy machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_dropped_by_name_and_spoils_nothing() {
    let (friend, _serving) = friend().await;
    let mut victim = Victim::start(&friend.address().await);
    let mut last = victim.report().await;
    while last.hits < 40 {
        last = victim.report().await;
    }
    assert_eq!(last.missed, 0, "before there was any liar: {last:#?}");
    let before = last.peak;
    recalls(&mut last, &mut victim).await;
    let honest = config();
    let lied_to = identity(VICTIM).peer_id();
    // Somebody opens streams and says no more, all the time.
    let mut slow = Liar::admitted(&identity(99), &honest, lied_to, last.address.clone()).await;
    for _ in 0..150 {
        let begun = [b"\x82\x05\xa2".to_vec(), vec![0; 500_000]].concat();
        slow.say(Said::Unended(begun));
    }
    let _slow = tokio::spawn(async move { while !matches!(slow.hear().await, Heard::Gone) {} });
    for (number, lie) in (1..).zip(&LIES) {
        let began = Instant::now();
        let liar = identity(number);
        let peer: PeerId = liar.peer_id();
        let mut liar = Liar::admitted(&liar, &honest, lied_to, last.address.clone()).await;
        let told = timeout(PATIENCE, insist(&mut liar, lie)).await;
        let told = told.unwrap_or_else(|_| panic!("{}: the victim listens on", lie.name));
        loop {
            last = victim.report().await;
            if let Some(reason) = last.dropped(peer) {
                assert_eq!(reason, lie.reason, "{}", lie.name);
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{}: {last:#?}", lie.name);
        }
        println!(
            "{}: {} after {told}, {:?}",
            lie.name,
            lie.reason,
            began.elapsed()
        );
    }
    let hits = last.hits;
    while last.hits < hits + 40 {
        last = victim.report().await;
    }
    assert_eq!(last.missed, 0, "the friend was there throughout: {last:#?}");
    let growth = last.peak.saturating_sub(before);
    println!(
        "{} hits, slowest {} ms, {growth} KiB more",
        last.hits, last.slowest
    );
    assert!(growth < GROWTH_MAX, "{growth} KiB more");
}
