//! What GitHub says of a peer's candidates.

use std::time::Duration;

/// A candidate younger than this when GitHub judged it should have been right.
///
/// Things change, and polled things change often: of what is five seconds old half may be honestly outdated, of
/// what is one second old a quarter at worst. A liar can call everything older; then its lies cost what having no
/// candidate costs, and nothing else.
const FRESH: Duration = Duration::from_secs(1);
/// How many judgements count.
const WINDOW: u32 = 16;
/// So many refuted among them are not chance: the simulation below finds no honest peer with them in days of
/// polling, and many with half of the window.
const REFUTED_MAX: u32 = 14;

/// The last judgements that say something of the peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates {
    /// A bit for each, the latest lowest; set for what was refuted.
    refuted: u16,
    /// Waits for a lease's holder that ended in nothing, in a row.
    in_vain: u8,
}

impl Candidates {
    pub(super) const fn new() -> Self {
        Self {
            refuted: 0,
            in_vain: 0,
        }
    }

    /// Notes what GitHub said of a candidate of this age. Whether the peer lies.
    pub(super) const fn judged(&mut self, age: Duration, confirmed: bool) -> bool {
        if confirmed {
            self.refuted <<= 1;
        } else if age.as_nanos() < FRESH.as_nanos() {
            self.refuted = self.refuted << 1 | 1;
        }
        self.refuted.count_ones() >= REFUTED_MAX
    }

    /// Notes how a wait for a lease's holder ended. Whether the peer is suspect: two in a row came to nothing.
    pub(super) const fn waited(&mut self, came: bool) -> bool {
        self.in_vain = if came {
            0
        } else {
            self.in_vain.saturating_add(1)
        };
        self.in_vain >= 2
    }
}

const _: () = assert!(WINDOW == u16::BITS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_young_lies_are_enough_even_with_some_truth_between() {
        let young = Duration::from_millis(100);
        let after = |lies: &dyn Fn(u32) -> bool| {
            let mut candidates = Candidates::new();
            (1..=1000).find(|turn| candidates.judged(young, !lies(*turn)))
        };
        assert_eq!(after(&|_| true), Some(14));
        assert_eq!(after(&|turn| turn % 10 != 0), Some(15));
        assert_eq!(after(&|turn| turn % 2 == 0), None);
    }

    #[test]
    fn what_was_called_old_may_be_outdated() {
        let mut candidates = Candidates::new();
        assert!(!(0..1000).any(|_| candidates.judged(FRESH, false)));
    }

    #[test]
    fn two_waits_in_vain_in_a_row_make_a_peer_suspect() {
        let mut candidates = Candidates::new();
        let waits = [false, true, false, false, false, true, false];
        let suspect = waits.map(|came| candidates.waited(came));
        assert_eq!(suspect, [false, false, false, true, true, false, false]);
    }

    /// A generator that needs no crate: xorshift64* (Vigna, 2016).
    struct Chance(u64);

    impl Chance {
        /// Between 0 and 1.
        fn share(&mut self) -> f64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40;
            f64::from(u32::try_from(bits).unwrap()) / f64::from(1 << 24)
        }

        /// The next time in a process without memory.
        fn pause(&mut self, mean: f64) -> f64 {
            -mean * (1.0 - self.share()).ln()
        }
    }

    /// Two honest peers poll the same thing every `period` seconds, not in step. Each poll of ours finds what the
    /// other's last poll found, and GitHub, `away` seconds away, says whether it is still so. The thing changes
    /// by itself, `change` seconds after the last time on average. Whether the honest peer is dropped within a
    /// day.
    fn honest_peer_is_dropped(period: f64, change: f64, away: f64, random: &mut Chance) -> bool {
        let mut candidates = Candidates::new();
        let mut next_change = random.pause(change);
        let mut now = 0.0;
        while now < 86_400.0 {
            // The other's poll was some time within the last period, ours is now.
            now += period;
            let age = random.share() * period;
            let asked = now - age;
            while next_change <= asked {
                next_change += random.pause(change);
            }
            let confirmed = next_change > now + away;
            let age = Duration::from_secs_f64(age + away);
            if candidates.judged(age, confirmed) {
                return true;
            }
        }
        false
    }

    #[test]
    fn an_honest_peer_is_not_dropped_because_things_change() {
        let mut random = Chance(0x9e37_79b9_7f4a_7c15);
        // A job's steps, a queue, a busy list of runs: what is polled once a second to twice a minute, and
        // changes every few seconds.
        for period in [1.0, 2.0, 5.0, 10.0, 30.0] {
            for change in [3.0, 5.0, 10.0, 60.0, 600.0] {
                for away in [0.05, 0.3] {
                    let dropped = honest_peer_is_dropped(period, change, away, &mut random);
                    assert!(
                        !dropped,
                        "polled every {period} s, changes every {change} s"
                    );
                }
            }
        }
    }
}
