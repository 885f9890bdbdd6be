//! The Unix socket that `gh` is pointed at, and the routes for people.

use ghswarm_lab::FakeGitHub;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::client::{ask, fake, get};

#[tokio::test]
async fn the_socket_speaks_plain_http() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gh.sock");
    let github = FakeGitHub::builder().socket(&path).start().await.unwrap();
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let request = "GET /api/v3/zen HTTP/1.1\r\nHost: api.github.com\r\nUser-Agent: gh\r\n\
                   Accept:\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("Keep it logically awesome."));
    assert_eq!(github.usage().bucket("address:local").requests, 1);
    github.stop().await;
    assert!(UnixStream::connect(&path).await.is_err());
    assert!(!path.exists());
}

#[tokio::test]
async fn people_steer_it_with_json() {
    let github = fake().await;
    let wish = json!({"create_issue": {"repo": "octo-org/hello", "title": "By hand"}});
    let made = ask("POST", "/_lab/change").body(&wish).send(&github).await;
    assert_eq!(made.json(), json!({"number": 4}));
    let issue = get("/repos/octo-org/hello/issues/4").send(&github).await;
    assert_eq!(issue.json()["title"], "By hand");
    let usage = get("/_lab/usage").send(&github).await.json();
    assert_eq!(usage["total"]["requests"], 1);
    ask("POST", "/_lab/reset").send(&github).await;
    assert_eq!(
        get("/repos/octo-org/hello/issues/4")
            .send(&github)
            .await
            .status,
        404
    );
    let nonsense = ask("POST", "/_lab/change").body(&json!({"explode": {}}));
    assert_eq!(nonsense.send(&github).await.status, 422);
}
