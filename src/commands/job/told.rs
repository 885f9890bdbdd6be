//! What one step of an action says, and how it ends.

use std::process::ExitCode;

use super::super::context::Context;
use super::super::print;
use crate::runner::{Error, FileCommands, Kind, command};

/// The title of our annotations.
const TITLE: &str = "ghswarm";

/// What is to be said at the end of a step.
#[derive(Debug)]
pub(super) struct Told {
    files: FileCommands,
    strict: bool,
    faults: Vec<String>,
    details: Vec<String>,
    /// Stdout is for something else. The runner reads both.
    on_stderr: bool,
}

impl Told {
    pub(super) fn new(context: &Context<'_>) -> Self {
        Self {
            files: FileCommands::of(|name| context.environment().get(name)),
            strict: false,
            faults: Vec::new(),
            details: Vec::new(),
            on_stderr: false,
        }
    }

    /// What is said goes to stderr: stdout is for what a program reads.
    pub(super) fn keep_off_stdout(&mut self) {
        self.on_stderr = true;
    }

    /// A fault fails the step.
    pub(super) fn be_strict(&mut self) {
        self.strict = true;
    }

    /// Something that people should know about, because they have less than they asked for.
    pub(super) fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    /// Something for who wants to know all of it.
    pub(super) fn detail(&mut self, what: impl Into<String>) {
        self.details.push(what.into());
    }

    /// Sets outputs of the step. Without a runner they are printed.
    pub(super) fn output(&mut self, outputs: &[(&str, String)]) {
        if let Err(error) = self.set(Kind::Output, outputs) {
            self.fault(format!(
                "no output is set: {:#}",
                anyhow::Error::from(error)
            ));
        }
    }

    /// Sets variables of the steps after this one: all, or with an error none.
    pub(super) fn export(&self, variables: &[(&str, String)]) -> Result<(), Error> {
        self.set(Kind::Env, variables)
    }

    fn set(&self, kind: Kind, entries: &[(&str, String)]) -> Result<(), Error> {
        if self.files.path(kind).is_none() {
            for (name, value) in entries {
                self.say(&format!("{name}={value}"));
            }
            return Ok(());
        }
        let pairs = entries.iter().map(|(name, value)| (*name, value.as_str()));
        self.files.set(kind, pairs)
    }

    /// One line in the log, in which nothing is a command.
    pub(super) fn line(text: &str) {
        // Whoever reads the log may have gone.
        let _ = print::bytes(format!("{}\n", command::plain(text)).as_bytes());
    }

    /// The same, where this step's words go.
    pub(super) fn say(&self, text: &str) {
        self.print(&format!("{}\n", command::plain(text)));
    }

    fn print(&self, text: &str) {
        if self.on_stderr {
            if !text.is_empty() {
                print::to_people(text);
            }
        } else {
            let _ = print::bytes(text.as_bytes());
        }
    }

    /// Prints the details, folded, and at most one annotation, and says how the step ends.
    pub(super) fn end(self, title: &str) -> ExitCode {
        let mut text = String::new();
        if !self.details.is_empty() {
            let lines = self.details.iter().flat_map(|detail| detail.lines());
            text.push_str(&command::group(&format!("{TITLE}: {title}"), lines));
        }
        let failed = self.strict && !self.faults.is_empty();
        if !self.faults.is_empty() {
            let said = self.faults.join("; ");
            let annotation = if failed {
                command::error
            } else {
                command::notice
            };
            text.push_str(&annotation(TITLE, &said));
        }
        self.print(&text);
        ExitCode::from(u8::from(failed))
    }
}
