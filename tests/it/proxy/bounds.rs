//! What is too much, too slow, or too many.

use std::time::Duration;

use ghswarm::proxy::Config;

use super::stage::Stage;

#[tokio::test]
async fn a_head_that_is_too_long_is_told_so() {
    let stage = Stage::cached().await;
    let mut client = stage.connect().await;
    let long = format!("X: {}\r\n", "x".repeat(40 << 10));
    let reply = client.ask("GET /user", &long, b"").await;
    assert_eq!(
        (reply.status(), reply.field("connection")),
        (431, Some("close"))
    );
    let mut client = stage.connect().await;
    let fits = format!("X: {}\r\n", "x".repeat(30 << 10));
    assert_eq!(client.ask("GET /repos/o/r", &fits, b"").await.status(), 200);
    let many = "X: y\r\n".repeat(101);
    assert_eq!(client.ask("GET /user", &many, b"").await.status(), 431);
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let stage = Stage::set(
        Config {
            max_connections: 1,
            ..Config::default()
        },
        true,
    )
    .await;
    let mut first = stage.connect().await;
    assert_eq!(first.get("/repos/o/r").await.status(), 200);
    let mut second = stage.connect().await;
    let reply = second.get("/repos/o/r").await;
    assert_eq!(reply.status(), 503);
    assert!(reply.text().contains("ghswarm: too many connections"));
    assert_eq!(second.rest().await.as_deref(), Some(b"".as_slice()));
    assert_eq!(
        stage
            .connect_admin()
            .await
            .ask("GET /stats", "", b"")
            .await
            .status(),
        401
    );
    assert_eq!(first.get("/repos/o/r").await.status(), 200);
}

fn hasty() -> Config {
    let moment = Duration::from_millis(50);
    Config {
        head_timeout: moment,
        idle_timeout: moment,
        body_timeout: moment,
        write_timeout: moment,
        ..Config::default()
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_not_waited_for() {
    let stage = Stage::set(hasty(), true).await;
    let mut client = stage.connect().await;
    client.write("GET /user HTTP/1.1\r\nHo").await;
    assert_eq!(client.reply().await.status(), 408);
    assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let stage = Stage::set(hasty(), true).await;
    let mut client = stage.connect().await;
    assert_eq!(client.get("/repos/o/r").await.status(), 200);
    assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_waited_for() {
    let stage = Stage::set(hasty(), false).await;
    let mut client = stage.connect().await;
    let reply = client
        .ask("POST /markdown", "Content-Length: 10\r\n", b"half")
        .await;
    assert_eq!(reply.status(), 408, "{}", reply.text());
    assert_eq!(client.rest().await.as_deref(), Some(b"".as_slice()));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_left() {
    let stage = Stage::set(hasty(), false).await;
    let mut client = stage.connect().await;
    client
        .write(client.get_text("/repos/o/r/zipball/big"))
        .await;
    // The daemon can only end in time if it has given this client up.
    stage.origin.arrived.notified().await;
    stage.stop.send_replace(true);
    stage.run.await.unwrap().unwrap();
    assert!(
        client
            .rest()
            .await
            .is_none_or(|rest| rest.len() < super::origin::BIG)
    );
}
