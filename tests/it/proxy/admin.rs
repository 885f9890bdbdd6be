//! The admin interface, by both its doors.

use super::stage::{Stage, TOKEN};

#[tokio::test]
async fn the_socket_needs_no_token_and_the_port_does() {
    let stage = Stage::cached().await;
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    assert_eq!(
        socket.ask("GET /ready", "", b"").await.text(),
        "{\"pid\":1}"
    );
    let mut port = stage.connect_admin().await;
    let closed = port.ask("GET /ready", "", b"").await;
    assert_eq!(
        (closed.status(), closed.field("www-authenticate")),
        (401, Some("Bearer"))
    );
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(port.ask("GET /ready", &bearer, b"").await.status(), 200);
    let wrong = bearer.replace("token", "tokem");
    assert_eq!(port.ask("GET /ready", &wrong, b"").await.status(), 401);
    let page = format!("{bearer}Origin: http://localhost\r\n");
    assert_eq!(port.ask("GET /ready", &page, b"").await.status(), 403);
    port.host = "rebound.example".to_owned();
    assert_eq!(port.ask("GET /ready", &bearer, b"").await.status(), 403);
    // Its name means nothing on the clients' port.
    let mut client = stage.connect().await;
    client.host = "ghswarm.internal".to_owned();
    assert_eq!(client.get("/stats").await.status(), 403);
}

#[tokio::test]
async fn numbers_in_json_and_for_prometheus() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    client.get("/repos/o/r").await;
    client.get("/repos/o/r").await;
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    let stats = socket.ask("GET /stats", "", b"").await;
    let stats: serde_json::Value = serde_json::from_slice(&stats.body).unwrap();
    assert_eq!(stats["hits"]["memory"], 1);
    let metrics = socket.ask("GET /metrics", "", b"").await;
    assert!(
        metrics
            .field("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    assert!(
        metrics
            .text()
            .contains("ghswarm_hits_total{tier=\"memory\"} 1\n")
    );
    assert_eq!(socket.ask("GET /nothing", "", b"").await.status(), 404);
    assert_eq!(socket.ask("DELETE /stats", "", b"").await.status(), 405);
}

#[tokio::test]
async fn the_key_value_store_keeps_bytes() {
    let stage = Stage::cached().await;
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    let put = "POST /kv/put?operation=a%20b&ttl=60&key_length=3";
    assert_eq!(
        socket
            .ask(put, "Content-Length: 6\r\n", b"key\0\xff\n")
            .await
            .status(),
        204
    );
    let got = socket
        .ask(
            "POST /kv/get?operation=a+b",
            "Content-Length: 3\r\n",
            b"key",
        )
        .await;
    assert_eq!(
        (got.status(), got.body.as_slice()),
        (200, b"\0\xff\n".as_slice())
    );
    let other = socket
        .ask("POST /kv/get?operation=c", "Content-Length: 3\r\n", b"key")
        .await;
    assert_eq!(other.status(), 404);
    let delete = "POST /kv/delete?operation=a+b";
    for text in ["{\"deleted\":true}", "{\"deleted\":false}"] {
        assert_eq!(
            socket
                .ask(delete, "Content-Length: 3\r\n", b"key")
                .await
                .text(),
            text
        );
    }
    for broken in [
        "/kv/get",
        "/kv/put?operation=a",
        "/kv/put?operation=a&key_length=9",
    ] {
        let reply = socket
            .ask(&format!("POST {broken}"), "Content-Length: 3\r\n", b"key")
            .await;
        assert_eq!(reply.status(), 400, "{broken}");
    }
}

#[tokio::test]
async fn the_cache_is_listed_made_stale_and_cleared() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    client.get("/repos/o/r").await;
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    let rows = socket.ask("GET /cache?limit=5", "", b"").await;
    let rows: serde_json::Value = serde_json::from_slice(&rows.body).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    let named = |name: &'static str| {
        (
            format!("Content-Length: {}\r\n", name.len()),
            name.as_bytes(),
        )
    };
    let (fields, body) = named("o/r");
    assert_eq!(
        socket
            .ask("POST /cache/stale", &fields, body)
            .await
            .status(),
        204
    );
    let (fields, body) = named("a b");
    assert_eq!(
        socket
            .ask("POST /cache/stale", &fields, body)
            .await
            .status(),
        400
    );
    assert!(!client.get("/repos/o/r").await.cache().contains("hit"));
    let delete = format!("POST /cache/delete?id={}", rows[0]["id"].as_str().unwrap());
    for text in ["{\"deleted\":true}", "{\"deleted\":false}"] {
        assert_eq!(socket.ask(&delete, "", b"").await.text(), text);
    }
    assert_eq!(
        socket
            .ask("POST /cache/delete?id=x", "", b"")
            .await
            .status(),
        400
    );
    client.get("/repos/o/other").await;
    assert_eq!(
        socket.ask("POST /cache/clear", "", b"").await.text(),
        "{\"removed\":1}"
    );
}

#[tokio::test]
async fn stop_answers_with_the_last_numbers_and_ends() {
    let stage = Stage::cached().await;
    stage.connect().await.get("/repos/o/r").await;
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    let reply = socket.ask("POST /stop", "", b"").await;
    assert_eq!(reply.status(), 200);
    assert!(reply.text().contains("\"requests\""));
    assert_eq!(socket.rest().await.as_deref(), Some(b"".as_slice()));
    stage.run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_pass_through_has_no_cache_to_administrate() {
    let stage = Stage::passing().await;
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    assert_eq!(socket.ask("GET /ready", "", b"").await.status(), 200);
    assert_eq!(socket.ask("GET /stats", "", b"").await.status(), 503);
}

#[tokio::test]
async fn a_method_is_served_or_the_answer_says_which_are() {
    let stage = Stage::cached().await;
    let mut socket = stage.connect_unix("ghswarm.internal").await;
    socket
        .write("HEAD /metrics HTTP/1.1\r\nHost: ghswarm.internal\r\n\r\n")
        .await;
    let head = socket.head_only().await;
    assert_eq!(head.status(), 200);
    let delete = socket.ask("DELETE /stats", "", b"").await;
    assert_eq!(
        (delete.status(), delete.field("allow")),
        (405, Some("GET, HEAD, POST"))
    );
}
