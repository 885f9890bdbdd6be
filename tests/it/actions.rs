//! What holds of the files of our actions, whoever runs them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Ours, and what is under them.
const ACTIONS: [&str; 3] = [
    "action.yml",
    "actions/setup-github-cache/action.yml",
    "actions/finish/action.yml",
];
/// The longest description that the marketplace takes.
const DESCRIPTION: usize = 125;
/// The most lines of shell in an action: what is to be decided, the program decides.
const SHELL: usize = 30;

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The lines of an action's scripts.
fn scripts(action: &str) -> Vec<&str> {
    let mut inside = None;
    let mut lines = Vec::new();
    for line in action.lines() {
        let indent = line.len() - line.trim_start().len();
        inside = inside.filter(|&block| line.trim().is_empty() || indent > block);
        if inside.is_some() {
            lines.push(line.trim());
        } else if let Some(script) = line.trim_start().strip_prefix("run: ") {
            inside = (script == "|").then_some(indent);
            lines.extend((script != "|").then_some(script));
        }
    }
    lines.retain(|line| !line.is_empty() && !line.starts_with('#'));
    lines
}

/// The inputs or the outputs with their descriptions and defaults, each on a line of its own.
fn section(action: &str, name: &str) -> BTreeMap<String, Vec<String>> {
    let start = format!("{name}:");
    let lines = action.lines().skip_while(|line| *line != start).skip(1);
    let mut entries = BTreeMap::new();
    let mut entry = String::new();
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        match line.strip_prefix("    ") {
            Some(field) => {
                let fields: &mut Vec<String> = entries.entry(entry.clone()).or_default();
                fields.push(field.to_owned());
            }
            None => line.trim().trim_end_matches(':').clone_into(&mut entry),
        }
    }
    entries
}

#[test]
fn the_marketplaces_entry_is_the_setup_action() {
    let [entry, action] = [ACTIONS[0], ACTIONS[1]].map(text);
    assert_eq!(entry, action.replace("_PATH/../../", "_PATH/"));
    assert_ne!(entry, action, "they say where dist/ is");
}

#[test]
fn nothing_of_a_workflow_becomes_part_of_a_script() {
    for path in ACTIONS {
        let action = text(path);
        let lines = scripts(&action);
        assert!(lines.len() > 5, "{path}: {lines:?}");
        let expressions: Vec<_> = lines.iter().filter(|line| line.contains("${{")).collect();
        assert!(expressions.is_empty(), "{path}: {expressions:?}");
    }
}

#[test]
fn the_scripts_are_short() {
    for path in ACTIONS {
        let action = text(path);
        let lines = scripts(&action);
        assert!(lines.len() <= SHELL, "{path}: {} lines", lines.len());
    }
}

#[test]
fn the_actions_of_others_are_pinned_by_commit() {
    for path in ACTIONS {
        let action = text(path);
        let uses = action
            .lines()
            .filter_map(|line| line.trim().strip_prefix("uses: "));
        for action in uses {
            let (name, commit) = action.split_once('@').unwrap();
            let (commit, version) = commit.split_once(" # v").unwrap();
            let hex = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(hex && commit.len() == 40, "{path}: {name}@{commit}");
            assert!(version.split('.').count() == 3, "{path}: {version}");
        }
    }
}

#[test]
fn the_marketplace_takes_the_descriptions() {
    for path in ACTIONS {
        let action = text(path);
        let description = action
            .lines()
            .find_map(|line| line.strip_prefix("description: "));
        let length = description.unwrap().chars().count();
        assert!(length <= DESCRIPTION, "{path}: {length}");
    }
}

/// Workflows name these, and rely on these defaults.
#[test]
fn inputs_and_outputs_keep_their_names_and_defaults() {
    let action = text(ACTIONS[0]);
    let (inputs, outputs) = (section(&action, "inputs"), section(&action, "outputs"));
    for (name, default) in [
        ("enable-p2p", "'true'"),
        ("cache-size", "'5000'"),
        ("cache-ttl", "'300'"),
        ("p2p-port", "'9000'"),
        ("enable-peer-discovery", "'true'"),
        ("github-token", "${{ github.token }}"),
    ] {
        let default = format!("default: {default}");
        assert!(inputs[name].contains(&default), "{name}: {inputs:?}");
    }
    for name in [
        "cache-status",
        "peer-count",
        "cache-dir",
        "api-url",
        "socket",
    ] {
        assert!(outputs.contains_key(name), "{name}: {outputs:?}");
    }
    // Each input reaches the program, or the installer.
    for name in inputs.keys() {
        let expression = format!("${{{{ inputs.{name} ");
        assert!(action.contains(&expression), "{name} is given to nobody");
    }
}
