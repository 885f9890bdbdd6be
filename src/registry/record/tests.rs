use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn identity(seed: u8) -> Identity {
    Identity::from_seed(&Zeroizing::new([seed; 32])).unwrap()
}

fn pool() -> Pool {
    Pool::new("Octo-Org/App").unwrap()
}

fn address(port: u16) -> Multiaddr {
    format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()
}

fn own() -> Signed {
    Signed::own(&identity(1), &pool(), &[address(9000)], NOW, true).unwrap()
}

/// The fields of a good record, changed and signed by `signer`.
fn changed(signer: u8, change: impl FnOnce(&mut Fields)) -> Vec<u8> {
    let mut fields = fields(&own().record, &pool());
    change(&mut fields);
    sign(&identity(signer), &fields).unwrap().to_vec()
}

fn verdict(envelope: &[u8]) -> Result<Record, Refused> {
    Signed::verify(envelope, &pool(), NOW).map(|signed| signed.record)
}

#[test]
fn a_record_says_who_where_until_when_and_has_the_ticket() {
    let own = own();
    let read = verdict(own.expose()).unwrap();
    assert_eq!(read, own.record);
    assert_eq!(read.peer, identity(1).peer_id());
    assert_eq!(read.addresses, [address(9000)]);
    assert_eq!(read.expires, NOW.plus(VALIDITY));
    // The one that the peer itself computes when it is shown.
    assert_eq!(read.ticket, Some(identity(1).ticket(read.expires)));
    let without = Signed::own(&identity(1), &pool(), &[address(1)], NOW, false).unwrap();
    assert_eq!(verdict(without.expose()).unwrap().ticket, None);
}

#[test]
fn the_bytes_stay_what_they_are() {
    // Ed25519 signs deterministically: another version must still be able to read this.
    let vector = include_str!("../../../tests/data/peer_record.hex").trim();
    let digits = vector.as_bytes().chunks_exact(2);
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16);
    let vector: Vec<_> = digits.map(|digits| byte(digits).unwrap()).collect();
    assert_eq!(own().expose(), vector);
}

#[test]
fn nothing_prints_a_ticket() {
    let own = own();
    let secret = *own.record.ticket.clone().unwrap().secret;
    let shown = format!("{own:?} {:?}", own.record);
    assert!(shown.contains("***") && !shown.contains(&format!("{secret:?}")[1..20]));
}

#[test]
fn each_record_that_is_wrong_is_refused_by_name() {
    let many = |count: u16| {
        move |fields: &mut Fields| {
            fields.addresses = (0..count)
                .map(|port| address(port).to_vec().into())
                .collect();
        }
    };
    let at = |time: Timestamp| time.as_secs();
    let vectors: [(Vec<u8>, Refused); 15] = [
        (Vec::new(), Refused::Malformed),
        (vec![0xff; 40], Refused::Malformed),
        (vec![0; RECORD_MAX + 1], Refused::Oversize),
        (changed(1, |fields| fields.version = 2), Refused::Version),
        (changed(2, |_| {}), Refused::NotItsOwnKey),
        (
            changed(1, |fields| fields.peer = vec![1, 2].into()),
            Refused::Malformed,
        ),
        (
            changed(1, |fields| fields.pool = ByteArray::from([7; 32])),
            Refused::ForeignPool,
        ),
        (
            changed(1, |fields| fields.expires = at(NOW)),
            Refused::Expired,
        ),
        (
            changed(1, |fields| fields.expires = u64::MAX),
            Refused::Malformed,
        ),
        (
            changed(1, |fields| fields.issued = at(NOW.plus(SKEW)) + 1),
            Refused::FromTheFuture,
        ),
        (
            changed(1, |fields| fields.expires = at(NOW.plus(VALIDITY_MAX)) + 1),
            Refused::TooLongValid,
        ),
        (
            changed(1, |fields| fields.addresses.clear()),
            Refused::NoAddress,
        ),
        (changed(1, many(17)), Refused::TooManyAddresses),
        (
            changed(1, |fields| fields.addresses = vec![vec![0xff, 0xff].into()]),
            Refused::BadAddress,
        ),
        (
            changed(1, |fields| fields.addresses = vec![Vec::new().into()]),
            Refused::BadAddress,
        ),
    ];
    for (envelope, refused) in vectors {
        assert_eq!(verdict(&envelope), Err(refused), "{}", refused.name());
    }
    assert!(verdict(&changed(1, many(16))).is_ok());
}

#[test]
fn what_was_signed_for_another_purpose_is_no_record() {
    let payload = minicbor::to_vec(fields(&own().record, &pool())).unwrap();
    let keypair = identity(1).keypair().clone();
    for (domain, kind) in [("libp2p-peer-record", PAYLOAD), (DOMAIN, b"other")] {
        let signed =
            SignedEnvelope::new(&keypair, domain.to_owned(), kind.to_vec(), payload.clone());
        let bytes = signed.unwrap().into_protobuf_encoding();
        assert_eq!(verdict(&bytes), Err(Refused::BadSignature), "{domain}");
    }
}

#[test]
fn the_expiry_is_found_whatever_the_pool_and_the_time() {
    let foreign = changed(1, |fields| fields.pool = ByteArray::from([7; 32]));
    assert_eq!(expiry(&foreign), Ok(NOW.plus(VALIDITY)));
    assert_eq!(expiry(b"nonsense"), Err(Refused::Malformed));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(verdict(&bytes).is_err());
    }

    /// Whichever bit of a record is turned over: it is refused.
    #[test]
    fn no_bit_can_be_changed(place in any::<proptest::sample::Index>(), bit in 0..8_u8) {
        let mut envelope = own().expose().to_vec();
        let place = place.index(envelope.len());
        envelope[place] ^= 1 << bit;
        prop_assert!(verdict(&envelope).is_err());
    }

    /// Signed by its own peer, so that everything behind the signature is reached.
    #[test]
    fn a_peer_that_signs_nonsense_is_refused_without_a_panic(
        payload in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let keypair = identity(1).keypair().clone();
        let signed = SignedEnvelope::new(&keypair, DOMAIN.to_owned(), PAYLOAD.to_vec(), payload);
        prop_assert!(verdict(&signed.unwrap().into_protobuf_encoding()).is_err());
    }
}
