//! One connection, many requests: the front and hyper take turns and no byte is lost.

use tokio::io::AsyncWriteExt as _;

use super::stage::Stage;

#[tokio::test]
async fn a_connection_that_missed_hits_on_the_fast_path() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let missed = client.get("/repos/o/r").await;
    assert_eq!(missed.status(), 200);
    assert!(
        missed.cache().contains("fwd=uri-miss"),
        "{}",
        missed.cache()
    );
    for _ in 0..3 {
        let hit = client.get("/repos/o/r").await;
        assert!(
            hit.cache().starts_with("ghswarm; hit; ttl="),
            "{}",
            hit.cache()
        );
        assert_eq!(hit.body, missed.body);
        assert!(hit.field("age").is_some() && hit.field("date").is_some());
        assert_eq!(hit.field("etag"), missed.field("etag"));
    }
    assert_eq!(stage.origin.count(), 1);
}

#[tokio::test]
async fn twenty_pipelined_hits_are_answered_in_order() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    for number in 0..20 {
        client.get(&format!("/repos/o/r{number}")).await;
    }
    let all: String = (0..20)
        .map(|number| client.get_text(&format!("/repos/o/r{number}")))
        .collect();
    client.write(all).await;
    for number in 0..20 {
        let reply = client.reply().await;
        assert!(reply.cache().contains("hit"), "{}", reply.cache());
        assert!(
            reply.text().contains(&format!("/repos/o/r{number}\"")),
            "{}",
            reply.text()
        );
    }
    assert_eq!(stage.origin.count(), 20);
}

#[tokio::test]
async fn hits_misses_uploads_and_heads_mix_in_one_pipeline() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    client.get("/repos/o/hit").await;
    let host = client.host.clone();
    let round = |round: u8| {
        [
            client.get_text("/repos/o/hit"),
            client.get_text(&format!("/repos/o/miss{round}")),
            format!("POST /markdown HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello"),
            format!(
                "POST /markdown HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n"
            ),
            format!("HEAD /repos/o/head{round} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
            client.get_text("/repos/o/hit"),
        ]
        .concat()
    };
    let all: String = (0..5).map(round).collect();
    client.write(&all).await;
    for round in 0..5 {
        assert!(client.reply().await.cache().contains("hit"));
        assert!(
            client
                .reply()
                .await
                .text()
                .contains(&format!("miss{round}"))
        );
        assert!(
            client
                .reply()
                .await
                .text()
                .contains("\"bytes\":5,\"sum\":532")
        );
        assert!(
            client
                .reply()
                .await
                .text()
                .contains("\"bytes\":5,\"sum\":495")
        );
        assert_eq!(client.head_only().await.status(), 200);
        assert!(client.reply().await.cache().contains("hit"));
    }
}

#[tokio::test]
async fn the_same_pipeline_byte_by_byte() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    client.get("/repos/o/hit").await;
    let host = client.host.clone();
    let upload = format!(
        "POST /markdown HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\n\r\n"
    );
    let all = [
        client.get_text("/repos/o/hit"),
        upload,
        client.get_text("/repos/o/hit"),
    ]
    .concat();
    for byte in all.as_bytes() {
        client.write([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(client.reply().await.cache().contains("hit"));
    assert!(client.reply().await.text().contains("\"bytes\":3"));
    assert!(client.reply().await.cache().contains("hit"));
}

#[tokio::test]
async fn bodies_that_do_not_fit_behind_their_head_stay_in_order() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let long = client.get("/repos/o/long").await;
    client.get("/repos/o/short").await;
    let pair = [
        client.get_text("/repos/o/long"),
        client.get_text("/repos/o/short"),
    ]
    .concat();
    client.write(pair.repeat(8)).await;
    for _ in 0..8 {
        assert_eq!(client.reply().await.body, long.body);
        assert!(client.reply().await.text().contains("short"));
    }
}

#[tokio::test]
async fn head_of_a_hit_and_of_a_pass_have_a_length_and_no_body() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let full = client.get("/repos/o/r").await;
    let head = client
        .ask("HEAD /repos/o/r", "Authorization: token ghp_x\r\n", b"")
        .await;
    assert!(head.cache().contains("hit"), "{}", head.cache());
    assert_eq!(
        head.field("content-length"),
        Some(full.body.len().to_string().as_str())
    );
    assert!(
        client.get("/repos/o/r").await.cache().contains("hit"),
        "nothing stood between"
    );
    let pass = Stage::passing().await;
    let mut client = pass.connect().await;
    let head = client.ask("HEAD /repos/o/r", "", b"").await;
    assert_eq!(
        head.field("content-length"),
        Some(full.body.len().to_string().as_str())
    );
    assert_eq!(client.get("/repos/o/r").await.body, full.body);
}

#[tokio::test]
async fn a_not_modified_describes_no_content() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let full = client.get("/repos/o/issues").await;
    let etag = full.field("etag").unwrap();
    let fields = format!("Authorization: token ghp_x\r\nIf-None-Match: {etag}\r\n");
    let short = client.ask("GET /repos/o/issues", &fields, b"").await;
    assert_eq!(short.status(), 304, "{}", short.head);
    for absent in [
        "content-length",
        "content-type",
        "link",
        "transfer-encoding",
    ] {
        assert_eq!(short.field(absent), None, "{}", short.head);
    }
    assert_eq!(short.field("etag"), Some(etag));
    assert!(client.get("/repos/o/issues").await.cache().contains("hit"));
}

#[tokio::test]
async fn close_is_honoured_by_hits_misses_and_failures() {
    let stage = Stage::cached().await;
    for target in ["/repos/o/r", "/repos/o/r", "http://example.com/"] {
        let mut client = stage.connect().await;
        if target.starts_with("http") {
            client.host = "example.com".to_owned();
        }
        let fields = "Authorization: token ghp_x\r\nConnection: close\r\n";
        let reply = client.ask(&format!("GET {target}"), fields, b"").await;
        assert_eq!(reply.field("connection"), Some("close"), "{}", reply.head);
        assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
    }
}

#[tokio::test]
async fn a_failure_without_a_body_keeps_the_connection() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let host = std::mem::replace(&mut client.host, "example.com".to_owned());
    assert_eq!(client.get("/user").await.status(), 403);
    client.host = host;
    assert_eq!(client.get("/repos/o/r").await.status(), 200);
}

#[tokio::test]
async fn a_half_closed_client_gets_its_answers() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let both = [client.get_text("/repos/o/r"), client.get_text("/repos/o/r")].concat();
    client.write(both).await;
    client.stream.get_mut().shutdown().await.unwrap();
    assert!(client.reply().await.cache().contains("uri-miss"));
    assert!(client.reply().await.cache().contains("hit"));
    assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let request = format!("GET /repos/o/r HTTP/1.0\r\nHost: {}\r\n\r\n", client.host);
    client.write(request).await;
    let reply = client.reply().await;
    assert_eq!(reply.status(), 200);
    assert!(reply.text().contains("/repos/o/r"));
    assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
}

#[tokio::test]
async fn the_end_of_the_daemon_lets_a_request_finish() {
    let stage = Stage::passing().await;
    let mut busy = stage.connect().await;
    let mut idle = stage.connect().await;
    idle.get("/repos/o/r").await;
    busy.write(busy.get_text("/waits")).await;
    stage.origin.arrived.notified().await;
    stage.origin.arrived.notified().await;
    stage.stop.send_replace(true);
    assert_eq!(
        idle.rest().await.as_deref(),
        Some(b"".as_slice()),
        "nothing is left to be said"
    );
    stage.origin.gate.notify_one();
    let last = busy.reply().await;
    assert_eq!(
        (last.status(), last.field("connection")),
        (200, Some("close"))
    );
    stage.run.await.unwrap().unwrap();
}
