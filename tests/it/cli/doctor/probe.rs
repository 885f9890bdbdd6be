//! `doctor --probe` against a GitHub that is well, one that is not, and none.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use ghswarm_lab::{Clock, FakeGitHub, Fault, Matcher, TokenSpec};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::Sandbox;

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    since.as_secs()
}

#[tokio::test]
async fn a_github_that_is_well_is_asked_three_times_and_one_call_is_counted() {
    let sandbox = Sandbox::new().await;
    // Once for the table and once for the JSON.
    let examined = sandbox.examine(&["--probe"], &[]).await;
    examined.is_well();
    examined.says(
        "ok",
        "probe",
        "accepts classic personal access token (GH_TOKEN)",
    );
    examined.says("ok", "clock", "agrees");
    examined.says("ok", "formula", "answered 304");
    examined.says("ok", "budget", "of 5000 calls left");
    examined.says("note", "probe", "3 requests, 1 of them counted");
    let usage = sandbox.github.usage();
    assert_eq!(sandbox.github.requests().len(), 6, "{usage:?}");
    let left = sandbox
        .github
        .window(sandbox.token.bucket(), "core")
        .unwrap();
    assert_eq!(left.used, 2, "what it says it cost is what it cost");
}

#[tokio::test]
async fn a_job_asks_about_its_repository() {
    let sandbox = Sandbox::new().await;
    let job = sandbox.github.token(TokenSpec::job("octo-org/hello"));
    let variables = [
        ("GH_TOKEN", job.value()),
        ("GITHUB_REPOSITORY", "octo-org/hello"),
    ];
    let examined = sandbox.examine(&["--probe"], &variables).await;
    examined.is_well();
    examined.says("ok", "formula", "/repos/octo-org/hello");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_explained() {
    let sandbox = Sandbox::new().await;
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", dead.local_addr().unwrap());
    drop(dead);
    let examined = sandbox
        .examine(&["--probe", "--origin", &origin], &[])
        .await;
    examined.has_problem("probe", "refuses connections");
}

#[tokio::test]
async fn a_name_that_means_nothing_is_explained() {
    let sandbox = Sandbox::new().await;
    let examined = sandbox
        .examine(&["--probe", "--origin", "https://nowhere.invalid"], &[])
        .await;
    assert_eq!(examined.code, 1);
    examined.says("problem", "probe", "nowhere.invalid cannot be resolved");
}

#[tokio::test]
async fn a_clock_that_is_off_is_a_warning_and_then_a_problem() {
    let sandbox = Sandbox::new().await;
    for (ahead, level) in [(120, "warning"), (3600, "problem")] {
        let builder = FakeGitHub::builder().clock(Clock::manual(now() + ahead));
        let github = builder.start().await.unwrap();
        let token = github.token(TokenSpec::classic("octocat").everything());
        let origin = github.url();
        let examined = sandbox
            .examine(
                &["--probe", "--origin", &origin],
                &[("GH_TOKEN", token.value())],
            )
            .await;
        examined.says(level, "clock", "behind GitHub's");
        assert_eq!(examined.code, i32::from(level == "problem"));
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let sandbox = Sandbox::new().await;
    sandbox
        .github
        .set_used(sandbox.token.bucket(), "core", 4990);
    let scarce = sandbox.examine(&["--probe"], &[]).await;
    scarce.is_well();
    scarce.says("warning", "budget", "of 5000 calls left");

    let trouble = Matcher::get("/rate_limit");
    sandbox.github.fault(trouble, Fault::BadGateway);
    let examined = sandbox.examine(&["--probe"], &[]).await;
    examined.is_well();
    examined.says("warning", "probe", "githubstatus");
    sandbox.github.clear_faults();

    sandbox.github.revoke(&sandbox.token);
    let examined = sandbox.examine(&["--probe"], &[]).await;
    examined.has_problem("probe", "revoked");
}

#[tokio::test]
async fn without_a_token_it_asks_as_anybody() {
    let sandbox = Sandbox::new().await;
    let examined = sandbox.examine(&["--probe"], &[("GH_TOKEN", "")]).await;
    examined.is_well();
    examined.says("ok", "probe", "accepts no token");
    examined.says("ok", "budget", "of 60 calls left");
}

#[tokio::test]
async fn an_exchange_that_breaks_off_is_explained() {
    let sandbox = Sandbox::new().await;
    sandbox.github.fault(Matcher::any(), Fault::ResetBeforeHead);
    let examined = sandbox.examine(&["--probe"], &[]).await;
    examined.has_problem("probe", "broke off");
    sandbox.github.clear_faults();
    let slow = Fault::Latency(Duration::from_millis(50));
    sandbox.github.fault(Matcher::any(), slow);
    sandbox.examine(&["--probe"], &[]).await.is_well();
}

/// A proxy that answers every CONNECT with `head`.
async fn proxy(head: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(head.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn what_a_proxy_on_the_way_does_is_explained() {
    let sandbox = Sandbox::new().await;
    for (head, word) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "407",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            "does not let us through",
        ),
    ] {
        let address = proxy(head).await;
        let url = format!("http://user:s3cret@{address}");
        let examined = sandbox
            .examine(
                &["--probe", "--origin", "https://github.example.invalid"],
                &[
                    ("HTTPS_PROXY", &url),
                    ("GH_ENTERPRISE_TOKEN", "ghp_0123456789"),
                ],
            )
            .await;
        examined.has_problem("probe", word);
        examined.has_problem("probe", &format!("http://***@{address}"));
        assert!(!format!("{:?}", examined.findings).contains("s3cret"));
    }
}

#[tokio::test]
async fn an_origin_that_does_not_speak_tls_is_explained() {
    let sandbox = Sandbox::new().await;
    let origin = sandbox.github.url().replace("http://", "https://");
    let examined = sandbox
        .examine(&["--probe", "--origin", &origin], &[])
        .await;
    examined.has_problem("probe", "does not speak TLS");
}

#[tokio::test]
async fn a_token_goes_to_no_other_host_than_its_own() {
    let sandbox = Sandbox::new().await;
    let seen = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = seen.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = seen.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    // Plain HTTP to a host that only this proxy can reach.
    let proxy = format!("http://{address}");
    let origin = "http://github.example.invalid";
    let mut command = sandbox.command(["doctor", "--probe", "--origin", origin]);
    command
        .env("HTTP_PROXY", &proxy)
        .env("NO_PROXY", "127.0.0.1");
    command.output().await.unwrap();
    let request = asked.await.unwrap();
    assert!(
        request.starts_with("GET http://github.example.invalid/rate_limit "),
        "{request}"
    );
    assert!(!request.contains(sandbox.token.value()), "{request}");
}

#[tokio::test]
async fn a_slip_sends_the_token_nowhere_else() {
    let sandbox = Sandbox::new().await;
    let slip = [("GHSWARM_MAX_WAIT", "long")];
    let examined = sandbox.examine(&["--probe"], &slip).await;
    examined.has_problem("config", "GHSWARM_MAX_WAIT");
    examined.says("ok", "probe", "answers and accepts");
    let slip = [("GHSWARM_ORIGIN", "ghe.example.org")];
    let examined = sandbox.examine(&["--probe"], &slip).await;
    assert_eq!(examined.all("problem").len(), 2, "{:#?}", examined.findings);
    examined.says("problem", "config", "GitHub is not asked");
}
