use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::api::page::{Link, Links, Probe, Tail};
use crate::api::{Operation, Shareable, Vary};
use crate::http_cache::FieldBlock;
use crate::secret::CredentialId;
use crate::store::{Entry, Grant, Named, Proof, Scheme, Variant};
use crate::time::Timestamp;

const KEY: Key = Key::from_bytes([5; 32]);

fn mac() -> MacKey {
    MacKey::new(&LocalSecret::new([7; 32]))
}

type Files = HashMap<[u8; 16], Vec<u8>>;

/// Encodes with the parts in files kept in a map.
fn encoded(slot: &Slot) -> Option<(Encoded, Files)> {
    let mut last = 0_u8;
    let mut name = || {
        last += 1;
        FileName([last; 16])
    };
    let encoded = encode(&mac(), &KEY, slot, &[], &mut name)?;
    let files = encoded
        .fresh
        .iter()
        .map(|(name, bytes)| (name.0, bytes.clone()))
        .collect();
    Some((encoded, files))
}

fn decoded(record: &[u8], files: &Files) -> Result<Decoded, Fault> {
    decode(&mac(), &KEY, record, &|name, length| {
        let found = files.get(&name.0).ok_or(io::ErrorKind::NotFound)?;
        if found.len() == length {
            Ok(found.clone())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    })
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

/// Bodies that are packed, that are not, and that are in files.
fn body() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        bytes(3000),
        (any::<u8>(), 0..5000_usize).prop_map(|(byte, length)| vec![byte; length].into()),
        (any::<u8>(), 65_530..65_545_usize).prop_map(|(byte, length)| vec![byte; length].into()),
        (any::<u64>()).prop_map(|seed| {
            let block = |n: u64| Digest::of([(seed ^ n).to_le_bytes().as_slice()]);
            let blocks = (0..2100).flat_map(|n| *block(n).as_bytes());
            blocks.collect::<Vec<_>>().into()
        }),
    ]
}

fn fields() -> impl Strategy<Value = FieldBlock> {
    vec(("[a-z-]{1,20}", "[ -~]{0,30}"), 0..5).prop_map(|pairs| {
        FieldBlock::from_pairs(
            pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes())),
        )
    })
}

fn links() -> impl Strategy<Value = Option<Arc<Links>>> {
    let parameter = ("[a-z]{1,8}", option::of("[ -~]{0,10}"));
    let link = (
        "/[!-~]{0,40}",
        vec("[a-z]{1,8}", 0..3),
        vec(parameter, 0..3),
    );
    let link = link.prop_map(|(target, rel, parameters)| Link {
        target,
        rel,
        parameters,
    });
    option::of(vec(link, 0..4).prop_map(|links| Arc::new(Links::from(links))))
}

fn tail() -> impl Strategy<Value = Tail> {
    let probe = ("[!-~]{0,40}", vec(any::<u8>(), 0..40));
    let probe = probe.prop_map(|(target, empty)| Probe { target, empty });
    prop_oneof![
        Just(Tail::NotAList),
        Just(Tail::Partial),
        Just(Tail::HasNext),
        option::of(probe).prop_map(|probe| Tail::Full { probe }),
    ]
}

fn scheme() -> impl Strategy<Value = Scheme> {
    let vary = any::<(bool, bool, bool)>().prop_map(|(accept, authorization, cookie)| Vary {
        accept,
        authorization,
        cookie,
    });
    option::of(vary).prop_map(|vary| vary.map_or(Scheme::Opaque, Scheme::Hashed))
}

prop_compose! {
    fn variant()(
        body in body(),
        (shared, links, tail, scheme) in (fields(), links(), tail(), scheme()),
        (lifetime, validated_at, asked_at) in any::<(Duration, u64, u64)>(),
        (kinds, public, was_public) in any::<(u8, Option<(u64, u64)>, bool)>(),
    ) -> Variant {
        Variant {
            digest: Digest::of([&*body]),
            body,
            shared,
            links,
            tail: Arc::new(tail),
            scheme,
            shareable: Shareable::Everyone,
            origin_lifetime: lifetime,
            validated_at: Timestamp::from_millis(validated_at),
            asked_at,
            kinds,
            public: public.map(|(asked_at, at)| Proof { asked_at, at: Timestamp::from_millis(at), hearsay: false }),
            was_public,
        }
    }
}

prop_compose! {
    fn grant()(
        credential in any::<[u8; 16]>(),
        (granted_at, asked_at, received) in any::<(u64, u64, bool)>(),
        etag in option::of("(W/)?\"[a-zA-Z0-9]{0,63}\""),
        (fields, links) in (fields(), links()),
    ) -> Grant {
        Grant {
            credential: CredentialId::from_bytes(credential),
            digest: [0; 32].into(),
            granted_at: Timestamp::from_millis(granted_at),
            asked_at,
            received,
            etag: etag.map(Into::into),
            fields,
            links,
        }
    }
}

prop_compose! {
    fn answers()(
        label in ".{0,40}",
        operation in 0..Operation::NAMES.len(),
        variants in vec(variant(), 1..4),
        grants in vec((grant(), any::<prop::sample::Index>()), 0..5),
    ) -> Slot {
        let grants = grants.into_iter().map(|(mut grant, which)| {
            grant.digest = which.get(&variants).digest;
            Arc::new(grant)
        });
        Slot::Answers(Arc::new(Entry {
            label: label.into(),
            operation: Operation::NAMES[operation],
            grants: grants.collect(),
            variants: variants.into_iter().map(Arc::new).collect(),
        }))
    }
}

prop_compose! {
    fn named()(
        operation in ".{0,20}",
        key in prop_oneof![bytes(400), body()],
        value in body(),
        (stored_at, lifetime) in any::<(u64, Duration)>(),
    ) -> Slot {
        Slot::Named(Arc::new(Named {
            operation: operation.into(),
            key,
            value,
            stored_at: Timestamp::from_millis(stored_at),
            lifetime,
        }))
    }
}

/// All of it: `Debug` shortens digests, but those are checked against the bodies.
fn shown(slot: &Slot) -> String {
    format!("{slot:?}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(slot in prop_oneof![answers(), named()]) {
        let (encoded, files) = encoded(&slot).unwrap();
        let decoded = decoded(&encoded.record, &files).unwrap();
        prop_assert_eq!(shown(&decoded.slot), shown(&slot));
        prop_assert_eq!(decoded.lost, 0);
        prop_assert_eq!(&decoded.files, &encoded.files);
        // What is in a file already stays there.
        let again = encode(&mac(), &KEY, &slot, &decoded.files, &mut || unreachable!()).unwrap();
        prop_assert!(again.fresh.is_empty());
        prop_assert_eq!(again.record, encoded.record);
    }

    #[test]
    fn a_bit_that_flips_changes_nothing_that_is_read(
        slot in prop_oneof![answers(), named()],
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let (mut encoded, files) = encoded(&slot).unwrap();
        *at.get_mut(&mut encoded.record) ^= 1 << bit;
        if let Ok(decoded) = decoded(&encoded.record, &files) {
            // Some bits of what is packed do not matter: then it is the same. Otherwise a body is gone.
            let (Slot::Answers(read), Slot::Answers(written)) = (&decoded.slot, &slot) else {
                prop_assert!(shown(&decoded.slot) == shown(&slot));
                return Ok(());
            };
            for variant in &read.variants {
                let same = written.variant(variant.digest).unwrap();
                prop_assert_eq!(format!("{variant:?}"), format!("{same:?}"));
            }
            prop_assert!(read.variants.len() + decoded.lost == written.variants.len());
        }
    }

    #[test]
    fn nothing_makes_it_panic(record in vec(any::<u8>(), 0..300)) {
        prop_assert!(decoded(&record, &HashMap::new()).is_err());
    }
}

#[test]
fn a_peers_word_is_not_written() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut body = variant().new_tree(&mut runner).unwrap().current();
    let slot =
        |body: &Variant| Slot::Answers(Arc::new(Entry::default().with_variant(body.clone())));
    assert!(encoded(&slot(&body)).is_some());
    body.public = Some(Proof {
        asked_at: 1,
        at: Timestamp::from_secs(1),
        hearsay: true,
    });
    assert!(encoded(&slot(&body)).is_none());
}

#[test]
fn a_record_is_good_under_its_own_key_and_secret_alone() {
    let slot = Slot::Named(Arc::new(Named {
        operation: "x".into(),
        key: "k".into(),
        value: Bytes::new(),
        stored_at: Timestamp::EPOCH,
        lifetime: Duration::ZERO,
    }));
    let (encoded, files) = encoded(&slot).unwrap();
    let read = |mac: &MacKey, key: &Key| {
        decode(mac, key, &encoded.record, &|_, _| {
            Err(io::ErrorKind::NotFound.into())
        })
    };
    assert!(decoded(&encoded.record, &files).is_ok());
    assert_eq!(key(&encoded.record), Some(KEY));
    let other = MacKey::new(&LocalSecret::new([8; 32]));
    assert!(matches!(read(&other, &KEY), Err(Fault::Record)));
    let elsewhere = Key::from_bytes([6; 32]);
    assert!(matches!(read(&mac(), &elsewhere), Err(Fault::Record)));
}
