use bytes::Bytes;
use libp2p::PeerId;
use proptest::prelude::*;

use super::judge::{Author, Verdict, judge};
use super::message::{ANNOUNCED_MAX, HOT_MAX, Word, coverage, decode, encode};
use crate::api::{Key, Namespace};
use crate::digest::Digest;
use crate::seal::{Cost, SharedSecret};
use crate::swarm::conduct::Offence;
use crate::swarm::pool::{Names, Pool, PoolSecret, WireKey};
use crate::swarm::wire::Malformed;
use crate::swarm::wire::message::{Position, Stale};
use crate::swarm::wire::offer::{Audience, Offer};
use crate::swarm::wire::seal::{Opening, Sealing};
use crate::time::Timestamp;

use std::sync::OnceLock;
use std::time::Duration;

struct Place {
    names: Names,
    tag: Digest,
    secret: Option<PoolSecret>,
    now: Timestamp,
}

fn secret() -> PoolSecret {
    static SECRET: OnceLock<PoolSecret> = OnceLock::new();
    let made = SECRET.get_or_init(|| {
        let secret = SharedSecret::new(b"what all members know").expect("long enough");
        PoolSecret::derive(&secret, &pool(), Cost::MIN)
    });
    made.clone()
}

fn pool() -> Pool {
    Pool::new("octo-org/app").expect("a name")
}

impl Place {
    fn new(secret: Option<PoolSecret>) -> Self {
        Self {
            names: Names::of(&pool(), secret.as_ref()),
            tag: pool().tag(),
            secret,
            now: Timestamp::from_secs(1_700_000_000),
        }
    }

    fn later(self, duration: Duration) -> Self {
        Self {
            now: self.now.plus(duration),
            ..self
        }
    }

    fn sealing(&self) -> Sealing<'_> {
        Sealing {
            names: &self.names,
            pool: &self.tag,
            secret: self.secret.as_ref(),
            nonce: [7; 12],
            now: self.now,
            body_limit: 1 << 20,
        }
    }

    fn opening(&self) -> Opening<'_> {
        Opening {
            names: &self.names,
            pool: &self.tag,
            secret: self.secret.as_ref(),
            now: self.now,
            body_limit: 1 << 20,
        }
    }

    fn hot(&self, audience: Audience, length: usize) -> Word {
        let offer = offer(audience, length);
        Word::Hot(self.names.name(&offer.key), Box::new(offer))
    }
}

fn offer(audience: Audience, length: usize) -> Offer {
    // Nothing that lz4 could make shorter.
    let mut seed = Digest::of([b"seed" as &[u8]]);
    let mut body = Vec::with_capacity(length + 32);
    while body.len() < length {
        body.extend_from_slice(seed.as_bytes());
        seed = Digest::of([&seed.as_bytes()[..]]);
    }
    body.truncate(length);
    Offer {
        key: Key::from_bytes([5; 32]),
        body: Bytes::from(body),
        content_type: Some("application/json; charset=utf-8".to_owned()),
        api_version: None,
        links: None,
        vary: None,
        audience,
        age: Duration::from_secs(1),
        origin_lifetime: Duration::from_secs(60),
        kinds: 1,
    }
}

fn wrote() -> Word {
    Word::Wrote {
        position: Position {
            epoch: u64::MAX,
            sequence: 9,
        },
        stale: vec![Stale {
            namespace: Namespace::Repo("octo-org/app".into()),
            id: Some(4),
        }],
    }
}

fn budget(remaining: u32) -> Word {
    Word::Budget {
        name: [3; 16],
        remaining,
        limit: 5_000,
        reset_in: Duration::from_secs(3_599),
    }
}

fn announced(count: usize) -> Word {
    let one = |number: usize| {
        let digest = Digest::of([&number.to_be_bytes()[..]]);
        (WireKey(*digest.as_bytes()), digest)
    };
    Word::Announced((0..count).map(one).collect())
}

fn words(place: &Place) -> Vec<Word> {
    vec![
        announced(1),
        announced(ANNOUNCED_MAX),
        wrote(),
        budget(5_000),
        place.hot(Audience::Public, 4_096),
    ]
}

#[test]
fn every_message_comes_as_it_went() {
    for place in [Place::new(None), Place::new(Some(secret()))] {
        for word in words(&place) {
            let bytes = encode(&word, &place.sealing()).expect("it can be said");
            assert_eq!(decode(&bytes, &place.opening()), Ok(word));
        }
    }
}

#[test]
fn without_the_secret_nothing_can_be_read_or_made() {
    let (with, without) = (Place::new(Some(secret())), Place::new(None));
    for word in words(&with) {
        let sealed = encode(&word, &with.sealing()).expect("it can be said");
        assert!(decode(&sealed, &without.opening()).is_err());
        // Neither in the clear nor with a bit changed.
        let plain = encode(&word, &without.sealing()).expect("it can be said");
        assert!(decode(&plain, &with.opening()).is_err());
        let mut changed = sealed.clone();
        changed[3] ^= 1;
        assert_eq!(decode(&changed, &with.opening()), Err(Malformed::NotOurs));
    }
}

#[test]
fn a_message_runs_out() {
    let (place, minute) = (Place::new(None), Duration::from_mins(1));
    let bytes = encode(&wrote(), &place.sealing()).expect("it can be said");
    let later = Place::new(None).later(11 * minute);
    assert_eq!(decode(&bytes, &later.opening()), Err(Malformed::Expired));
    // Of somebody whose clock is far ahead.
    let bytes = encode(&wrote(), &later.later(10 * minute).sealing()).expect("it can be said");
    assert_eq!(decode(&bytes, &place.opening()), Err(Malformed::Expiry));
}

#[test]
fn what_is_too_much_is_not_taken() {
    let place = Place::new(None);
    let long = place.hot(Audience::Public, HOT_MAX + 1);
    assert_eq!(encode(&long, &place.sealing()), Err(Malformed::TooLong));
    let bytes = encode(&announced(ANNOUNCED_MAX + 1), &place.sealing()).expect("written");
    assert_eq!(decode(&bytes, &place.opening()), Err(Malformed::TooLong));
    let bytes = encode(&budget(5_001), &place.sealing()).expect("written");
    assert_eq!(decode(&bytes, &place.opening()), Err(Malformed::OutOfRange));
}

#[test]
fn a_message_that_ends_early_is_none() {
    for place in [Place::new(None), Place::new(Some(secret()))] {
        for word in words(&place) {
            let bytes = encode(&word, &place.sealing()).expect("it can be said");
            for end in 0..bytes.len().min(300) {
                assert!(decode(&bytes[..end], &place.opening()).is_err(), "{end}");
            }
            let longer = [&bytes[..], b"\0"].concat();
            assert!(decode(&longer, &place.opening()).is_err());
        }
    }
}

#[test]
fn only_members_are_listened_to() {
    let place = Place::new(Some(secret()));
    let bytes = encode(&wrote(), &place.sealing()).expect("it can be said");
    let all = coverage(true);
    let member = Author::Member(PeerId::random());
    let verdict = |author, bytes: &[u8]| judge(author, bytes, all, &place.opening());
    assert_eq!(verdict(member, &bytes), Verdict::Accept(wrote()));
    assert_eq!(verdict(Author::Us, &bytes), Verdict::Ignore("gossip-own"));
    assert_eq!(
        verdict(Author::Stranger, &bytes),
        Verdict::Ignore("gossip-stranger")
    );
    assert_eq!(
        verdict(member, b"in the clear, and as long as a nonce and a tag"),
        Verdict::Reject(Offence::BadSeal)
    );
}

#[test]
fn what_only_some_may_read_is_not_for_everybody() {
    let place = Place::new(None);
    let word = place.hot(Audience::Repository, 100);
    let bytes = encode(&word, &place.sealing()).expect("it can be said");
    let member = Author::Member(PeerId::random());
    assert_eq!(
        judge(member, &bytes, coverage(false), &place.opening()),
        Verdict::Reject(Offence::WrongAudience)
    );
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let place = Place::new(None);
        let _ = decode(&bytes, &place.opening());
    }
}
