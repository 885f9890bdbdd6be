//! Requests by name, host and path, and what becomes of them.

use std::mem::MaybeUninit;

use url::Url;

use super::super::head;
use super::*;
use crate::github;

const DOOR: Door = Door::Tcp(SocketAddr::new(LOOPBACKS[0], 9));

fn client() -> Client {
    let mapped = (
        "api.github.localhost".to_owned(),
        Url::parse("http://127.0.0.1:1/").unwrap(),
    );
    let enterprise = (
        "ghe.example.org".to_owned(),
        Url::parse("http://127.0.0.1:2/").unwrap(),
    );
    Client::new(github::Config {
        origin_for: vec![mapped, enterprise],
        ..github::Config::default()
    })
    .unwrap()
}

/// Host, target and base, or the status of the refusal.
fn judged(door: Door, target: &str, host: &str, more: &str) -> Result<[String; 3], u16> {
    let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
    let mut slots = [const { MaybeUninit::uninit() }; head::MAX_FIELDS];
    let head = head::read(text.as_bytes(), &mut slots, 4096)
        .unwrap()
        .unwrap();
    let client = client();
    match judge(door, &head, &client) {
        Ok(Goal::Origin(place)) => Ok([
            place.host.into_owned(),
            place.target.into_owned(),
            place.base.api(),
        ]),
        Ok(Goal::Admin(access)) => Ok(["admin".into(), format!("{access:?}"), String::new()]),
        Err(refusal) => Err(refusal.status.as_u16()),
    }
}

fn place(host: &str, target: &str, base: &str) -> [String; 3] {
    [host.into(), target.into(), base.into()]
}

#[test]
fn paths_of_every_client_lead_to_the_api() {
    let ours = "127.0.0.1:9";
    let at = |target: &str| judged(DOOR, target, ours, "");
    let root = "http://127.0.0.1:9";
    let enterprise = "http://127.0.0.1:9/api/v3";
    assert_eq!(at("/user?a=b"), Ok(place(API_HOST, "/user?a=b", root)));
    assert_eq!(at("/api/v3/user"), Ok(place(API_HOST, "/user", enterprise)));
    assert_eq!(at("/api/v3"), Ok(place(API_HOST, "/", enterprise)));
    assert_eq!(at("/api/v3?a"), Ok(place(API_HOST, "/?a", enterprise)));
    assert_eq!(at("/api/v3x"), Ok(place(API_HOST, "/api/v3x", root)));
    assert_eq!(at("/graphql"), Ok(place(API_HOST, "/graphql", root)));
    assert_eq!(
        at("/api/graphql"),
        Ok(place(API_HOST, "/graphql", enterprise))
    );
    assert_eq!(
        at("/api/uploads/r?name=x"),
        Ok(place(UPLOADS_HOST, "/r?name=x", enterprise))
    );
}

#[test]
fn only_our_own_address_is_answered_on_tcp() {
    for ours in ["127.0.0.1:9", "localhost:9", "LOCALHOST:9", "[::1]:9"] {
        assert!(judged(DOOR, "/user", ours, "").is_ok(), "{ours}");
    }
    let bare = judged(DOOR, "/api/v3/user", "LocalHost", "");
    assert_eq!(
        bare,
        Ok(place(API_HOST, "/user", "http://localhost:9/api/v3"))
    );
    for other in [
        "localhost:90",
        "127.0.0.1",
        "127.0.0.2:9",
        "rebound.example:9",
        "api.github.com",
        "ghswarm.internal",
        "localhost.example:9",
    ] {
        assert_eq!(judged(DOOR, "/user", other, ""), Err(403), "{other}");
    }
    for broken in [
        "",
        "a b",
        "a@127.0.0.1:9",
        "127.0.0.1:9:9",
        "127.0.0.1:x",
        "127.0.0.1:",
        "[::1",
    ] {
        assert!(
            matches!(judged(DOOR, "/user", broken, ""), Err(400 | 403)),
            "{broken}"
        );
    }
    let elsewhere = Door::Tcp("192.0.2.1:9".parse().unwrap());
    assert!(judged(elsewhere, "/user", "192.0.2.1:9", "").is_ok());
    assert_eq!(judged(elsewhere, "/user", "192.0.2.2:9", ""), Err(403));
}

#[test]
fn a_web_page_is_refused_and_a_program_is_not() {
    let with = |more: &str| judged(DOOR, "/user", "localhost:9", more);
    assert_eq!(with("Origin: https://evil.example\r\n"), Err(403));
    assert_eq!(with("Origin: null\r\n"), Err(403));
    assert_eq!(with("Sec-Fetch-Site: cross-site\r\n"), Err(403));
    assert!(
        with("Sec-Fetch-Mode: cors\r\n").is_ok(),
        "what node's fetch sends"
    );
}

#[test]
fn absolute_form_reaches_the_api_only() {
    let at = |target: &str, host: &str| judged(DOOR, target, host, "");
    let base = "http://api.github.localhost";
    assert_eq!(
        at("http://api.github.localhost/user", "api.github.localhost"),
        Ok(place("api.github.localhost", "/user", base))
    );
    assert_eq!(
        at("http://api.github.com/api/v3/user", "api.github.com"),
        Ok(place(API_HOST, "/user", "http://api.github.com/api/v3"))
    );
    assert_eq!(
        at("http://localhost:9/user", "localhost:9"),
        Ok(place(API_HOST, "/user", "http://localhost:9"))
    );
    assert_eq!(at("http://example.com/", "example.com"), Err(403));
    assert_eq!(at("http://api.github.com/", "example.com"), Err(400));
    assert_eq!(at("http://x@api.github.com/", "api.github.com"), Err(400));
    assert_eq!(at("ftp://api.github.com/", "api.github.com"), Err(400));
    assert_eq!(at("/user#x", "localhost:9"), Err(400));
    assert_eq!(at("*", "localhost:9"), Err(400));
}

#[test]
fn the_unix_socket_goes_where_host_says() {
    let at = |target: &str, host: &str| judged(Door::Unix, target, host, "");
    let base = "https://api.github.com";
    assert_eq!(
        at("/user", "api.github.com"),
        Ok(place(API_HOST, "/user", base))
    );
    assert_eq!(
        at("/user", "API.GitHub.com:443"),
        Ok(place(API_HOST, "/user", base))
    );
    assert_eq!(
        at("/api/v3/x", "api.github.com"),
        Ok(place(API_HOST, "/api/v3/x", base))
    );
    assert_eq!(
        at("/x", "codeload.github.com").unwrap()[0],
        "codeload.github.com"
    );
    assert_eq!(
        at("/stats", "ghswarm.internal").unwrap()[..2],
        ["admin", "Owner"]
    );
    assert_eq!(at("/user", "127.0.0.1:9"), Err(403));
    assert_eq!(at("/user", "localhost"), Err(403));
}

#[test]
fn a_mapped_host_is_an_enterprise_server_below_its_three_paths_alone() {
    let host = "ghe.example.org";
    let at = |target: &str| judged(Door::Unix, target, host, "");
    let base = "https://ghe.example.org/api/v3";
    for (target, name, cut) in [
        ("/api/v3/user?a=b", "ghe.example.org/api/v3", "/user?a=b"),
        ("/api/v3", "ghe.example.org/api/v3", "/"),
        ("/api/graphql", "ghe.example.org/api/v3", "/graphql"),
        (
            "/api/uploads/r?name=x",
            "ghe.example.org/api/uploads",
            "/r?name=x",
        ),
    ] {
        assert_eq!(at(target), Ok(place(name, cut, base)), "{target}");
    }
    for target in ["/user", "/api/v3x", "/octo/app/releases/download/v1/a"] {
        let web = place(host, target, "https://ghe.example.org");
        assert_eq!(at(target), Ok(web), "{target}");
    }
    assert_eq!(
        judged(DOOR, "http://ghe.example.org/api/v3/user", host, ""),
        Ok(place(
            "ghe.example.org/api/v3",
            "/user",
            "http://ghe.example.org/api/v3"
        ))
    );
    assert_eq!(judged(DOOR, "/api/v3/user", host, ""), Err(403));
    // The names that we make for its parts are no names for anybody else.
    assert_eq!(
        judged(Door::Unix, "/user", "ghe.example.org/api/v3", ""),
        Err(400)
    );
    let other = judged(Door::Unix, "/api/v3/user", "codeload.github.com", "");
    assert_eq!(other.unwrap()[1], "/api/v3/user");
}

#[test]
fn a_guest_goes_wherever_the_owner_does_and_is_known_as_one() {
    let at = |door: Door, host: &str| judged(door, "/stats", host, "");
    for host in ["api.github.com", "uploads.github.com", "127.0.0.1"] {
        assert_eq!(at(Door::Guest, host), at(Door::Unix, host), "{host}");
    }
    assert_eq!(
        at(Door::Guest, "ghswarm.internal").unwrap()[..2],
        ["admin", "Guest"]
    );
}

#[test]
fn the_admin_port_has_nothing_else() {
    let door = Door::Admin("127.0.0.1:9".parse().unwrap());
    assert_eq!(
        judged(door, "/stats", "127.0.0.1:9", "").unwrap()[..2],
        ["admin", "Stranger"]
    );
    assert_eq!(judged(door, "/stats", "rebound.example", ""), Err(403));
    assert_eq!(
        judged(door, "/stats", "127.0.0.1:9", "Origin: http://x\r\n"),
        Err(403)
    );
}
