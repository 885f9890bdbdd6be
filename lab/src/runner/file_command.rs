//! The files that a step writes, as the runner reads them when the step has ended.

/// What a file says: its entries in order, and why the runner stopped reading before its end, if it did. What it
/// had read by then holds, and the step has failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Names and values.
    pub entries: Vec<(String, String)>,
    /// In the runner's words.
    pub error: Option<String>,
}

/// Reads the file of variables, outputs or state.
pub fn entries(file: &[u8]) -> Read {
    let text = String::from_utf8_lossy(file);
    let mut lines = Lines(text.strip_prefix('\u{feff}').unwrap_or(&text));
    let mut read = Read::default();
    while let Some((line, _)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        match entry(line, &mut lines) {
            Ok(entry) => read.entries.push(entry),
            Err(error) => {
                read.error = Some(error);
                break;
            }
        }
    }
    read
}

/// Reads the file of folders for `PATH`.
pub fn folders(file: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(file);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// One entry that begins with `line`: whichever of `=` and `<<` comes first decides its form.
fn entry(line: &str, lines: &mut Lines<'_>) -> Result<(String, String), String> {
    let (equals, heredoc) = (line.find('='), line.find("<<"));
    match (equals, heredoc) {
        (Some(at), other) if other.is_none_or(|other| at < other) => {
            let name = &line[..at];
            if name.is_empty() {
                return Err(format!("Invalid format '{line}'. Name must not be empty"));
            }
            Ok((name.to_owned(), line[at + 1..].to_owned()))
        }
        (_, Some(at)) => {
            let (name, delimiter) = (&line[..at], &line[at + 2..]);
            if name.is_empty() || delimiter.is_empty() {
                return Err(format!(
                    "Invalid format '{line}'. Name must not be empty and delimiter must not be empty"
                ));
            }
            Ok((name.to_owned(), value(delimiter, lines)?))
        }
        _ => Err(format!("Invalid format '{line}'")),
    }
}

/// What stands before the line `delimiter`, without the line break in front of it.
fn value(delimiter: &str, lines: &mut Lines<'_>) -> Result<String, String> {
    let rest = lines.0;
    let mut length = 0;
    let mut end = 0;
    loop {
        let Some((line, ended)) = lines.next() else {
            return Err(format!(
                "Invalid value. Matching delimiter not found '{delimiter}'"
            ));
        };
        if line == delimiter {
            return Ok(rest[..end].to_owned());
        }
        if !ended {
            return Err("Invalid value. EOF marker missing new line.".to_owned());
        }
        end = length + line.len();
        length = end + 1;
    }
}

/// Lines, and whether each has an end. Carriage returns are letters like others, but on Windows.
struct Lines<'a>(&'a str);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a str, bool);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (line, rest, ended) = match self.0.split_once('\n') {
            Some((line, rest)) => (line, rest, true),
            None => (self.0, "", false),
        };
        self.0 = rest;
        Some((line, ended))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of the runner's own tests (`SetEnvFileCommandL0`, `SetOutputFileCommandL0`).
    #[test]
    fn the_runners_own_cases() {
        let cases: [(&str, &[(&str, &str)]); 11] = [
            ("", &[]),
            ("A=MY VALUE", &[("A", "MY VALUE")]),
            (
                "\nA=my value\n\nB=my second value\n\n",
                &[("A", "my value"), ("B", "my second value")],
            ),
            ("A=", &[("A", "")]),
            (
                "A==abc\nB=def=ghi\nC=jkl=",
                &[("A", "=abc"), ("B", "def=ghi"), ("C", "jkl=")],
            ),
            (
                "A<<EOF\nline one\nline two\nline three\nEOF",
                &[("A", "line one\nline two\nline three")],
            ),
            ("A<<EOF\nEOF", &[("A", "")]),
            ("A<<EOF\n\nEOF", &[("A", "")]),
            (
                "\nA<<EOF\nhello\nworld\nEOF\n\nB<<EOF\nHELLO\nEOF\n",
                &[("A", "hello\nworld"), ("B", "HELLO")],
            ),
            (
                "A<<=EOF\nhello\none\n=EOF\nB<<<EOF\nhello\ntwo\n<EOF\nC<<EOF\nhello\n\nthree\n\nEOF\nD<<EOF\nhello=four\nEOF\nE<<EOF\n EOF\nEOF",
                &[
                    ("A", "hello\none"),
                    ("B", "hello\ntwo"),
                    ("C", "hello\n\nthree\n"),
                    ("D", "hello=four"),
                    ("E", " EOF"),
                ],
            ),
            ("\u{feff}A<<EOF\nx\nEOF\n", &[("A", "x")]),
        ];
        for (text, expected) in cases {
            let read = entries(text.as_bytes());
            let found: Vec<_> = read
                .entries
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            assert_eq!((found.as_slice(), read.error), (expected, None), "{text:?}");
        }
    }

    #[test]
    fn what_the_runner_does_not_take() {
        for (text, word) in [
            // Joined by spaces instead of line breaks.
            (
                "A<<EOF line one line two EOF",
                "Matching delimiter not found",
            ),
            (
                "A<<EOF line one\n  line two\n  line three EOF",
                "EOF marker missing new line",
            ),
            ("A<<EOF\nx\n", "Matching delimiter not found 'EOF'"),
            ("A<<EOF\nx", "EOF marker missing new line"),
            ("A<<\nx\n", "delimiter must not be empty"),
            ("<<EOF\nx\nEOF", "Name must not be empty"),
            ("=x", "Name must not be empty"),
            ("x", "Invalid format 'x'"),
        ] {
            let read = entries(format!("Z=1\n{text}").as_bytes());
            assert!(
                read.error.is_some_and(|error| error.contains(word)),
                "{text:?}"
            );
            assert_eq!(read.entries, [("Z".to_owned(), "1".to_owned())]);
        }
    }

    #[test]
    fn a_line_break_in_a_plain_value_begins_another_entry() {
        let read = entries(b"TITLE=innocent\nLD_PRELOAD=/evil.so\n");
        assert_eq!(read.entries.len(), 2);
    }

    #[test]
    fn folders_are_lines() {
        assert_eq!(folders(b"/a\n\n/b c\r\n"), ["/a", "/b c"]);
    }
}
