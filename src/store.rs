//! What is held, and where: entries as values, and the memory tier that keeps them.
//!
//! A store never decides. Whether something may be shown, and to whom, is [`crate::tiered`]'s business.

pub mod entry;
pub mod memory;

pub use entry::{Entry, Grant, Proof, Scheme, Variant};
pub use memory::Memory;
