//! Stories of owners and their tokens, and one property: no limit is ever met, and everybody gets a turn.

use proptest::prelude::*;

use crate::secret::{Authorization, LocalSecret, TokenKind};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const PATIENT: Duration = Duration::from_secs(1 << 30);

fn credential(name: usize) -> CredentialId {
    let token = format!("token ghs_{name}");
    LocalSecret::new([7; 32]).identify(&Authorization::new(Some(token.as_bytes())))
}

fn read(name: usize) -> Ask {
    Ask {
        credential: credential(name),
        kind: TokenKind::Installation,
        resource: Resource::Core,
        cost: Cost::Read,
        priority: Priority::Normal,
    }
}

fn write(name: usize) -> Ask {
    Ask {
        cost: Cost::Write,
        ..read(name)
    }
}

fn rate(remaining: u64, reset: Timestamp) -> RateHeaders {
    RateHeaders {
        limit: 1000,
        remaining,
        used: 1000 - remaining,
        reset,
        resource: "core".into(),
    }
}

fn after(secs: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(secs))
}

/// Sends as many of `ask` as may go at `now`, each answered at once.
fn burst(budget: &mut Budget, ask: Ask, now: Timestamp) -> usize {
    (0..10_000)
        .take_while(|_| {
            let Ok(ticket) = budget.arrive(ask, now, Duration::ZERO) else {
                return false;
            };
            let turn = budget.poll(ticket, now);
            budget.done(ticket);
            turn == Turn::Go
        })
        .count()
}

fn budget() -> Budget {
    Budget::new(Config::default())
}

#[test]
fn nine_hundred_points_go_at_once_and_the_rest_a_minute_later() {
    let mut budget = budget();
    assert_eq!(burst(&mut budget, read(1), NOW), 900);
    assert_eq!(burst(&mut budget, read(1), after(59)), 0);
    assert_eq!(burst(&mut budget, read(1), after(60)), 900);
    let graphql = Ask {
        resource: Resource::Graphql,
        cost: Cost::Query,
        ..read(1)
    };
    assert_eq!(burst(&mut budget, graphql, NOW), 2000);
}

#[test]
fn many_new_tokens_spend_together_what_one_may() {
    let mut budget = budget();
    let sent: usize = (0..40)
        .map(|name| burst(&mut budget, read(name), NOW) % 901)
        .sum();
    assert_eq!(sent, 900);
    // And when one of them is identified, the others still share its minute.
    budget.answered(&read(0), Some(&rate(500, after(600))), None, NOW);
    assert_eq!(burst(&mut budget, read(99), NOW), 0);
}

#[test]
fn tokens_of_one_repository_meet_and_those_of_another_part() {
    let mut budget = budget();
    for name in [1, 2] {
        assert_eq!(
            burst(&mut budget, Ask { ..read(name) }, NOW),
            if name == 1 { 900 } else { 0 }
        );
    }
    budget.answered(&read(1), Some(&rate(100, after(600))), None, NOW);
    budget.answered(&read(2), Some(&rate(99, after(601))), None, NOW);
    assert_eq!(
        burst(&mut budget, read(2), NOW),
        0,
        "a second's jitter is the same reset"
    );
    budget.answered(&read(3), Some(&rate(900, after(1800))), None, NOW);
    assert_eq!(
        burst(&mut budget, read(3), NOW),
        900,
        "another reset is another repository"
    );
    let rows = budget.rows(NOW);
    assert_eq!(rows.len(), 2);
    assert_ne!(rows[0].bucket, rows[1].bucket);
    assert_eq!(
        (rows[0].kind, rows[0].remaining, rows[0].points),
        ("installation", Some(99), 900)
    );
}

#[test]
fn two_repositories_that_began_at_the_same_second_are_told_apart_by_what_is_left() {
    let mut budget = budget();
    budget.answered(&read(1), Some(&rate(900, after(600))), None, NOW);
    budget.answered(&read(2), Some(&rate(200, after(600))), None, NOW);
    budget.answered(&read(1), Some(&rate(899, after(600))), None, NOW);
    budget.answered(&read(2), Some(&rate(0, after(600))), None, NOW);
    budget.answered(&read(1), Some(&rate(898, after(600))), None, NOW);
    assert_eq!(burst(&mut budget, read(2), NOW), 0);
    assert_eq!(burst(&mut budget, read(1), NOW), 900);
}

#[test]
fn after_the_reset_the_minute_goes_on() {
    let mut budget = budget();
    budget.answered(&read(1), Some(&rate(1000, after(10))), None, NOW);
    assert_eq!(burst(&mut budget, read(1), after(9)), 900);
    budget.answered(&read(1), Some(&rate(999, after(3610))), None, after(11));
    assert_eq!(burst(&mut budget, read(1), after(12)), 0);
    assert_eq!(burst(&mut budget, read(1), after(69)), 900);
    assert_eq!(
        budget.rows(after(69)).len(),
        1,
        "the successor took the old one's place"
    );
}

#[test]
fn a_used_up_budget_waits_for_its_reset_but_a_stranger_does_not() {
    let mut budget = budget();
    budget.answered(&read(1), Some(&rate(0, after(600))), None, NOW);
    assert_eq!(
        budget.arrive(read(1), NOW, Duration::from_secs(30)),
        Err(Exhausted { until: after(600) })
    );
    let until = after(600);
    assert_eq!(
        budget.pressure(credential(1), Resource::Core, NOW),
        Pressure::Exhausted { until }
    );
    assert_eq!(burst(&mut budget, read(2), NOW), 900);
    assert_eq!(burst(&mut budget, read(1), after(600)), 900);
}

#[test]
fn a_secondary_limit_is_obeyed_and_doubles_when_it_does_not_help() {
    let mut budget = budget();
    let strike = |budget: &mut Budget, now: Timestamp, secs| {
        let until = now.plus(Duration::from_secs(secs));
        budget.answered(&read(1), None, Some(&Refusal::Secondary { until }), now);
    };
    let closed = |budget: &Budget, now| match budget.pressure(credential(1), Resource::Core, now) {
        Pressure::Exhausted { until } => until.since(NOW).as_secs(),
        other => panic!("{other:?}"),
    };
    strike(&mut budget, NOW, 5);
    assert_eq!(closed(&budget, NOW), 5, "Retry-After");
    // Answers to calls that were under way do not count again.
    strike(&mut budget, NOW, 5);
    strike(&mut budget, after(5), 60);
    assert_eq!(closed(&budget, after(5)), 5 + 120);
    strike(&mut budget, after(125), 60);
    assert_eq!(closed(&budget, after(125)), 125 + 240);
    budget.answered(&read(1), None, None, after(365));
    strike(&mut budget, after(366), 60);
    assert_eq!(
        closed(&budget, after(366)),
        366 + 60,
        "an answer makes good"
    );
    // It is the owner's limit: another new token of the kind waits, too.
    assert_eq!(burst(&mut budget, read(2), after(366)), 0);
}

#[test]
fn pressure_has_shares_where_the_limit_is_small() {
    let mut budget = budget();
    let mut pressure = |limit, remaining| {
        let rate = RateHeaders {
            limit,
            ..rate(remaining, after(600))
        };
        budget.answered(&read(1), Some(&rate), None, NOW);
        budget.pressure(credential(1), Resource::Core, NOW)
    };
    assert_eq!(pressure(1000, 101), Pressure::None);
    assert_eq!(pressure(1000, 100), Pressure::Warning);
    assert_eq!(pressure(1000, 50), Pressure::Aggressive);
    assert_eq!(pressure(60, 7), Pressure::None);
    assert_eq!(pressure(60, 6), Pressure::Warning);
    assert_eq!(pressure(60, 3), Pressure::Aggressive);
}

#[test]
fn a_hundred_calls_at_once_and_no_more_than_are_left() {
    let mut budget = budget();
    let going = |budget: &mut Budget| {
        (0..150)
            .filter(|_| {
                let ticket = budget.arrive(read(1), NOW, PATIENT).unwrap();
                budget.poll(ticket, NOW) == Turn::Go
            })
            .count()
    };
    assert_eq!(going(&mut budget), 100);
    let mut few = Budget::new(Config::default());
    few.answered(&read(1), Some(&rate(3, after(600))), None, NOW);
    assert_eq!(going(&mut few), 3);
}

#[test]
fn reads_pass_a_write_that_keeps_its_distance_and_then_make_way() {
    let mut budget = budget();
    assert_eq!(burst(&mut budget, write(1), NOW), 1);
    let second = budget.arrive(write(1), NOW, PATIENT).unwrap();
    assert_eq!(budget.poll(second, NOW), Turn::At(after(1)));
    // Who has no patience does not take the last points from it, who has some may.
    assert_eq!(burst(&mut budget, read(1), NOW), 890);
    for _ in 0..5 {
        let ticket = budget.arrive(read(1), NOW, PATIENT).unwrap();
        assert_eq!(budget.poll(ticket, NOW), Turn::Go);
        budget.done(ticket);
    }
    // At the end of the minute the older write gets the first points that are free.
    let young = budget.arrive(read(1), after(2), PATIENT).unwrap();
    assert_eq!(budget.poll(young, after(60)), Turn::Behind);
    assert_eq!(budget.poll(second, after(60)), Turn::Go);
    assert!(budget.woken().contains(&young));
    assert_eq!(budget.poll(young, after(60)), Turn::Go);
}

#[test]
fn memory_is_bounded() {
    let config = Config {
        credentials: 10,
        buckets: 5,
        waiting: 3,
        ..Config::default()
    };
    let mut budget = Budget::new(config);
    for name in 0..100 {
        let reset = after(600 + 10 * u64::try_from(name).unwrap());
        budget.answered(&read(name), Some(&rate(500, reset)), None, NOW);
    }
    assert!(budget.accounts.len() <= 10 && budget.buckets.len() <= 5);
    for _ in 0..3 {
        budget.arrive(write(1), NOW, PATIENT).unwrap();
    }
    assert!(budget.arrive(write(1), NOW, PATIENT).is_err());
}

/// An arrival: milliseconds after the one before, which token, what it costs, its priority.
fn arrivals() -> impl Strategy<Value = Vec<(u64, usize, bool, bool)>> {
    let arrival = (
        0..400_u64,
        0..6_usize,
        prop::bool::weighted(0.2),
        prop::bool::ANY,
    );
    prop::collection::vec(arrival, 1..250)
}

#[derive(Default)]
struct Played {
    /// When calls went, with their points.
    went: Vec<(Timestamp, u32)>,
    blocked: Vec<(Timestamp, Timestamp)>,
}

/// Plays `arrivals` of six tokens of one repository. Every tenth answer is a secondary limit. Wakes only
/// those whom the budget names, at the times that it names: a forgotten one never goes.
fn play(arrivals: &[(u64, usize, bool, bool)], config: Config) -> Played {
    let mut budget = Budget::new(config);
    let (mut now, mut played) = (NOW, Played::default());
    let mut waiting: BTreeMap<Ticket, (Ask, Option<Timestamp>)> = BTreeMap::new();
    let mut coming = arrivals.iter().peekable();
    let mut due = NOW;
    while coming.peek().is_some() || !waiting.is_empty() {
        // The next thing that happens: an arrival, or the hour of somebody who waits.
        let next = coming.peek().map(|_| due);
        let hour = waiting.values().filter_map(|(_, at)| *at).min();
        now = now.max(
            next.into_iter()
                .chain(hour)
                .min()
                .expect("somebody was forgotten"),
        );
        if next.is_some_and(|next| next <= now) {
            let &(gap, name, writes, high) = coming.next().unwrap();
            due = now.plus(Duration::from_millis(gap));
            let ask = if writes { write(name) } else { read(name) };
            let priority = if high {
                Priority::High
            } else {
                Priority::Normal
            };
            let ask = Ask { priority, ..ask };
            let ticket = budget.arrive(ask, now, PATIENT).unwrap();
            waiting.insert(ticket, (ask, Some(now)));
        }
        while let Some(ticket) = waiting
            .iter()
            .find(|(_, (_, at))| at.is_some_and(|at| at <= now))
            .map(|(&it, _)| it)
        {
            match budget.poll(ticket, now) {
                Turn::At(at) => {
                    assert!(at > now, "time must pass");
                    waiting.get_mut(&ticket).unwrap().1 = Some(at);
                }
                Turn::Behind => waiting.get_mut(&ticket).unwrap().1 = None,
                Turn::Go => {
                    let (ask, _) = waiting.remove(&ticket).unwrap();
                    played.went.push((now, ask.cost.points()));
                    let until = now.plus(Duration::from_secs(2));
                    let refused = played.went.len() % 10 == 0;
                    let refusal = refused.then_some(Refusal::Secondary { until });
                    let rate = rate(1000, after(3600));
                    budget.answered(&ask, Some(&rate), refusal.as_ref(), now);
                    if refused {
                        played.blocked.push((now, until));
                    }
                    budget.done(ticket);
                }
            }
            for woken in budget.woken() {
                if let Some((_, at)) = waiting.get_mut(&woken) {
                    *at = Some(now);
                }
            }
        }
    }
    played
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_limit_is_met_and_everybody_gets_a_turn(arrivals in arrivals()) {
        // Small figures, so that few arrivals meet all limits.
        let config = Config { rest_points: 30, ..Config::default() };
        let played = play(&arrivals, config);
        prop_assert_eq!(played.went.len(), arrivals.len());
        for (index, &(from, _)) in played.went.iter().enumerate() {
            let minute = played.went[index..].iter().take_while(|(at, _)| at.since(from).as_secs() < 60);
            prop_assert!(minute.map(|(_, points)| points).sum::<u32>() <= 30);
        }
        let writes: Vec<_> = played.went.iter().filter(|(_, points)| *points == 5).collect();
        for pair in writes.windows(2) {
            prop_assert!(pair[1].0.since(pair[0].0) >= Duration::from_secs(1));
        }
        for (from, until) in played.blocked {
            prop_assert!(!played.went.iter().any(|&(at, _)| at > from && at < until));
        }
    }
}

const DAY: u64 = 86_400;

/// Where a call that comes now is at the end, and how long that takes if every wait is waited for.
fn goes_within(budget: &mut Budget, ask: Ask, mut now: Timestamp) -> Result<Duration, String> {
    let began = now;
    let ticket = budget
        .arrive(ask, now, Duration::MAX)
        .map_err(|full| full.to_string())?;
    for _ in 0..10_000 {
        match budget.poll(ticket, now) {
            Turn::Go => {
                budget.done(ticket);
                return Ok(now.since(began));
            }
            Turn::At(at) if at > now => now = at,
            turn => return Err(format!("{turn:?} at {now:?}")),
        }
    }
    Err("it never goes".to_owned())
}

#[test]
fn a_clock_that_is_set_does_not_close_a_budget_for_longer_than_github_did() {
    let hour = Duration::from_secs(3600);
    let blocked = Refusal::Secondary {
        until: after(DAY).plus(Duration::from_secs(300)),
    };
    // Learnt with a clock that is a day ahead; then it is put right.
    let tomorrow = after(DAY);
    for used_up in [true, false] {
        let mut budget = budget();
        if used_up {
            budget.answered(
                &read(1),
                Some(&rate(0, tomorrow.plus(hour))),
                None,
                tomorrow,
            );
        } else {
            budget.answered(&read(1), None, Some(&blocked), tomorrow);
        }
        assert!(budget.closed_until(&read(1), tomorrow).is_some());
        assert_eq!(goes_within(&mut budget, read(1), NOW), Ok(Duration::ZERO));
    }
    // A clock that has always been a day, or ten years, behind GitHub's.
    for ahead in [DAY, 3652 * DAY, u64::MAX / 2000] {
        let mut budget = budget();
        budget.answered(&read(1), Some(&rate(0, after(ahead))), None, NOW);
        let waits = goes_within(&mut budget, read(1), NOW).unwrap();
        assert!(waits <= Duration::from_mins(70), "{ahead}: {waits:?}");
    }
}

#[test]
fn a_clock_that_jumps_ahead_lets_no_more_than_one_more_minute_through() {
    let mut budget = budget();
    assert_eq!(burst(&mut budget, read(1), NOW), 900);
    for later in [DAY, 3652 * DAY] {
        assert_eq!(burst(&mut budget, read(1), after(later)), 900);
        assert_eq!(burst(&mut budget, read(1), after(later + 1)), 0);
    }
    // And back: a new minute begins, and not one that lasts for ten years.
    assert_eq!(burst(&mut budget, read(1), NOW), 0);
    assert_eq!(burst(&mut budget, read(1), after(60)), 900);
}

/// What happens to a budget while its clock walks.
#[derive(Debug, Clone)]
enum Event {
    /// The clock moves by so many seconds.
    Clock(i64),
    /// A call comes, and is polled.
    Call { who: usize, write: bool },
    /// The oldest call under way or waiting ends.
    End,
    /// An answer says what is left until how many seconds from now.
    Told { who: usize, left: u64, reset: i64 },
    /// A refusal.
    Refused { who: usize, wait: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let step = prop_oneof![
        4 => -5_i64..120,
        1 => Just(86_400_i64),
        1 => Just(-86_400_i64),
        1 => Just(315_360_000_i64),
        1 => Just(-315_360_000_i64),
    ];
    prop_oneof![
        step.prop_map(Event::Clock),
        (0..3_usize, any::<bool>()).prop_map(|(who, write)| Event::Call { who, write }),
        Just(Event::End),
        (0..3_usize, 0..5_u64, -4000..400_000_i64).prop_map(|(who, left, reset)| Event::Told {
            who,
            left,
            reset
        }),
        (0..3_usize, 0..7200_u64).prop_map(|(who, wait)| Event::Refused { who, wait }),
    ]
}

fn moved(now: Timestamp, by: i64) -> Timestamp {
    let far = Duration::from_secs(by.unsigned_abs());
    if by < 0 {
        now.minus(far)
    } else {
        now.plus(far)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn however_the_clock_walks_a_call_goes_within_the_longest_that_github_forbids(
        events in proptest::collection::vec(event(), 0..120)
    ) {
        let mut budget = Budget::new(Config { concurrency: 4, rest_points: 20, ..Config::default() });
        let mut now = Timestamp::from_secs(1_800_000_000);
        let mut open = std::collections::VecDeque::new();
        for event in events {
            match event {
                Event::Clock(by) => now = moved(now, by),
                Event::Call { who, write: writes } => {
                    let ask = if writes { write(who) } else { read(who) };
                    if let Ok(ticket) = budget.arrive(ask, now, Duration::MAX) {
                        budget.poll(ticket, now);
                        open.push_back(ticket);
                    }
                }
                Event::End => {
                    if let Some(ticket) = open.pop_front() {
                        budget.done(ticket);
                    }
                }
                Event::Told { who, left, reset } => {
                    budget.answered(&read(who), Some(&rate(left, moved(now, reset))), None, now);
                }
                Event::Refused { who, wait } => {
                    let until = now.plus(Duration::from_secs(wait));
                    budget.answered(&read(who), None, Some(&Refusal::Secondary { until }), now);
                }
            }
            let until = budget.closed_until(&read(0), now);
            prop_assert!(until.is_none_or(|until| until.since(now) <= Duration::from_hours(2)), "{until:?}");
        }
        for ticket in open {
            budget.done(ticket);
        }
        for row in budget.rows(now) {
            prop_assert_eq!(row.waiting, 0);
        }
        for ask in [read(0), write(1)] {
            let waits = goes_within(&mut budget, ask, now).map_err(TestCaseError::fail)?;
            prop_assert!(waits <= Duration::from_hours(2) + Duration::from_mins(2), "{waits:?}");
        }
    }
}
