//! What the runner does with a line that a step prints.

use std::collections::BTreeMap;

/// The commands that a runner knows.
const COMMANDS: [&str; 16] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "internal-set-repo-path",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// How much an annotation matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `::notice`
    Notice,
    /// `::warning`
    Warning,
    /// `::error`
    Error,
}

/// What is shown with the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// How much it matters.
    pub level: Level,
    /// `title=`, if there is one.
    pub title: Option<String>,
    /// What it says.
    pub message: String,
}

/// A command in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name.
    pub name: String,
    /// Its properties.
    pub properties: BTreeMap<String, String>,
    /// What follows.
    pub data: String,
}

/// The reader of one job's lines.
#[derive(Debug, Default)]
pub struct Log {
    masks: Vec<String>,
    /// The word that starts commands again.
    stopped: Option<String>,
    /// What was annotated since somebody asked last.
    pub annotations: Vec<Annotation>,
    /// What `::set-output` set since then.
    pub outputs: Vec<(String, String)>,
    /// Commands that fail a step: those that were taken out of use for what they let others do.
    pub refused: Vec<String>,
}

impl Log {
    /// Hides `secret` from now on.
    pub fn mask(&mut self, secret: &str) {
        let lines = secret.split(['\r', '\n']).map(str::trim);
        for text in std::iter::once(secret).chain(lines) {
            if !text.is_empty() && !self.masks.iter().any(|mask| mask == text) {
                self.masks.push(text.to_owned());
            }
        }
        // A mask that has another one in it goes first.
        self.masks.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
    }

    /// `text` as it is shown.
    pub fn masked(&self, text: &str) -> String {
        self.masks
            .iter()
            .fold(text.to_owned(), |text, mask| text.replace(mask, "***"))
    }

    /// Takes one line in, and says what is shown of it.
    pub fn line(&mut self, line: &str) -> String {
        let known = |name: &str| {
            COMMANDS.contains(&name) || self.stopped.as_deref().is_some_and(|word| word == name)
        };
        let Some(command) = parse(line, known).or_else(|| parse_old(line, known)) else {
            return self.masked(line);
        };
        if let Some(word) = &self.stopped {
            if *word == command.name {
                self.stopped = None;
            }
            return self.masked(line);
        }
        self.act(&command);
        self.masked(line)
    }

    fn act(&mut self, command: &Command) {
        let level = match command.name.as_str() {
            "notice" => Level::Notice,
            "warning" => Level::Warning,
            "error" => Level::Error,
            "add-mask" => return self.mask(&command.data),
            "stop-commands" => {
                self.stopped = Some(command.data.clone());
                return;
            }
            "set-output" => {
                let name = command.properties.get("name").cloned().unwrap_or_default();
                self.outputs.push((name, command.data.clone()));
                return;
            }
            "set-env" | "add-path" => return self.refused.push(command.name.clone()),
            _ => return,
        };
        self.annotations.push(Annotation {
            level,
            title: command.properties.get("title").cloned(),
            message: self.masked(&command.data),
        });
    }
}

/// `::name key=value,key=value::data`, at the start of the line but for white space.
pub fn parse(line: &str, known: impl Fn(&str) -> bool) -> Option<Command> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (head, data) = rest.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    known(name).then(|| Command {
        name: name.to_owned(),
        properties: pairs(properties.trim(), ',', &PROPERTY),
        data: unescape(data, &DATA),
    })
}

/// `##[name key=value;key=value]data`, anywhere in the line.
pub fn parse_old(line: &str, known: impl Fn(&str) -> bool) -> Option<Command> {
    let (_, rest) = line.split_once("##[")?;
    let (head, data) = rest.split_once(']')?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    known(name).then(|| Command {
        name: name.to_owned(),
        properties: pairs(properties, ';', &OLD),
        data: unescape(data, &OLD),
    })
}

type Escapes = [(&'static str, &'static str)];

const DATA: [(&str, &str); 3] = [("%0D", "\r"), ("%0A", "\n"), ("%25", "%")];
const PROPERTY: [(&str, &str); 5] = [
    ("%0D", "\r"),
    ("%0A", "\n"),
    ("%3A", ":"),
    ("%2C", ","),
    ("%25", "%"),
];
const OLD: [(&str, &str); 5] = [
    ("%3B", ";"),
    ("%0D", "\r"),
    ("%0A", "\n"),
    ("%5D", "]"),
    ("%25", "%"),
];

fn unescape(text: &str, escapes: &Escapes) -> String {
    let text = text.to_owned();
    escapes.iter().fold(text, |text, (escaped, letter)| {
        text.replace(escaped, letter)
    })
}

fn pairs(text: &str, separator: char, escapes: &Escapes) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let both = !key.is_empty() && !value.is_empty();
        both.then(|| (key.to_ascii_lowercase(), unescape(value, escapes)))
    };
    text.split(separator).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of the runner's own tests (`ActionCommandL0`).
    #[test]
    fn the_runners_own_cases() {
        let known = |name: &str| name == "do-something";
        let command = |properties: &[(&str, &str)], data: &str| Command {
            name: "do-something".to_owned(),
            properties: properties
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            data: data.to_owned(),
        };
        for (line, expected) in [
            (
                "::do-something k1=v1,::msg",
                command(&[("k1", "v1")], "msg"),
            ),
            ("::do-something::", command(&[], "")),
            (
                "   ::do-something k1=;=%2C=%0D=%0A=]=%3A,::;-%0D-%0A-]-:-,",
                command(&[("k1", ";=,=\r=\n=]=:")], ";-\r-\n-]-:-,"),
            ),
            (
                "::do-something k1=,k2=%25,::%25",
                command(&[("k2", "%")], "%"),
            ),
        ] {
            assert_eq!(parse(line, known), Some(expected), "{line}");
        }
        assert_eq!(parse("x ::do-something::y", known), None);
        assert_eq!(parse("::other::y", known), None);
        assert_eq!(
            parse_old("x ##[do-something k1=%3B=%5D;]a%5Db", known),
            Some(command(&[("k1", ";=]")], "a]b"))
        );
    }

    #[test]
    fn masks_hide_every_line_and_commands_can_be_stopped() {
        let mut log = Log::default();
        log.line("::add-mask::first line%0Asecond line");
        assert_eq!(log.line("a second line"), "a ***");
        log.line("::stop-commands::word");
        log.line("::notice::no");
        log.line("::word::");
        log.line("::notice title=t::100%25 first line");
        let expected = Annotation {
            level: Level::Notice,
            title: Some("t".to_owned()),
            message: "100% ***".to_owned(),
        };
        assert_eq!(log.annotations, [expected]);
        log.line("::set-env name=A::b");
        assert_eq!(log.refused, ["set-env"]);
    }
}
