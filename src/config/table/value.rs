//! Values of a file or a variable, and what each row takes.

use super::super::{near, units};

/// What stands in a YAML file, already without aliases and tags.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: as if the key were not there.
    Null,
    /// `true` or `false`, as YAML 1.1 spells them.
    Boolean(bool),
    /// A number as it is written in decimal.
    Number(String),
    /// Text.
    Text(String),
    /// A list of values.
    List(Vec<Self>),
    /// Keys and values; the reader of the file looks into it itself.
    Map,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number between two others.
    Count {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// Seconds, or a time with a unit.
    Time,
    /// Bytes, or a size with a unit.
    Size,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A log level by any of its usual names.
    Level,
    /// A file or directory; a leading `~/` is the home directory.
    Path,
    /// Any text.
    Text,
    /// Texts: a YAML list, or a variable with commas or white space between them.
    List,
    /// Text that is never shown.
    Secret,
}

impl Kind {
    /// Any count.
    pub const ANY_COUNT: Self = Self::Count {
        least: 0,
        most: 1_000_000_000,
    };
    /// A TCP or UDP port.
    pub const PORT: Self = Self::Count {
        least: 0,
        most: 65535,
    };

    /// What a value of a file says, in one form for each meaning: a list of texts, one for all but lists.
    /// The error says what was expected.
    pub fn read(self, value: &Value) -> Result<Vec<String>, String> {
        match (self, value) {
            (Self::List, Value::List(items)) => items.iter().map(text_of_item).collect(),
            (Self::Boolean, Value::Boolean(yes)) => Ok(vec![yes.to_string()]),
            (Self::Count { .. } | Self::Time | Self::Size, Value::Number(number)) => {
                self.read_text(number)
            }
            // A quoted number is one: variables and inputs of actions are always text.
            (kind, Value::Text(text)) => kind.read_text(text),
            (kind, value) => Err(format!(
                "{} where {} is expected",
                found(value),
                kind.expected()
            )),
        }
    }

    /// The same for a variable.
    pub fn read_text(self, text: &str) -> Result<Vec<String>, String> {
        let one = match self {
            Self::Boolean => units::boolean(text)?.to_string(),
            Self::Count { least, most } => {
                let number = units::count(text).ok();
                let number = number.filter(|number| (least..=most).contains(number));
                number
                    .ok_or_else(|| {
                        format!("{} where {} is expected", quoted(text), self.expected())
                    })?
                    .to_string()
            }
            Self::Time => units::show_time(units::time(text)?),
            Self::Size => units::show_size(units::size(text)?),
            Self::OneOf(words) => {
                let same = |word: &&&str| word.eq_ignore_ascii_case(text.trim());
                let word = words.iter().find(same).ok_or_else(|| {
                    let near = near::did_you_mean(text, words.iter().copied());
                    format!(
                        "{} where {} is expected{near}",
                        quoted(text),
                        self.expected()
                    )
                })?;
                (*word).to_owned()
            }
            Self::Level => match text.trim().to_ascii_lowercase().as_str() {
                "warning" => "warn".to_owned(),
                "critical" | "fatal" => "error".to_owned(),
                level => units::level(level)?,
            },
            Self::Path | Self::Text | Self::Secret => text.to_owned(),
            Self::List => {
                let parts = text.split([',', ' ', '\t', '\n']);
                return Ok(parts
                    .filter(|part| !part.is_empty())
                    .map(str::to_owned)
                    .collect());
            }
        };
        Ok(vec![one])
    }

    /// What is expected, in words.
    pub fn expected(self) -> String {
        match self {
            Self::Boolean => "true or false".into(),
            Self::Count { least: 0, most } if most == u64::from(u16::MAX) => "a port".into(),
            Self::Count { least, most } => format!("a number from {least} to {most} (5k is 5000)"),
            Self::Time => "a time in seconds or like 5m".into(),
            Self::Size => "a size in bytes or like 64MiB".into(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::Level => "a level: error, warn, info or debug".into(),
            Self::Path => "a path".into(),
            Self::Text | Self::Secret => "text".into(),
            Self::List => "a list of texts".into(),
        }
    }
}

fn text_of_item(item: &Value) -> Result<String, String> {
    match item {
        Value::Text(text) | Value::Number(text) => Ok(text.clone()),
        other => Err(format!("{} in a list of texts", found(other))),
    }
}

/// A value in an error: short, and with nothing in it that steers a terminal.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut start: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        start.push('…');
    }
    format!("{start:?}")
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Number(number) => number.clone(),
        Value::Text(text) => quoted(text),
        Value::List(_) => "a list".into(),
        Value::Map => "a section".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn each_kind_has_one_form_for_each_meaning() {
        let number = |digits: &str| Value::Number(digits.to_owned());
        for (kind, value, form) in [
            (Kind::Boolean, Value::Boolean(true), "true"),
            (Kind::Boolean, text("off"), "false"),
            (Kind::ANY_COUNT, number("0500"), "500"),
            (Kind::Time, number("300"), "300s"),
            (Kind::Time, text("5m"), "300s"),
            (Kind::Size, number("104857600"), "100MiB"),
            (Kind::Size, text("1 KiB"), "1KiB"),
            (Kind::OneOf(&["tcp", "quic"]), text("TCP"), "tcp"),
            (Kind::Level, text("WARNING"), "warn"),
            (Kind::List, text("a, b c"), "a,b,c"),
            (Kind::List, Value::List(vec![text("a"), number("1")]), "a,1"),
        ] {
            let read = kind.read(&value).map(|texts| texts.join(","));
            assert_eq!(read.as_deref(), Ok(form), "{value:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_what_is_expected() {
        for (kind, value, word) in [
            (Kind::Boolean, text("perhaps"), "true or false"),
            (Kind::Boolean, Value::Number("2".into()), "true or false"),
            (Kind::PORT, Value::Number("65536".into()), "a port"),
            (Kind::Count { least: 1, most: 9 }, text("0"), "1 to 9"),
            (
                Kind::Count { least: 1, most: 9 },
                Value::Boolean(true),
                "1 to 9",
            ),
            (Kind::Time, text("soon"), "30s"),
            (Kind::Time, Value::Map, "5m"),
            (Kind::Size, text("5 parsecs"), "64MiB"),
            (Kind::OneOf(&["tcp", "quic"]), text("tpc"), "\"tcp\""),
            (Kind::Level, text("loud"), "debug"),
            (Kind::Text, Value::Number("1.0".into()), "text"),
            (Kind::List, Value::List(vec![Value::Map]), "texts"),
        ] {
            let reason = kind.read(&value).unwrap_err();
            assert!(reason.contains(word), "{value:?}: {reason}");
        }
        let long = Kind::ANY_COUNT.read(&text(&"\u{1b}[2J".repeat(10_000)));
        let reason = long.unwrap_err();
        assert!(reason.len() < 300 && !reason.contains('\u{1b}'), "{reason}");
    }
}
