//! What peers say to one another: `/github-cache/1.0.0`, CBOR, one question and one answer per stream.
//!
//! A message is an array of its type and a map of numbered fields, so that a later version can add to it; every
//! length is bounded before anything is allocated for it. Nothing here waits, reads a clock or draws a number,
//! so that whole messages are opened and sealed on whichever task has time for it.
//!
//! | module | says |
//! |---|---|
//! | [`message`] | what questions and answers there are |
//! | [`codec`] | how they are written down |
//! | [`offer`] | an entry as it travels, and how it is written down |
//! | [`seal`] | what an entry is wrapped in between members with the secret |

pub mod codec;
pub mod message;
pub mod offer;
pub mod seal;

pub(crate) mod cbor;
mod malformed;

pub use malformed::Malformed;

/// The exchange between admitted peers.
pub const EXCHANGE: &str = "/github-cache/1.0.0";
/// The admission in front of it.
pub const ADMISSION: &str = "/ghswarm/admission/1";
/// Kademlia among the members of pools; never the public table.
pub const KADEMLIA: &str = "/ghswarm/kad/1";
