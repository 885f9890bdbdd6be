//! Two peers and everything that a network and a scheduler do to them: delays, losses, stops. After every step it must
//! hold that a write which counts as told has taken effect at the other, or that the other knows to be out of contact.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use libp2p::PeerId;
use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::api::Namespace;

/// What happens at a node.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Tick,
    Write,
    Connect(u64),
    /// The other end of this link closed it.
    Closed(u64),
    Greet(u64, u64, Instant, Option<Position>),
    Greeted(u64, Instant, Position, Option<Vec<Stale>>),
    Pulse(u64, u64, Instant),
    Pulsed(u64, u64, Instant, Position),
    /// The peer refused, or the time for an answer is over.
    Unanswered(u64, bool),
    Invalidate(u64, u64, Position, usize),
    Acknowledged(u64, u64),
    /// The time for an acknowledgement is over.
    Overdue(u64, Instant),
}

#[derive(Debug, Clone)]
struct Fate {
    /// Milliseconds; `None`: lost.
    delay: Option<u64>,
}

#[derive(Debug, Clone)]
struct Plan {
    fates: Vec<Fate>,
    /// Milliseconds at which node 0 or 1 writes.
    writes: Vec<(u64, usize)>,
    /// Node, from, for how long it is stopped.
    stops: Vec<(usize, u64, u64)>,
}

struct Node {
    book: Book,
    /// The link that it believes to be up.
    link: Option<u64>,
    /// The other's writes up to this one have taken effect here.
    applied: u64,
    /// Writes of ours that are being waited for.
    waiting: Vec<(u64, Vec<Target>)>,
    /// The last of our writes that counts as told.
    told: u64,
    /// Has had a lease. Before, it relied on nobody.
    relied: bool,
}

struct World {
    began: Instant,
    now: u64,
    nodes: [Node; 2],
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    steps: Vec<Step>,
    plan: Plan,
    drawn: usize,
    links: u64,
    /// Returned although it was not acknowledged.
    lost: usize,
    acknowledged: usize,
}

const END: u64 = 40_000;

fn peer(node: usize) -> PeerId {
    let digest =
        libp2p::multihash::Multihash::wrap(0x12, &[u8::try_from(node).expect("0 or 1"); 32]);
    PeerId::from_multihash(digest.expect("32 bytes fit")).expect("SHA-256 is allowed")
}

impl World {
    fn new(plan: Plan) -> Self {
        let times = Times {
            silence: Duration::from_secs(3_600),
            ..Times::default()
        };
        let node = |epoch| Node {
            book: Book::new(times, epoch),
            link: None,
            applied: 0,
            waiting: Vec::new(),
            told: 0,
            relied: false,
        };
        let mut world = Self {
            began: Instant::now(),
            now: 0,
            nodes: [node(1), node(2)],
            queue: BinaryHeap::new(),
            steps: Vec::new(),
            drawn: 0,
            links: 0,
            lost: 0,
            acknowledged: 0,
            plan,
        };
        for node in 0..2 {
            for second in 0..END / 1_000 {
                world.at(second * 1_000 + 300 * node as u64, node, Step::Tick);
            }
        }
        for (at, node) in world.plan.writes.clone() {
            world.at(at, node, Step::Write);
        }
        world.reconnect();
        world
    }

    fn at(&mut self, at: u64, node: usize, step: Step) {
        let number = self.steps.len();
        self.steps.push(step);
        self.queue.push(Reverse((at, number as u64, node)));
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now)
    }

    fn fate(&mut self) -> Option<u64> {
        self.drawn += 1;
        let fates = &self.plan.fates;
        fates[self.drawn % fates.len()].delay
    }

    /// Sends over the link that `from` believes in.
    fn send(&mut self, from: usize, step: Step) {
        if let Some(delay) = self.fate() {
            self.at(self.now + delay, 1 - from, step);
        }
    }

    fn reconnect(&mut self) {
        self.links += 1;
        let link = self.links;
        for node in 0..2 {
            let delay = 100 + self.fate().unwrap_or(50).min(300);
            self.at(self.now + delay, node, Step::Connect(link));
        }
    }

    /// Node `node` ends its link, or learns that it ended.
    fn close(&mut self, node: usize, tell: bool) {
        let now = self.instant();
        let Some(link) = self.nodes[node].link.take() else {
            return;
        };
        if self.nodes[node].book.gone(peer(1 - node), now).is_some() {
            self.everything(node);
        }
        if tell {
            self.send(node, Step::Closed(link));
        }
        if self.nodes.iter().all(|node| node.link.is_none()) {
            self.reconnect();
        }
    }

    /// Everything is asked again, so whatever the other wrote by now has taken effect.
    fn everything(&mut self, node: usize) {
        self.nodes[node].applied = self.nodes[1 - node].book.position().sequence;
    }

    fn run(mut self) -> Result<(usize, usize), TestCaseError> {
        while let Some(Reverse((at, number, node))) = self.queue.pop() {
            if at > END {
                break;
            }
            let stopped = self.plan.stops.iter().find_map(|&(who, from, long)| {
                (who == node && (from..from + long).contains(&at)).then_some(from + long)
            });
            if let Some(until) = stopped {
                self.queue.push(Reverse((until, number, node)));
                continue;
            }
            self.now = at;
            let step = std::mem::replace(
                &mut self.steps[usize::try_from(number).expect("small")],
                Step::Tick,
            );
            self.step(node, step.clone());
            self.settle(node);
            self.check(node, &step)?;
        }
        Ok((self.acknowledged, self.lost))
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each thing that can happen"
    )]
    fn step(&mut self, node: usize, step: Step) {
        let now = self.instant();
        let other = peer(1 - node);
        let link = self.nodes[node].link;
        match step {
            Step::Tick => self.tick(node),
            Step::Write => {
                let stale = Stale {
                    namespace: Namespace::Host,
                    id: None,
                };
                let written = self.nodes[node].book.write(vec![stale], now);
                let sequence = written.position.sequence;
                let first = written.start.first().copied();
                self.nodes[node].waiting.push((sequence, written.targets));
                if first.is_some() {
                    self.tell(node);
                }
                // Whoever waits looks again when the deadline is over.
                let overdue = self.nodes[node].waiting.last().and_then(|(_, targets)| {
                    let deadline = targets.first()?.deadline;
                    u64::try_from((deadline - self.began).as_millis()).ok()
                });
                if let Some(at) = overdue {
                    self.at(at + 1, node, Step::Unanswered(u64::MAX, false));
                }
            }
            Step::Connect(new) => {
                self.nodes[node].link = Some(new);
                let book = &mut self.nodes[node].book;
                book.connected(other, now);
                self.tick(node);
            }
            Step::Closed(closed) if link == Some(closed) => self.close(node, false),
            Step::Greet(over, connection, asked, heard) if link == Some(over) => {
                let answer = self.nodes[node].book.greeted_by(other, heard, now);
                let answer = match answer {
                    Some((position, missed)) => {
                        let missed = match missed {
                            Missed::These(missed) => Some(missed),
                            Missed::Unknown => None,
                        };
                        Step::Greeted(connection, asked, position, missed)
                    }
                    None => Step::Unanswered(connection, true),
                };
                self.send(node, answer);
            }
            Step::Greeted(connection, asked, position, missed) => {
                let book = &mut self.nodes[node].book;
                // What it brings takes effect whatever became of the connection.
                let _ = book.caught_up(other, position, missed);
                book.greeted(other, connection, asked, position);
                let applied = &mut self.nodes[node].applied;
                *applied = (*applied).max(position.sequence);
            }
            Step::Pulse(over, connection, asked) if link == Some(over) => {
                let answer = match self.nodes[node].book.pulsed_by(other, now) {
                    Some(position) => Step::Pulsed(over, connection, asked, position),
                    None => Step::Unanswered(connection, true),
                };
                self.send(node, answer);
            }
            Step::Pulsed(over, connection, asked, position) if link == Some(over) => {
                let book = &mut self.nodes[node].book;
                let _ = book.pulsed(other, connection, asked, position);
            }
            Step::Unanswered(connection, refused) => {
                let book = &mut self.nodes[node].book;
                book.unanswered(other, connection, refused);
            }
            Step::Invalidate(over, connection, position, count) if link == Some(over) => {
                let node_ = &mut self.nodes[node];
                match node_.book.arrival(other, position, count) {
                    Arrival::Known => {}
                    Arrival::Next | Arrival::Gap(_) => {
                        node_.applied = node_.applied.max(position.sequence);
                        node_.book.applied(other, position);
                    }
                }
                self.send(node, Step::Acknowledged(connection, position.sequence));
            }
            Step::Acknowledged(connection, sequence) => {
                let book = &mut self.nodes[node].book;
                book.acknowledged(other, connection, sequence);
                self.tell(node);
            }
            Step::Overdue(connection, deadline) => {
                let book = &mut self.nodes[node].book;
                let still = book.message(other).is_some_and(|message| {
                    message.connection == connection && message.deadline <= deadline
                });
                if still && book.gave_up(other, connection, now) {
                    self.close(node, true);
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, node: usize) {
        let now = self.instant();
        let other = peer(1 - node);
        for due in self.nodes[node].book.tick(now) {
            let Some(link) = self.nodes[node].link else {
                continue;
            };
            match due {
                Due::Greet(_) => {
                    let Some((connection, heard)) = self.nodes[node].book.greeting(other) else {
                        continue;
                    };
                    self.send(node, Step::Greet(link, connection, now, heard));
                    self.at(self.now + 3_000, node, Step::Unanswered(connection, false));
                }
                Due::Pulse(_, connection, _) => {
                    self.send(node, Step::Pulse(link, connection, now));
                    self.at(self.now + 3_000, node, Step::Unanswered(connection, false));
                }
                Due::HangUp(_) => self.close(node, true),
                Due::EverythingStale(_) => self.everything(node),
            }
        }
    }

    /// One message at a time, as the pump does.
    fn tell(&mut self, node: usize) {
        let other = peer(1 - node);
        let Some(link) = self.nodes[node].link else {
            return;
        };
        let Some(message) = self.nodes[node].book.message(other) else {
            return;
        };
        let count = message.stale.len();
        let step = Step::Invalidate(link, message.connection, message.position, count);
        self.send(node, step);
        let millis = (message.deadline - self.began).as_millis();
        let at = u64::try_from(millis).expect("small").max(self.now);
        let overdue = Step::Overdue(message.connection, message.deadline);
        self.at(at + 1, node, overdue);
    }

    /// Counts writes as told as soon as whoever wrote would be let go.
    fn settle(&mut self, node: usize) {
        let now = self.instant();
        let node = &mut self.nodes[node];
        let book = &node.book;
        let (told, lost, acknowledged) = (&mut node.told, &mut self.lost, &mut self.acknowledged);
        node.waiting.retain(|(sequence, targets)| {
            let waits: Vec<_> = targets
                .iter()
                .map(|target| book.wait(target, now))
                .collect();
            if waits.contains(&Wait::NotYet) {
                return true;
            }
            *told = (*told).max(*sequence);
            *lost += waits.iter().filter(|wait| **wait == Wait::Lost).count();
            *acknowledged += waits
                .iter()
                .filter(|wait| **wait == Wait::Acknowledged)
                .count();
            false
        });
    }

    fn check(&mut self, at: usize, step: &Step) -> Result<(), TestCaseError> {
        let now = self.instant();
        for (reader, writer) in [(0, 1), (1, 0)] {
            let standing = self.nodes[reader].book.standing();
            let lost = standing.lease_until.is_some_and(|until| until <= now)
                || standing.deaf_until.is_some_and(|until| until > now);
            self.nodes[reader].relied |= standing.lease_until.is_some();
            let relied = self.nodes[reader].relied;
            let told = self.nodes[writer].told;
            let applied = self.nodes[reader].applied;
            prop_assert!(
                applied >= told || lost || !relied,
                "at {} ms, after {step:?} at {at}: {writer}'s write {told} counts as told, {reader} knows {applied}",
                self.now
            );
        }
        Ok(())
    }
}

fn plan(lossy: bool) -> impl Strategy<Value = Plan> {
    let fate = prop_oneof![
        8 => (1_u64..80).prop_map(|delay| Fate { delay: Some(delay) }),
        2 => (80_u64..1_500).prop_map(|delay| Fate { delay: Some(delay) }),
        1 => (1_500_u64..6_000).prop_map(|delay| Fate { delay: Some(delay) }),
        u32::from(lossy) * 3 => Just(Fate { delay: None }),
        u32::from(!lossy) => Just(Fate { delay: Some(5) }),
    ];
    (
        prop::collection::vec(fate, 5..200),
        prop::collection::vec((0..END, 0_usize..2), 1..60),
        prop::collection::vec((0_usize..2, 0..END, 100_u64..9_000), 0..6),
    )
        .prop_map(|(fates, writes, stops)| Plan {
            fates,
            writes,
            stops,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_write_that_counts_as_told_is_known_or_its_reader_is_out_of_contact(plan in plan(false)) {
        World::new(plan).run()?;
    }

    #[test]
    fn so_it_is_when_messages_are_lost(plan in plan(true)) {
        World::new(plan).run()?;
    }
}

#[test]
fn in_a_good_network_every_write_is_acknowledged() {
    let plan = Plan {
        fates: vec![Fate { delay: Some(5) }],
        writes: (2..30).map(|second| (second * 1_000 + 7, 0)).collect(),
        stops: Vec::new(),
    };
    let (acknowledged, lost) = World::new(plan).run().expect("it holds");
    assert_eq!((acknowledged, lost), (28, 0));
}
