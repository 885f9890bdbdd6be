//! What a step of GitHub Actions meets on a real runner, and does not meet under programs that imitate one.
//!
//! Written from the source of `actions/runner`: [`file_command`] is its parser of the files that a step writes
//! (`FileCommandManager`), [`log`] what it does with the lines that a step prints (`ActionCommand`,
//! `ActionCommandManager`), [`Job`] runs steps with the environment of `ScriptHandler`, waits for them as
//! `ProcessInvoker` does, and at the end kills what they left behind (`JobExtension`) and empties the scratch
//! directory.
//!
//! Left out: containers, problem matchers, the masks of encoded secrets, background steps.

pub mod file_command;
mod job;
pub mod log;
pub mod process;

pub use job::{Ended, Job, Order, Step};
pub use log::{Annotation, Level};
