//! Who may speak: the admission as vectors, and the gate on real sockets.

mod node;
mod opening;
mod strangers;
mod vectors;
