//! A YAML file as keys and values with their lines, within limits: the author may be anybody.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Spanned, alias_limits, budget, options};

use super::near;
use super::table::{self, Place, Row, Value};

/// The largest file that is read, in bytes.
pub(super) const LARGEST: u64 = 1 << 20;
/// Keys, values and list items of a file. Two hundred keys are known.
const MOST_NODES: usize = 10_000;
/// Sections inside of sections. Four are known.
const DEEPEST: usize = 16;
/// References to other places of the file (`*name`), and what they may repeat in all.
const MOST_ALIASES: usize = 64;
const MOST_REPEATED: usize = 4096;

/// One value of a file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What the table knows about its key.
    pub(super) row: &'static Row,
    /// What is written.
    pub(super) value: Value,
    /// Where, from 1.
    pub(super) line: u64,
}

/// What is wrong at a line; line 0 if it is the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: u64,
    /// The dotted key, if there is one.
    pub(super) key: String,
    pub(super) reason: String,
}

/// The values of a YAML text, and everything that is wrong with it. Keys that are not in the table are
/// wrong, and so is a key that stands twice.
pub(super) fn read(text: &[u8]) -> (Vec<Entry>, Vec<Wrong>) {
    let options = options! {
        budget: budget! {
            max_events: 4 * MOST_NODES,
            max_nodes: MOST_NODES,
            max_depth: DEEPEST,
            flow_nesting_limit: DEEPEST,
            max_aliases: MOST_ALIASES,
            max_anchors: MOST_ALIASES,
            max_recorded_anchor_events: MOST_REPEATED,
            max_documents: 1,
            max_merge_keys: MOST_ALIASES,
        },
        alias_limits: alias_limits! {
            max_total_replayed_events: MOST_REPEATED,
            max_replay_stack_depth: 4,
            max_alias_expansions_per_anchor: MOST_ALIASES,
        },
        // A piece of the file in an error could be anything.
        with_snippet: false,
    };
    let mut reader = Reader::default();
    match serde_saphyr::from_slice_with_options::<Spanned<Node>>(text, options) {
        Ok(Spanned { value, .. }) => match value {
            Node::Map(members) => reader.section("", members),
            Node::Plain(Value::Null) => {}
            Node::Plain(_) => reader.wrong(1, "", "not a file of keys and values".to_owned()),
        },
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            reader.wrong(line, "", told(error.without_snippet()));
        }
    }
    (reader.entries, reader.wrong)
}

/// An error in words for whoever wrote the file, not for whoever calls the library.
fn told(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as E;
    let text = match error {
        E::AliasError { error, .. } => return told(error),
        E::DuplicateMappingKey { key: Some(key), .. } => {
            return format!("{key} stands twice in one section");
        }
        error => error.to_string(),
    };
    // The parser below has no kind of its own for its limit.
    let limited = matches!(
        error,
        E::Budget { .. }
            | E::AliasReplayLimitExceeded { .. }
            | E::AliasExpansionLimitExceeded { .. }
            | E::AliasReplayStackDepthExceeded { .. }
    ) || text.starts_with("recursion limit");
    if limited {
        "too much, too deep or too often repeated for a file of settings".to_owned()
    } else {
        text
    }
}

#[derive(Default)]
struct Reader {
    entries: Vec<Entry>,
    wrong: Vec<Wrong>,
}

impl Reader {
    fn wrong(&mut self, line: u64, key: &str, reason: String) {
        self.wrong.push(Wrong {
            line,
            key: key.to_owned(),
            reason,
        });
    }

    fn section(&mut self, above: &str, members: Vec<Member>) {
        for Member { key, line, node } in members {
            let path = if above.is_empty() {
                key.clone()
            } else {
                format!("{above}.{key}")
            };
            // A dot would name the member of a section that is not there.
            let row = (!key.contains('.'))
                .then(|| table::find(Place::File, &path))
                .flatten();
            match (row, node) {
                (Some(row), node) => self.entries.push(Entry {
                    row,
                    value: match node {
                        Node::Plain(value) => value,
                        Node::Map(_) => Value::Map,
                    },
                    line,
                }),
                (None, node) if !key.contains('.') && is_section(&path) => match node {
                    Node::Map(members) => self.section(&path, members),
                    Node::Plain(Value::Null) => {}
                    Node::Plain(_) => {
                        self.wrong(
                            line,
                            &path,
                            "a section with keys of its own is expected".into(),
                        );
                    }
                },
                (None, _) if table::find(Place::File, &path).is_some() => {
                    let reason = "no such key: each word before a dot is a section of its own";
                    self.wrong(line, &path, reason.to_owned());
                }
                (None, _) => {
                    let near = nearest(above, &key);
                    self.wrong(line, &path, format!("no such key{near}"));
                }
            }
        }
    }
}

/// The keys of files.
fn keys() -> impl Iterator<Item = &'static str> {
    let rows = table::rows().iter();
    rows.filter(|row| row.place == Place::File)
        .map(|row| row.name.as_str())
}

fn is_section(path: &str) -> bool {
    keys().any(|key| {
        key.strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The key that was meant: one beside it in the section, or else the same key of another section.
fn nearest(above: &str, key: &str) -> String {
    let inside = |name: &'static str| {
        let rest = match above {
            "" => Some(name),
            above => name.strip_prefix(above)?.strip_prefix('.'),
        };
        rest?.split('.').next()
    };
    if let Some(name) = near::nearest(key, keys().filter_map(inside)) {
        return format!(" (did you mean {name:?}?)");
    }
    let last = |name: &'static str| name.rsplit('.').next() == Some(key);
    let name = keys()
        .find(|name| last(name))
        .or_else(|| near::nearest(key, keys()));
    name.map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"))
}

/// A node of the file. Values inside of lists keep no line of their own.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Plain(Value),
    Map(Vec<Member>),
}

#[derive(Debug, Clone, PartialEq)]
struct Member {
    key: String,
    line: u64,
    node: Node,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Plain(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Node, E> {
        Ok(Node::Plain(Value::Boolean(yes)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Plain(Value::Number(number.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Plain(Value::Number(number.to_string())))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Node, E> {
        Ok(Node::Plain(Value::Number(number.to_string())))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Node, E> {
        Ok(Node::Plain(Value::Number(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Plain(Value::Number(number.to_string())))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Plain(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Node>()? {
            list.push(match item {
                Node::Plain(value) => value,
                Node::Map(_) => Value::Map,
            });
        }
        Ok(Node::Plain(Value::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            members.push(Member {
                line: key.referenced.line(),
                key: key.value,
                node: map.next_value()?,
            });
        }
        Ok(Node::Map(members))
    }
}

#[cfg(test)]
mod tests;
