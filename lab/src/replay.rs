//! Reads `PyGithub`'s recorded traffic (`tests/ReplayData` of its source distribution).
//!
//! A recording is a row of blocks of ten lines: scheme, verb, host, port, path, request headers
//! (a Python dict), request body, status, response headers (a Python list of pairs), body.

use std::io;
use std::path::Path;

/// One recorded request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The method.
    pub verb: String,
    /// The host.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// The request's headers; tokens are struck out in the recordings.
    pub request_headers: Vec<(String, String)>,
    /// The request's body.
    pub request_body: String,
    /// The status.
    pub status: u16,
    /// The response's headers, names in lower case, duplicates kept.
    pub response_headers: Vec<(String, String)>,
    /// The response's body.
    pub response_body: String,
    /// The name of the file.
    pub file: String,
}

impl Exchange {
    /// All values of a response header.
    pub fn response_header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self
            .response_headers
            .iter()
            .filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// A request header's value.
    pub fn request_header(&self, name: &str) -> Option<&str> {
        let mut all = self.request_headers.iter();
        let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// All exchanges of all `.txt` files in a folder, in the order of their names.
pub fn folder(path: &Path) -> io::Result<Vec<Exchange>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let name = entry?.path();
        if name.extension().is_some_and(|ending| ending == "txt") {
            names.push(name);
        }
    }
    names.sort();
    let mut all = Vec::new();
    for name in names {
        let text = String::from_utf8_lossy(&std::fs::read(&name)?).into_owned();
        let file = name
            .file_name()
            .map_or_else(String::new, |it| it.to_string_lossy().into());
        let parsed = parse(&text).into_iter();
        all.extend(parsed.map(|exchange| Exchange {
            file: file.clone(),
            ..exchange
        }));
    }
    Ok(all)
}

/// The exchanges of one recording; blocks that don't parse are left out.
pub fn parse(text: &str) -> Vec<Exchange> {
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let mut exchanges = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if !matches!(lines[at].trim(), "https" | "http") {
            at += 1;
            continue;
        }
        exchanges.extend(lines.get(at..at + 10).and_then(block));
        at += 10;
    }
    exchanges
}

fn block(lines: &[&str]) -> Option<Exchange> {
    let mut response_headers = pairs(lines[8])?;
    for (name, _) in &mut response_headers {
        name.make_ascii_lowercase();
    }
    Some(Exchange {
        verb: lines[1].into(),
        host: lines[2].into(),
        path: lines[4].into(),
        request_headers: pairs(lines[5])?,
        request_body: lines[6].into(),
        status: lines[7].trim().parse().ok()?,
        response_headers,
        response_body: lines[9].into(),
        file: String::new(),
    })
}

/// The pairs of `{'a': 'b'}` or `[('a', 'b')]`: every string literal, two by two. A block that was
/// written by hand may say `''` for none.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut literals = Vec::new();
    let mut rest = text.trim();
    if rest == "''" {
        return Some(Vec::new());
    }
    if !rest.starts_with(['{', '[']) {
        return None;
    }
    while let Some(start) = rest.find(['\'', '"']) {
        let (literal, after) = string(&rest[start..])?;
        literals.push(literal);
        rest = after;
    }
    if literals.len() % 2 != 0 {
        return None;
    }
    let mut literals = literals.into_iter();
    let mut pairs = Vec::new();
    while let (Some(name), Some(value)) = (literals.next(), literals.next()) {
        pairs.push((name, value));
    }
    Some(pairs)
}

/// A Python string literal at the start of `text`, and what follows it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut letters = text.char_indices();
    let (_, quote) = letters.next()?;
    let mut out = String::new();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next()?.1 {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'x' => {
                    let digits = [letters.next()?.1, letters.next()?.1];
                    let code = u32::from_str_radix(&String::from_iter(digits), 16).ok()?;
                    out.push(char::from_u32(code)?);
                }
                other => out.push(other),
            },
            letter if letter == quote => return Some((out, &text[at + 1..])),
            letter => out.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_parses() {
        let text = "https\nGET\napi.github.com\nNone\n/user\n{'A': 'b', \"C\": \"it's\"}\nNone\n200\n\
                    [('ETag', 'W/\"x\"'), ('Vary', 'a'), ('Vary', 'b')]\n{\"id\":1}\n\n";
        let all = parse(text);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].request_header("c"), Some("it's"));
        assert_eq!(
            all[0].response_header("vary").collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(all[0].response_header("etag").next(), Some("W/\"x\""));
        assert_eq!(
            (all[0].status, all[0].response_body.as_str()),
            (200, "{\"id\":1}")
        );
    }

    #[test]
    fn a_block_that_names_no_headers_parses() {
        let text = "https\nDELETE\napi.github.com\nNone\n/x\n{}\n{\"a\":1}\n204\n''\n\n\n";
        let all = parse(text);
        assert_eq!(all.len(), 1);
        assert!(all[0].response_headers.is_empty());
        assert_eq!(
            (all[0].status, all[0].request_body.as_str()),
            (204, "{\"a\":1}")
        );
    }
}
