//! Who sees what.

use ghswarm_lab::{Access, TokenSpec};

use crate::client::{ask, fake, get};

#[tokio::test]
async fn a_private_repository_is_not_found_without_access() {
    let github = fake().await;
    let stranger = github.token(TokenSpec::fine_grained("octocat"));
    let friend = github.token(TokenSpec::fine_grained("octocat").read("octo-org/secret"));
    let path = "/repos/octo-org/secret";
    assert_eq!(get(path).by(&friend).send(&github).await.status, 200);
    for refused in [
        get(path).send(&github).await,
        get(path).by(&stranger).send(&github).await,
    ] {
        assert_eq!(refused.status, 404);
        let body = refused.json();
        assert_eq!(body["message"], "Not Found");
        assert_eq!(body["status"], "404");
        let docs = body["documentation_url"].as_str().unwrap();
        assert!(docs.starts_with("https://docs.github.com/rest/"), "{docs}");
        assert_eq!(refused.header("etag"), "");
    }
    github.withdraw(&friend, "octo-org/secret");
    assert_eq!(get(path).by(&friend).send(&github).await.status, 404);
    github.grant(&stranger, "octo-org/secret", Access::Read);
    assert_eq!(get(path).by(&stranger).send(&github).await.status, 200);
    github.revoke(&stranger);
    let gone = get(path).by(&stranger).send(&github).await;
    assert_eq!(
        (gone.status, gone.json()["message"].as_str()),
        (401, Some("Bad credentials"))
    );
}

#[tokio::test]
async fn a_repository_shows_each_viewer_their_own_fields() {
    let github = fake().await;
    let reader = github.token(TokenSpec::classic("octocat").read("octo-org/secret"));
    let writer = github.token(TokenSpec::classic("octocat").write("octo-org/secret"));
    let read = get("/repos/octo-org/secret")
        .by(&reader)
        .send(&github)
        .await
        .json();
    let write = get("/repos/octo-org/secret")
        .by(&writer)
        .send(&github)
        .await
        .json();
    assert_eq!(read["permissions"]["push"], false);
    assert_eq!(write["permissions"]["push"], true);
    assert!(read["temp_clone_token"].is_null());
    assert!(write["temp_clone_token"].is_string());
    let url = |body: serde_json::Value| body["download_url"].as_str().unwrap().to_owned();
    let path = "/repos/octo-org/secret/readme";
    let first = url(get(path).by(&reader).send(&github).await.json());
    let second = url(get(path).by(&writer).send(&github).await.json());
    assert!(first.contains("?token="));
    assert_ne!(first, second);
}

#[tokio::test]
async fn both_schemes_and_all_kinds_of_tokens_work() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat"));
    let old = get("/user").with("authorization", &format!("token {}", token.value()));
    assert_eq!(old.send(&github).await.json()["login"], "octocat");
    let end = crate::client::START + 60;
    let short = github.token(TokenSpec::fine_grained("octocat").expires(end));
    let answer = get("/user").by(&short).send(&github).await;
    assert!(
        answer
            .header("github-authentication-token-expiration")
            .ends_with(" UTC")
    );
    github.clock().advance(std::time::Duration::from_secs(61));
    assert_eq!(get("/user").by(&short).send(&github).await.status, 401);
    let job = github.token(TokenSpec::job("octo-org/hello"));
    assert_eq!(get("/user").by(&job).send(&github).await.status, 403);
}

#[tokio::test]
async fn an_app_mints_tokens() {
    let github = fake().await;
    let app = github.app_token();
    let list = get("/app/installations").by(&app).send(&github).await;
    assert_eq!(
        list.header("cache-control"),
        "public, max-age=60, s-maxage=60"
    );
    assert_eq!(list.header("vary"), "Accept");
    let other = github.app_token();
    let again = get("/app/installations").by(&other).send(&github).await;
    assert_eq!(list.header("etag"), again.header("etag"));
    let path = "/app/installations/1/access_tokens";
    let minted = ask("POST", path).by(&app).send(&github).await;
    assert_eq!(minted.status, 201);
    let value = minted.json()["token"].as_str().unwrap().to_owned();
    assert!(value.starts_with("ghs_"));
    let secret = get("/repos/octo-org/secret").with("authorization", &format!("Bearer {value}"));
    assert_eq!(secret.send(&github).await.status, 200);
}

#[tokio::test]
async fn odd_requests_are_refused_as_github_does() {
    let github = fake().await;
    assert_eq!(
        get("/zen").without("user-agent").send(&github).await.status,
        403
    );
    let version = get("/zen")
        .with("x-github-api-version", "2021-01-01")
        .send(&github)
        .await;
    assert_eq!(version.status, 400);
    let new = get("/repos/octo-org/hello").with("x-github-api-version", "2026-03-10");
    let new = new.send(&github).await;
    assert_eq!(new.header("x-github-api-version-selected"), "2026-03-10");
    let old = get("/repos/octo-org/hello").send(&github).await;
    assert_eq!(old.header("x-github-api-version-selected"), "2022-11-28");
    assert_ne!(old.json(), new.json());
}
