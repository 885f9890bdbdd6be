//! Tables that fit the terminal: no line is ever wider, and nothing in a cell steers it.

use std::io::{self, IsTerminal as _};

use unicode_width::UnicodeWidthChar as _;

use super::context::Context;
use crate::config::env;

/// The width where there is no terminal: a log, a pipe.
const WIDTH: usize = 100;
/// Narrower than this, nothing can be read anyway.
const NARROWEST: usize = 20;
const GAP: usize = 2;
/// The widest cell but the last of its row.
const CELL: usize = 24;

/// A column's title, and the side at which its cells stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    /// For text.
    Left(&'static str),
    /// For numbers.
    Right(&'static str),
}

impl Column {
    const fn title(self) -> &'static str {
        match self {
            Self::Left(title) | Self::Right(title) => title,
        }
    }
}

/// Rows under titles. The last column takes what is left of the width, and what does not fit ends in `…`.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(columns: [Column; N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        let mut cells = cells.map(|cell| plain(&cell));
        for cell in cells.iter_mut().rev().skip(1) {
            *cell = cut(cell, CELL);
        }
        self.rows.push(cells);
    }

    /// The lines, none wider than `width` columns, each with its line break.
    pub(super) fn render(&self, width: usize) -> String {
        let titles = self.columns.map(|column| column.title().to_owned());
        let lines: Vec<_> = std::iter::once(&titles).chain(&self.rows).collect();
        let widest = |column: usize| {
            let cells = lines.iter().map(|cells| width_of(&cells[column]));
            cells.max().unwrap_or(0)
        };
        let widths: [usize; N] = std::array::from_fn(widest);
        let mut text = String::new();
        for cells in lines {
            let mut line = String::new();
            for (index, cell) in cells.iter().enumerate() {
                let padding = " ".repeat(widths[index] - width_of(cell));
                let (before, after) = match self.columns[index] {
                    Column::Left(_) => ("", padding.as_str()),
                    Column::Right(_) => (padding.as_str(), ""),
                };
                line.extend([before, cell, after]);
                line.push_str(&" ".repeat(GAP));
            }
            text.push_str(&cut(line.trim_end(), width.max(NARROWEST)));
            text.push('\n');
        }
        text
    }
}

/// The width of the terminal that stdout is: `COLUMNS` if it is set, else what the terminal says.
pub(super) fn width(context: &Context<'_>) -> usize {
    let told = context.environment().get(env::COLUMNS);
    let told = told.and_then(|columns| columns.trim().parse().ok());
    let asked = || {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(stdout).ok()?;
        Some(usize::from(size.ws_col))
    };
    told.or_else(asked)
        .filter(|&width| width > 0)
        .unwrap_or(WIDTH)
}

/// One line of `text`: what a name holds must not steer the terminal, nor turn the line around.
pub(super) fn plain(text: &str) -> String {
    let shown = |letter: char| {
        let steers = letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if steers { '\u{fffd}' } else { letter }
    };
    // A key of the key-value interface has any length; no terminal is this wide.
    text.chars().take(4096).map(shown).collect()
}

fn width_of(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

/// `text` on at most `width` columns; what is missing is `…`.
fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(letter);
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]], width: usize) -> String {
        let columns = [
            Column::Left("id"),
            Column::Right("size"),
            Column::Left("what"),
        ];
        let mut table = Table::new(columns);
        for row in rows {
            table.row(row.map(str::to_owned));
        }
        table.render(width)
    }

    #[test]
    fn numbers_stand_at_the_right_and_lines_have_no_tail() {
        let shown = table(&[["a", "1.0 KiB", "GET /user"], ["bcd", "7 B", ""]], 80);
        assert_eq!(
            shown,
            "id      size  what\na    1.0 KiB  GET /user\nbcd      7 B\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = "é".repeat(1_000_000);
        for width in [20, 40, 100] {
            let shown = table(
                &[["a", "1", &long], ["b", "2", "日本語のキーは幅が二つ"]],
                width,
            );
            assert_eq!(shown.lines().count(), 3);
            for line in shown.lines() {
                assert!(width_of(line) <= width, "{width}: {line}");
            }
            assert!(shown.lines().nth(1).unwrap().ends_with('…'));
        }
        assert!(
            table(&[["a", "1", "日本語"]], 80).contains("日本語\n"),
            "what fits is whole"
        );
        assert!(!table(&[["a", "1", "b"]], 0).is_empty());
        let shown = table(&[[&long, "1", "the end"]], 80);
        assert!(shown.ends_with("…     1  the end\n"), "{shown}");
    }

    #[test]
    fn nothing_in_a_cell_steers_the_terminal() {
        let shown = table(&[["a", "1", "x\0\n\u{1b}[2J\u{202e}y\u{9b}"]], 80);
        assert!(
            shown.ends_with("x\u{fffd}\u{fffd}\u{fffd}[2J\u{fffd}y\u{fffd}\n"),
            "{shown:?}"
        );
    }
}
