//! When stores are asked, and which of them may be asked at all: decisions over times, nothing else.

use std::time::Duration;

use libp2p::PeerId;

use crate::digest::Digest;
use crate::registry::actions_cache::{Access, Failed};
use crate::time::Timestamp;

/// When we look while we are alone, after the start: what was put there a moment ago may be found only seconds
/// later, and jobs that start together all find nothing at first.
const FIRST_LOOKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(15),
    Duration::from_secs(45),
    Duration::from_mins(2),
];
/// How often we look later on, alone or not: two parts of a fleet may not know of each other.
const LOOKS: Duration = Duration::from_mins(5);
/// In so many of the first looks the list of keys is asked, too: GitHub counts it.
const LISTS: usize = 2;
/// The shortest time between two registrations: the cache takes 200 new entries of a repository in a minute.
const REGISTERS: Duration = Duration::from_mins(1);
/// So many jobs of a matrix may register at once; of more, so many do.
const FEW: u32 = 24;
/// Within this time those of a larger matrix register.
const SPREAD: Duration = Duration::from_secs(30);
/// How often it may happen in a row that a store gives no answer that makes sense.
const TRIES: u32 = 3;

/// What was done, and what is to be done when.
#[derive(Debug)]
pub(super) struct Plan {
    began: Timestamp,
    looks: usize,
    looked: Timestamp,
    tried: Option<Timestamp>,
    /// When the record that is in the store was made.
    pub(super) registered: Option<Timestamp>,
}

impl Plan {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            began: now,
            looks: 0,
            looked: now,
            tried: None,
            registered: None,
        }
    }

    /// When we look next.
    pub(super) fn looks_at(&self, alone: bool) -> Timestamp {
        match FIRST_LOOKS.get(self.looks) {
            Some(after) if alone || self.looks == 0 => self.began.plus(*after),
            _ => self.looked.plus(LOOKS),
        }
    }

    pub(super) fn looked(&mut self, now: Timestamp) {
        self.looks += 1;
        self.looked = now;
    }

    pub(super) fn tried(&mut self, now: Timestamp) {
        self.tried = Some(now);
    }

    /// Whether our record, which was made at `issued`, is to be put there now.
    pub(super) fn registers(&self, issued: Timestamp, wait: Duration, now: Timestamp) -> bool {
        self.registered != Some(issued) && now >= self.began.plus(wait) && now >= self.may_try()
    }

    fn may_try(&self) -> Timestamp {
        // A clock that was put back must not make it wait for longer than ever.
        self.tried.map_or(self.began, |tried| tried.plus(REGISTERS))
    }

    /// Whether a look may cost a call of the repository's budget.
    pub(super) fn lists(&self, alone: bool) -> bool {
        alone && self.looks <= LISTS
    }

    /// When there may be something to do: to look, or to register what has changed.
    pub(super) fn wakes_at(&self, alone: bool, now: Timestamp) -> Timestamp {
        self.looks_at(alone).min(now.plus(REGISTERS))
    }
}

/// Whether a store may be asked.
#[derive(Debug)]
pub(super) struct Standing {
    reads: Result<(), Failed>,
    writes: Result<(), Failed>,
    /// Not before.
    silent_until: Timestamp,
    /// Not after.
    end: Option<Timestamp>,
    /// Failures in a row that make no sense.
    senseless: u32,
}

impl Standing {
    /// That of a token that may do this until `end`.
    pub(super) const fn of(access: Access, end: Option<Timestamp>) -> Self {
        let (read, write) = match access {
            Access::Unknown => (true, true),
            Access::Scopes { read, write } => (read, write),
        };
        Self {
            reads: if read {
                Ok(())
            } else {
                Err(Failed::ReadDenied)
            },
            writes: if write {
                Ok(())
            } else {
                Err(Failed::WriteDenied)
            },
            silent_until: Timestamp::EPOCH,
            end,
            senseless: 0,
        }
    }

    /// Why it may not be read at `now`.
    pub(super) fn may_read(&self, now: Timestamp) -> Result<(), Failed> {
        self.is_open(now).and(self.reads)
    }

    /// Why it may not be written at `now`.
    pub(super) fn may_write(&self, now: Timestamp) -> Result<(), Failed> {
        self.is_open(now).and(self.writes)
    }

    fn is_open(&self, now: Timestamp) -> Result<(), Failed> {
        if self.end.is_some_and(|end| end <= now) {
            return Err(Failed::Expired);
        }
        if now < self.silent_until {
            return Err(Failed::RateLimited(self.silent_until.since(now)));
        }
        Ok(())
    }

    /// Never again, because of this.
    pub(super) const fn close(&mut self, why: Failed) {
        (self.reads, self.writes) = (Err(why), Err(why));
    }

    pub(super) const fn worked(&mut self) {
        self.senseless = 0;
    }

    pub(super) fn failed(&mut self, failed: Failed, now: Timestamp) {
        match failed {
            Failed::Expired => self.close(failed),
            Failed::ReadDenied => self.reads = Err(failed),
            Failed::WriteDenied | Failed::Full => self.writes = Err(failed),
            Failed::RateLimited(after) => self.silent_until = now.plus(after),
            // Another service than we think, or another version of it: nothing will come of it.
            Failed::Refused(_) | Failed::Nonsense | Failed::TooLarge => {
                self.senseless += 1;
                if self.senseless >= TRIES {
                    self.close(failed);
                }
            }
            Failed::Taken
            | Failed::NotFound
            | Failed::Unavailable(_)
            | Failed::Blob(_)
            | Failed::Slow
            | Failed::Unreachable
            | Failed::NotARecord => {}
        }
    }
}

/// The part of one job in a matrix whose jobs all start together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix {
    jobs: u32,
    /// A number of this job alone.
    lot: u64,
}

impl Matrix {
    /// The part of the job whose daemon is `peer`: its id is as good as a random number.
    pub(super) fn new(jobs: u32, peer: &PeerId) -> Self {
        let digest = Digest::of([&peer.to_bytes()[..]]);
        let mut lot = [0; 8];
        lot.copy_from_slice(&digest.as_bytes()[..8]);
        Self {
            jobs,
            lot: u64::from_be_bytes(lot),
        }
    }

    /// Whether it registers: all of a few, about 24 of many. Those who do not are told of by whom they find.
    pub(super) fn registers(self) -> bool {
        u128::from(self.lot >> 32) * u128::from(self.jobs) < u128::from(FEW) << 32
    }

    /// How long after the start.
    pub(super) fn wait(self) -> Duration {
        if self.jobs <= FEW {
            return Duration::ZERO;
        }
        SPREAD.mul_f64(f64::from(low(self.lot)) / f64::from(u32::MAX))
    }
}

/// Its last 32 bits.
const fn low(lot: u64) -> u32 {
    let [.., a, b, c, d] = lot.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::swarm::Identity;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn whoever_is_alone_looks_four_times_and_everybody_every_five_minutes() {
        let mut plan = Plan::new(NOW);
        for at in [0, 15, 45, 120, 420, 720] {
            assert_eq!(plan.looks_at(true), after(at));
            plan.looked(after(at));
        }
        let mut plan = Plan::new(NOW);
        assert_eq!(plan.looks_at(false), NOW, "the first look is everybody's");
        plan.looked(NOW);
        assert_eq!(plan.looks_at(false), after(300));
    }

    #[test]
    fn a_record_is_registered_once_and_a_new_one_a_minute_later_at_the_earliest() {
        let mut plan = Plan::new(NOW);
        let now =
            |plan: &Plan, issued, at| plan.registers(after(issued), Duration::ZERO, after(at));
        assert!(now(&plan, 0, 0));
        plan.tried(NOW);
        plan.registered = Some(NOW);
        assert!(!now(&plan, 0, 3600) && !now(&plan, 5, 59) && now(&plan, 5, 60));
        plan.looked(NOW);
        assert_eq!(plan.wakes_at(false, after(7)), after(67));
    }

    #[test]
    fn what_the_token_allows_is_known_before_anybody_is_asked() {
        let scopes = |read, write| Standing::of(Access::Scopes { read, write }, Some(after(60)));
        let reader = scopes(true, false);
        assert_eq!(reader.may_read(NOW), Ok(()));
        assert_eq!(reader.may_write(NOW), Err(Failed::WriteDenied));
        assert_eq!(reader.may_read(after(60)), Err(Failed::Expired));
        assert_eq!(scopes(false, false).may_read(NOW), Err(Failed::ReadDenied));
        let unknown = Standing::of(Access::Unknown, None);
        assert_eq!(unknown.may_read(NOW).and(unknown.may_write(NOW)), Ok(()));
    }

    #[test]
    fn a_limit_is_waited_for_and_a_denial_is_for_good() {
        let mut standing = Standing::of(Access::Unknown, None);
        let minute = Failed::RateLimited(Duration::from_mins(1));
        standing.failed(minute, NOW);
        assert_eq!(standing.may_read(NOW), Err(minute));
        assert_eq!(standing.may_write(after(60)), Ok(()));
        standing.failed(Failed::WriteDenied, NOW);
        assert_eq!(standing.may_write(after(60)), Err(Failed::WriteDenied));
        for _ in 0..100 {
            standing.failed(Failed::Unreachable, NOW);
        }
        assert_eq!(standing.may_read(after(60)), Ok(()), "it may come back");
        for _ in 1..TRIES {
            standing.failed(Failed::Nonsense, NOW);
        }
        standing.worked();
        standing.failed(Failed::Nonsense, NOW);
        assert_eq!(standing.may_read(after(60)), Ok(()));
        for _ in 1..TRIES {
            standing.failed(Failed::Nonsense, NOW);
        }
        assert_eq!(standing.may_read(after(60)), Err(Failed::Nonsense));
        let mut standing = Standing::of(Access::Unknown, None);
        standing.failed(Failed::Expired, NOW);
        assert_eq!(standing.may_read(NOW), Err(Failed::Expired));
        assert_eq!(standing.may_write(NOW), Err(Failed::Expired));
    }

    #[test]
    fn of_many_jobs_about_24_register_and_not_all_at_once() {
        let peer = |seed: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&seed.to_be_bytes());
            let identity = Identity::from_seed(&Zeroizing::new(bytes)).unwrap();
            identity.peer_id()
        };
        let many: Vec<_> = (0..256).map(|seed| Matrix::new(256, &peer(seed))).collect();
        let some = many.iter().filter(|one| one.registers()).count();
        assert!((10..=45).contains(&some), "{some}");
        assert!(many.iter().all(|one| one.wait() <= SPREAD));
        assert!(many.iter().any(|one| one.wait() > SPREAD / 2));
        let few = Matrix::new(FEW, &peer(1));
        assert!(few.registers() && few.wait() == Duration::ZERO);
        assert!(Matrix::new(0, &peer(1)).registers());
    }
}
