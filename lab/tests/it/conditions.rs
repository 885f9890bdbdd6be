//! Tags, conditions, encodings, pages.

use std::io::Read;
use std::time::Duration;

use ghswarm_lab::TokenSpec;
use ghswarm_lab::etag::{VARY, VARY_MORE, formula};

use crate::client::{fake, get};

const ISSUES: &str = "/repos/octo-org/hello/issues";

#[tokio::test]
async fn the_etag_follows_the_formula_and_304_is_free_only_with_a_token() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat"));
    let first = get(ISSUES).by(&token).send(&github).await;
    let vary: Vec<_> = first.headers.get_all("vary").iter().collect();
    assert_eq!(vary, [VARY, VARY_MORE]);
    let mut request = http::HeaderMap::new();
    request.insert("accept", "*/*".parse().unwrap());
    request.insert("authorization", token.authorization().parse().unwrap());
    let expected = formula(VARY, &request, &first.body);
    assert_eq!(first.header("etag"), format!("\"{expected}\""));
    assert_eq!(first.number("x-ratelimit-used"), 1);

    let tag = format!("W/\"{expected}\"");
    let second = get(ISSUES)
        .by(&token)
        .with("if-none-match", &tag)
        .send(&github)
        .await;
    assert_eq!((second.status, second.number("x-ratelimit-used")), (304, 1));
    assert_eq!(second.header("etag"), format!("\"{expected}\""));
    for absent in ["content-type", "content-length", "link"] {
        assert_eq!(second.header(absent), "", "{absent}");
    }

    let nobody = get(ISSUES).send(&github).await;
    assert_eq!(
        nobody.header("cache-control"),
        "public, max-age=60, s-maxage=60"
    );
    assert_eq!(nobody.header("vary"), "Accept");
    let tag = nobody.header("etag").to_owned();
    let again = get(ISSUES).with("if-none-match", &tag).send(&github).await;
    assert_eq!((again.status, again.number("x-ratelimit-used")), (304, 2));
    let usage = github.usage();
    assert_eq!(
        (
            usage.total.free_304,
            usage.total.counted,
            usage.total.points
        ),
        (1, 3, 4)
    );
    assert_eq!(usage.token("anonymous").statuses[&304], 1);
}

#[tokio::test]
async fn a_304_hides_a_new_page() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat"));
    let path = format!("{ISSUES}?per_page=3&direction=asc&state=all");
    let first = get(&path).by(&token).send(&github).await;
    assert_eq!(first.header("link"), "");
    github
        .change(|state| state.create_issue("octo-org/hello", "New", "on page 2"))
        .unwrap();
    let tag = first.header("etag").to_owned();
    let second = get(&path)
        .by(&token)
        .with("if-none-match", &tag)
        .send(&github)
        .await;
    assert_eq!(second.status, 304);
    let fresh = get(&path).by(&token).send(&github).await;
    assert!(fresh.header("link").contains("rel=\"next\""));
    assert_eq!(fresh.header("etag"), tag);
}

#[tokio::test]
async fn pages_link_to_the_repository_by_id() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat").read("octo-org/app"));
    let first = get("/repos/octo-org/app/issues")
        .by(&token)
        .send(&github)
        .await;
    let id = github.change(|state| state.repo("octo-org/app").unwrap().id);
    let next = format!("/repositories/{id}/issues?page=2");
    let expected = format!(
        "<https://api.github.com{next}>; rel=\"next\", \
         <https://api.github.com/repositories/{id}/issues?page=4>; rel=\"last\""
    );
    assert_eq!(first.header("link"), expected);
    let second = get(&next).by(&token).send(&github).await;
    assert_eq!(second.status, 200);
    assert!(second.header("link").contains("rel=\"prev\""));
    assert!(second.header("link").contains("rel=\"first\""));
    assert_eq!(second.json().as_array().unwrap().len(), 30);
    for (path, least) in [
        ("pulls", 35),
        ("commits", 40),
        ("actions/runs", 70),
        ("labels", 33),
    ] {
        let path = format!("/repos/octo-org/app/{path}?per_page=1&page={least}");
        let body = get(&path).by(&token).send(&github).await.json();
        let rows = body.as_array().or(body["workflow_runs"].as_array());
        assert_eq!(rows.unwrap().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn gzip_and_pretty_print_leave_the_hash_alone() {
    let github = fake().await;
    let plain = get("/repos/octo-org/hello").send(&github).await;
    let zipped = get("/repos/octo-org/hello")
        .with("accept-encoding", "gzip")
        .send(&github)
        .await;
    assert_eq!(zipped.header("etag"), format!("W/{}", plain.header("etag")));
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(&*zipped.body)
        .read_to_end(&mut body)
        .unwrap();
    assert_eq!(body, plain.body);
    let curl = get("/repos/octo-org/hello")
        .with("user-agent", "curl/8.1")
        .send(&github)
        .await;
    assert_eq!(curl.header("etag"), plain.header("etag"));
    assert_ne!(curl.body, plain.body);
    assert_eq!(curl.json(), plain.json());
}

#[tokio::test]
async fn last_modified_works_across_tokens() {
    let github = fake().await;
    let path = "/repos/octo-org/hello";
    let first = get(path).send(&github).await;
    let at = first.header("last-modified").to_owned();
    let token = github.token(TokenSpec::classic("octocat"));
    let same = get(path)
        .by(&token)
        .with("if-modified-since", &at)
        .send(&github)
        .await;
    assert_eq!(same.status, 304);
    github.clock().advance(Duration::from_secs(5));
    github
        .change(|state| state.set_private("octo-org/hello", false))
        .unwrap();
    let new = get(path)
        .by(&token)
        .with("if-modified-since", &at)
        .send(&github)
        .await;
    assert_eq!(new.status, 200);
}

#[tokio::test]
async fn contents_carry_git_ids_and_search_carries_nothing() {
    let github = fake().await;
    let token = github.token(TokenSpec::classic("octocat"));
    let path = "/repos/octo-org/hello/contents/README.md";
    let file = get(path).send(&github).await;
    let sha = file.json()["sha"].as_str().unwrap().to_owned();
    assert_eq!(file.header("etag"), format!("\"{sha}\""));
    let tag = format!("\"{sha}\"");
    let other = get(path)
        .by(&token)
        .with("if-none-match", &tag)
        .send(&github)
        .await;
    assert_eq!(other.status, 304);
    let raw = get(path)
        .with("accept", "application/vnd.github.raw+json")
        .send(&github)
        .await;
    assert!(raw.text().starts_with("# hello"));
    let html = get("/repos/octo-org/hello/readme").with("accept", "application/vnd.github.html");
    assert!(html.send(&github).await.text().starts_with("<div"));
    let search = get("/search/issues?q=first").by(&token).send(&github).await;
    assert_eq!(
        (search.header("etag"), search.header("cache-control")),
        ("", "no-cache")
    );
    assert_eq!(search.header("x-ratelimit-resource"), "search");
    let git_ref = get("/repos/octo-org/hello/git/ref/heads/main")
        .by(&token)
        .send(&github)
        .await;
    assert_eq!(git_ref.header("x-poll-interval"), "300");
    let tree = "/repos/octo-org/hello/commits/main";
    let tree = get(tree).send(&github).await.json()["commit"]["tree"]["sha"].clone();
    let tree = format!("/repos/octo-org/hello/git/trees/{}", tree.as_str().unwrap());
    let tree = get(&tree).by(&token).send(&github).await;
    assert_eq!(
        tree.header("cache-control"),
        "private, max-age=86400, s-maxage=86400"
    );
}
