//! A file of variables, as `.env.cache` of the older documents. Nothing in it is expanded or run.

/// Lines of a file that are read; what is behind them is an error.
const MOST_LINES: usize = 10_000;

/// A variable and the line that sets it, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) value: String,
}

/// What cannot be read, and in which line. The line itself may hold a secret and is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) number: u64,
    pub(super) reason: String,
}

/// Reads `NAME=VALUE` lines: with or without `export `, comments after `#`, single quotes around text as it
/// is, double quotes around text with `\n`, `\t`, `\"`, `\\` and `\$`. A later line wins.
pub(super) fn read(bytes: &[u8]) -> (Vec<Line>, Vec<Wrong>) {
    let mut lines: Vec<Line> = Vec::new();
    let mut wrong = Vec::new();
    let Ok(text) = std::str::from_utf8(bytes) else {
        let reason = "not UTF-8 text".to_owned();
        return (lines, vec![Wrong { number: 0, reason }]);
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let number = index as u64 + 1;
        if index >= MOST_LINES {
            let reason = format!("more than {MOST_LINES} lines");
            wrong.push(Wrong { number, reason });
            break;
        }
        match assignment(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => lines.push(Line {
                number,
                name,
                value,
            }),
            Err(reason) => wrong.push(Wrong {
                number,
                reason: reason.to_owned(),
            }),
        }
    }
    (lines, wrong)
}

fn assignment(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line
        .strip_prefix("export")
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map_or(line, str::trim_start);
    let (name, value) = line.split_once('=').ok_or("not NAME=VALUE")?;
    let name = name.trim_end();
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = name.starts_with(|first: char| !first.is_ascii_digit());
    if !starts_well || !name.bytes().all(letter) {
        return Err("not NAME=VALUE: a name has letters, digits and underscores");
    }
    Ok(Some((name.to_owned(), unquoted(value.trim())?)))
}

fn unquoted(value: &str) -> Result<String, &'static str> {
    let (text, rest) = if let Some(text) = value.strip_prefix('\'') {
        let (text, rest) = text.split_once('\'').ok_or("the quote ' has no end")?;
        (text.to_owned(), rest)
    } else if let Some(text) = value.strip_prefix('"') {
        double_quoted(text)?
    } else {
        // In a shell a `#` begins a comment only behind white space.
        let comment = value
            .match_indices('#')
            .find(|(at, _)| *at == 0 || value[..*at].ends_with([' ', '\t']));
        let end = comment.map_or(value.len(), |(at, _)| at);
        (value[..end].trim_end().to_owned(), "")
    };
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(text)
    } else {
        Err("something stands behind the closing quote")
    }
}

fn double_quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut plain = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((plain, &text[at + 1..])),
            '\\' => match letters.next() {
                Some((_, 'n')) => plain.push('\n'),
                Some((_, 't')) => plain.push('\t'),
                Some((_, escaped @ ('"' | '\\' | '$'))) => plain.push(escaped),
                Some((_, other)) => plain.extend(['\\', other]),
                None => break,
            },
            letter => plain.push(letter),
        }
    }
    Err("the quote \" has no end")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let (lines, wrong) = read(text.as_bytes());
        assert_eq!(wrong, [], "{text}");
        lines
            .into_iter()
            .map(|line| (line.name, line.value))
            .collect()
    }

    #[test]
    fn lines_are_read_as_a_shell_would_but_nothing_is_run() {
        for (line, value) in [
            ("A=1", "1"),
            ("  export A = 1  ", "1"),
            ("export\tA=1", "1"),
            ("A=", ""),
            ("A=a b # a comment", "a b"),
            ("A=a#b", "a#b"),
            ("A=# only a comment", ""),
            ("A='$HOME # \"x\"' # a comment", "$HOME # \"x\""),
            (r#"A="a\n\"b\" \$c \d""#, "a\n\"b\" $c \\d"),
            ("A=$(touch /tmp/x)`id`${B}", "$(touch /tmp/x)`id`${B}"),
            ("A=a=b", "a=b"),
            ("\u{feff}A=1\r\n", "1"),
        ] {
            assert_eq!(values(line), [("A".to_owned(), value.to_owned())], "{line}");
        }
        assert_eq!(values("\n# nothing\n  \n"), []);
        assert_eq!(
            values("exported=1"),
            [("exported".to_owned(), "1".to_owned())]
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line_and_not_shown() {
        for line in [
            "hunter2",
            "1A=hunter2",
            "A B=hunter2",
            "=hunter2",
            "A='hunter2",
            "A=\"hunter2",
            "A=\"hunter2\\",
            "A='x' hunter2",
        ] {
            let (lines, wrong) = read(format!("# fine\n{line}\nB=1").as_bytes());
            assert_eq!((lines.len(), wrong.len()), (1, 1), "{line}");
            assert_eq!(wrong[0].number, 2);
            assert!(!wrong[0].reason.contains("hunter2"), "{:?}", wrong[0]);
        }
        assert_eq!(read(b"A=\xff").1.len(), 1);
        let (lines, wrong) = read("A=1\n".repeat(MOST_LINES + 9).as_bytes());
        assert_eq!((lines.len(), wrong.len()), (MOST_LINES, 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            read(&bytes);
        }

        #[test]
        fn any_lines_are_read_without_a_panic(text in "(export )?[A-Z#='\"\\\\ \n$é]{0,60}") {
            for line in read(text.as_bytes()).0 {
                prop_assert!(!line.name.is_empty() && line.value.len() <= text.len());
            }
        }
    }
}
