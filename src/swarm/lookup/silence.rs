//! Who is silent: for how long an answer is waited for, and whom not to ask. Pure.
//!
//! Fifty milliseconds without a word are silence, beyond the time that words travel. But until a first answer has come, nobody
//! knows how long one takes; a peer that is answering our other questions is busy, not silent; when
//! answers have been slow lately, the next one will be; and while many questions are open, to whomever, it is we who hear
//! late. With a fixed bound a fleet that starts at once, perhaps on one machine, would take one
//! another for dead just when it matters that they share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::swarm::config::Times;

/// A peer that was silent is not asked for so long, unless it is heard of.
const SUSPECT: Duration = Duration::from_secs(5);
/// An answer may take so many times as long as the slowest one lately.
const SLOWER: u32 = 4;
/// The longest way that is added to a silence: round the world. A peer could answer pings as late as it liked.
const FARTHEST: Duration = Duration::from_millis(400);
/// How long "lately" is at most: jobs come in bursts, and one that begins after a pause finds the same machines.
const LATELY: Duration = Duration::from_secs(10);
/// So many open questions at once are not the fault of those who were asked. Where it is (all others have stopped), the
/// first burst waits for as long as a lease, and then nobody is asked.
const CROWD: u32 = 8;
/// How many of our requests wait at one owner at once. Each takes a stream, and stores and renewals to the same peer
/// need some, too.
const WAITING_MAX: usize = 96;

/// How many long bodies of one peer are on their way to us at once: each may be ten megabytes, of the 24 that one
/// connection may hold here.
const FETCHING_MAX: usize = 2;

/// What we have heard of each peer.
#[derive(Debug)]
pub(super) struct Silences {
    first_answer: Duration,
    longest: Duration,
    asked: u32,
    /// `None`: there has been no answer yet.
    slowest: Option<Slowest>,
    peers: HashMap<PeerId, Seen>,
}

#[derive(Debug)]
struct Seen {
    heard: Option<Instant>,
    /// The way to it and back, at its shortest: a longer one was a busy machine, and that passes.
    round_trip: Option<Duration>,
    suspect_until: Option<Instant>,
    waiting: Arc<Semaphore>,
    fetching: Arc<Semaphore>,
}

/// How long answers took at most, in two halves of [`LATELY`]: the one that passes, and the one before. So the
/// slowest of a steady stream is never forgotten all at once.
#[derive(Debug, Clone, Copy)]
struct Slowest {
    began: Instant,
    half: Duration,
    half_before: Duration,
}

impl Slowest {
    /// As it is at `now`, when no answer has come since.
    fn at(self, now: Instant) -> Self {
        let half = LATELY / 2;
        match now.saturating_duration_since(self.began) {
            passed if passed < half => self,
            passed if passed < LATELY => Self {
                began: self.began + half,
                half: Duration::ZERO,
                half_before: self.half,
            },
            _ => Self {
                began: now,
                half: Duration::ZERO,
                half_before: Duration::ZERO,
            },
        }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            heard: None,
            round_trip: None,
            suspect_until: None,
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            fetching: Arc::new(Semaphore::new(FETCHING_MAX)),
        }
    }
}

impl Silences {
    pub(super) fn new(times: &Times) -> Self {
        Self {
            first_answer: times.first_answer,
            // Longer than anybody waits for a lease is too long to ask for one.
            longest: times.lease.max(times.first_answer),
            asked: 0,
            slowest: None,
            peers: HashMap::new(),
        }
    }

    /// A question is on its way.
    pub(super) fn asks(&mut self) {
        self.asked += 1;
    }

    /// Nobody waits for its answer any more.
    pub(super) fn asks_no_more(&mut self) {
        self.asked = self.asked.saturating_sub(1);
    }

    /// The peer answered a question.
    pub(super) fn heard(&mut self, peer: PeerId, now: Instant) {
        let seen = self.peers.entry(peer).or_default();
        seen.heard = Some(now);
        seen.suspect_until = None;
    }

    /// The way to a peer and back took so long.
    pub(super) fn round_trip(&mut self, peer: PeerId, took: Duration) {
        let shortest = &mut self.peers.entry(peer).or_default().round_trip;
        *shortest = Some(shortest.map_or(took, |known| known.min(took)));
    }

    /// A question that is answered at once took so long.
    pub(super) fn took(&mut self, time: Duration, now: Instant) {
        let none = Slowest {
            began: now,
            half: Duration::ZERO,
            half_before: Duration::ZERO,
        };
        let mut slowest = self.slowest.map_or(none, |slowest| slowest.at(now));
        slowest.half = slowest.half.max(time);
        self.slowest = Some(slowest);
    }

    fn slowest(&self, now: Instant) -> Duration {
        // Before the first answer nobody knows how long one takes, and everything is done for the first time.
        self.slowest.map_or(self.first_answer, |slowest| {
            let Slowest {
                half, half_before, ..
            } = slowest.at(now);
            half.max(half_before)
        })
    }

    /// The peer did not answer, or would not.
    pub(super) fn suspect(&mut self, peer: PeerId, now: Instant) {
        self.peers.entry(peer).or_default().suspect_until = Some(now + SUSPECT);
    }

    /// Whether to ask others instead.
    pub(super) fn is_suspect(&self, peer: &PeerId, now: Instant) -> bool {
        let seen = self.peers.get(peer);
        seen.and_then(|seen| seen.suspect_until)
            .is_some_and(|until| now < until)
    }

    /// When to look again whether a peer that was asked at `asked` has been silent for the `share`th part of a
    /// silence; `None`: it has.
    pub(super) fn look_again(
        &self,
        peer: &PeerId,
        asked: Instant,
        share: u32,
        now: Instant,
    ) -> Option<Instant> {
        let seen = self.peers.get(peer);
        let heard = seen.and_then(|seen| seen.heard);
        // Behind a long body on a slow link short answers are late. Another peer is asked as early as ever.
        let fetching = |seen: &Seen| seen.fetching.available_permits() < FETCHING_MAX;
        let is_behind = share == 1 && seen.is_some_and(fetching);
        let since = heard.map_or(asked, |heard| heard.max(asked));
        let patience = if self.asked >= CROWD || is_behind {
            self.longest / share
        } else {
            self.patience(seen, share, now)
        };
        let at = (since + patience).min(asked + self.longest);
        // It is looked at often, because patience may shrink meanwhile.
        (at > now).then(|| at.min(now + self.first_answer))
    }

    fn patience(&self, seen: Option<&Seen>, share: u32, now: Instant) -> Duration {
        let way = seen.and_then(|seen| seen.round_trip).unwrap_or_default();
        let way = way.min(FARTHEST);
        (way + self.first_answer / share).max(self.slowest(now) * SLOWER / share)
    }

    /// Whether a peer that was asked something easy at `asked` stands still, as far as can be told: it is silent, and it is
    /// not we who hear late, since others are heard.
    pub(super) fn stands_still(&self, peer: &PeerId, asked: Instant, now: Instant) -> bool {
        let seen = self.peers.get(peer);
        let is_heard = |seen: &Seen| seen.heard.is_some_and(|heard| heard >= asked);
        let others = self.peers.iter().filter(|(other, _)| *other != peer);
        let hears = self.asked < CROWD || others.into_iter().any(|(_, other)| is_heard(other));
        let patience = self.patience(seen, 1, now).min(self.longest);
        !seen.is_some_and(is_heard) && hears && now >= asked + patience
    }

    /// The seats in which our requests wait at `peer`.
    pub(super) fn waiting(&mut self, peer: PeerId) -> Arc<Semaphore> {
        Arc::clone(&self.peers.entry(peer).or_default().waiting)
    }

    /// The seats of long bodies on their way from `peer`.
    pub(super) fn fetching(&mut self, peer: PeerId) -> Arc<Semaphore> {
        Arc::clone(&self.peers.entry(peer).or_default().fetching)
    }

    /// The peer is not connected any more.
    pub(super) fn gone(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::swarm::Identity;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn peer(n: u8) -> PeerId {
        Identity::from_seed(&Zeroizing::new([n; 32]))
            .unwrap()
            .peer_id()
    }

    fn silences(asked: u32) -> (Silences, Instant) {
        let mut silences = Silences::new(&Times::default());
        for _ in 0..asked {
            silences.asks();
        }
        let now = Instant::now();
        silences.took(ms(1), now);
        (silences, now)
    }

    #[test]
    fn before_the_first_answer_more_time_is_given() {
        let silences = Silences::new(&Times::default());
        let asked = Instant::now();
        let look = |by| silences.look_again(&peer(1), asked, 1, asked + by);
        assert!(look(ms(199)).is_some() && look(ms(200)).is_none());
    }

    #[test]
    fn nothing_for_fifty_milliseconds_is_silence() {
        let (silences, asked) = silences(1);
        let at = |by| silences.look_again(&peer(1), asked, 1, asked + by);
        assert_eq!(at(ms(0)), Some(asked + ms(50)));
        assert_eq!(at(ms(49)), Some(asked + ms(50)));
        assert_eq!(at(ms(50)), None);
        let hedge = silences.look_again(&peer(1), asked, 5, asked);
        assert_eq!(hedge, Some(asked + ms(10)));
    }

    #[test]
    fn a_peer_that_answers_other_questions_is_busy_but_not_for_ever() {
        let (mut silences, asked) = silences(2);
        silences.heard(peer(1), asked + ms(40));
        let later = asked + ms(50);
        let at = silences.look_again(&peer(1), asked, 1, later);
        assert_eq!(at, Some(asked + ms(90)));
        assert_eq!(silences.look_again(&peer(2), asked, 1, later), None);
        silences.heard(peer(1), asked + ms(1999));
        let late = silences.look_again(&peer(1), asked, 1, asked + ms(1999));
        assert_eq!(late, Some(asked + ms(2000)));
    }

    #[test]
    fn where_answers_are_slow_the_next_one_may_be() {
        let (mut silences, asked) = silences(2);
        silences.heard(peer(2), asked + ms(1));
        silences.took(ms(100), asked + ms(1));
        silences.took(ms(1), asked + ms(2));
        let still = |by| {
            silences
                .look_again(&peer(1), asked, 1, asked + by)
                .is_some()
        };
        assert!(still(ms(399)));
        assert!(!still(ms(400)));
        // Not for ever.
        let asked = asked + LATELY;
        let at = |by| silences.look_again(&peer(1), asked, 1, asked + by);
        assert_eq!(at(ms(50)), None);
    }

    #[test]
    fn a_stream_of_slow_answers_is_never_forgotten() {
        let (mut silences, asked) = silences(1);
        for second in 0..60 {
            let now = asked + Duration::from_secs(second);
            silences.took(ms(if second % 4 == 0 { 100 } else { 1 }), now);
            let still = silences.look_again(&peer(1), now, 1, now + ms(399));
            assert!(still.is_some(), "after {second} s");
        }
    }

    #[test]
    fn a_peer_that_is_far_away_has_the_time_of_the_way() {
        let (mut silences, asked) = silences(1);
        silences.round_trip(peer(1), ms(70));
        // It was busy, and is no further away.
        silences.round_trip(peer(1), ms(900));
        let at = |which, share| silences.look_again(&peer(which), asked, share, asked);
        assert_eq!(at(1, 1), Some(asked + ms(50)), "it is looked at often");
        let look = |by| silences.look_again(&peer(1), asked, 1, asked + by);
        assert!(look(ms(119)).is_some() && look(ms(120)).is_none());
        assert_eq!(at(1, 5), Some(asked + ms(50)));
        let hedge = |by| silences.look_again(&peer(1), asked, 5, asked + by);
        assert!(hedge(ms(79)).is_some() && hedge(ms(80)).is_none());
        assert_eq!(at(2, 5), Some(asked + ms(10)));
        silences.round_trip(peer(3), ms(5_000));
        let look = |by| silences.look_again(&peer(3), asked, 1, asked + by);
        assert!(look(ms(449)).is_some() && look(ms(450)).is_none());
    }

    #[test]
    fn who_says_nothing_while_others_speak_stands_still() {
        let (mut silences, asked) = silences(CROWD);
        let still = |silences: &Silences, by| silences.stands_still(&peer(1), asked, asked + by);
        // Nobody is heard: perhaps it is we who are slow.
        assert!(!still(&silences, ms(1000)));
        silences.heard(peer(2), asked + ms(20));
        assert!(!still(&silences, ms(49)));
        assert!(still(&silences, ms(50)));
        silences.heard(peer(1), asked + ms(60));
        assert!(!still(&silences, ms(1000)));
    }

    #[test]
    fn while_many_questions_are_open_it_is_we_who_hear_late() {
        let (mut silences, asked) = silences(CROWD);
        let late = asked + ms(1500);
        assert!(silences.look_again(&peer(1), asked, 1, late).is_some());
        let over = asked + ms(2000);
        assert_eq!(silences.look_again(&peer(1), asked, 1, over), None);
        // The others are answered; one peer says nothing.
        silences.asks_no_more();
        assert_eq!(silences.look_again(&peer(1), asked, 1, late), None);
    }

    #[test]
    fn behind_a_long_body_an_answer_may_be_late_but_others_are_asked_as_early() {
        let (mut silences, asked) = silences(1);
        let seats = silences.fetching(peer(1));
        let seat = seats.try_acquire().unwrap();
        let at = |by| silences.look_again(&peer(1), asked, 1, asked + by);
        assert!(at(ms(1999)).is_some());
        assert_eq!(at(ms(2000)), None);
        let hedge = silences.look_again(&peer(1), asked, 5, asked);
        assert_eq!(hedge, Some(asked + ms(10)));
        drop(seat);
        let at = silences.look_again(&peer(1), asked, 1, asked + ms(50));
        assert_eq!(at, None);
    }

    #[test]
    fn a_silent_peer_is_suspect_until_it_answers_or_five_seconds_are_over() {
        let (mut silences, now) = silences(0);
        silences.suspect(peer(1), now);
        assert!(silences.is_suspect(&peer(1), now + ms(4999)));
        assert!(!silences.is_suspect(&peer(1), now + SUSPECT));
        assert!(!silences.is_suspect(&peer(2), now));
        silences.heard(peer(1), now);
        assert!(!silences.is_suspect(&peer(1), now));
    }
}
