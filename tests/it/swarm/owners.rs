//! Where entries are, and what is said of them.

use std::time::{Duration, Instant};

use ghswarm::swarm::wire::message::{Answer, Ended, Question};
use ghswarm::swarm::{Found, Offer, Source};
use tokio::time::timeout;

use super::member::SOON;
use super::moment::{moment, pass};
use super::runner::{Runner, config, key, land, offer, owned_by, ranks, word};

/// Until whoever is to wait does wait, on a busy machine; less than half of a lease.
const A_WHILE: Duration = Duration::from_millis(700);

/// Waits until this runner has the entry.
async fn has(runner: &Runner, offer: &Offer) {
    let had = async {
        while runner.has(offer.key).as_ref() != Some(offer) {
            moment().await;
        }
    };
    timeout(SOON, had).await.expect("an owner has the entry");
}

fn candidate(found: Found) -> Offer {
    match found {
        Found::Candidate(offer, _) => offer,
        Found::Leased(_, offer, _) => *offer,
        other => panic!("{}", word(&other)),
    }
}

#[tokio::test]
async fn an_entry_goes_to_the_first_two_others() {
    let fleet = Runner::fleet(6, &config()).await;
    for n in 0..10 {
        let entry = offer(key(n), b"{}");
        fleet[0].client.store(entry.clone());
        let owners: Vec<_> = ranks(&fleet, key(n));
        let owners: Vec<_> = owners.into_iter().filter(|at| *at != 0).take(2).collect();
        for at in &owners {
            has(&fleet[*at], &entry).await;
        }
        for (at, runner) in fleet.iter().enumerate() {
            let holds = runner.has(key(n)).is_some();
            assert_eq!(holds, owners.contains(&at), "{at} of {owners:?}");
            if !holds {
                let found = runner.client.lookup(key(n), None).await;
                assert_eq!(candidate(found), entry);
            }
        }
    }
}

#[tokio::test]
async fn what_an_owner_brought_is_not_given_back() {
    let fleet = Runner::fleet(4, &config()).await;
    let entry = offer(owned_by(&fleet, &[1, 2], 0), b"{}");
    let brought_by = |at: usize| Source::now(fleet[at].id(), false, Duration::ZERO);
    fleet[0].client.confirmed(entry.clone(), brought_by(2));
    assert_eq!(fleet[0].counted("offer-spared"), 1);
    // A holder that owns nothing of it is another matter: the owners had nothing to give.
    fleet[0].client.confirmed(entry.clone(), brought_by(3));
    has(&fleet[1], &entry).await;
    has(&fleet[2], &entry).await;
    assert_eq!(fleet[0].counted("offer-spared"), 1);
    assert_eq!(fleet[3].has(entry.key), None);
}

#[tokio::test]
async fn two_announce_that_they_hold_an_entry_and_the_others_need_not() {
    let fleet = Runner::fleet(4, &config()).await;
    let entry = offer(key(1), b"{}");
    let announces = async |runner: &Runner| {
        runner.client.store(entry.clone());
        moment().await;
    };
    let spared = async {
        while fleet[2].counted("announcement-spared") == 0 {
            announces(&fleet[0]).await;
            announces(&fleet[1]).await;
            announces(&fleet[2]).await;
        }
    };
    timeout(SOON, spared).await.expect("it need not announce");
    // What others announced of another body says nothing of this one.
    let before = fleet[3].counted("announcement-spared");
    fleet[3].client.store(offer(entry.key, b"[]"));
    pass(A_WHILE).await;
    assert_eq!(fleet[3].counted("announcement-spared"), before);
}

/// Takes seconds: those who come to hold an entry in the same moment take turns to say so, over five seconds. Gossip
/// promises nothing about the first message, so that there is a second entry, and a third.
#[tokio::test]
async fn most_of_those_who_were_brought_an_entry_need_not_announce_it() {
    let fleet = Runner::fleet(8, &config()).await;
    let spared = || -> u64 {
        let spared = |runner: &Runner| runner.counted("announcement-spared");
        fleet.iter().map(spared).sum()
    };
    for turn in 0..3 {
        let entry = offer(owned_by(&fleet, &[0, 1], turn * 100_000), b"{}");
        let before = spared();
        for runner in &fleet[2..] {
            let source = Source::now(fleet[0].id(), false, Duration::ZERO);
            runner.client.confirmed(entry.clone(), source);
        }
        let half_are = async {
            while spared() < before + 3 {
                moment().await;
            }
        };
        if timeout(Duration::from_secs(7), half_are).await.is_ok() {
            return;
        }
    }
    panic!("they all announce it: {} were spared", spared());
}

#[tokio::test]
async fn a_late_joiner_finds_what_was_stored_before_it_came() {
    let mut fleet = Runner::fleet(3, &config()).await;
    for n in 0..20 {
        let entry = offer(key(n), b"{}");
        fleet[0].client.store(entry.clone());
        has(&fleet[1], &entry).await;
        has(&fleet[2], &entry).await;
    }
    let late = Runner::start(4, config());
    late.joins(&fleet).await;
    fleet.push(late);
    // It is the owner of some of them by now, and has none: everybody finds it all the same.
    assert!((0..20).any(|n| ranks(&fleet, key(n))[0] == 3));
    for n in 0..20 {
        for asker in [3, 0] {
            let found = fleet[asker].client.lookup(key(n), None).await;
            assert_eq!(candidate(found), offer(key(n), b"{}"));
        }
    }
}

#[tokio::test]
async fn what_the_asker_has_is_not_sent_again_and_what_is_new_is() {
    let fleet = Runner::fleet(2, &config()).await;
    let (old, new) = (offer(key(1), b"[1]"), offer(key(1), b"[1,2]"));
    fleet[1].holds(old.clone());
    let found = fleet[0].client.lookup(key(1), Some(old.digest())).await;
    assert_eq!(word(&found), "lease");
    drop(found);
    fleet[1].holds(new.clone());
    let found = fleet[0].client.lookup(key(1), Some(old.digest())).await;
    assert_eq!(candidate(found), new);
}

#[tokio::test]
async fn whoever_polls_together_pays_for_one_question() {
    let fleet = Runner::fleet(4, &config()).await;
    let entry = offer(owned_by(&fleet, &[1], 0), b"[]");
    for runner in &fleet {
        runner.holds(entry.clone());
    }
    let held = Some(entry.digest());
    let first = fleet[0].client.lookup(entry.key, held).await;
    let (same, also_same, cold, ()) = tokio::join!(
        fleet[1].client.lookup(entry.key, held),
        fleet[2].client.lookup(entry.key, held),
        // The owner has it.
        fleet[3].client.lookup(entry.key, None),
        async {
            pass(A_WHILE).await;
            land(first, Ended::Unchanged(entry.digest()));
        }
    );
    assert_eq!([word(&same), word(&also_same)], ["same", "same"]);
    assert_eq!(candidate(cold), entry);
}

#[tokio::test]
async fn what_is_not_where_it_belongs_is_asked_about_by_one_for_all() {
    let fleet = Runner::fleet(3, &config()).await;
    for first in [0, 1] {
        let key = owned_by(&fleet, &[first, 2], 100 * u32::try_from(first).unwrap());
        let (old, new) = (offer(key, b"[1]"), offer(key, b"[1,2]"));
        fleet[2].holds(old.clone());
        let found = fleet[0].client.lookup(key, None).await;
        assert_eq!(word(&found), "candidate and lease");
        let (waiter, ()) = tokio::join!(fleet[1].client.lookup(key, None), async {
            pass(Duration::from_millis(300)).await;
            fleet[0].client.store(new.clone());
            drop(found);
        });
        assert_eq!(candidate(waiter), new);
    }
}

#[tokio::test]
async fn the_end_of_a_lease_is_not_that_of_the_next_one() {
    let fleet = Runner::fleet(2, &config()).await;
    let key = owned_by(&fleet, &[0], 0);
    for _ in 0..10 {
        drop(fleet[0].client.lookup(key, None).await);
        let again = fleet[0].client.lookup(key, None).await;
        assert_eq!(word(&again), "lease");
        let (waiter, ()) = tokio::join!(fleet[1].client.lookup(key, None), async {
            pass(Duration::from_millis(100)).await;
            land(again, Ended::Failed);
        });
        // Only now.
        assert_eq!(word(&waiter), "lease");
    }
}

#[tokio::test]
async fn what_may_not_be_shared_is_waited_for_by_nobody() {
    let fleet = Runner::fleet(3, &config()).await;
    for owner in 0..3 {
        let key = owned_by(&fleet, &[owner], 0);
        let first = fleet[0].client.lookup(key, None).await;
        assert_eq!(word(&first), "lease");
        let began = Instant::now();
        let (waiter, ()) = tokio::join!(fleet[1].client.lookup(key, None), async {
            pass(A_WHILE).await;
            land(first, Ended::NotShared);
        });
        assert_eq!(word(&waiter), "not shared");
        assert!(began.elapsed() < Duration::from_secs(2));
        for runner in &fleet {
            let found = runner.client.lookup(key, None).await;
            assert_eq!(word(&found), "not shared");
        }
    }
}

#[tokio::test]
async fn two_are_enough() {
    let fleet = Runner::fleet(2, &config()).await;
    for (n, owner) in [(0, 0), (1000, 1)] {
        let key = owned_by(&fleet, &[owner], n);
        let first = fleet[0].client.lookup(key, None).await;
        assert_eq!(word(&first), "lease");
        let (found, ()) = tokio::join!(fleet[1].client.lookup(key, None), async {
            pass(A_WHILE).await;
            fleet[0].client.store(offer(key, b"{}"));
            drop(first);
        });
        assert_eq!(candidate(found), offer(key, b"{}"));
    }
}

#[tokio::test]
async fn one_alone_is_told_so() {
    let lone = Runner::start(1, config());
    let began = Instant::now();
    for n in 0..1000 {
        assert_eq!(word(&lone.client.lookup(key(n), None).await), "alone");
        lone.client.store(offer(key(n), b"{}"));
    }
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn records_are_given_to_whoever_asks() {
    let fleet = Runner::fleet(2, &config()).await;
    let question = Question::Peers { own: None };
    let answer = fleet[0].client.ask(fleet[1].id(), question).await;
    assert_eq!(answer, Ok(Answer::Peers(vec![b"a record".to_vec()])));
}
