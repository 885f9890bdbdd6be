//! Who may ask for what, and how the answers' addresses are written.

use super::stage::Stage;

#[tokio::test]
async fn foreign_hosts_and_web_pages_are_refused_in_githubs_shape() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let page = client
        .ask("GET /user", "Origin: https://evil.example\r\n", b"")
        .await;
    client.host = "rebound.example".to_owned();
    let foreign = client.get("/user").await;
    for reply in [page, foreign] {
        assert_eq!(reply.status(), 403);
        assert_eq!(
            reply.field("content-type"),
            Some("application/json; charset=utf-8")
        );
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert!(
            body["message"].as_str().unwrap().starts_with("ghswarm: "),
            "{body}"
        );
        assert!(body["documentation_url"].is_string());
        assert_eq!(reply.cache(), "ghswarm; fwd=bypass; detail=refused");
    }
    let connect = client.ask("CONNECT api.github.com:443", "", b"").await;
    assert_eq!(connect.status(), 405);
    assert_eq!(stage.origin.count(), 0);
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    let stats = socket.ask("GET /stats", "", b"").await;
    let stats: serde_json::Value = serde_json::from_slice(&stats.body).unwrap();
    let counts = ["requests", "failed", "misses"].map(|name| stats[name].as_u64());
    assert_eq!(counts, [Some(3), Some(3), Some(0)], "{stats}");
    assert_eq!(stats["reasons"]["refused"], 3, "{stats}");
}

#[tokio::test]
async fn localhost_alone_is_this_machine_and_its_links_have_our_port() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    client.host = "localhost".to_owned();
    let reply = client.get("/moved").await;
    let ours = format!("http://localhost:{}/", stage.proxy.port());
    let location = reply.field("location").unwrap();
    assert!(location.starts_with(&ours), "{location}");
    client.host = "localhost:1".to_owned();
    assert_eq!(client.get("/moved").await.status(), 403);
}

#[tokio::test]
async fn every_path_style_reaches_the_origin() {
    let stage = Stage::passing().await;
    let mut client = stage.connect().await;
    for (asked, seen) in [
        ("GET /user", "GET /user"),
        ("GET /api/v3/user?a=b", "GET /user?a=b"),
        ("GET /api/v3", "GET /"),
        ("GET /api/graphql", "GET /graphql"),
        ("GET /api/uploads/repos/o/r", "GET /repos/o/r"),
    ] {
        assert_eq!(client.ask(asked, "", b"").await.status(), 200);
        assert_eq!(stage.origin.seen.lock().unwrap().last().unwrap(), seen);
    }
    let port = stage.proxy.port();
    client.host = "localhost:".to_owned() + &port.to_string();
    assert_eq!(client.get("/user").await.status(), 200);
    client.host = "api.github.com".to_owned();
    assert_eq!(client.get("http://api.github.com/user").await.status(), 200);
    client.host = "example.com".to_owned();
    assert_eq!(client.get("http://example.com/user").await.status(), 403);
}

#[tokio::test]
async fn the_unix_socket_is_for_hosts_by_name() {
    let stage = Stage::cached().await;
    let mut gh = stage.connect_unix("api.github.com").await;
    assert!(gh.get("/repos/o/r").await.cache().contains("uri-miss"));
    let mut tcp = stage.connect().await;
    assert!(
        tcp.get("/api/v3/repos/o/r").await.cache().contains("hit"),
        "one cache for both doors"
    );
    assert!(gh.get("/repos/o/r").await.cache().contains("hit"));
    gh.host = "127.0.0.1:1".to_owned();
    assert_eq!(gh.get("/user").await.status(), 403);
}

#[tokio::test]
async fn links_lead_back_to_the_address_that_was_asked() {
    for cached in [true, false] {
        let stage = Stage::set(ghswarm::proxy::Config::default(), cached).await;
        let mut client = stage.connect().await;
        let own = format!("http://{}", client.host);
        for _ in 0..2 {
            let reply = client.get("/repos/o/r/issues").await;
            let expected = format!("<{own}/repos/o/r/issues?page=2>; rel=\"next\"");
            assert_eq!(reply.field("link"), Some(expected.as_str()));
        }
        let reply = client.get("/api/v3/repos/o/r/issues").await;
        let expected = format!("<{own}/api/v3/repos/o/r/issues?page=2>; rel=\"next\"");
        assert_eq!(reply.field("link"), Some(expected.as_str()));
        let mut gh = stage.connect_unix("api.github.com").await;
        let reply = gh.get("/repos/o/r/issues").await;
        let expected = "<https://api.github.com/repos/o/r/issues?page=2>; rel=\"next\"";
        assert_eq!(reply.field("link"), Some(expected));
    }
    let stage = Stage::passing().await;
    let mut client = stage.connect().await;
    let moved = client.get("/moved").await;
    let expected = format!("http://{}/repositories/1", client.host);
    assert_eq!(moved.field("location"), Some(expected.as_str()));
}

#[tokio::test]
async fn bodies_are_rewritten_for_pygithub_alone() {
    for cached in [true, false] {
        let stage = Stage::set(ghswarm::proxy::Config::default(), cached).await;
        let mut client = stage.connect().await;
        let fields = "Authorization: token ghp_x\r\nUser-Agent: PyGithub/Python\r\nAccept-Encoding: gzip\r\n";
        let plain = client.get("/repos/o/r").await;
        assert!(
            plain
                .text()
                .contains("\"url\":\"https://api.github.com/repos/o/r\"")
        );
        for _ in 0..2 {
            let python = client.ask("GET /repos/o/r", fields, b"").await;
            let expected = format!("\"url\":\"http://{}/repos/o/r\"", client.host);
            assert!(python.text().contains(&expected), "{}", python.text());
            assert_eq!(python.field("etag"), plain.field("etag"));
            let head = client.ask("HEAD /repos/o/r", fields, b"").await;
            if let Some(length) = head.field("content-length") {
                assert_eq!(length, python.body.len().to_string());
            }
        }
    }
}

#[tokio::test]
async fn a_graphql_document_of_any_length_goes_on() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let document = vec![b'x'; 3 << 20];
    let fields = format!("Content-Length: {}\r\n", document.len());
    let reply = client.ask("POST /graphql", &fields, &document).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    assert!(
        reply.text().starts_with("{\"bytes\":3145728,"),
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn a_read_with_a_body_goes_on_as_it_is() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    for _ in 0..2 {
        let reply = client
            .ask("GET /repos/o/r", "Content-Length: 2\r\n", b"{}")
            .await;
        assert_eq!(reply.cache(), "ghswarm; fwd=bypass; detail=body");
    }
    let seen = stage.origin.seen.lock().unwrap().clone();
    assert_eq!(seen, ["GET /repos/o/r content-length=2"; 2]);
}
