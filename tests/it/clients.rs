//! Unmodified clients before a fake GitHub, with the daemon between.
//!
//! Each reads what jobs read, long lists over all their pages, and then reads it all again in a new
//! process. The second round must cost nothing, both must show exactly what GitHub says, and nobody may
//! leave the proxy: whatever a client sends elsewhere meets a closed port.

mod enterprise;
mod gh;
mod go;
mod octocrab;
mod program;
mod scripts;
mod stage;

use serde_json::{Value, json};

use program::Program;
use stage::{Stage, joined};

const APP: &str = "/repos/octo-org/app";
const ISSUES: &str = "/repos/octo-org/app/issues?state=all&per_page=50";
const RUNS: &str = "/repos/octo-org/app/actions/runs?per_page=30";

#[tokio::test]
async fn octokit_reads_everything_once() {
    let Some(stage) = Stage::with_node().await else {
        return;
    };
    let script = include_str!("../clients/octokit.mjs");
    let seen = stage
        .twice(async || stage.node(script, &[("API_URL", &stage.url())]).await)
        .await;

    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["repository"], stage.github_says(APP).await);
    assert_eq!(seen["issues"], stage.all_pages(ISSUES, None).await);
    assert_eq!(
        seen["commits"],
        stage
            .all_pages(&format!("{APP}/commits?per_page=20"), None)
            .await
    );
    assert_eq!(
        seen["runs"],
        stage.all_pages(RUNS, Some("workflow_runs")).await
    );
}

#[tokio::test]
async fn an_action_reads_everything_once_however_it_learns_the_address() {
    let Some(stage) = Stage::with_node().await else {
        return;
    };
    let script = include_str!("../clients/actions.mjs");
    let url = stage.url();
    // Given an address, it still goes through the proxy that is meant for api.github.com.
    let ways: [&[(&str, &str)]; 2] = [
        &[("GITHUB_API_URL", &url)],
        &[("BASE_URL", &url), ("HTTPS_PROXY", ""), ("https_proxy", "")],
    ];
    for way in ways {
        stage.forget();
        let seen = stage.twice(async || stage.node(script, way).await).await;

        let seen: Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(seen["repository"], stage.github_says(APP).await);
        assert_eq!(seen["issues"], stage.all_pages(ISSUES, None).await);
        assert_eq!(
            seen["runs"],
            stage.all_pages(RUNS, Some("workflow_runs")).await
        );
        assert_eq!(seen["login"], "octocat");
    }
}

#[tokio::test]
async fn pygithub_reads_everything_once_and_sees_no_change_where_none_is() {
    let Some(stage) = Stage::with_python().await else {
        return;
    };
    let script = include_str!("../clients/pygithub.py");
    let seen = stage.twice(async || stage.python(script).await).await;

    // PyGithub checks the host of every address in a body: they name the proxy.
    let seen: Value = serde_json::from_str(&stage.as_github_wrote(&seen)).unwrap();
    let issues = stage
        .all_pages(&format!("{APP}/issues?state=all&per_page=30"), None)
        .await;
    let commits = stage
        .all_pages(&format!("{APP}/commits?per_page=30"), None)
        .await;
    assert_eq!(seen["repository"], stage.github_says(APP).await);
    assert_eq!(
        seen["titles"],
        joined(&issues, |it| json!([it["number"], it["title"], it["body"]]))
    );
    assert_eq!(
        seen["messages"],
        joined(&commits, |it| json!([it["sha"], it["commit"]["message"]]))
    );
    let first = format!("{APP}/issues/{}", issues[0]["number"]);
    assert_eq!(seen["issue"], stage.github_says(&first).await);
    assert_eq!(seen["changed"], json!([false, false]));
}

#[tokio::test]
async fn curl_gets_the_same_bytes_over_tcp_and_the_socket() {
    let Some(stage) = Stage::with_program("curl").await else {
        return;
    };
    let socket = stage.proxy_socket().display().to_string();
    let over_tcp = [format!("{}{ISSUES}", stage.url())];
    let over_socket = [
        "--unix-socket".into(),
        socket,
        format!("http://api.github.com{ISSUES}"),
    ];
    let tcp = stage.twice(async || stage.curl(&over_tcp).await).await;
    let unix = stage.twice(async || stage.curl(&over_socket).await).await;

    let direct = stage.curl_github(ISSUES).await;
    assert_eq!(tcp, direct);
    assert_eq!(unix, direct);
}

#[tokio::test]
async fn curl_follows_links_and_conditions_without_leaving_the_proxy() {
    let Some(stage) = Stage::with_program("curl").await else {
        return;
    };
    let url = format!("{}{ISSUES}", stage.url());
    let head = stage.curl(&["--head".into(), url.clone()]).await;
    let field = |name: &str| {
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        let mut named = lines.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named
            .next()
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };

    let next = field("link")
        .split(['<', '>'])
        .nth(1)
        .map(ToOwned::to_owned)
        .unwrap_or_default();
    let path = next
        .strip_prefix(&stage.url())
        .expect("a link to the proxy");
    let direct = stage.curl_github(path).await;
    assert_eq!(stage.curl(std::slice::from_ref(&next)).await, direct);
    let condition = format!("If-None-Match: {}", field("etag"));
    let code = [
        "--write-out".into(),
        "%{http_code}".into(),
        "--header".into(),
        condition,
        url,
    ];
    assert_eq!(stage.curl(&code).await, "304");
}

#[tokio::test]
async fn a_client_that_writes_reads_what_it_wrote() {
    let Some(stage) = Stage::with_program("gh").await else {
        return;
    };
    let title = &["api", "repos/octo-org/app/issues/1", "--jq", ".title"];
    let write = &[
        "api",
        "-X",
        "PATCH",
        "repos/octo-org/app/issues/1",
        "-f",
        "title=Changed",
    ];
    let before = stage.gh(stage.proxy_socket(), title).await;
    stage.gh(stage.proxy_socket(), write).await;
    let after = stage.gh(stage.proxy_socket(), title).await;
    assert_ne!(before, after);
    assert_eq!(after.trim(), "Changed");
}

#[tokio::test]
async fn the_program_itself_serves_gh_and_base_urls() {
    let Some(stage) = Stage::with_program("gh").await else {
        return;
    };
    let program = Program::serve(&stage.github.url()).await;
    let list = &["api", "--paginate", &ISSUES[1..]];
    let seen = stage
        .twice(async || stage.gh(program.socket(), list).await)
        .await;
    assert_eq!(seen, stage.gh(stage.github_socket(), list).await);

    stage.forget();
    let repository = stage.ask(&format!("{}{APP}", program.url())).await;
    assert_eq!(repository, stage.github_says(APP).await);
}
