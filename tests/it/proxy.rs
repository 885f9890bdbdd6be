//! The proxy, seen from a client that writes its own bytes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails where it stands"
)]

mod admin;
mod bounds;
mod doors;
mod keepalive;
mod origin;
mod parking;
mod smuggling;
mod stage;
mod streams;
