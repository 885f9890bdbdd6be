//! Renames, and downloads from other hosts.

use std::time::Duration;

use ghswarm_lab::TokenSpec;
use serde_json::json;

use crate::client::{ask, fake, get};

#[tokio::test]
async fn a_renamed_repository_redirects() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat").everything());
    github
        .change(|state| state.rename_repo("octo-org/hello", "octo-org/goodbye"))
        .unwrap();
    let id = github.change(|state| state.repo("octo-org/goodbye").unwrap().id);
    let old = get("/repos/octo-org/hello/issues?state=all")
        .by(&token)
        .send(&github)
        .await;
    let target = format!("https://api.github.com/repositories/{id}/issues?state=all");
    assert_eq!((old.status, old.header("location")), (301, target.as_str()));
    assert_eq!(old.json()["message"], "Moved Permanently");
    let path = target.trim_start_matches("https://api.github.com");
    assert_eq!(get(path).by(&token).send(&github).await.status, 200);
    let post = ask("POST", "/repos/octo-org/hello/issues").by(&token);
    assert_eq!(
        post.body(&json!({"title": "x"})).send(&github).await.status,
        307
    );
    let whole = get("/repos/octo-org/hello").by(&token).send(&github).await;
    assert_eq!(
        whole.header("location"),
        format!("https://api.github.com/repositories/{id}")
    );
}

#[tokio::test]
async fn downloads_lead_to_signed_addresses_that_end() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat").everything());
    let (run, job, asset, artifact) = github.change(|state| {
        let repo = state.repo("octo-org/secret").unwrap();
        let first = |mut ids: Vec<u64>| ids.remove(0);
        (
            first(repo.runs.keys().copied().collect()),
            first(repo.jobs.keys().copied().collect()),
            first(repo.assets.keys().copied().collect()),
            first(repo.artifacts.keys().copied().collect()),
        )
    });
    let base = "/repos/octo-org/secret";
    for path in [
        format!("{base}/tarball/main"),
        format!("{base}/zipball/"),
        format!("{base}/actions/runs/{run}/logs"),
        format!("{base}/actions/jobs/{job}/logs"),
        format!("{base}/releases/assets/{asset}"),
        format!("{base}/actions/artifacts/{artifact}/zip"),
    ] {
        let bytes = "application/octet-stream";
        let found = get(&path)
            .by(&token)
            .with("accept", bytes)
            .send(&github)
            .await;
        assert_eq!((found.status, found.header("etag")), (302, ""), "{path}");
        let target: http::Uri = found.header("location").parse().unwrap();
        let (host, path) = (
            target.host().unwrap(),
            target.path_and_query().unwrap().as_str(),
        );
        assert_eq!(get(path).with("host", host).send(&github).await.status, 200);
        let forged = path.replace("sig=", "sig=0");
        assert_eq!(
            get(&forged).with("host", host).send(&github).await.status,
            403
        );
        github.clock().advance(Duration::from_secs(301));
        assert_eq!(get(path).with("host", host).send(&github).await.status, 403);
    }
    let slash = get("/repos/octo-org/hello/contents/").send(&github).await;
    assert_eq!(slash.status, 302);
}
