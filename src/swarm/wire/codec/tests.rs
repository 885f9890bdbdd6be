//! Whatever can be said comes back as it was said, in the clear and sealed, and nothing shorter is a message.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::api::page::Link;
use crate::api::{Key, Links, Namespace, Vary};
use crate::digest::Digest;
use crate::seal::{Cost, SharedSecret};
use crate::swarm::wire::message::{Answer, Ended, Position, Question, Stale};
use crate::swarm::wire::offer::{Audience, BODY_MAX, Offer};
use crate::swarm::wire::seal::{Opening, Sealing};
use crate::swarm::{Names, Pool, PoolSecret, WireKey};
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

struct Side {
    tag: Digest,
    secret: Option<PoolSecret>,
    names: Names,
}

static SECRET: LazyLock<PoolSecret> = LazyLock::new(|| {
    let secret = SharedSecret::new(b"correct horse battery staple").unwrap();
    PoolSecret::derive(&secret, &Pool::new("o/r").unwrap(), Cost::MIN)
});

impl Side {
    fn new(sealed: bool) -> Self {
        let pool = Pool::new("o/r").unwrap();
        let secret = sealed.then(|| SECRET.clone());
        Self {
            tag: pool.tag(),
            names: Names::of(&pool, secret.as_ref()),
            secret,
        }
    }

    fn sealing(&self) -> Sealing<'_> {
        Sealing {
            names: &self.names,
            pool: &self.tag,
            secret: self.secret.as_ref(),
            nonce: [9; 12],
            now: NOW,
            body_limit: BODY_MAX,
        }
    }

    fn opening(&self) -> Opening<'_> {
        Opening {
            names: &self.names,
            pool: &self.tag,
            secret: self.secret.as_ref(),
            now: NOW,
            body_limit: BODY_MAX,
        }
    }
}

fn keys() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn wire_keys() -> impl Strategy<Value = WireKey> {
    keys().prop_map(WireKey)
}

fn digests() -> impl Strategy<Value = Digest> {
    keys().prop_map(Digest::from)
}

fn positions() -> impl Strategy<Value = Position> {
    any::<(u64, u64)>().prop_map(|(epoch, sequence)| Position { epoch, sequence })
}

fn waits() -> impl Strategy<Value = Duration> {
    (0..=60_000_u64).prop_map(Duration::from_millis)
}

fn stale(max: usize) -> impl Strategy<Value = Vec<Stale>> {
    let namespace = prop_oneof![
        Just(Namespace::Host),
        "[a-z0-9][a-z0-9._-]{0,99}".prop_map(|name| Namespace::Owner(name.into())),
        "[a-z0-9][a-z0-9-]{0,38}/\\.{0,1}[a-z0-9_][a-z0-9._-]{0,90}"
            .prop_map(|name| Namespace::Repo(name.into())),
        any::<u64>().prop_map(Namespace::OwnerId),
        any::<u64>().prop_map(Namespace::RepoId),
    ];
    let one = (namespace, any::<Option<u64>>()).prop_map(|(namespace, id)| Stale { namespace, id });
    prop::collection::vec(one, 0..=max)
}

fn links() -> impl Strategy<Value = Option<Links>> {
    let link = ("/[a-z0-9/]{0,4}[a-z0-9]\\?page=[0-9]{1,4}", 1..16_u8);
    let link = link.prop_filter_map("two slashes", |(target, bits)| {
        let rel = ["next", "prev", "first", "last"].into_iter().enumerate();
        let rel = rel.filter(|(bit, _)| bits >> bit & 1 == 1);
        (!target.contains("//")).then(|| Link {
            target,
            rel: rel.map(|(_, name)| name.to_owned()).collect(),
            parameters: Vec::new(),
        })
    });
    prop::option::of(prop::collection::vec(link, 1..=8).prop_map(Links::from))
}

fn bodies() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        ("[a-z]{1,20}", 0..400_usize).prop_map(|(text, times)| text.repeat(times).into_bytes()),
    ]
    .prop_map(Bytes::from)
}

prop_compose! {
    fn offers()(
        key in keys(),
        body in bodies(),
        content_type in prop::option::of(prop_oneof![
            Just("application/json; charset=utf-8".to_owned()),
            Just("application/vnd.github.raw".to_owned()),
        ]),
        api_version in prop::option::of(Just("2022-11-28".to_owned())),
        links in links(),
        vary in prop::option::of(any::<(bool, bool, bool)>()),
        public in any::<bool>(),
        age in 0..=31_536_000_000_u64,
        lifetime in 0..=31_536_000_u64,
        kinds in any::<u8>(),
    ) -> Offer {
        Offer {
            key: Key::from_bytes(key),
            body,
            content_type,
            api_version,
            links,
            vary: vary.map(|(accept, authorization, cookie)| Vary { accept, authorization, cookie }),
            audience: if public { Audience::Public } else { Audience::Repository },
            age: Duration::from_millis(age),
            origin_lifetime: Duration::from_secs(lifetime),
            kinds,
        }
    }
}

fn questions() -> impl Strategy<Value = Question> {
    let held = || prop::option::of(digests());
    let ended = prop_oneof![
        digests().prop_map(Ended::Unchanged),
        Just(Ended::NotShared),
        Just(Ended::Failed),
    ];
    prop_oneof![
        (wire_keys(), held(), any::<bool>()).prop_map(|(key, held, lease)| Question::Lookup {
            key,
            held,
            lease
        }),
        (wire_keys(), held(), waits()).prop_map(|(key, held, wait)| Question::Await {
            key,
            held,
            wait
        }),
        (wire_keys(), held()).prop_map(|(key, held)| Question::Fetch { key, held }),
        wire_keys().prop_map(|key| Question::Renew { key }),
        (wire_keys(), ended).prop_map(|(key, ended)| Question::Release { key, ended }),
        offers().prop_map(|offer| Question::Store {
            key: WireKey([0; 32]),
            offer
        }),
        (positions(), stale(STALE_MAX))
            .prop_map(|(position, stale)| Question::Invalidate { position, stale }),
        (positions(), prop::option::of(positions()))
            .prop_map(|(position, heard)| Question::Greet { position, heard }),
        positions().prop_map(|position| Question::Pulse { position }),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..=4096))
            .prop_map(|own| Question::Peers { own }),
    ]
}

/// An answer and a question that it answers.
fn answers() -> impl Strategy<Value = (Question, Answer)> {
    let key = WireKey([0; 32]);
    let lookup = Question::Lookup {
        key,
        held: None,
        lease: true,
    };
    let position = Position {
        epoch: 1,
        sequence: 2,
    };
    let greet = Question::Greet {
        position,
        heard: None,
    };
    let records = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..=200);
    let with = |question: Question| move |answer: Answer| (question.clone(), answer);
    prop_oneof![
        offers()
            .prop_map(Answer::Hit)
            .prop_map(with(lookup.clone())),
        Just((lookup.clone(), Answer::Same)),
        waits()
            .prop_map(Answer::Granted)
            .prop_map(with(lookup.clone())),
        any::<u64>()
            .prop_map(|bytes| Answer::Long { bytes })
            .prop_map(with(lookup.clone())),
        waits().prop_map(Answer::Held).prop_map(with(lookup)),
        Just((Question::Renew { key }, Answer::Unknown)),
        Just((Question::Renew { key }, Answer::Ack)),
        Just((greet.clone(), Answer::Busy)),
        (positions(), prop::option::of(stale(GREETED_MAX)))
            .prop_map(|(position, missed)| Answer::Greeted { position, missed })
            .prop_map(with(greet)),
        positions()
            .prop_map(|position| Answer::Pulse { position })
            .prop_map(with(Question::Pulse { position })),
        records
            .prop_map(Answer::Peers)
            .prop_map(with(Question::Peers { own: None })),
    ]
}

fn under_its_name(question: Question, side: &Side) -> Question {
    match question {
        Question::Store { offer, .. } => Question::Store {
            key: side.names.name(&offer.key),
            offer,
        },
        other => other,
    }
}

/// Where the first bytes say how long a message may be.
fn head(bytes: &[u8]) -> [u8; 2] {
    [bytes[0], bytes[1]]
}

proptest! {
    #[test]
    fn every_question_comes_back(question in questions(), sealed in any::<bool>(), cut in any::<prop::sample::Index>()) {
        let side = Side::new(sealed);
        let question = under_its_name(question, &side);
        let bytes = encode_question(&question, &side.sealing()).unwrap();
        prop_assert!(bytes.len() <= question_limit(head(&bytes), BODY_MAX));
        prop_assert_eq!(decode_question(&bytes, &side.opening()), Ok(question));
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert!(decode_question(cut, &side.opening()).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(decode_question(&longer, &side.opening()).is_err());
    }

    #[test]
    fn every_answer_comes_back((question, answer) in answers(), sealed in any::<bool>(), cut in any::<prop::sample::Index>()) {
        let side = Side::new(sealed);
        let question = match (question, &answer) {
            (Question::Lookup { held, lease, .. }, Answer::Hit(offer)) => Question::Lookup {
                key: side.names.name(&offer.key),
                held,
                lease,
            },
            (question, _) => question,
        };
        let bytes = encode_answer(&answer, &side.sealing()).unwrap();
        prop_assert!(bytes.len() <= answer_limit(head(&bytes), BODY_MAX));
        let read = decode_answer(&bytes, &question, &side.opening());
        prop_assert_eq!(read, Ok(answer));
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert!(decode_answer(cut, &question, &side.opening()).is_err());
        let longer = [&bytes[..], &[0]].concat();
        prop_assert!(decode_answer(&longer, &question, &side.opening()).is_err());
    }
}
