//! The name under which a store keeps a record: who is there, for whoever can list names, without what
//! lets anybody in.
//!
//! `ghswarm/1/<repository id>/<pool>/<hour>/<peer>~<expiry>~<addresses>~<signature>`
//!
//! The pool stands as 16 hexadecimal digits of its tag, the hour is that of the record in hours since 1970, so
//! that the newest names have a prefix in common; the addresses are their binary forms, each behind a byte
//! with its length, in base64. The peer signs everything before the signature, and its id has the key in
//! it. No comma, which keys of the Actions cache cannot have; and the last part fits the name of a file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use libp2p::identity::PublicKey;
use libp2p::{Multiaddr, PeerId};

use super::record::{ADDRESSES_MAX, Record, Refused};
use crate::swarm::{Identity, Pool};
use crate::time::Timestamp;

/// What all names begin with.
const BEGINNING: &str = "ghswarm/1/";
/// The longest name: that of a key of the Actions cache.
pub const NAME_MAX: usize = 512;
/// The longest last part: that of a file's name.
const LEAF_MAX: usize = 255;
/// As much of a pool's tag as tells pools apart.
const POOL: usize = 16;
/// 64 bytes in base64.
const SIGNATURE: usize = 86;
/// What the signature covers besides the name, so that it means nothing elsewhere.
const DOMAIN: &[u8] = b"ghswarm-peer-name\0";

/// What a name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The repository whose store it is in; 0 where there is none.
    pub repository: u64,
    /// 16 hexadecimal digits.
    pub pool: String,
    /// Hours since 1970.
    pub hour: u64,
    /// Who.
    pub peer: PeerId,
    /// Until when.
    pub expires: Timestamp,
    /// Where: as many as had room.
    pub addresses: Vec<Multiaddr>,
}

impl Name {
    /// What the name of `record` says.
    pub fn of(record: &Record, pool: &Pool, repository: u64) -> Self {
        Self {
            repository,
            pool: short(pool),
            hour: record.issued.as_secs() / 3600,
            peer: record.peer,
            expires: record.expires,
            addresses: record.addresses.clone(),
        }
    }

    /// What the names of all members of `pool` in the store of `repository` begin with, whatever the hour.
    pub fn start(pool: &Pool, repository: u64) -> String {
        format!("{BEGINNING}{repository}/{}/", short(pool))
    }

    /// What their newest names begin with at `now`: those of this hour and of the one before.
    pub fn newest(pool: &Pool, repository: u64, now: Timestamp) -> [String; 2] {
        let (start, hour) = (Self::start(pool, repository), now.as_secs() / 3600);
        [hour, hour.saturating_sub(1)].map(|hour| format!("{start}{hour}/"))
    }

    /// Whether it is of a member of `pool`.
    pub fn is_of(&self, pool: &Pool) -> bool {
        self.pool == short(pool)
    }

    /// The name as text, signed by the peer that it is about. Addresses that have no room are left out;
    /// `None` if `identity` is not that peer.
    pub fn sign(&self, identity: &Identity) -> Option<String> {
        if identity.peer_id() != self.peer {
            return None;
        }
        let directory = format!(
            "{BEGINNING}{}/{}/{}/",
            self.repository, self.pool, self.hour
        );
        let start = format!("{}~{}~", self.peer, self.expires.as_secs());
        let leaf = LEAF_MAX.min(NAME_MAX - directory.len());
        let room = leaf.checked_sub(start.len() + 1 + SIGNATURE)?;
        let signed = format!("{directory}{start}{}", packed(&self.addresses, room));
        let signature = identity.keypair().sign(&covered(&signed)).ok()?;
        Some(format!("{signed}~{}", BASE64.encode(signature)))
    }

    /// What `text` says, if its own peer signed it. Whether it is still valid and of our pool is for whoever
    /// asks.
    pub fn read(text: &str) -> Result<Self, Refused> {
        if text.len() > NAME_MAX {
            return Err(Refused::Oversize);
        }
        let (signed, signature) = text.rsplit_once('~').ok_or(Refused::Malformed)?;
        let name = parse(signed).ok_or(Refused::Malformed)?;
        let signature = BASE64.decode(signature).map_err(|_| Refused::Malformed)?;
        let key = key_of(&name.peer).ok_or(Refused::NotItsOwnKey)?;
        if !key.verify(&covered(signed), &signature) {
            return Err(Refused::BadSignature);
        }
        Ok(name)
    }
}

fn short(pool: &Pool) -> String {
    pool.tag().hex()[..POOL].to_owned()
}

fn covered(signed: &str) -> Vec<u8> {
    [DOMAIN, signed.as_bytes()].concat()
}

/// The key that an Ed25519 peer's id consists of (libp2p's specification of peer ids: an identity multihash).
fn key_of(peer: &PeerId) -> Option<PublicKey> {
    const IDENTITY: u64 = 0;
    let multihash = peer.as_ref();
    let inline = multihash.code() == IDENTITY;
    inline
        .then(|| PublicKey::try_decode_protobuf(multihash.digest()).ok())
        .flatten()
}

/// As many of the addresses as have room, in base64.
fn packed(addresses: &[Multiaddr], room: usize) -> String {
    let room = room / 4 * 3;
    let mut bytes = Vec::new();
    for address in addresses.iter().take(ADDRESSES_MAX) {
        let address = address.as_ref();
        if let Ok(length) = u8::try_from(address.len())
            && bytes.len() + 1 + address.len() <= room
        {
            bytes.push(length);
            bytes.extend_from_slice(address);
        }
    }
    BASE64.encode(bytes)
}

fn unpacked(text: &str) -> Option<Vec<Multiaddr>> {
    let bytes = BASE64.decode(text).ok()?;
    let mut rest = bytes.as_slice();
    let mut addresses = Vec::new();
    while let Some((&length, after)) = rest.split_first() {
        let (address, after) = after.split_at_checked(usize::from(length))?;
        let address = Multiaddr::try_from(address.to_vec()).ok()?;
        if address.is_empty() || addresses.len() == ADDRESSES_MAX {
            return None;
        }
        addresses.push(address);
        rest = after;
    }
    Some(addresses)
}

fn parse(signed: &str) -> Option<Name> {
    let mut parts = signed.strip_prefix(BEGINNING)?.split('/');
    let repository = number(parts.next()?)?;
    let pool = parts.next()?.to_owned();
    let hour = number(parts.next()?)?;
    let leaf = parts.next()?;
    if parts.next().is_some() {
        return None;
    }
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if pool.len() != POOL || !pool.bytes().all(hex) {
        return None;
    }
    let mut fields = leaf.split('~');
    let peer = fields.next()?.parse().ok()?;
    let expires = number(fields.next()?).filter(|&seconds| seconds <= u64::MAX / 1000)?;
    let addresses = unpacked(fields.next()?)?;
    fields.next().is_none().then_some(Name {
        repository,
        pool,
        hour,
        peer,
        expires: Timestamp::from_secs(expires),
        addresses,
    })
}

/// Decimal digits without a sign or zeros before them: one form for each number.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;
    use crate::registry::Signed;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn identity(seed: u8) -> Identity {
        Identity::from_seed(&Zeroizing::new([seed; 32])).unwrap()
    }

    fn pool() -> Pool {
        Pool::new("octo-org/app").unwrap()
    }

    fn name(addresses: &[&str]) -> (Name, String, Signed) {
        let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let signed = Signed::own(&identity(1), &pool(), &addresses, NOW, true).unwrap();
        let name = Name::of(&signed.record, &pool(), 123_456_789);
        let text = name.sign(&identity(1)).unwrap();
        (name, text, signed)
    }

    #[test]
    fn a_name_says_who_is_where_and_has_no_ticket() {
        let addresses = ["/ip4/10.0.0.1/tcp/9000", "/ip4/10.0.0.1/udp/9000/quic-v1"];
        let (name, text, signed) = name(&addresses);
        assert_eq!(Name::read(&text), Ok(name.clone()));
        assert!(name.is_of(&pool()) && !name.is_of(&Pool::new("other").unwrap()));
        let start = format!("ghswarm/1/123456789/{}/500000/{}~", name.pool, name.peer);
        let later = NOW.plus(std::time::Duration::from_hours(1));
        for (at, place) in [(NOW, 0), (later, 1)] {
            assert!(text.starts_with(&Name::newest(&pool(), 123_456_789, at)[place]));
        }
        assert!(text.starts_with(&start), "{text}");
        assert!(start.starts_with(&Name::start(&pool(), 123_456_789)));
        assert!(text.len() <= NAME_MAX && !text.contains(','), "{text}");
        let ticket = signed.record.ticket.unwrap().secret;
        let secrets = [
            BASE64.encode(*ticket),
            crate::digest::Digest::from(*ticket).hex(),
        ];
        assert!(secrets.iter().all(|secret| !text.contains(secret)));
        assert_eq!(name.sign(&identity(2)), None);
    }

    #[test]
    fn addresses_without_room_are_left_out_and_the_rest_is_a_files_name() {
        let long = format!("/dns4/{}.example/tcp/9000", "a".repeat(30));
        let short = ["/ip4/10.0.0.1/tcp/9000"; 15];
        let (_, text, _) = name(&[&[long.as_str()], &short[..]].concat());
        let kept = Name::read(&text).unwrap().addresses.len();
        assert!((3..16).contains(&kept), "{kept} kept: {text}");
        assert!(text.rsplit('/').next().unwrap().len() <= LEAF_MAX);
    }

    #[test]
    fn each_name_that_is_wrong_is_refused() {
        let (_, good, _) = name(&["/ip4/10.0.0.1/tcp/9000"]);
        let (signed, signature) = good.rsplit_once('~').unwrap();
        let foreign = name(&["/ip4/10.0.0.2/tcp/9000"]).1;
        let foreign = foreign.rsplit_once('~').unwrap().1;
        let hashed: PeerId = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
            .parse()
            .unwrap();
        let own = identity(1).peer_id().to_string();
        for (text, why) in [
            (String::new(), Refused::Malformed),
            (signed.to_owned(), Refused::Malformed),
            (format!("{signed}~"), Refused::BadSignature),
            (format!("{signed}~{foreign}"), Refused::BadSignature),
            (good.replace("/500000/", "/500001/"), Refused::BadSignature),
            (good.replace("/500000/", "/0500000/"), Refused::Malformed),
            (good.replace("/500000/", "/+500000/"), Refused::Malformed),
            (good.replace("ghswarm/1/", "ghswarm/2/"), Refused::Malformed),
            (
                good.replace("123456789/", "987654321/"),
                Refused::BadSignature,
            ),
            (good.replace("/500000/", "/500000/x/"), Refused::Malformed),
            (
                good.replace(&own, &hashed.to_string()),
                Refused::NotItsOwnKey,
            ),
            (format!("{signed}~x~{signature}"), Refused::Malformed),
            (good.repeat(4), Refused::Oversize),
        ] {
            assert_eq!(Name::read(&text), Err(why), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(ghswarm/1/[0-9]{1,3}/[0-9a-f]{15,17}/[0-9]{1,9}/)?[ -~]{0,200}") {
            prop_assert!(Name::read(&text).is_err());
        }

        #[test]
        fn any_addresses_are_unpacked_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = unpacked(&BASE64.encode(bytes));
        }
    }
}
