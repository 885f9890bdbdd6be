//! The page of a summary as those read it who will: GitHub's own parser of Markdown, and Mermaid's of charts. The pages
//! are those that the tests beside the code compare with what is written.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::needs;

const PAGES: [&str; 2] = [
    "tests/data/summary/page.md",
    "tests/data/summary/hostile.md",
];

/// What `program` says about both pages.
fn read_by(program: &mut Command) -> [Value; 2] {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = PAGES.map(|page| here.join(page).display().to_string());
    let output = program.args(&paths).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    paths.map(|path| read[path].clone())
}

#[test]
fn a_page_of_hostile_words_has_the_elements_of_any_other() {
    let Some(clients) = needs::clients().filter(|clients| clients.join("venv").exists()) else {
        return needs::skip("clients");
    };
    let mut python = Command::new(clients.join("venv/bin/python"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/pages.py");
    let elements = read_by(python.arg(script)).map(|page| {
        let elements = page.as_array().unwrap().clone();
        // Words of others stand in code, which has no other element inside.
        let others = elements.into_iter().filter(|element| element[0] != "code");
        others.collect::<Vec<_>>()
    });
    let [plain, hostile] = elements;
    assert!(plain.len() > 100, "{plain:?}");
    assert_eq!(plain, hostile);
    let usual = [
        "h2", "h3", "p", "strong", "pre", "table", "thead", "tbody", "tr", "th", "td",
    ];
    for element in &hostile {
        assert!(usual.iter().any(|usual| element[0] == *usual), "{element}");
        let attributes = element[1].as_array().unwrap();
        assert!(
            attributes
                .iter()
                .all(|name| name == "align" || name == "lang"),
            "{element}"
        );
    }
}

#[test]
fn the_chart_is_read_by_mermaid() {
    let Some(clients) = needs::clients() else {
        return needs::skip("clients");
    };
    let Some(node) = needs::program("node") else {
        return needs::skip("node");
    };
    let mut node = Command::new(node);
    node.current_dir(clients)
        .args(["--input-type=module", "--eval"])
        .arg(include_str!("../../clients/chart.mjs"));
    let [plain, hostile] = read_by(&mut node);
    assert_eq!(plain, hostile);
    assert_eq!(plain[0], serde_json::json!(["from memory", 1000]));
    assert_eq!(plain.as_array().unwrap().len(), 9);
}
