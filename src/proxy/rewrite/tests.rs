//! Addresses before and after.

use std::mem::MaybeUninit;

use super::super::head;
use super::super::host::{Door, Goal, judge};
use super::*;
use crate::github;

fn client() -> Client {
    let origin = url::Url::parse("https://ghe.example.com/api/v3").unwrap();
    Client::new(github::Config {
        origin,
        ..github::Config::default()
    })
    .unwrap()
}

fn base(target: &str) -> Base<'static> {
    let text = format!("GET {target} HTTP/1.1\r\nHost: localhost:9\r\n\r\n");
    let mut slots = [const { MaybeUninit::uninit() }; head::MAX_FIELDS];
    let head = head::read(text.as_bytes(), &mut slots, 4096)
        .unwrap()
        .unwrap();
    let door = Door::Tcp("127.0.0.1:9".parse().unwrap());
    let client = client();
    match judge(door, &head, &client) {
        Ok(Goal::Origin(place)) => place.base.into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn links_of_the_api_become_ours_and_signed_ones_stay() {
    let (client, base) = (client(), base("/api/v3/x"));
    let mut rewriter = Rewriter::new(&client, &base);
    let mut headers = HeaderMap::new();
    headers.insert(
        LINK,
        HeaderValue::from_static(
            "<https://api.github.com/x?page=2>; rel=\"next\", <https://ghe.example.com/api/v3/y>; rel=\"last\", <https://other.example/z>; rel=\"help\"",
        ),
    );
    headers.insert(
        LOCATION,
        HeaderValue::from_static("https://blob.example/signed?sig=%2F"),
    );
    rewriter.headers(&mut headers);
    assert_eq!(
        headers[LINK],
        "<http://localhost:9/api/v3/x?page=2>; rel=\"next\", <http://localhost:9/api/v3/y>; rel=\"last\", <https://other.example/z>; rel=\"help\""
    );
    assert_eq!(headers[LOCATION], "https://blob.example/signed?sig=%2F");
    headers.insert(
        LOCATION,
        HeaderValue::from_static("https://api.github.com/repositories/1"),
    );
    rewriter.headers(&mut headers);
    assert_eq!(
        headers[LOCATION],
        "http://localhost:9/api/v3/repositories/1"
    );
}

#[test]
fn bodies_change_where_an_address_is_a_value_of_a_url_key() {
    let (client, base) = (client(), base("/x"));
    let mut rewriter = Rewriter::new(&client, &base);
    let json = br#"{"url":"https://api.github.com/a", "keys_url": "https://api.github.com/k{/id}",
        "html_url":"https://github.com/a","upload_url":"https://uploads.github.com/u{?name}",
        "body":"see \"url\": \"https://api.github.com/no\" and url","x":"https://api.github.com/no"}"#;
    let expected = r#"{"url":"http://localhost:9/a", "keys_url": "http://localhost:9/k{/id}",
        "html_url":"https://github.com/a","upload_url":"http://localhost:9/api/uploads/u{?name}",
        "body":"see \"url\": \"https://api.github.com/no\" and url","x":"https://api.github.com/no"}"#;
    assert_eq!(rewriter.body(json).as_deref(), Some(expected.as_bytes()));
    assert_eq!(rewriter.body(br#"{"url":null,"b":"url"}"#), None);
    for end in 0..json.len() {
        // A body cut anywhere is no reason to fail.
        let _ = rewriter.body(&json[..end]);
    }
}

#[test]
fn of_an_enterprise_server_only_the_api_is_moved() {
    let (client, base) = (client(), base("/x"));
    let mut rewriter = Rewriter::new(&client, &base);
    let json =
        br#"{"url":"https://ghe.example.com/api/v3/a","html_url":"https://ghe.example.com/o/r",
        "upload_url":"https://ghe.example.com/api/uploads/u{?name}"}"#;
    let expected = r#"{"url":"http://localhost:9/a","html_url":"https://ghe.example.com/o/r",
        "upload_url":"http://localhost:9/api/uploads/u{?name}"}"#;
    assert_eq!(rewriter.body(json).as_deref(), Some(expected.as_bytes()));
}

#[test]
fn bodies_are_rewritten_for_clients_that_check_them() {
    let base = base("/x");
    let auto = |agent: &[u8]| wants_bodies(RewriteBodies::Auto, &base, agent);
    assert!(auto(b"PyGithub/Python"));
    assert!(!auto(b"octokit-core.js/7"));
    assert!(wants_bodies(RewriteBodies::Always, &base, b""));
    assert!(!wants_bodies(
        RewriteBodies::Never,
        &base,
        b"PyGithub/Python"
    ));
    assert!(is_json(b"application/json; charset=utf-8"));
    assert!(is_json(b"application/vnd.github+json"));
    assert!(!is_json(b"application/zip"));
}
