//! What each side answers to what it hears, as `tests/data/admission/vectors.py` computed it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::admission::{Dialer, Frame, Listener, Method, Reason, Step, Terms};
use ghswarm::swarm::{Coverage, Identity, PeerId, Pool, PoolSecret, Ticket};
use ghswarm::time::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct Case {
    name: String,
    role: String,
    pool: String,
    secret: Option<String>,
    cost: u32,
    tickets: bool,
    share_private: bool,
    now: u64,
    us: String,
    peer: String,
    nonce: String,
    ticket: Option<Shown>,
    says: Option<String>,
    steps: Vec<Told>,
}

#[derive(Deserialize)]
struct Shown {
    expires: u64,
    secret: String,
}

#[derive(Deserialize)]
struct Told {
    hears: String,
    comes_to: String,
    says: Option<String>,
}

enum Side {
    Dialer(Dialer),
    Listener(Box<Listener>),
}

impl Side {
    fn step(&mut self, frame: &[u8], now: u64) -> Step {
        match self {
            Self::Dialer(dialer) => dialer.step(frame),
            Self::Listener(listener) => listener.step(frame, Timestamp::from_secs(now)),
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn array(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().unwrap()
}

/// Keys are slow to derive, and the cases share them.
fn secret(case: &Case, pool: &Pool) -> Option<PoolSecret> {
    type Derived = std::sync::Mutex<HashMap<(String, u32), PoolSecret>>;
    static DERIVED: LazyLock<Derived> = LazyLock::new(Derived::default);
    let text = case.secret.clone()?;
    let mut derived = DERIVED.lock().unwrap();
    let key = derived.entry((text.clone(), case.cost)).or_insert_with(|| {
        let secret = SharedSecret::new(text.as_bytes()).unwrap();
        PoolSecret::derive(&secret, pool, Cost::new(case.cost).unwrap())
    });
    Some(key.clone())
}

impl Case {
    fn all() -> Vec<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/admission/vectors.json");
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    /// The side under test, having said what it says first.
    fn begin(&self) -> Side {
        let pool = Pool::new(&self.pool).unwrap();
        let terms = Arc::new(Terms {
            secret: secret(self, &pool),
            pool,
            tickets: self.tickets,
            share_private: self.share_private,
        });
        let us = Identity::from_seed(&Zeroizing::new(array(&self.us))).unwrap();
        let peer = PeerId::from_bytes(&bytes(&self.peer)).unwrap();
        let nonce = array(&self.nonce);
        if self.role == "listener" {
            return Side::Listener(Box::new(Listener::begin(terms, us, &peer, nonce)));
        }
        let ticket = self.ticket.as_ref().map(|shown| Ticket {
            expires: Timestamp::from_secs(shown.expires),
            secret: Zeroizing::new(array(&shown.secret)),
        });
        let (dialer, hello) = Dialer::begin(terms, ticket, &us.peer_id(), &peer, nonce);
        assert_eq!(
            Some(hello),
            self.says.as_deref().map(bytes),
            "{}: hello",
            self.name
        );
        Side::Dialer(dialer)
    }
}

/// A step as the vectors write it, and what is said with it.
fn written(step: Step) -> (String, Option<Vec<u8>>) {
    match step {
        Step::Say(frame) => ("say".into(), Some(frame)),
        Step::Proven { grant, say } => {
            let coverage = match grant.coverage {
                Coverage::Public => "public",
                Coverage::Repository => "repository",
            };
            let method = grant.method.name();
            (format!("proven {method} {coverage}"), Some(say))
        }
        Step::Ready => ("ready".into(), None),
        Step::Refuse(reason) => (format!("refuse {reason}"), None),
        Step::Refused(reason) => (format!("refused {reason}"), None),
    }
}

#[test]
fn every_vector_comes_to_what_it_should() {
    let cases = Case::all();
    let good = cases.iter().filter(|case| {
        case.steps
            .iter()
            .all(|step| !step.comes_to.starts_with("ref"))
    });
    assert!(cases.len() > 120 && good.count() < 20, "most are invalid");
    for case in cases {
        let mut side = case.begin();
        for step in &case.steps {
            let (comes_to, says) = written(side.step(&bytes(&step.hears), case.now));
            let name = &case.name;
            assert_eq!(
                comes_to, step.comes_to,
                "{}: {name}: {}",
                case.role, step.hears
            );
            assert_eq!(says, step.says.as_deref().map(bytes), "{name}: says");
        }
    }
}

#[test]
fn a_frame_cut_anywhere_or_longer_than_it_is_refused() {
    let mut cut = 0;
    for case in Case::all() {
        for (at, step) in case.steps.iter().enumerate() {
            let whole = bytes(&step.hears);
            if step.comes_to.starts_with("refuse ") {
                continue;
            }
            let longer = [&whole[..], &[0]].concat();
            let shorter = (0..whole.len()).map(|end| whole[..end].to_vec());
            for wrong in shorter.chain([longer]) {
                let mut side = case.begin();
                for before in &case.steps[..at] {
                    side.step(&bytes(&before.hears), case.now);
                }
                let comes_to = side.step(&wrong, case.now);
                assert_eq!(comes_to, Step::Refuse(Reason::Malformed), "{}", case.name);
                cut += 1;
            }
        }
    }
    assert!(cut > 2_000, "{cut}");
}

#[test]
fn a_flipped_bit_admits_nobody() {
    for case in Case::all() {
        let proven = |step: &Told| step.comes_to.starts_with("proven");
        let Some(at) = case.steps.iter().position(proven) else {
            continue;
        };
        let proof = bytes(&case.steps[at].hears);
        for bit in 0..proof.len() * 8 {
            let mut flipped = proof.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut side = case.begin();
            for before in &case.steps[..at] {
                side.step(&bytes(&before.hears), case.now);
            }
            let comes_to = side.step(&flipped, case.now);
            assert!(
                matches!(comes_to, Step::Refuse(_) | Step::Refused(_)),
                "{}: bit {bit}: {comes_to:?}",
                case.name
            );
        }
    }
}

#[test]
fn methods_have_numbers_and_bits_of_their_own() {
    for method in [Method::Ticket, Method::Secret] {
        assert_eq!(Method::from_number(method.number().into()), Some(method));
    }
    assert_eq!(Method::Ticket.bit() | Method::Secret.bit(), 3);
    assert!(Frame::Ready.encode().len() < 3);
}
