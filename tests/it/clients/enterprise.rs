//! `gh` and curl with a GitHub Enterprise Server, over the socket: its API is a path of its own host.

use ghswarm_lab::{FakeGitHub, TokenSpec};

use super::APP;
use super::program::Program;
use super::stage::{ENTERPRISE, Stage};

const ISSUES: &str = "repos/octo-org/app/issues?state=all&per_page=50";

#[tokio::test]
async fn gh_reads_an_enterprise_server_once() {
    let Some(stage) = Stage::with_enterprise("gh").await else {
        return;
    };
    let at = |command: &[&'static str]| [&["api", "--hostname", ENTERPRISE], command].concat();
    let (viewer, of_repo) = (
        "query=query { viewer { login } }",
        "ghe.example.org/octo-org/app",
    );
    let commands: [Vec<&str>; 8] = [
        at(&["/user"]),
        at(&["repos/octo-org/app"]),
        at(&["--paginate", ISSUES]),
        at(&["graphql", "-f", viewer]),
        at(&["https://ghe.example.org/api/v3/repos/octo-org/app"]),
        vec!["run", "list", "-R", of_repo, "--limit", "60"],
        vec!["pr", "list", "-R", of_repo, "--limit", "40"],
        vec!["repo", "view", of_repo, "--json", "name,description"],
    ];
    for command in commands {
        stage.forget();
        let seen = stage
            .twice(async || stage.gh(stage.proxy_socket(), &command).await)
            .await;
        let direct = stage.gh(stage.github_socket(), &command).await;
        assert_eq!(seen, direct, "gh {}", command.join(" "));
        assert!(!seen.trim().is_empty(), "gh {}", command.join(" "));
    }
    let host = [("GH_HOST", ENTERPRISE)];
    let by_variable = stage
        .gh_with(
            stage.proxy_socket(),
            &host,
            &["api", "user", "--jq", ".login"],
        )
        .await;
    assert_eq!(by_variable.trim(), "octocat");
}

#[tokio::test]
async fn an_enterprise_server_is_asked_at_its_own_paths() {
    let Some(stage) = Stage::with_enterprise("gh").await else {
        return;
    };
    let query = "query=query { viewer { login } }";
    for arguments in [&["--paginate", ISSUES][..], &["graphql", "-f", query]] {
        let command = [&["api", "--hostname", ENTERPRISE], arguments].concat();
        stage.gh(stage.proxy_socket(), &command).await;
    }
    let requests = stage.github.requests();
    let asked: Vec<_> = requests.iter().map(|seen| seen.path.as_str()).collect();
    let (graphql, rest) = asked.split_last().unwrap();
    assert_eq!(*graphql, "/api/graphql");
    assert!(rest.len() > 1, "{rest:?}");
    for path in rest {
        assert!(path.starts_with("/api/v3/repos"), "{path}");
    }
}

#[tokio::test]
async fn what_is_written_to_an_enterprise_server_is_read_again() {
    let Some(stage) = Stage::with_enterprise("gh").await else {
        return;
    };
    let issue = [
        "api",
        "--hostname",
        ENTERPRISE,
        "repos/octo-org/app/issues/1",
    ];
    let title = [&issue[..], &["--jq", ".title"]].concat();
    let write = [&issue[..], &["-X", "PATCH", "-f", "title=Changed"]].concat();
    let before = stage.gh(stage.proxy_socket(), &title).await;
    stage.gh(stage.proxy_socket(), &write).await;
    let after = stage.gh(stage.proxy_socket(), &title).await;
    assert_ne!(before, after);
    assert_eq!(after.trim(), "Changed");
}

#[tokio::test]
async fn an_enterprise_servers_answers_differ_in_nothing_and_its_other_paths_are_no_api() {
    let Some(stage) = Stage::with_enterprise("curl").await else {
        return;
    };
    let socket = stage.proxy_socket().display().to_string();
    let get = async |path: &str| {
        let url = format!("http://{ENTERPRISE}{path}");
        let arguments = [
            "--include".into(),
            "--unix-socket".into(),
            socket.clone(),
            url,
        ];
        let answer = stage.curl(&arguments).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    };
    let field = |head: &str, name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(it, _)| *it == name);
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let path = format!("/api/v3/{ISSUES}");
    let (head, body) = get(&path).await;
    assert_eq!(body, stage.curl_github(&path).await);
    let link = field(&head, "link");
    let second = "<https://ghe.example.org/api/v3/repositories/1039/issues?state=all&per_page=50&page=2>; rel=\"next\"";
    assert!(link.contains(second), "{link}");
    // From memory it says the same.
    let (again, _) = get(&path).await;
    assert!(field(&again, "cache-status").contains("; hit"), "{again}");
    assert_eq!(field(&again, "link"), link);
    assert_eq!(field(&again, "etag"), field(&head, "etag"));

    // The same path of the web site is not the API's.
    get(&format!("/api/v3{APP}")).await;
    let (web, _) = get(APP).await;
    let cache = field(&web, "cache-status");
    assert_eq!(cache, "ghswarm; fwd=bypass; detail=other-host");

    let upload = "/api/uploads/repos/octo-org/app/releases/1/assets?name=a";
    let arguments = ["--unix-socket", &socket, "--data-binary", "bytes"].map(str::to_owned);
    let url = format!("http://{ENTERPRISE}{upload}");
    stage.curl(&[&arguments[..], &[url]].concat()).await;
    let asked = stage.github.requests();
    assert_eq!(asked.last().unwrap().path, upload);
}

#[tokio::test]
async fn what_two_hosts_call_the_same_is_kept_apart() {
    let Some(stage) = Stage::with_enterprise("gh").await else {
        return;
    };
    let dotcom = FakeGitHub::builder().start().await.unwrap();
    let token = dotcom.token(TokenSpec::classic("octocat").write("octo-org/app"));
    let mapping = format!("{ENTERPRISE}={}", stage.github.url());
    let program = Program::serve_with(&dotcom.url(), &["--origin-for", &mapping]).await;
    let issue = "repos/octo-org/app/issues/1";
    let here = ["api", "--hostname", ENTERPRISE, issue, "--jq", ".title"];
    let there = ["api", issue, "--jq", ".title"];
    // One value for both, which is the worst case for whoever mixes them up.
    assert_eq!(token.value(), stage.token());
    stage
        .gh(
            stage.github_socket(),
            &[&here[..3], &[issue, "-X", "PATCH", "-f", "title=Inside"]].concat(),
        )
        .await;
    for _ in 0..2 {
        assert_eq!(stage.gh(program.socket(), &here).await.trim(), "Inside");
        assert_ne!(stage.gh(program.socket(), &there).await.trim(), "Inside");
    }
    assert_eq!(dotcom.usage().total.counted, 1);
}
