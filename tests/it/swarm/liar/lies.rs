//! What a liar says, and what it is dropped for.

use std::time::Duration;

use ghswarm::api::page::Link;
use ghswarm::api::{Key, Links};
use ghswarm::seal::NONCE;
use ghswarm::swarm::wire::codec::{encode_answer, encode_question};
use ghswarm::swarm::wire::message::{Answer, Position, Question, Stale};
use ghswarm::swarm::wire::seal::{Sealing, encode_offer};
use ghswarm::swarm::{Audience, Offer, WireKey};
use ghswarm::time::Timestamp;
use minicbor::Encoder;

use super::raw::{Keys, Said};

/// Something that no honest peer does.
pub(super) struct Lie {
    pub(super) name: &'static str,
    /// What the victim's list of peers says then.
    pub(super) reason: &'static str,
    /// How many at once.
    pub(super) at_once: usize,
    /// What is said, the `n`th time; nothing for those who only answer.
    pub(super) says: fn(&Keys, u32) -> Option<Said>,
    /// What is answered to a lookup, if not that the liar is busy.
    pub(super) answers: fn(&Keys) -> Option<Said>,
}

const fn told(
    name: &'static str,
    reason: &'static str,
    says: fn(&Keys, u32) -> Option<Said>,
) -> Lie {
    Lie {
        name,
        reason,
        at_once: 1,
        says,
        answers: |_| None,
    }
}

const fn flood(
    name: &'static str,
    reason: &'static str,
    says: fn(&Keys, u32) -> Option<Said>,
) -> Lie {
    Lie {
        at_once: 150,
        ..told(name, reason, says)
    }
}

const fn answered(
    name: &'static str,
    reason: &'static str,
    answers: fn(&Keys) -> Option<Said>,
) -> Lie {
    Lie {
        name,
        reason,
        at_once: 0,
        says: |_, _| None,
        answers,
    }
}

/// All of them, each told by a liar of its own.
pub(super) const LIES: [Lie; 17] = [
    told("malformed CBOR", "malformed", |_, _| bytes(b"\x82\x01\xff")),
    told("another protocol", "malformed", |_, _| {
        bytes(b"GET / HTTP/1.1\r\n\r\n")
    }),
    told("an oversize frame", "oversize", |_, _| {
        bytes(&[&b"\x82\x08"[..], &[0; 70_000]].concat())
    }),
    Lie {
        // Three at once: nobody tells whoever sends that nobody reads on.
        at_once: 3,
        ..told("an endless stream", "oversize", |_, _| {
            Some(Said::Endless(b"\x82\x05\xa2".to_vec()))
        })
    },
    told("an entry for ever", "wrong-expiry", |keys, _| {
        store(keys, now().plus(Duration::from_hours(30 * 24)))
    }),
    told(
        "an entry under the name of another",
        "bad-seal",
        |keys, _| {
            let Some(Said::Bytes(mut bytes)) = store(keys, now()) else {
                return None;
            };
            bytes[6] ^= 1;
            Some(Said::Bytes(bytes))
        },
    ),
    told("an entry in the clear", "not-sealed", |keys, _| {
        let (name, offer) = (keys.names.name(&entry().key), entry());
        wrapped(
            &name,
            &encode_offer(&offer, &sealing(keys, None, now())).ok()?,
        )
    }),
    told(
        "a hostile link under a good seal",
        "hostile-link",
        |keys, _| {
            let link = Link {
                target: "/x/evil.example/".to_owned(),
                rel: vec!["next".to_owned()],
                parameters: Vec::new(),
            };
            let offer = Offer {
                links: Some(Links::from(vec![link])),
                ..entry()
            };
            forged(keys, &offer, b"/x/evil", b"///evil")
        },
    ),
    told("a bomb under a good seal", "bomb", |keys, _| {
        let offer = Offer {
            body: vec![b' '; 1000].into(),
            ..entry()
        };
        forged(keys, &offer, b"\x04\x19\x03\xe8", b"\x04\x19\x03\xe7")
    }),
    flood("false invalidations", "invalidation-flood", |keys, turn| {
        let position = Position {
            epoch: 1,
            sequence: u64::from(turn),
        };
        let stale = Stale {
            namespace: ghswarm::api::Namespace::Host,
            id: None,
        };
        question(
            keys,
            &Question::Invalidate {
                position,
                stale: vec![stale],
            },
        )
    }),
    flood(
        "thousands of entries to hold",
        "store-flood",
        |keys, turn| {
            let mut key = [7; 32];
            key[..4].copy_from_slice(&turn.to_be_bytes());
            let offer = Offer {
                key: Key::from_bytes(key),
                ..entry()
            };
            let key = keys.names.name(&offer.key);
            question(keys, &Question::Store { key, offer })
        },
    ),
    flood(
        "ten thousand announcements",
        "announcement-flood",
        |keys, turn| (turn < 10_000).then(|| announcement(keys, turn))?,
    ),
    answered("malformed answers", "malformed", |_| bytes(b"\x82\x01\xff")),
    answered("answers to something else", "malformed", |_| {
        bytes(b"\x82\x06\xa0")
    }),
    answered("another entry than was asked for", "bad-seal", |keys| {
        let offer = Offer {
            key: Key::from_bytes([3; 32]),
            ..entry()
        };
        answer(keys, &Answer::Hit(offer))
    }),
    answered("wrong bodies", "refuted-candidates", |keys| {
        answer(keys, &Answer::Hit(entry()))
    }),
    answered("endless answers", "oversize", |_| {
        Some(Said::Endless(b"\x82\x01\xa1".to_vec()))
    }),
];

fn now() -> Timestamp {
    ghswarm::clock::Clock::system().now()
}

#[expect(clippy::unnecessary_wraps, reason = "what a lie says")]
fn bytes(bytes: &[u8]) -> Option<Said> {
    Some(Said::Bytes(bytes.to_vec()))
}

/// What the stories ask for: an entry that GitHub never made.
pub(in super::super) fn entry() -> Offer {
    Offer {
        key: Key::from_bytes([1; 32]),
        body: b"{\"forged\":true}".to_vec().into(),
        content_type: Some("application/json".to_owned()),
        api_version: None,
        links: None,
        vary: None,
        audience: Audience::Public,
        age: Duration::ZERO,
        origin_lifetime: Duration::from_mins(1),
        kinds: 1,
    }
}

fn sealing<'a>(
    keys: &'a Keys,
    secret: Option<&'a ghswarm::swarm::PoolSecret>,
    now: Timestamp,
) -> Sealing<'a> {
    Sealing {
        names: &keys.names,
        pool: &keys.pool,
        secret,
        nonce: [5; NONCE],
        now,
        body_limit: 10 << 20,
    }
}

fn question(keys: &Keys, question: &Question) -> Option<Said> {
    let sealing = sealing(keys, Some(&keys.secret), now());
    encode_question(question, &sealing).ok().map(Said::Bytes)
}

fn answer(keys: &Keys, answer: &Answer) -> Option<Said> {
    let sealing = sealing(keys, Some(&keys.secret), now());
    encode_answer(answer, &sealing).ok().map(Said::Bytes)
}

/// An entry to hold, sealed at this time.
fn store(keys: &Keys, at: Timestamp) -> Option<Said> {
    let offer = entry();
    let key = keys.names.name(&offer.key);
    let sealing = sealing(keys, Some(&keys.secret), at);
    let question = Question::Store { key, offer };
    encode_question(&question, &sealing).ok().map(Said::Bytes)
}

/// An entry to hold that was sealed two hours ago: what somebody kept and sends again.
pub(super) fn expired(keys: &Keys) -> Said {
    store(keys, now().minus(Duration::from_hours(2))).expect("a message")
}

/// "I hold this", to everybody, under the pool's seal.
fn announcement(keys: &Keys, turn: u32) -> Option<Said> {
    let expires = now().plus(Duration::from_mins(10)).as_secs();
    let mut message = Vec::new();
    let mut encoder = Encoder::new(&mut message);
    encoder.map(3).ok()?.u8(1).ok()?.u64(expires).ok()?;
    encoder.u8(2).ok()?.u8(1).ok()?;
    let digest = ghswarm::digest::Digest::of([&turn.to_be_bytes()[..]]);
    encoder.u8(3).ok()?.array(2).ok()?;
    encoder
        .bytes(digest.as_bytes())
        .ok()?
        .bytes(digest.as_bytes())
        .ok()?;
    let mut nonce = [8; NONCE];
    nonce[..4].copy_from_slice(&turn.to_be_bytes());
    let bound = [&b"ghswarm/1/gossip\0"[..], keys.pool.as_bytes()].concat();
    keys.secret
        .entries()
        .seal(&nonce, &bound, &mut message)
        .ok()?;
    message.extend_from_slice(&nonce);
    Some(Said::ToEverybody(message))
}

/// An entry to hold, around what is in it.
fn wrapped(key: &WireKey, inner: &[u8]) -> Option<Said> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    encoder.array(2).ok()?.u8(5).ok()?.map(2).ok()?;
    encoder.u8(1).ok()?.bytes(&key.0).ok()?;
    encoder.u8(2).ok()?.bytes(inner).ok()?;
    Some(Said::Bytes(bytes))
}

/// `offer` with `from` made `to` where nobody honest would, and sealed like an honest one.
fn forged(keys: &Keys, offer: &Offer, from: &[u8], to: &[u8]) -> Option<Said> {
    let plain = encode_offer(offer, &sealing(keys, None, now())).ok()?;
    // In the clear it is a map of one field, a byte string.
    let mut decoder = minicbor::Decoder::new(&plain);
    decoder.map().ok()?;
    decoder.u8().ok()?;
    let mut inner = decoder.bytes().ok()?.to_vec();
    let at = inner
        .windows(from.len())
        .position(|window| window == from)?;
    inner[at..at + to.len()].copy_from_slice(to);
    let key = keys.names.name(&offer.key);
    let expires = now().plus(Duration::from_mins(5)).as_secs();
    let bound = [
        &b"ghswarm/1/offer\0"[..],
        keys.pool.as_bytes(),
        &key.0,
        &expires.to_be_bytes(),
    ];
    let nonce = [6; NONCE];
    let sealer = keys.secret.entries();
    sealer.seal(&nonce, &bound.concat(), &mut inner).ok()?;
    let mut outer = Vec::new();
    let mut encoder = Encoder::new(&mut outer);
    encoder.map(3).ok()?.u8(2).ok()?.bytes(&nonce).ok()?;
    encoder.u8(3).ok()?.u64(expires).ok()?;
    encoder.u8(4).ok()?.bytes(&inner).ok()?;
    wrapped(&key, &outer)
}
