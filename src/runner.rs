//! The runner of GitHub Actions, as a step speaks with it.
//!
//! A step writes to *file commands* ([`FileCommands`]: variables, outputs and the summary for what comes
//! after it) and prints *workflow commands* ([`command`]: annotations, groups, masks). Both are lines of
//! text in which a value may not become a command of its own: whatever is written here comes from branches,
//! titles and inputs that anybody may have chosen. [`Job`] is what the runner says of the job itself.
//!
//! The rules are those of the runner's own source (`FileCommandManager`, `ActionCommand`), which
//! `ghswarm_lab::runner` follows a second time, independently.

pub mod command;
mod file_command;
mod job;
pub mod summary;

pub use file_command::{Error, FileCommands, Kind, entry};
pub use job::{Job, Strategy, variable};
