//! GraphQL's lexical tokens (October 2021 edition, section 2.1).

use super::Unreadable;

/// What kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of `! $ & ( ) : = @ [ ] { | }`.
    Punctuator,
    /// `...`
    Spread,
    /// A name.
    Name,
    /// An `IntValue` or a `FloatValue`.
    Number,
    /// A `StringValue`, block strings too, with its quotes.
    String,
}

/// A token as it stands in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its text.
    pub text: &'a str,
}

impl Token<'_> {
    /// Whether white space must stay between this token and `next`: together they would be read as
    /// other tokens (`a b`, `1 ...`, `"" ""`).
    pub fn needs_space_before(&self, next: &Token<'_>) -> bool {
        let is_wordlike = |kind| matches!(kind, Kind::Name | Kind::Number | Kind::String);
        is_wordlike(self.kind)
            && (is_wordlike(next.kind) || (self.kind == Kind::Number && next.kind == Kind::Spread))
    }
}

/// Cuts a document into tokens. Stops for good at the first error.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    /// Begins at the start of `document`.
    pub fn new(document: &'a str) -> Self {
        Self { rest: document }
    }

    /// Leaves out what is insignificant (2.1.7): white space, line ends, commas, comments and marks of
    /// byte order.
    fn skip_ignored(&mut self) {
        loop {
            self.rest = self
                .rest
                .trim_start_matches(['\u{feff}', '\t', ' ', '\n', '\r', ',']);
            if !self.rest.starts_with('#') {
                return;
            }
            let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
        }
    }

    fn token(&self) -> Option<Token<'a>> {
        let bytes = self.rest.as_bytes();
        let (kind, len) = match bytes.first()? {
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|'
            | b'}' => (Kind::Punctuator, 1),
            b'.' => (Kind::Spread, bytes.starts_with(b"...").then_some(3)?),
            b'"' => (Kind::String, string(self.rest)?),
            b'-' | b'0'..=b'9' => (Kind::Number, number(bytes)?),
            byte if is_name_start(*byte) => (Kind::Name, name(bytes)),
            _ => return None,
        };
        Some(Token {
            kind,
            text: &self.rest[..len],
        })
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<Token<'a>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.skip_ignored();
        if self.rest.is_empty() {
            return None;
        }
        let token = self.token();
        self.rest = token.map_or("", |token| &self.rest[token.text.len()..]);
        Some(token.ok_or(Unreadable::Syntax))
    }
}

const fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn name(bytes: &[u8]) -> usize {
    let is_part = |byte: &&u8| is_name_start(**byte) || byte.is_ascii_digit();
    bytes.iter().take_while(is_part).count()
}

fn digits(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// The length of a number (2.9.1, 2.9.2): no leading zeros, and neither a digit, a dot nor a name
/// follows.
fn number(bytes: &[u8]) -> Option<usize> {
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let whole = digits(&bytes[at..]);
    if whole == 0 || (whole > 1 && bytes[at] == b'0') {
        return None;
    }
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(&bytes[at + 1..]);
        // `1...` is broken too: a dot must not follow a number.
        at += 1 + (fraction > 0).then_some(fraction)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(bytes.get(at..)?);
        at += (exponent > 0).then_some(exponent)?;
    }
    match bytes.get(at) {
        Some(b'.') => None,
        Some(byte) if is_name_start(*byte) => None,
        _ => Some(at),
    }
}

/// The length of a string or a block string (2.9.4) with its quotes.
fn string(text: &str) -> Option<usize> {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        let mut at = 0;
        loop {
            let end = at + block.get(at..)?.find("\"\"\"")?;
            // `\"""` is the one escape of a block string.
            if end > 0 && block.as_bytes()[end - 1] == b'\\' {
                at = end + 3;
            } else {
                return control_free(&block[..end]).then_some(3 + end + 3);
            }
        }
    }
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return control_free(&text[1..at]).then_some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' => at += escape(bytes.get(at + 1..)?)?,
            _ => at += 1,
        }
    }
}

/// The length of an escape with its backslash; `rest` follows the backslash.
fn escape(rest: &[u8]) -> Option<usize> {
    match rest.first()? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => rest
            .get(1..5)?
            .iter()
            .all(u8::is_ascii_hexdigit)
            .then_some(6),
        _ => None,
    }
}

/// No control characters but tab and line ends (2.1.1).
fn control_free(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte >= b' ' || matches!(byte, b'\t' | b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(document: &str) -> Result<Vec<&str>, Unreadable> {
        Lexer::new(document)
            .map(|token| token.map(|token| token.text))
            .collect()
    }

    #[test]
    fn what_is_no_token_stops_the_lexer() {
        for document in [
            "a ? b",
            "..",
            "\"a",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "01",
            "-",
            "1.",
            "1.e1",
            "1e",
            "1e+",
            "1a",
            "1.5.5",
            "1...a",
            "0x1",
            "\"\"\"a\"\"",
            "\"\"\"\\\"\"\"",
            "\u{7}",
            "ä",
            "\"\u{1}\"",
            "~",
            "%",
        ] {
            assert_eq!(texts(document), Err(Unreadable::Syntax), "{document:?}");
        }
    }

    #[test]
    fn the_insignificant_is_left_out_and_strings_are_not_looked_into() {
        assert_eq!(
            texts("\u{feff}{a,,b #c \"d\r\n ...on E}").unwrap(),
            ["{", "a", "b", "...", "on", "E", "}"]
        );
        assert_eq!(
            texts(r#""a # , \" b" """ x "" \""" # """ -1.5e-3"#).unwrap(),
            [r#""a # , \" b""#, r#"""" x "" \""" # """"#, "-1.5e-3"]
        );
    }
}
