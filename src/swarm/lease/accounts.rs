//! Changes of the table, each of which keeps its counts true: who holds what, and who waits for it.

use std::collections::VecDeque;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::{
    Digest, Leased, Load, NAMES_MAX, NAMES_PER_MEMBER, Name, Outcome, Table, Waiter, WireKey, Woken,
};

impl Table {
    /// Makes `member` the holder; keeps those who wait. `false`: there is no room.
    pub(super) fn grant(&mut self, key: &WireKey, member: PeerId, now: Instant) -> bool {
        if let Some(Name::Leased(leased)) = self.names.get_mut(key)
            && leased.holder == member
        {
            (leased.granted, leased.sign) = (now, now);
            return true;
        }
        if self.names.len() >= NAMES_MAX && !self.names.contains_key(key) {
            self.sweep(now);
        }
        let room = self.names.len() < NAMES_MAX || self.names.contains_key(key);
        let load = self.loads.get(&member);
        if !room || load.is_some_and(|load| load.leases >= NAMES_PER_MEMBER) {
            return false;
        }
        let waiters = self.forget(key);
        self.loads.entry(member).or_default().leases += 1;
        let leased = Leased {
            holder: member,
            granted: now,
            sign: now,
            waiters,
        };
        self.names.insert(*key, Name::Leased(leased));
        true
    }

    /// The lease is over: the one that waited longest has it, or nobody.
    pub(super) fn hand_on(&mut self, key: &WireKey, now: Instant, woken: &mut Woken) {
        if !self.hand_on_to_waiter(key, now, woken) {
            self.forget(key);
        }
    }

    pub(super) fn hand_on_to_waiter(
        &mut self,
        key: &WireKey,
        now: Instant,
        woken: &mut Woken,
    ) -> bool {
        while let Some(Name::Leased(leased)) = self.names.get_mut(key) {
            let Some(next) = leased.waiters.pop_front() else {
                return false;
            };
            self.waiters -= 1;
            self.load(next.member, |load| load.waiters -= 1);
            if self.grant(key, next.member, now) {
                woken.push((next.ticket, Outcome::Granted(self.lease)));
                return true;
            }
            woken.push((next.ticket, Outcome::Dismissed));
        }
        false
    }

    pub(super) fn landed(&mut self, key: &WireKey, digest: Digest, now: Instant) {
        self.forget(key);
        let until = now + self.lease;
        self.names.insert(*key, Name::Landed { digest, until });
    }

    /// Wakes those for whom there is an outcome.
    pub(super) fn wake(
        &mut self,
        key: &WireKey,
        outcome: impl Fn(&Waiter) -> Option<Outcome>,
        woken: &mut Woken,
    ) {
        let Some(Name::Leased(leased)) = self.names.get_mut(key) else {
            return;
        };
        let mut gone = Vec::new();
        leased.waiters.retain(|waiter| match outcome(waiter) {
            Some(outcome) => {
                gone.push(waiter.member);
                woken.push((waiter.ticket, outcome));
                false
            }
            None => true,
        });
        self.waiters -= gone.len();
        for member in gone {
            self.load(member, |load| load.waiters -= 1);
        }
    }

    /// Removes what is known under `key`; returns who waits.
    pub(super) fn forget(&mut self, key: &WireKey) -> VecDeque<Waiter> {
        match self.names.remove(key) {
            Some(Name::Leased(leased)) => {
                self.load(leased.holder, |load| load.leases -= 1);
                leased.waiters
            }
            _ => VecDeque::new(),
        }
    }

    pub(super) fn load(&mut self, member: PeerId, change: impl FnOnce(&mut Load)) {
        if let Some(load) = self.loads.get_mut(&member) {
            change(load);
            if load.leases == 0 && load.waiters == 0 {
                self.loads.remove(&member);
            }
        }
    }

    /// Makes room; at most once in a second, because it looks at everything.
    pub(super) fn sweep(&mut self, now: Instant) {
        if self
            .swept
            .is_some_and(|at| now - at < Duration::from_secs(1))
        {
            return;
        }
        self.swept = Some(now);
        let (lease, most) = (self.lease, self.lease_max);
        let over = |name: &Name| match name {
            Name::Leased(leased) => leased.waiters.is_empty() && now >= leased.ends(lease, most),
            Name::Landed { until, .. } | Name::NotShared { until } => now >= *until,
        };
        let names = self.names.iter().filter(|(_, name)| over(name));
        let over: Vec<_> = names.map(|(key, _)| *key).collect();
        for key in &over {
            self.forget(key);
        }
    }
}
