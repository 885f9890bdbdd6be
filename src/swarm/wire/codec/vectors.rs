//! Messages that another program wrote, most of them such as no honest peer sends.

use std::sync::LazyLock;

use serde::Deserialize;

use super::*;
use crate::api::Key;
use crate::digest::Digest;
use crate::seal::{Cost, SharedSecret};
use crate::swarm::wire::message::{Answer, Position, Question};
use crate::swarm::wire::offer::BODY_MAX;
use crate::swarm::wire::seal::Opening;
use crate::swarm::{Names, Pool, PoolSecret, WireKey};
use crate::time::Timestamp;

#[derive(Deserialize)]
struct File {
    pool: String,
    secret: String,
    cost: u32,
    now: u64,
    key: String,
    body: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    /// `question`, or `answer to` one.
    says: String,
    /// Read by a peer that was admitted by the secret.
    #[serde(default)]
    sealed: bool,
    /// `ok`, or why it is not taken.
    result: String,
    bytes: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Part {
    Hex(String),
    Repeated { repeat: String, times: usize },
}

static FILE: LazyLock<File> = LazyLock::new(|| {
    let file = include_str!("../../../../tests/data/wire/messages.json");
    serde_json::from_str(file).unwrap()
});

/// Whoever reads the vectors.
struct Side {
    pool: Digest,
    secret: Option<PoolSecret>,
    names: Names,
}

/// Without the secret, and with it.
static SIDES: LazyLock<[Side; 2]> = LazyLock::new(|| {
    let pool = Pool::new(&FILE.pool).unwrap();
    let secret = SharedSecret::new(FILE.secret.as_bytes()).unwrap();
    let secret = PoolSecret::derive(&secret, &pool, Cost::new(FILE.cost).unwrap());
    [None, Some(secret)].map(|secret| Side {
        pool: pool.tag(),
        names: Names::of(&pool, secret.as_ref()),
        secret,
    })
});

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    let pairs = pairs.map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn key() -> Key {
    Key::from_bytes(hex(&FILE.key).try_into().unwrap())
}

#[derive(Debug, PartialEq)]
enum Read {
    Question(Question),
    Answer(Answer),
}

impl Vector {
    fn bytes(&self) -> Vec<u8> {
        let parts = self.bytes.iter().map(|part| match part {
            Part::Hex(text) => hex(text),
            Part::Repeated { repeat, times } => hex(repeat).repeat(*times),
        });
        parts.collect::<Vec<_>>().concat()
    }

    fn side(&self) -> &'static Side {
        &SIDES[usize::from(self.sealed)]
    }

    fn read(&self, bytes: &[u8]) -> Result<Read, Malformed> {
        let side = self.side();
        let opening = Opening {
            names: &side.names,
            pool: &side.pool,
            secret: side.secret.as_ref(),
            now: Timestamp::from_secs(FILE.now),
            body_limit: BODY_MAX,
        };
        let position = Position {
            epoch: 1,
            sequence: 1,
        };
        let asked = match self.says.strip_prefix("answer to ") {
            None => return decode_question(bytes, &opening).map(Read::Question),
            Some("lookup") => Question::Lookup {
                key: side.names.name(&key()),
                held: None,
                lease: true,
            },
            Some("fetch") => Question::Fetch {
                key: side.names.name(&key()),
                held: None,
            },
            Some("invalidate") => Question::Invalidate {
                position,
                stale: Vec::new(),
            },
            Some("greet") => Question::Greet {
                position,
                heard: None,
            },
            Some("pulse") => Question::Pulse { position },
            Some("peers") => Question::Peers { own: None },
            Some(other) => panic!("{other}"),
        };
        decode_answer(bytes, &asked, &opening).map(Read::Answer)
    }
}

#[test]
fn every_vector_is_taken_or_refused_for_its_reason() {
    for vector in &FILE.vectors {
        let bytes = vector.bytes();
        let read = vector.read(&bytes);
        let result = read.as_ref().err().map_or("ok", |why| why.name());
        assert_eq!(result, vector.result, "{} ({})", vector.name, vector.says);
        // A frame is read as far as its first two bytes allow, so what is taken must fit.
        if result == "ok" {
            let limit = match vector.says.as_str() {
                "question" => question_limit([bytes[0], bytes[1]], BODY_MAX),
                _ => answer_limit([bytes[0], bytes[1]], BODY_MAX),
            };
            assert!(bytes.len() <= limit, "{}", vector.name);
        }
    }
    let refused = FILE.vectors.iter().filter(|vector| vector.result != "ok");
    assert!(refused.count() >= 100);
}

#[test]
fn what_another_program_wrote_means_what_it_meant() {
    let find = |name: &str| {
        let vector = FILE.vectors.iter().find(|vector| vector.name == name);
        let vector = vector.unwrap();
        (vector.side(), vector.read(&vector.bytes()).unwrap())
    };
    for name in ["store in the clear", "store sealed"] {
        let (side, read) = find(name);
        let Read::Question(Question::Store { key: name, offer }) = read else {
            panic!("{read:?}");
        };
        assert_eq!(name, side.names.name(&key()));
        assert_eq!((offer.key, &*offer.body), (key(), FILE.body.as_bytes()));
        let links = offer.links.unwrap();
        let pages = ["next", "last"].map(|rel| links.target_of(rel).unwrap().to_owned());
        assert_eq!(
            pages,
            [2, 9].map(|page| format!("/repositories/1/issues?page={page}"))
        );
        assert_eq!(offer.age.as_millis(), 1500);
        assert_eq!(offer.origin_lifetime.as_secs(), 60);
        let vary = offer.vary.unwrap();
        assert!(vary.accept && vary.authorization && !vary.cookie);
    }
    let (side, lookup) = find("lookup");
    let expected = Question::Lookup {
        key: WireKey(side.names.name(&key()).0),
        held: Some(Digest::of([FILE.body.as_bytes()])),
        lease: true,
    };
    assert_eq!(lookup, Read::Question(expected));
    let (_, packed) = find("a packed body");
    let Read::Question(Question::Store { offer, .. }) = packed else {
        panic!("{packed:?}");
    };
    assert_eq!(offer.body, vec![b' '; 1000]);
}

#[test]
fn what_breaks_off_anywhere_is_refused() {
    for vector in FILE.vectors.iter().filter(|vector| vector.result == "ok") {
        let bytes = vector.bytes();
        // Each byte of the short ones; of the long ones those around the first and last kilobyte.
        let cuts = (0..bytes.len()).filter(|cut| *cut < 1024 || bytes.len() - cut < 1024);
        for cut in cuts {
            let read = vector.read(&bytes[..cut]);
            assert!(read.is_err(), "{} cut after {cut} bytes", vector.name);
        }
    }
}

#[test]
fn no_flipped_bit_of_a_seal_opens() {
    let sealed = FILE
        .vectors
        .iter()
        .find(|vector| vector.name == "store sealed");
    let (vector, bytes) = (sealed.unwrap(), sealed.unwrap().bytes());
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let read = vector.read(&bytes);
        assert!(read.is_err(), "bit {bit}: {read:?}");
    }
}
