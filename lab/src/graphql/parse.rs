//! The part of the `GraphQL` language that clients send.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::lex::tokens;

/// How deep selections and values may nest.
const DEPTH: usize = 50;

/// A parsed request document.
#[derive(Debug, Default)]
pub(super) struct Document {
    operations: Vec<Operation>,
    pub(super) fragments: BTreeMap<String, (String, Vec<Selection>)>,
}

impl Document {
    /// The operation of that name, or the only one.
    pub(super) fn operation(&self, name: Option<&str>) -> Option<&Operation> {
        match name.filter(|name| !name.is_empty()) {
            Some(name) => self.operations.iter().find(|it| it.name == name),
            None => self.operations.first(),
        }
    }
}

/// A query or mutation.
#[derive(Debug, Default)]
pub(super) struct Operation {
    pub(super) mutation: bool,
    pub(super) name: String,
    pub(super) defaults: Vec<(String, Arg)>,
    pub(super) selection: Vec<Selection>,
}

/// One item of a selection set.
#[derive(Debug)]
pub(super) enum Selection {
    Field(Field),
    Spread(String),
    Inline(Option<String>, Vec<Selection>),
}

/// A field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) alias: String,
    pub(super) name: String,
    pub(super) args: Vec<(String, Arg)>,
    pub(super) directives: Vec<(String, Arg)>,
    pub(super) selection: Vec<Selection>,
}

/// The value of an argument.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    Variable(String),
    Value(Value),
    List(Vec<Arg>),
    Object(Vec<(String, Arg)>),
}

impl Arg {
    pub(super) fn resolve(&self, variables: &Map<String, Value>) -> Value {
        match self {
            Self::Variable(name) => variables.get(name).cloned().unwrap_or(Value::Null),
            Self::Value(value) => value.clone(),
            Self::List(items) => items.iter().map(|item| item.resolve(variables)).collect(),
            Self::Object(fields) => {
                let pairs = fields
                    .iter()
                    .map(|(name, arg)| (name.clone(), arg.resolve(variables)));
                Value::Object(pairs.collect())
            }
        }
    }
}

/// Parses a document.
pub(super) fn document(text: &str) -> Result<Document, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let mut document = Document::default();
    while let Some(token) = parser.peek() {
        match token {
            "{" => {
                let selection = parser.selection()?;
                document.operations.push(Operation {
                    selection,
                    ..Operation::default()
                });
            }
            "query" | "mutation" => document.operations.push(parser.operation()?),
            "fragment" => {
                parser.take();
                let name = parser.name()?;
                parser.expect("on")?;
                let condition = parser.name()?;
                let selection = parser.selection()?;
                document.fragments.insert(name, (condition, selection));
            }
            other => return Err(format!("Parse error on \"{other}\"")),
        }
    }
    if document.operations.is_empty() {
        return Err("Unexpected end of document".into());
    }
    acyclic(&document)?;
    Ok(document)
}

/// Refuses fragments that contain themselves.
fn acyclic(document: &Document) -> Result<(), String> {
    fn walk(document: &Document, items: &[Selection], depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err("Fragments or fields nest too deep".into());
        }
        items.iter().try_for_each(|item| match item {
            Selection::Field(field) => walk(document, &field.selection, depth + 1),
            Selection::Inline(_, inner) => walk(document, inner, depth + 1),
            Selection::Spread(name) => match document.fragments.get(name) {
                Some((_, inner)) => walk(document, inner, depth + 1),
                None => Ok(()),
            },
        })
    }
    document
        .operations
        .iter()
        .try_for_each(|it| walk(document, &it.selection, 0))
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    fn take(&mut self) -> String {
        let token = self.tokens.get(self.at).cloned().unwrap_or_default();
        self.at += 1;
        token
    }

    fn eats(&mut self, token: &str) -> bool {
        let found = self.peek() == Some(token);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eats(token) {
            return Ok(());
        }
        Err(format!(
            "Expected \"{token}\", actual: \"{}\"",
            self.peek().unwrap_or("(end)")
        ))
    }

    fn name(&mut self) -> Result<String, String> {
        let token = self.take();
        let good = token.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
        if good {
            Ok(token)
        } else {
            Err(format!("Expected NAME, actual: \"{token}\""))
        }
    }

    fn nested<T>(&mut self, read: impl Fn(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("Query nests too deep".into());
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn operation(&mut self) -> Result<Operation, String> {
        let mutation = self.take() == "mutation";
        let name = if matches!(self.peek(), Some("(" | "{" | "@")) {
            String::new()
        } else {
            self.name()?
        };
        let mut defaults = Vec::new();
        if self.eats("(") {
            while !self.eats(")") {
                self.expect("$")?;
                let variable = self.name()?;
                self.expect(":")?;
                self.kind()?;
                if self.eats("=") {
                    defaults.push((variable, self.value()?));
                }
            }
        }
        self.directives()?;
        Ok(Operation {
            mutation,
            name,
            defaults,
            selection: self.selection()?,
        })
    }

    /// A type such as `[String!]!`; nothing is made of it.
    fn kind(&mut self) -> Result<(), String> {
        self.nested(|parser| {
            if parser.eats("[") {
                parser.kind()?;
                parser.expect("]")?;
            } else {
                parser.name()?;
            }
            parser.eats("!");
            Ok(())
        })
    }

    fn selection(&mut self) -> Result<Vec<Selection>, String> {
        self.nested(|parser| {
            parser.expect("{")?;
            let mut items = Vec::new();
            while !parser.eats("}") {
                items.push(parser.item()?);
            }
            Ok(items)
        })
    }

    fn item(&mut self) -> Result<Selection, String> {
        if self.eats("...") {
            if self.eats("on") {
                let condition = self.name()?;
                self.directives()?;
                return Ok(Selection::Inline(Some(condition), self.selection()?));
            }
            if self.peek() == Some("{") {
                return Ok(Selection::Inline(None, self.selection()?));
            }
            let name = self.name()?;
            self.directives()?;
            return Ok(Selection::Spread(name));
        }
        let first = self.name()?;
        let (alias, name) = if self.eats(":") {
            (first, self.name()?)
        } else {
            (first.clone(), first)
        };
        let args = self.args()?;
        let directives = self.directives()?;
        let selection = if self.peek() == Some("{") {
            self.selection()?
        } else {
            Vec::new()
        };
        Ok(Selection::Field(Field {
            alias,
            name,
            args,
            directives,
            selection,
        }))
    }

    fn args(&mut self) -> Result<Vec<(String, Arg)>, String> {
        let mut args = Vec::new();
        if self.eats("(") {
            while !self.eats(")") {
                args.push(self.pair()?);
            }
        }
        Ok(args)
    }

    fn pair(&mut self) -> Result<(String, Arg), String> {
        let name = self.name()?;
        self.expect(":")?;
        Ok((name, self.value()?))
    }

    /// `@include(if: …)` and `@skip(if: …)`; other directives are read over.
    fn directives(&mut self) -> Result<Vec<(String, Arg)>, String> {
        let mut found = Vec::new();
        while self.eats("@") {
            let name = self.name()?;
            let condition = self.args()?.into_iter().find(|(arg, _)| arg == "if");
            if let (Some((_, condition)), "include" | "skip") = (condition, name.as_str()) {
                found.push((name, condition));
            }
        }
        Ok(found)
    }

    fn value(&mut self) -> Result<Arg, String> {
        self.nested(|parser| {
            let token = parser.take();
            Ok(match token.as_str() {
                "$" => Arg::Variable(parser.name()?),
                "[" => {
                    let mut items = Vec::new();
                    while !parser.eats("]") {
                        items.push(parser.value()?);
                    }
                    Arg::List(items)
                }
                "{" => {
                    let mut fields = Vec::new();
                    while !parser.eats("}") {
                        fields.push(parser.pair()?);
                    }
                    Arg::Object(fields)
                }
                "" => return Err("Unexpected end of document".into()),
                // Numbers, strings, true, false and null are JSON; the rest are enum values.
                text => match serde_json::from_str(text) {
                    Ok(value) => Arg::Value(value),
                    Err(_) => Arg::Value(text.into()),
                },
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_parse() {
        let text = "fragment pr on PullRequest{number,title}\nquery List($n: Int = 3, $s: [S!]!) {
            a: repository(owner: \"o\", name: \"r\") { prs(states: $s, first: $n) { ...pr
            ... on Node { id } x @include(if: $y) } } # done\n}";
        let document = document(text).unwrap();
        assert_eq!(document.operation(Some("List")).unwrap().defaults.len(), 1);
        assert!(document.fragments.contains_key("pr"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "{",
            "query { a(",
            "{ a(b: \"x) }",
            "fragment a on B { ...a } { ...a }",
        ] {
            assert!(document(text).is_err(), "{text}");
        }
    }
}
