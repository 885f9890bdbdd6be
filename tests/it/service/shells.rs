//! `eval "$(ghswarm env --start)"` in the shells that a script may be written for.

use super::{HELLO, Runners};
use crate::needs;

/// Shells, and how each takes the variables over.
const SHELLS: [(&str, &str); 5] = [
    ("sh", POSIX),
    ("dash", POSIX),
    ("bash", POSIX),
    ("zsh", POSIX),
    ("fish", "ghswarm env --start | source"),
];
const POSIX: &str = r#"eval "$(ghswarm env --start)""#;

#[tokio::test]
async fn every_shell_understands_the_variables() {
    let mut seen = 0;
    for (shell, takes_over) in SHELLS {
        if needs::program(shell).is_none() {
            continue;
        }
        seen += 1;
        let host = Runners::new().await;
        // Whatever a path may have in it arrives as it is.
        let mut job = host.job("it's $(a) `runner`; \"or\" *");
        job.set("GITHUB_ACTIONS", "");
        let script = format!(
            "{takes_over}\ncurl -sf \"$GITHUB_API_URL/{HELLO}\" >/dev/null || exit 3\n\
             test -S \"$GHSWARM_SOCKET\" || exit 4\ntest -f \"$GH_CONFIG_DIR/config.yml\" || exit 5\n\
             ghswarm stats --format json"
        );
        let ran = job.run(&[shell, "-c", &script]).await.ok();
        assert_eq!(ran.json()["requests"], 1, "{shell}: {}", ran.stderr);
        assert_eq!(ran.stderr, "", "{shell}");
        job.ghswarm(&["stop"]).await.ok();
    }
    assert!(seen >= 2, "at least sh and bash");
}

#[tokio::test]
async fn a_script_goes_on_without_a_daemon() {
    let host = Runners::new().await;
    let mut job = host.job("runner");
    job.set("GHSWARM_STATE_DIR", "/dev/null/x");
    let script = format!("set -eu\n{POSIX}\necho \"${{GHSWARM_SOCKET-none}}\"");
    let ran = job.run(&["sh", "-c", &script]).await.ok();
    assert_eq!(ran.text(), "none\n");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("--state-dir"), "{}", ran.stderr);
}
