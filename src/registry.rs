//! Peer records: what a runner says of itself, signed, for any store to carry.

pub mod record;
