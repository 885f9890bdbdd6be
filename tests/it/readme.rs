//! What the README tells people to type is there to be typed.

use std::path::Path;
use std::process::Command;

/// The words after `ghswarm` on each line of a code block that starts with it, without what a shell
/// does with the output and what belongs to a program behind `--`.
fn typed(page: &str) -> Vec<Vec<&str>> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for line in page.lines().map(str::trim) {
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let line = line.strip_prefix("$ ").unwrap_or(line);
        if let Some(words) = line.strip_prefix("ghswarm ").filter(|_| in_code) {
            let ends = |word: &&str| !matches!(*word, "--" | "|" | ">" | ">>" | "#" | "&&" | "\\");
            lines.push(words.split_whitespace().take_while(ends).collect());
        }
    }
    lines
}

fn help(commands: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ghswarm"));
    let output = program
        .args(commands)
        .arg("--help")
        .output()
        .expect("a program that runs");
    assert!(
        output.status.success(),
        "ghswarm {} --help: {}",
        commands.join(" "),
        output.status
    );
    String::from_utf8(output.stdout).expect("text")
}

/// Whether `help` lists `command`: on a line of its own in the section of commands.
fn lists(help: &str, command: &str) -> bool {
    let (_, commands) = help.split_once("Commands:\n").unwrap_or_default();
    let section = commands.split("\n\n").next().unwrap_or_default();
    section
        .lines()
        .any(|line| line.split_whitespace().next() == Some(command))
}

#[test]
fn every_command_in_the_readme_is_in_the_help() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let Ok(page) = std::fs::read_to_string(readme) else {
        return;
    };
    for words in typed(&page) {
        let mut commands: Vec<&str> = Vec::new();
        let mut text = help(&commands);
        for &word in words.iter().take_while(|word| !word.starts_with('-')) {
            if !text.contains("Commands:\n") {
                break;
            }
            assert!(
                lists(&text, word),
                "README.md: no command `ghswarm {}`",
                words.join(" ")
            );
            commands.push(word);
            text = help(&commands);
        }
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let flag = flag.split('=').next().unwrap_or(flag);
            assert!(
                text.contains(flag),
                "README.md: no {flag} in `ghswarm {}`",
                words.join(" ")
            );
        }
    }
}

#[test]
fn a_line_of_a_code_block_is_read_up_to_the_shell() {
    let page =
        "ghswarm is prose\n```sh\n$ ghswarm stats --format json | jq .\nghswarm exec -- gh\n```";
    assert_eq!(
        typed(page),
        [vec!["stats", "--format", "json"], vec!["exec"]]
    );
    let help = "Usage\n\nCommands:\n  stats  Show\n  exec   Run\n\nOptions:\n  --help";
    assert!(lists(help, "exec"));
    assert!(!lists(help, "--help"));
}
