//! Reads Rust as tokens, so that comments and strings never count as code, and rules about single files.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{Finding, finding};

/// The longest that a file of `src/` may be without its tests.
const LONGEST: usize = 450;
/// Names that say nothing about what a module is for.
const VAGUE: [&str; 9] = [
    "util", "utils", "helper", "helpers", "common", "manager", "misc", "stuff", "mod",
];

/// What the rules need to know of a file.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Every path that is named; the members of a group one by one.
    pub(super) names: Vec<Name>,
    /// Every `mod name;` and `mod name { … }`.
    pub(super) modules: Vec<Module>,
    /// The lines of items under `#[cfg(test)]`.
    tests: Vec<RangeInclusive<usize>>,
    /// The lines with an `#[ignore]`.
    ignored: Vec<usize>,
    lines: usize,
}

/// A path such as `crate::api::Key`.
#[derive(Debug, Default)]
pub(super) struct Name {
    pub(super) segments: Vec<String>,
    pub(super) line: usize,
    /// How many inline modules it stands in.
    pub(super) depth: usize,
    pub(super) in_test: bool,
    /// Whether arguments follow.
    called: bool,
    /// Whether it stands right after `use`.
    used: bool,
}

/// A declaration of a module.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) line: usize,
    /// Whether its content is in another file.
    pub(super) elsewhere: bool,
}

#[derive(Clone, Copy, Default)]
struct Place {
    depth: usize,
    in_test: bool,
}

impl Source {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let tokens: TokenStream = text.parse().map_err(|error| format!("not Rust: {error}"))?;
        let mut source = Self {
            lines: text.lines().count(),
            ..Self::default()
        };
        source.walk(tokens, Place::default());
        Ok(source)
    }

    /// Reads one nesting level: attributes, modules, paths, and what is inside of brackets.
    fn walk(&mut self, tokens: TokenStream, place: Place) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut test_since = None;
        let mut at = 0;
        while at < tokens.len() {
            let here = Place {
                in_test: place.in_test || test_since.is_some(),
                ..place
            };
            let line = line(&tokens[at]);
            match &tokens[at] {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let skip = usize::from(is_punct(tokens.get(at + 1), '!'));
                    if let Some(TokenTree::Group(attribute)) = tokens.get(at + 1 + skip) {
                        if self.attribute(attribute.stream(), line, here) && skip == 0 {
                            test_since = test_since.or(Some(line));
                        }
                        at += 1 + skip;
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => {
                    self.end_test(&mut test_since, line);
                }
                TokenTree::Ident(word) if word == "mod" => {
                    at += self.module(&tokens[at + 1..]);
                    continue;
                }
                TokenTree::Ident(_) => {
                    at = self.names(&tokens, at, here);
                    continue;
                }
                TokenTree::Group(group) => {
                    let inline = at > 1 && is_word(tokens.get(at - 2), "mod");
                    let depth = place.depth + usize::from(inline);
                    self.walk(group.stream(), Place { depth, ..here });
                    if group.delimiter() == Delimiter::Brace {
                        self.end_test(&mut test_since, group.span_close().start().line);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn end_test(&mut self, since: &mut Option<usize>, line: usize) {
        if let Some(first) = since.take() {
            self.tests.push(first..=line);
        }
    }

    /// Notes what an attribute says; true if it is `cfg(test)` or the like.
    fn attribute(&mut self, tokens: TokenStream, line: usize, place: Place) -> bool {
        let words: Vec<_> = flat_words(tokens.clone());
        if words.first().is_some_and(|word| word == "ignore")
            || (words.first().is_some_and(|word| word == "cfg_attr")
                && words.iter().any(|word| word == "ignore"))
        {
            self.ignored.push(line);
        }
        self.walk(tokens, place);
        words.first().is_some_and(|word| word == "cfg")
            && words.iter().any(|word| word == "test")
            && !words.iter().any(|word| word == "not")
    }

    /// Notes the module after the word `mod`; how many tokens lie before what is still to be read.
    fn module(&mut self, after: &[TokenTree]) -> usize {
        let Some(TokenTree::Ident(name)) = after.first() else {
            return 1;
        };
        self.modules.push(Module {
            name: name.to_string(),
            line: name.span().start().line,
            elsewhere: is_punct(after.get(1), ';'),
        });
        2
    }

    /// Notes the path, or the paths of a group, that start at `at`; where they end.
    fn names(&mut self, tokens: &[TokenTree], at: usize, place: Place) -> usize {
        let used = at > 0 && is_word(tokens.get(at - 1), "use");
        let mut found = Vec::new();
        let end = spell(tokens, at, &[], &mut found);
        let called = matches!(tokens.get(end), Some(TokenTree::Group(group))
            if group.delimiter() == Delimiter::Parenthesis);
        self.names.extend(found.into_iter().map(|(segments, line)| {
            let Place { depth, in_test } = place;
            Name {
                segments,
                line,
                depth,
                in_test,
                called,
                used,
            }
        }));
        end
    }

    /// The lines outside of `#[cfg(test)]`.
    fn length(&self) -> usize {
        let in_tests: usize = self.tests.iter().map(|lines| lines.clone().count()).sum();
        self.lines - in_tests.min(self.lines)
    }
}

/// Spells the path at `at` after `prefix` into `found`; where it ends.
fn spell(
    tokens: &[TokenTree],
    at: usize,
    prefix: &[String],
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let mut path = prefix.to_vec();
    let first_line = line(&tokens[at]);
    let mut at = at;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => path.push("*".into()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let members: Vec<_> = group.stream().into_iter().collect();
                for member in members.split(|token| is_punct(Some(token), ',')) {
                    let start = usize::from(is_punct(member.first(), ':')) * 2;
                    if member.len() > start {
                        spell(member, start, &path, found);
                    }
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !(is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')) {
            break;
        }
        at += 2;
    }
    found.push((path, first_line));
    at
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

fn is_punct(token: Option<&TokenTree>, char: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

fn is_word(token: Option<&TokenTree>, text: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(word)) if word == text)
}

fn flat_words(tokens: TokenStream) -> Vec<String> {
    let words = |token| match token {
        TokenTree::Ident(word) => vec![word.to_string()],
        TokenTree::Group(group) => flat_words(group.stream()),
        _ => Vec::new(),
    };
    tokens.into_iter().flat_map(words).collect()
}

impl Name {
    /// Whether this is a path and not just a word: it has parts, or follows `use`.
    pub(super) fn is_path(&self) -> bool {
        self.segments.len() > 1 || self.used
    }

    pub(super) fn starts_with(&self, path: &str) -> bool {
        let mut own = self.segments.iter();
        path.split("::")
            .all(|segment| own.next().is_some_and(|own| own == segment))
    }
}

/// A module is called after what it knows.
pub(super) fn vague_names(path: &str, source: &Source) -> Vec<Finding> {
    let is_vague = |name: &str| name.split('_').any(|word| VAGUE.contains(&word));
    let stem = path
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .trim_end_matches(".rs");
    let file = is_vague(stem).then(|| finding(path, 1, format!("`{stem}` says nothing")));
    let inline = source
        .modules
        .iter()
        .filter(|module| !module.elsewhere && is_vague(&module.name));
    file.into_iter()
        .chain(inline.map(|it| finding(path, it.line, format!("`{}` says nothing", it.name))))
        .collect()
}

/// A test runs always, and waits for what happens, not for time.
pub(super) fn skipped_or_sleeping_tests(path: &str, source: &Source) -> Vec<Finding> {
    let ignored = source
        .ignored
        .iter()
        .map(|&line| finding(path, line, "a test is ignored"));
    let all_test = path.starts_with("tests/") || path.starts_with("lab/");
    let may_sleep = path.starts_with("lab/src/fault");
    let sleeps = source.names.iter().filter(|name| {
        (all_test || name.in_test)
            && !may_sleep
            && name.called
            && name.segments.last().is_some_and(|last| last == "sleep")
    });
    ignored
        .chain(sleeps.map(|name| finding(path, name.line, "a test sleeps")))
        .collect()
}

/// A file that has grown long is two files.
pub(super) fn too_long(path: &str, source: &Source) -> Vec<Finding> {
    let length = source.length();
    let long = path.starts_with("src/") && !path.ends_with("/tests.rs") && length > LONGEST;
    let reason = || format!("{length} lines without tests; {LONGEST} is the most");
    long.then(|| finding(path, source.lines, reason()))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::judge;
    use super::*;

    #[test]
    fn comments_strings_and_lifetimes_are_not_code() {
        let source = Source::read("//! crate::a\nfn f<'a>() { \"crate::b\"; 'c'; crate::d::e(); }");
        let names = source.unwrap().names;
        let paths: Vec<_> = names.iter().filter(|name| name.is_path()).collect();
        assert_eq!(paths.len(), 1);
        assert_eq!(
            (paths[0].segments.join("::").as_str(), paths[0].line),
            ("crate::d::e", 2)
        );
    }

    #[test]
    fn a_group_is_read_as_its_members() {
        let source = Source::read("use crate::{a, b::{self, c as d, e::*}};").unwrap();
        let names: Vec<_> = source
            .names
            .iter()
            .map(|name| name.segments.join("::"))
            .collect();
        for name in [
            "crate::a",
            "crate::b::self",
            "crate::b::c",
            "crate::b::e::*",
        ] {
            assert!(
                names.iter().any(|found| found == name),
                "{name} is not in {names:?}"
            );
        }
    }

    #[test]
    fn a_vague_name_is_found_in_files_and_inline_modules() {
        assert_eq!(
            judge(vague_names, "src/api/key_utils.rs", ""),
            ["1: `key_utils` says nothing"]
        );
        assert_eq!(
            judge(vague_names, "src/api/mod.rs", ""),
            ["1: `mod` says nothing"]
        );
        let inline = judge(vague_names, "src/api.rs", "\nmod helpers { fn f() {} }");
        assert_eq!(inline, ["2: `helpers` says nothing"]);
        assert!(judge(vague_names, "src/api/key.rs", "mod page;").is_empty());
    }

    #[test]
    fn an_ignored_test_is_found() {
        let text = "#[test]\n#[ignore = \"slow\"]\nfn f() {}";
        assert_eq!(
            judge(skipped_or_sleeping_tests, "src/a.rs", text),
            ["2: a test is ignored"]
        );
    }

    #[test]
    fn a_sleep_is_found_in_tests_alone() {
        let rule = skipped_or_sleeping_tests;
        let text = "async fn f() {\n  tokio::time::sleep(ONE).await;\n}";
        assert_eq!(judge(rule, "tests/it/a.rs", text), ["2: a test sleeps"]);
        assert_eq!(judge(rule, "lab/src/server.rs", text), ["2: a test sleeps"]);
        assert!(judge(rule, "src/clock.rs", text).is_empty());
        assert!(judge(rule, "lab/src/fault.rs", text).is_empty());
        let unit = format!("#[cfg(test)]\nmod tests {{\n{text}\n}}\n{text}");
        assert_eq!(judge(rule, "src/a.rs", &unit), ["4: a test sleeps"]);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let lines = "fn f() {}\n".repeat(LONGEST);
        let tests = "#[cfg(test)]\nmod tests {\n\n\n}\n";
        assert!(judge(too_long, "src/a.rs", &format!("{lines}{tests}")).is_empty());
        let long = judge(too_long, "src/a.rs", &format!("{lines}\n{tests}"));
        assert_eq!(long, ["456: 451 lines without tests; 450 is the most"]);
    }
}
