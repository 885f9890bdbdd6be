//! Rules about the repository as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;
use super::{Finding, finding};

/// The most that a file may weigh: data that is larger is fetched by the tests that need it.
const HEAVIEST: usize = 1 << 20;
/// Where modules start: nothing else is compiled.
const ROOTS: [&str; 6] = [
    "src/lib.rs",
    "src/main.rs",
    "lab/src/lib.rs",
    "lab/src/main.rs",
    "lab/tests/it/main.rs",
    "tests/it/main.rs",
];

pub(super) fn oversized(path: &str, bytes: usize) -> Option<Finding> {
    (bytes > HEAVIEST).then(|| finding(path, 1, format!("{bytes} bytes; {HEAVIEST} is the most")))
}

/// What every release carries, and a lab that does not know what it tests.
pub(super) fn missing(texts: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        if texts.get(license).is_none_or(|text| text.trim().is_empty()) {
            findings.push(finding(license, 1, "the text of the license is missing"));
        }
    }
    let changes = texts.get("CHANGELOG.md").copied().unwrap_or_default();
    let names_this = |line: &str| {
        let title = line.trim_start_matches('#').trim().trim_start_matches('[');
        let current = title.strip_prefix(env!("CARGO_PKG_VERSION"));
        title.starts_with("Unreleased") || current.is_some_and(|rest| !rest.starts_with('.'))
    };
    if !changes
        .lines()
        .any(|line| line.starts_with("## ") && names_this(line))
    {
        findings.push(finding(
            "CHANGELOG.md",
            1,
            "no section Unreleased or of this version",
        ));
    }
    let manifest = texts.get("lab/Cargo.toml").copied().unwrap_or_default();
    let depends = |line: &str| {
        let key = line
            .trim()
            .trim_start_matches("[dependencies.")
            .trim_start_matches("[dev-dependencies.");
        let key: String = key
            .chars()
            .take_while(|char| char.is_alphanumeric() || "-_".contains(*char))
            .collect();
        key == "ghswarm"
    };
    if let Some(at) = manifest.lines().position(depends) {
        findings.push(finding(
            "lab/Cargo.toml",
            at + 1,
            "the lab depends on ghswarm",
        ));
    }
    findings
}

/// A file that no `mod` leads to is compiled by nobody.
pub(super) fn unreachable(sources: &BTreeMap<&str, Source>) -> Vec<Finding> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = ROOTS.iter().map(ToString::to_string).collect();
    while let Some(path) = open.pop() {
        let Some(source) = sources.get(path.as_str()) else {
            continue;
        };
        let folder = if ROOTS.contains(&path.as_str()) {
            path.rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned()
        } else {
            path.trim_end_matches(".rs").to_owned()
        };
        let children = source.modules.iter().filter(|module| module.elsewhere);
        open.extend(children.map(|module| format!("{folder}/{}.rs", module.name)));
        reached.insert(path);
    }
    let rooted = |path: &str| {
        let folder = |root: &str| {
            root.rsplit_once('/')
                .map_or("", |(folder, _)| folder)
                .to_owned()
        };
        ROOTS
            .iter()
            .any(|root| path.starts_with(&format!("{}/", folder(root))))
    };
    let dead = sources
        .keys()
        .filter(|path| rooted(path) && !reached.contains(**path));
    dead.map(|path| finding(path, 1, "no `mod` leads here"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heavy_file_is_found() {
        assert!(oversized("a.json", HEAVIEST + 1).is_some());
        assert!(oversized("a.json", HEAVIEST).is_none());
    }

    #[test]
    fn a_missing_license_and_a_silent_changelog_are_found() {
        let findings = missing(&[("LICENSE-MIT", "MIT"), ("CHANGELOG.md", "## 9.9.9\n")].into());
        let paths: Vec<_> = findings
            .iter()
            .map(|finding| finding.path.as_str())
            .collect();
        assert_eq!(paths, ["LICENSE-APACHE", "CHANGELOG.md"]);
    }

    #[test]
    fn a_lab_that_depends_on_ghswarm_is_found() {
        let sound = [
            ("LICENSE-MIT", "MIT"),
            ("LICENSE-APACHE", "A"),
            ("CHANGELOG.md", "## Unreleased"),
        ];
        for line in ["ghswarm = { path = \"..\" }", "[dev-dependencies.ghswarm]"] {
            let manifest = format!("[package]\nname = \"ghswarm-lab\"\n{line}\n");
            let mut texts = BTreeMap::from(sound);
            texts.insert("lab/Cargo.toml", &manifest);
            assert_eq!(
                missing(&texts),
                [finding("lab/Cargo.toml", 3, "the lab depends on ghswarm")]
            );
        }
        assert_eq!(missing(&sound.into()), []);
    }

    #[test]
    fn a_file_without_a_declaration_is_found() {
        let read = |text| Source::read(text).unwrap();
        let sources = [
            ("src/lib.rs", read("pub mod api;")),
            ("src/api.rs", read("mod key;\nmod page { }")),
            ("src/api/key.rs", read("")),
            ("src/api/page.rs", read("")),
            ("examples/fleet.rs", read("")),
        ];
        let dead = unreachable(&sources.into());
        assert_eq!(dead, [finding("src/api/page.rs", 1, "no `mod` leads here")]);
    }
}
