//! What peers say to one another: `/github-cache/1.0.0`, CBOR, one question and one answer per stream.
//!
//! Every message is a CBOR map or array by number, so that a later version can add to it; every length is
//! bounded before anything is allocated for it.

pub mod message;
pub mod offer;

/// The exchange between admitted peers.
pub const EXCHANGE: &str = "/github-cache/1.0.0";
/// The admission in front of it.
pub const ADMISSION: &str = "/ghswarm/admission/1";
/// Kademlia among the members of pools; never the public table.
pub const KADEMLIA: &str = "/ghswarm/kad/1";
