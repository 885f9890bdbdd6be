//! Help, completions, manual pages, and what a wrong line says.

use clap::CommandFactory as _;

use super::Sandbox;

#[tokio::test]
async fn every_command_teaches_itself() {
    let sandbox = Sandbox::new().await;
    let commands = "serve start stop stats api exec env cache doctor completions man";
    for command in commands.split(' ') {
        let help = sandbox.run([command, "--help"]).await.ok();
        assert!(help.text().contains("Examples:"), "{}", help.text());
    }
    let help = sandbox.run(["--help"]).await.ok();
    for command in commands.split(' ') {
        assert!(
            help.text().contains(&format!("\n  {command} ")),
            "{command}: {}",
            help.text()
        );
    }
    assert!(!help.text().contains("keeper"), "{}", help.text());
    assert!(
        sandbox
            .run(["--version"])
            .await
            .ok()
            .text()
            .starts_with("ghswarm ")
    );
}

/// What is wider is broken, and its last word stands on a line of its own.
#[test]
fn no_line_below_the_flags_is_wider_than_a_terminal() {
    let mut commands = vec![ghswarm::cli::Cli::command()];
    while let Some(command) = commands.pop() {
        let after = command.get_after_help().map(ToString::to_string);
        for line in after.unwrap_or_default().lines() {
            let width = line.chars().count();
            assert!(width <= 100, "{}: {line}", command.get_name());
        }
        commands.extend(command.get_subcommands().cloned());
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_usage() {
    let sandbox = Sandbox::new().await;
    for line in [
        &[][..],
        &["frobnicate"],
        &["serve", "--no-such-flag"],
        &["serve", "--memory-limit", "much"],
        &["serve", "--on-exhausted", "panic"],
        &["exec"],
        &["api"],
        &["cache", "get"],
        &["completions", "tcsh"],
    ] {
        let refused = sandbox.run(line).await;
        assert_eq!((refused.code, refused.stdout.len()), (2, 0), "{line:?}");
        assert!(!refused.stderr.is_empty(), "{line:?}");
    }
    let mut serve = sandbox.command(["serve"]);
    let output = serve
        .env("GHSWARM_MAX_WAIT", "long")
        .output()
        .await
        .unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint.contains("GHSWARM_MAX_WAIT"), "{complaint}");
}

#[tokio::test]
async fn completions_and_manual_pages_are_written() {
    let sandbox = Sandbox::new().await;
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.run(["completions", shell]).await.ok();
        assert!(
            script.text().contains("ghswarm") && script.stdout.len() > 1000,
            "{shell}"
        );
    }
    assert!(
        sandbox
            .run(["man"])
            .await
            .ok()
            .text()
            .contains(".TH ghswarm")
    );
    sandbox.run(["man", "--dir", "pages"]).await.ok();
    assert!(sandbox.home().join("pages/ghswarm-exec.1").exists());
}
