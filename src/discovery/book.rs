//! Whom we know: the newest record of each peer, bounded.

use std::collections::BTreeMap;

use libp2p::PeerId;

use crate::digest::Digest;
use crate::registry::Signed;
use crate::time::Timestamp;

/// The most peers in the book.
const BOOK_MAX: usize = 200;

/// The address book of one daemon.
#[derive(Debug)]
pub struct Book {
    me: PeerId,
    records: BTreeMap<PeerId, Noted>,
}

/// A record, and which peer told us of it; `None`: a file.
#[derive(Debug)]
struct Noted {
    signed: Signed,
    /// Of its bytes.
    digest: Digest,
    by: Option<PeerId>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// Of a peer that we did not know.
    New,
    /// Of a peer that had said less until now.
    Newer,
    /// We knew as much.
    Known,
    /// It is about us.
    Ourselves,
    /// The book is full of records that hold longer.
    NoRoom,
}

impl Book {
    /// An empty book of the peer `me`.
    pub fn new(me: PeerId) -> Self {
        Self {
            me,
            records: BTreeMap::new(),
        }
    }

    /// Enters a verified record that `by` told us of, or a file. When the book is full, whoever told us of most loses
    /// the one that expires first: records are free to make, and one peer's must not drive out everybody else's.
    pub fn enter(&mut self, signed: Signed, by: Option<PeerId>, now: Timestamp) -> Entered {
        let record = &signed.record;
        if record.peer == self.me {
            return Entered::Ourselves;
        }
        let known = self.records.get(&record.peer);
        let by = known.map_or(by, |known| known.by);
        let entered = match known.map(|known| &known.signed) {
            Some(old) if old.record.issued >= record.issued && old.record.expires > now => {
                return Entered::Known;
            }
            Some(_) => Entered::Newer,
            None => Entered::New,
        };
        if entered == Entered::New && self.records.len() >= BOOK_MAX {
            match self.least(by, record.expires) {
                Some(peer) => self.records.remove(&peer),
                None => return Entered::NoRoom,
            };
        }
        let digest = Digest::of([signed.expose()]);
        let noted = Noted { signed, digest, by };
        self.records.insert(noted.signed.record.peer, noted);
        entered
    }

    /// Who makes room for a record that `by` told us of and that ends at `end`.
    fn least(&self, by: Option<PeerId>, end: Timestamp) -> Option<PeerId> {
        let mut told: BTreeMap<Option<PeerId>, usize> = BTreeMap::from([(by, 0)]);
        for noted in self.records.values() {
            *told.entry(noted.by).or_default() += 1;
        }
        // Among those who told us of as much, whoever tells us now.
        let (most, _) = told
            .iter()
            .max_by_key(|(teller, count)| (**count, **teller == by))?;
        let theirs = self.records.values().filter(|noted| noted.by == *most);
        let first = theirs.min_by_key(|noted| noted.signed.record.expires)?;
        let record = &first.signed.record;
        (*most != by || record.expires < end).then_some(record.peer)
    }

    /// Whose record these very bytes are, if they are here and hold at `now`: then there is nothing to verify. Every member tells
    /// every other of everybody, so nearly all that is told is known.
    pub fn knows(&self, envelope: &[u8], now: Timestamp) -> Option<PeerId> {
        let digest = Digest::of([envelope]);
        let mut records = self.records.iter();
        let known = records.find(|(_, noted)| noted.digest == digest)?;
        (known.1.signed.record.expires > now).then_some(*known.0)
    }

    /// Whether we know of `peer` what holds until `expires` at least.
    pub fn has(&self, peer: &PeerId, expires: Timestamp) -> bool {
        let known = self.records.get(peer);
        known.is_some_and(|noted| noted.signed.record.expires >= expires)
    }

    /// The records that hold at `now`, in the order of their peers.
    pub fn valid(&self, now: Timestamp) -> impl Iterator<Item = &Signed> {
        let holds = move |signed: &&Signed| signed.record.expires > now;
        self.records
            .values()
            .map(|noted| &noted.signed)
            .filter(holds)
    }

    /// Forgets the records that do not hold any more; whether there were any.
    pub fn forget_expired(&mut self, now: Timestamp) -> bool {
        let before = self.records.len();
        self.records
            .retain(|_, noted| noted.signed.record.expires > now);
        self.records.len() < before
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::*;
    use crate::swarm::{Identity, Pool};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn identity(seed: u16) -> Identity {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&seed.to_be_bytes());
        Identity::from_seed(&Zeroizing::new(bytes)).unwrap()
    }

    fn signed(seed: u16, seconds: u64) -> Signed {
        let address = "/ip4/10.0.0.1/tcp/9000".parse().unwrap();
        let pool = Pool::new("a/b").unwrap();
        let at = NOW.plus(Duration::from_secs(seconds));
        Signed::own(&identity(seed), &pool, &[address], at, true).unwrap()
    }

    #[test]
    fn the_newest_record_of_each_peer_is_kept_and_none_of_our_own() {
        let mut book = Book::new(identity(0).peer_id());
        assert_eq!(book.enter(signed(0, 0), None, NOW), Entered::Ourselves);
        assert_eq!(book.enter(signed(1, 5), None, NOW), Entered::New);
        assert_eq!(book.enter(signed(1, 5), None, NOW), Entered::Known);
        assert_eq!(book.enter(signed(1, 4), None, NOW), Entered::Known);
        assert_eq!(book.enter(signed(1, 6), None, NOW), Entered::Newer);
        assert_eq!(book.valid(NOW).count(), 1);
        let later = signed(1, 6).record.expires;
        assert_eq!(book.valid(later).count(), 0);
        assert!(book.forget_expired(later) && !book.forget_expired(later));
    }

    #[test]
    fn the_same_bytes_are_known_until_they_expire_or_newer_ones_come() {
        let mut book = Book::new(identity(0).peer_id());
        let (old, new) = (signed(1, 5), signed(1, 6));
        assert_eq!(book.knows(old.expose(), NOW), None);
        book.enter(old.clone(), None, NOW);
        assert_eq!(book.knows(old.expose(), NOW), Some(old.record.peer));
        assert_eq!(book.knows(old.expose(), old.record.expires), None);
        assert_eq!(book.knows(new.expose(), NOW), None);
        book.enter(new.clone(), None, NOW);
        assert_eq!(book.knows(old.expose(), NOW), None);
        assert_eq!(book.knows(new.expose(), NOW), Some(new.record.peer));
    }

    #[test]
    fn a_full_book_keeps_what_holds_longest() {
        let mut book = Book::new(identity(0).peer_id());
        for seed in 1..=200 {
            assert_eq!(
                book.enter(signed(seed, u64::from(seed)), None, NOW),
                Entered::New
            );
        }
        assert_eq!(book.enter(signed(300, 0), None, NOW), Entered::NoRoom);
        assert_eq!(book.enter(signed(301, 500), None, NOW), Entered::New);
        let has = |seed| {
            let peer = identity(seed).peer_id();
            book.valid(NOW).any(|signed| signed.record.peer == peer)
        };
        assert!(!has(1) && has(2) && has(200) && has(301) && !has(300));
        assert_eq!(book.valid(NOW).count(), BOOK_MAX);
    }

    #[test]
    fn one_peer_cannot_drive_out_whom_others_told_us_of() {
        let mut book = Book::new(identity(0).peer_id());
        let (liar, friend) = (identity(900).peer_id(), identity(901).peer_id());
        for seed in 1..=20 {
            book.enter(signed(seed, 0), Some(friend), NOW);
        }
        // All of the liar's hold longer than any honest one.
        for seed in 100..400 {
            book.enter(signed(seed, 5000), Some(liar), NOW);
        }
        let has = |book: &Book, seed| {
            let peer = identity(seed).peer_id();
            book.valid(NOW).any(|signed| signed.record.peer == peer)
        };
        assert!((1..=20).all(|seed| has(&book, seed)));
        assert_eq!(book.valid(NOW).count(), BOOK_MAX);
        assert_eq!(
            book.enter(signed(21, 0), Some(friend), NOW),
            Entered::New,
            "there is room for honest ones"
        );
        assert!(has(&book, 21) && book.valid(NOW).count() == BOOK_MAX);
    }
}
