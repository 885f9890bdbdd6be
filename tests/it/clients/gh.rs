//! `gh` for somebody with a configuration of their own, and `gh` beside itself without us.

use std::path::{Path, PathBuf};

use super::program::Program;
use super::stage::{ENTERPRISE, Stage};

#[tokio::test]
async fn gh_prints_the_same_through_the_proxy_and_asks_once() {
    let Some(stage) = Stage::with_program("gh").await else {
        return;
    };
    let paginate = format!("{}&direction=asc", &super::ISSUES[1..]);
    let commands: [&[&str]; 10] = [
        &["api", "repos/octo-org/app"],
        &["api", "--paginate", &paginate],
        &["api", "graphql", "-f", "query=query { viewer { login } }"],
        &["auth", "status"],
        &["run", "list", "-R", "octo-org/app", "--limit", "60"],
        &["pr", "list", "-R", "octo-org/app", "--limit", "40"],
        &["issue", "list", "-R", "octo-org/app", "--limit", "60"],
        &["repo", "view", "octo-org/app"],
        &[
            "repo",
            "view",
            "octo-org/app",
            "--json",
            "name,description,isPrivate",
        ],
        &["release", "list", "-R", "octo-org/app", "--limit", "40"],
    ];
    for command in commands {
        stage.forget();
        let seen = stage
            .twice(async || stage.gh(stage.proxy_socket(), command).await)
            .await;
        let direct = stage.gh(stage.github_socket(), command).await;
        assert_eq!(seen, direct, "gh {}", command.join(" "));
        assert!(
            !seen.trim().is_empty(),
            "gh {} printed nothing",
            command.join(" ")
        );
    }
}

#[tokio::test]
async fn settings_accounts_and_hosts_of_the_user_stay_in_force() {
    let Some((stage, program, config)) = user_with_two_hosts().await else {
        return;
    };
    let login = ["--jq", ".login"];
    let seen = stage
        .twice(async || {
            let aliased = stage.exec_gh(&program, &config, &["me"]).await;
            let there = ["api", "--hostname", ENTERPRISE, "user"];
            let there = [&there[..], &login].concat();
            aliased + &stage.exec_gh(&program, &config, &there).await
        })
        .await;
    assert_eq!(seen, "octocat\noctocat\n");
    let get = ["config", "get", "git_protocol"];
    assert_eq!(stage.exec_gh(&program, &config, &get).await, "ssh\n");
}

#[tokio::test]
async fn what_gh_writes_about_accounts_is_written_to_the_users_own_file() {
    let Some((stage, program, config)) = user_with_two_hosts().await else {
        return;
    };
    let set = ["config", "set", "-h", "github.com", "git_protocol", "https"];
    stage.exec_gh(&program, &config, &set).await;
    let hosts = std::fs::read_to_string(config.join("hosts.yml")).unwrap();
    assert!(hosts.contains("git_protocol: https"), "{hosts}");
    assert!(hosts.contains("hubot"), "{hosts}");
    let get = ["config", "get", "-h", "github.com", "git_protocol"];
    assert_eq!(stage.exec_gh(&program, &config, &get).await, "https\n");
    // The user's settings know nothing of us.
    let settings = std::fs::read_to_string(config.join("config.yml")).unwrap();
    assert!(!settings.contains("http_unix_socket"), "{settings}");
}

#[tokio::test]
async fn what_gh_writes_for_somebody_without_a_configuration_is_theirs_too() {
    let Some(stage) = Stage::with_program("gh").await else {
        return;
    };
    let program = Program::serve(&stage.github.url()).await;
    // Neither the folder nor the one above it are there, and the variable is as a script would set it.
    let config = Path::new("home/gh");
    let set = ["config", "set", "-h", "github.com", "git_protocol", "ssh"];
    stage.exec_gh(&program, config, &set).await;
    let hosts = std::fs::read_to_string(stage.room().join(config).join("hosts.yml")).unwrap();
    assert!(hosts.contains("git_protocol: ssh"), "{hosts}");
}

/// Somebody with an alias, two accounts on github.com and one on an Enterprise Server: a daemon that
/// reaches the same fake as both, and the folder of their configuration.
async fn user_with_two_hosts() -> Option<(Stage, Program, PathBuf)> {
    let stage = Stage::with_enterprise("gh").await?;
    let origin = stage.github.url();
    let mapping = format!("{ENTERPRISE}={origin}");
    let program = Program::serve_with(&origin, &["--origin-for", &mapping]).await;
    let config = stage.room().join("user");
    std::fs::create_dir(&config).unwrap();
    let token = stage.token();
    write(
        &config.join("config.yml"),
        "git_protocol: ssh\naliases:\n    me: api user --jq .login\n",
    );
    write(
        &config.join("hosts.yml"),
        &format!(
            "github.com:
    users:
        hubot:
            oauth_token: not-in-use
        octocat:
            oauth_token: {token}
    user: octocat
    oauth_token: {token}
{ENTERPRISE}:
    user: octocat
    oauth_token: {token}
"
        ),
    );
    Some((stage, program, config))
}

fn write(path: &Path, text: &str) {
    ghswarm::files::write_atomic(path, text.as_bytes()).unwrap();
}
