//! Where a value comes from, and what is wrong with it there.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::env;
use super::setting::Setting;
use crate::secret::without_tokens;

/// What one value belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The setting.
    pub setting: Setting,
    /// Of the lifetimes, which operation's; `None` for all other settings.
    pub operation: Option<String>,
}

impl Slot {
    /// The slot of one value of a setting: `value` matters to lifetimes alone.
    pub fn of(setting: Setting, value: &OsStr) -> Self {
        let operation = (setting == Setting::Lifetime)
            .then(|| value.to_str()?.split('=').next().map(str::to_owned))
            .flatten();
        Self { setting, operation }
    }

    /// `memory_limit`, `lifetime.list_repos`
    pub fn name(&self) -> String {
        match &self.operation {
            Some(operation) => format!("{}.{operation}", self.setting.name()),
            None => self.setting.name().to_owned(),
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The command line.
    Flag(String),
    /// The environment.
    Variable(String),
    /// A line of a file.
    Line {
        /// The file.
        path: Arc<Path>,
        /// The line, from 1.
        line: u64,
        /// The key, or in an env file the variable; empty for what is wrong with the file as a whole.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(name) => f.write_str(name),
            Self::Variable(name) => match name.strip_prefix(env::INPUT) {
                // As people know it who use the action.
                Some(input) => {
                    write!(f, "input {}", input.to_lowercase().replace('_', "-"))
                }
                None => f.write_str(name),
            },
            Self::Line { path, line, name } => {
                write!(f, "{}", path.display())?;
                if *line > 0 {
                    write!(f, ":{line}")?;
                }
                if !name.is_empty() {
                    write!(f, ": {}", shown(name))?;
                }
                Ok(())
            }
        }
    }
}

/// Something that cannot be done as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {}", shown(.reason))]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// Why, and what would do.
    pub reason: String,
}

/// Text of a file for people: short, without a token that stands in the wrong place, and with nothing in it
/// that steers a terminal.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 400;
    let plain = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    let mut start: String = text.chars().take(MOST).map(plain).collect();
    if text.chars().nth(MOST).is_some() {
        start.push('…');
    }
    without_tokens(&start)
}

/// Problems for people: one on its own line, or all of them below one another.
pub(super) fn listed(problems: &[Problem]) -> String {
    match problems {
        [one] => one.to_string(),
        all => {
            const MOST: usize = 100;
            let mut text = format!("{} problems in the configuration:", all.len());
            for problem in all.iter().take(MOST) {
                let _ = write!(text, "\n  {problem}");
            }
            if all.len() > MOST {
                let _ = write!(text, "\n  and {} more", all.len() - MOST);
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_short_and_plain_whatever_the_file_holds() {
        let path: Arc<Path> = Path::new("/f").into();
        let problem = |line| Problem {
            origin: Origin::Line {
                path: path.clone(),
                line,
                name: "\u{1b}[2J".repeat(10_000),
            },
            reason: "\u{7}é".repeat(10_000),
        };
        let told = problem(7).to_string();
        assert!(told.starts_with("/f:7: ") && told.len() < 4000, "{told}");
        assert!(!told.contains(char::is_control), "{told}");
        let many: Vec<_> = (0..250).map(problem).collect();
        let told = listed(&many);
        assert_eq!(told.lines().count(), 102);
        assert!(told.starts_with("250 problems") && told.ends_with("and 150 more"));
    }
}
