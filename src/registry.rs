//! Peer records: what a runner says of itself, signed, for any store to carry.
//!
//! A [`record`] has the ticket, so it goes only where those may read who may come in: files, and the
//! values of caches. A [`name`] says the same without the ticket, so that whoever lists a store learns who
//! is there and not how to get in. A [`file`](mod@file) carries the records of many. Stores are directories, the
//! cache of GitHub Actions ([`actions_cache`]), and the list of it that the REST API gives ([`rest`]).

pub mod actions_cache;
pub mod file;
pub mod name;
pub mod record;
pub mod rest;

pub use file::{NotAFile, Paper};
pub use name::Name;
pub use record::{Record, Refused, Signed};
