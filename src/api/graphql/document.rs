//! Documents: which operations they define, and their normal form.

use std::iter::Peekable;

use super::lexer::{Kind, Lexer, Token};
use super::{MAX_DEPTH, Unreadable};

/// A document's tokens with as little white space as possible; the same for equal documents, and its
/// own normal form.
pub fn normal(document: &str) -> Result<String, Unreadable> {
    Scan::document(document).map(|scanned| scanned.normal)
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Query,
    Mutation,
    Subscription,
}

/// One pass over a document: its normal form grows while its definitions are told apart.
pub(super) struct Scan<'a> {
    lexer: Peekable<Lexer<'a>>,
    last: Option<Token<'a>>,
    pub(super) normal: String,
    operations: Vec<(Option<&'a str>, Verb)>,
    pub(super) asks_rate_limit: bool,
}

impl<'a> Scan<'a> {
    /// Reads a whole document.
    pub(super) fn document(document: &'a str) -> Result<Self, Unreadable> {
        let mut scan = Self {
            lexer: Lexer::new(document).peekable(),
            last: None,
            normal: String::with_capacity(document.len()),
            operations: Vec::new(),
            asks_rate_limit: false,
        };
        while scan.peek()?.is_some() {
            scan.definition()?;
        }
        Ok(scan)
    }

    /// The operation that runs (spec 6.1): the named one, or the only one.
    pub(super) fn selected(&self, name: Option<&str>) -> Result<Verb, Unreadable> {
        let mut matching = self
            .operations
            .iter()
            .filter(|operation| name.is_none() || operation.0 == name);
        match (matching.next(), matching.next()) {
            (Some(&(_, verb)), None) => Ok(verb),
            _ => Err(Unreadable::Operation),
        }
    }

    fn peek(&mut self) -> Result<Option<Token<'a>>, Unreadable> {
        self.lexer.peek().copied().transpose()
    }

    /// Takes the next token and writes it down.
    fn take(&mut self) -> Result<Token<'a>, Unreadable> {
        let token = self.lexer.next().ok_or(Unreadable::Syntax)??;
        if self
            .last
            .is_some_and(|last| last.needs_space_before(&token))
        {
            self.normal.push(' ');
        }
        self.normal.push_str(token.text);
        self.asks_rate_limit |= token.kind == Kind::Name && token.text == "rateLimit";
        self.last = Some(token);
        Ok(token)
    }

    fn name(&mut self) -> Result<&'a str, Unreadable> {
        match self.take()? {
            Token {
                kind: Kind::Name,
                text,
            } => Ok(text),
            _ => Err(Unreadable::Syntax),
        }
    }

    fn is_next(&mut self, text: &str) -> Result<bool, Unreadable> {
        Ok(self.peek()?.is_some_and(|token| token.text == text))
    }

    /// An `ExecutableDefinition` (2.2): an operation or a fragment. Type definitions are for servers.
    fn definition(&mut self) -> Result<(), Unreadable> {
        if self.is_next("{")? {
            self.operations.push((None, Verb::Query));
            return self.group();
        }
        let verb = match self.name()? {
            "query" => Some(Verb::Query),
            "mutation" => Some(Verb::Mutation),
            "subscription" => Some(Verb::Subscription),
            "fragment" => None,
            _ => return Err(Unreadable::Syntax),
        };
        if let Some(verb) = verb {
            let named = self.peek()?.is_some_and(|token| token.kind == Kind::Name);
            let name = named.then(|| self.name()).transpose()?;
            self.operations.push((name, verb));
            if self.is_next("(")? {
                self.group()?;
            }
        } else {
            let well_formed = self.name()? != "on" && self.name()? == "on";
            if !well_formed {
                return Err(Unreadable::Syntax);
            }
            self.name()?;
        }
        while self.is_next("@")? {
            self.take()?;
            self.name()?;
            if self.is_next("(")? {
                self.group()?;
            }
        }
        if self.is_next("{")? {
            self.group()
        } else {
            Err(Unreadable::Syntax)
        }
    }

    /// From an opening bracket to the one that closes it.
    fn group(&mut self) -> Result<(), Unreadable> {
        let mut open = Vec::new();
        loop {
            let token = self.take()?;
            match (token.kind, token.text) {
                (Kind::Punctuator, "{") => open.push("}"),
                (Kind::Punctuator, "(") => open.push(")"),
                (Kind::Punctuator, "[") => open.push("]"),
                (Kind::Punctuator, "}" | ")" | "]") if open.pop() != Some(token.text) => {
                    return Err(Unreadable::Syntax);
                }
                _ => {}
            }
            if open.is_empty() {
                return Ok(());
            }
            if open.len() > MAX_DEPTH {
                return Err(Unreadable::TooDeep);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_never_grow_together() {
        for document in ["{a(b:[1 -2 c \"\" \"\" \"\"\"x\"\"\"])}", "{a(b:[1 ...])}"] {
            let once = normal(document).unwrap();
            assert_eq!(once, document);
        }
        assert_ne!(normal("{a b}"), normal("{ab}"));
        assert_ne!(normal("{a(b:\"c d\")}"), normal("{a(b:\"c  d\")}"));
    }
}
