use std::collections::BTreeMap;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::swarm::Identity;

const LEASE: Duration = Duration::from_secs(2);
const QUIET: Duration = Duration::from_millis(1500);
const LEASE_MAX: Duration = Duration::from_secs(30);
const KEY: WireKey = WireKey([7; 32]);

fn table() -> (Table, Instant) {
    (Table::new(LEASE, LEASE_MAX), Instant::now())
}

fn member(n: u8) -> PeerId {
    Identity::from_seed(&Zeroizing::new([n + 1; 32]))
        .unwrap()
        .peer_id()
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn body(n: u8) -> Digest {
    Digest::of([[n].as_slice()])
}

/// Waits until the first holder's lease would end.
fn waits(table: &mut Table, n: u8, held: Option<Digest>, now: Instant) -> Ticket {
    match table.wait(&KEY, member(n), held, now + LEASE, now) {
        Waiting::On(ticket) => ticket,
        Waiting::Not(outcome) => panic!("{outcome:?}"),
    }
}

#[test]
fn one_asks_and_the_others_are_held() {
    let (mut table, now) = table();
    assert_eq!(table.take(&KEY, member(1), now), Taken::Granted(LEASE));
    assert_eq!(table.take(&KEY, member(2), now), Taken::Held(LEASE));
    let later = now + ms(500);
    assert_eq!(table.take(&KEY, member(2), later), Taken::Held(ms(1500)));
    assert_eq!(table.held(&KEY, member(2), later), Some(ms(1500)));
    assert_eq!(table.held(&KEY, member(1), later), None);
    // Whoever lost the answer asks again.
    assert_eq!(table.take(&KEY, member(1), later), Taken::Granted(LEASE));
    let other = WireKey([8; 32]);
    assert_eq!(table.take(&other, member(2), now), Taken::Granted(LEASE));
}

#[test]
fn a_lease_is_over_after_its_time_and_then_the_next_one_asks() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let over = now + LEASE;
    assert_eq!(table.held(&KEY, member(2), over), None);
    assert_eq!(table.take(&KEY, member(2), over), Taken::Granted(LEASE));
    assert_eq!(table.renew(&KEY, member(1), over), None);
    assert!(
        table
            .end(&KEY, member(1), Ended::NotShared, over)
            .is_empty()
    );
    assert_eq!(table.take(&KEY, member(3), over), Taken::Held(LEASE));
}

#[test]
fn a_lease_is_renewed_while_its_holder_works_up_to_the_longest() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let mut at = now;
    while at + ms(1000) < now + LEASE_MAX {
        at += ms(1000);
        assert!(table.renew(&KEY, member(1), at).is_some());
        assert!(matches!(
            table.take(&KEY, member(2), at),
            Taken::Held(left) if left <= LEASE
        ));
    }
    assert_eq!(table.renew(&KEY, member(2), at), None);
    assert_eq!(table.renew(&KEY, member(1), at), Some(ms(1000)));
    let over = now + LEASE_MAX;
    assert_eq!(table.renew(&KEY, member(1), over), None);
    assert_eq!(table.take(&KEY, member(2), over), Taken::Granted(LEASE));
}

#[test]
fn what_is_stored_wakes_all_and_is_the_same_to_whoever_has_it() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let cold = waits(&mut table, 2, None, now);
    let old = waits(&mut table, 3, Some(body(1)), now);
    let new = waits(&mut table, 4, Some(body(2)), now);
    let woken = table.stored(&KEY, member(1), body(2), now);
    assert_eq!(
        woken,
        [
            (cold, Outcome::Stored),
            (old, Outcome::Stored),
            (new, Outcome::Same)
        ]
    );
    // Somebody was told to wait, and comes when it is over.
    let late = table.wait(&KEY, member(5), Some(body(2)), now + LEASE, now);
    assert_eq!(late, Waiting::Not(Outcome::Same));
    let other = table.wait(&KEY, member(6), Some(body(1)), now + LEASE, now);
    assert_eq!(other, Waiting::Not(Outcome::Granted(LEASE)));
}

#[test]
fn anybodys_entry_serves_who_waits_but_only_the_holders_ends_the_lease() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let ticket = waits(&mut table, 2, None, now);
    let woken = table.stored(&KEY, member(3), body(1), now);
    assert_eq!(woken, [(ticket, Outcome::Stored)]);
    assert_eq!(table.take(&KEY, member(2), now), Taken::Held(LEASE));
    table.stored(&KEY, member(1), body(1), now);
    assert_eq!(table.take(&KEY, member(2), now), Taken::Granted(LEASE));
}

#[test]
fn a_slow_store_of_what_a_waiter_has_does_not_answer_what_the_holder_asks() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let ticket = waits(&mut table, 2, Some(body(1)), now);
    assert_eq!(table.stored(&KEY, member(3), body(1), now), []);
    let woken = table.stored(&KEY, member(1), body(2), now);
    assert_eq!(woken, [(ticket, Outcome::Stored)]);
}

#[test]
fn unchanged_is_the_same_to_whoever_has_it_and_the_next_of_the_others_asks() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let same = waits(&mut table, 2, Some(body(1)), now);
    let cold = waits(&mut table, 3, None, now);
    let colder = waits(&mut table, 4, None, now);
    let woken = table.end(&KEY, member(1), Ended::Unchanged(body(1)), now);
    assert_eq!(
        woken,
        [(same, Outcome::Same), (cold, Outcome::Granted(LEASE))]
    );
    let woken = table.stored(&KEY, member(3), body(2), now);
    assert_eq!(woken, [(colder, Outcome::Stored)]);
}

#[test]
fn a_holder_that_fails_hands_on_to_whoever_waited_longest() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let first = waits(&mut table, 2, None, now);
    let second = waits(&mut table, 3, None, now);
    let woken = table.end(&KEY, member(1), Ended::Failed, now);
    assert_eq!(woken, [(first, Outcome::Granted(LEASE))]);
    let woken = table.gone(member(2), now);
    assert_eq!(woken, [(second, Outcome::Granted(LEASE))]);
    assert!(table.end(&KEY, member(3), Ended::Failed, now).is_empty());
    assert!(table.is_empty());
}

#[test]
fn whoever_is_gone_neither_waits_nor_holds() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let gone = waits(&mut table, 2, None, now);
    let stays = waits(&mut table, 3, None, now);
    assert_eq!(table.gone(member(2), now), [(gone, Outcome::Dismissed)]);
    assert_eq!(
        table.gone(member(1), now),
        [(stays, Outcome::Granted(LEASE))]
    );
    assert!(table.gone(member(3), now).is_empty());
    assert!(table.is_empty());
}

#[test]
fn a_quiet_holder_loses_the_lease_in_time_for_the_next_ones_answer() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let first = waits(&mut table, 2, None, now);
    let second = waits(&mut table, 3, None, now);
    assert_eq!(table.next_look(&KEY, first), Some(now + QUIET));
    let renewed = now + ms(400);
    table.renew(&KEY, member(1), renewed);
    assert!(table.expire(&KEY, now + QUIET).is_empty());
    let quiet = renewed + QUIET;
    assert_eq!(table.next_look(&KEY, second), Some(quiet));
    assert_eq!(
        table.expire(&KEY, quiet),
        [(first, Outcome::Granted(LEASE))]
    );
    // Both are quiet: the last one has waited long enough.
    assert_eq!(
        table.expire(&KEY, now + LEASE),
        [(second, Outcome::Held(ms(1900)))]
    );
}

#[test]
fn what_is_not_shared_holds_up_nobody_for_a_minute() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let ticket = waits(&mut table, 2, None, now);
    assert_eq!(
        table.end(&KEY, member(1), Ended::NotShared, now),
        [(ticket, Outcome::NotShared)]
    );
    let later = now + ms(59_999);
    assert_eq!(table.take(&KEY, member(2), later), Taken::NotShared);
    let waiting = table.wait(&KEY, member(2), None, later + LEASE, later);
    assert_eq!(waiting, Waiting::Not(Outcome::NotShared));
    let over = now + NOT_SHARED;
    assert_eq!(table.take(&KEY, member(2), over), Taken::Granted(LEASE));
}

#[test]
fn a_waiter_that_left_is_not_handed_the_lease() {
    let (mut table, now) = table();
    table.take(&KEY, member(1), now);
    let left = waits(&mut table, 2, None, now);
    let stays = waits(&mut table, 3, None, now);
    table.leave(&KEY, left);
    assert_eq!(table.next_look(&KEY, left), None);
    assert_eq!(
        table.end(&KEY, member(1), Ended::Failed, now),
        [(stays, Outcome::Granted(LEASE))]
    );
}

#[test]
fn every_bound_holds_and_room_comes_back_with_time() {
    let (mut table, now) = table();
    let key = |n: usize| WireKey(*Digest::of([n.to_be_bytes().as_slice()]).as_bytes());
    let holder = |n: usize| member(u8::try_from(n / NAMES_PER_MEMBER).unwrap());
    for n in 0..NAMES_MAX {
        assert_eq!(table.take(&key(n), holder(n), now), Taken::Granted(LEASE));
    }
    assert_eq!(table.take(&KEY, member(90), now), Taken::Full);
    for n in 0..WAITERS_MAX {
        let member = member(u8::try_from(10 + n / WAITERS_PER_MEMBER).unwrap());
        let waiting = table.wait(&key(0), member, None, now + LEASE, now);
        assert!(matches!(waiting, Waiting::On(_)), "{n}");
    }
    let one_more = table.wait(&key(0), member(91), None, now + LEASE, now);
    assert_eq!(one_more, Waiting::Not(Outcome::Dismissed));
    let over = now + LEASE;
    assert_eq!(table.take(&KEY, member(90), over), Taken::Granted(LEASE));
    assert_eq!(table.names.len(), 2);
    assert_eq!(table.expire(&key(0), over).len(), WAITERS_MAX);
}

#[test]
fn one_member_alone_cannot_take_all_the_room() {
    let (mut table, now) = table();
    let key = |n: usize| WireKey(*Digest::of([n.to_be_bytes().as_slice()]).as_bytes());
    for n in 0..NAMES_PER_MEMBER {
        table.take(&key(n), member(1), now);
    }
    assert_eq!(table.take(&KEY, member(1), now), Taken::Full);
    assert_eq!(table.take(&KEY, member(2), now), Taken::Granted(LEASE));
}

/// What happens to a table.
#[derive(Debug, Clone)]
enum Act {
    Take(u8, u8),
    Wait(u8, u8, u64),
    Renew(u8, u8),
    End(u8, u8, u8),
    Store(u8, u8, u8),
    Gone(u8),
    Leave(usize),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let (key, who) = (0..3_u8, 0..5_u8);
    prop_oneof![
        (key.clone(), who.clone()).prop_map(|(key, who)| Act::Take(key, who)),
        (key.clone(), who.clone(), 1..2000_u64)
            .prop_map(|(key, who, wait)| Act::Wait(key, who, wait)),
        (key.clone(), who.clone()).prop_map(|(key, who)| Act::Renew(key, who)),
        (key.clone(), who.clone(), 0..4_u8).prop_map(|(key, who, how)| Act::End(key, who, how)),
        (key, who.clone(), 0..2_u8).prop_map(|(key, who, body)| Act::Store(key, who, body)),
        who.prop_map(Act::Gone),
        (0..40_usize).prop_map(Act::Leave),
        (1..1500_u64).prop_map(Act::Pass),
    ]
}

/// Who may believe to be asking, and who waits until when.
struct Model {
    table: Table,
    now: Instant,
    /// The holder of each key, when it was told so, and until when nobody else may be.
    holders: BTreeMap<u8, (u8, Instant, Instant)>,
    waiters: Vec<(Ticket, u8, u8, Instant)>,
}

impl Model {
    fn key(key: u8) -> WireKey {
        WireKey([key; 32])
    }

    fn granted(&mut self, key: u8, who: u8) {
        if let Some((holder, _, until)) = self.holders.get(&key) {
            assert!(
                *holder == who || *until <= self.now,
                "{holder} and {who} both ask for {key}"
            );
        }
        self.holders.insert(key, (who, self.now, self.now + QUIET));
    }

    fn heard(&mut self, woken: Woken) {
        for (ticket, outcome) in woken {
            let at = self.waiters.iter().position(|waiter| waiter.0 == ticket);
            let (_, key, who, deadline) = self.waiters.remove(at.expect("woken twice"));
            assert!(self.now <= deadline, "{outcome:?} came late");
            if matches!(outcome, Outcome::Granted(_)) {
                self.granted(key, who);
            }
        }
    }

    /// Time passes, as it does for those who wait: each looks when it was told to.
    fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let looks = self.waiters.iter().map(|(ticket, key, _, _)| {
                let at = self.table.next_look(&Self::key(*key), *ticket);
                (at.expect("a waiter was forgotten"), *key)
            });
            let Some((at, key)) = looks.min().filter(|(at, _)| *at <= end) else {
                break;
            };
            self.now = self.now.max(at);
            let woken = self.table.expire(&Self::key(key), self.now);
            assert!(!woken.is_empty(), "a look for nothing");
            self.heard(woken);
        }
        self.now = end;
    }

    fn ends_own(&mut self, key: u8, who: u8) {
        if self
            .holders
            .get(&key)
            .is_some_and(|(holder, ..)| *holder == who)
        {
            self.holders.remove(&key);
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Take(key, who) => {
                let taken = self.table.take(&Self::key(key), member(who), self.now);
                if let Taken::Granted(_) = taken {
                    self.granted(key, who);
                }
            }
            Act::Wait(key, who, wait) => {
                let deadline = self.now + ms(wait);
                let (name, who_id) = (Self::key(key), member(who));
                match self.table.wait(&name, who_id, None, deadline, self.now) {
                    Waiting::Not(Outcome::Granted(_)) => self.granted(key, who),
                    Waiting::Not(_) => {}
                    Waiting::On(ticket) => self.waiters.push((ticket, key, who, deadline)),
                }
                // Who comes to wait looks at once, in case the holder is quiet already.
                self.pass(Duration::ZERO);
            }
            Act::Renew(key, who) => {
                let (name, who_id) = (Self::key(key), member(who));
                if self.table.renew(&name, who_id, self.now).is_some() {
                    let holder = self.holders.get_mut(&key).expect("renewed nothing");
                    assert_eq!(holder.0, who);
                    holder.2 = (self.now + QUIET).min(holder.1 + LEASE_MAX);
                }
            }
            Act::End(key, who, how) => {
                let ended = match how {
                    0 => Ended::Failed,
                    1 => Ended::NotShared,
                    other => Ended::Unchanged(body(other)),
                };
                self.ends_own(key, who);
                let name = Self::key(key);
                let woken = self.table.end(&name, member(who), ended, self.now);
                self.heard(woken);
            }
            Act::Store(key, who, what) => {
                self.ends_own(key, who);
                let name = Self::key(key);
                let woken = self.table.stored(&name, member(who), body(what), self.now);
                self.heard(woken);
            }
            Act::Gone(who) => {
                for key in 0..3 {
                    self.ends_own(key, who);
                }
                let woken = self.table.gone(member(who), self.now);
                self.heard(woken);
            }
            Act::Leave(at) => {
                if at < self.waiters.len() {
                    let (ticket, key, ..) = self.waiters.remove(at);
                    self.table.leave(&Self::key(key), ticket);
                }
            }
            Act::Pass(by) => self.pass(ms(by)),
        }
    }
}

proptest! {
    #[test]
    fn one_holder_at_a_time_and_every_waiter_is_answered_by_its_deadline(
        acts in proptest::collection::vec(act(), 1..80)
    ) {
        let (table, now) = table();
        let mut model = Model { table, now, holders: BTreeMap::new(), waiters: Vec::new() };
        for act in &acts {
            model.act(act);
        }
        model.pass(LEASE);
        prop_assert!(model.waiters.is_empty());
        // Nothing is counted twice or never given back.
        for who in 0..5 {
            model.table.gone(member(who), model.now);
        }
        prop_assert!(model.table.loads.is_empty());
        prop_assert_eq!(model.table.waiters, 0);
    }
}
