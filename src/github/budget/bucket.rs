//! One budget of GitHub's: what was spent, who waits, when the next call may go.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::time::Timestamp;

use super::identity::{Class, Identity};
use super::window::Window;
use super::{Ask, BucketId, Config, Cost, Pressure, Priority, Resource, Row, Ticket, Turn};

/// A place in a queue: by priority, then by arrival.
type Place = (Reverse<Priority>, Ticket);

#[derive(Debug)]
pub(super) struct Bucket {
    pub class: Class,
    pub resource: Resource,
    /// What GitHub calls it; `None` while only provisional.
    pub identity: Option<Identity>,
    pub window: Window,
    /// Calls that wait for their answer.
    pub in_flight: u32,
    pub last_used: Timestamp,
    last_write: Option<Timestamp>,
    blocked_until: Timestamp,
    /// When the block began; a clock that shows less was set back, which ends it.
    blocked_since: Timestamp,
    /// Secondary refusals in a row.
    strikes: u32,
    /// Apart, so that reads need not wait while writes keep their distance.
    reads: BTreeMap<Place, Ask>,
    writes: BTreeMap<Place, Ask>,
    /// Points and writes that wait, by priority.
    load: [Load; 3],
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    points: u64,
    writes: u32,
}

impl Bucket {
    pub(super) fn new(
        class: Class,
        resource: Resource,
        identity: Option<Identity>,
        config: &Config,
        now: Timestamp,
    ) -> Self {
        let limit = match resource {
            Resource::Graphql => config.graphql_points,
            _ => config.rest_points,
        };
        Self {
            class,
            resource,
            identity,
            // A limit under the dearest call would never let it go.
            window: Window::new(config.window, limit.max(Cost::Write.points())),
            in_flight: 0,
            last_used: now,
            last_write: None,
            blocked_until: Timestamp::EPOCH,
            blocked_since: Timestamp::EPOCH,
            strikes: 0,
            reads: BTreeMap::new(),
            writes: BTreeMap::new(),
            load: [Load::default(); 3],
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.reads.len() + self.writes.len()
    }

    /// The first of each queue.
    pub(super) fn heads(&self) -> impl Iterator<Item = Ticket> {
        let first = |queue: &BTreeMap<Place, Ask>| queue.keys().next().map(|&(_, ticket)| ticket);
        first(&self.reads).into_iter().chain(first(&self.writes))
    }

    pub(super) fn enqueue(&mut self, ticket: Ticket, ask: Ask) {
        let load = &mut self.load[ask.priority as usize];
        load.points += u64::from(ask.cost.points());
        load.writes += u32::from(ask.cost.writes());
        self.queue(ask.cost)
            .insert((Reverse(ask.priority), ticket), ask);
    }

    /// Whether `ticket` waited here.
    pub(super) fn dequeue(&mut self, ticket: Ticket, ask: Ask) -> bool {
        if self
            .queue(ask.cost)
            .remove(&(Reverse(ask.priority), ticket))
            .is_none()
        {
            return false;
        }
        let load = &mut self.load[ask.priority as usize];
        load.points -= u64::from(ask.cost.points());
        load.writes -= u32::from(ask.cost.writes());
        true
    }

    fn queue(&mut self, cost: Cost) -> &mut BTreeMap<Place, Ask> {
        if cost.writes() {
            &mut self.writes
        } else {
            &mut self.reads
        }
    }

    /// Until when GitHub has forbidden calls, if it has.
    pub(super) fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        let exhausted = self
            .identity
            .as_ref()
            .and_then(|identity| identity.exhausted_until(now));
        let blocked = self.is_blocked(now).then_some(self.blocked_until);
        exhausted.max(blocked)
    }

    fn is_blocked(&self, now: Timestamp) -> bool {
        (self.blocked_since..self.blocked_until).contains(&now)
    }

    /// When a call of `cost` may go at the earliest, after `ahead`.
    fn earliest(&self, cost: Cost, ahead: Load, config: &Config, now: Timestamp) -> Timestamp {
        let open = self.closed_until(now).unwrap_or(now);
        let need = ahead.points + u64::from(cost.points());
        let room = self.window.room_at(need, now);
        let mut at = open.max(room).max(now);
        if cost.writes() {
            let gap = config.write_gap.saturating_mul(ahead.writes);
            let first = self
                .last_write
                .map_or(now, |last| last.plus(config.write_gap));
            at = at.max(first.max(open).plus(gap));
        }
        at
    }

    /// Forgets what no longer counts. A clock that was set back begins the pauses anew: one that
    /// followed it would be over a second later at any moment, and never.
    fn settle(&mut self, now: Timestamp) {
        self.window.expire(now);
        self.last_write = self.last_write.map(|last| last.min(now));
    }

    /// When a call that arrives now could go, as far as can be told: who it waits for may be slower.
    pub(super) fn estimate(&mut self, ask: &Ask, config: &Config, now: Timestamp) -> Timestamp {
        self.settle(now);
        let ahead = self.load[ask.priority as usize..]
            .iter()
            .fold(Load::default(), |sum, load| Load {
                points: sum.points + load.points,
                writes: sum.writes + load.writes,
            });
        self.earliest(ask.cost, ahead, config, now)
    }

    /// Whether the waiting `ticket` may go.
    pub(super) fn turn(
        &mut self,
        ticket: Ticket,
        ask: &Ask,
        config: &Config,
        now: Timestamp,
    ) -> Turn {
        self.settle(now);
        let (own, other) = if ask.cost.writes() {
            (&self.writes, &self.reads)
        } else {
            (&self.reads, &self.writes)
        };
        let place = (Reverse(ask.priority), ticket);
        if own.keys().next() != Some(&place) {
            return Turn::Behind;
        }
        let at = self.earliest(ask.cost, Load::default(), config, now);
        if at > now {
            return Turn::At(at);
        }
        // Who came earlier takes the points, unless it is a write that keeps its distance.
        let overtakes = other.first_key_value().is_some_and(|(first, ask)| {
            *first < place && (!ask.cost.writes() || self.gap_over(config, now))
        });
        if overtakes || self.in_flight >= self.seats(config, now) {
            return Turn::Behind;
        }
        Turn::Go
    }

    fn gap_over(&self, config: &Config, now: Timestamp) -> bool {
        self.last_write
            .is_none_or(|last| last.plus(config.write_gap) <= now)
    }

    /// No more calls at once than GitHub allows, nor than are left.
    fn seats(&self, config: &Config, now: Timestamp) -> u32 {
        let left = self
            .identity
            .as_ref()
            .and_then(|identity| identity.remaining(now));
        let left = left.map_or(u32::MAX, |left| u32::try_from(left).unwrap_or(u32::MAX));
        config.concurrency.min(left).max(1)
    }

    /// A call goes.
    pub(super) fn spend(&mut self, ask: &Ask, now: Timestamp) {
        self.window.spend(ask.credential, ask.cost.points(), now);
        if ask.cost.writes() {
            self.last_write = Some(now);
        }
        self.in_flight += 1;
        self.last_used = now;
    }

    /// A secondary limit, to be obeyed until `until`.
    ///
    /// A time under the usual wait is GitHub's own `Retry-After`. Otherwise "wait for at least one
    /// minute", and "for an exponentially increasing amount of time" when that does not help.
    /// <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately>
    pub(super) fn strike(&mut self, until: Timestamp, config: &Config, now: Timestamp) {
        if self.is_blocked(now) {
            // The answer to a call that had gone before the block.
            self.blocked_until = self.blocked_until.max(until);
            return;
        }
        let doubled = config
            .secondary_wait
            .saturating_mul(1 << self.strikes.min(16));
        self.strikes = self.strikes.saturating_add(1);
        self.blocked_since = now;
        let told = until > now && until < now.plus(config.secondary_wait);
        self.blocked_until = if told {
            until
        } else {
            until.max(now.plus(doubled.min(config.secondary_wait_most)))
        };
    }

    /// An answer that is not a refusal.
    pub(super) fn relax(&mut self, now: Timestamp) {
        if !self.is_blocked(now) {
            self.strikes = 0;
        }
    }

    /// A credential that belongs here has written elsewhere.
    pub(super) fn wrote(&mut self, at: Option<Timestamp>) {
        self.last_write = self.last_write.max(at);
    }

    /// Whether nobody waits here, neither for a turn nor for an answer.
    pub(super) fn idle(&self) -> bool {
        self.in_flight == 0 && self.waiting() == 0
    }

    /// The row in the statistics; none for a guess that is over.
    pub(super) fn row(&self, id: BucketId, now: Timestamp) -> Option<Row> {
        let points = self.window.points(now);
        let identity = self
            .identity
            .as_ref()
            .filter(|identity| !identity.expired(now));
        if identity.is_none() && points == 0 && self.idle() {
            return None;
        }
        Some(Row {
            bucket: id.0.to_string(),
            kind: self.class.name(),
            resource: identity
                .map_or(self.resource.name(), |it| &it.resource)
                .to_owned(),
            limit: identity.map(|it| it.limit),
            remaining: identity.map(|it| it.remaining),
            reset: identity.map(|it| it.reset.as_secs()),
            points,
            waiting: self.waiting(),
        })
    }

    pub(super) fn pressure(&self, config: &Config, now: Timestamp) -> Pressure {
        if let Some(until) = self.closed_until(now) {
            return Pressure::Exhausted { until };
        }
        let Some((limit, left)) = self.identity.as_ref().and_then(|it| it.left_of(now)) else {
            return Pressure::None;
        };
        config.pressure_of(limit, left)
    }
}
