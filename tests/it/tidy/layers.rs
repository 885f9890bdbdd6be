//! The layers of `src/`: a module names only modules of a lower row, or its own children.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Name, Source};
use super::{Finding, finding};

/// Row 0 is vocabulary: its words may explain one another. `ARCHITECTURE.md` shows the same table.
const ROWS: [(usize, &[&str]); 9] = [
    (8, &["main", "commands"]),
    (7, &["keeper", "daemon", "cli"]),
    (6, &["config"]),
    (5, &["proxy"]),
    (4, &["tiered", "discovery"]),
    (3, &["store", "registry"]),
    (2, &["files", "github", "runner", "swarm"]),
    (1, &["api", "http_cache", "seal"]),
    (0, &["clock", "digest", "secret", "stats", "time"]),
];

/// What a pure module takes as an argument, if at all.
const IMPURE: [&str; 9] = [
    "tokio",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "rand",
    "getrandom",
    "crate::clock",
];
const CLOCKS: [&str; 2] = ["SystemTime", "Instant"];

fn row(module: &str) -> Option<usize> {
    ROWS.iter()
        .find(|(_, modules)| modules.contains(&module))
        .map(|(row, _)| *row)
}

/// The segments of the module in a file of `src/`: `src/api/key.rs` is `api`, `key`.
fn module_of(path: &str) -> Option<Vec<&str>> {
    let segments: Vec<_> = path
        .strip_prefix("src/")?
        .strip_suffix(".rs")?
        .split('/')
        .collect();
    (segments != ["lib"] && segments != ["main"]).then_some(segments)
}

/// The module of the crate's root that `name` leads to, if it leaves its own.
fn leads_to(name: &Name, file_depth: usize) -> Option<&str> {
    if name.starts_with("crate") || name.starts_with("ghswarm") {
        return name.segments.get(1).map(String::as_str);
    }
    let ups = name
        .segments
        .iter()
        .take_while(|segment| *segment == "super")
        .count();
    let reaches_root = ups > 0 && ups == file_depth + name.depth;
    reaches_root
        .then(|| name.segments.get(ups).map(String::as_str))
        .flatten()
}

pub(super) fn rows(path: &str, source: &Source) -> Vec<Finding> {
    let Some(module) = module_of(path) else {
        return Vec::new();
    };
    let Some(own) = row(module[0]) else {
        return vec![finding(path, 1, format!("`{}` has no row", module[0]))];
    };
    let judge = |name: &Name| {
        let other = leads_to(name, module.len()).filter(|&other| other != module[0])?;
        let reason = match row(other) {
            Some(lower) if lower < own || (lower, own) == (0, 0) => return None,
            Some(upper) => format!("row {own} names `{other}` of row {upper}"),
            None => format!("`{other}` is no module with a row"),
        };
        Some(finding(path, name.line, reason))
    };
    source.names.iter().filter_map(judge).collect()
}

pub(super) fn pure(path: &str, source: &Source) -> Vec<Finding> {
    if module_of(path).and_then(|module| row(module[0])) != Some(1) {
        return Vec::new();
    }
    let impure = |name: &&Name| {
        let path = name.is_path() && IMPURE.iter().any(|impure| name.starts_with(impure));
        let clock = name
            .segments
            .iter()
            .any(|segment| CLOCKS.contains(&segment.as_str()));
        !name.in_test && (path || clock)
    };
    let reason = |name: &Name| format!("a pure module names `{}`", name.segments.join("::"));
    let names = source.names.iter().filter(impure);
    names
        .map(|name| finding(path, name.line, reason(name)))
        .collect()
}

/// A fake that shares our code agrees with our mistakes.
pub(super) fn lab_stands_alone(path: &str, source: &Source) -> Vec<Finding> {
    let ours = |name: &&Name| name.is_path() && name.starts_with("ghswarm");
    let names = source
        .names
        .iter()
        .filter(ours)
        .filter(|_| path.starts_with("lab/"));
    names
        .map(|name| finding(path, name.line, "the lab names ghswarm"))
        .collect()
}

/// `lib.rs` declares the modules from the lowest row to the highest.
pub(super) fn declared_in_order(sources: &BTreeMap<&str, Source>) -> Vec<Finding> {
    let Some(library) = sources.get("src/lib.rs") else {
        return Vec::new();
    };
    let declared = library
        .modules
        .iter()
        .filter_map(|module| Some((module, row(&module.name)?)));
    let mut highest = 0;
    let mut findings = Vec::new();
    for (module, row) in declared {
        if row < highest {
            let reason = format!("`{}` of row {row} stands after row {highest}", module.name);
            findings.push(finding("src/lib.rs", module.line, reason));
        }
        highest = highest.max(row);
    }
    findings
}

/// The table in a Markdown page: lines of a code block such as `7  keeper  daemon      who lives`, with
/// at least four spaces before a remark.
fn documented(page: &str) -> BTreeMap<usize, BTreeSet<&str>> {
    let mut table = BTreeMap::new();
    for line in page.lines() {
        let line = line.trim();
        let Some((row, rest)) = line.split_once("  ") else {
            continue;
        };
        let Ok(row) = row.parse::<usize>() else {
            continue;
        };
        let names = rest.trim_start().split("    ").next().unwrap_or_default();
        let is_name = |word: &&str| {
            word.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let names: BTreeSet<_> = names.split_whitespace().filter(is_name).collect();
        if !names.is_empty() {
            table.insert(row, names);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::{judge, repository, texts};
    use super::*;

    #[test]
    fn the_architecture_page_shows_the_table_that_is_checked() {
        let files = repository();
        let Some(&page) = texts(&files).get("ARCHITECTURE.md") else {
            return;
        };
        let ours = ROWS
            .iter()
            .map(|(row, names)| (*row, names.iter().copied().collect()));
        assert_eq!(
            documented(page),
            ours.collect::<BTreeMap<usize, BTreeSet<&str>>>()
        );
    }

    #[test]
    fn a_documented_table_is_read_without_its_remarks() {
        let page = "Rows:\n\n     8  main → commands          printing\n     3  –\n     1  api  http_cache\n";
        let table = documented(page);
        assert_eq!(table[&8], ["commands", "main"].into());
        assert_eq!(table[&1], ["api", "http_cache"].into());
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn an_upper_row_is_found_however_it_is_named() {
        let found = ["2: row 1 names `tiered` of row 4"];
        assert_eq!(
            judge(rows, "src/api.rs", "\nuse crate::tiered::Tiered;"),
            found
        );
        assert_eq!(
            judge(rows, "src/api/key.rs", "use crate::{\ntime, tiered};")[0],
            found[0]
        );
        assert_eq!(
            judge(
                rows,
                "src/api/key.rs",
                "\nfn f() { super::super::tiered::f() }"
            ),
            found
        );
        let inline = "mod tests {\nfn f() { super::super::tiered::f() } }";
        assert_eq!(judge(rows, "src/api.rs", inline), found);
        assert_eq!(
            judge(rows, "src/api.rs", "\nuse ghswarm::tiered::Tiered;"),
            found
        );
    }

    #[test]
    fn a_sibling_row_is_found_and_vocabulary_is_not() {
        let siblings = judge(rows, "src/files.rs", "use crate::github::Client;");
        assert_eq!(siblings, ["1: row 2 names `github` of row 2"]);
        assert!(judge(rows, "src/clock.rs", "use crate::time::Timestamp;").is_empty());
    }

    #[test]
    fn lower_rows_children_and_entries_are_free() {
        let text = "use crate::{api::Key, clock};\nuse crate::store::disk;\nuse super::memory;";
        assert!(judge(rows, "src/store/disk.rs", text).is_empty());
        assert!(judge(rows, "src/lib.rs", "pub use crate::tiered::Tiered;").is_empty());
    }

    #[test]
    fn a_module_without_a_row_is_found() {
        assert_eq!(judge(rows, "src/gossip.rs", ""), ["1: `gossip` has no row"]);
        let named = judge(rows, "src/tiered.rs", "use crate::gossip;");
        assert_eq!(named, ["1: `gossip` is no module with a row"]);
    }

    #[test]
    fn an_impure_name_is_found_in_a_pure_module_alone() {
        let impure = [
            ("use tokio::sync::watch;", "tokio::sync::watch"),
            ("use std::{fmt, fs};", "std::fs"),
            ("fn f() { std::env::var(\"A\"); }", "std::env::var"),
            ("use std::net::IpAddr;", "std::net::IpAddr"),
            ("use std::time::{Duration, Instant};", "std::time::Instant"),
            (
                "fn f() { time::SystemTime::now(); }",
                "time::SystemTime::now",
            ),
            ("use getrandom;", "getrandom"),
            ("use crate::clock::Clock;", "crate::clock::Clock"),
        ];
        for (text, name) in impure {
            let found = judge(pure, "src/http_cache/policy.rs", text);
            assert_eq!(found, [format!("1: a pure module names `{name}`")]);
            assert!(judge(pure, "src/tiered.rs", text).is_empty());
            let in_test = format!("#[cfg(test)]\nmod tests {{ {text} }}");
            assert!(judge(pure, "src/api.rs", &in_test).is_empty());
        }
        assert!(
            judge(
                pure,
                "src/api.rs",
                "use std::time::Duration; fn f(rand: u8) {}"
            )
            .is_empty()
        );
    }

    #[test]
    fn a_lab_that_names_ghswarm_is_found() {
        let text = "use ghswarm::api::Key;";
        assert_eq!(
            judge(lab_stands_alone, "lab/src/etag.rs", text),
            ["1: the lab names ghswarm"]
        );
        assert!(judge(lab_stands_alone, "tests/it/replay.rs", text).is_empty());
    }

    #[test]
    fn a_module_declared_before_a_lower_row_is_found() {
        let library = Source::read("pub mod tiered;\npub mod api;").unwrap();
        let findings = declared_in_order(&[("src/lib.rs", library)].into());
        assert_eq!(
            findings,
            [finding(
                "src/lib.rs",
                2,
                "`api` of row 1 stands after row 4"
            )]
        );
    }
}
