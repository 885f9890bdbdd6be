//! `doctor`: what it finds on machines with one thing wrong, and that it never shows a token.

mod machine;
mod probe;

use serde_json::Value;

use super::{Ran, Sandbox, path_of};

/// What `doctor` said, as JSON.
struct Examined {
    code: i32,
    findings: Vec<Value>,
}

impl Examined {
    /// The findings of `level`, as texts.
    fn all(&self, level: &str) -> Vec<String> {
        let found = self.findings.iter().filter(|found| found["level"] == level);
        let text =
            |found: &Value| format!("{}: {} → {}", found["area"], found["what"], found["fix"]);
        found.map(text).collect()
    }

    /// Holds it to exactly one problem, of `area`, whose text or fix says `word`; and to exit code 1.
    #[track_caller]
    fn has_problem(&self, area: &str, word: &str) {
        let problems = self.all("problem");
        assert_eq!((self.code, problems.len()), (1, 1), "{problems:#?}");
        let start = format!("\"{area}\": ");
        assert!(
            problems[0].starts_with(&start) && problems[0].contains(word),
            "{problems:#?}"
        );
    }

    /// Holds it to a finding of `area` and `level` that says `word`.
    #[track_caller]
    fn says(&self, level: &str, area: &str, word: &str) {
        let start = format!("\"{area}\": ");
        let found = self.all(level);
        let any = found
            .iter()
            .any(|text| text.starts_with(&start) && text.contains(word));
        assert!(any, "no {word:?} among {found:#?}");
    }

    /// Holds it to no problem, and exit code 0.
    #[track_caller]
    fn is_well(&self) {
        assert_eq!((self.code, self.all("problem")), (0, Vec::new()));
    }
}

impl Sandbox {
    /// Runs `doctor` with `flags` and `variables` in both forms, and holds both to show no token.
    async fn examine(&self, flags: &[&str], variables: &[(&str, &str)]) -> Examined {
        let mut shown = Vec::new();
        for format in ["table", "json"] {
            let mut command = self.command(["doctor", "--format", format]);
            command.args(flags).envs(variables.iter().copied());
            let ran = Ran::from(command.output().await.unwrap());
            let tokens = variables.iter().filter(|(name, _)| name.ends_with("TOKEN"));
            for token in tokens.map(|(_, value)| *value).chain([self.token.value()]) {
                // As little as its first letters after `ghp_` would be a part of the secret.
                let secret = token
                    .trim_start_matches("Bearer ")
                    .trim_matches(['"', '\n']);
                let Some(start) = secret.get(..8) else {
                    continue;
                };
                for output in [ran.text(), &ran.stderr] {
                    assert!(!output.contains(start), "{start} in {output}");
                }
            }
            shown.push(ran);
        }
        let (table, json) = (&shown[0], &shown[1]);
        assert_eq!(table.code, json.code);
        let report = json.json();
        let problems = report["summary"]["problems"].as_u64().unwrap();
        let last = table.text().lines().next_back().unwrap();
        match problems {
            0 => assert!(last.starts_with("no problems"), "{last}"),
            count => assert!(last.starts_with(&count.to_string()), "{last}"),
        }
        let findings = report["findings"].as_array().unwrap().clone();
        for found in &findings {
            let bad = found["level"] == "warning" || found["level"] == "problem";
            assert!(
                !bad || found["fix"].is_string(),
                "nothing to do about {found}"
            );
        }
        Examined {
            code: json.code,
            findings,
        }
    }
}

#[tokio::test]
async fn a_healthy_daemon_has_no_problems_and_every_client_is_told_its_port() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    sandbox.run(["api", "repos/octo-org/hello"]).await.ok();
    let asked = sandbox.github.requests().len();
    let examined = sandbox.examine(&[], &[]).await;
    examined.is_well();
    examined.says("ok", "daemon", &ready["pid"].to_string());
    examined.says("ok", "port", ready["api_url"].as_str().unwrap());
    examined.says("ok", "socket", "ghswarm.sock");
    examined.says("ok", "token", "classic personal access token (GH_TOKEN)");
    examined.says("ok", "budget", "of 5000 left");
    examined.says("ok", "formula", "held in 1 of the last 1 checks");
    examined.says("note", "clients", ready["api_url"].as_str().unwrap());
    assert_eq!(sandbox.github.requests().len(), asked, "GitHub was asked");
}

#[tokio::test]
async fn before_the_first_start_there_is_nothing_wrong() {
    let sandbox = Sandbox::new().await;
    let examined = sandbox.examine(&[], &[]).await;
    examined.is_well();
    examined.says("note", "daemon", "ghswarm start");
    assert!(!sandbox.state_dir().exists(), "looking made something");
    assert!(
        !sandbox.home().join(".cache").exists(),
        "looking made something"
    );
}

#[tokio::test]
async fn a_shell_that_was_prepared_by_env_is_seen_to_be() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let variables = sandbox.run(["env", "--format", "json"]).await.ok().json();
    let variables: Vec<_> = variables
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let examined = sandbox.examine(&[], &variables).await;
    examined.is_well();
    examined.says("ok", "clients", "@actions/github");
    if crate::needs::program("gh").is_some() {
        examined.says("ok", "gh", "goes through the daemon");
    }
    // The same shell when the daemon is gone: gh and clients would fail.
    sandbox.run(["stop"]).await.ok();
    let gone = sandbox.examine(&[], &variables).await;
    assert_eq!(gone.code, 1);
    gone.says("problem", "clients", "GITHUB_API_URL");
    gone.says("problem", "gh", "nobody answers");
}

#[tokio::test]
async fn the_table_fits_a_narrow_terminal() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let mut command = sandbox.command(["doctor"]);
    let ran = Ran::from(command.env("COLUMNS", "60").output().await.unwrap()).ok();
    let long = |line: &&str| {
        // A path or an address is one word, and stays whole.
        let words = line.split_whitespace().map(|word| word.chars().count());
        line.chars().count() > 60 && words.max() < Some(50)
    };
    assert_eq!(ran.text().lines().find(long), None, "{}", ran.text());
    assert!(!ran.text().contains('\u{1b}'), "colour in a pipe");
}
