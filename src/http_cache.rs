//! RFC 9111 as values: nothing here asks a clock or moves a byte.

pub mod control;
pub mod fields;
pub mod freshness;
pub mod precondition;
pub mod status;

pub use control::CacheControl;
pub use fields::FieldBlock;
pub use freshness::{Freshness, Validity};
pub use precondition::{Precondition, evaluate};
pub use status::{CacheStatus, Forward, Tier};
