//! Words and signs of a `GraphQL` document.

use serde_json::Value;

/// Splits a document into tokens; commas, blanks and comments go.
pub(super) fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ',' => 0,
            letter if letter.is_whitespace() => 0,
            '#' => {
                rest = rest.find('\n').map_or("", |end| &rest[end..]);
                continue;
            }
            '"' if rest.starts_with("\"\"\"") => {
                let end = rest[3..].find("\"\"\"").ok_or("Unterminated string")?;
                found.push(Value::from(rest[3..end + 3].trim()).to_string());
                rest = &rest[end + 6..];
                continue;
            }
            '"' => string_length(rest).ok_or("Unterminated string")?,
            '.' if rest.starts_with("...") => 3,
            letter if letter.is_alphanumeric() || letter == '_' || letter == '-' => {
                let ends = |letter: char| !(letter.is_alphanumeric() || "_-.+".contains(letter));
                let end = rest.find(ends).unwrap_or(rest.len());
                // A name that runs into a spread: `name...on`.
                rest[..end].find("...").unwrap_or(end)
            }
            letter if "{}()[]:!$=@|&".contains(letter) => 1,
            other => return Err(format!("Parse error on {other:?}")),
        };
        if length == 0 {
            rest = &rest[first.len_utf8()..];
        } else {
            found.push(rest[..length].to_owned());
            rest = &rest[length..];
        }
    }
    Ok(found)
}

fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
