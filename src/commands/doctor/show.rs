//! The findings for people: grouped by area, a mark and a line each, what to do below it.

use std::fmt::Write as _;

use super::finding::{Finding, Level, Summary};

/// Lines are no longer than this, however wide the terminal: long lines are hard to read.
const WIDEST: usize = 100;
/// Below this nothing is wrapped: it would be a column of words.
const NARROWEST: usize = 40;

/// How the findings are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Columns of the terminal; `None`: not a terminal.
    pub(super) width: Option<usize>,
    pub(super) colour: bool,
}

/// The findings, and a summary as the last line.
pub(super) fn table(findings: &[Finding], style: Style) -> String {
    let width = style.width.unwrap_or(WIDEST).clamp(NARROWEST, WIDEST);
    let mut text = String::new();
    let mut area = None;
    for finding in findings {
        if area != Some(finding.area) {
            let gap = if area.is_some() { "\n" } else { "" };
            let title = painted(finding.area.title(), "1", style.colour);
            let _ = writeln!(text, "{gap}{title}");
            area = Some(finding.area);
        }
        let (mark, colour) = mark(finding.level);
        let mark = painted(mark, colour, style.colour);
        wrapped(&mut text, &format!("  {mark} "), 4, &finding.what, width);
        if let Some(fix) = &finding.fix {
            wrapped(&mut text, "    → ", 6, fix, width);
        }
    }
    let _ = writeln!(text, "\n{}", summary(Summary::of(findings)));
    text
}

fn summary(summary: Summary) -> String {
    let count = |number, one: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    };
    match (summary.problems, summary.warnings) {
        (0, 0) => "no problems".to_owned(),
        (0, warnings) => format!("no problems, {}", count(warnings, "warning")),
        (problems, 0) => count(problems, "problem"),
        (problems, warnings) => format!(
            "{}, {}",
            count(problems, "problem"),
            count(warnings, "warning")
        ),
    }
}

const fn mark(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::Ok => ("✓", "32"),
        Level::Note => ("·", "36"),
        Level::Warning => ("!", "33"),
        Level::Problem => ("✗", "31"),
    }
}

fn painted(text: &str, colour: &str, colours: bool) -> String {
    if colours {
        format!("\u{1b}[{colour}m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// Adds `content` behind `first`, which takes `indent` columns; so do the lines after it. A word
/// that is longer than a line stays whole: it is a path or a command to be copied.
fn wrapped(text: &mut String, first: &str, indent: usize, content: &str, width: usize) {
    text.push_str(first);
    for (number, line) in content.lines().enumerate() {
        if number > 0 {
            let _ = write!(text, "{:indent$}", "");
        }
        let mut column = indent;
        for (number, word) in words(line, width - indent).into_iter().enumerate() {
            let length = word.chars().count();
            if number > 0 {
                if column + 1 + length > width {
                    let _ = write!(text, "\n{:indent$}", "");
                    column = indent;
                } else {
                    text.push(' ');
                    column += 1;
                }
            }
            text.extend(word.chars().map(plain));
            column += length;
        }
        text.push('\n');
    }
}

/// The words of a line. A command between backquotes is one, if it fits on a line: so it can be copied.
fn words(line: &str, width: usize) -> Vec<String> {
    let ticks = |text: &str| text.matches('`').count();
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match words.last_mut() {
            Some(last)
                if ticks(last) % 2 == 1 && last.chars().count() + word.chars().count() < width =>
            {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// What others wrote (paths, logs, answers) must not steer the terminal.
fn plain(letter: char) -> char {
    if letter.is_control() {
        '\u{fffd}'
    } else {
        letter
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Area;
    use super::*;

    const PIPE: Style = Style {
        width: None,
        colour: false,
    };

    #[test]
    fn a_finding_is_a_line_and_its_fix_is_below_it() {
        let findings = [
            Finding::ok(Area::Daemon, "runs"),
            Finding::problem(Area::Port, "port 1 is taken", "take another"),
            Finding::warning(Area::Port, "x", "y"),
        ];
        assert_eq!(
            table(&findings, PIPE),
            "Daemon\n  ✓ runs\n\nPort\n  ✗ port 1 is taken\n    → take another\n  ! x\n    → y\n\n\
             1 problem, 1 warning\n"
        );
        assert!(table(&findings[..1], PIPE).ends_with("\nno problems\n"));
    }

    #[test]
    fn lines_fit_the_terminal_and_long_words_stay_whole() {
        let path = "/p".repeat(60);
        let what = format!("{} {path} end", "word ".repeat(30).trim_end());
        let style = Style {
            width: Some(50),
            colour: false,
        };
        let shown = table(&[Finding::problem(Area::Disk, what, "a b\nc")], style);
        assert!(shown.contains(&path), "{shown}");
        let long = |line: &&str| line.chars().count() > 50 && !line.contains(&path);
        assert_eq!(shown.lines().find(long), None);
        assert!(shown.contains("    → a b\n      c\n"), "{shown}");
    }

    #[test]
    fn a_command_that_fits_a_line_is_not_broken() {
        let fix = "start it with `ghswarm start --listen 127.0.0.1:0 --strict`, and look again";
        let style = Style {
            width: Some(60),
            colour: false,
        };
        let shown = table(&[Finding::problem(Area::Port, "taken", fix)], style);
        let command = "\n      `ghswarm start --listen 127.0.0.1:0 --strict`, and\n";
        assert!(shown.contains(command), "{shown}");
    }

    #[test]
    fn nothing_that_was_found_steers_the_terminal() {
        let found = [Finding::note(Area::Daemon, "a\u{1b}[2Jb\rc")];
        let shown = table(&found, PIPE);
        assert!(!shown.contains(['\u{1b}', '\r']), "{shown:?}");
        let coloured = Style {
            colour: true,
            ..PIPE
        };
        assert!(table(&found, coloured).contains("\u{1b}[36m·\u{1b}[0m"));
    }
}
