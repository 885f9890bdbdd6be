//! Rules of the house that no compiler checks, each a pure function over a file.
//!
//! `layers` holds the table of rows, `source` reads Rust, `text` judges everything that is text, `tree`
//! judges the repository as a whole. Every rule has a test here that shows it a file that breaks it.

mod layers;
mod source;
mod text;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use source::Source;

/// One breach of one rule.
#[derive(Debug, PartialEq)]
struct Finding {
    path: String,
    line: usize,
    reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.reason)
    }
}

fn finding(path: &str, line: usize, reason: impl Into<String>) -> Finding {
    Finding {
        path: path.into(),
        line,
        reason: reason.into(),
    }
}

type TextRule = fn(path: &str, text: &str) -> Vec<Finding>;
type SourceRule = fn(path: &str, source: &Source) -> Vec<Finding>;

const TEXT_RULES: [TextRule; 3] = [text::foreign_words, text::unfinished, text::waiting_scripts];
const SOURCE_RULES: [SourceRule; 6] = [
    layers::rows,
    layers::pure,
    layers::lab_stands_alone,
    source::vague_names,
    source::skipped_or_sleeping_tests,
    source::too_long,
];

/// The files of the repository by their path in it, without what git ignores.
fn repository() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().expect("a folder of the repository") {
            let path = entry.expect("an entry of the repository").path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !matches!(
                    name.as_str(),
                    ".git" | "target" | "node_modules" | "__pycache__"
                ) {
                    folders.push(path);
                }
            } else if name != ".git" {
                let inside = path.strip_prefix(root).expect("a path under the root");
                let inside = inside.to_string_lossy().into_owned();
                files.insert(inside, std::fs::read(&path).expect("a readable file"));
            }
        }
    }
    files
}

/// What is text among the files.
fn texts(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<&str, &str> {
    let text = |(path, bytes): (_, _)| Some((path, std::str::from_utf8(bytes).ok()?));
    files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
        .filter_map(text)
        .collect()
}

#[test]
fn the_repository_is_tidy() {
    let files = repository();
    let texts = texts(&files);
    let mut findings = tree::missing(&texts);
    findings.extend(
        files
            .iter()
            .filter_map(|(path, bytes)| tree::oversized(path, bytes.len())),
    );
    let mut sources = BTreeMap::new();
    for (&path, &text) in &texts {
        findings.extend(TEXT_RULES.iter().flat_map(|rule| rule(path, text)));
        if Path::new(path)
            .extension()
            .is_some_and(|ending| ending == "rs")
        {
            match Source::read(text) {
                Ok(source) => drop(sources.insert(path, source)),
                Err(error) => findings.push(finding(path, 1, error)),
            }
        }
    }
    for (path, source) in &sources {
        findings.extend(SOURCE_RULES.iter().flat_map(|rule| rule(path, source)));
    }
    findings.extend(tree::unreachable(&sources));
    findings.extend(layers::declared_in_order(&sources));
    let report: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(
        sources.len() > 10,
        "the scan found only {} sources",
        sources.len()
    );
    assert!(report.is_empty(), "\n{}\n", report.join("\n"));
}

/// Judges `text` as if it stood at `path`; the reasons with their lines.
fn judge(rule: SourceRule, path: &str, text: &str) -> Vec<String> {
    let source = Source::read(text).expect("a source that can be read");
    rule(path, &source)
        .iter()
        .map(|f| format!("{}: {}", f.line, f.reason))
        .collect()
}
