//! The lab's own tests: the formula and the routes against outside data, and stories over HTTP.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]
#![expect(
    clippy::print_stdout,
    reason = "tests say what they skipped and counted"
)]

mod access;
mod actions_cache;
mod client;
mod conditions;
mod faults;
mod graphql;
mod limits;
mod openapi;
mod outside;
mod races;
mod recordings;
mod redirects;
mod socket;
mod writes;
