//! ghswarm: one GitHub API budget for a whole fleet of runners.
//!
//! Modules stand here in layer order; a module names only modules of a lower row. `ARCHITECTURE.md`
//! has the map and the invariants, `tests/it/tidy.rs` checks them.

// Row 0: vocabulary.
pub mod clock;
pub mod digest;
pub mod secret;
pub mod stats;
pub mod time;

// Row 1: pure decisions. No tokio, files, environment, clock, sockets or randomness.
pub mod api;
pub mod http_cache;
pub mod seal;

// Row 2: one external resource each, blind to each other.
pub mod files;
pub mod github;
pub mod runner;
pub mod swarm;

// Row 3: what is held, in memory and in files, and who is a peer.
pub mod registry;
pub mod store;

// Row 4: the request path, and finding peers.
pub mod discovery;
pub mod tiered;

// Row 5: HTTP in.
pub mod proxy;

// Row 6: what everybody is told.
pub mod config;

// Row 7: processes, and what is typed.
pub mod cli;
pub mod daemon;
pub mod keeper;

// Row 8: composition roots. `anyhow`, printing and exit codes live here alone.
pub mod commands;
