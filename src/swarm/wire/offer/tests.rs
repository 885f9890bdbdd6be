//! What we would not take, we do not send.

use std::time::Duration;

use bytes::Bytes;

use super::coding::{decode, encode};
use super::*;
use crate::digest::Digest;
use crate::swarm::wire::Malformed;

fn offer() -> Offer {
    Offer {
        key: Key::from_bytes([1; 32]),
        body: Bytes::from_static(b"{}"),
        content_type: Some("application/json".to_owned()),
        api_version: None,
        links: None,
        vary: None,
        audience: Audience::Public,
        age: Duration::ZERO,
        origin_lifetime: Duration::from_mins(1),
        kinds: 0,
    }
}

fn linked(line: &str) -> Option<Links> {
    Links::parse([line.as_bytes()].into_iter())
}

fn sent(offer: &Offer) -> Result<Offer, Malformed> {
    let bytes = encode(offer, BODY_MAX)?;
    Ok(decode(&bytes, BODY_MAX).expect("what we send, we take"))
}

#[test]
fn what_the_other_end_would_not_take_is_not_sent() {
    let long = format!("</{}>; rel=next", "x".repeat(3000));
    let kind = |kind: &str| Offer {
        content_type: Some(kind.to_owned()),
        ..offer()
    };
    let version = |version: &str| Offer {
        api_version: Some(version.to_owned()),
        ..offer()
    };
    let links = |line: &str| Offer {
        links: linked(line),
        ..offer()
    };
    for (offer, why) in [
        (kind("image/png"), Malformed::Field),
        (kind("application/json\nx: y"), Malformed::Field),
        (version("latest"), Malformed::Field),
        (links("<https://evil.example/>; rel=next"), Malformed::Link),
        (links("<//evil.example/>; rel=next"), Malformed::Link),
        (links(&long), Malformed::TooLong),
        (links(&"</a>; rel=next,".repeat(9)), Malformed::TooLong),
        (
            Offer {
                age: Duration::from_hours(24 * 366),
                ..offer()
            },
            Malformed::OutOfRange,
        ),
        (
            Offer {
                body: vec![0; BODY_MAX + 1].into(),
                ..offer()
            },
            Malformed::TooLong,
        ),
    ] {
        assert_eq!(sent(&offer), Err(why), "{:?}", offer.content_type);
    }
}

#[test]
fn what_does_not_matter_on_the_way_stays_here() {
    let offer = Offer {
        links: linked(
            "</a?page=2>; rel=\"next last other\"; title=x, <https://docs.example/>; rel=deprecation",
        ),
        origin_lifetime: Duration::MAX,
        age: Duration::from_micros(1500),
        ..offer()
    };
    let read = sent(&offer).unwrap();
    assert_eq!(read.links, linked("</a?page=2>; rel=\"next last\""));
    assert_eq!(read.origin_lifetime, Duration::from_hours(24 * 365));
    assert_eq!(
        read.age,
        Duration::from_millis(2),
        "never younger than it is"
    );
    let unpaged = Offer {
        links: linked("<https://docs.example/>; rel=deprecation"),
        ..offer
    };
    assert_eq!(sent(&unpaged).unwrap().links, None);
}

#[test]
fn bodies_are_packed_when_that_saves_a_tenth() {
    let length = |body: Vec<u8>| {
        let offer = Offer {
            body: body.into(),
            ..offer()
        };
        assert_eq!(sent(&offer).as_ref(), Ok(&offer));
        encode(&offer, BODY_MAX).unwrap().len()
    };
    let json = r#"{"id":1,"name":"octo","private":false},"#.repeat(1000);
    assert!(length(json.clone().into_bytes()) < json.len() / 10);
    // Digests are what nothing packs.
    let noise = (0..300_u32).flat_map(|turn| *Digest::of([&turn.to_be_bytes()[..]]).as_bytes());
    assert!(length(noise.collect()) >= 9600);
    assert!(length(vec![b' '; 100]) >= 100, "too short to try");
}
