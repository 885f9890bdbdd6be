//! File commands: files whose names the runner gives to a step, and which it reads when the step ends.
//!
//! Each entry of `GITHUB_ENV`, `GITHUB_OUTPUT` and `GITHUB_STATE` is written as a heredoc, never as `NAME=VALUE`:
//! a line break in a value would begin an entry of its own, chosen by whoever chose the value.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::variable;

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Variables of the steps after this one.
    Env,
    /// Outputs of this step.
    Output,
    /// Folders in front of `PATH`, one a line.
    Path,
    /// Markdown on the page of the run.
    StepSummary,
    /// What an action's own later steps find as `STATE_name`.
    State,
}

impl Kind {
    /// The variable that names the file.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Env => variable::GITHUB_ENV,
            Self::Output => variable::GITHUB_OUTPUT,
            Self::Path => variable::GITHUB_PATH,
            Self::StepSummary => variable::GITHUB_STEP_SUMMARY,
            Self::State => variable::GITHUB_STATE,
        }
    }
}

/// Why something could not be said to the runner.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No variable or output can have this name.
    #[error("{0:?} is no name for a variable or an output")]
    Name(String),
    /// No process can have this variable.
    #[error("the value of {0} has a zero byte")]
    Value(String),
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// The runner named no such file: there is no runner.
    #[error("{0} is not set")]
    NoFile(&'static str),
    /// The file cannot be written.
    #[error("cannot write the file of {variable}, {path}")]
    Write {
        /// Which.
        variable: &'static str,
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The files of one step.
#[derive(Debug, Clone, Default)]
pub struct FileCommands {
    paths: Vec<(Kind, PathBuf)>,
}

impl FileCommands {
    /// Those that the variables name.
    pub fn of<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let kinds = [
            Kind::Env,
            Kind::Output,
            Kind::Path,
            Kind::StepSummary,
            Kind::State,
        ];
        let named = |kind: Kind| Some((kind, PathBuf::from(variable(kind.variable())?)));
        Self {
            paths: kinds.into_iter().filter_map(named).collect(),
        }
    }

    /// The file of `kind`, if the runner named one.
    pub fn path(&self, kind: Kind) -> Option<&Path> {
        let found = self.paths.iter().find(|(own, _)| *own == kind);
        found.map(|(_, path)| path.as_path())
    }

    /// Sets names to values. All or nothing, as far as one write is.
    pub fn set<'a>(
        &self,
        kind: Kind,
        entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Error> {
        let mut text = String::new();
        for (name, value) in entries {
            text.push_str(&entry(name, value)?);
        }
        self.append(kind, &text)
    }

    /// Adds `text` as it is, on a line of its own.
    pub fn append(&self, kind: Kind, text: &str) -> Result<(), Error> {
        let variable = kind.variable();
        let path = self.path(kind).ok_or(Error::NoFile(variable))?;
        append(path, text).map_err(|source| Error::Write {
            variable,
            path: path.display().to_string(),
            source,
        })
    }
}

/// The step may have written to the file already, and without an end of its last line. What a full disk takes
/// half of is taken back: a value without an end would fail the step.
fn append(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    let before = file.metadata()?.len();
    let mut last = [b'\n'];
    if before > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let separator = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{separator}{text}").as_bytes())
        .inspect_err(|_| {
            // The first error tells more.
            let _ = file.set_len(before);
        })
}

/// One entry: `name<<delimiter`, the value, the delimiter. The delimiter is random, and not in the value.
pub fn entry(name: &str, value: &str) -> Result<String, Error> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || !name.bytes().all(letter) {
        return Err(Error::Name(name.to_owned()));
    }
    if value.contains('\0') {
        return Err(Error::Value(name.to_owned()));
    }
    loop {
        let delimiter = random_word().map_err(Error::Random)?;
        // By chance never; a source of randomness that repeats itself could.
        if !value.contains(&delimiter) {
            return Ok(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"));
        }
    }
}

/// A word that nobody can guess.
pub(super) fn random_word() -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(format!("ghswarm_{:032x}", u128::from_ne_bytes(random)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_does_not_end_a_value() {
        let text = entry("A", "x\nEOF\nB=1\nC<<EOF").unwrap();
        let delimiter = text.lines().next().unwrap().strip_prefix("A<<").unwrap();
        assert_eq!(
            text,
            format!("A<<{delimiter}\nx\nEOF\nB=1\nC<<EOF\n{delimiter}\n")
        );
        assert_ne!(entry("A", "").unwrap(), entry("A", "").unwrap());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "A B", "A=B", "A<<B", "A\nB", "é"] {
            assert!(matches!(entry(name, "x"), Err(Error::Name(_))), "{name:?}");
        }
        assert!(matches!(entry("A", "\0"), Err(Error::Value(_))));
        entry("record-key", "x").unwrap();
    }

    #[test]
    fn what_the_step_wrote_before_stays_and_has_its_own_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env");
        let files = FileCommands::of(|name| {
            (name == variable::GITHUB_ENV).then_some(path.to_str().unwrap())
        });
        for (before, start) in [("", ""), ("B=1", "B=1\n"), ("B=1\n", "B=1\n")] {
            File::create(&path)
                .and_then(|mut file| file.write_all(before.as_bytes()))
                .unwrap();
            files.set(Kind::Env, [("A", "x"), ("C", "y")]).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with(&format!("{start}A<<")), "{text}");
            assert_eq!(text.matches("<<").count(), 2);
        }
        let none = files.set(Kind::Output, [("A", "x")]).unwrap_err();
        assert_eq!(none.to_string(), "GITHUB_OUTPUT is not set");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(
            files.append(Kind::Env, "x"),
            Err(Error::Write { .. })
        ));
    }
}
