//! A fake GitHub for tests: an independent second writing of GitHub's HTTP semantics.
//!
//! The map of this crate:
//! - [`FakeGitHub`] (`github`) starts and steers the server; `server` speaks HTTP/1.1 on it;
//! - `desk` answers one request: token, limits (`refuse`), route, then `finish` adds headers;
//! - `page` and `redirect` make lists and downloads, `hand` is for people with curl;
//! - [`routes`] is the table of REST routes, `graphql` the small GraphQL engine;
//! - [`state`] is what the fake knows, `render` turns it into GitHub's JSON;
//! - [`token`], [`limits`], [`usage`] are who asks, how much is left and what was asked;
//! - [`fault`], [`gate`], [`clock`] make time and trouble happen on command;
//! - [`runner`] is a runner of GitHub Actions as a step meets it, for what imitations leave out;
//! - [`actions_cache`] is another server: the cache service of Actions, and its blobs;
//! - [`etag`] is GitHub's ETag formula, [`replay`] reads PyGithub's recorded traffic.

pub mod actions_cache;
pub mod answer;
pub mod clock;
mod desk;
pub mod etag;
pub mod fault;
mod finish;
pub mod gate;
pub mod github;
mod graphql;
mod hand;
pub mod limits;
pub mod matcher;
mod page;
mod redirect;
mod refuse;
mod render;
pub mod replay;
pub mod request;
pub mod routes;
pub mod runner;
mod seed;
mod server;
pub mod state;
pub mod token;
pub mod usage;

pub use actions_cache::FakeActionsCache;
pub use clock::Clock;
pub use fault::Fault;
pub use gate::{Gate, Phase};
pub use github::{Builder, FakeGitHub};
pub use matcher::Matcher;
pub use seed::Seed;
pub use state::{Missing, State};
pub use token::{Access, Token, TokenSpec};
pub use usage::{Seen, Tally, Usage};
