//! What two readers could read differently is refused, and nothing behind it is read.

use super::stage::Stage;

/// Each is followed by a request that must never be answered.
const AMBIGUOUS: [&str; 19] = [
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n",
    "GET / HTTP/1.1\nHost: HOST\n\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : HOST\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nX: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET http://api.github.com/ HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n",
];

#[tokio::test]
async fn ambiguous_heads_are_refused_and_end_the_connection() {
    let stage = Stage::cached().await;
    for request in AMBIGUOUS {
        let mut client = stage.connect().await;
        let request = request.replace("HOST", &client.host);
        client
            .write([request.as_str(), &client.get_text("/repos/o/smuggled")].concat())
            .await;
        let reply = client.reply().await;
        assert_eq!(reply.status(), 400, "{request:?}");
        assert_eq!(reply.field("connection"), Some("close"), "{request:?}");
        assert!(
            reply.text().starts_with("{\"documentation_url\":")
                || reply.text().starts_with("{\"message\":\"ghswarm: ")
        );
        assert_eq!(
            client.rest().await.as_deref(),
            Some(b"".as_slice()),
            "{request:?}"
        );
    }
    assert_eq!(stage.origin.count(), 0, "nothing of it went on");
}

#[tokio::test]
async fn the_second_request_of_a_pipeline_is_judged_like_the_first() {
    let stage = Stage::cached().await;
    for request in AMBIGUOUS {
        let mut client = stage.connect().await;
        let request = request.replace("HOST", &client.host);
        let upload = format!(
            "POST /markdown HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\nab",
            client.host
        );
        client.write([upload, request.clone()].concat()).await;
        assert_eq!(client.reply().await.status(), 200);
        assert_eq!(client.reply().await.status(), 400, "{request:?}");
        assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
    }
}

#[tokio::test]
async fn a_malformed_chunk_is_no_request() {
    let stage = Stage::passing().await;
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "0\r\n X\r\n\r\n",
    ] {
        let mut client = stage.connect().await;
        let fields = "Transfer-Encoding: chunked\r\n";
        let reply = client.ask("POST /markdown", fields, body.as_bytes()).await;
        assert_eq!(reply.status(), 400, "{body:?}: {}", reply.text());
        assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
    }
}

#[tokio::test]
async fn fields_of_the_connection_stay_on_the_connection() {
    let stage = Stage::passing().await;
    let mut client = stage.connect().await;
    let fields = "Connection: X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nUpgrade: h2c\r\n";
    let reply = client.ask("GET /moved", fields, b"").await;
    assert_eq!(reply.status(), 302);
    assert_eq!(reply.field("keep-alive"), None);
    assert_eq!(*stage.origin.seen.lock().unwrap(), ["GET /moved"]);
    client
        .ask(
            "POST /markdown",
            "Transfer-Encoding: chunked\r\n",
            b"0\r\n\r\n",
        )
        .await;
    client
        .ask("POST /markdown", "Content-Length: 0\r\n", b"")
        .await;
    client.ask("GET /user", "Content-Length: 0\r\n", b"").await;
    let seen = stage.origin.seen.lock().unwrap().clone();
    assert_eq!(seen[1], "POST /markdown transfer-encoding=chunked");
    assert_eq!(seen[2], "POST /markdown content-length=0");
    assert!(
        seen[3].starts_with("GET /user") && !seen[3].contains("chunked"),
        "{}",
        seen[3]
    );
}
