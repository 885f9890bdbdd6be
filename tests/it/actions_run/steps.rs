//! Steps of a workflow.

/// What workflows of the stories write where others write our repository and a commit.
pub(super) const ACTION: &str = "octo-org/ghswarm";
/// The commit.
pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Where the runner keeps a step's `with:`.
type With<'a> = &'a [(&'a str, &'a str)];

/// The one line that a workflow needs.
pub(super) fn setup(with: With<'_>) -> String {
    also("id: ghswarm", &uses(&format!("{ACTION}@{COMMIT}"), with))
}

/// The last step.
pub(super) fn finish(with: With<'_>) -> String {
    also(
        "if: always()",
        &uses(&format!("{ACTION}/actions/finish@{COMMIT}"), with),
    )
}

/// The same step with a field more.
pub(super) fn also(field: &str, step: &str) -> String {
    format!(
        "      - {field}\n{}",
        step.replacen("      - ", "        ", 1)
    )
}

/// An action.
pub(super) fn uses(action: &str, with: With<'_>) -> String {
    let mut lines = vec![format!("      - uses: {action}\n")];
    if !with.is_empty() {
        lines.push("        with:\n".to_owned());
    }
    let input = |(name, value): &(&str, &str)| format!("          {name}: {}\n", quoted(value));
    lines.extend(with.iter().map(input));
    lines.concat()
}

/// A script.
pub(super) fn run(script: &str) -> String {
    let lines = script
        .trim()
        .lines()
        .map(|line| format!("          {}\n", line.trim()));
    format!("      - run: |\n{}", lines.collect::<String>())
}

/// As YAML reads it: JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Reads the repository and five lists with `gh`, then with octokit, then with `PyGithub`.
pub(super) fn ask() -> String {
    let gh = r#"
        gh api "repos/$GITHUB_REPOSITORY" --jq .full_name
        for time in 1 2 3 4 5; do
          echo "gh reads $(gh api "repos/$GITHUB_REPOSITORY/labels?as=gh$time" --jq length) labels"
        done
    "#;
    let octokit = r#"cd "$CLIENTS" && node --input-type=module - < "$SCRIPTS/octokit.mjs""#;
    let pygithub = r#""$CLIENTS/venv/bin/python" "$SCRIPTS/pygithub.py""#;
    [gh, octokit, pygithub].map(run).concat()
}

/// The clients of [`ask`], by what their lists have in their addresses.
pub(super) const CLIENTS: [&str; 3] = ["as=gh", "as=octokit", "as=pygithub"];
