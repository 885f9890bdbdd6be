//! Admission: who may speak. Pure: frames, values and `now` in, frames and a verdict out.
//!
//! # The conversation
//!
//! On a stream that the connection's dialer opens. Each line is one [`Frame`], behind its length in two bytes:
//!
//! ```text
//! dialer   ──► Hello      what it could prove with, a nonce, and its pool's name under that nonce
//! listener ──► Challenge  which proof it wants, and a nonce of its own
//! dialer   ──► Proof      that it holds a ticket of the listener, or knows the pool's secret
//! listener ──► Welcome    the same proof from the other side
//! dialer   ──► Ready      it has verified that, and hears whatever comes
//! ```
//!
//! Either side may say `Refuse` instead of its next frame, and then hangs up.
//!
//! # What the proofs bind
//!
//! A proof is an HMAC over everything that makes this conversation different from all others: who dialled whom, both
//! nonces, the role of the one who proves, the pool, the method and its terms ([`Transcript`]). So it means
//! nothing to another listener, in another connection, or sent back to the one who made it.
//!
//! # Not here
//!
//! Streams, time limits and randomness (`gate`); what an admitted peer may be given ([`Coverage`]).
//!
//! [`Coverage`]: super::Coverage

pub mod frame;

mod dialer;
mod listener;
mod reason;
mod terms;
mod transcript;
mod verify;

pub use dialer::Dialer;
pub use frame::{Frame, Nonce, NotAFrame};
pub use listener::Listener;
pub use reason::Reason;
pub use terms::{Grant, Method, Step, Terms};
pub use transcript::{Role, Transcript};
pub use verify::{TICKET_AHEAD_MAX, Verdict, verify_secret, verify_ticket};
