//! Workflow commands: lines on stdout that the runner acts upon, `::name key=value::data`.
//!
//! The runner looks for `::` at the start of each line and for the older `##[` anywhere in it (`ActionCommand`
//! in its source), so text of others is either escaped as the data of one command, made [`plain`], or
//! printed while commands are [`stopped`](Stopped).

use std::fmt::Write as _;

/// An annotation that stops nothing: shown with the run.
pub fn notice(title: &str, message: &str) -> String {
    annotation("notice", title, message)
}

/// An annotation of something that should be looked at.
pub fn warning(title: &str, message: &str) -> String {
    annotation("warning", title, message)
}

/// An annotation of what made a step fail.
pub fn error(title: &str, message: &str) -> String {
    annotation("error", title, message)
}

fn annotation(kind: &str, title: &str, message: &str) -> String {
    format!("::{kind} title={}::{}\n", property(title), data(message))
}

/// Lines that are folded under a title.
pub fn group<'a>(title: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = format!("::group::{}\n", data(&plain(title)));
    for line in lines {
        let _ = writeln!(text, "{}", plain(line));
    }
    text.push_str("::endgroup::\n");
    text
}

/// The shortest line of a secret that is masked. The runner replaces a masked text wherever it stands: a brace or
/// a digit would blank out half the log.
const SHORTEST_MASKED: usize = 6;

/// The commands that hide `secret` in the log from now on: one for each of its lines that is long enough to be
/// one. The runner would split a secret of several lines itself, and hide the short ones as well.
pub fn masks(secret: &str) -> String {
    let lines = secret.split(['\r', '\n']).map(str::trim);
    let mut commands = String::new();
    for line in lines.filter(|line| line.chars().count() >= SHORTEST_MASKED) {
        let _ = writeln!(commands, "::add-mask::{}", data(line));
    }
    commands
}

/// One line of text of others, in which nothing is a command or steers a terminal.
pub fn plain(text: &str) -> String {
    let visible = |letter: char| match letter {
        '\t' => ' ',
        letter if letter.is_control() || is_hidden(letter) => '\u{fffd}',
        letter => letter,
    };
    let text: String = text.chars().map(visible).collect();
    let text = text.replace("##[", "## [");
    match text.trim_start().strip_prefix("::") {
        Some(rest) => format!(": :{rest}"),
        None => text,
    }
}

/// Letters that change the order of others or cannot be seen (Unicode: `Bidi_Control`, zero width).
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// A part of the log in which the runner acts upon no command until it reads the word that it was given.
#[derive(Debug)]
pub struct Stopped {
    word: String,
}

impl Stopped {
    /// Stops commands until the end that [`end`](Self::end) writes. The word is random: whoever wrote the text in
    /// between cannot know it.
    pub fn new() -> Result<Self, getrandom::Error> {
        Ok(Self {
            word: super::file_command::random_word()?,
        })
    }

    /// The first line.
    pub fn start(&self) -> String {
        format!("::stop-commands::{}\n", self.word)
    }

    /// The last line. It begins with a line break, lest the text before it had no end.
    pub fn end(&self) -> String {
        format!("\n::{}::\n", self.word)
    }
}

fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_whatever_it_says() {
        let line = notice("a: b, c", "100%\r\n::set-env name=X::y\n##[add-mask]z");
        assert_eq!(
            line,
            "::notice title=a%3A b%2C c::100%25%0D%0A::set-env name=X::y%0A##[add-mask]z\n"
        );
        assert_eq!(warning("t", "m"), "::warning title=t::m\n");
        assert_eq!(error("t", "m"), "::error title=t::m\n");
    }

    #[test]
    fn text_of_others_is_no_command() {
        for (text, shown) in [
            ("::add-mask::x", ": :add-mask::x"),
            ("  ::error::x", ": :error::x"),
            ("\u{feff}::error::x", "\u{fffd}::error::x"),
            ("a ##[error]x", "a ## [error]x"),
            ("a\r\n::error::x", "a\u{fffd}\u{fffd}::error::x"),
            ("\u{1b}[2Jx\u{202e}y", "\u{fffd}[2Jx\u{fffd}y"),
            ("fine: a::b", "fine: a::b"),
        ] {
            assert_eq!(plain(text), shown);
        }
        assert_eq!(
            group("a\n::error::b", ["::endgroup::", "c"]),
            "::group::a\u{fffd}::error::b\n: :endgroup::\nc\n::endgroup::\n"
        );
    }

    #[test]
    fn only_lines_that_say_something_are_masked() {
        assert_eq!(masks("hunter2-hunter2"), "::add-mask::hunter2-hunter2\n");
        assert_eq!(
            masks("{\n  first-line%\r\n}\n\nsecond-line\n"),
            "::add-mask::first-line%25\n::add-mask::second-line\n"
        );
        assert_eq!(masks("a"), "");
    }

    #[test]
    fn commands_stay_stopped_until_a_word_that_nobody_knows() {
        let (one, other) = (Stopped::new().unwrap(), Stopped::new().unwrap());
        assert_ne!(one.start(), other.start());
        let word = one.start().trim_end().replace("::stop-commands::", "");
        assert!(word.len() >= 32);
        assert_eq!(one.end(), format!("\n::{word}::\n"));
    }
}
