//! Bodies of any size, in both directions, and bodies that break off.

use tokio::io::AsyncReadExt as _;

use super::origin::BIG;
use super::stage::Stage;

#[tokio::test]
async fn sixty_four_mebibytes_come_down() {
    let stage = Stage::passing().await;
    let mut client = stage.connect().await;
    let big = client.get("/repos/o/r/zipball/big").await;
    assert_eq!((big.status(), big.body.len()), (200, BIG));
    assert_eq!(big.cache(), "ghswarm; fwd=bypass; detail=pass-through");
    let chunks = client.get("/repos/o/r/zipball/chunks").await;
    assert_eq!(chunks.field("transfer-encoding"), Some("chunked"));
    assert_eq!(chunks.body.len(), 1 << 20);
}

#[tokio::test]
async fn sixty_four_mebibytes_go_up_with_a_length_and_in_chunks() {
    let stage = Stage::passing().await;
    let mut client = stage.connect().await;
    let piece = vec![1_u8; 1 << 20];
    let host = client.host.clone();
    client
        .write(format!(
            "POST /api/uploads/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: {BIG}\r\n\r\n"
        ))
        .await;
    for _ in 0..64 {
        client.write(&piece).await;
    }
    let reply = client.reply().await;
    assert_eq!(reply.text(), format!("{{\"bytes\":{BIG},\"sum\":{BIG}}}"));
    client
        .write(format!(
            "POST /markdown HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
    for _ in 0..64 {
        client.write(b"100000\r\n").await;
        client.write(&piece).await;
        client.write(b"\r\n").await;
    }
    client.write(b"0\r\n\r\n").await;
    assert_eq!(
        client.reply().await.text(),
        format!("{{\"bytes\":{BIG},\"sum\":{BIG}}}")
    );
    assert_eq!(client.get("/user").await.status(), 200);
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_go_on() {
    let stage = Stage::passing().await;
    let mut client = stage.connect().await;
    let host = client.host.clone();
    let head = format!(
        "POST /markdown HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    );
    client.write(&head).await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello").await;
    assert!(client.reply().await.text().contains("\"bytes\":5"));
    assert!(!stage.origin.seen.lock().unwrap()[0].contains("expect"));
    // Refused before it sends: no 100 comes, and the connection ends.
    client.write(head.replace(&host, "example.com")).await;
    assert_eq!(client.reply().await.status(), 403);
    assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
    let mut other = stage.connect().await;
    assert_eq!(
        other
            .ask("GET /user", "Expect: tea\r\n", b"")
            .await
            .status(),
        417
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_never_complete() {
    let stage = Stage::passing().await;
    for target in ["/repos/o/r/zipball/cut", "/repos/o/r/zipball/cut-chunks"] {
        let mut client = stage.connect().await;
        client.write(client.get_text(target)).await;
        let head = client.head_only().await;
        assert_eq!(head.status(), 200);
        // An error, or an end before the length is full and without the last chunk.
        if let Some(rest) = client.rest().await {
            assert!(
                rest.len() < BIG && !rest.ends_with(b"0\r\n\r\n"),
                "{}",
                rest.len()
            );
        }
        let mut old = stage.connect().await;
        old.write(format!(
            "GET {target} HTTP/1.0\r\nHost: {}\r\n\r\n",
            old.host
        ))
        .await;
        assert!(
            old.rest().await.is_none_or(|rest| rest.len() < BIG),
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_slow_reader_stalls_nobody_else() {
    let stage = Stage::passing().await;
    let mut slow = stage.connect().await;
    slow.write(slow.get_text("/repos/o/r/zipball/big")).await;
    slow.head().await;
    let mut quick = stage.connect().await;
    for _ in 0..50 {
        assert_eq!(quick.get("/user").await.status(), 200);
    }
    let mut body = vec![0; BIG];
    slow.stream.read_exact(&mut body).await.unwrap();
    assert_eq!(slow.get("/user").await.status(), 200);
}

#[tokio::test]
async fn a_client_that_goes_away_harms_nobody() {
    let stage = Stage::cached().await;
    for begin in ["/repos/o/r/zipball/big", "/repos/o/r"] {
        let mut client = stage.connect().await;
        client.write(client.get_text(begin)).await;
        drop(client);
    }
    let mut partial = stage.connect().await;
    partial.write("GET /us").await;
    drop(partial);
    let mut upload = stage.connect().await;
    let host = upload.host.clone();
    upload
        .write(format!(
            "POST /markdown HTTP/1.1\r\nHost: {host}\r\nContent-Length: 50\r\n\r\nhalf"
        ))
        .await;
    drop(upload);
    assert_eq!(stage.connect().await.get("/repos/o/x").await.status(), 200);
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_read() {
    let stage = Stage::passing().await;
    let mut client = stage.connect().await;
    let host = client.host.clone();
    client
        .write(format!(
            "POST /refuses HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000\r\n\r\nbegin"
        ))
        .await;
    assert_eq!(client.reply().await.status(), 413);
    assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
    let mut client = stage.connect().await;
    assert_eq!(client.ask("DELETE /none", "", b"").await.status(), 204);
    assert_eq!(client.get("/user").await.status(), 200);
}
