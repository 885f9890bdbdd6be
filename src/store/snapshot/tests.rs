//! Most snapshots here are hostile: whoever can write the Actions cache can write them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::api::answer::Shareable;
use crate::api::page::{self, Links, Tail};
use crate::api::validator::Vary;
use crate::api::{Operation, key};
use crate::digest::Digest;
use crate::http_cache::FieldBlock;
use crate::secret::{Authorization, LocalSecret, TokenKind};
use crate::store::{Grant, Proof, Scheme, Variant};

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const JSON: &str = "application/json; charset=utf-8";
const FRESH: Fresh = Fresh {
    salt: [3; seal::SALT],
    prefix: [4; seal::PREFIX],
};
const LIMIT: u64 = 1 << 20;

fn secret() -> SharedSecret {
    SharedSecret::new(b"a secret of the whole organisation").unwrap()
}

fn variant(target: &str, body: &str) -> Variant {
    Variant {
        digest: Digest::of([body.as_bytes()]),
        body: Bytes::copy_from_slice(body.as_bytes()),
        shared: FieldBlock::from_pairs([("content-type", JSON.as_bytes())]),
        links: None,
        tail: Arc::new(page::tail(target, body.as_bytes(), false)),
        scheme: Scheme::Hashed(Vary {
            accept: true,
            authorization: true,
            cookie: true,
        }),
        shareable: Shareable::Everyone,
        origin_lifetime: Duration::from_secs(3600),
        validated_at: NOW,
        asked_at: 17,
        kinds: TokenKind::Installation.bit(),
        public: Some(Proof {
            asked_at: 17,
            at: NOW,
            hearsay: false,
        }),
        was_public: true,
    }
}

/// An entry that somebody was shown.
fn entry(target: &str, variant: Variant) -> Entry {
    let authorization = Authorization::new(Some(b"token ghs_private"));
    let grant = Grant {
        credential: LocalSecret::new([1; 32]).identify(&authorization),
        digest: variant.digest,
        granted_at: NOW,
        asked_at: 17,
        received: true,
        etag: Some("\"private-etag\"".into()),
        fields: FieldBlock::from_pairs([("x-oauth-scopes", b"private-scope".as_slice())]),
        links: None,
    };
    let mut entry = Entry::default().with_variant(variant).with_grant(grant);
    entry.label = format!("GET api.github.com{target}").into();
    entry.operation = Operation::of(true, target).name();
    entry
}

fn answer(target: &str, body: &str) -> Slot {
    Slot::Answers(Arc::new(entry(target, variant(target, body))))
}

fn with(target: &str, body: &str, change: impl FnOnce(&mut Variant)) -> Slot {
    let mut variant = variant(target, body);
    change(&mut variant);
    Slot::Answers(Arc::new(entry(target, variant)))
}

fn value(key: &[u8], stored_at: Timestamp) -> Slot {
    Slot::Named(Arc::new(Named {
        operation: "lint".into(),
        key: Bytes::copy_from_slice(key),
        value: Bytes::from_static(b"value"),
        stored_at,
        lifetime: Duration::from_secs(100),
    }))
}

fn key_of(slot: &Slot) -> Key {
    match slot {
        Slot::Answers(entry) => Key::from_bytes(*Digest::of([entry.label.as_bytes()]).as_bytes()),
        Slot::Named(named) => key::named(&named.operation, &named.key),
    }
}

fn write(slots: &[Slot], secret: Option<&SharedSecret>) -> (Vec<u8>, Vec<Option<LeftOut>>) {
    let mut writer = match secret {
        None => Writer::public(Vec::new()).unwrap(),
        Some(secret) => {
            let protection = Protection::sealed(secret, seal::Cost::MIN, FRESH);
            Writer::of(Frames::write(Vec::new(), protection).unwrap(), true)
        }
    };
    let left_out = slots
        .iter()
        .map(|slot| writer.add(&key_of(slot), slot, NOW).unwrap())
        .collect();
    (writer.finish().unwrap(), left_out)
}

fn read(bytes: &[u8], secret: Option<&SharedSecret>) -> Result<Vec<Item>, Error> {
    let mut reader = Reader::open(bytes, secret, LIMIT)?;
    let mut items = Vec::new();
    while let Some(item) = reader.next_item(NOW)? {
        items.push(item);
    }
    Ok(items)
}

/// The only item of a snapshot with this slot in it.
fn travelled(slot: Slot, secret: Option<&SharedSecret>) -> Result<Item, LeftOut> {
    let (bytes, left_out) = write(&[slot], secret);
    match left_out[0] {
        Some(why) => Err(why),
        None => Ok(read(&bytes, secret).unwrap().pop().unwrap()),
    }
}

/// What comes of a record that no writer of ours made: `change` works on the bytes of a good one.
fn forged(slot: &Slot, sealed: bool, change: impl FnOnce(&mut Vec<u8>)) -> Item {
    let mut record = record::of(&key_of(slot), slot, true, NOW).unwrap();
    change(&mut record);
    record::read(&record, sealed, NOW).unwrap_or_else(Item::Rejected)
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .position(|part| part == from.as_bytes());
    bytes.splice(at.unwrap()..at.unwrap() + from.len(), to.bytes());
}

const REPO: &str = "/repos/octo-org/hello";
const BODY: &str = r#"{"id":1,"full_name":"octo-org/hello"}"#;

#[test]
fn what_arrives_is_a_candidate_and_nothing_more() {
    for secret in [None, Some(&secret())] {
        let (bytes, _) = write(&[answer(REPO, BODY)], secret);
        let Some(Item::Candidate(key, entry)) = read(&bytes, secret).unwrap().pop() else {
            panic!("a candidate")
        };
        assert_eq!(key, key_of(&answer(REPO, BODY)));
        assert_eq!(&*entry.label, "GET api.github.com/repos/octo-org/hello");
        assert_eq!(entry.operation, "get_repo_info");
        assert!(entry.grants.is_empty());
        let variant = &entry.variants[0];
        assert_eq!(variant.body, BODY);
        assert_eq!(variant.shared.get("content-type"), Some(JSON.as_bytes()));
        assert_eq!(
            (variant.kinds, variant.asked_at, variant.public),
            (0, 0, None)
        );
        assert_eq!(variant.validated_at, Timestamp::EPOCH);
        assert_eq!(
            variant.origin_lifetime,
            Duration::from_secs(60),
            "GitHub's own, whatever was said"
        );
        assert!(variant.was_public && matches!(variant.scheme, Scheme::Hashed(_)));
    }
}

#[test]
fn nothing_of_a_credential_leaves() {
    let record = record::of(&key_of(&answer(REPO, BODY)), &answer(REPO, BODY), true, NOW).unwrap();
    let text = String::from_utf8_lossy(&record);
    assert!(
        text.contains("octo-org/hello") && !text.contains("private"),
        "{text}"
    );
}

#[test]
fn only_what_anybody_could_read_is_in_a_public_snapshot() {
    let left_out = |slot| travelled(slot, None).unwrap_err();
    assert_eq!(
        left_out(with(REPO, BODY, |body| body.was_public = false)),
        LeftOut::NotPublic
    );
    assert_eq!(left_out(value(b"key", NOW)), LeftOut::Named);
    let html = FieldBlock::from_pairs([("content-type", b"text/html".as_slice())]);
    assert_eq!(
        left_out(with(REPO, BODY, |body| body.shared = html)),
        LeftOut::NotPublic
    );
    let links = Links::parse([b"</x?page=2>; rel=next".as_slice()].into_iter()).map(Arc::new);
    assert_eq!(
        left_out(with(REPO, "[1]", |body| body.links = links)),
        LeftOut::NotPublic
    );
}

#[test]
fn what_is_one_credentials_own_is_in_no_snapshot() {
    let secret = secret();
    for slot in [
        with(REPO, BODY, |body| body.shareable = Shareable::OnlyReceiver),
        with(REPO, BODY, |body| body.scheme = Scheme::Opaque),
        with("/graphql", r#"{"data":{}}"#, |_| ()),
    ] {
        for secret in [None, Some(&secret)] {
            assert_eq!(
                travelled(slot.clone(), secret).unwrap_err(),
                LeftOut::NotShareable
            );
        }
    }
}

#[test]
fn a_sealed_snapshot_brings_links_and_values() {
    let secret = secret();
    let target = "/repos/octo-org/hello/issues";
    let links =
        Links::parse([b"</repositories/1/issues?page=2>; rel=\"next\"".as_slice()].into_iter());
    let slot = with(target, "[1]", |body| {
        body.links = links.map(Arc::new);
        body.was_public = false;
    });
    let Ok(Item::Candidate(_, entry)) = travelled(slot, Some(&secret)) else {
        panic!("a candidate")
    };
    let links = entry.variants[0].links.as_ref().unwrap();
    assert_eq!(
        links.target_of("next"),
        Some("/repositories/1/issues?page=2")
    );
    assert_eq!(*entry.variants[0].tail, Tail::HasNext);

    let stored_at = NOW.minus(Duration::from_secs(40));
    let Ok(Item::Named(key, named)) = travelled(value(b"any\0key", stored_at), Some(&secret))
    else {
        panic!("a value")
    };
    assert_eq!(key, key::named("lint", b"any\0key"));
    assert_eq!(
        named.stored_at, stored_at,
        "what is left of its time, and no more"
    );
    let old = value(b"old", NOW.minus(Duration::from_secs(100)));
    assert_eq!(travelled(old, Some(&secret)).unwrap_err(), LeftOut::Expired);
}

#[test]
fn a_clock_that_was_ahead_makes_no_value_live_longer() {
    let ahead = NOW.plus(Duration::from_secs(5000));
    let slot = value(b"key", ahead);
    let record = record::of(&key_of(&slot), &slot, true, ahead).unwrap();
    let Ok(Item::Named(_, named)) = record::read(&record, true, NOW) else {
        panic!("a value")
    };
    assert_eq!(named.stored_at, NOW);
}

#[test]
fn a_forged_record_is_rejected_by_name() {
    let good = answer(REPO, BODY);
    let rejected = |sealed, change: &dyn Fn(&mut Vec<u8>)| match forged(&good, sealed, |bytes| {
        change(bytes);
    }) {
        Item::Rejected(why) => Some(why),
        _ => None,
    };
    assert_eq!(rejected(false, &|_| ()), None);
    for sealed in [false, true] {
        assert_eq!(
            rejected(sealed, &|bytes| replace(bytes, "\"id\":1", "\"id\":2")),
            Some(Rejected::Digest)
        );
        assert_eq!(
            rejected(sealed, &|bytes| replace(bytes, "GET", "PUT")),
            Some(Rejected::NotShareable)
        );
        assert_eq!(
            rejected(sealed, &|bytes| replace(
                bytes,
                "com/repos/octo-org/hello",
                "com/repos/../octo-hello\0"
            )),
            Some(Rejected::NotShareable)
        );
        assert_eq!(
            rejected(sealed, &|bytes| bytes.push(0)),
            Some(Rejected::Malformed)
        );
        assert_eq!(
            rejected(sealed, &|bytes| bytes.truncate(100)),
            Some(Rejected::Malformed)
        );
        assert_eq!(
            rejected(sealed, &|bytes| replace(
                bytes,
                "application/json",
                "application/\nson"
            )),
            Some(Rejected::Fields)
        );
    }
    for kind in [
        "text/html; charset=utf-8       ",
        "image/svg+xml; charset=utf-8   ",
    ] {
        let change = |bytes: &mut Vec<u8>| replace(bytes, JSON, kind);
        assert_eq!(rejected(false, &change), Some(Rejected::Fields), "{kind}");
    }
    let tokens = answer("/repos/octo-org/hello", r#"{"temp_clone_token":"AABBCC"}"#);
    assert!(matches!(
        forged(&tokens, false, |_| ()),
        Item::Rejected(Rejected::NotShareable)
    ));
    let meta = answer("/rate_limit", "{}");
    assert!(matches!(
        forged(&meta, true, |_| ()),
        Item::Rejected(Rejected::NotShareable)
    ));
    assert!(matches!(
        forged(&value(b"k", NOW), false, |_| ()),
        Item::Rejected(Rejected::Key)
    ));
    let private = with(REPO, BODY, |body| body.was_public = false);
    assert!(matches!(
        forged(&private, false, |_| ()),
        Item::Rejected(Rejected::NotShareable)
    ));
}

#[test]
fn forged_links_never_arrive() {
    let target = "/repos/octo-org/hello/issues";
    let link = b"</repositories/1/issues?page=2>; rel=\"next\"".as_slice();
    let slot = with(target, "[1]", |body| {
        body.links = Links::parse([link].into_iter()).map(Arc::new);
    });
    assert!(matches!(
        forged(&slot, false, |_| ()),
        Item::Rejected(Rejected::Links)
    ));
    assert!(matches!(forged(&slot, true, |_| ()), Item::Candidate(..)));
    for elsewhere in [
        "https://evil.example/aaaaaaaaa",
        "//evil.example/aaaaaaaaaaaaaa?",
    ] {
        let change = |bytes: &mut Vec<u8>| {
            replace(bytes, "/repositories/1/issues?page=2", &elsewhere[..29]);
        };
        let found = forged(&slot, true, change);
        assert!(
            matches!(found, Item::Rejected(Rejected::Links)),
            "{elsewhere}"
        );
    }
}

#[test]
fn a_list_in_a_public_snapshot_says_nothing_about_its_next_page() {
    let tail =
        |target: &str, body: &str, sealed| match forged(&answer(target, body), sealed, |_| ()) {
            Item::Candidate(_, entry) => (*entry.variants[0].tail).clone(),
            other => panic!("{other:?}"),
        };
    let issues = "/repos/octo-org/hello/issues?per_page=100";
    assert_eq!(tail(issues, "[1,2]", true), Tail::Partial);
    // The key may be that of the same list with two on a page.
    assert_eq!(tail(issues, "[1,2]", false), Tail::Full { probe: None });
    assert_eq!(
        tail(issues, r#"{"total_count":1,"jobs":[1]}"#, false),
        Tail::Full { probe: None }
    );
    assert_eq!(tail(issues, "[]", false), Tail::Partial);
    assert_eq!(tail(REPO, BODY, false), Tail::NotAList);
}

#[test]
fn no_flipped_bit_and_no_cut_is_read() {
    let secret = secret();
    let slots = [answer(REPO, BODY), answer("/users/octocat", r#"{"id":2}"#)];
    for secret in [None, Some(&secret)] {
        let (bytes, _) = write(&slots, secret);
        assert_eq!(read(&bytes, secret).unwrap().len(), 2);
        // Every key of the sealed one takes its time to be derived: a sample, and every bit of the header
        // that does not change the key.
        let step = if secret.is_some() { 97 } else { 1 };
        for bit in (0..bytes.len() * 8).step_by(step) {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bytes, secret).is_err(), "bit {bit}");
        }
        for length in (0..bytes.len()).step_by(step) {
            assert!(read(&bytes[..length], secret).is_err(), "{length} bytes");
        }
        let more = [&bytes[..], b"\0"].concat();
        assert!(matches!(
            read(&more, secret),
            Err(Error::Damaged("it goes on after its end"))
        ));
    }
}

/// Chunks as they stand in the file, behind the header.
fn chunks(bytes: &[u8], header: usize) -> Vec<&[u8]> {
    let mut rest = &bytes[header..];
    let mut chunks = Vec::new();
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        let end = 9 + u32::from_le_bytes(*length) as usize;
        chunks.push(&rest[..end]);
        rest = &rest[end..];
    }
    chunks
}

#[test]
fn chunks_cannot_be_moved_left_out_or_taken_from_another_snapshot() {
    let secret = secret();
    // Nothing that compresses, so that each makes a chunk.
    let noise: String = (0..9000_u32)
        .map(|n| Digest::of([&n.to_le_bytes()[..]]).hex())
        .collect();
    let slots: Vec<_> = ["/users/a", "/users/b", "/users/c"]
        .map(|target| answer(target, &format!("\"{noise}\"")))
        .into();
    for (secret, header) in [(None, 12), (Some(&secret), 39)] {
        let (bytes, _) = write(&slots, secret);
        let parts = chunks(&bytes, header);
        assert_eq!(parts.len(), 4);
        let read_in = |order: &[usize]| {
            let parts = order.iter().map(|&index| parts[index]);
            let bytes: Vec<_> = std::iter::once(&bytes[..header]).chain(parts).collect();
            let bytes = bytes.concat();
            let mut reader = Reader::open(&*bytes, secret, LIMIT << 3).unwrap();
            let mut read = 0;
            loop {
                match reader.next_item(NOW) {
                    Ok(Some(_)) => read += 1,
                    Ok(None) => return Ok(read),
                    Err(_) => return Err(read),
                }
            }
        };
        assert_eq!(read_in(&[0, 1, 2, 3]), Ok(3));
        assert_eq!(read_in(&[1, 0, 2, 3]), Err(0));
        assert_eq!(read_in(&[0, 2, 3]), Err(1));
        assert_eq!(read_in(&[0, 0, 1, 2, 3]), Err(1));
        assert_eq!(read_in(&[0, 1, 2]), Err(3), "cut off: the end is missing");
        assert_eq!(read_in(&[3]), Err(0));
    }
}

#[test]
fn lengths_are_not_believed() {
    let (good, _) = write(&[answer(REPO, BODY)], None);
    for (at, what) in [(12, "stored"), (16, "plain")] {
        for length in [u32::MAX, 1 << 30, 60 << 20, 0] {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
            assert!(read(&bytes, None).is_err(), "{what} {length}");
        }
    }
    // A well-formed chunk of one byte that promises a hundred million.
    let mut frames = Frames::write(Vec::new(), Protection::public()).unwrap();
    frames.put(&vec![0; 2 << 20], true).unwrap();
    let bomb = frames.into_inner();
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    assert!(matches!(read(&bomb, None), Err(Error::TooLarge(LIMIT))));
    // A record that is longer than its chunk.
    let mut frames = Frames::write(Vec::new(), Protection::public()).unwrap();
    frames.put(&u32::MAX.to_le_bytes(), true).unwrap();
    assert!(matches!(
        read(&frames.into_inner(), None),
        Err(Error::Damaged(_))
    ));
}

#[test]
fn who_expects_a_sealed_snapshot_takes_no_other() {
    let secret = secret();
    let (public, _) = write(&[answer(REPO, BODY)], None);
    let (sealed, _) = write(&[answer(REPO, BODY)], Some(&secret));
    assert!(matches!(
        read(&public, Some(&secret)),
        Err(Error::NotSealed)
    ));
    assert!(matches!(read(&sealed, None), Err(Error::NeedsSecret)));
    let other = SharedSecret::new(&[b'x'; 40]).unwrap();
    assert!(matches!(
        read(&sealed, Some(&other)),
        Err(Error::Seal(seal::Error::Sealed))
    ));
    let mut cheap = sealed.clone();
    cheap[12..16].copy_from_slice(&1000_u32.to_le_bytes());
    assert!(matches!(
        read(&cheap, Some(&secret)),
        Err(Error::Seal(seal::Error::Cost(1000)))
    ));
    let mut dear = sealed;
    dear[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        read(&dear, Some(&secret)),
        Err(Error::Seal(seal::Error::Cost(_)))
    ));
}

#[test]
fn other_files_and_versions_are_told_apart() {
    for text in [
        &b""[..],
        b"{\"a\":1}",
        b"ghswsna",
        b"\x1f\x8b\x08 a gzip file",
    ] {
        assert!(
            matches!(read(text, None), Err(Error::NotASnapshot)),
            "{text:?}"
        );
    }
    let (mut bytes, _) = write(&[], None);
    assert_eq!(read(&bytes, None).unwrap().len(), 0);
    bytes[8] = 2;
    assert!(matches!(
        read(&bytes, None),
        Err(Error::Unknown { version: 2, .. })
    ));
}
