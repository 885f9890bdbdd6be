//! Pages: `Link` headers, and lists whose next page a 304 would hide.

mod links;
mod tail;

pub use links::{Link, Links};
pub use tail::{Probe, Tail, tail};
