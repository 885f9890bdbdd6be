//! What is held, and where: entries as values, the memory tier and the disk tier that keep them.
//!
//! A store never decides. Whether something may be shown, and to whom, is [`crate::tiered`]'s business.

pub mod disk;
pub mod entry;
pub mod epoch_log;
pub mod memory;
mod record;
pub mod snapshot;

pub use disk::Disk;
pub use entry::{Entry, Grant, Proof, Scheme, Variant};
pub use epoch_log::EpochLog;
pub use memory::{Memory, Named, Slot};
