//! The record of one peer: a libp2p signed envelope (RFC 0002 of its specifications) around a few fields.

use std::fmt;
use std::time::Duration;

use libp2p::core::SignedEnvelope;
use libp2p::{Multiaddr, PeerId};
use minicbor::bytes::{ByteArray, ByteVec};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::swarm::{Identity, Pool, Ticket};
use crate::time::Timestamp;

/// How long a record is valid that nobody can renew for us in between.
pub const VALIDITY: Duration = Duration::from_mins(90);
/// The longest that a record may be valid from now on. Tickets end there, too.
pub const VALIDITY_MAX: Duration = Duration::from_hours(24);
/// The most addresses of one peer.
pub const ADDRESSES_MAX: usize = 16;
/// The longest address, in bytes of its binary form.
pub const ADDRESS_MAX: usize = 256;
/// The largest record, in bytes.
pub const RECORD_MAX: usize = 4096;

/// What the signature covers besides the fields, so that it means nothing elsewhere.
const DOMAIN: &str = "ghswarm-peer-record";
/// The type of the payload, by which envelopes of other programs are told apart.
const PAYLOAD: &[u8] = b"/ghswarm/peer-record";
/// The only version so far.
const VERSION: u8 = 1;
/// How far clocks may be apart: a record made later than that from now is nobody's.
const SKEW: Duration = Duration::from_mins(10);

/// What a peer says of itself, after everything about it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who it is.
    pub peer: PeerId,
    /// Where it is; 1 to [`ADDRESSES_MAX`].
    pub addresses: Vec<Multiaddr>,
    /// When it said so.
    pub issued: Timestamp,
    /// Until when that holds.
    pub expires: Timestamp,
    /// What lets its holder in there, if it takes tickets.
    pub ticket: Option<Ticket>,
}

/// A record with the bytes that prove it. They have the ticket in them: never in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// What it says.
    pub record: Record,
    envelope: Zeroizing<Vec<u8>>,
}

/// Why a record is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More bytes than any record has.
    #[error("it has more than {RECORD_MAX} bytes")]
    Oversize,
    /// Not the bytes of a record.
    #[error("it is not a peer record, or was cut off")]
    Malformed,
    /// Something else was signed, or something was changed since.
    #[error("its signature does not fit: it was changed, or is for something else")]
    BadSignature,
    /// Of a later version.
    #[error("it was made by another version of ghswarm; use the same on both sides")]
    Version,
    /// Signed by somebody who is not the peer that it is about.
    #[error("it was not signed by the peer that it is about")]
    NotItsOwnKey,
    /// A peer of other runners.
    #[error("it is of another pool; both sides need the same --pool")]
    ForeignPool,
    /// Too late.
    #[error("it has expired; export it again, and compare the clocks of both machines")]
    Expired,
    /// Made in the future.
    #[error("it was made in the future; compare the clocks of both machines")]
    FromTheFuture,
    /// It would be valid for too long.
    #[error("it would be valid for more than {} h", VALIDITY_MAX.as_secs() / 3600)]
    TooLongValid,
    /// Nowhere to dial.
    #[error("it has no address")]
    NoAddress,
    /// More addresses than one peer has.
    #[error("it has more than {ADDRESSES_MAX} addresses")]
    TooManyAddresses,
    /// An address that is none.
    #[error("one of its addresses is none")]
    BadAddress,
}

impl Refused {
    /// The stable name, for counters and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oversize => "oversize",
            Self::Malformed => "malformed",
            Self::BadSignature => "bad-signature",
            Self::Version => "version",
            Self::NotItsOwnKey => "not-its-own-key",
            Self::ForeignPool => "foreign-pool",
            Self::Expired => "expired",
            Self::FromTheFuture => "from-the-future",
            Self::TooLongValid => "too-long-valid",
            Self::NoAddress => "no-address",
            Self::TooManyAddresses => "too-many-addresses",
            Self::BadAddress => "bad-address",
        }
    }
}

impl Refused {
    /// What it is counted under when a peer told us of such a record.
    pub const fn counter(self) -> &'static str {
        match self {
            Self::Oversize => "record-oversize",
            Self::Malformed => "record-malformed",
            Self::BadSignature => "record-bad-signature",
            Self::Version => "record-version",
            Self::NotItsOwnKey => "record-not-its-own-key",
            Self::ForeignPool => "record-foreign-pool",
            Self::Expired => "record-expired",
            Self::FromTheFuture => "record-from-the-future",
            Self::TooLongValid => "record-too-long-valid",
            Self::NoAddress => "record-no-address",
            Self::TooManyAddresses => "record-too-many-addresses",
            Self::BadAddress => "record-bad-address",
        }
    }
}

/// The fields as they travel. Numbers, not names: a later version adds, and never changes one.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Fields {
    #[n(0)]
    version: u8,
    #[n(1)]
    peer: ByteVec,
    #[n(2)]
    pool: ByteArray<32>,
    #[n(3)]
    addresses: Vec<ByteVec>,
    /// Whole seconds, as in a ticket.
    #[n(4)]
    issued: u64,
    #[n(5)]
    expires: u64,
    #[n(6)]
    ticket: Option<ByteArray<32>>,
}

impl Signed {
    /// The record of `identity` in `pool`, with a ticket that ends with it if `tickets`. Of more than
    /// [`ADDRESSES_MAX`] addresses the first ones are taken.
    pub fn own(
        identity: &Identity,
        pool: &Pool,
        addresses: &[Multiaddr],
        now: Timestamp,
        tickets: bool,
    ) -> Result<Self, Refused> {
        let fits = |address: &&Multiaddr| address.as_ref().len() <= ADDRESS_MAX;
        let addresses: Vec<_> = addresses.iter().filter(fits).take(ADDRESSES_MAX).collect();
        if addresses.is_empty() {
            return Err(Refused::NoAddress);
        }
        let expires = Timestamp::from_secs(now.plus(VALIDITY).as_secs());
        let record = Record {
            peer: identity.peer_id(),
            addresses: addresses.into_iter().cloned().collect(),
            issued: Timestamp::from_secs(now.as_secs()),
            expires,
            ticket: tickets.then(|| identity.ticket(expires)),
        };
        sign(identity, &fields(&record, pool))
            .map(|envelope| Self { record, envelope })
            .ok_or(Refused::Malformed)
    }

    /// What the bytes of a record say to a member of `pool` at `now`, if all of it is right.
    pub fn verify(envelope: &[u8], pool: &Pool, now: Timestamp) -> Result<Self, Refused> {
        let (record, of) = open(envelope)?;
        if of != *pool.tag().as_bytes() {
            return Err(Refused::ForeignPool);
        }
        if record.expires <= now {
            return Err(Refused::Expired);
        }
        if record.issued > now.plus(SKEW) {
            return Err(Refused::FromTheFuture);
        }
        if record.expires > now.plus(VALIDITY_MAX) {
            return Err(Refused::TooLongValid);
        }
        Ok(Self {
            record,
            envelope: Zeroizing::new(envelope.to_vec()),
        })
    }

    /// The bytes, for whoever is to have the ticket.
    pub fn expose(&self) -> &[u8] {
        &self.envelope
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({:?})", self.record)
    }
}

/// Until when the record in `envelope` holds, whosever pool it is of: all that is asked when a store is tidied
/// up.
pub fn expiry(envelope: &[u8]) -> Result<Timestamp, Refused> {
    open(envelope).map(|(record, _)| record.expires)
}

fn fields(record: &Record, pool: &Pool) -> Fields {
    let secret = |ticket: &Ticket| ByteArray::from(*ticket.secret);
    Fields {
        version: VERSION,
        peer: record.peer.to_bytes().into(),
        pool: ByteArray::from(*pool.tag().as_bytes()),
        addresses: record
            .addresses
            .iter()
            .map(|address| address.to_vec().into())
            .collect(),
        issued: record.issued.as_secs(),
        expires: record.expires.as_secs(),
        ticket: record.ticket.as_ref().map(secret),
    }
}

fn sign(identity: &Identity, fields: &Fields) -> Option<Zeroizing<Vec<u8>>> {
    let payload = minicbor::to_vec(fields).ok()?;
    let keypair = identity.keypair();
    let signed = SignedEnvelope::new(keypair, DOMAIN.to_owned(), PAYLOAD.to_vec(), payload).ok()?;
    Some(Zeroizing::new(signed.into_protobuf_encoding()))
}

/// What `envelope` says and of which pool, if its own peer signed it.
fn open(envelope: &[u8]) -> Result<(Record, [u8; 32]), Refused> {
    if envelope.len() > RECORD_MAX {
        return Err(Refused::Oversize);
    }
    let envelope =
        SignedEnvelope::from_protobuf_encoding(envelope).map_err(|_| Refused::Malformed)?;
    let (payload, signer) = envelope
        .payload_and_signing_key(DOMAIN.to_owned(), PAYLOAD)
        .map_err(|_| Refused::BadSignature)?;
    // The version first: what follows may look otherwise in another one.
    if version(payload)? != VERSION {
        return Err(Refused::Version);
    }
    let fields: Fields = minicbor::decode(payload).map_err(|_| Refused::Malformed)?;
    let peer = PeerId::from_bytes(&fields.peer).map_err(|_| Refused::Malformed)?;
    if peer != signer.to_peer_id() {
        return Err(Refused::NotItsOwnKey);
    }
    let expires = seconds(fields.expires)?;
    let ticket = fields.ticket.map(|secret| Ticket {
        expires,
        secret: Zeroizing::new(*secret),
    });
    let record = Record {
        peer,
        addresses: addresses(&fields.addresses)?,
        issued: seconds(fields.issued)?,
        expires,
        ticket,
    };
    Ok((record, *fields.pool))
}

/// The version, which is the first field of every version.
fn version(payload: &[u8]) -> Result<u8, Refused> {
    #[derive(Decode)]
    #[cbor(map)]
    struct Version {
        #[n(0)]
        version: u8,
    }
    let read: Version = minicbor::decode(payload).map_err(|_| Refused::Malformed)?;
    Ok(read.version)
}

/// A time that does not overflow when it is counted in milliseconds.
fn seconds(seconds: u64) -> Result<Timestamp, Refused> {
    let sensible = seconds <= u64::MAX / 1000;
    sensible
        .then(|| Timestamp::from_secs(seconds))
        .ok_or(Refused::Malformed)
}

fn addresses(bytes: &[ByteVec]) -> Result<Vec<Multiaddr>, Refused> {
    if bytes.is_empty() {
        return Err(Refused::NoAddress);
    }
    if bytes.len() > ADDRESSES_MAX {
        return Err(Refused::TooManyAddresses);
    }
    let read = |bytes: &ByteVec| {
        let short = bytes.len() <= ADDRESS_MAX;
        let address = short.then(|| Multiaddr::try_from(bytes.to_vec()).ok())?;
        address.filter(|address| !address.is_empty())
    };
    bytes
        .iter()
        .map(|bytes| read(bytes).ok_or(Refused::BadAddress))
        .collect()
}

#[cfg(test)]
mod tests;
