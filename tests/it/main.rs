//! The stories: real sockets, real daemons, a GitHub whose every answer is known.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on ends there")]
#![expect(
    clippy::expect_used,
    reason = "a story that cannot go on says what it missed"
)]

mod front;
mod fuzz_corpus;
mod house;
mod needs;

#[path = "../../fuzz/src/properties.rs"]
#[expect(
    unreachable_pub,
    reason = "public to the fuzz targets, which compile the same file"
)]
mod properties;

mod access;
mod actions;
mod actions_run;
mod admission;
mod cache_commands;
mod cli;
mod clients;
mod config;
mod disk;
mod durable;
mod failing;
mod faults_machine;
mod faults_upstream;
mod github;
mod graphql;
mod history;
mod host;
mod hosts;
mod install;
mod job;
mod key_value;
mod pages;
mod peers;
mod peers_commands;
mod proxy;
mod readme;
mod registry_cache;
mod replay;
mod service;
mod sharing;
mod summary;
mod swarm;
mod tidy;
mod writes;
