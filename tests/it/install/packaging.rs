//! `dist/package.py`: the same programs make the same bytes, and a manifest that the installers can read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{VERSION, package, packages, put, repository};

const TARGETS: [&str; 5] = [
    "aarch64-apple-darwin",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "x86_64-unknown-linux-musl",
];

/// Packages a program for all targets, in a folder of its own; the files that came of it.
fn packaged(manifest: &Path) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let (out, program) = (dir.path().join("out"), dir.path().join("some program"));
    put(&program, "not much of a program");
    let programs = TARGETS.map(|target| format!("{target}={}", program.display()));
    let mut arguments = vec![
        "--out",
        out.to_str().unwrap(),
        "--url",
        "https://example.invalid/v0",
    ];
    arguments.extend(["--manifest", manifest.to_str().unwrap()]);
    arguments.extend(programs.iter().map(String::as_str));
    let output = package(&arguments);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let files = out.read_dir().unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (
            path.file_name().unwrap().to_str().unwrap().to_owned(),
            fs::read(path).unwrap(),
        )
    });
    files.collect()
}

#[test]
fn the_same_programs_make_the_same_bytes() {
    if !packages() {
        return;
    }
    let manifest = repository().join("dist/manifest.json");
    let first = packaged(&manifest);
    let second = packaged(&manifest);
    assert_eq!(first.len(), TARGETS.len() + 1);
    assert!(first == second, "archives or manifests differ");
    // Neither when it was made nor where is in them.
    let archive = &first[&format!("ghswarm-{VERSION}-x86_64-unknown-linux-musl.tar.gz")];
    assert_eq!(
        archive[..4],
        [0x1f, 0x8b, 8, 0],
        "no name in the head of gzip"
    );
}

#[test]
fn an_archive_holds_the_program_and_its_licenses_in_one_folder() {
    if !packages() {
        return;
    }
    let files = packaged(&repository().join("dist/manifest.json"));
    let folder = format!("ghswarm-{VERSION}-x86_64-unknown-linux-musl");
    let dir = tempfile::tempdir().unwrap();
    put(
        &dir.path().join("a.tar.gz"),
        &files[&format!("{folder}.tar.gz")],
    );
    let listed = std::process::Command::new("tar")
        .args(["-tzvf", "a.tar.gz", "--utc"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<_> = listed
        .lines()
        .map(|line| line.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "ghswarm"]
    );
    let program = listed.lines().last().unwrap();
    assert!(
        program.starts_with("-rwxr-xr-x 0/0 ") && program.contains(" 1980-01-02 "),
        "{program}"
    );
    assert!(
        program.ends_with(&format!(" {folder}/ghswarm")),
        "{program}"
    );
}

#[test]
fn a_release_joins_those_before_it() {
    if !packages() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let manifest = dir.path().join("manifest.json");
    let first = packaged(&repository().join("dist/manifest.json"));
    let mut known: Value = serde_json::from_slice(&first["manifest.json"]).unwrap();
    let releases = known["releases"].as_object_mut().unwrap();
    let this = releases[VERSION].clone();
    for other in ["0.0.9", "0.0.10"] {
        releases.insert(other.to_owned(), this.clone());
    }
    put(&manifest, known.to_string());
    let text = String::from_utf8(packaged(&manifest).remove("manifest.json").unwrap()).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["releases"], known["releases"]);
    assert_eq!(
        read["releases"][VERSION].as_object().unwrap().len(),
        TARGETS.len()
    );
    let places = [VERSION, "0.0.10", "0.0.9"]
        .map(|version| text.find(&format!("\n    \"{version}\": {{\n")));
    assert!(places.is_sorted() && places[0].is_some(), "{text}");
    let rows = text
        .lines()
        .filter(|line| line.starts_with("      \"") && line.contains("\"sha256\": \""));
    assert_eq!(
        rows.count(),
        3 * TARGETS.len(),
        "one line for all of a target"
    );
}

#[test]
fn the_manifest_of_the_repository_is_as_the_command_writes_it() {
    if !packages() {
        return;
    }
    let script = "import json, sys, package\n\
                  text = open(sys.argv[1]).read()\n\
                  assert package.manifest_text(json.loads(text)) == text";
    let python = crate::needs::program("python3").expect("python3, which .ci/run installs");
    let output = std::process::Command::new(python)
        .args(["-B", "-c", script])
        .arg(repository().join("dist/manifest.json"))
        .env("PYTHONPATH", repository().join("dist"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_installers_the_packaging_and_the_release_name_the_same_targets() {
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let installers = [read("dist/install.sh"), read("dist/install.ps1")].concat();
    for target in TARGETS {
        assert!(installers.contains(target), "{target} is not installed");
        assert!(
            read("dist/package.py").contains(&format!("\"{target}\"")),
            "{target} is not packed"
        );
        assert!(
            read(".github/workflows/release.yml").contains(&format!("target: {target},")),
            "{target} is not built"
        );
    }
}

#[test]
fn what_cannot_be_packed_is_refused() {
    if !packages() {
        return;
    }
    for (arguments, words) in [
        (["--out", "x", "riscv64-unknown-none=x"], "is not a target"),
        (["--out", "x", "aarch64-apple-darwin"], "--build"),
        (
            [
                "--url=https://me:secret@example.invalid",
                "--out=x",
                "aarch64-apple-darwin=x",
            ],
            "--url",
        ),
    ] {
        let output = package(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(words));
    }
}
