//! `ghswarm api` as scripts know `gh api`.

use serde_json::{Value, json};

use super::{Ran, Sandbox};

#[tokio::test]
async fn an_answer_is_printed_and_the_next_one_is_a_hit() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let first = sandbox.run(["api", "repos/octo-org/hello"]).await.ok();
    assert_eq!(first.json()["full_name"], "octo-org/hello");
    assert_eq!(first.stderr, "");
    let second = sandbox
        .run(["api", "-i", "/repos/octo-org/hello"])
        .await
        .ok();
    let (head, body) = second.text().split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\n"), "{head}");
    assert!(head.contains("Cache-Status: ghswarm; hit; "), "{head}");
    assert_eq!(body.as_bytes(), first.stdout);
    let silent = sandbox
        .run(["api", "--silent", "repos/octo-org/hello"])
        .await
        .ok();
    assert_eq!(silent.text(), "");
}

#[tokio::test]
async fn an_error_leaves_the_body_on_stdout_and_the_message_on_stderr() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let missing = sandbox
        .run(["api", "repos/octo-org/nowhere", "--jq", ".id"])
        .await;
    assert_eq!(missing.code, 1);
    assert_eq!(missing.json()["message"], "Not Found");
    assert_eq!(missing.stderr, "ghswarm: Not Found (HTTP 404)\n");
}

#[tokio::test]
async fn pages_are_joined_slurped_or_filtered() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    sandbox
        .github
        .change(|state| {
            for number in 0..5 {
                state.create_issue("octo-org/hello", &format!("issue {number}"), "body")?;
            }
            Ok::<_, ghswarm_lab::Missing>(())
        })
        .unwrap();
    let path = "repos/octo-org/hello/issues?per_page=2&state=all";
    let one = sandbox.run(["api", path]).await.ok().json();
    assert_eq!(one.as_array().unwrap().len(), 2);
    let all = sandbox.run(["api", "--paginate", path]).await.ok().json();
    let all = all.as_array().unwrap();
    assert!(all.len() >= 5, "{}", all.len());
    let pages = sandbox
        .run(["api", "--paginate", "--slurp", path])
        .await
        .ok()
        .json();
    let pages = pages.as_array().unwrap();
    assert_eq!(pages.len(), all.len().div_ceil(2));
    assert_eq!(pages[0], one);
    let numbers = sandbox
        .run(["api", "--paginate", "-q", ".[].number", path])
        .await
        .ok();
    assert_eq!(numbers.text().lines().count(), all.len());
    let titles = sandbox.run(["api", "-q", ".[0].title", path]).await.ok();
    assert_eq!(titles.text().trim_end(), one[0]["title"].as_str().unwrap());
}

#[tokio::test]
async fn fields_make_a_write_and_go_where_gh_puts_them() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let mut create = sandbox.command(["api", "repos/{owner}/{repo}/issues", "-f", "title=7", "-F"]);
    create.arg("body=@-").env("GH_REPO", "octo-org/hello");
    create.stdin(std::process::Stdio::from(
        std::fs::File::open("/dev/null").unwrap(),
    ));
    let created = Ran::from(create.output().await.unwrap()).ok().json();
    assert_eq!(
        (&created["title"], &created["body"]),
        (&json!("7"), &json!(""))
    );
    let number = created["number"].to_string();
    let path = format!("repos/octo-org/hello/issues/{number}");
    let edit = ["api", "-X", "PATCH", &path, "--input", "-"];
    let edited = sandbox.feed(&edit, br#"{"title":"8"}"#).await.ok();
    assert_eq!(edited.json()["title"], "8");
    let read = sandbox.run(["api", &path, "--jq", ".title"]).await.ok();
    assert_eq!(read.text(), "8\n");
    let listed = [
        "api",
        "-X",
        "GET",
        "repos/octo-org/hello/issues",
        "-F",
        "per_page=1",
    ];
    let listed = sandbox.run(listed).await.ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn graphql_takes_a_query_and_variables() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let viewer = [
        "api",
        "graphql",
        "-f",
        "query={viewer{login}}",
        "--jq",
        ".data.viewer.login",
    ];
    assert_eq!(sandbox.run(viewer).await.ok().text(), "octocat\n");
    let query = "query=query($o:String!,$r:String!){repository(owner:$o,name:$r){nameWithOwner}}";
    let named = [
        "api",
        "graphql",
        "-f",
        query,
        "-f",
        "o=octo-org",
        "-F",
        "r=hello",
    ];
    let named = sandbox.run(named).await.ok().json();
    assert_eq!(
        named["data"]["repository"]["nameWithOwner"],
        "octo-org/hello"
    );
    let wrong = sandbox
        .run(["api", "graphql", "-f", "query={nonsense}"])
        .await;
    assert_eq!(wrong.code, 1, "{}", wrong.text());
    assert!(wrong.json()["errors"].is_array() && wrong.stderr.starts_with("ghswarm: "));
}

#[tokio::test]
async fn without_a_token_the_exit_code_is_four_and_gh_is_asked_for_one() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let run = || {
        let mut api = sandbox.command(["api", "user", "--jq", ".login"]);
        api.env_remove("GH_TOKEN");
        async move { Ran::from(api.output().await.unwrap()) }
    };
    let without = run().await;
    assert_eq!((without.code, without.stdout.len()), (4, 0));
    assert!(without.stderr.contains("GH_TOKEN"), "{}", without.stderr);
    let folder = sandbox.home().join(".config/gh");
    std::fs::create_dir_all(&folder).unwrap();
    let hosts = format!("github.com:\n    oauth_token: {}\n", sandbox.token.value());
    ghswarm::files::write_atomic(&folder.join("hosts.yml"), hosts.as_bytes()).unwrap();
    assert_eq!(run().await.ok().text(), "octocat\n");
}

#[tokio::test]
async fn what_a_filter_or_a_flag_gets_wrong_is_said_before_github_is_asked() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    for line in [
        &["api", "user", "--jq", ".["][..],
        &["api", "user", "-F", "a=1", "-F", "a[b]=2"],
        &["api", "user", "-H", "nonsense"],
        &["api", "user", "--paginate", "-X", "DELETE"],
        &["api", "repos/{owner}/{repo}"],
    ] {
        let refused = sandbox.run(line).await;
        assert_eq!((refused.code, refused.stdout.len()), (1, 0), "{line:?}");
    }
    let stats: Value = sandbox.run(["stats", "--format", "json"]).await.ok().json();
    assert_eq!(stats["requests"], 0);
}

#[tokio::test]
async fn without_a_daemon_github_is_asked_directly_after_one_notice() {
    let sandbox = Sandbox::new().await;
    let pages = [
        "api",
        "--paginate",
        "repos/octo-org/hello/issues?per_page=1",
    ];
    let ran = sandbox.run(pages).await.ok();
    assert!(ran.json().is_array());
    assert_eq!(
        ran.stderr,
        "ghswarm: no daemon is running, so GitHub is asked directly\n"
    );
}

#[tokio::test]
async fn a_filter_never_lets_an_answer_through_that_it_cannot_read() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let zen = sandbox.run(["api", "zen"]).await.ok();
    assert!(!zen.stdout.is_empty());
    let filtered = sandbox.run(["api", "zen", "--jq", ".a"]).await;
    assert_eq!((filtered.code, filtered.stdout.len()), (1, 0));
    assert_eq!(filtered.stderr, "ghswarm: --jq: the answer is not JSON\n");
}

#[tokio::test]
async fn an_error_of_the_daemon_is_named_once() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let refused = sandbox.run(["api", "https://10.0.0.1/x"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.text().starts_with(r#"{"message":"ghswarm: "#),
        "{}",
        refused.text()
    );
    assert_eq!(
        refused.stderr.matches("ghswarm").count(),
        1,
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn a_setting_that_is_wrong_fails_no_question_unless_the_token_could_go_elsewhere() {
    let sandbox = Sandbox::new().await;
    let ask = async |name: &str, text: &str| -> Ran {
        let mut command = sandbox.command(["api", "repos/octo-org/hello", "--jq", ".full_name"]);
        command.env(name, text).output().await.unwrap().into()
    };
    let asked = ask("GHSWARM_MAX_WAIT", "long").await.ok();
    assert_eq!(asked.text(), "octo-org/hello\n");
    let refused = ask("GHSWARM_ORIGIN", "ghe.example.org").await;
    assert_eq!((refused.code, refused.text()), (1, ""));
    assert!(
        refused.stderr.contains("GHSWARM_ORIGIN"),
        "{}",
        refused.stderr
    );
    let refused = ask("GHSWARM_CONFIG", "/no/such/file").await;
    assert_eq!((refused.code, refused.text()), (1, ""));
    // A daemon knows where GitHub is.
    sandbox.start().await;
    let asked = ask("GHSWARM_ORIGIN", "ghe.example.org").await.ok();
    assert_eq!(asked.text(), "octo-org/hello\n");
}
