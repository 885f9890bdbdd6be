//! `exec` and `env`.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Sandbox, kill, path_of};

#[tokio::test]
async fn the_exit_code_is_the_childs() {
    let sandbox = Sandbox::new().await;
    let plain = sandbox.home().join("not-a-program");
    std::fs::File::create(&plain).unwrap();
    let plain = plain.to_str().unwrap();
    for (command, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&[plain], 126),
        (&["no-such-program"], 127),
    ] {
        let arguments = ["exec", "--"].iter().chain(command);
        assert_eq!(sandbox.run(arguments).await.code, code, "{command:?}");
    }
}

#[tokio::test]
async fn what_exec_started_it_stops_and_nothing_else() {
    let sandbox = Sandbox::new().await;
    let script =
        "curl -sf $GITHUB_API_URL/repos/octo-org/hello >/dev/null; test -S $GHSWARM_SOCKET";
    sandbox.run(["exec", "--", "sh", "-c", script]).await.ok();
    assert!(!sandbox.state_dir().join("ready.json").exists());
    let ready = sandbox.start().await;
    sandbox.run(["exec", "--", "true"]).await.ok();
    assert_eq!(sandbox.ready(), ready);
}

#[tokio::test]
async fn the_child_finds_the_cache_by_every_road() {
    let sandbox = Sandbox::new().await;
    let gh = sandbox.home().join(".config/gh");
    std::fs::create_dir_all(&gh).unwrap();
    let write = |name: &str, text: &str| {
        ghswarm::files::write_atomic(&gh.join(name), text.as_bytes()).unwrap();
    };
    write("config.yml", "git_protocol: ssh\nhttp_unix_socket: /old\n");
    write("hosts.yml", "github.com:\n    oauth_token: secret\n");
    let ready = sandbox.start().await;
    let mut exec = sandbox.command(["exec", "--", "env", "-0"]);
    let output = exec
        .env("NO_PROXY", "internal.example")
        .output()
        .await
        .unwrap();
    let environment = String::from_utf8(output.stdout).unwrap();
    let variable = |name: &str| {
        let of = |line: &str| {
            line.strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        environment
            .split('\0')
            .find_map(of)
            .unwrap_or_else(|| panic!("{name}: {environment}"))
    };
    let api_url = ready["api_url"].as_str().unwrap();
    assert_eq!(variable("GITHUB_API_URL"), api_url);
    assert_eq!(variable("GITHUB_GRAPHQL_URL"), format!("{api_url}/graphql"));
    assert_eq!(
        variable("NO_PROXY"),
        "internal.example,127.0.0.1,localhost,::1"
    );
    assert_eq!(
        variable("GHSWARM_SOCKET"),
        ready["socket"].as_str().unwrap()
    );
    assert_eq!(
        variable("GHSWARM_STATE_DIR"),
        ready["state_dir"].as_str().unwrap()
    );
    let folder = std::path::PathBuf::from(variable("GH_CONFIG_DIR"));
    assert_eq!(
        folder.metadata().unwrap().permissions().mode() & 0o777,
        0o700
    );
    let config = std::fs::read_to_string(folder.join("config.yml")).unwrap();
    let socket = ready["socket"].as_str().unwrap();
    assert_eq!(
        config,
        format!("git_protocol: ssh\nhttp_unix_socket: \"{socket}\"\n")
    );
    assert_eq!(
        std::fs::read_link(folder.join("hosts.yml")).unwrap(),
        gh.join("hosts.yml")
    );
}

#[tokio::test]
async fn without_a_possible_daemon_the_program_runs_all_the_same() {
    let sandbox = Sandbox::new().await;
    let run = |strict: &'static str| {
        let mut exec = sandbox.command(["exec", "--", "sh", "-c", "echo ${GITHUB_API_URL-unset}"]);
        exec.env("GHSWARM_STATE_DIR", "/dev/null/x")
            .env("GHSWARM_STRICT", strict);
        async move { super::Ran::from(exec.output().await.unwrap()) }
    };
    let ran = run("false").await.ok();
    assert_eq!(ran.text(), "unset\n");
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.starts_with("ghswarm: running without the cache"),
        "{}",
        ran.stderr
    );
    let refused = run("true").await;
    assert_eq!((refused.code, refused.stdout.len()), (1, 0));
}

#[tokio::test]
async fn a_signal_reaches_the_child() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let script = "trap 'exit 5' TERM; echo trapped; while :; do sleep 0.01; done";
    let mut exec = sandbox.command(["exec", "--", "sh", "-c", script]);
    let mut child = exec.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("trapped"));
    assert!(kill(i64::from(child.id().unwrap()), "-TERM"));
    assert_eq!(child.wait().await.unwrap().code(), Some(5));
}

#[tokio::test]
async fn env_is_what_a_shell_a_workflow_and_a_script_can_read() {
    let sandbox = Sandbox::new().await;
    let without = sandbox.run(["env"]).await;
    assert_eq!((without.code, without.stdout.len()), (1, 0));
    // A quote in a path must survive the shell.
    let odd = sandbox.home().join("it's $HOME");
    let run = |arguments: &'static [&'static str]| {
        let mut env = sandbox.command(arguments);
        env.env("GHSWARM_STATE_DIR", &odd);
        async move { super::Ran::from(env.output().await.unwrap()).ok() }
    };
    let shell = run(&["env", "--start"]).await;
    let json = run(&["env", "--format", "json"]).await.json();
    assert_eq!(path_of(&json, "GHSWARM_STATE_DIR"), odd);
    let script = format!("{}\nprintf %s \"$GHSWARM_STATE_DIR\"", shell.text());
    let read = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(read.stdout).unwrap(),
        odd.to_str().unwrap()
    );

    let github = run(&["env", "--format", "github"]).await;
    let mut lines = github.text().lines();
    let mut count = 0;
    while let Some(head) = lines.next() {
        let (name, delimiter) = head.split_once("<<").unwrap();
        let value: Vec<_> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        assert_eq!(Value::from(value.join("\n")), json[name], "{name}");
        count += 1;
    }
    assert_eq!(count, json.as_object().unwrap().len());
    run(&["stop"]).await;
}
